/*
 * declare.c: declarations: C's, with associative arrays, self and this, inlines, translators and providers.
 */
#include "constants.h"
#include "parser.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What stands around a name in a declaration, in the order in which it is applied to the type on its left. */
struct modifier {
    enum { MODIFIER_POINTER, MODIFIER_ARRAY, MODIFIER_KEYS, MODIFIER_FUNCTION } kind;
    struct modifier *next;
    size_t count;                            /* ARRAY; 0 for [] */
    struct node *list;                       /* KEYS: NODE_DECLARATIONs; FUNCTION */
    bool is_const, is_volatile, is_restrict; /* POINTER */
};

/* Whether a declarator must have a name, may, or must not. */
enum naming { NAMED, NAMED_OR_ABSTRACT, ABSTRACT };

struct declarator {
    const char *name; /* NULL: abstract */
    struct token token;
    struct modifier *modifiers;
};

/* The words before the first name of a declaration. */
struct specifiers {
    int storage; /* KEYWORD_TYPEDEF, _EXTERN, _STATIC, _AUTO, _REGISTER; 0: none */
    enum node_scope scope;
    bool is_scoped;          /* self or this was said */
    const struct type *type; /* when it is complete in one word: a typedef, struct, union, enum */
    int base;                /* KEYWORD_INT, _CHAR, _VOID, ...; 0: none */
    bool is_signed, is_unsigned;
    unsigned longs;
    bool is_short;
    bool is_const, is_volatile, is_restrict;
    bool has_tag; /* a struct, union or enum */
};

/* What a word does in a declaration. */
enum role {
    ROLE_STORAGE,
    ROLE_SCOPE,
    ROLE_QUALIFIER,
    ROLE_SIGN,
    ROLE_LENGTH,
    ROLE_BASE,
    ROLE_TAG,
    ROLE_MODEL
};

static const struct {
    int keyword;
    enum role role;
} words[] = {
    {KEYWORD_TYPEDEF, ROLE_STORAGE},    {KEYWORD_EXTERN, ROLE_STORAGE},   {KEYWORD_STATIC, ROLE_STORAGE},
    {KEYWORD_AUTO, ROLE_STORAGE},       {KEYWORD_REGISTER, ROLE_STORAGE}, {KEYWORD_SELF, ROLE_SCOPE},
    {KEYWORD_THIS, ROLE_SCOPE},         {KEYWORD_CONST, ROLE_QUALIFIER},  {KEYWORD_VOLATILE, ROLE_QUALIFIER},
    {KEYWORD_RESTRICT, ROLE_QUALIFIER}, {KEYWORD_SIGNED, ROLE_SIGN},      {KEYWORD_UNSIGNED, ROLE_SIGN},
    {KEYWORD_SHORT, ROLE_LENGTH},       {KEYWORD_LONG, ROLE_LENGTH},      {KEYWORD_VOID, ROLE_BASE},
    {KEYWORD_CHAR, ROLE_BASE},          {KEYWORD_INT, ROLE_BASE},         {KEYWORD_FLOAT, ROLE_BASE},
    {KEYWORD_DOUBLE, ROLE_BASE},        {KEYWORD_STRING, ROLE_BASE},      {KEYWORD_STRUCT, ROLE_TAG},
    {KEYWORD_UNION, ROLE_TAG},          {KEYWORD_ENUM, ROLE_TAG},         {KEYWORD_USERLAND, ROLE_MODEL},
};

static bool role_of(int kind, enum role *role) {
    if (kind == TOKEN_TYPE_NAME) {
        *role = ROLE_BASE;
        return true;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].keyword == kind) {
            *role = words[i].role;
            return true;
        }
    return false;
}

bool parser_at_type(struct parser *parser) {
    enum role role;
    return role_of(parser_peek(parser), &role) && role != ROLE_STORAGE && role != ROLE_SCOPE;
}

static _Noreturn void fail(struct parser *parser, const char *what) {
    lexer_fail(&parser->lexer, "%s", what);
}

