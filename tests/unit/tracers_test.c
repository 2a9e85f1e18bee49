/*
 * Unit tests of what `catprobe ps` reads to find tracers: texts of the kernel, and the notes of an ELF file
 * that is whole, cut off or damaged. Silent when all is well. With the path of a file it tests its notes as
 * well.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "agent/notes.h"
#include "check.h"
#include "command/uprobes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD "pos:\t0\nflags:\t02000000\nmnt_id:\t17\nino:\t1038\n"

/* The fdinfo of a BPF link, and "path offset pid; ..." of the uprobes in it. */
static const struct {
    const char *fdinfo, *uprobes;
} links[] = {
    {HEAD
     "link_type:\tuprobe_multi\nlink_id:\t151\nprog_tag:\t691dd974799dcd01\nprog_id:\t1219\nuprobe_cnt:\t1\n"
     "pid:\t18923\npath:\t/lib/_catprobe.so\ncookie\t offset\t ref_ctr_offset\n0\t 0x102e0\t 0x18fd6\n",
     "/lib/_catprobe.so 0x102e0 18923; "},
    {HEAD "link_type:\tuprobe_multi\nuprobe_cnt:\t2\npid:\t0\npath:\t/a b/_catprobe.so (deleted)\n"
          "cookie\t offset\t ref_ctr_offset\n0\t 0x1\t 0x0\n18446744073709551615\t 0xffffffffff\t 0x18fd6\n",
     "/a b/_catprobe.so (deleted) 0x1 0; /a b/_catprobe.so (deleted) 0xffffffffff 0; "},
    {HEAD "link_type:\tperf\nlink_id:\t220\nprog_id:\t2127\nname:\t/lib/_catprobe.so\noffset:\t0x102d0\n"
          "ref_ctr_offset:\t0x18fd8\nevent_type:\tuprobe\ncookie:\t0\n",
     "/lib/_catprobe.so 0x102d0 0; "},
    {HEAD
     "link_type:\tperf\nname:\t/lib/_catprobe.so\noffset:\t0x102d0\nevent_type:\turetprobe\ncookie:\t0\n",
     ""},
    {HEAD
     "link_type:\tperf\nname:\tdo_nanosleep\noffset:\t0x0\naddr:\t0x0\nevent_type:\tkprobe\ncookie:\t0\n",
     ""},
    {HEAD "link_type:\tkprobe_multi\nkprobe_cnt:\t1\ncookie\t func\n0\t do_nanosleep+0x0\n", ""},
    {HEAD "link_type:\tuprobe_multi\nlink_id:\t1\n", ""}, /* older kernels tell no more */
    {HEAD "link_type:\tuprobe_multi\npath:\t/lib/_catprobe.so\ncookie\t offset\t ref_ctr_offset\n0\t", ""},
    {"", ""},
};

static void append_uprobe(void *context, const struct uprobe *uprobe) {
    char *text = context;
    sprintf(text + strlen(text), "%s 0x%llx %ld; ", uprobe->path, uprobe->offset, (long)uprobe->only);
}

static void test_links(void) {
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        char fdinfo[1024];
        char found[1024] = "";
        strcpy(fdinfo, links[i].fdinfo);
        uprobes_in_link(fdinfo, append_uprobe, found);
        CHECK_OF(strcmp(found, links[i].uprobes) == 0, links[i].fdinfo);
    }
}

static const struct {
    const char *line, *name, *path; /* name NULL: none */
    unsigned long long offset;
} events[] = {
    {"p:sdt_python/line /lib/_catprobe.so:0x00000000000102d0(0x18fd8) arg1=%di:u64", "sdt_python:line",
     "/lib/_catprobe.so", 0x102d0},
    {"p:a/b /c:0x1/_catprobe.so:0x0000000000000002\n", "a:b", "/c:0x1/_catprobe.so", 2},
    {"r:a/b /lib/_catprobe.so:0x00000000000102d0", NULL, NULL, 0},
    {"p:a/b _catprobe.so:0x00000000000102d0", NULL, NULL, 0},
    {"p:a/b /lib/_catprobe.so", NULL, NULL, 0},
    {"p:a /lib/_catprobe.so:0x1", NULL, NULL, 0},
    {"# comment", NULL, NULL, 0},
    {"", NULL, NULL, 0},
};

static void test_tracefs(void) {
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        char name[32];
        struct uprobe uprobe;
        bool found = uprobe_in_tracefs(events[i].line, name, sizeof name, &uprobe);
        CHECK_OF(found == (events[i].name != NULL), events[i].line);
        if (found && events[i].name != NULL) {
            CHECK_OF(strcmp(name, events[i].name) == 0, events[i].line);
            CHECK_OF(strcmp(uprobe.path, events[i].path) == 0, events[i].line);
            CHECK_OF(uprobe.offset == events[i].offset && uprobe.only == 0, events[i].line);
        }
    }
}

/* The file's notes, then those of the file cut off everywhere and with random bytes in it: no crash. */
static void test_notes(const char *path, const char *scratch) {
    enum { ROOM = 64, BYTES_MAX = 1 << 20, ROUNDS = 500 };
    static char bytes[BYTES_MAX];
    static char damaged[BYTES_MAX];
    struct usdt_note notes[ROOM];
    size_t count = usdt_notes(path, "python", notes, ROOM);
    bool entry = false;
    for (size_t i = 0; i < count; i++) {
        entry |= strcmp(notes[i].name, "function-entry") == 0 && notes[i].offset > 0;
    }
    CHECK_OF(entry, "function-entry has a note");
    CHECK_OF(usdt_notes(path, "perl", notes, ROOM) == 0, "another provider");
    CHECK_OF(usdt_notes(path, "python", notes, 1) == 1, "room for one");
    CHECK_OF(usdt_notes("/dev/null", "python", notes, ROOM) == 0, "no file");

    FILE *file = fopen(path, "rb");
    size_t size = file == NULL ? 0 : fread(bytes, 1, sizeof bytes, file);
    CHECK_OF(size > 1000, "the file is read");
    fclose(file);
    srand(1);
    for (int round = 0; round < ROUNDS; round++) {
        bool cut = round % 2 == 0;
        memcpy(damaged, bytes, size);
        for (int i = 0; !cut && i < 2000; i++) {
            damaged[(size_t)rand() % size] = (char)rand();
        }
        for (int i = 0; !cut && i < 4; i++) { /* the header's offsets and counts, and the section headers */
            damaged[32 + rand() % 32] = (char)rand();
            damaged[size - 1 - (size_t)rand() % 2048] = (char)rand();
        }
        memcpy(damaged, bytes, 24);
        file = fopen(scratch, "wb");
        fwrite(damaged, 1, cut ? size * (size_t)round / ROUNDS : size, file);
        fclose(file);
        CHECK_OF(usdt_notes(scratch, "python", notes, ROOM) <= ROOM, "a damaged file");
    }
    unlink(scratch);
}

int main(int argc, char **argv) {
    test_links();
    test_tracefs();
    if (argc == 3) {
        test_notes(argv[1], argv[2]);
    }
    return failures != 0;
}
