/*
 * Unit tests of the parser: what a text is parsed into, written as lists in parentheses, or the error; types
 * and layouts. Silent when all is well.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "check.h"
#include "dlang/lexer.h"
#include "dlang/memory.h"
#include "dlang/node.h"
#include "dlang/types.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- a tree as text --- */

struct text {
    char bytes[8192];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text->bytes + text->length, sizeof text->bytes - text->length, format, arguments);
    va_end(arguments);
    text->length += (size_t)n;
    if (text->length >= sizeof text->bytes)
        text->length = sizeof text->bytes - 1;
}

static void put_node(struct text *text, const struct node *node);

static void put_list(struct text *text, const struct node *list) {
    for (; list; list = list->next) {
        put(text, " ");
        put_node(text, list);
    }
}

static void put_type(struct text *text, const struct type *type) {
    char name[256];
    put(text, " <%s>", type_print(type, name, sizeof name));
}

static const char *const scopes[] = {"", "self->", "this->"};

static void put_node(struct text *text, const struct node *node) {
    const char *name = node->text ? node->text : "";
    switch (node->kind) {
    case NODE_INTEGER:
        put(text, "%lld", (long long)node->value);
        return;
    case NODE_STRING:
        put(text, "\"%s\"", name);
        return;
    case NODE_NAME:
        put(text, "%s%s", scopes[node->scope], name);
        return;
    case NODE_SYMBOL:
        put(text, "%s", name);
        return;
    case NODE_AGGREGATION:
        put(text, "@%s[", name);
        put_list(text, node->list);
        put(text, " ]");
        return;
    case NODE_DESCRIPTION:
        if (node->value != 0)
            put(text, "%llu", (unsigned long long)node->value);
        else
            put(text, "%s:%s:%s:%s", node->parts[0], node->parts[1], node->parts[2], node->parts[3]);
        return;
    default:
        break;
    }
    static const char *const kinds[] = {
        [NODE_ARRAY] = "index",        [NODE_CALL] = "call",         [NODE_POSTFIX] = "post",
        [NODE_TERNARY] = "?",          [NODE_CAST] = "cast",         [NODE_SIZEOF] = "sizeof",
        [NODE_OFFSETOF] = "offsetof",  [NODE_MEMBER] = ".",          [NODE_ARROW] = "->",
        [NODE_XLATE] = "xlate",        [NODE_STATEMENT] = "do",      [NODE_DECLARATION] = "declare",
        [NODE_TYPE] = "type",          [NODE_INLINE] = "inline",     [NODE_TRANSLATOR] = "translator",
        [NODE_TRANSLATION] = "member", [NODE_PROVIDER] = "provider", [NODE_PROBE] = "probe",
        [NODE_PRAGMA] = "pragma",      [NODE_CLAUSE] = "clause",
    };
    put(text, "(%s",
        node->kind == NODE_UNARY || node->kind == NODE_BINARY || node->kind == NODE_ASSIGN
            ? token_text(node->op)
            : kinds[node->kind]);
    if (node->kind == NODE_POSTFIX)
        put(text, "%s", token_text(node->op));
    if (*name)
        put(text, " %s%s", scopes[node->scope], name);
    if (node->type)
        put_type(text, node->type);
    if (node->source_type)
        put_type(text, node->source_type);
    if (node->kind == NODE_CLAUSE)
        put(text, "%s", node->no_actions ? " default" : "");
    if (node->kind != NODE_CLAUSE && node->left) {
        put(text, " ");
        put_node(text, node->left);
    }
    put_list(text, node->list);
    if (node->condition) {
        put(text, " / ");
        put_node(text, node->condition);
    }
    if (node->right)
        put_list(text, node->right);
    put(text, ")");
}

/* --- parsing --- */

static const char *const arguments[] = {"42", "hello", "two words", "-7", "\"quoted\"", "0x1f"};

static unsigned match(void *context, const char *provider, const char *module, const char *function,
                      const char *name) {
    (void)context, (void)provider, (void)module, (void)function, (void)name;
    return 1;
}

