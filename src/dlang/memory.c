/*
 * memory.c: the memory of one compilation: a chain of blocks that only ever grows. memory.h has the rules.
 */
#include "memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALIGNMENT = 16,
    BLOCK_SIZE = 16 << 10,
};

struct memory_block {
    struct memory_block *next;
    size_t used, size; /* bytes of content */
    _Alignas(ALIGNMENT) char content[];
};

void memory_init(struct memory *memory, jmp_buf *exhausted) {
    memory->blocks = NULL;
    memory->exhausted = exhausted;
}

void memory_free(struct memory *memory) {
    while (memory->blocks) {
        struct memory_block *next = memory->blocks->next;
        free(memory->blocks);
        memory->blocks = next;
    }
}

static struct memory_block *add_block(struct memory *memory, size_t size) {
    size_t content = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    struct memory_block *block =
        size <= SIZE_MAX - sizeof *block - BLOCK_SIZE ? malloc(sizeof *block + content) : NULL;
    if (!block)
        longjmp(*memory->exhausted, 1);
    block->used = 0;
    block->size = content;
    block->next = memory->blocks;
    memory->blocks = block;
    return block;
}

void *memory_allocate(struct memory *memory, size_t size) {
    struct memory_block *block = memory->blocks;
    if (!block || block->size - block->used < size)
        block = add_block(memory, size);
    void *allocated = block->content + block->used;
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    block->used = rounded < block->size - block->used ? block->used + rounded : block->size;
    return memset(allocated, 0, size);
}

char *memory_copy(struct memory *memory, const char *bytes, size_t length) {
    char *copy = memory_allocate(memory, length + 1);
    if (length)
        memcpy(copy, bytes, length);
    return copy;
}

char *memory_print(struct memory *memory, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = memory_allocate(memory, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}
