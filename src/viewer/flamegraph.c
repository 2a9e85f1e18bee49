/*
 * flamegraph.c: a flame graph as SVG: the outermost frames at the top, each frame as wide as it has samples,
 * the widest first. It reads well without its script, which zooms and searches.
 *
 * A frame is an inner <svg>, so that its text is clipped by itself and zooming means to set x and width.
 */
#include "flamegraph.h"

#include "escape.h"
#include "formats.h"
#include "pages.h"

#include <stdlib.h>

enum {
    WIDTH = 1200, /* px, without the script */
    TOP = 60,     /* px above the frames: heading and tools */
    ROW = 17,
    BOTTOM = 10,
    LETTER = 7, /* px of a letter, rounded */
};

const char flamegraph_root_color[] = "rgb(214,218,226)";

static const char *const classes[] = {
    [PROFILE_PYTHON] = "python", [PROFILE_NATIVE] = "native",   [PROFILE_NOTE] = "note",
    [PROFILE_THREAD] = "thread", [PROFILE_PROCESS] = "process",
};

const char *flamegraph_class(enum profile_kind kind) {
    return classes[kind];
}

static void put_labelled(const struct profile *profile, uint32_t frame, const char *file, struct text *out) {
    uint32_t line = profile->frames[frame].line;
    escape_control(out, profile_name(profile, frame));
    if (file[0] != '\0') {
        text_string(out, " (");
        escape_control(out, file);
        if (line > 0) {
            text_format(out, ":%u", line);
        }
        text_char(out, ')');
    }
}

void flamegraph_title(const struct profile *profile, uint32_t frame, struct text *out) {
    put_labelled(profile, frame, profile_file(profile, frame), out);
}

void flamegraph_label(const struct profile *profile, uint32_t frame, struct text *out) {
    const char *file = profile_file(profile, frame);
    const char *slash = strrchr(file, '/');
    put_labelled(profile, frame, slash == NULL ? file : slash + 1, out);
}

/* By the function's name, so that it is the same in every graph: warm for Python, cool for C, grey for what
 * is no function. */