/* The tree of a text, or "! error". `kind` is how it was given: 's' or 'n'. */
static void parse_text(const char *source_text, char kind, struct text *text) {
    struct dlang_source source = {kind == 's' ? "script.d" : NULL, source_text, kind != 's', kind};
    struct dlang_settings settings = {.sources = &source,
                                      .source_count = 1,
                                      .arguments = arguments,
                                      .argument_count = sizeof arguments / sizeof *arguments,
                                      .target = 24601,
                                      .probes = {match, NULL, NULL}};
    bool used[sizeof arguments / sizeof *arguments + 1] = {false};
    struct macros macros = {used};
    int64_t options[OPTION_COUNT];
    struct dlang_problem problem = {{0}, 0, 0, 0};
    struct memory memory;
    jmp_buf exhausted;
    struct node *list = NULL;
    unsigned last_line = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        options[i] = settings.options[i] = OPTION_UNSET;
    memory_init(&memory, &exhausted);
    text->length = 0;
    text->bytes[0] = '\0';
    if (setjmp(exhausted)) {
        put(text, "! no memory");
        memory_free(&memory);
        return;
    }
    struct parser_output output = {types_new(&memory, 256), &memory, &macros, options};
    if (parse(&settings, 0, &output, &list, &last_line, &problem))
        for (const struct node *node = list; node; node = node->next) {
            put(text, "%s", text->length ? " " : "");
            put_node(text, node);
        }
    else
        put(text, "! %s", problem.text);
    memory_free(&memory);
}

static void expect(const char *source, char kind, const char *expected) {
    static struct text text;
    parse_text(source, kind, &text);
    if (strcmp(text.bytes, expected) == 0)
        return;
    printf("%s\n    gives    %s\n    expected %s\n", source, text.bytes, expected);
    failures++;
}

/* --- expressions --- */

static const struct {
    const char *source, *tree;
} expressions[] = {
    {"1 + 2 * 3 - 4", "(- (+ 1 (* 2 3)) 4)"},
    {"a || b ^^ c && d | e ^ f & g == h < i << j + k * -l",
     "(|| a (^^ b (&& c (| d (^ e (& f (== g (< h (<< i (+ j (* k (- l))))))))))))"},
    {"a ? b : c ? d : e", "(? b / a (? d / c e))"},
    {"a = b += c", "(= a (+= b c))"},
    {"x <<= 1, y >>= 2", "(, (<<= x 1) (>>= y 2))"},
    {"*p++", "(* (post++ p))"},
    {"- -x", "(- (- x))"},
    {"(char)x + 1", "(+ (cast <char> x) 1)"},
    {"(unsigned long)(x)", "(cast <unsigned long> x)"},
    {"(uint8_t *)x", "(cast <uint8_t *> x)"},
    {"(struct nosuch *)x", "(cast <struct nosuch *> x)"},
    {"sizeof (int)", "(sizeof <int>)"},
    {"sizeof (x)", "(sizeof x)"},
    {"sizeof (uint8_t[4])", "(sizeof <uint8_t [4]>)"},
    {"pid_t[4]", "(index pid_t 4)"},
    {"sizeof x[1]", "(sizeof (index x 1))"},
    {"stringof x", "(stringof x)"},
    {"stringof (arg0)", "(stringof arg0)"},
    {"(string)arg0", "(cast <string> arg0)"},
    {"@a[1, \"x\"] = sum(2)", "(= @a[ 1 \"x\" ] (call sum 2))"},
    {"@ = count()", "(= @_[ ] (call count))"},
    {"self->x = this->y", "(= self->x this->y)"},
    {"self->a[1]->b.c", "(. c (-> b (index self->a 1)))"},
    {"x->string", "(-> string x)"},
    {"x.self", "(. self x)"},
    {"`kernel_symbol + mod`sym", "(+ `kernel_symbol mod`sym)"},
    {"xlate <int *> (x)->y", "(-> y (xlate <int *> x))"},
    {"'ab'", "24930"},
    {"'\\n'", "10"},
    {"'\\''", "23591"},
    {"\"a\\tb\\101\\x41\\q\\\"\"", "\"a\tbAA\\q\"\""},
    {"0777 + 0xff + 10ul", "(+ (+ 511 255) 10)"},
    {"$1 + $4 + $6", "(+ (+ 42 (- 7)) 31)"},
    {"$2 = $$2", "(= hello \"hello\")"},
    {"$$3", "\"two words\""},
    {"$5", "\"quoted\""},
    {"$target", "24601"},
    {"$$target", "\"24601\""},
    {"f(1, 2)(3)", "! line 1: undefined function name: f"},
    {"strlen(1)(3)", "! line 1: function designator is not of function type"},
    {"5 = x", "(= 5 x)"},
    {"-x = 1", "(= (- x) 1)"},
    {"a + b = 1", "! line 1: syntax error near \"=\""},
    {"(int)x = 1", "! line 1: syntax error near \"=\""},
    {"x = 5 `3", "! line 1: syntax error near \"`3; }\""},
    {"5x", "! line 1: syntax error near \"x; }\""},
    {"x = 0x", "! line 1: syntax error near \"x\""},
    {"1.5", "! line 1: floating-point constants are not permitted"},
    {"089", "! line 1: constant 089 contains invalid digit 8"},
    {"''", "! line 1: empty character constant"},
    {"'abcdefghi'", "! line 1: character constant is too long"},
    {"99999999999999999999", "! line 1: constant 99999999999999999999 results in integer overflow"},
    {"1)", "! line 1: extra ) in input stream"},
    {"a]", "! line 1: extra ] in input stream"},
    {"foo bar", "! line 1: syntax error near \"bar; }\""},
    {"x = (/ 3)", "! line 1: syntax error near \"/\""},
    {"$7", "! line 1: macro argument $7 is not defined"},
    {"$nosuch", "! line 1: macro variable $nosuch is not defined"},
    {"while (1)", "! line 1: syntax error near \"while\""},
    {"(nosuchtype_t)5", "! line 1: syntax error near \"5\""},
    {"x = 1 @ 2", "! line 1: syntax error near \"@\""},
    {"\"a\" \"b\"", "! line 1: syntax error near \"\"b\"\""},
};