/* Has the type been named? Words such as "unsigned" qualify a name that may still come. */
static bool has_type(const struct specifiers *specifiers) {
    return specifiers->type || specifiers->base;
}

/* --- structs, unions, enums --- */

static struct specifiers parse_specifiers(struct parser *parser, bool storage_allowed);
static const struct type *complete_specifiers(struct parser *parser, const struct specifiers *specifiers);
static struct declarator parse_declarator(struct parser *parser, enum naming naming);
static const struct type *apply(struct parser *parser, const struct type *type,
                                const struct declarator *declarator, struct node **keys);

struct members {
    struct type_member *entries;
    size_t count, room;
};

static void add_member(struct parser *parser, struct members *members, const struct type_member *member) {
    for (size_t i = 0; member->name && i < members->count; i++)
        if (members->entries[i].name && strcmp(members->entries[i].name, member->name) == 0)
            lexer_fail(&parser->lexer,
                       "failed to define member '%s': Duplicate member, enumerator, or variable name.",
                       member->name);
    if (members->count == members->room) {
        members->room = members->room ? 2 * members->room : 8;
        struct type_member *entries = memory_allocate(parser->memory, members->room * sizeof *entries);
        if (members->count)
            memcpy(entries, members->entries, members->count * sizeof *entries);
        members->entries = entries;
    }
    members->entries[members->count++] = *member;
}

static unsigned parse_bits(struct parser *parser, const struct type *type, const char *name) {
    struct node *size = parse_conditional(parser);
    int64_t bits;
    if (size->kind == NODE_NAME && !node_constant_value(parser->types, size, &bits))
        lexer_fail(&parser->lexer, "failed to resolve %s: Unknown variable name", size->text);
    if (!node_constant_value(parser->types, size, &bits) || bits < 0 || (bits == 0 && name))
        fail(parser, "positive integral constant expression expected as bit-field size");
    if (type_resolve(type)->kind != TYPE_INTEGER)
        lexer_fail(&parser->lexer, "invalid type for bit-field: %s", name ? name : "(anon)");
    if ((uint64_t)bits > type_resolve(type)->size * 8)
        lexer_fail(&parser->lexer, "bit-field too big for type: %s", name ? name : "(anon)");
    return (unsigned)bits;
}

/* A variable or a member must have a size. */
static void check_complete(struct parser *parser, const struct type *type, const char *what,
                           const char *name) {
    const struct type *resolved = type_resolve(type);
    if (resolved->kind == TYPE_FORWARD)
        lexer_fail(&parser->lexer, "incomplete struct/union/enum %s: %s", resolved->name, name);
    if (resolved->kind == TYPE_VOID || (resolved->kind == TYPE_ARRAY && resolved->size == 0))
        lexer_fail(&parser->lexer, "cannot have void %s: %s", what, name);
}

/* A function is no object, and may be declared; but it is no member. */
static void check_member(struct parser *parser, const struct type *type, const char *name) {
    check_complete(parser, type, "member", name);
    if (type_resolve(type)->kind == TYPE_FUNCTION)
        lexer_fail(&parser->lexer, "cannot have void member: %s", name);
}

static void parse_members_of(struct parser *parser, struct members *members) {
    struct specifiers specifiers = parse_specifiers(parser, false);
    const struct type *base = complete_specifiers(parser, &specifiers);
    do {
        struct type_member member = {.type = base};
        if (parser_peek(parser) != ':') {
            struct declarator declarator = parse_declarator(parser, NAMED);
            struct node *keys = NULL;
            member.type = apply(parser, base, &declarator, &keys);
            member.name = declarator.name;
            if (keys)
                lexer_fail(&parser->lexer, "cannot have dynamic member: %s", member.name);
        }
        if (parser_accept(parser, ':')) {
            member.bits = parse_bits(parser, member.type, member.name);
        } else {
            check_member(parser, member.type, member.name);
        }
        if (member.type->size > INT_MAX)
            fail(parser, "struct or union member is too large");
        add_member(parser, members, &member);
    } while (parser_accept(parser, ','));
    parser_expect(parser, ';');
}

