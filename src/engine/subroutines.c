/*
 * subroutines.c: D's subroutines, one function each, by the table of tables.h; and which memory a program may
 * read and write. Where a text is part of another, it is not copied. Corner cases are DTrace's.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "internal.h"
#include "json.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool within(uint64_t address, uint64_t size, const char *first, uint64_t length) {
    uint64_t begin = (uint64_t)(uintptr_t)first;
    return address >= begin && address - begin <= length && size <= length - (address - begin);
}

bool thread_owns(const struct engine_thread *thread, uint64_t address, uint64_t size) {
    const struct engine *engine = thread->engine;
    if (within(address, size, thread->scratch, thread->scratch_used))
        return true;
    for (int scope = 0; scope < 3; scope++) {
        const struct layout *layout = &engine->layouts[scope];
        if (within(address, size, thread->scalars[scope] + layout->objects, layout->size - layout->objects))
            return true;
    }
    if (engine->dynamic.size && within(address, size, engine->dynamic.base, engine->dynamic.size))
        return true;
    return store_has_object(&thread->store, address, size);
}

/* The scratch memory that was not given out is nobody's: reading beyond what alloca() gave is a fault. */
static bool is_unused_scratch(const struct engine_thread *thread, uint64_t address) {
    return within(address, 1, thread->scratch, thread->engine->scratchsize) &&
           !within(address, 1, thread->scratch, thread->scratch_used);
}

const char *thread_bytes(struct engine_thread *thread, uint64_t address, uint64_t size) {
    if (thread_owns(thread, address, size))
        return (const char *)(uintptr_t)address;
    char *copy = thread_string(thread, size);
    if (!copy)
        return NULL;
    if (is_unused_scratch(thread, address) || !memory_read(&thread->engine->reader, copy, address, size)) {
        thread_fail(thread, FAULT_BAD_ADDRESS, address);
        return NULL;
    }
    return copy;
}

/* A text at an address, at most `most` bytes of it. */
static bool text_at(struct engine_thread *thread, uint64_t address, uint64_t most, struct value *result) {
    const struct probe_info *probe = thread->probe;
    const struct engine_code *code = thread->code;
    if (!address)
        return thread_fail(thread, FAULT_BAD_ADDRESS, 0);
    if (code) {
        uint32_t count = __atomic_load_n(&code->string_count, __ATOMIC_ACQUIRE);
        for (uint32_t i = 0; i < count; i++) {
            if (code->strings[i].address != address)
                continue;
            *result = value_of_text(code->strings[i].text);
            if (result->length > most)
                *result = value_of_bytes(result->text, most);
            return true;
        }
    }
    for (uint32_t bits = probe->strings, i = 0; bits; bits >>= 1, i++) {
        if ((bits & 1) && thread->event->arguments[i] == address) {
            const char *text = (const char *)(uintptr_t)address;
            *result = value_of_bytes(text, strnlen(text, most));
            return true;
        }
    }
    char *copy = thread_string(thread, most + 1);
    size_t length;
    if (!copy)
        return false;
    if (is_unused_scratch(thread, address) ||
        !memory_read_text(&thread->engine->reader, copy, address, most, &length))
        return thread_fail(thread, FAULT_BAD_ADDRESS, address);
    thread->string_at = copy + length + 1;
    *result = value_of_bytes(copy, length);
    return true;
}

static bool give_text(struct value *result, const char *text, uint64_t length) {
    *result = value_of_bytes(text, length);
    return true;
}

static bool give_integer(struct value *result, int64_t integer) {
    *result = value_of_integer(integer);
    return true;
}

static bool give_null(struct value *result) {
    *result = (struct value){.text = NULL};
    return true;
}