static void test_expressions(void) {
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        char source[512], expected[512];
        snprintf(source, sizeof source, "BEGIN { %s; }", expressions[i].source);
        if (*expressions[i].tree == '!')
            snprintf(expected, sizeof expected, "%s", expressions[i].tree);
        else
            snprintf(expected, sizeof expected, "(clause :::BEGIN (do %s))", expressions[i].tree);
        expect(source, 's', expected);
    }
}

/* --- programs --- */

static const struct {
    char kind;
    const char *source, *tree;
} programs[] = {
    {'s', "BEGIN { }", "(clause :::BEGIN)"},
    {'s', "BEGIN { ; ; x;; }", "(clause :::BEGIN (do x))"},
    {'s', "a:b:c:d, e:f, g { }", "(clause a:b:c:d ::e:f :::g)"},
    {'s', "python$target:::function-entry /arg0 == 1/ { x }",
     "(clause python24601:::function-entry / (== arg0 1) (do x))"},
    {'s', "tick-$1ms, py*[a-z]?n:!x:: { }", "(clause :::tick-42ms py*[a-z]?n:!x::)"},
    {'s', "12, 1 { }", "(clause 12 dtrace:::BEGIN)"},
    {'s', "BEGIN { uint8_t = 1; x = uint8_t; }", "(clause :::BEGIN (do (= uint8_t 1)) (do (= x uint8_t)))"},
    {'s', "BEGIN { x.if }", "(clause :::BEGIN (do (. if x)))"},
    {'s', "BEGIN; END { }", "! line 1: syntax error near \";\""},
    {'s', "BEGIN /x / 2/ { } END /1 /* c */ / // d\n { }", "(clause :::BEGIN / (/ x 2)) (clause :::END / 1)"},
    {'s', "int x BEGIN { }", "! line 1: syntax error near \"BEGIN { }\""},
    {'s', "BEGIN { int x; }", "! line 1: syntax error near \"int\""},
    {'s', "int x;\n", "! line 2: empty D program translation unit"},
    {'s', "#!/usr/sbin/dtrace -s\n/* a\n*/ BEGIN { x = ; }", "! line 3: syntax error near \";\""},
    {'s', "# 50 \"file.d\"\nBEGIN { x = ; }", "! \"file.d\", line 50: syntax error near \";\""},
    {'s', "#pragma once\nBEGIN { }", "(clause :::BEGIN)"},
    {'s', "#pragma D depends_on library io\nBEGIN { }",
     "! line 1: main program may not explicitly depend on a library"},
    {'s', "#pragma D binding \"1.0\" x\nBEGIN { }", "! line 1: unused #pragma binding"},
    {'s', "#pragma D attributes Stabel x\nint x;",
     "! line 1: invalid attributes specified by #pragma attributes"},
    {'s', "#error one two\n", "! line 1: #error: one two "},
    {'s', "#define X\nBEGIN { }", "! line 1: invalid control directive: #define"},
    {'s', "#pragma D nosuch\n", "! line 1: invalid D pragma: nosuch"},
    {'s', "BEGIN { x # y }", "! line 1: syntax error near \"#\""},
    {'s', "", "! line 1: empty D program translation unit"},
    {'s', "/* nothing */\n", "! line 2: empty D program translation unit"},
    {'s', "BEGIN // { }\n", "! line 1: expected predicate and/or actions following probe description"},
    {'s', "BEGIN {\n", "! line 2: syntax error near end of input"},
    {'s', "/* never\n closed\n", "! line 3: end-of-file encountered before matching */"},
    {'s', "BEGIN { \"oops); }\n", "! line 2: newline encountered in string literal"},
    {'s', "BEGIN { 'a; }\n", "! line 2: newline encountered in character constant"},
    {'s', "BEGIN /1 { }", "! line 1: syntax error near \"{\""},
    {'s', "BEGIN /(1/ { }", "! line 1: closing ) expected in predicate before /"},
    {'s', "BEGIN /x[1/ { }", "! line 1: closing ] expected in predicate before /"},
    {'s', "BEGIN /1/\n", "! line 2: syntax error near end-of-input"},
    {'s', "BEGIN, { }", "! line 1: syntax error near \"{\""},
    {'s', "{ }", "! line 1: syntax error near \"{\""},
    {'s', "a:b:c:d:e { }",
     "! line 1: invalid probe description \"a:b:c:d:e\": Overspecified probe description"},
    {'s', "BEGIN$nosuch { }",
     "! line 1: invalid probe description \"BEGIN$nosuch\": Undefined macro variable in probe description"},
    {'s', "BEGIN { x = 1\n\ny; }", "! line 3: syntax error near \"y; }\""},
    {'n', "BEGIN", "(clause default :::BEGIN)"},
    {'n', "", "! empty D program translation unit"},
    {'n', "BEGIN { f(\"hi\" }", "! syntax error near \"}\""},
    {'n', "int* { }", "(clause :::int*)"},
    {'P', "python", "(clause default python:::)"},
    {'P', "a:b", "! invalid probe description \"a:b\": Overspecified probe description"},
    {'m', "a:b", "(clause default a:b::)"},
    {'f', "b:c /1/ { x }", "(clause :b:c: / 1 (do x))"},
};