/* The name of a struct, union or enum may be that of a type, but no keyword. */
static const char *parse_tag(struct parser *parser) {
    int kind = parser_peek(parser);
    if (kind != TOKEN_NAME && kind != TOKEN_TYPE_NAME)
        parser_syntax_error(parser);
    return parser_take(parser).text;
}

static const struct type *parse_struct(struct parser *parser, enum type_kind kind) {
    const char *tag = NULL;
    if (parser_peek(parser) != '{')
        tag = parse_tag(parser);
    if (!tag || parser_peek(parser) == '{') {
        struct members members = {0};
        const struct type *forward = type_declare_tag(parser->types, kind, tag);
        if (forward->kind != TYPE_FORWARD)
            lexer_fail(&parser->lexer, "type redeclared: %s", forward->name);
        parser_enter(parser);
        parser_expect(parser, '{');
        do {
            parse_members_of(parser, &members);
        } while (parser_peek(parser) != '}');
        parser_take(parser);
        parser_leave(parser);
        const struct type *type = type_complete(parser->types, forward, kind, members.entries, members.count);
        if (!type)
            lexer_fail(&parser->lexer, "type redeclared: %s", forward->name);
        return type;
    }
    return type_declare_tag(parser->types, kind, tag);
}

/* What comes after it without a value of its own is not looked at. */
static int64_t parse_enumerator_value(struct parser *parser, const char *name) {
    int64_t value;
    if (!node_constant_value(parser->types, parse_conditional(parser), &value))
        lexer_fail(&parser->lexer, "enumerator '%s' must be assigned to an integral constant expression",
                   name);
    if (value < INT_MIN || value > INT_MAX)
        lexer_fail(&parser->lexer, "enumerator '%s' value overflows INT_MAX (%d)", name, INT_MAX);
    return value;
}

static const struct type *parse_enumerators(struct parser *parser, const char *tag) {
    int64_t value = 0;
    const struct type *type = type_define_enum(parser->types, tag);
    if (!type)
        lexer_fail(&parser->lexer, "type redeclared: enum %s", tag);
    do {
        struct token name = parser_expect(parser, TOKEN_NAME);
        if (parser_accept(parser, '='))
            value = parse_enumerator_value(parser, name.text);
        int64_t known;
        if (lexer_is_taken(&parser->lexer, name.text) || constant_named(name.text, &known) ||
            !type_define_enumerator(parser->types, type, name.text, (int)value))
            lexer_fail(&parser->lexer, "identifier redeclared: %s", name.text);
        lexer_know(&parser->lexer, name.text);
        value++;
    } while (parser_accept(parser, ',') && parser_peek(parser) != '}');
    parser_expect(parser, '}');
    return type;
}

static const struct type *parse_enum(struct parser *parser) {
    const char *tag = NULL;
    if (parser_peek(parser) != '{')
        tag = parse_tag(parser);
    if (!tag || parser_peek(parser) == '{') {
        parser_expect(parser, '{');
        return parse_enumerators(parser, tag);
    }
    return type_declare_tag(parser->types, TYPE_ENUM, tag);
}

/* --- specifiers --- */

static void take_tag(struct parser *parser, struct specifiers *specifiers, int keyword) {
    specifiers->type = keyword == KEYWORD_ENUM
                           ? parse_enum(parser)
                           : parse_struct(parser, keyword == KEYWORD_STRUCT ? TYPE_STRUCT : TYPE_UNION);
}

static void take_qualifier(struct specifiers *specifiers, int keyword) {
    specifiers->is_const |= keyword == KEYWORD_CONST;
    specifiers->is_volatile |= keyword == KEYWORD_VOLATILE;
    specifiers->is_restrict |= keyword == KEYWORD_RESTRICT;
}

static void take_storage(struct parser *parser, struct specifiers *specifiers, int keyword) {
    if (specifiers->storage || specifiers->is_scoped)
        fail(parser, "only one storage class allowed in a declaration");
    specifiers->storage = keyword;
}

