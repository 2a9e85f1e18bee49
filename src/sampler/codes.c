/*
 * codes.c: see codes.h.
 */
#include "hooks/compat.h"

#include "codes.h"

#include "engine/memory.h"

#include <string.h>

enum {
    CODES_MAX = 1 << 15,
    PLACES = CODES_MAX * 2,   /* of the hash table */
    TEXT_SIZE = 64 << 20,     /* address space, touched as it is needed */
    NAME_MAX_LENGTH = 1024,   /* characters of a name; what is longer is cut */
    LINES_MAX_SIZE = 1 << 20, /* bytes of a line table; a code object with more has no lines */
    IDENTITY_FROM = COMPAT_CODE_CONSTANT_FROM,
    IDENTITY_TO = COMPAT_CODE_CONSTANT_TO,
};

static struct {
    struct code *codes;
    uint32_t *places; /* index in codes + 1; 0: free */
    unsigned char *text;
    size_t text_used;
    uint32_t count, serial;
    bool full;
} all;

bool codes_open(void) {
    if (all.codes)
        return true;
    all.codes = memory_map(CODES_MAX * sizeof *all.codes);
    all.places = memory_map(PLACES * sizeof *all.places);
    all.text = memory_map(TEXT_SIZE);
    if (all.codes && all.places && all.text)
        return true;
    codes_close();
    return false;
}

void codes_close(void) {
    memory_unmap(all.codes, CODES_MAX * sizeof *all.codes);
    memory_unmap(all.places, PLACES * sizeof *all.places);
    memory_unmap(all.text, TEXT_SIZE);
    codes_forget();
}

void codes_forget(void) {
    all.codes = NULL;
    all.places = NULL;
    all.text = NULL;
    all.count = 0;
    all.text_used = 0;
    all.full = false;
}

void codes_tidy(void) {
    if (!all.full)
        return;
    memset(all.places, 0, PLACES * sizeof *all.places);
    all.count = 0;
    all.text_used = 0;
    all.full = false;
}

