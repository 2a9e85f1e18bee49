/*
 * tags.c: DTrace's name for each kind of error that the parser finds (-x errtags), by how its message begins.
 * What is found behind the parser names its own tag: compile_fail.
 */
#include "compile.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *words, *tag;
} tags[] = {
    {"#error:", "D_PRAGERR"},
    {"array declaration requires", "D_DECL_ARRNULL"},
    {"array dimension too big", "D_DECL_ARRBIG"},
    {"array prototype may not use a variable", "D_DECL_PROTO_VARARGS"},
    {"array prototype may not use parameter", "D_DECL_PROTO_TYPE"},
    {"bit-field too big", "D_DECL_BFSIZE"},
    {"cannot declare array of assoc", "D_DECL_DYNOBJ"},
    {"cannot declare array of void", "D_DECL_VOIDOBJ"},
    {"cannot have dynamic", "D_DECL_DYNOBJ"},
    {"cannot have void", "D_DECL_VOIDOBJ"},
    {"character constant is too long", "D_CHR_OFLOW"},
    {"constant ", "D_INT_OFLOW"},
    {"empty D program", "D_EMPTY"},
    {"empty character constant", "D_CHR_NULL"},
    {"enumerator '", "D_DECL_ENCONST"},
    {"extraneous argument", "D_MACRO_UNUSED"},
    {"failed to define member", "D_UNKNOWN"},
    {"failed to resolve type", "D_UNKNOWN"},
    {"failed to resolve ", "D_IDENT_UNDEF"},
    {"function designator", "D_FUNC_IDENT"},
    {"failed to set option", "D_PRAGMA_OPTSET"},
    {"global variable identifier", "D_DECL_IDRED"},
    {"identifier redeclared", "D_DECL_IDRED"},
    {"incomplete struct/union/enum", "D_DECL_INCOMPLETE"},
    {"inappropriate storage class", "D_DECL_PARMCLASS"},
    {"integer constant", "D_INT_OFLOW"},
    {"invalid D pragma", "D_PRAGMA_INVAL"},
    {"invalid class", "D_PRAGMA_INVAL"},
    {"invalid attributes", "D_PRAGMA_INVAL"},
    {"invalid component", "D_PRAGMA_INVAL"},
    {"invalid version", "D_PRAGMA_INVAL"},
    {"invalid control directive", "D_PRAGCTL_INVAL"},
    {"invalid probe description", "D_PDESC_INVAL"},
    {"invalid type combination", "D_DECL_COMBO"},
    {"invalid type declaration: attributes", "D_DECL_VOIDATTR"},
    {"invalid type declaration: long", "D_DECL_LONGINT"},
    {"invalid type declaration: short", "D_DECL_CHARATTR"},
    {"invalid type declaration: signed", "D_DECL_SIGNINT"},
    {"invalid type for bit-field", "D_DECL_BFTYPE"},
    {"macro argument", "D_MACRO_UNDEF"},
    {"macro variable", "D_MACRO_UNDEF"},
    {"main program may not", "D_PRAGMA_DEPEND"},
    {"malformed #line", "D_PRAGMA_MALFORM"},
    {"malformed #pragma", "D_PRAGMA_MALFORM"},
    {"newline encountered in character", "D_CHR_NL"},
    {"newline encountered in string", "D_STR_NL"},
    {"only one storage class", "D_DECL_CLASS"},
    {"parameter is already declared", "D_DECL_PROTO_FORM"},
    {"positive integral constant expression expected", "D_DECL_BFCONST"},
    {"positive integral constant expression or tuple", "D_DECL_ARRSUB"},
    {"program requires", "D_PRAGMA_DEPEND"},
    {"specified storage class", "D_DECL_BADCLASS"},
    {"superfluous arguments", "D_PRAGMA_MALFORM"},
    {"type redeclared", "D_DECL_TYPERED"},
    {"typedef ", "D_DECL_IDRED"},
    {"undefined function name", "D_FUNC_UNDEF"},
    {"unused #pragma", "D_PRAGMA_UNUSED"},
    {"useless declaration", "D_DECL_USELESS"},
    {"void must be sole", "D_DECL_PROTO_VOID"},
    {"void parameter may", "D_DECL_PROTO_NAME"},
};

/* Words within the message that make it a kind of its own. */
static const struct {
    const char *words, *tag;
} exceptions[] = {
    {"contains invalid digit", "D_INT_DIGIT"},
    {"value overflows INT_MAX", "D_DECL_ENOFLOW"},
    {"cannot modify entity", "D_PRAGMA_SCOPE"},
    {"constant results in integer overflow", "D_MACRO_OFLOW"},
};

static const char *find_tag(const char *message) {
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (strstr(message, exceptions[i].words))
            return exceptions[i].tag;
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (strncmp(message, tags[i].words, strlen(tags[i].words)) == 0)
            return tags[i].tag;
    return "D_SYNTAX";
}

void tag_problem(struct dlang_problem *problem) {
    char text[sizeof problem->text];
    const char *message = problem->text;
    const char *line = strstr(message, "line ");
    if (line && problem->line && (line == message || *message == '"')) {
        const char *behind = strstr(line, ": ");
        message = behind ? behind + 2 : message;
    }
    snprintf(text, sizeof text, "[%s] %.950s", find_tag(message), problem->text);
    memcpy(problem->text, text, sizeof text);
}
