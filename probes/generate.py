#!/usr/bin/env python3
"""Makes the C and the documentation of the provider from python.d beside this file.

    python generate.py OUTDIR    write probes.h, probes.c, sites.h and sites.c there, those that changed only
    python generate.py --docs    print docs/probes.md

setup.py imports this file at build time, so it keeps to Python 3.6 and the standard library.
"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PROVIDER = os.path.join(HERE, "python.d")

# Type in python.d -> bytes of the operand in the note, negative where it is signed (LP64). A pointer has 8.
OPERAND_SIZES = {
    "char": -1,
    "unsigned char": 1,
    "short": -2,
    "unsigned short": 2,
    "int": -4,
    "unsigned int": 4,
    "long": -8,
    "unsigned long": 8,
}

TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/) | (?P<space>\s+|^\#[^\n]*) | (?P<word>[A-Za-z_]\w*) | (?P<mark>[{}();,*])""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


class Malformed(Exception):
    """What is wrong in a provider file, as `FILE:LINE: what`."""


class Argument:
    """One argument of a probe: its D type (`char *`) and its name."""

    def __init__(self, type, name):
        self.type = type
        self.name = name

    @property
    def pointer(self):
        return self.type.endswith("*")

    @property
    def c_type(self):
        return "const " + self.type if self.type == "char *" else self.type

    @property
    def operand_size(self):
        return 8 if self.pointer else OPERAND_SIZES[self.type]

    def declare(self, type=None):
        type = type or self.c_type
        return type + ("" if self.pointer else " ") + self.name


class Probe:
    """One probe: `note` is its name in the provider file and in the ELF note (`function__entry`)."""

    def __init__(self, provider, note, arguments, description):
        self.provider = provider
        self.note = note
        self.arguments = arguments
        self.description = description

    @property
    def name(self):
        return self.note.replace("__", "-")

    @property
    def identifier(self):
        return self.note.replace("__", "_")

    @property
    def constant(self):
        return "PROBE_" + self.identifier.upper()

    @property
    def function(self):
        return self.provider + "_" + self.identifier

    @property
    def semaphore(self):
        return "{}_{}_semaphore".format(self.provider, self.note)

    @property
    def dtrace_macro(self):
        return self.function.upper()

    @property
    def prototype(self):
        return "void {}({})".format(self.function, ", ".join(a.declare() for a in self.arguments) or "void")


class Parser:
    """Reads the provider declaration of DTrace: `provider NAME { probe NAME(TYPE NAME, ...); ... };`."""

    def __init__(self, text, path):
        self.text = text
        self.path = path
        self.tokens = list(self.tokenize())
        self.position = 0

    def fail(self, offset, message):
        line = self.text.count("\n", 0, offset) + 1
        raise Malformed("{}:{}: {}".format(self.path, line, message))

    def tokenize(self):
        offset = 0
        while offset < len(self.text):
            match = TOKEN.match(self.text, offset)
            if not match:
                if self.text.startswith("/*", offset):
                    self.fail(offset, "this comment has no end")
                self.fail(offset, "unexpected character {!r}".format(self.text[offset]))
            if match.lastgroup != "space":
                yield match.lastgroup, match.group(), offset
            offset = match.end()
        yield "end", "the end of the file", offset

    def next(self):
        """The next token, and the comment that stood right before it ("" where there was none)."""
        comment = ""
        while self.tokens[self.position][0] == "comment":
            comment = self.tokens[self.position][1]
            self.position += 1
        token = self.tokens[self.position]
        self.position += token[0] != "end"
        return token, comment

    def expect(self, wanted):
        (_, found, offset), comment = self.next()
        if found != wanted:
            self.fail(offset, "expected {!r}, found {!r}".format(wanted, found))
        return comment

    def word(self, what):
        (kind, found, offset), _ = self.next()
        if kind != "word":
            self.fail(offset, "expected the name of {}, found {!r}".format(what, found))
        return found, offset

    def provider(self):
        self.expect("provider")
        provider, offset = self.word("the provider")
        self.expect("{")
        probes = []
        while True:
            (_, found, offset), comment = self.next()
            if found == "}":
                break
            if found != "probe":
                self.fail(offset, "expected 'probe' or '}}', found {!r}".format(found))
            probe = self.probe(provider, comment, offset)
            if probe.note in [p.note for p in probes]:
                self.fail(offset, "probe {} is declared twice".format(probe.note))
            probes.append(probe)
        self.expect(";")
        (kind, found, offset), _ = self.next()
        if kind != "end":
            self.fail(offset, "expected one provider only, found {!r} after it".format(found))
        if not probes:
            self.fail(offset, "the provider has no probes")
        return probes

    def probe(self, provider, comment, offset):
        note, _ = self.word("a probe")
        if not comment:
            self.fail(
                offset, "probe {} has no comment above it; write one: it is the description".format(note)
            )
        self.expect("(")
        arguments = []
        while True:
            (_, found, offset), _ = self.next()
            if found == ")" and not arguments:
                break
            self.position -= 1
            arguments.append(self.argument())
            (_, found, offset), _ = self.next()
            if found == ")":
                break
            if found != ",":
                self.fail(offset, "expected ',' or ')', found {!r}".format(found))
        self.expect(";")
        return Probe(provider, note, arguments, plain(comment))

    def argument(self):
        words, stars = [], 0
        start = self.tokens[self.position][2]
        while self.tokens[self.position][0] == "word" or self.tokens[self.position][1] == "*":
            (_, found, _), _ = self.next()
            if found == "*":
                stars += 1
            else:
                words.append(found)
        if len(words) < 2:
            self.fail(start, "expected the type and the name of an argument, such as 'int line'")
        type = " ".join(words[:-1])
        if stars:
            type += " " + "*" * stars
        elif type not in OPERAND_SIZES:
            known = ", ".join(sorted(OPERAND_SIZES))
            self.fail(start, "type {!r} is neither a pointer nor one of {}".format(type, known))
        return Argument(type, words[-1])


def plain(comment):
    """The text of a comment on one line."""
    lines = (line.strip().lstrip("*").strip() for line in comment[2:-2].splitlines())
    return " ".join(line for line in lines if line)


def parse(path=PROVIDER):
    """The probes of a provider file, in its order. Raises Malformed."""
    with open(path, encoding="utf-8") as file:
        return Parser(file.read(), path).provider()


def c_string(text):
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))


GENERATED = "Generated from probes/python.d by probes/generate.py; change those.\n"

PROBES_H = """\
/*
 * The table of the probes. {generated} */
