/*
 * The verbs for those who know no D: their options, and how these fill the places in a script.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "verbs.h"

#include "command.h"

#include <stdlib.h>
#include <string.h>

/* Code that is the program's own: not of the standard library, not installed, not without a file. */
#define OURS(file)                                                                                           \
    file " != 0 && index(copyinstr(" file "), \"/lib/python\") < 0 && "                                      \
         "index(copyinstr(" file "), \"-packages/\") < 0 && index(copyinstr(" file "), \"<\") != 0"

/* Each takes an option with its argument (NULL if it has none). Returns STATUS_OK, or another after a
 * message. */

int verb_take_pid(void *context, const char *argument) {
    struct verb_line *line = context;
    return parse_pid(argument, &line->pids[line->request.pid_count++]) ? STATUS_OK : STATUS_USAGE;
}

static int take_duration(void *context, const char *argument) {
    struct verb_line *line = context;
    return parse_duration("-d", argument, "s", &line->request.compiler.options[OPTION_MAXTIME]);
}

/* A part of a probe description: what would end it is refused, and what D has no place for there, as in
   "<module>", is any one character. The glob is for as long as the command runs. */
static int take_glob(const char *option, const char *argument, const char **glob) {
    if (argument[0] == '\0' || argument[strcspn(argument, ":,;{}/ \t\n\"$")] != '\0') {
        return command_usage_error("%s takes a name, with * and ? for what is not known, not '%s'", option,
                                   argument);
    }
    char *copy = command_allocate(strlen(argument) + 1, 1);
    strcpy(copy, argument);
    for (char *at = copy; (at = strpbrk(at, "<>")) != NULL;) {
        *at = '?';
    }
    *glob = copy;
    return STATUS_OK;
}

static int take_file(void *context, const char *argument) {
    struct verb_line *line = context;
    return take_glob("--file", argument, &line->file);
}

static int take_function(void *context, const char *argument) {
    struct verb_line *line = context;
    return take_glob("--function", argument, &line->function);
}

static int take_mine(void *context, const char *argument) {
    struct verb_line *line = context;
    (void)argument;
    line->mine = true;
    return STATUS_OK;
}

int verb_take_thread(void *context, const char *argument) {
    struct verb_line *line = context;
    (void)argument;
    line->thread = true;
    return STATUS_OK;
}

static int take_output(void *context, const char *argument) {
    struct verb_line *line = context;
    line->request.output = argument;
    return STATUS_OK;
}

static int take_json(void *context, const char *argument) {
    struct verb_line *line = context;
    (void)argument;
    const char *problem = dlang_option(line->request.compiler.options, "oformat=json", false);
    return problem == NULL ? STATUS_OK : command_error("--json: %s", problem);
}

static int take_all(void *context, const char *argument) {
    struct verb_line *line = context;
    (void)argument;
    line->request.all = true;
    return STATUS_OK;
}

int verb_take_program(void *context, char *const *program) {
    struct verb_line *line = context;
    line->request.program = program;
    return STATUS_OK;
}

const struct verb_option verb_options[] = {
    {"-p", true, verb_take_pid},         {"-d", true, take_duration},
    {"-o", true, take_output},           {"--file", true, take_file},
    {"--function", true, take_function}, {"--mine", false, take_mine},
    {"--all", false, take_all},          {NULL, false, NULL},
};

/* Of those verbs that print lines. */
static const struct verb_option printing_options[] = {
    {"--thread", false, verb_take_thread},
    {"--json", false, take_json},
    {NULL, false, NULL},
};

static const struct verb_words printing_words = {
    .tables = (const struct verb_option *const[]){verb_options, printing_options, NULL},
    .take_word = verb_take_pid,
    .take_program = verb_take_program,
};

/* A growing text. */
struct script {
    char *text;
    size_t length, room;
};