/* A copy of a text made here, cut to strsize. */
static bool give_copy(struct engine_thread *thread, struct value *result, const char *text, uint64_t length) {
    if (length > thread->engine->strsize)
        length = thread->engine->strsize;
    char *copy = thread_string(thread, length + 1);
    if (!copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return give_text(result, copy, length);
}

typedef bool implementation(struct engine_thread *thread, struct value *arguments, struct value *result);

/* Memory */

static char *take_scratch(struct engine_thread *thread, uint64_t size) {
    uint64_t left = thread->engine->scratchsize - thread->scratch_used;
    if (size > left || (size + 7) / 8 * 8 > left) {
        thread_fail(thread, FAULT_NO_SCRATCH, 0);
        return NULL;
    }
    char *at = thread->scratch + thread->scratch_used;
    memset(at, 0, size);
    thread->scratch_used += (size + 7) / 8 * 8;
    return at;
}

static bool do_alloca(struct engine_thread *thread, struct value *arguments, struct value *result) {
    char *at = take_scratch(thread, (uint64_t)arguments[0].integer);
    return at && give_integer(result, (int64_t)(uintptr_t)at);
}

static bool copy_memory(struct engine_thread *thread, uint64_t from, uint64_t to, uint64_t size) {
    if (!size)
        return true;
    if (!thread_owns(thread, to, size))
        return thread_fail(thread, FAULT_BAD_ADDRESS, to);
    const char *bytes = thread_bytes(thread, from, size);
    if (bytes)
        memmove((char *)(uintptr_t)to, bytes, size);
    return bytes != NULL;
}

static bool do_bcopy(struct engine_thread *thread, struct value *arguments, struct value *result) {
    (void)result;
    return copy_memory(thread, (uint64_t)arguments[0].integer, (uint64_t)arguments[1].integer,
                       (uint64_t)arguments[2].integer);
}

static bool do_copyinto(struct engine_thread *thread, struct value *arguments, struct value *result) {
    (void)result;
    return copy_memory(thread, (uint64_t)arguments[0].integer, (uint64_t)arguments[2].integer,
                       (uint64_t)arguments[1].integer);
}

/* What takes -w: without it nothing is written. A page that is not there, or not to be written, is a fault of
   the clause. */
static bool write_out(struct engine_thread *thread, const char *bytes, uint64_t to, uint64_t size) {
    struct engine *engine = thread->engine;
    return !engine->destructive || memory_write(&engine->reader, bytes, to, size) ||
           thread_fail(thread, FAULT_BAD_ADDRESS, to);
}

static bool do_copyout(struct engine_thread *thread, struct value *arguments, struct value *result) {
    (void)result;
    uint64_t size = (uint64_t)arguments[2].integer;
    const char *bytes = thread_bytes(thread, (uint64_t)arguments[0].integer, size);
    return bytes && write_out(thread, bytes, (uint64_t)arguments[1].integer, size);
}

/* The text up to `size` bytes, and a '\0' behind it where there is room. */
static bool do_copyoutstr(struct engine_thread *thread, struct value *arguments, struct value *result) {
    (void)result;
    uint64_t size = (uint64_t)arguments[2].integer, length = arguments[0].length;
    char *copy = thread_string(thread, length + 1);
    if (!copy)
        return false;
    memcpy(copy, arguments[0].text, length);
    copy[length] = '\0';
    return write_out(thread, copy, (uint64_t)arguments[1].integer, size < length + 1 ? size : length + 1);
}

static bool do_copyin(struct engine_thread *thread, struct value *arguments, struct value *result) {
    uint64_t from = (uint64_t)arguments[0].integer, size = (uint64_t)arguments[1].integer;
    if ((int64_t)size < 0)
        return thread_fail(thread, FAULT_BAD_SIZE, size);
    uint64_t used = thread->scratch_used;
    char *to = take_scratch(thread, size);
    if (!to)
        return false;
    const char *bytes = thread_bytes(thread, from, size);
    if (!bytes) {
        thread->scratch_used = used;
        return false;
    }
    memcpy(to, bytes, size);
    return give_integer(result, (int64_t)(uintptr_t)to);
}

static bool do_copyinstr(struct engine_thread *thread, struct value *arguments, struct value *result) {
    uint64_t size = (uint64_t)arguments[1].integer, strsize = thread->engine->strsize;
    if (size > strsize)
        size = strsize;
    return text_at(thread, (uint64_t)arguments[0].integer, size ? size - 1 : 0, result);
}

static bool do_stringof(struct engine_thread *thread, struct value *arguments, struct value *result) {
    return text_at(thread, (uint64_t)arguments[0].integer, thread->engine->strsize, result);
}

/* Paths */

static bool do_basename(struct engine_thread *thread, struct value *arguments, struct value *result) {
    const char *path = arguments[0].text;
    uint32_t end = arguments[0].length;
    const struct engine_code *code = thread->code;
    /* The file of the code object, as copyinstr() gave it. */
    if (code && code->string_count && path == code->strings[0].text->bytes &&
        end == code->strings[0].text->length) {
        *result = value_of_text(code->base);
        return true;
    }
    if (!end)
        return give_text(result, ".", 1);
    while (end && path[end - 1] == '/')
        end--;
    if (!end)
        return give_text(result, "/", 1);
    uint32_t begin = end;
    while (begin && path[begin - 1] != '/')
        begin--;
    return give_text(result, path + begin, end - begin);
}

static bool do_dirname(struct engine_thread *thread, struct value *arguments, struct value *result) {
    const char *path = arguments[0].text;
    uint32_t end = arguments[0].length;
    (void)thread;
    while (end && path[end - 1] == '/')
        end--;
    while (end && path[end - 1] != '/')
        end--;
    while (end && path[end - 1] == '/')
        end--;
    if (end)
        return give_text(result, path, end);
    return give_text(result, arguments[0].length && path[0] == '/' ? "/" : ".", 1);
}

static bool do_cleanpath(struct engine_thread *thread, struct value *arguments, struct value *result) {
    struct value path = arguments[0];
    if (!path.length)
        return give_text(result, "", 0);
    char *clean = thread_string(thread, path.length + 2ULL);
    if (!clean)
        return false;
    bool rooted = path.text[0] == '/';
    uint32_t size = 0, floor = 0; /* `..` cannot remove what lies below the floor */
    if (rooted)
        clean[size++] = '/';
    floor = size;
    for (uint32_t at = 0; at < path.length;) {
        uint32_t end = at;
        while (end < path.length && path.text[end] != '/')
            end++;
        uint32_t length = end - at;
        const char *part = path.text + at;
        at = end + 1;
        if (length == 0 || (length == 1 && part[0] == '.'))
            continue;
        bool up = length == 2 && part[0] == '.' && part[1] == '.';
        if (up && size > floor) {
            while (size > floor && clean[size - 1] != '/')
                size--;
            size -= size > floor;
            continue;
        }
        if (up && rooted)
            continue;
        if (size > rooted)
            clean[size++] = '/';
        memcpy(clean + size, part, length);
        size += length;
        if (up)
            floor = size;
    }
    if (!size)
        clean[size++] = '.';
    return give_text(result, clean, size);
}

/* Texts */

/* Where `what` occurs in a text, from `from` on and no later than `last`; UINT32_MAX: nowhere. */
static uint32_t find_forward(struct value text, struct value what, uint32_t from) {
    for (uint64_t at = from; at + what.length <= text.length; at++) {
        if (memcmp(text.text + at, what.text, what.length) == 0)
            return (uint32_t)at;
    }
    return UINT32_MAX;
}

static bool do_index(struct engine_thread *thread, struct value *arguments, struct value *result) {
    struct value text = arguments[0], what = arguments[1];
    int64_t from = arguments[2].integer < 0 ? 0 : arguments[2].integer;
    (void)thread;
    if (from > text.length)
        return give_integer(result, -1);
    uint32_t at = find_forward(text, what, (uint32_t)from);
    return give_integer(result, at == UINT32_MAX ? -1 : (int64_t)at);
}

static bool do_rindex(struct engine_thread *thread, struct value *arguments, struct value *result) {
    struct value text = arguments[0], what = arguments[1];
    int64_t from = arguments[2].integer;
    (void)thread;
    if (what.length > text.length)
        return give_integer(result, -1);
    if (from > text.length - what.length)
        from = text.length - what.length;
    for (; from >= 0; from--) {
        if (memcmp(text.text + from, what.text, what.length) == 0)
            break;
    }
    return give_integer(result, from < 0 ? -1 : from);
}

static bool do_strchr(struct engine_thread *thread, struct value *arguments, struct value *result) {
    struct value text = arguments[0];
    char c = (char)arguments[1].integer;
    const char *at = memchr(text.text, c, text.length);
    (void)thread;
    return at ? give_text(result, at, text.length - (uint64_t)(at - text.text)) : give_null(result);
}

static bool do_strrchr(struct engine_thread *thread, struct value *arguments, struct value *result) {
    struct value text = arguments[0];
    char c = (char)arguments[1].integer;
    (void)thread;
    for (uint32_t at = text.length; at--;) {
        if (text.text[at] == c)
            return give_text(result, text.text + at, text.length - at);
    }
    return give_null(result);
}

static bool do_strstr(struct engine_thread *thread, struct value *arguments, struct value *result) {
    uint32_t at = find_forward(arguments[0], arguments[1], 0);
    (void)thread;
    if (at == UINT32_MAX)
        return give_null(result);
    return give_text(result, arguments[0].text + at, arguments[0].length - at);
}

static bool do_strlen(struct engine_thread *thread, struct value *arguments, struct value *result) {
    (void)thread;
    return give_integer(result, arguments[0].length);
}

static bool do_strjoin(struct engine_thread *thread, struct value *arguments, struct value *result) {
    uint64_t strsize = thread->engine->strsize;
    uint64_t first = arguments[0].length < strsize ? arguments[0].length : strsize;
    uint64_t second = arguments[1].length < strsize - first ? arguments[1].length : strsize - first;
    char *joined = thread_string(thread, first + second + 1);
    if (!joined)
        return false;
    memcpy(joined, arguments[0].text, first);
    memcpy(joined + first, arguments[1].text, second);
    joined[first + second] = '\0';
    return give_text(result, joined, first + second);
}

/* A negative place counts from the end; a negative length leaves so many off the end. */
static bool do_substr(struct engine_thread *thread, struct value *arguments, struct value *result) {
    int64_t length = arguments[0].length, strsize = thread->engine->strsize;
    int64_t from = arguments[1].integer, wanted = arguments[2].integer;
    if (wanted > strsize)
        wanted = strsize;
    if (from < 0) {
        from += length;
        if (from < 0 && from + wanted > 0) {
            wanted += from;
            from = 0;
        }
    }
    if (from >= length || from < 0)
        return give_text(result, "", 0);
    if (wanted < 0)
        wanted += length - from;
    if (wanted < 0)
        wanted = 0;
    if (wanted > length - from)
        wanted = length - from;
    return give_text(result, arguments[0].text + from, (uint64_t)wanted);
}

/* A null string goes on where the last token ended. */
static bool do_strtok(struct engine_thread *thread, struct value *arguments, struct value *result) {
    struct text *text = thread->strtok_text;
    bool separator[256] = {false};
    if (arguments[0].text) {
        text_set(text, arguments[0], thread->engine->strsize);
        thread->strtok_at = 0;
    }
    if (!arguments[1].text)
        return thread_fail(thread, FAULT_BAD_ADDRESS, 0);
    for (uint32_t i = 0; i < arguments[1].length; i++)
        separator[(unsigned char)arguments[1].text[i]] = true;
    uint32_t begin = thread->strtok_at;
    if (begin == UINT32_MAX)
        return give_null(result);
    while (begin < text->length && separator[(unsigned char)text->bytes[begin]])
        begin++;
    if (begin >= text->length) {
        thread->strtok_at = UINT32_MAX;
        return give_null(result);
    }
    uint32_t end = begin;
    while (end < text->length && !separator[(unsigned char)text->bytes[end]])
        end++;
    thread->strtok_at = end;
    return give_copy(thread, result, text->bytes + begin, end - begin);
}

static bool do_strip(struct engine_thread *thread, struct value *arguments, struct value *result) {
    const char *text = arguments[0].text;
    uint32_t begin = 0, end = arguments[0].length;
    (void)thread;
    while (begin < end && strchr(" \t\n\v\f\r", text[begin]))
        begin++;
    while (end > begin && strchr(" \t\n\v\f\r", text[end - 1]))
        end--;
    return give_text(result, text + begin, end - begin);
}

/* Only ASCII has cases. */
static bool change_case(struct engine_thread *thread, struct value *arguments, struct value *result,
                        char first, char last, int by) {
    if (!give_copy(thread, result, arguments[0].text, arguments[0].length))
        return false;
    char *text = thread->string_at - result->length - 1;
    for (uint32_t i = 0; i < result->length; i++) {
        if (text[i] >= first && text[i] <= last)
            text[i] = (char)(text[i] + by);
    }
    return true;
}

static bool do_tolower(struct engine_thread *thread, struct value *arguments, struct value *result) {
    return change_case(thread, arguments, result, 'A', 'Z', 'a' - 'A');
}

static bool do_toupper(struct engine_thread *thread, struct value *arguments, struct value *result) {
    return change_case(thread, arguments, result, 'a', 'z', 'A' - 'a');
}

/* Base 8 begins with 0, base 16 with 0x; only base 10 has a sign. */
static bool do_lltostr(struct engine_thread *thread, struct value *arguments, struct value *result) {
    enum { SIZE = 68 };
    char text[SIZE], *at = text + SIZE;
    int64_t number = arguments[0].integer, base = arguments[1].integer;
    if (base < 2 || base > 36)
        return thread_fail(thread, FAULT_ILLEGAL_OPERATION, 0);
    bool negative = base == 10 && number < 0;
    uint64_t left = negative ? 0 - (uint64_t)number : (uint64_t)number;
    for (; left; left /= (uint64_t)base)
        *--at = "0123456789abcdefghijklmnopqrstuvwxyz"[left % (uint64_t)base];
    if (!number && base == 16)
        *--at = '0';
    if (base == 16)
        *--at = 'x';
    if (!number || base == 8 || base == 16)
        *--at = '0';
    if (negative)
        *--at = '-';
    return give_copy(thread, result, at, (uint64_t)(text + SIZE - at));
}

static int digit_of(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 36;
}

static bool do_strtoll(struct engine_thread *thread, struct value *arguments, struct value *result) {
    const char *at = arguments[0].text, *end = at + arguments[0].length;
    int64_t base = arguments[1].integer;
    if (base < 2 || base > 36)
        return thread_fail(thread, FAULT_ILLEGAL_OPERATION, 0);
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    bool negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    if (base == 16 && end - at > 2 && at[0] == '0' && (at[1] == 'x' || at[1] == 'X') && digit_of(at[2]) < 16)
        at += 2;
    uint64_t number = 0;
    for (; at < end && digit_of(*at) < base; at++)
        number = number * (uint64_t)base + (uint64_t)digit_of(*at);
    return give_integer(result, (int64_t)(negative ? 0 - number : number));
}

static bool do_json(struct engine_thread *thread, struct value *arguments, struct value *result) {
    size_t length;
    const char *found =
        json_find(arguments[0].text, arguments[0].length, arguments[1].text, arguments[1].length, &length);
    (void)thread;
    return found ? give_text(result, found, length) : give_null(result);
}

/* Numbers */

static bool do_getmajor(struct engine_thread *thread, struct value *arguments, struct value *result) {
    (void)thread;
    return give_integer(result, (int64_t)((uint64_t)arguments[0].integer >> 20 & 0xfff));
}

static bool do_getminor(struct engine_thread *thread, struct value *arguments, struct value *result) {
    (void)thread;
    return give_integer(result, arguments[0].integer & 0xfffff);
}

static bool do_htons(struct engine_thread *thread, struct value *arguments, struct value *result) {
    (void)thread;
    return give_integer(result, htons((uint16_t)arguments[0].integer));
}

static bool do_htonl(struct engine_thread *thread, struct value *arguments, struct value *result) {
    (void)thread;
    return give_integer(result, htonl((uint32_t)arguments[0].integer));
}

static bool do_htonll(struct engine_thread *thread, struct value *arguments, struct value *result) {
    uint64_t number = (uint64_t)arguments[0].integer;
    (void)thread;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    number = __builtin_bswap64(number);
#endif
    return give_integer(result, (int64_t)number);
}

static bool do_rand(struct engine_thread *thread, struct value *arguments, struct value *result) {
    (void)arguments;
    thread->random ^= thread->random << 13;
    thread->random ^= thread->random >> 7;
    thread->random ^= thread->random << 17;
    return give_integer(result, (int64_t)(thread->random >> 33));
}

/* Addresses of the network */

static bool give_address(struct engine_thread *thread, int family, uint64_t address, struct value *result) {
    char text[INET6_ADDRSTRLEN];
    const char *bytes = thread_bytes(thread, address, family == AF_INET6 ? 16 : 4);
    if (!bytes)
        return false;
    if (!inet_ntop(family, bytes, text, sizeof text))
        return thread_fail(thread, FAULT_ILLEGAL_OPERATION, 0);
    return give_copy(thread, result, text, strlen(text));
}

static bool do_inet_ntoa(struct engine_thread *thread, struct value *arguments, struct value *result) {
    return give_address(thread, AF_INET, (uint64_t)arguments[0].integer, result);
}

static bool do_inet_ntoa6(struct engine_thread *thread, struct value *arguments, struct value *result) {
    return give_address(thread, AF_INET6, (uint64_t)arguments[0].integer, result);
}

static bool do_inet_ntop(struct engine_thread *thread, struct value *arguments, struct value *result) {
    int64_t family = arguments[0].integer;
    if (family != AF_INET && family != AF_INET6)
        return thread_fail(thread, FAULT_ILLEGAL_OPERATION, 0);
    return give_address(thread, (int)family, (uint64_t)arguments[1].integer, result);
}

/* The address of an Ethernet or an InfiniBand card, by its kind in ARP: bytes with colons between them. */
static bool do_link_ntop(struct engine_thread *thread, struct value *arguments, struct value *result) {
    enum { ETHERNET = 1, INFINIBAND = 32, LONGEST = 20 };
    int64_t kind = arguments[0].integer;
    size_t size = kind == ETHERNET ? 6 : kind == INFINIBAND ? LONGEST : 0, length = 0;
    char text[3 * LONGEST + 1];
    if (!size)
        return thread_fail(thread, FAULT_ILLEGAL_OPERATION, 0);
    const unsigned char *bytes =
        (const unsigned char *)thread_bytes(thread, (uint64_t)arguments[1].integer, size);
    if (!bytes)
        return false;
    for (size_t i = 0; i < size; i++, length += 3)
        snprintf(text + length, 4, i + 1 < size ? "%02x:" : "%02x", bytes[i]);
    return give_copy(thread, result, text, length - 1);
}

/* The process */

/* 0: not known. */
static long parent_of(long pid) {
    char name[64], text[512];
    snprintf(name, sizeof name, "/proc/%ld/stat", pid);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = '\0';
    /* pid (name) state ppid ... */
    const char *behind = strrchr(text, ')');
    return behind && behind[1] && behind[2] ? strtol(behind + 3, NULL, 10) : 0;
}

static bool do_progenyof(struct engine_thread *thread, struct value *arguments, struct value *result) {
    enum { GENERATIONS_MAX = 64 };
    int64_t ancestor = arguments[0].integer;
    if (ancestor == thread->engine->host.pid)
        return give_integer(result, 1);
    long pid = getpid();
    for (int i = 0; i < GENERATIONS_MAX && pid > 0; i++) {
        if (pid == ancestor)
            return give_integer(result, 1);
        pid = parent_of(pid);
    }
    return give_integer(result, 0);
}

static bool do_pystack(struct engine_thread *thread, struct value *arguments, struct value *result) {
    const struct engine_host *host = &thread->engine->host;
    uint64_t bytes = (uint64_t)arguments[1].integer, left = (uint64_t)(thread->stack_end - thread->stack_at);
    uint64_t most = arena_chunk_capacity(thread->engine->arena) / 2;
    if (!bytes || bytes > PROGRAM_STACK_MAX)
        bytes = PROGRAM_STACK_MAX;
    if (bytes > most)
        bytes = most;
    if (bytes + 1 > left)
        return thread_fail(thread, FAULT_NO_SCRATCH, 0);
    char *text = thread->stack_at;
    size_t length = 0;
    if (host->stack)
        length = host->stack(text, bytes, (uint32_t)arguments[0].integer);
    if (length >= bytes)
        length = bytes - 1;
    thread->stack_at += length + 1;
    return give_text(result, text, length);
}

static bool do_speculation(struct engine_thread *thread, struct value *arguments, struct value *result) {
    (void)arguments;
    return give_integer(result, speculation_take(thread));
}

static implementation *const implementations[SUBROUTINE_COUNT] = {
    [SUBROUTINE_ALLOCA] = do_alloca,         [SUBROUTINE_BASENAME] = do_basename,
    [SUBROUTINE_BCOPY] = do_bcopy,           [SUBROUTINE_CLEANPATH] = do_cleanpath,
    [SUBROUTINE_COPYIN] = do_copyin,         [SUBROUTINE_COPYINSTR] = do_copyinstr,
    [SUBROUTINE_COPYINTO] = do_copyinto,     [SUBROUTINE_COPYOUT] = do_copyout,
    [SUBROUTINE_COPYOUTSTR] = do_copyoutstr, [SUBROUTINE_DIRNAME] = do_dirname,
    [SUBROUTINE_GETMAJOR] = do_getmajor,     [SUBROUTINE_GETMINOR] = do_getminor,
    [SUBROUTINE_HTONL] = do_htonl,           [SUBROUTINE_HTONLL] = do_htonll,
    [SUBROUTINE_HTONS] = do_htons,           [SUBROUTINE_INDEX] = do_index,
    [SUBROUTINE_INET_NTOA] = do_inet_ntoa,   [SUBROUTINE_INET_NTOA6] = do_inet_ntoa6,
    [SUBROUTINE_INET_NTOP] = do_inet_ntop,   [SUBROUTINE_JSON] = do_json,
    [SUBROUTINE_LLTOSTR] = do_lltostr,       [SUBROUTINE_NTOHL] = do_htonl,
    [SUBROUTINE_NTOHLL] = do_htonll,         [SUBROUTINE_NTOHS] = do_htons,
    [SUBROUTINE_PROGENYOF] = do_progenyof,   [SUBROUTINE_RAND] = do_rand,
    [SUBROUTINE_RINDEX] = do_rindex,         [SUBROUTINE_SPECULATION] = do_speculation,
    [SUBROUTINE_STRCHR] = do_strchr,         [SUBROUTINE_STRINGOF] = do_stringof,
    [SUBROUTINE_STRIP] = do_strip,           [SUBROUTINE_STRJOIN] = do_strjoin,
    [SUBROUTINE_STRLEN] = do_strlen,         [SUBROUTINE_STRRCHR] = do_strrchr,
    [SUBROUTINE_STRSTR] = do_strstr,         [SUBROUTINE_STRTOK] = do_strtok,
    [SUBROUTINE_STRTOLL] = do_strtoll,       [SUBROUTINE_SUBSTR] = do_substr,
    [SUBROUTINE_TOLOWER] = do_tolower,       [SUBROUTINE_TOUPPER] = do_toupper,
    [SUBROUTINE_PYSTACK] = do_pystack,       [SUBROUTINE_LINK_NTOP] = do_link_ntop,
};

static const char *const operands_of[SUBROUTINE_COUNT] = {
#define SUBROUTINE(name, text, result, operands, fewest, type, prototype) operands,
    PROGRAM_SUBROUTINES(SUBROUTINE)
#undef SUBROUTINE
};

bool subroutine_call(struct engine_thread *thread, enum subroutine subroutine, struct value *arguments,
                     struct value *result) {
    /* A null string is no text; only strtok() knows what to do with one, and rewrites nothing. */
    const char *operands = operands_of[subroutine];
    for (int i = subroutine == SUBROUTINE_STRTOK; operands[i]; i++) {
        if (operands[i] == 'S' && !arguments[i].text)
            return thread_fail(thread, FAULT_BAD_ADDRESS, 0);
    }
    return implementations[subroutine](thread, arguments, result);
}