static void test_programs(void) {
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        expect(programs[i].source, programs[i].kind, programs[i].tree);
}

/* --- declarations, each before a clause --- */

static const struct {
    const char *source, *tree;
} declarations[] = {
    {"#pragma D attributes Stable/Stable/Common x\nint x;", "(pragma attributes) (declare x <int>)"},
    {"int x, *y; self string z;", "(declare x <int>) (declare y <int *>) (declare self->z <string>)"},
    {"int*x;", "(declare x <int *>)"},
    {"uint8_t*x;", "(declare x <uint8_t *>)"},
    {"int a[int, string], b[3][4];",
     "(declare a <int> (type <int>) (type <string>)) (declare b <int [3][4]>)"},
    {"char *(*f)(int, char *x);", "(declare f <char *(*)()>)"},
    {"const char *p; char *const q; unsigned x; long long int y; short unsigned z;",
     "(declare p <const char *>) (declare q <char *const>) (declare x <unsigned int>) (declare y <long "
     "long>) "
     "(declare z <unsigned short>)"},
    {"typedef struct s { int a; struct s *next; } s_t; s_t v; this struct s *w;",
     "(declare v <s_t>) (declare this->w <struct s *>)"},
    {"enum e { A, B = 10, C = B << 1 }; int x[C + 1]; enum e y;",
     "(declare x <int [21]>) (declare y <enum e>)"},
    {"inline int N = 5; inline int f[int a, string b] = a;",
     "(inline N <int> 5) (inline f <int> a (declare a <int>) (declare b <string>))"},
    {"translator pid_t < uid_t *U > { x = U->y; z = 1; };",
     "(translator U <pid_t> <uid_t *> (member x (-> y U)) (member z 1))"},
    {"provider p { probe a__b(int, char *); probe c() : (string); };",
     "(provider p (probe a__b (declare <int>) (declare <char *>)) (probe c (declare <string>)))"},
    {"extern int x;", "(declare x <int>)"},
    {"unsigned float x;",
     "! line 1: invalid type declaration: signed and unsigned may only be used with integer type"},
    {"long long long x;", "! line 1: failed to resolve type long long long : Unknown type name"},
    {"int char x;", "! line 1: invalid type combination"},
    {"static int x;", "! line 1: specified storage class not appropriate in D"},
    {"self static int x;", "! line 1: only one storage class allowed in a declaration"},
    {"typedef int foo; int foo;", "! line 1: typedef identifier redeclared: foo"},
    {"typedef int foo; typedef int foo;", "! line 1: typedef redeclared: foo"},
    {"struct s { int a; int a; };",
     "! line 1: failed to define member 'a': Duplicate member, enumerator, or variable name."},
    {"struct s { int a; }; struct s { int b; };", "! line 1: type redeclared: struct s"},
    {"struct s { int x:40; };", "! line 1: bit-field too big for type: x"},
    {"struct s { int x:0; };", "! line 1: positive integral constant expression expected as bit-field size"},
    {"struct s { float x:3; };", "! line 1: invalid type for bit-field: x"},
    {"struct s { void x; };", "! line 1: cannot have void member: x"},
    {"struct s { int a[int]; };", "! line 1: cannot have dynamic member: a"},
    {"struct s { };", "! line 1: syntax error near \"}\""},
    {"enum e { A, A };", "! line 1: identifier redeclared: A"},
    {"enum e { A = \"x\" };", "! line 1: enumerator 'A' must be assigned to an integral constant expression"},
    {"enum e { A = 99999999999 };", "! line 1: enumerator 'A' value overflows INT_MAX (2147483647)"},
    {"typedef struct { int a; } pair; pair p[sizeof (pair)];", "(declare p <pair [4]>)"},
    {"enum nosuch x;", "! line 1: incomplete struct/union/enum enum nosuch: x"},
    {"self int;", "! line 1: useless declaration"},
    {"struct s;", ""},
    {"self x;", "(declare self->x <int>)"},
    {"const x;", "! line 1: failed to resolve type : Unknown type name"},
    {"int x[];", "! line 1: array declaration requires array dimension or tuple signature: x"},
    {"int x[0];", "! line 1: positive integral constant expression or tuple signature expected as array "
                  "declaration subscript"},
    {"int a[int][int];", "! line 1: cannot declare array of associative arrays"},
    {"void x;", "! line 1: cannot have void object: x"},
    {"struct nosuch x;", "! line 1: incomplete struct/union/enum struct nosuch: x"},
    {"int x = 5;", "! line 1: syntax error near \"=\""},
};

