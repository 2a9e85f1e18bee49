"""The python provider as a program in C had it under DTrace 2.0.7: what is recorded of its prog_stap in
tests/golden/python is printed of tests/programs/func_abc.py, which makes the same calls.

In place of `-c ./prog_stap` that one is attached to, as the start of a Python would be traced else.
"""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from goldens import GOLDEN, RULES, commands, differs, expected, names, normalise  # noqa: F401 (a fixture)
from tracers import PROGRAMS, SECONDS, Interpreter, Traceable
from waiting import until

# ruff: noqa: F811
FOLDER = GOLDEN / "python"
PYTHON = [name for name in names("python") if not differs(name)]
AS_RECORDED = ["x-glob", "x-noaction", "x-noprobe-*", "x-p-pid"]  # these say how the program is started

COMMAND = [
    (r"\ALD_PRELOAD=\S+ ", ""),
    (r"prog_dof", "prog_stap"),
    (r"target:prog_stap", "target:func_abc.py"),  # a module is a file
    (r"prog_stap 30 ", "prog_stap 6 "),  # 24 seconds less to wait for its end
]

# The C program has each probe in one function that is named after it, and these three probes alone. It tells
# of no line of the module, nor of those of return; nor does it wait in main().
LINES_OF_C = 'python$target:::line\n/copyinstr(arg1) == "func_c" || arg2 == 9 || arg2 == 15/\n'
OURS = [
    (r"(?m)^ +\d+ +\d+ +\S*:(?!(?:function-entry|function-return|line) )[\w-]+ \n", ""),
    (r"(?m)^ +\d+ python\d+ .* (?!(?:function-entry|function-return|line)$)[\w-]+\n", ""),
    (r"(?m)^.* (?:main|<module>):line .*\n", ""),
    (r"(?m)^.* func_[ab]:line .*\n(?=.* func_[ab]:function-return )", ""),
    (r" (?:func_[abc]|<module>)(:function-entry|:function-return|:line) ", r" FUNCTION\1 "),
    (r"(?m)^(dtrace: description 'python\$target(?::|:::)?)(?:func_abc.py)?(' matched) \d+", r"\1\2 3"),
    (r"(?m)^dtrace: tracing \d+ probes? in 1 process\n", ""),
    (r"(?m)^dtrace: process \d+ has died\n", ""),
    (r"(?m)^(\d+) \d{9,} ", r"\1 0 "),  # the fourth argument of function-entry
]
OF_C = [
    (r" (?:entry|ret|line)(:function-entry|:function-return|:line) ", r" FUNCTION\1 "),
    (r"target:prog_stap", "target:"),
]
BOTH = [
    (r"  FUNCTION:", "FUNCTION:"),
    (r" +FUNCTION:", " FUNCTION:"),
    (r"probe ID \d+ \(python\d+:[^:]*:[^:]*:", "probe ID N (pythonPID:MODULE:FUNCTION:"),
    (r"arg1 \d+ arg2 0 arg3 \d+ ", "arg1 ID arg2 0 arg3 PC "),
    (r"python\d+:::", "pythonPID:::"),
    (r"(?m)^ +\d+ +python\d+ +\S+ +\S+ (?=[\w-]+$)", "ID pythonPID MODULE FUNCTION "),  # -l
    (r" +\d+ +(->|<-) \S+ +(\S+?) *(?=\n|prog done| +\d)", r"CPU \1 \2 "),  # -F: DTrace 2.0.7 has no depth
] + RULES


class Program(Traceable):
    """func_abc.py, which waits until it is let go."""

    def __init__(self, interpreter, arguments):
        super().__init__(
            interpreter, [interpreter.inside(PROGRAMS / "func_abc.py")] + arguments, subprocess.PIPE
        )

    def __enter__(self):
        assert self.process.stdout.readline() == b"prog waits\n"
        until(self.status, "an agent that answers")
        return self

    def end(self):
        self.process.stdin.close()


class Command:
    """The command line of a recording, in an empty folder."""

    def __init__(self, commands, name, folder):
        self.folder = folder
        self.words = normalise(expected(FOLDER, name, "cmd"), COMMAND)
        self.interpreter = Interpreter([sys.executable])
        self.path = "{}:{}".format(commands, os.environ["PATH"])
        self.write(
            "prog_stap", '#!/bin/sh\nexec {} {} "$@"\n'.format(sys.executable, PROGRAMS / "func_abc.py")
        )
        script = expected(FOLDER, name, "d")
        self.write(name + ".d", script.replace("python$target:::line ", LINES_OF_C))

    def write(self, name, text):
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def start(self, words, sockets):
        return subprocess.Popen(
            ["timeout", str(SECONDS), "sh", "-c", words],
            cwd=str(self.folder),
            env=self.interpreter.environment(PATH=self.path, CATPROBE_DIR=str(sockets)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self):
        """What it prints and says, and its status."""
        return self.outcome(self.start(self.words, self.folder))

    def run_attached(self):
        before, arguments, after = re.fullmatch(
            r"(.*)-c '\./prog_stap ?(.*?)'(.*)", self.words.strip()
        ).groups()
        with Program(self.interpreter, arguments.split()) as program:
            tracer = self.start("{}-p {}{}".format(before, program.pid, after), program.folder)
            try:
                until(lambda: program.is_traced() or tracer.poll() is not None, "a tracer")
                program.end()
                output, error, status = self.outcome(tracer)
            finally:
                tracer.kill()
            said = program.process.stdout.read().decode()
        return output + said, error, status

    def outcome(self, tracer):
        texts = tracer.communicate(timeout=SECONDS)
        return [text.decode() for text in texts] + [tracer.returncode]


@pytest.fixture
def folder():
    folder = Path(tempfile.mkdtemp(prefix="catprobe-golden-"))
    yield folder
    shutil.rmtree(str(folder))


def without_its_word(output):
    """The word of the program comes when it comes; how often, and the rest."""
    word = "prog done\n"
    return output.replace(word, "").strip("\n"), output.count(word)


@pytest.mark.once
@pytest.mark.parametrize("name", PYTHON)
def test_a_program_prints_what_dtrace_prints_of_the_c_program(commands, name, folder):
    command = Command(commands, name, folder)
    as_recorded = any(fnmatch.fnmatchcase(name, pattern) for pattern in AS_RECORDED)
    output, error, status = command.run() if as_recorded else command.run_attached()
    found = [normalise(text, OURS + BOTH) for text in (output, error)] + [status]
    wanted = [normalise(expected(FOLDER, name, kind), OF_C + BOTH) for kind in ("out", "err")]
    wanted += [int(expected(FOLDER, name, "rc"))]
    (found[0], ends), (wanted[0], wanted_ends) = without_its_word(found[0]), without_its_word(wanted[0])
    if "dtrace -l" in command.words:
        found[0], wanted[0] = sorted(found[0].splitlines()), sorted(wanted[0].splitlines())
    elif status != 1:  # DTrace holds, and kills in the end, a program of which nothing is traced
        assert ends == wanted_ends
    assert found == wanted