static void append(struct script *script, const char *text, size_t length) {
    if (script->length + length + 1 > script->room) {
        size_t room = (script->length + length + 1) * 2;
        char *larger = command_allocate(room, 1);
        if (script->length > 0) {
            memcpy(larger, script->text, script->length);
        }
        free(script->text);
        script->text = larger;
        script->room = room;
    }
    memcpy(script->text + script->length, text, length);
    script->length += length;
    script->text[script->length] = '\0';
}

/* The end of a place "${...}", at its closing brace; braces within it are in pairs. */
static const char *place_end(const char *text) {
    int depth = 0;
    for (;; text++) {
        if (*text == '{') {
            depth++;
        } else if (*text == '}' && --depth == 0) {
            return text;
        }
    }
}

static bool is_named(const struct verb_place *place, const char *name, size_t length) {
    return place->name != NULL && strlen(place->name) == length && memcmp(place->name, name, length) == 0;
}

/* NULL: there is none of that name. */
static const struct verb_place *find_place(const struct verb_place *places, size_t count, const char *name,
                                           size_t length) {
    for (size_t i = 0; i < count; i++) {
        if (is_named(&places[i], name, length)) {
            return &places[i];
        }
    }
    return NULL;
}

/* Copies text[0, length) with its places filled. */
static void fill(struct script *script, const struct verb_line *line, const char *text, size_t length) {
    const struct verb_place common[] = {
        {"file", line->file, false},   {"function", line->function, false},
        {"ours", OURS("arg0"), false}, {"ours_raised", OURS("arg2"), false},
        {"mine", NULL, line->mine},    {"thread", NULL, line->thread},
    };
    const char *end = text + length;
    while (text < end) {
        if (text[0] != '$' || text[1] != '{') {
            append(script, text++, 1);
            continue;
        }
        const char *name = text + 2;
        const char *close = place_end(text);
        size_t name_size = strcspn(name, "?}");
        const struct verb_place *place =
            find_place(common, sizeof common / sizeof common[0], name, name_size);
        if (place == NULL) {
            place = find_place(line->places, VERB_PLACES_MAX, name, name_size);
        }
        if (place != NULL && place->text != NULL) {
            append(script, place->text, strlen(place->text));
        } else if (place != NULL && place->holds) {
            const char *inner = name + name_size + 1;
            fill(script, line, inner, (size_t)(close - inner));
        }
        text = close + 1;
    }
}

int verb_run(struct verb_line *line, const char *name) {
    const struct verb_script *verb = verb_scripts;
    while (strcmp(verb->name, name) != 0) {
        verb++;
    }
    struct script script = {.text = NULL};
    const char *body = strstr(verb->text, "*/\n"); /* behind the comment that explains the places */
    body = body == NULL ? verb->text : body + 3;
    fill(&script, line, body, strlen(body));
    struct dlang_source source = {.name = verb->name, .text = script.text, .kind = 's'};
    line->request.compiler.sources = &source;
    line->request.compiler.source_count = 1;
    line->request.given = &verb->name;
    int status = trace_run(&line->request);
    line->request.compiler.sources = NULL;
    line->request.given = NULL;
    free(script.text);
    return status;
}

void verb_line_open(struct verb_line *line, int argc) {
    line->pids = command_allocate((size_t)argc, sizeof *line->pids);
    line->file = line->function = "";
    for (int i = 0; i < OPTION_COUNT; i++) {
        line->request.compiler.options[i] = OPTION_UNSET;
    }
    line->request.pids = line->pids;
    line->request.compiler.zero_matches = true;
    line->request.must_trace = true;
}

void verb_line_close(struct verb_line *line) {
    free(line->pids);
}

int command_verb(int argc, char **argv) {
    struct verb_line line = {.pids = NULL};
    verb_line_open(&line, argc);
    int status = verb_options_take(&printing_words, &line, argc, argv);
    if (status == STATUS_OK) {
        status = verb_run(&line, argv[0]);
    }
    verb_line_close(&line);
    return status;
}