void flamegraph_color(const struct profile *profile, uint32_t frame, struct text *out) {
    enum profile_kind kind = profile_kind(profile, frame);
    uint32_t hash = 2166136261u;
    for (const char *name = profile_name(profile, frame); *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    unsigned a = hash >> 8 & 255;
    unsigned b = hash >> 16 & 255;
    unsigned c = hash >> 24;
    if (kind == PROFILE_PYTHON) {
        text_format(out, "rgb(%u,%u,%u)", 222 + a % 33, 120 + b % 100, 50 + c % 50);
    } else if (kind == PROFILE_NATIVE) {
        text_format(out, "rgb(%u,%u,%u)", 110 + a % 40, 180 + b % 35, 190 + c % 40);
    } else {
        text_string(out, flamegraph_root_color);
    }
}

/* A frame to be drawn. */
struct box {
    uint32_t node;
    uint32_t depth;
    uint64_t start; /* in samples */
};

struct drawing {
    const struct profile *profile;
    uint32_t *children; /* nodes but the first, those of a caller together, its widest first */
    uint32_t *first;    /* of each node: its first child in `children`; one more behind the last */
    struct box *boxes;  /* one for each node that is drawn, in the order of a walk down the tree */
    size_t count;
    uint32_t deepest;
};

struct child {
    uint32_t node, caller;
    uint64_t total;
};

static int compare_children(const void *a, const void *b) {
    const struct child *one = a;
    const struct child *other = b;
    if (one->caller != other->caller) {
        return one->caller < other->caller ? -1 : 1;
    }
    if (one->total != other->total) {
        return one->total > other->total ? -1 : 1;
    }
    return one->node < other->node ? -1 : one->node > other->node;
}

static bool find_children(struct drawing *drawing) {
    const struct profile *profile = drawing->profile;
    uint32_t count = profile->node_count - 1;
    struct child *sorted = malloc((count + 1) * sizeof *sorted);
    drawing->children = malloc((count + 1) * sizeof *drawing->children);
    drawing->first = calloc((size_t)count + 2, sizeof *drawing->first);
    if (sorted == NULL || drawing->children == NULL || drawing->first == NULL) {
        free(sorted);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct profile_node *node = &profile->nodes[i + 1];
        sorted[i] = (struct child){.node = i + 1, .caller = node->caller, .total = node->total};
        drawing->first[node->caller + 1]++;
    }
    qsort(sorted, count, sizeof *sorted, compare_children);
    for (uint32_t i = 0; i < count; i++) {
        drawing->children[i] = sorted[i].node;
        drawing->first[i + 1] += drawing->first[i];
    }
    drawing->first[count + 1] += drawing->first[count];
    free(sorted);
    return true;
}

static bool is_visible(const struct profile *profile, uint32_t node) {
    uint64_t total = profile->nodes[node].total;
    return total > 0 && total >= profile->nodes[0].total / FLAMEGRAPH_NARROWEST;
}

/* Walks down the tree; `pile` is what is still to be visited. */
static bool place_boxes(struct drawing *drawing) {
    const struct profile *profile = drawing->profile;
    struct box *pile = malloc(profile->node_count * sizeof *pile);
    drawing->boxes = malloc(profile->node_count * sizeof *drawing->boxes);
    if (pile == NULL || drawing->boxes == NULL) {
        free(pile);
        return false;
    }
    size_t piled = 0;
    pile[piled++] = (struct box){.node = 0};
    while (piled > 0) {
        struct box box = pile[--piled];
        drawing->boxes[drawing->count++] = box;
        drawing->deepest = box.depth > drawing->deepest ? box.depth : drawing->deepest;
        uint64_t end = box.start + profile->nodes[box.node].total - profile->nodes[box.node].self;
        for (uint32_t i = drawing->first[box.node + 1]; i-- > drawing->first[box.node];) {
            uint32_t child = drawing->children[i];
            end -= profile->nodes[child].total;
            if (is_visible(profile, child)) {
                pile[piled++] = (struct box){.node = child, .depth = box.depth + 1, .start = end};
            }
        }
    }
    free(pile);
    return true;
}

/* Writes the text of one of the functions above, escaped. */
static void put_escaped(void (*put)(const struct profile *profile, uint32_t frame, struct text *out),
                        const struct profile *profile, uint32_t frame, struct text *out) {
    struct text text = {.data = NULL};
    put(profile, frame, &text);
    text_char(&text, '\0');
    if (text.failed) {
        out->failed = true;
    } else {
        escape_xml(out, text.data);
    }
    text_free(&text);
}

/* As many of its letters as fit. */
static void put_clipped(const struct profile *profile, uint32_t frame, double width, struct text *out) {
    struct text label = {.data = NULL};
    long room = (long)(width - 6) / LETTER;
    flamegraph_label(profile, frame, &label);
    text_char(&label, '\0');
    if (room < 3 || label.failed) {
        out->failed |= label.failed;
        text_free(&label);
        return;
    }
    char *end = label.data;
    long letters = 0;
    char *cut = end; /* behind the letters that fit beside the sign that some are missing */
    for (; *end != '\0'; end++) {
        if (((unsigned char)*end & 0xc0) != 0x80 && letters++ == room - 1) {
            cut = end;
        }
    }
    bool fits = letters <= room;
    *(fits ? end : cut) = '\0';
    escape_xml(out, label.data);
    text_string(out, fits ? "" : "\xe2\x80\xa6");
    text_free(&label);
}

static void put_box(const struct profile *profile, const struct box *box, struct text *out) {
    const struct profile_node *node = &profile->nodes[box->node];
    uint32_t frame = node->frame;
    double all = profile->nodes[0].total > 0 ? (double)profile->nodes[0].total : 1;
    double share = box->node == 0 ? 1 : (double)node->total / all;
    bool is_root = box->node == 0;
    text_format(out, "<svg class=\"frame %s\" x=\"%.4f%%\" y=\"%u\" width=\"%.4f%%\" height=\"%d\"",
                classes[is_root ? PROFILE_NOTE : profile_kind(profile, frame)],
                100 * (double)box->start / all, TOP + box->depth * ROW, 100 * share, ROW);
    text_format(out, " data-start=\"%llu\" data-samples=\"%llu\" data-depth=\"%u\" data-label=\"",
                (unsigned long long)box->start, (unsigned long long)node->total, box->depth);
    if (is_root) {
        text_string(out, "all\"><title>all");
    } else {
        put_escaped(flamegraph_label, profile, frame, out);
        text_string(out, "\"><title>");
        put_escaped(flamegraph_title, profile, frame, out);
    }
    text_format(out, "\n%llu samples, %.2f%%</title><rect width=\"100%%\" height=\"%d\" fill=\"",
                (unsigned long long)node->total, 100 * share, ROW - 1);
    if (is_root) {
        text_string(out, flamegraph_root_color);
    } else {
        flamegraph_color(profile, frame, out);
    }
    text_string(out, "\"/><text x=\"3\" y=\"12\">");
    if (is_root) {
        text_string(out, "all");
    } else {
        put_clipped(profile, frame, share * WIDTH, out);
    }
    text_string(out, "</text></svg>\n");
}

static void put_head(const struct drawing *drawing, const char *style, struct text *out) {
    const struct profile *profile = drawing->profile;
    uint32_t height = TOP + (drawing->deepest + 1) * ROW + BOTTOM;
    text_format(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"flame\" width=\"%d\" height=\"%u\" "
                "viewBox=\"0 0 %d %u\" role=\"group\">\n<title>",
                WIDTH, height, WIDTH, height);
    escape_xml(out, profile->title);
    text_string(out, "</title>\n");
    if (style != NULL) {
        text_format(out, "<style>\n%s</style>\n", style);
    }
    text_string(out, "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n"
                     "<text class=\"heading\" x=\"50%\" y=\"19\">");
    escape_xml(out, profile->title);
    text_format(out, "</text>\n<text class=\"summary\" x=\"50%%\" y=\"44\">%llu samples in %.1f s</text>\n",
                (unsigned long long)profile->total, (double)(profile->end - profile->start) / 1e9);
}

void flamegraph_begin(const struct profile *profile, const char *style, struct text *out) {
    struct drawing drawing = {.profile = profile};
    if (find_children(&drawing) && place_boxes(&drawing)) {
        put_head(&drawing, style, out);
        for (size_t i = 0; i < drawing.count; i++) {
            put_box(profile, &drawing.boxes[i], out);
        }
    } else {
        out->failed = true;
    }
    free(drawing.children);
    free(drawing.first);
    free(drawing.boxes);
}

void flamegraph_end(struct text *out) {
    text_string(out, "</svg>\n");
}

void write_svg(const struct profile *profile, struct text *out) {
    text_string(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    flamegraph_begin(profile, page_flamegraph_css, out);
    text_string(out, "<script><![CDATA[\n");
    text_string(out, page_flamegraph_js);
    text_string(out, "flameGraph(document.documentElement);\n]]></script>\n");
    flamegraph_end(out);
}
