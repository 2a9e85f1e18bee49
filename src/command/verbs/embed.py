"""Turns the scripts of the verbs into C: embed.py FOLDER writes FOLDER/verbs.c, for ../verbs.h."""

import glob
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def literal(line):
    return '"{}\\n"'.format(
        line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("??", "?\\?")
    )


def source():
    lines = [
        "/*",
        " * The scripts of the verbs. Generated from src/command/verbs by embed.py there; change those.",
        " */",
        '#include "command/verbs.h"',
        "",
        "const struct verb_script verb_scripts[] = {",
    ]
    for path in sorted(glob.glob(os.path.join(HERE, "*.d"))):
        name = os.path.splitext(os.path.basename(path))[0]
        with open(path, encoding="utf-8") as file:
            text = file.read().splitlines()
        lines += ['    {{"{}",'.format(name)] + ["     " + literal(line) for line in text]
        lines[-1] += "},"
    return "\n".join(lines + ["    {0, 0},", "};", ""])


def write(folder):
    if not os.path.isdir(folder):
        os.makedirs(folder)
    with open(os.path.join(folder, "verbs.c"), "w", encoding="utf-8") as file:
        file.write(source())


if __name__ == "__main__":
    write(sys.argv[1])