static void test_declarations(void) {
    for (size_t i = 0; i < sizeof declarations / sizeof *declarations; i++) {
        char source[512], expected[512];
        bool fails = *declarations[i].tree == '!', leaves = *declarations[i].tree != '\0';
        snprintf(source, sizeof source, "%s BEGIN { }", declarations[i].source);
        snprintf(expected, sizeof expected, "%s%s%s", declarations[i].tree, leaves && !fails ? " " : "",
                 fails ? "" : "(clause :::BEGIN)");
        expect(source, 's', expected);
    }
}

/* What a hostile text may do to the stack: brackets, operators, pointers without end. */
static void test_depth(void) {
    static const struct {
        const char *begin, *part, *expected;
    } texts[] = {
        {"BEGIN { ", "(", "! line 1: expression is nested too deeply"},
        {"BEGIN { x", "[1", "! line 1: expression is nested too deeply"},
        {"BEGIN { ", "- ", "! line 1: expression is nested too deeply"},
        {"BEGIN { ", "(int)", "! line 1: expression is nested too deeply"},
        {"BEGIN { 1", "+1", "! line 1: expression is nested too deeply"},
        {"BEGIN { x", "++", "! line 1: expression is nested too deeply"},
        {"BEGIN { x", "? 1 : 2", "! line 1: expression is nested too deeply"},
        {"BEGIN { x", "= x ", "! line 1: expression is nested too deeply"},
        {"int ", "(", "! line 1: expression is nested too deeply"},
        {"int x", "[1][", NULL},
        {"struct { ", "struct { ", "! line 1: expression is nested too deeply"},
        {"int ", "*", NULL},
    };
    enum { COUNT = 20000 };
    static struct text text;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t begin = strlen(texts[i].begin), part = strlen(texts[i].part);
        char *source = malloc(begin + COUNT * part + 1);
        if (!source)
            abort();
        memcpy(source, texts[i].begin, begin);
        for (size_t j = 0; j < COUNT; j++)
            memcpy(source + begin + j * part, texts[i].part, part);
        source[begin + COUNT * part] = '\0';
        parse_text(source, 's', &text);
        CHECK_OF(text.bytes[0] == '!', source);
        if (texts[i].expected)
            CHECK_OF(strcmp(text.bytes, texts[i].expected) == 0, text.bytes);
        free(source);
    }
}

