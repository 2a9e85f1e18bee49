"""Turns the scripts and styles of the pages into C, for ../pages.h: embed_pages.py FOLDER writes pages.c."""

import glob
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def literal(line):
    escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("??", "?\\?")
    return '"{}\\n"'.format(escaped)


def source():
    lines = [
        "/*",
        " * The scripts and styles of the pages. Generated from src/viewer/pages by embed_pages.py.",
        " */",
        '#include "viewer/pages.h"',
    ]
    for path in sorted(glob.glob(os.path.join(HERE, "*.js")) + glob.glob(os.path.join(HERE, "*.css"))):
        name = os.path.basename(path).replace(".", "_")
        with open(path, encoding="utf-8") as file:
            text = file.read().splitlines()
        lines += ["", "const char page_{}[] =".format(name)] + ["    " + literal(line) for line in text]
        lines[-1] += ";"
    return "\n".join(lines) + "\n"


def write(folder):
    if not os.path.isdir(folder):
        os.makedirs(folder)
    with open(os.path.join(folder, "pages.c"), "w", encoding="utf-8") as file:
        file.write(source())


if __name__ == "__main__":
    write(sys.argv[1])