static void take_length(struct specifiers *specifiers, int keyword) {
    specifiers->is_short |= keyword == KEYWORD_SHORT;
    specifiers->longs += keyword == KEYWORD_LONG && specifiers->longs < 3;
}

static void take_sign(struct specifiers *specifiers, int keyword) {
    specifiers->is_signed |= keyword == KEYWORD_SIGNED;
    specifiers->is_unsigned |= keyword == KEYWORD_UNSIGNED;
}

static void take_base(struct parser *parser, struct specifiers *specifiers, const struct token *token) {
    if (specifiers->base || specifiers->type)
        fail(parser, "invalid type combination");
    if (token->kind == TOKEN_TYPE_NAME)
        specifiers->type = type_named(parser->types, token->text);
    else
        specifiers->base = token->kind;
}

static struct specifiers parse_specifiers(struct parser *parser, bool storage_allowed) {
    struct specifiers specifiers = {0};
    enum role role;
    for (bool any = false;; any = true) {
        int kind = parser_peek(parser);
        bool is_word = role_of(kind, &role);
        if (is_word && (role == ROLE_STORAGE || role == ROLE_SCOPE) && !storage_allowed)
            parser_syntax_error(parser);
        if (kind == TOKEN_TYPE_NAME && has_type(&specifiers))
            is_word = false; /* the name of what is declared */
        if (!is_word && !any)
            parser_syntax_error(parser);
        if (!is_word)
            return specifiers;
        struct token token = parser_take(parser);
        switch (role) {
        case ROLE_STORAGE:
            take_storage(parser, &specifiers, kind);
            break;
        case ROLE_SCOPE:
            if (specifiers.storage || specifiers.is_scoped)
                fail(parser, "only one storage class allowed in a declaration");
            specifiers.scope = kind == KEYWORD_SELF ? NODE_THREAD : NODE_LOCAL;
            specifiers.is_scoped = true;
            break;
        case ROLE_QUALIFIER:
            take_qualifier(&specifiers, kind);
            break;
        case ROLE_SIGN:
            take_sign(&specifiers, kind);
            break;
        case ROLE_LENGTH:
            take_length(&specifiers, kind);
            break;
        case ROLE_BASE:
            take_base(parser, &specifiers, &token);
            break;
        case ROLE_TAG:
            if (specifiers.type || specifiers.base)
                fail(parser, "invalid type combination");
            specifiers.has_tag = true;
            take_tag(parser, &specifiers, kind);
            break;
        case ROLE_MODEL: /* there is but one data model here */
            break;
        }
    }
}

/* Words that do not go together. */
static void check_words(struct parser *parser, const struct specifiers *specifiers) {
    int base = specifiers->base;
    bool has_length = specifiers->is_short || specifiers->longs > 0;
    bool has_sign = specifiers->is_signed || specifiers->is_unsigned;
    bool is_real = base == KEYWORD_FLOAT || base == KEYWORD_DOUBLE;
    bool is_integer = !specifiers->type && !is_real && base != KEYWORD_STRING;
    if (base == KEYWORD_CHAR && has_length)
        fail(parser, "invalid type declaration: short and long may not be used with char type");
    if (base == KEYWORD_VOID && (has_length || has_sign))
        fail(parser, "invalid type declaration: attributes may not be used with void type");
    if (has_sign && !is_integer)
        fail(parser, "invalid type declaration: signed and unsigned may only be used with integer type");
    if (specifiers->longs > 0 && !is_integer && !is_real)
        fail(parser, "invalid type declaration: long and long long may only be used with integer or "
                     "floating-point type");
}

/* The words in DTrace's order, with `base` behind them. */
static const char *words_of(struct parser *parser, const struct specifiers *specifiers, const char *base) {
    static const char *const lengths[] = {"", "long ", "long long ", "long long long "};
    return memory_print(parser->memory, "%s%s%s%s%s", specifiers->is_signed ? "signed " : "",
                        specifiers->is_unsigned ? "unsigned " : "", specifiers->is_short ? "short " : "",
                        lengths[specifiers->longs], base);
}

