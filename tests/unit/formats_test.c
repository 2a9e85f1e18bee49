/*
 * Unit tests of the viewer, on profiles made by hand. Silent when all is well. With FILE... it writes a
 * profile with names of all kinds to each, in the format of its suffix, for the readers of test_formats.py;
 * and then one with `large` in front, which has many stacks.
 */
#include "check.h"
#include "viewer/formats.h"
#include "viewer/gzip.h"

#include <stdlib.h>

enum { PERIOD = 10000000 };

/* Names that must not break any format. */
static const char *const names[] = {
    "<lambda>",       "a&b\"c'd<e>", "na\xc3\xafve_\xe7\x8c\xab",
    "semi;colon two", "line\nend",   "]]></script><!--",
    "\x1b[31mred",    "\xff\xfe",
};
static const char *const files[] = {
    "/srv/app/\"quoted\" & <tagged>.py", "/srv/app/\xe7\x8c\xab.py", "/srv/app/new\nline.py", "<string>", "",
};

enum { NAMES = sizeof names / sizeof names[0], FILES = sizeof files / sizeof files[0] };

static uint32_t call(struct profile *profile, uint32_t caller, const char *name, const char *file,
                     uint32_t line, enum profile_kind kind) {
    struct profile_function function = {.name = profile_string(profile, name),
                                        .file = profile_string(profile, file),
                                        .first_line = line > 0 ? line - 1 : 0,
                                        .kind = kind};
    return profile_node(profile, caller, profile_frame(profile, profile_function(profile, function), line));
}

static uint32_t thread(struct profile *profile, uint32_t pid, uint32_t tid, const char *name) {
    return profile_thread(profile,
                          (struct profile_thread){.pid = pid,
                                                  .tid = tid,
                                                  .name = profile_string(profile, name),
                                                  .command = profile_string(profile, "python <app>.py")});
}

static void open_profile(struct profile *profile) {
    *profile = (struct profile){.ordered = true,
                                .period = PERIOD,
                                .title = "python <app>.py & \"others\"",
                                .exporter = "catprobe test",
                                .start = UINT64_C(5000000000),
                                .end = UINT64_C(7000000000),
                                .start_date = UINT64_C(1700000000000000000)};
    profile_open(profile);
}

/* main calls busy for 60 samples, rest for 30, and <time.sleep> by rest for 10 of these; a second thread has
   20 of busy, after half a second; and one of each odd name. */
static void fill(struct profile *profile) {
    uint32_t first = thread(profile, 100, 101, "MainThread");
    uint32_t second = thread(profile, 100, 102, "worker \"<1>\"");
    uint32_t root = call(profile, 0, "main", "/srv/app/app.py", 10, PROFILE_PYTHON);
    uint32_t busy = call(profile, root, "busy", "/srv/app/app.py", 20, PROFILE_PYTHON);
    uint32_t rest = call(profile, root, "rest", "/srv/app/app.py", 30, PROFILE_PYTHON);
    uint32_t sleep = call(profile, rest, "<time.sleep>", "", 0, PROFILE_NATIVE);
    uint64_t time = profile->start;
    for (int i = 0; i < 90; i++, time += PERIOD)
        profile_add(profile, time, first, i < 60 ? busy : i < 80 ? rest : sleep);
    for (int i = 0; i < NAMES; i++, time += PERIOD)
        profile_add(profile, time, first,
                    call(profile, root, names[i], files[i % FILES], 40 + (uint32_t)i, PROFILE_PYTHON));
    time = profile->start + UINT64_C(500000000);
    for (int i = 0; i < 20; i++, time += PERIOD)
        profile_add(profile, time, second, busy);
}

/* A random tree of 20000 stacks. */
static void fill_large(struct profile *profile) {
    uint32_t nodes[20000] = {0};
    uint32_t random = 1;
    uint32_t of = thread(profile, 100, 101, "MainThread");
    for (uint32_t i = 1; i < sizeof nodes / sizeof nodes[0]; i++) {
        random = random * 1664525 + 1013904223;
        char name[32];
        snprintf(name, sizeof name, "function_%u", random >> 8 & 1023);
        nodes[i] = call(profile, nodes[(random >> 4) % i], name, "/srv/app/large.py", 1 + (random >> 20),
                        PROFILE_PYTHON);
        profile_add(profile, profile->start + (uint64_t)i * PERIOD, of, nodes[i]);
    }
}

static const char *written(const char *format, const struct profile *profile) {
    static char copy[1 << 16];
    struct text out = {.data = NULL};
    profile_format_named(format)->write(profile, &out);
    CHECK(!out.failed);
    snprintf(copy, sizeof copy, "%.*s", (int)out.length, out.data);
    text_free(&out);
    return copy;
}

