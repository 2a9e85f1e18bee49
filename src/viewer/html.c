/*
 * html.c: a page with a flame graph, a table of the functions, a filter by thread; one file that needs no
 * other. What the script works on is `profile`, below.
 */
#include "escape.h"
#include "flamegraph.h"
#include "formats.h"
#include "pages.h"

/* Writes the text as a string of the script, and frees it. */
static void put_script_string(struct text *text, struct text *out) {
    text_char(text, '\0');
    escape_script(out, text->failed ? "" : text->data);
    out->failed |= text->failed;
    text_free(text);
}

static void put_quoted(void (*put)(const struct profile *profile, uint32_t frame, struct text *out),
                       const struct profile *profile, uint32_t frame, struct text *out) {
    struct text text = {.data = NULL};
    put(profile, frame, &text);
    put_script_string(&text, out);
}

static void put_frames(const struct profile *profile, struct text *out) {
    for (uint32_t i = 0; i < profile->frame_count; i++) {
        text_string(out, i == 0 ? "{\"label\":" : ",\n{\"label\":");
        put_quoted(flamegraph_label, profile, i, out);
        text_string(out, ",\"title\":");
        put_quoted(flamegraph_title, profile, i, out);
        text_format(out, ",\"function\":%u,\"kind\":\"%s\",\"color\":\"", profile->frames[i].function,
                    flamegraph_class(profile_kind(profile, i)));
        flamegraph_color(profile, i, out);
        text_string(out, "\"}");
    }
}

/* Its name; where it is, "FILE:LINE", or "". */
static void put_function(const struct profile *profile, const struct profile_function *function,
                         struct text *out) {
    struct text name = {.data = NULL};
    struct text place = {.data = NULL};
    escape_control(&name, profile->strings[function->name]);
    escape_control(&place, profile->strings[function->file]);
    if (place.length > 0 && function->first_line > 0) {
        text_format(&place, ":%u", function->first_line);
    }
    text_string(out, "{\"name\":");
    put_script_string(&name, out);
    text_string(out, ",\"place\":");
    put_script_string(&place, out);
    text_format(out, ",\"kind\":\"%s\"}", flamegraph_class(function->kind));
}

static void put_functions(const struct profile *profile, struct text *out) {
    for (uint32_t i = 0; i < profile->function_count; i++) {
        text_string(out, i == 0 ? "" : ",\n");
        put_function(profile, &profile->functions[i], out);
    }
}

static void put_threads(const struct profile *profile, struct text *out) {
    bool processes = profile_has_processes(profile);
    for (uint32_t i = 0; i < profile->thread_count; i++) {
        struct text label = {.data = NULL};
        profile_thread_label(profile, i, processes, &label);
        text_string(out, i == 0 ? "" : ",");
        put_script_string(&label, out);
    }
}

static void put_data(const struct profile *profile, struct text *out) {
    text_format(out, "const profile = {\"period\":%llu,\"color\":\"%s\",\"narrowest\":%d,\n\"threads\":[",
                (unsigned long long)profile->period, flamegraph_root_color, FLAMEGRAPH_NARROWEST);
    put_threads(profile, out);
    text_string(out, "],\n\"functions\":[");
    put_functions(profile, out);
    text_string(out, "],\n\"frames\":[");
    put_frames(profile, out);
    text_string(out, "],\n\"nodes\":[[0,0]"); /* [caller, frame] */
    for (uint32_t i = 1; i < profile->node_count; i++) {
        text_format(out, ",[%u,%u]", profile->nodes[i].caller, profile->nodes[i].frame);
    }
    text_string(out, "],\n\"counts\":["); /* [thread, node, samples] */
    for (uint32_t i = 0; i < profile->count_count; i++) {
        const struct profile_count *count = &profile->counts[i];
        text_format(out, "%s[%u,%u,%llu]", i == 0 ? "" : ",", count->thread, count->node,
                    (unsigned long long)count->samples);
    }
    text_string(out, "]};\n");
}

static void put_header(const struct profile *profile, struct text *out) {
    text_string(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    escape_xml(out, profile->title);
    text_format(out, "</title>\n<style>\n%s%s</style>\n</head>\n<body>\n<header><h1>", page_flamegraph_css,
                page_page_css);
    escape_xml(out, profile->title);
    text_string(
        out,
        "</h1>\n<label>thread <select id=\"thread\"><option value=\"\">all</option></select></label>\n"
        "<button id=\"dark\" type=\"button\">dark</button></header>\n"
        "<noscript>The table of the functions, and what one can do with the graph, need the script in this "
        "page.</noscript>\n");
}

static void put_table(struct text *out) {
    static const struct {
        const char *column, *title;
    } columns[] = {
        {"own", "own %"},     {"total", "total %"}, {"own", "own s"},
        {"total", "total s"}, {"name", "function"}, {"place", "file"},
    };
    text_string(out, "<table>\n<thead><tr>");
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        text_format(out, "<th data-column=\"%s\"><button type=\"button\">%s</button></th>", columns[i].column,
                    columns[i].title);
    }
    text_string(out, "</tr></thead>\n<tbody></tbody>\n</table>\n");
}

void write_html(const struct profile *profile, struct text *out) {
    put_header(profile, out);
    flamegraph_begin(profile, NULL, out);
    flamegraph_end(out);
    put_table(out);
    text_string(out, "<script>\n");
    put_data(profile, out);
    text_format(out, "%s%s</script>\n</body>\n</html>\n", page_flamegraph_js, page_page_js);
}