/* Several words for one type, and the name that it goes by. */
static const struct {
    const char *words, *name;
} synonyms[] = {
    {"signed int", "int"},
    {"signed ", "int"},
    {"unsigned ", "unsigned int"},
    {"short ", "short"},
    {"signed short ", "short"},
    {"unsigned short ", "unsigned short"},
    {"short int", "short"},
    {"signed short int", "short"},
    {"unsigned short int", "unsigned short"},
    {"long ", "long"},
    {"signed long ", "long"},
    {"unsigned long ", "unsigned long"},
    {"long int", "long"},
    {"signed long int", "long"},
    {"unsigned long int", "unsigned long"},
    {"long long ", "long long"},
    {"signed long long ", "long long"},
    {"unsigned long long ", "unsigned long long"},
    {"long long int", "long long"},
    {"signed long long int", "long long"},
    {"unsigned long long int", "unsigned long long"},
};

static const struct type *complete_specifiers(struct parser *parser, const struct specifiers *specifiers) {
    const struct type *type = specifiers->type;
    check_words(parser, specifiers);
    if (!type) {
        const char *name = words_of(parser, specifiers, specifiers->base ? token_text(specifiers->base) : "");
        for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
            if (strcmp(synonyms[i].words, name) == 0)
                name = synonyms[i].name;
        bool is_qualified = specifiers->is_const || specifiers->is_volatile || specifiers->is_restrict;
        type = type_named(parser->types, *name || is_qualified ? name : "int");
        if (!type)
            lexer_fail(&parser->lexer, "failed to resolve type %s: Unknown type name", name);
    }
    return type_qualified(parser->types, type, specifiers->is_const, specifiers->is_volatile,
                          specifiers->is_restrict);
}

/* --- declarators --- */

static struct modifier *modifier(struct parser *parser, int kind) {
    struct modifier *made = memory_allocate(parser->memory, sizeof *made);
    made->kind = kind;
    return made;
}

/* Types with or without names, behind '(' or '[', up to the closing bracket, which stays. */
static struct node *parse_parameters(struct parser *parser) {
    struct node *first = NULL, **last = &first;
    do {
        struct token begin = {0};
        struct node *parameter, *keys = NULL;
        if (parser_peek(parser) == TOKEN_ELLIPSIS)
            break;
        begin = parser->token;
        struct specifiers specifiers = parse_specifiers(parser, true);
        if (specifiers.storage && specifiers.storage != KEYWORD_REGISTER)
            fail(parser, "inappropriate storage class for function or associative array parameter");
        const struct type *type = complete_specifiers(parser, &specifiers);
        struct declarator declarator = parse_declarator(parser, NAMED_OR_ABSTRACT);
        type = apply(parser, type, &declarator, &keys);
        if (keys)
            fail(parser, "associative arrays may not be used as parameters");
        parameter = parser_node(parser, NODE_DECLARATION, &begin);
        parameter->type = type;
        parameter->text = declarator.name ? declarator.name : "";
        *last = parameter;
        last = &parameter->next;
    } while (parser_accept(parser, ','));
    return first;
}

/* `prototype`: "function" or "array". */
static void check_names(struct parser *parser, const struct node *parameters, const char *prototype) {
    unsigned number = 0;
    for (const struct node *each = parameters; each; each = each->next) {
        number++;
        for (const struct node *other = parameters; other != each; other = other->next)
            if (*each->text && strcmp(each->text, other->text) == 0)
                lexer_fail(&parser->lexer, "parameter is already declared in %s prototype: %s, parameter #%u",
                           prototype, each->text, number);
    }
}

/* (void), but not (int, void). */
static void check_parameters(struct parser *parser, const struct node *parameters) {
    check_names(parser, parameters, "function");
    for (const struct node *each = parameters; each; each = each->next) {
        if (type_resolve(each->type)->kind != TYPE_VOID)
            continue;
        if (parameters->next)
            fail(parser, "void must be sole parameter");
        if (*each->text)
            lexer_fail(&parser->lexer, "void parameter may not have a name: %s", each->text);
    }
}