#ifndef PROBES_H
#define PROBES_H

/* In the order of python.d. */
enum probe {{
{constants}
    PROBE_COUNT
}};

enum {{ PROBE_ARGUMENTS_MAX = {arguments_max} }};

struct probe_description {{
    const char *name;     /* in D: "function-entry" */
    const char *note;     /* in the ELF note and in python.d: "function__entry" */
    const char *function; /* symbol of the function that holds its site: "python_function_entry" */
    int argument_count;
    struct {{
        const char *type; /* in D: "char *" */
        const char *name;
    }} arguments[PROBE_ARGUMENTS_MAX]; /* the first argument_count of them */
    const char *description;
}};

/* Indexed by enum probe; constant, so any thread may read it. */
extern const struct probe_description probe_table[PROBE_COUNT];

#endif
"""

PROBES_C = """\
/*
 * The table of the probes. {generated} */
#include "probes.h"

const struct probe_description probe_table[PROBE_COUNT] = {{
{entries}
}};
"""

SITES_H = """\
/*
 * The USDT sites, one function for each probe. {generated} */
#ifndef SITES_H
#define SITES_H

#include "probes.h"

/*
 * 1 where kernel tracers can see the sites: by ELF notes on Linux (usdt.h), by DTrace's own header where
 * setup.py made one and defined PROBES_BY_DTRACE. Elsewhere, and with CATPROBE_NO_USDT defined, 0, and the
 * sites are empty.
 */
#if defined CATPROBE_NO_USDT
#    define PROBES_HAVE_USDT 0
#elif defined PROBES_BY_DTRACE
#    define PROBES_HAVE_USDT 1
#elif defined __linux__ && defined __LP64__ && (defined __x86_64__ || defined __aarch64__)
#    define PROBES_HAVE_USDT 1
#else
#    define PROBES_HAVE_USDT 0
#endif

/*
 * How many kernel tracers have the probe enabled at this moment (0 or not 0, where DTrace made the header).
 * One volatile read, by any thread; the kernel may change it at any time.
 */
unsigned probe_tracers(enum probe probe);

/*
 * Each passes its site, a nop unless a tracer has put a breakpoint there: any thread, no lock, no failure,
 * errno kept. Strings are borrowed for the call; a string may be NULL.
 */
{prototypes}

#endif
"""

SITES_C = """\
/*
 * The USDT sites. Each has a function of its own, never inlined or cloned, so that a probe has exactly one
 * note and its operands are registers. {generated} */
#include "sites.h"

#if !PROBES_HAVE_USDT

unsigned probe_tracers(enum probe probe) {{
    (void)probe;
    return 0;
}}

{empty_functions}

#elif defined PROBES_BY_DTRACE

/* Made by `dtrace -h -s probes/python.d`. It takes char *, so const is cast away; nothing writes there. */
#    include "python_provider.h"

{dtrace_enabled}

static unsigned (*const enabled[PROBE_COUNT])(void) = {{
{dtrace_table}
}};

unsigned probe_tracers(enum probe probe) {{ return enabled[probe](); }}

{dtrace_functions}

#else

#    include "usdt.h"

{semaphores}

static volatile unsigned short *const semaphores[PROBE_COUNT] = {{
{semaphore_table}
}};

