#!/usr/bin/env python3
"""The lightning talk, as slides in a terminal of any size: python3 presentation.py

The keys, each with a <cr> behind it: nothing for the next slide, b back, r redraw, ? help, q quit.
In a pipe it just prints all slides.
"""

import contextlib
import os
import sys
import textwrap

# A slide is its title and its text. Lines are wrapped to the width of the terminal; "$ " begins a command and
# "* " an item, which are indented where they wrap, and "|" a line of a picture, which keeps its spaces.
SLIDES = [
    """
    DTrace and Python

    Live, inside a running server.

    Any CPython from 3.6 to 3.15: the one that you already have.
    """,
    """
    Once upon a time

    To look inside a running Python you needed:

    * a Mac
    * root
    * a Python that you built yourself, --with-dtrace
    * and then a server that was started with that one
    """,
    """
    Today

    * any stock CPython, no special build
    * Linux, macOS, FreeBSD, illumos
    * no root, no tracer: catprobe runs D scripts itself
    * or what is there: dtrace, bpftrace, perf, SystemTap, gdb

    $ pip install .

    Nobody listens? Then nothing is hooked, and it costs nothing.
    """,
    """
    A hot new startup

    | /\\_/\\
    |( o.o )
    | > ^ <

    Every day a personalised cat video, just for you.

    We read your profile, search the web, and find the one cat. It is an MVP, for angel investors.
    """,
    """
    The server

    * go() serves rounds of requests, for ever
    * find() searches the web, link by link: *
    * new_cat_video() personalises, which is hard work: +

    $ python -m catdemo

    It is slow in production. Which part of it? We may not restart it.
    """,
    """
    Live demo!

    $ catprobe -s d_demo/a_py_flowinfo.d -p PID
    $ catprobe -s d_demo/b_py_calltime.d -p PID
    $ catprobe -s d_demo/c_py_calldist.d -p PID

    Or sudo dtrace -s; or the .bt beside each for bpftrace.
    """,
    """
    All calls, as they happen

    $ catprobe -s d_demo/a_py_flowinfo.d -p PID

    Too much? One function, then:

    $ ... a_py_flowinfo.d -p PID new_cat_video

    Or type the predicate into the script:

    $ /copyinstr(arg1) == "new_cat_video"/
    """,
    """
    Function counting

    $ catprobe -s d_demo/b_py_calltime.d -p PID

    * how often each function was called
    * exclusive: the time in itself
    * inclusive: and in all that it called

    But all those numbers, can't we have pictures?
    """,
    """
    Pictures

    $ catprobe -s d_demo/c_py_calldist.d -p PID

    | value  -- Distribution --  count
    | 65536 |                    0
    |131072 |@@@@@@@@@           6
    |262144 |@@@@@@@@@@@         8
    |524288 |                    0

    new_cat_video takes 0.1 to 0.4 s.
    """,
    """
    How it works

    * CPython has hooks for calls, lines, gc, imports
    * catprobe fires a USDT probe from each
    * a tracer asks: the hooks are armed
    * it leaves: they are gone

    The provider is called python, as CPython's own, so that the old scripts run.
    """,
    """
    Further resources

    * dtrace.org/blogs
    * brendangregg.com/dtrace.html
    * brendangregg.com/ebpf.html
    * github.com/bpftrace/bpftrace
    * github.com/benfred/py-spy
    * d_demo/ and docs/ in this repository
    """,
    """
    And one picture more

    $ catprobe record PID --idle -o flame.svg

    |go__________________________ go_____
    |find______________ find____  (sleeps)
    |find____ find____  new_cat_
    |new_cat_ new_cat_

    A flame graph, for any browser: docs/images/flamegraph.svg
    """,
    """
    Thank you!

    | /\\_/\\
    |( ^.^ )
    | > ^ <

    Questions?
    """,
]

HELP = """
Keys

| <cr>   next slide
| b<cr>  previous slide
| r<cr>  redraw, after a resize
| ?<cr>  this help
| q<cr>  quit
"""


def layout(text, width):
    """The lines of a slide, the title first, none of them longer than width."""
    lines = []
    for line in textwrap.dedent(text).strip().splitlines():
        if line.startswith("|"):
            lines += [line[start : start + width] for start in range(1, len(line), width)]
        else:
            hang = "  " if line[:2] in ("$ ", "* ") and width > 8 else ""
            lines += textwrap.wrap(line, width, subsequent_indent=hang, break_on_hyphens=False) or [""]
    return lines


def pages(text, columns, rows):
    """A slide as a list of pages of lines; more than one only where the terminal is too small for it."""
    lines = layout(text, max(columns - 1, 1))
    height = max(rows - 1, 1)  # the last row is for the keys
    if len(lines) > height:
        lines = [line for line in lines if line]
    return [lines[start : start + height] for start in range(0, len(lines), height)]


def draw(lines, columns, rows, prompt, titled):
    """Clear the screen, put the lines in the middle of it, and the prompt into its last row."""
    left = max((columns - max(map(len, lines))) // 2, 0)
    above = max((rows - 1 - len(lines)) // 2, 0)
    below = max(rows - 1 - above - len(lines), 0)
    shown = [" " * left + line for line in lines]
    if titled:
        shown[0] = "\x1b[1m{}\x1b[0m".format(lines[0].center(columns - 1).rstrip())
    sys.stdout.write("\x1b[2J\x1b[H" + "\n" * above + "\n".join(shown) + "\n" * (below + 1) + prompt)
    sys.stdout.flush()


def terminal_size():
    size = os.get_terminal_size(sys.stdout.fileno())
    return size.columns or 80, size.lines or 24


def present():
    """Show the slides, as the keys say, until the last key."""
    slide, page, helping = 0, 0, False
    while True:
        columns, rows = terminal_size()
        leaves = pages(HELP if helping else SLIDES[slide], columns, rows)
        page = min(page, len(leaves) - 1)
        where = "{}/{}".format(slide + 1, len(SLIDES))
        prompts = [where + "  <cr> next, b back, r redraw, ? help, q quit: ", where + " ? help: ", ""]
        prompt = next(text for text in prompts if len(text) < columns - 1 or not text)
        draw(leaves[page], columns, rows, prompt, page == 0)

        line = sys.stdin.readline()
        key = line.strip().lower()
        if key == "q" or not line:
            return
        if key == "?":
            helping, page = not helping, 0
        elif key == "" and page < len(leaves) - 1:
            page += 1
        elif helping:
            helping, page = False, 0
        elif key == "":
            slide, page = (slide + 1, 0) if slide < len(SLIDES) - 1 else (slide, page)
        elif key == "b":
            slide, page = (slide, page - 1) if page else (max(slide - 1, 0), 0)


def main():
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        for text in SLIDES:
            title, *rest = layout(text, 79)
            print("\n".join([title, "=" * len(title)] + rest), end="\n\n")
        return
    with contextlib.suppress(KeyboardInterrupt):
        present()
    print()


if __name__ == "__main__":
    main()