/* The types of keys, perhaps with names, up to the bracket. */
static void check_keys(struct parser *parser, const struct node *keys) {
    unsigned number = 0;
    if (parser_peek(parser) == TOKEN_ELLIPSIS || !keys)
        fail(parser, "array prototype may not use a variable-length argument list");
    check_names(parser, keys, "array");
    for (const struct node *key = keys; key; key = key->next) {
        number++;
        if (type_resolve(key->type)->kind == TYPE_VOID)
            lexer_fail(&parser->lexer,
                       "array prototype may not use parameter of type void: %s, parameter #%u",
                       *key->text ? key->text : "(anonymous)", number);
    }
}

/* What stands in brackets behind a name: nothing, a size, or the types of keys. */
static struct modifier *parse_brackets(struct parser *parser) {
    struct modifier *made = modifier(parser, MODIFIER_ARRAY);
    if (parser_at_type(parser) || parser_peek(parser) == TOKEN_ELLIPSIS) {
        made->kind = MODIFIER_KEYS;
        made->list = parse_parameters(parser);
        check_keys(parser, made->list);
    } else if (parser_peek(parser) != ']') {
        struct node *size = parse_conditional(parser);
        int64_t count;
        bool is_constant = node_constant_value(parser->types, size, &count);
        if (is_constant && count > UINT_MAX)
            fail(parser, "array dimension too big");
        if (!is_constant || count <= 0)
            fail(parser, "positive integral constant expression or tuple signature expected as array "
                         "declaration subscript");
        made->count = (size_t)count;
    }
    parser_expect(parser, ']');
    return made;
}

static struct modifier *parse_function(struct parser *parser) {
    struct modifier *made = modifier(parser, MODIFIER_FUNCTION);
    if (parser_peek(parser) != ')')
        made->list = parse_parameters(parser);
    check_parameters(parser, made->list);
    parser_accept(parser, TOKEN_ELLIPSIS);
    parser_expect(parser, ')');
    return made;
}

static struct modifier *append(struct modifier *first, struct modifier *second) {
    struct modifier **last = &first;
    while (*last)
        last = &(*last)->next;
    *last = second;
    return first;
}

static struct modifier *parse_pointers(struct parser *parser) {
    struct modifier *first = NULL, **last = &first;
    while (parser_accept(parser, '*')) {
        struct specifiers qualifiers = {0};
        enum role role;
        while (role_of(parser_peek(parser), &role) && role == ROLE_QUALIFIER)
            take_qualifier(&qualifiers, parser_take(parser).kind);
        *last = modifier(parser, MODIFIER_POINTER);
        (*last)->is_const = qualifiers.is_const;
        (*last)->is_volatile = qualifiers.is_volatile;
        (*last)->is_restrict = qualifiers.is_restrict;
        last = &(*last)->next;
    }
    return first;
}

/* Pointers first, then what follows the name from right to left, then what stands in parentheses. */
static struct declarator parse_declarator(struct parser *parser, enum naming naming) {
    struct declarator declarator = {0};
    struct modifier *suffixes = NULL, *inner = NULL;
    parser_enter(parser);
    struct modifier *pointers = parse_pointers(parser);
    int kind = parser_peek(parser);
    if (naming != ABSTRACT && (kind == TOKEN_NAME || kind == TOKEN_TYPE_NAME)) {
        declarator.token = parser_take(parser);
        declarator.name = declarator.token.text;
    } else if (kind == '(') {
        parser_take(parser);
        if (naming != NAMED && (parser_peek(parser) == ')' || parser_at_type(parser))) {
            suffixes = parse_function(parser);
        } else {
            declarator = parse_declarator(parser, naming);
            inner = declarator.modifiers;
            parser_expect(parser, ')');
        }
    } else if (naming == NAMED) {
        parser_syntax_error(parser);
    }
    for (;;) {
        struct modifier *suffix;
        if (parser_accept(parser, '['))
            suffix = parse_brackets(parser);
        else if (parser_accept(parser, '('))
            suffix = parse_function(parser);
        else
            break;
        suffix->next = suffixes;
        suffixes = suffix;
    }
    declarator.modifiers = append(append(pointers, suffixes), inner);
    parser_leave(parser);
    return declarator;
}

