/*
 * Reads the section .note.stapsdt of an ELF file of 64 bits. The file may be another user's, made to mislead
 * us: nothing in it is used before it is known to lie inside.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "notes.h"

#ifdef __linux__

#    include <elf.h>
#    include <fcntl.h>
#    include <stdbool.h>
#    include <stdint.h>
#    include <stdio.h>
#    include <stdlib.h>
#    include <string.h>
#    include <sys/stat.h>
#    include <unistd.h>

enum {
    FILE_MAX = 64 << 20, /* bytes of a file that we read */
    NOTE_TYPE = 3        /* of a probe, where the owner is "stapsdt" */
};

struct image {
    int file;
    char *bytes; /* as large as the file, of which only what was fetched is in it; owned */
    uint64_t size;
    Elf64_Ehdr header;
};

/* What a note's description begins with; the provider's and the probe's name follow. */
struct addresses {
    uint64_t site, base, semaphore;
};

static bool image_open(struct image *image, const char *path) {
    struct stat found;
    memset(image, 0, sizeof *image);
    image->file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (image->file >= 0 && fstat(image->file, &found) == 0 && S_ISREG(found.st_mode) && found.st_size > 0 &&
        found.st_size <= FILE_MAX && (image->bytes = calloc(1, (size_t)found.st_size)) != NULL) {
        image->size = (uint64_t)found.st_size;
    }
    return image->size > 0;
}

static void image_close(struct image *image) {
    free(image->bytes);
    if (image->file >= 0) {
        close(image->file);
    }
}

/* Reads a part of the file into its place. False: it does not lie inside, or cannot be read. */
static bool fetch(const struct image *image, uint64_t offset, uint64_t size) {
    if (offset > image->size || size > image->size - offset) {
        return false;
    }
    while (size > 0) {
        ssize_t got = pread(image->file, image->bytes + offset, (size_t)size, (off_t)offset);
        if (got <= 0) {
            return false;
        }
        offset += (uint64_t)got;
        size -= (uint64_t)got;
    }
    return true;
}

static bool copy_out(const struct image *image, uint64_t offset, void *to, uint64_t size) {
    if (!fetch(image, offset, size)) {
        return false;
    }
    memcpy(to, image->bytes + offset, size);
    return true;
}

/* The string at an offset, in what was fetched, that ends before `end`, or NULL. */
static const char *string_at(const struct image *image, uint64_t offset, uint64_t end) {
    end = end < image->size ? end : image->size;
    return offset < end && memchr(image->bytes + offset, '\0', end - offset) != NULL ? image->bytes + offset
                                                                                     : NULL;
}

static bool read_header(struct image *image) {
    static const unsigned char data = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
    const Elf64_Ehdr *header = &image->header;
    return copy_out(image, 0, &image->header, sizeof image->header) &&
           memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64 &&
           header->e_ident[EI_DATA] == data && header->e_shentsize == sizeof(Elf64_Shdr) &&
           header->e_phentsize == sizeof(Elf64_Phdr);
}

static bool section_number(const struct image *image, unsigned number, Elf64_Shdr *section) {
    return number < image->header.e_shnum &&
           copy_out(image, image->header.e_shoff + (uint64_t)number * sizeof *section, section,
                    sizeof *section);
}

static bool section_named(const struct image *image, const char *wanted, Elf64_Shdr *section) {
    Elf64_Shdr names;
    if (!section_number(image, image->header.e_shstrndx, &names) ||
        !fetch(image, names.sh_offset, names.sh_size)) {
        return false;
    }
    for (unsigned number = 0; section_number(image, number, section); number++) {
        const char *name = string_at(image, names.sh_offset + section->sh_name, image->size);
        if (name != NULL && strcmp(name, wanted) == 0) {
            return true;
        }
    }
    return false;
}

/* Where in the file the byte is that is loaded at an address. */
static bool offset_of(const struct image *image, uint64_t address, unsigned long long *offset) {
    Elf64_Phdr segment;
    for (unsigned i = 0; i < image->header.e_phnum; i++) {
        if (!copy_out(image, image->header.e_phoff + (uint64_t)i * sizeof segment, &segment,
                      sizeof segment)) {
            return false;
        }
        if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
            address - segment.p_vaddr < segment.p_filesz) {
            *offset = address - segment.p_vaddr + segment.p_offset;
            return true;
        }
    }
    return false;
}

/* Takes one note's description, which ends at `end`. False: it is of another provider, or broken. */
static bool take_note(const struct image *image, uint64_t start, uint64_t end, uint64_t base,
                      const char *provider, struct usdt_note *note) {
    struct addresses addresses;
    const char *owner = string_at(image, start + sizeof addresses, end);
    if (owner == NULL || strcmp(owner, provider) != 0 ||
        !copy_out(image, start, &addresses, sizeof addresses)) {
        return false;
    }
    const char *name = string_at(image, start + sizeof addresses + strlen(owner) + 1, end);
    if (name == NULL || strlen(name) >= sizeof note->name) {
        return false;
    }
    char *to = note->name;
    for (; *name != '\0'; name++) {
        *to++ = *name;
        if (name[0] == '_' && name[1] == '_') {
            to[-1] = '-';
            name++;
        }
    }
    *to = '\0';
    uint64_t moved = base - addresses.base; /* prelink(8) moves addresses, but not those in the notes. */
    note->semaphore = addresses.semaphore ? addresses.semaphore + moved : 0;
    return offset_of(image, addresses.site + moved, &note->offset);
}

size_t usdt_notes(const char *path, const char *provider, struct usdt_note *notes, size_t room) {
    struct image image;
    Elf64_Shdr base;
    Elf64_Shdr section;
    Elf64_Nhdr head;
    size_t count = 0;
    if (image_open(&image, path) && read_header(&image) && section_named(&image, ".stapsdt.base", &base) &&
        section_named(&image, ".note.stapsdt", &section) &&
        fetch(&image, section.sh_offset, section.sh_size)) {
        uint64_t end = section.sh_offset + section.sh_size;
        uint64_t at = section.sh_offset;
        while (count < room && at < end && copy_out(&image, at, &head, sizeof head)) {
            uint64_t name = at + sizeof head;
            uint64_t description = name + (((uint64_t)head.n_namesz + 3) & ~(uint64_t)3);
            const char *owner = string_at(&image, name, description);
            at = description + (((uint64_t)head.n_descsz + 3) & ~(uint64_t)3);
            if (owner != NULL && strcmp(owner, "stapsdt") == 0 && head.n_type == NOTE_TYPE &&
                take_note(&image, description, description + head.n_descsz, base.sh_addr, provider,
                          &notes[count])) {
                count++;
            }
        }
    }
    image_close(&image);
    return count;
}

#else

size_t usdt_notes(const char *path, const char *provider, struct usdt_note *notes, size_t room) {
    (void)path, (void)provider, (void)notes, (void)room;
    return 0;
}

#endif