static void equal_things_have_one_number(void) {
    struct profile profile;
    open_profile(&profile);
    uint32_t node = call(&profile, 0, "f", "f.py", 3, PROFILE_PYTHON);
    CHECK(node == call(&profile, 0, "f", "f.py", 3, PROFILE_PYTHON));
    CHECK(node != call(&profile, 0, "f", "f.py", 4, PROFILE_PYTHON));
    CHECK(node != call(&profile, 0, "f", "g.py", 3, PROFILE_PYTHON));
    CHECK(node != call(&profile, 0, "f", "f.py", 3, PROFILE_THREAD));
    CHECK(node != call(&profile, node, "f", "f.py", 3, PROFILE_PYTHON));
    CHECK(thread(&profile, 1, 2, "a") == thread(&profile, 1, 2, "a"));
    CHECK(thread(&profile, 1, 2, "a") != thread(&profile, 1, 2, "b"));
    CHECK(!profile.failed);
    profile_close(&profile);
}

static void totals_add_up(void) {
    struct profile profile;
    open_profile(&profile);
    fill(&profile);
    profile_finish(&profile);
    CHECK(profile.total == 90 + NAMES + 20 && profile.nodes[0].total == profile.total);
    for (uint32_t i = 1; i < profile.node_count; i++) {
        if (strcmp(profile_name(&profile, profile.nodes[i].frame), "rest") == 0)
            CHECK(profile.nodes[i].self == 20 && profile.nodes[i].total == 30);
    }
    profile_close(&profile);
}

static void collapsed_is_one_line_a_stack(void) {
    struct profile profile;
    open_profile(&profile);
    fill(&profile);
    profile_finish(&profile);
    SAME(written("collapsed", &profile),
         "main (/srv/app/app.py:10);busy (/srv/app/app.py:20) 80\n"
         "main (/srv/app/app.py:10);rest (/srv/app/app.py:30) 20\n"
         "main (/srv/app/app.py:10);rest (/srv/app/app.py:30);<time.sleep> 10\n"
         "main (/srv/app/app.py:10);<lambda> (/srv/app/\"quoted\" & <tagged>.py:40) 1\n"
         "main (/srv/app/app.py:10);a&b\"c'd<e> (/srv/app/\xe7\x8c\xab.py:41) 1\n"
         "main (/srv/app/app.py:10);na\xc3\xafve_\xe7\x8c\xab (/srv/app/new\\x0aline.py:42) 1\n"
         "main (/srv/app/app.py:10);semi,colon two (<string>:43) 1\n"
         "main (/srv/app/app.py:10);line\\x0aend 1\n"
         "main (/srv/app/app.py:10);]]></script><!-- (/srv/app/\"quoted\" & <tagged>.py:45) 1\n"
         "main (/srv/app/app.py:10);\\x1b[31mred (/srv/app/\xe7\x8c\xab.py:46) 1\n"
         "main (/srv/app/app.py:10);\xef\xbf\xbd\xef\xbf\xbd (/srv/app/new\\x0aline.py:47) 1\n");
    profile_close(&profile);
}

static void nothing_recorded_can_be_written(void) {
    static const char *const formats[] = {"svg", "html", "collapsed", "speedscope", "pprof", "perfetto"};
    struct profile profile;
    open_profile(&profile);
    profile_finish(&profile);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        written(formats[i], &profile);
    profile_close(&profile);
}

static void a_file_has_its_format(void) {
    static const struct {
        const char *file, *format;
    } rows[] = {
        {"a.svg", "svg"},          {"a.speedscope.json", "speedscope"}, {"a.pb.gz", "pprof"},
        {"b.folded", "collapsed"}, {"/tmp/x.pftrace", "perfetto"},      {"a.htm", "html"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_OF(profile_format_of_file(rows[i].file) == profile_format_named(rows[i].format), rows[i].file);
    CHECK(profile_format_of_file("svg") == NULL && profile_format_of_file("a.png") == NULL &&
          profile_format_named("") == NULL);
    CHECK(profile_format_named("flamegraph") == profile_format_named("svg"));
}

/* Stored blocks are at most 65535 bytes. */
static void gzip_has_blocks(void) {
    static char bytes[70000];
    struct text out = {.data = NULL};
    gzip_stored(&out, bytes, sizeof bytes);
    CHECK(out.length == 10 + 5 + 65535 + 5 + sizeof bytes - 65535 + 8);
    CHECK(out.data[10] == 0 && out.data[10 + 5 + 65535] == 1);
    text_free(&out);
}

static int write_files(int argc, char **argv) {
    struct profile profile;
    open_profile(&profile);
    bool large = strcmp(argv[1], "large") == 0;
    (large ? fill_large : fill)(&profile);
    profile_finish(&profile);
    for (int i = large ? 2 : 1; i < argc; i++) {
        struct text out = {.data = NULL};
        FILE *file = fopen(argv[i], "wb");
        profile_format_of_file(argv[i])->write(&profile, &out);
        CHECK(file != NULL && fwrite(out.data, 1, out.length, file) == out.length && fclose(file) == 0);
        text_free(&out);
    }
    profile_close(&profile);
    return failures != 0;
}

int main(int argc, char **argv) {
    if (argc > 1)
        return write_files(argc, argv);
    equal_things_have_one_number();
    totals_add_up();
    collapsed_is_one_line_a_stack();
    nothing_recorded_can_be_written();
    a_file_has_its_format();
    gzip_has_blocks();
    return failures != 0;
}