static const struct type *apply(struct parser *parser, const struct type *type,
                                const struct declarator *declarator, struct node **keys) {
    for (const struct modifier *at = declarator->modifiers; at; at = at->next) {
        if (*keys)
            fail(parser, "cannot declare array of associative arrays");
        switch (at->kind) {
        case MODIFIER_POINTER:
            type = type_pointer_to(parser->types, type);
            type = type_qualified(parser->types, type, at->is_const, at->is_volatile, at->is_restrict);
            break;
        case MODIFIER_ARRAY:
            if (type_resolve(type)->kind == TYPE_VOID)
                fail(parser, "cannot declare array of void");
            type = type_array_of(parser->types, type, at->count);
            break;
        case MODIFIER_KEYS:
            *keys = at->list;
            break;
        case MODIFIER_FUNCTION:
            type = type_function_of(parser->types, type);
            break;
        }
    }
    return type;
}

const struct type *parse_type_name(struct parser *parser) {
    struct specifiers specifiers = parse_specifiers(parser, false);
    const struct type *type = complete_specifiers(parser, &specifiers);
    struct declarator declarator = parse_declarator(parser, ABSTRACT);
    struct node *keys = NULL;
    type = apply(parser, type, &declarator, &keys);
    if (keys)
        fail(parser, "cannot use an associative array type here");
    return type;
}

/* --- declarations --- */

/* Keys as NODE_TYPEs. */
static struct node *keys_of(struct parser *parser, struct node *parameters) {
    (void)parser;
    for (struct node *key = parameters; key; key = key->next)
        key->kind = NODE_TYPE;
    return parameters;
}

static struct node *declare(struct parser *parser, const struct specifiers *specifiers,
                            const struct type *base, const struct token *begin) {
    struct declarator declarator = parse_declarator(parser, NAMED);
    struct node *keys = NULL;
    const struct type *type = apply(parser, base, &declarator, &keys);
    struct node *node = parser_node(parser, NODE_DECLARATION, begin);
    node->text = declarator.name;
    node->type = type;
    node->list = keys_of(parser, keys);
    node->scope = specifiers->scope;
    node->is_extern = specifiers->storage == KEYWORD_EXTERN;
    if (specifiers->storage != KEYWORD_TYPEDEF) {
        if (type->kind == TYPE_ARRAY && type->count == 0 && !node->is_extern)
            lexer_fail(&parser->lexer, "array declaration requires array dimension or tuple signature: %s",
                       declarator.name);
        if (!node->is_extern)
            check_complete(parser, type, "object", declarator.name);
        if (lexer_type(&parser->lexer, declarator.name) ||
            (specifiers->scope == NODE_GLOBAL &&
             type_enumerator_value(parser->types, declarator.name, &(int64_t){0}, NULL)))
            lexer_fail(&parser->lexer, "typedef identifier redeclared: %s", declarator.name);
        if (specifiers->scope == NODE_GLOBAL)
            lexer_know(&parser->lexer, declarator.name);
        return node;
    }
    if (lexer_is_taken(&parser->lexer, declarator.name))
        lexer_fail(&parser->lexer, "global variable identifier redeclared: %s", declarator.name);
    if (keys) /* no variable can be of this type, as in DTrace */
        type = type_inner(parser->types, TYPE_VOID);
    if (parser->lexer.file && type_is_own_alias(parser->types, declarator.name))
        type_replace_alias(parser->types, declarator.name, type); /* a header has C's own, not D's */
    else if (!type_define_alias(parser->types, declarator.name, type))
        lexer_fail(&parser->lexer, "typedef redeclared: %s", declarator.name);
    return NULL;
}

