"""The recordings of the real DTrace in tests/golden, and how an output is compared with one.

NAME.cmd is a command line for the shell, NAME.d its script, NAME.out, NAME.err and NAME.rc what came of it.
What differs on purpose is listed in tests/golden/differences, and no other difference is allowed.
"""

import fnmatch
import re
import shutil
import tempfile
from pathlib import Path

import plain
import pytest

GOLDEN = plain.CHECKOUT / "tests" / "golden"

# What is not the language's: the processor, the ids of probes and processes, the time, places in memory.
RULES = [
    (r"(?m)^ *\d+ +\d+ ( *\S*:\S+ )", r"CPU ID \1"),
    (r"(?m)^ *\d+ ((?:  )*(?:->|<-|\|) )", r"CPU \1"),
    (r" at (BPF pc|DIF offset) \d+", ""),
    (r"(?m)^\d{4,}$", "NUMBER"),
    (r"0x[0-9a-f]{11,16}\b", "ADDRESS"),
]


def names(folder):
    return sorted(path.stem for path in (GOLDEN / folder).glob("*.cmd"))


def differences():
    """Names, or patterns of them in tests/golden/python, and the reasons."""
    lines = (GOLDEN / "differences").read_text().splitlines()
    return dict(line.split(None, 1) for line in lines if line and not line.startswith("#"))


def differs(name):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in differences())


def normalise(text, rules=RULES):
    for pattern, replacement in rules:
        text = re.sub(pattern, replacement, text)
    return text


def expected(folder, name, kind):
    path = folder / "{}.{}".format(name, kind)
    return path.read_bytes().decode("utf-8", "replace") if path.exists() else ""


@pytest.fixture(scope="session")
def commands():
    """A folder with the command under the name dtrace, for every user."""
    folder = Path(tempfile.mkdtemp(prefix="catprobe-golden-"))
    folder.chmod(0o755)
    plain.build(folder / "dtrace", plain.command_sources())
    yield folder
    shutil.rmtree(str(folder))