static uint32_t place_of(uintptr_t address) {
    return (uint32_t)(((uint64_t)address >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 40) % PLACES;
}

/* The place where it is, or would be. */
static uint32_t *find_place(uintptr_t address) {
    uint32_t at = place_of(address);
    while (all.places[at] && all.codes[all.places[at] - 1].address != address)
        at = (at + 1) % PLACES;
    return &all.places[at];
}

/* One that was forgotten keeps its place, without a serial number. */
struct code *codes_find(uintptr_t address) {
    uint32_t place = *find_place(address);
    return place && all.codes[place - 1].serial ? &all.codes[place - 1] : NULL;
}

void *codes_room(size_t size) {
    size = (size + 7) & ~(size_t)7;
    if (TEXT_SIZE - all.text_used < size) {
        all.full = true;
        return NULL;
    }
    void *taken = all.text + all.text_used;
    all.text_used += size;
    return taken;
}

/* ---- Texts ---- */

static size_t put_utf8(char *to, uint32_t character) {
    if (character < 0x80) {
        to[0] = (char)character;
        return 1;
    }
    if (character < 0x800) {
        to[0] = (char)(0xC0 | character >> 6);
        to[1] = (char)(0x80 | (character & 0x3F));
        return 2;
    }
    if (character < 0x10000) {
        if (character >= 0xD800 && character < 0xE000)
            character = '?'; /* half of a pair has no encoding */
        if (character == '?')
            return put_utf8(to, character);
        to[0] = (char)(0xE0 | character >> 12);
        to[1] = (char)(0x80 | (character >> 6 & 0x3F));
        to[2] = (char)(0x80 | (character & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | (character >> 18 & 7));
    to[1] = (char)(0x80 | (character >> 12 & 0x3F));
    to[2] = (char)(0x80 | (character >> 6 & 0x3F));
    to[3] = (char)(0x80 | (character & 0x3F));
    return 4;
}

bool codes_read_text(struct copier *copier, uintptr_t address, char *text, size_t size) {
    PyCompactUnicodeObject head;
    unsigned char raw[NAME_MAX_LENGTH * 4];
    int kind;
    uintptr_t characters;
    if (!address || !copier_read(copier, &head, address, sizeof head) ||
        !compat_copied_str(&head._base, address, &kind, &characters))
        return false;
    size_t length = (size_t)head._base.length;
    if (length > NAME_MAX_LENGTH)
        length = NAME_MAX_LENGTH;
    if (!copier_read(copier, raw, characters, length * (size_t)kind))
        return false;
    size_t used = 0;
    for (size_t i = 0; i < length && used + 5 < size; i++) {
        uint32_t character = 0;
        if (kind == 1)
            character = raw[i];
        else if (kind == 2)
            character = raw[2 * i] | (uint32_t)raw[2 * i + 1] << 8;
        else
            memcpy(&character, raw + 4 * i, sizeof character);
        used += put_utf8(text + used, character ? character : '?');
    }
    text[used] = '\0';
    return true;
}

static const char *load_text(struct copier *copier, uintptr_t address) {
    char text[NAME_MAX_LENGTH * 4 + 1];
    if (!codes_read_text(copier, address, text, sizeof text))
        return NULL;
    size_t size = strlen(text) + 1;
    char *kept = codes_room(size);
    if (kept)
        memcpy(kept, text, size);
    return kept;
}

/* ---- Code objects ---- */

/* The head of a name's object, which tells it from another one that comes to lie at its address. */
static bool read_mark(struct copier *copier, uintptr_t name, int64_t mark[2]) {
    return copier_read(copier, mark, name + offsetof(PyASCIIObject, length), 2 * sizeof *mark);
}

static bool load_lines(struct copier *copier, struct code *code, uintptr_t address) {
    PyVarObject head;
    if (!copier_read(copier, &head, address, sizeof head) || Py_TYPE(&head) != &PyBytes_Type)
        return false;
    Py_ssize_t size = Py_SIZE(&head);
    if (size < 0)
        return false;
    if (size > LINES_MAX_SIZE)
        return true;
    unsigned char *lines = codes_room((size_t)size + 1);
    if (!lines || !copier_read(copier, lines, address + offsetof(PyBytesObject, ob_sval), (size_t)size))
        return false;
    code->lines = lines;
    code->lines_size = (uint32_t)size;
    return true;
}

struct code *codes_load(struct copier *copier, uintptr_t address) {
    PyCodeObject copy;
    if (all.count == CODES_MAX) {
        all.full = true;
        return NULL;
    }
    if (!copier_read(copier, &copy, address, sizeof copy) || Py_TYPE(&copy) != &PyCode_Type)
        return NULL;
    uint32_t *place = find_place(address);
    struct code *code = &all.codes[*place ? *place - 1 : all.count];
    unsigned char *identity = codes_room(IDENTITY_TO - IDENTITY_FROM);
    *code = (struct code){
        .address = address,
        .first_line = (uint32_t)copy.co_firstlineno,
        .frame_size = (uint32_t)compat_copied_code_frame_size(&copy),
        .size = compat_copied_code_size(&copy),
        .first_traceable = compat_copied_code_first_traceable(&copy),
        .name_address = (uintptr_t)copy.co_name,
        .variables = compat_copied_code_variables(&copy),
        .identity = identity,
    };
    code->function = load_text(copier, (uintptr_t)copy.co_name);
    code->file = load_text(copier, (uintptr_t)copy.co_filename);
    uintptr_t qualified = compat_copied_code_qualname(&copy);
    code->qualified =
        qualified && qualified != (uintptr_t)copy.co_name ? load_text(copier, qualified) : code->function;
    bool good = identity && code->function && code->file && code->qualified &&
                load_lines(copier, code, (uintptr_t)copy.COMPAT_CODE_LINES) &&
                read_mark(copier, code->name_address, code->name_mark);
    if (!*place) {
        all.count++;
        *place = (uint32_t)(code - all.codes) + 1;
    }
    if (!good)
        return NULL;
    memcpy(identity, (const char *)&copy + IDENTITY_FROM, IDENTITY_TO - IDENTITY_FROM);
    code->serial = ++all.serial;
    return codes_check(copier, &code, 1, 0) ? code : NULL;
}

enum { HEAD = IDENTITY_TO - IDENTITY_FROM, MARK = 2 * sizeof(int64_t) };

size_t codes_foresee(const struct code *code, struct iovec pieces[CODES_PIECES]) {
    pieces[0] = (struct iovec){(void *)(code->address + IDENTITY_FROM), HEAD};
    pieces[1] = (struct iovec){(void *)(code->name_address + offsetof(PyASCIIObject, length)), MARK};
    return HEAD + MARK;
}

bool codes_confirm(struct code *code, const unsigned char *copy, uint64_t check) {
    bool unchanged =
        memcmp(copy, code->identity, HEAD) == 0 && memcmp(copy + HEAD, code->name_mark, MARK) == 0;
    if (unchanged)
        code->checked = check;
    return unchanged;
}

bool codes_check(struct copier *copier, struct code *const *codes, int count, uint64_t check) {
    enum { AT_ONCE = 64 };
    struct iovec pieces[CODES_PIECES * AT_ONCE];
    bool good = true;
    for (int first = 0; first < count; first += AT_ONCE) {
        int some = count - first < AT_ONCE ? count - first : AT_ONCE;
        for (int i = 0; i < some; i++)
            codes_foresee(codes[first + i], &pieces[CODES_PIECES * i]);
        size_t got = copier_gather(copier, copier->size - COPY_SPARE, pieces, CODES_PIECES * some);
        const unsigned char *copies = copier->memory + copier->size - COPY_SPARE;
        for (int i = 0; i < some; i++) {
            struct code *code = codes[first + i];
            size_t at = (size_t)i * (HEAD + MARK);
            if (got < at + HEAD + MARK || !codes_confirm(code, copies + at, check)) {
                code->serial = 0;
                good = false;
            }
        }
    }
    return good;
}

/* ---- Lines ---- */

static uint32_t line_of_numbers(const struct code *code, long instruction) {
    long line = (long)code->first_line, address = 0;
    for (uint32_t i = 0; i + 1 < code->lines_size; i += 2) {
        address += code->lines[i];
        if (address > instruction)
            break;
        line += (signed char)code->lines[i + 1];
    }
    return line > 0 ? (uint32_t)line : 0;
}

static uint32_t line_of_ranges(const struct code *code, long instruction) {
    static const int8_t NO_LINE = -128;
    long line = (long)code->first_line, end = 0;
    for (uint32_t i = 0; i + 1 < code->lines_size; i += 2) {
        int8_t lines = (int8_t)code->lines[i + 1];
        end += code->lines[i];
        if (lines != NO_LINE)
            line += lines;
        if (instruction < end)
            return lines != NO_LINE && line > 0 ? (uint32_t)line : 0;
    }
    return 0;
}

/* An entry: a byte with its kind and how many code units it is for, then numbers in six bits a byte, of which
   the first of the kinds with lines is their number. */
static uint32_t line_of_locations(const struct code *code, long instruction) {
    enum { KIND_ONE_LINE = 10, KIND_NO_COLUMNS = 13, KIND_LONG = 14, KIND_NONE = 15, UNIT = 2 };
    long line = (long)code->first_line, end = 0;
    uint32_t at = 0;
    while (at < code->lines_size) {
        unsigned char head = code->lines[at++];
        int kind = head >> 3 & 15;
        end += ((head & 7) + 1) * UNIT;
        if (kind == KIND_NO_COLUMNS || kind == KIND_LONG) {
            unsigned long number = 0;
            for (int shift = 0; at < code->lines_size && shift < 30; shift += 6) {
                unsigned char byte = code->lines[at++];
                number |= (unsigned long)(byte & 63) << shift;
                if (!(byte & 64))
                    break;
            }
            line += number & 1 ? -(long)(number >> 1) : (long)(number >> 1);
        } else if (kind >= KIND_ONE_LINE && kind < KIND_NO_COLUMNS) {
            line += kind - KIND_ONE_LINE;
        }
        if (instruction < end)
            return kind != KIND_NONE && line > 0 ? (uint32_t)line : 0;
        while (at < code->lines_size && !(code->lines[at] & 128)) /* the columns */
            at++;
    }
    return 0;
}

uint32_t codes_line(const struct code *code, long instruction) {
    static uint32_t (*const readers[])(const struct code *, long) = {
        [COMPAT_LINES_NUMBERS] = line_of_numbers,
        [COMPAT_LINES_RANGES] = line_of_ranges,
        [COMPAT_LINES_LOCATIONS] = line_of_locations,
    };
    if (instruction < 0)
        return code->first_line;
    return readers[COMPAT_LINES](code, instruction);
}
