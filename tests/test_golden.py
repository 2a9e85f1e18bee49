"""The language as DTrace 2.0.7 speaks it: each program in tests/golden/language prints the same."""

import fnmatch
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from goldens import GOLDEN, commands, differences, differs, expected, names, normalise  # noqa: F401

# ruff: noqa: F811
NOBODY_IN_PARTICULAR = 54322  # a user without name or process

LANGUAGE = names("language")


@pytest.fixture
def place():
    """An empty folder, of a user who has no process to be traced: root would see those of others."""
    folder = Path(tempfile.mkdtemp(prefix="catprobe-golden-"))
    if os.geteuid() == 0:
        os.chown(str(folder), NOBODY_IN_PARTICULAR, -1)
    yield folder
    shutil.rmtree(str(folder))


def become_nobody():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY_IN_PARTICULAR)
        os.setuid(NOBODY_IN_PARTICULAR)


def prepare(commands, folder, name, place):
    """Copies the program, and what its command line names besides."""
    words = [name] + re.findall(r"[\w-]+(?=\.d\b)", expected(folder, name, "cmd"))
    for script in {folder / (word + ".d") for word in words}:
        if script.exists():
            text = re.sub(rb"\A#!\S+", b"#!" + bytes(commands / "dtrace"), script.read_bytes())
            (place / script.name).write_bytes(text)
            (place / script.name).chmod(0o777)


def run(commands, folder, name, place, timeout=60):
    prepare(commands, folder, name, place)
    path = "{}:{}".format(commands, os.environ["PATH"])
    return subprocess.run(
        ["timeout", str(timeout), "sh", "-c", expected(folder, name, "cmd")],
        cwd=str(place),
        env=dict(os.environ, PATH=path, CATPROBE_DIR=str(place)),
        preexec_fn=become_nobody,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def outcome(commands, folder, name, place):
    """What it prints, says and exits with, and what DTrace did."""
    result = run(commands, folder, name, place, 5 if differs(name) else 60)
    texts = [text.decode("utf-8", "replace") for text in (result.stdout, result.stderr)]
    texts = [text.replace(str(NOBODY_IN_PARTICULAR), "0") for text in texts]  # DTrace was run by root
    wanted = [expected(folder, name, kind) for kind in ("out", "err")]
    return (
        [normalise(text) for text in texts] + [result.returncode],
        [normalise(text) for text in wanted] + [int(expected(folder, name, "rc"))],
    )


@pytest.mark.once
@pytest.mark.parametrize("name", LANGUAGE)
def test_a_program_prints_what_dtrace_prints(commands, name, place):
    found, wanted = outcome(commands, GOLDEN / "language", name, place)
    if differs(name):
        assert found[2] in (0, 1, 124), found  # another result, but no crash
    else:
        assert found == wanted


def test_every_difference_is_one_of_a_program_that_is_there():
    there = LANGUAGE + names("python")
    assert [pattern for pattern in differences() if not fnmatch.filter(there, pattern)] == []
