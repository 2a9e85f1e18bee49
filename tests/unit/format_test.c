/*
 * Unit tests of format strings: what they are taken apart into, and what is wrong with the wrong ones. Silent
 * when all is well.
 */
#include "program/format.h"

#include <stdio.h>
#include <string.h>

static int failures;

static void same(const char *format, const char *is, const char *should_be) {
    if (strcmp(is, should_be) == 0)
        return;
    printf("\"%s\": is %s, should be %s\n", format, is, should_be);
    failures++;
}

/* The parts as text: literal text in quotes, conversions as flags, width.precision and name. */
static void describe(const struct format *format, char *text, size_t n) {
    text[0] = '\0';
    for (size_t i = 0; i < format->count; i++) {
        const struct format_part *part = &format->parts[i];
        size_t at = strlen(text);
        if (part->text_length) {
            snprintf(text + at, n - at, "'%.*s'", (int)part->text_length, part->text);
            continue;
        }
        snprintf(text + at, n - at, "%%%s%s%s%s%s%s%s", part->aggregation ? "@" : "", part->left ? "-" : "",
                 part->plus ? "+" : "", part->space ? " " : "", part->alternate ? "#" : "",
                 part->zero ? "0" : "", part->grouped ? "\\" : "");
        at = strlen(text);
        if (part->dynamic_width || part->width >= 0)
            snprintf(text + at, n - at, part->dynamic_width ? "*" : "%d", part->width);
        at = strlen(text);
        if (part->dynamic_precision || part->precision >= 0)
            snprintf(text + at, n - at, part->dynamic_precision ? ".*" : ".%d", part->precision);
        at = strlen(text);
        snprintf(text + at, n - at, "%s", part->conversion->name);
    }
}

static const struct {
    const char *format, *parts;
} good[] = {
    {"", ""},
    {"plain", "'plain'"},
    {"%d", "%d"},
    {"a%db", "'a'%d'b'"},
    {"%d%s%%", "%d%s%%"},
    {"%5d %-5d %05d %+d % d %#x %'d", "%5d' '%-5d' '%05d' '%+d' '% d' '%#x' '%\\d"},
    {"%-05d %0-5d", "%05d' '%-5d"},
    {"%.3s %10.3s %.s %.0d", "%.3s' '%10.3s' '%.0s' '%.0d"},
    {"%*d %.*d %-*.*s", "%*d' '%.*d' '%-*.*s"},
    {"%@d %@-8d %-8@d", "%@d' '%@-8d' '%@-8d"},
    {"%lld %hx %wc %ls %Lf", "%lld' '%hx' '%wc' '%ls' '%Lf"},
    {"%?x", "%16x"},
    {"%Y %T %k %a %A %p %C %S", "%Y' '%T' '%k' '%a' '%A' '%p' '%C' '%S"},
    {"%l5d", "%5ld"},
};

static const struct {
    const char *format, *problem;
} bad[] = {
    {"%q", "format conversion #1 is undefined: %q"},
    {"%d %q", "format conversion #2 is undefined: %q"},
    {"[%]", "format conversion #1 is undefined: %]"},
    {"%hhd", "format conversion #1 is undefined: %hhd"},
    {"100%", "format conversion #1 name expected before end of format string"},
    {"%l", "format conversion #1 name expected before end of format string"},
    {"%5%", "format conversion #1 cannot be combined with other format flags: %%"},
    {"%5*d", "format conversion #1 has more than one width specified"},
    {"%*5d", "format conversion #1 has more than one width specified"},
    {"%?5d", "format conversion #1 has more than one width specified"},
    {"%.5.3d", "format conversion #1 has more than one '.' specified"},
    {"%.*3d", "format conversion #1 has more than one precision specified"},
};

int main(void) {
    char text[256], problem[256];
    struct format format;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        problem[0] = '\0';
        if (format_parse(&format, good[i].format, problem, sizeof problem))
            describe(&format, text, sizeof text);
        else
            snprintf(text, sizeof text, "%s", problem);
        same(good[i].format, text, good[i].parts);
        format_free(&format);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        problem[0] = '\0';
        if (format_parse(&format, bad[i].format, problem, sizeof problem))
            describe(&format, problem, sizeof problem);
        same(bad[i].format, problem, bad[i].problem);
        format_free(&format);
    }
    return failures != 0;
}
