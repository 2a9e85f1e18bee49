/*
 * format.h: the format strings of printf and printa, taken apart once: dlang checks arguments by the parts,
 * the consumer prints by them. The conversions are a table.
 */
#ifndef PROGRAM_FORMAT_H
#define PROGRAM_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a conversion prints its value. */
enum conversion_class {
    CONVERSION_NONE,           /* %% */
    CONVERSION_DECIMAL,        /* d i and kin: signed or not, as the argument's type is */
    CONVERSION_UNSIGNED,       /* u and kin */
    CONVERSION_OCTAL,          /* o and kin */
    CONVERSION_HEX,            /* x p and kin */
    CONVERSION_HEX_UPPER,      /* X and kin */
    CONVERSION_CHARACTER,      /* c */
    CONVERSION_WIDE_CHARACTER, /* wc lc: as UTF-8 */
    CONVERSION_ESCAPED_CHAR,   /* C: escaped unless printable */
    CONVERSION_STRING,         /* s */
    CONVERSION_WIDE_STRING,    /* ws ls: bytes of 4-byte characters, as UTF-8 */
    CONVERSION_ESCAPED_STRING, /* S */
    CONVERSION_FLOAT,          /* e f g and kin: the last letter of the name says which */
    CONVERSION_TIME,           /* Y: nanoseconds since 1970 as "2007 Sep 17 03:33:20" */
    CONVERSION_TIME_MAIL,      /* T: the same as RFC 822 has it */
    CONVERSION_STACK,          /* k */
    CONVERSION_ADDRESS,        /* a A */
};

/* What a conversion demands of its argument, for dlang's check. */
enum conversion_takes {
    TAKES_NOTHING,     /* %% has no argument */
    TAKES_INTEGER,     /* any integer or enumeration */
    TAKES_CHARACTER,   /* an integer of at most the size of an int */
    TAKES_TYPE,        /* an integer or a float of the size and the sign of the type that `prototype` names */
    TAKES_SHORT,       /* short or unsigned short */
    TAKES_LONG,        /* long or unsigned long */
    TAKES_LONG_LONG,   /* [unsigned] long long, or a type that comes from [u]int64_t */
    TAKES_STRING,      /* a string or an array of char */
    TAKES_WIDE_STRING, /* an array of wchar_t */
    TAKES_FLOAT,       /* any floating type */
    TAKES_ADDRESS,     /* a pointer or any integer */
    TAKES_USER_ADDRESS, /* the same where there is a -p or -c; else only what usym, umod, uaddr return */
    TAKES_STACK,        /* what stack, ustack, jstack return */
    TAKES_TIME,         /* an integer of 8 bytes */
};

struct conversion {
    const char *name;      /* "d", "lld", "s", ... as after the flags */
    const char *prototype; /* DTrace's words for what it takes: "char, short, int, long, or long long" */
    enum conversion_class class;
    enum conversion_takes takes;
};

/* One piece: literal text, or one conversion with its flags. */
struct format_part {
    const char *text;                                 /* literal; borrowed from the format string */
    size_t text_length;                               /* bytes; 0 for a conversion */
    const struct conversion *conversion;              /* NULL for text */
    int width, precision;                             /* -1: none given */
    bool dynamic_width;                               /* '*': an int argument comes before the value */
    bool dynamic_precision;                           /* '.*' */
    bool left, plus, space, alternate, zero, grouped; /* - + blank # 0 ' */
    bool aggregation;                                 /* '@': the aggregation's value, in printa */
};

struct format {
    struct format_part *parts; /* owned */
    size_t count;
};

/* Takes `text` (which must outlive the result) apart, escapes already replaced. False: a line in `problem`,
   in DTrace's words ("format conversion #1 is undefined: %q"). The caller calls format_free in both cases. */
bool format_parse(struct format *format, const char *text, char *problem, size_t n);
void format_free(struct format *format);

#endif