struct node *parse_declaration(struct parser *parser, struct token *begin) {
    struct node *first = NULL, **last = &first;
    struct specifiers specifiers = parse_specifiers(parser, true);
    if (specifiers.storage == KEYWORD_STATIC || specifiers.storage == KEYWORD_AUTO ||
        specifiers.storage == KEYWORD_REGISTER)
        fail(parser, "specified storage class not appropriate in D");
    const struct type *base = complete_specifiers(parser, &specifiers);
    if (parser_peek(parser) != ';') {
        do {
            *last = declare(parser, &specifiers, base, begin);
            if (*last)
                last = &(*last)->next;
        } while (parser_accept(parser, ','));
    } else if (!specifiers.has_tag) {
        fail(parser, "useless declaration");
    }
    parser_expect(parser, ';');
    return first;
}

/* An inline that is a number can be the size of an array, or an enumerator's value. */
static void define_constant(struct parser *parser, const struct node *node) {
    int64_t value;
    if (node_constant_value(parser->types, node->left, &value))
        type_define_constant(parser->types, node->text, value);
}

struct node *parse_inline(struct parser *parser) {
    struct token begin = parser->token;
    struct specifiers specifiers = parse_specifiers(parser, true);
    const struct type *base = complete_specifiers(parser, &specifiers);
    struct declarator declarator = parse_declarator(parser, NAMED);
    struct node *keys = NULL;
    struct node *node = parser_node(parser, NODE_INLINE, &begin);
    node->type = apply(parser, base, &declarator, &keys);
    node->text = declarator.name;
    node->list = keys;
    node->scope = specifiers.scope;
    lexer_know(&parser->lexer, declarator.name);
    parser_expect(parser, '=');
    node->left = parse_assignment(parser);
    parser_expect(parser, ';');
    if (!keys && type_is_integer(node->type))
        define_constant(parser, node);
    return node;
}

struct node *parse_translator(struct parser *parser) {
    struct node *node = parser_node(parser, NODE_TRANSLATOR, &parser->token);
    struct node **last = &node->list;
    node->type = parse_type_name(parser);
    parser_expect(parser, '<');
    struct specifiers specifiers = parse_specifiers(parser, false);
    const struct type *base = complete_specifiers(parser, &specifiers);
    struct declarator declarator = parse_declarator(parser, NAMED);
    struct node *keys = NULL;
    node->source_type = apply(parser, base, &declarator, &keys);
    node->text = declarator.name;
    if (keys)
        fail(parser, "cannot use an associative array type here");
    parser_expect(parser, '>');
    parser_expect(parser, '{');
    while (parser_peek(parser) != '}') {
        struct token begin = parser->token;
        const char *name = parser_member_name(parser);
        struct node *translation = parser_node(parser, NODE_TRANSLATION, &begin);
        translation->text = name;
        parser_expect(parser, '=');
        translation->left = parse_assignment(parser);
        parser_expect(parser, ';');
        *last = translation;
        last = &translation->next;
    }
    parser_expect(parser, '}');
    parser_expect(parser, ';');
    return node;
}

static struct node *parse_probe_parameters(struct parser *parser) {
    parser_expect(parser, '(');
    struct node *list = parser_peek(parser) == ')' ? NULL : parse_parameters(parser);
    parser_accept(parser, TOKEN_ELLIPSIS);
    parser_expect(parser, ')');
    return list;
}

struct node *parse_provider(struct parser *parser) {
    struct node *node = parser_node(parser, NODE_PROVIDER, &parser->token);
    struct node **last = &node->list;
    node->text = parser_expect(parser, TOKEN_NAME).text;
    parser_expect(parser, '{');
    while (parser_peek(parser) != '}') {
        struct token begin = parser_expect(parser, KEYWORD_PROBE);
        struct node *probe = parser_node(parser, NODE_PROBE, &begin);
        probe->text = parser_member_name(parser);
        probe->list = parse_probe_parameters(parser);
        if (parser_accept(parser, ':'))
            probe->right = parse_probe_parameters(parser);
        parser_expect(parser, ';');
        *last = probe;
        last = &probe->next;
    }
    parser_expect(parser, '}');
    parser_expect(parser, ';');
    return node;
}