/* --- layouts, against the compiler's --- */

static size_t size_of(const char *declaration, const char *name) {
    char source[512];
    static struct text text;
    snprintf(source, sizeof source, "%s int x[sizeof (%s)]; BEGIN { }", declaration, name);
    parse_text(source, 's', &text);
    const char *at = strchr(text.bytes, '[');
    return at ? strtoul(at + 1, NULL, 10) : 0;
}

/* As DTrace 2.0.7 has them: a bit-field has bytes of its own, and nothing is behind the last member. */
static void test_layouts(void) {
    CHECK_OF(size_of("struct fields { int a:3; int b:7; char c; int d:9; long e:33; short f:4; char g[3]; };",
                     "struct fields") == 17,
             "struct");
    CHECK_OF(size_of("union mixed { int a; char b[7]; short c:5; };", "union mixed") == 7, "union");
    CHECK_OF(size_of("struct inner { int a; struct { long b; char c; } d; char e; };", "struct inner") == 18,
             "struct in a struct");
    CHECK_OF(size_of("", "void *") == sizeof(void *), "pointer");
    CHECK_OF(size_of("struct p { char a; int :0; char b; };", "struct p") == 2, "padding of no bits");
    CHECK_OF(size_of("struct p { char a; int :3; char b; };", "struct p") == 3, "padding");
}

/* Names of types, as the prototypes of the tables write them. */
static void test_names(void) {
    struct memory memory;
    jmp_buf exhausted;
    char text[64];
    memory_init(&memory, &exhausted);
    if (setjmp(exhausted) == 0) {
        struct types *types = types_new(&memory, 256);
        CHECK_OF(type_is_text(type_named(types, "char *")), "char *");
        CHECK_OF(type_is_text(type_named(types, "int8_t *")), "int8_t *");
        CHECK_OF(type_is_text(type_named(types, "uint8_t *")), "uint8_t *");
        CHECK_OF(!type_is_text(type_named(types, "int16_t *")), "int16_t *");
        CHECK_OF(type_named(types, "nosuch_t") == NULL, "nosuch_t");
        CHECK_OF(type_named(types, "struct nosuch *") == NULL, "struct nosuch *");
        CHECK_OF(strcmp(type_print(type_named(types, "const char *"), text, sizeof text), "const char *") ==
                     0,
                 text);
        CHECK_OF(type_same(type_named(types, "uint32_t *"), type_named(types, "unsigned int *")), "same");
        CHECK_OF(!type_same(type_named(types, "int"), type_named(types, "unsigned int")), "sign");
        CHECK_OF(strcmp(type_of_constant(types, 4294967295U, true, "")->name, "long") == 0, "decimal");
        CHECK_OF(strcmp(type_of_constant(types, 4294967295U, false, "")->name, "unsigned int") == 0, "hex");
        CHECK_OF(strcmp(type_of_constant(types, 1, true, "ul")->name, "unsigned long") == 0, "suffix");
    }
    memory_free(&memory);
}

int main(void) {
    test_expressions();
    test_programs();
    test_declarations();
    test_depth();
    test_layouts();
    test_names();
    return failures > 0;
}