unsigned probe_tracers(enum probe probe) {{ return *semaphores[probe]; }}

{site_functions}

#endif
"""


def table_entry(probe):
    arguments = ", ".join("{{{}, {}}}".format(c_string(a.type), c_string(a.name)) for a in probe.arguments)
    entry = (
        "    [{constant}] =\n"
        "        {{\n"
        "            .name = {name},\n"
        "            .note = {note},\n"
        "            .function = {function},\n"
        "            .argument_count = {count},\n"
        "{arguments}"
        "            .description = {description},\n"
        "        }},"
    )
    return entry.format(
        constant=probe.constant,
        name=c_string(probe.name),
        note=c_string(probe.note),
        function=c_string(probe.function),
        count=len(probe.arguments),
        arguments="            .arguments = {{{}}},\n".format(arguments) if arguments else "",
        description=c_string(probe.description),
    )


def site_function(probe):
    operands = ' " " '.join('USDT_OPERAND("{}", {})'.format(a.operand_size, a.name) for a in probe.arguments)
    inputs = "".join(", USDT_INPUT({})".format(a.name) for a in probe.arguments)
    return "USDT_FUNCTION {} {{\n    USDT_SITE({}, {}, {}{});\n}}".format(
        probe.prototype, probe.provider, probe.note, operands or '""', inputs
    )


def dtrace_function(probe):
    arguments = ", ".join(("({}){}" if a.pointer else "{1}").format(a.type, a.name) for a in probe.arguments)
    return "{} {{\n    {}({});\n}}".format(probe.prototype, probe.dtrace_macro, arguments)


def empty_function(probe):
    unused = "".join("    (void){};\n".format(a.name) for a in probe.arguments)
    return "{} {{\n{}}}".format(probe.prototype, unused)


def c_files(probes):
    """The generated files: name -> text."""

    def each(form, separator="\n"):
        return separator.join(form(probe) for probe in probes)

    return {
        "probes.h": PROBES_H.format(
            generated=GENERATED,
            constants=each(lambda p: "    {},".format(p.constant)),
            arguments_max=max(1, max(len(p.arguments) for p in probes)),
        ),
        "probes.c": PROBES_C.format(generated=GENERATED, entries=each(table_entry)),
        "sites.h": SITES_H.format(generated=GENERATED, prototypes=each(lambda p: p.prototype + ";")),
        "sites.c": SITES_C.format(
            generated=GENERATED,
            empty_functions=each(empty_function, "\n\n"),
            dtrace_enabled=each(
                lambda p: "static unsigned {}_enabled(void) {{ return {}_ENABLED(); }}".format(
                    p.identifier, p.dtrace_macro
                )
            ),
            dtrace_table=each(lambda p: "    [{}] = {}_enabled,".format(p.constant, p.identifier)),
            dtrace_functions=each(dtrace_function, "\n\n"),
            semaphores=each(lambda p: "USDT_SEMAPHORE({}, {});".format(p.provider, p.note)),
            semaphore_table=each(lambda p: "    [{}] = &{},".format(p.constant, p.semaphore)),
            site_functions=each(site_function, "\n\n"),
        ),
    }


def write(folder, probes=None):
    """Writes the C files into a folder, made if need be; a file that is right keeps its time stamp."""
    os.makedirs(folder, exist_ok=True)
    for name, text in c_files(probes or parse()).items():
        path = os.path.join(folder, name)
        try:
            with open(path, encoding="utf-8") as file:
                if file.read() == text:
                    continue
        except FileNotFoundError:
            pass
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def documentation(probes):
    """The text of docs/probes.md."""
    rows = []
    for probe in probes:
        arguments = "<br>".join(
            "`arg{} {}`".format(i, a.declare(a.type)) for i, a in enumerate(probe.arguments)
        )
        rows.append("| `{}` | {} | {} |".format(probe.name, arguments, probe.description))
    return (
        "<!-- Made from probes/python.d by `make docs`. -->\n"
        "# The probes of the provider `{}`\n\n"
        "In D a probe is `{}$target:::function-entry`; for bpftrace, perf, gdb and SystemTap its name is\n"
        "`function__entry`, with two underscores where D has a dash. A string that does not encode to\n"
        "UTF-8 is NULL.\n\n"
        "| probe | arguments | when it fires |\n"
        "| --- | --- | --- |\n"
        "{}\n"
    ).format(probes[0].provider, probes[0].provider, "\n".join(rows))


def main(arguments):
    if len(arguments) != 1 or (arguments[0].startswith("-") and arguments[0] != "--docs"):
        sys.exit("usage: generate.py OUTDIR | --docs")
    try:
        probes = parse()
    except Malformed as error:
        sys.exit(str(error))
    if arguments[0] == "--docs":
        sys.stdout.write(documentation(probes))
    else:
        write(arguments[0], probes)


if __name__ == "__main__":
    main(sys.argv[1:])
