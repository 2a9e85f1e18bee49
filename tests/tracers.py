"""Real tracers for tests: Pythons that have catprobe, programs that wait to be traced, and the tracers."""

import functools
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from waiting import SECONDS, until

TESTS = Path(__file__).resolve().parent
CHECKOUT = TESTS.parent
PROGRAMS = TESTS / "programs"
DEMO = CHECKOUT / "d_demo"

sys.path.insert(0, str(CHECKOUT / "probes"))
import generate  # noqa: E402

PROBES = generate.parse()
NAMES = [probe.name for probe in PROBES]
MEMORY = ["mem-alloc", "mem-free"]  # which fire more often than a tracer can print


# ---- Pythons


class Interpreter:
    """A Python that has catprobe: the command that starts it, and how it sees our paths."""

    def __init__(self, command, inside=str, modules=None):
        self.command = command  # a list
        self.inside = inside  # the path of a file of ours there
        self.modules = modules  # a folder that has the package, where it is not installed

    def environment(self, **variables):
        environment = dict(os.environ, PYTHONUNBUFFERED="1", **variables)
        environment["PYTHONPATH"] = os.pathsep.join(
            [self.inside(PROGRAMS)] + ([self.inside(self.modules)] if self.modules else [])
        )
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        return environment

    def run(self, code, *arguments):
        """What this code prints, as JSON."""
        done = subprocess.run(
            self.command + ["-c", code] + list(arguments),
            env=self.environment(CATPROBE_DISABLE="1"),
            stdout=subprocess.PIPE,
            cwd="/",  # where no checkout is
            check=True,
            timeout=60,
        )
        return json.loads(done.stdout.decode())

    def extension(self):
        """The path of its extension, as it sees it."""
        find = "import importlib.util, json; print(json.dumps(importlib.util.find_spec('_catprobe').origin))"
        return self.run(find)

    def catprobe(self, folder, *arguments):
        """What the command prints that looks for sockets in this folder."""
        done = subprocess.run(
            self.command + ["-m", "catprobe"] + list(arguments),
            env=self.environment(CATPROBE_DIR=self.inside(folder)),
            stdout=subprocess.PIPE,
            cwd="/",
            check=True,
            timeout=60,
            universal_newlines=True,
        )
        return done.stdout


def sources():
    """The files of the package, as paths from the checkout on."""
    files = ["setup.py", "pyproject.toml", "MANIFEST.in", "README.md"]
    for folder in ("src", "probes", "catdemo", "d_demo", "toolkit"):
        files += [str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / folder).rglob("*.*")]
    return sorted(path for path in files if (CHECKOUT / path).is_file() and "__pycache__" not in path)


def setuptools():
    """A folder with setuptools, which the newest Pythons come without."""
    folder = CHECKOUT / "build" / "tracers-setuptools"
    if not folder.is_dir():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
        words = ["--ignore-requires-python", "--target", str(folder), "setuptools==80.9.0"]
        subprocess.run(pip + words, check=True, timeout=120)
    return folder


@functools.lru_cache(maxsize=None)
def sources_stamp():
    """Changes with the sources; looked at once, so that all tests of a session are of the same."""
    return hashlib.sha256(b"".join((CHECKOUT / path).read_bytes() for path in sources())).hexdigest()


def built(name, command, inside=str):
    """The package built for another Python than this, in build/NAME; anew only if anything has changed."""
    folder = CHECKOUT / "build" / name
    stamp = sources_stamp()
    interpreter = Interpreter(command, inside, folder / "lib")
    if folder.is_dir() and (folder / "stamp").is_file() and (folder / "stamp").read_text() == stamp:
        return interpreter
    shutil.rmtree(str(folder), ignore_errors=True)
    for path in sources():
        (folder / "source" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(CHECKOUT / path), str(folder / "source" / path))
    words = ["setup.py", "-q", "build", "--build-lib", inside(folder / "lib")]
    program = "import os, runpy, sys; os.chdir({!r}); sys.argv = {!r}".format(
        inside(folder / "source"), words
    )
    program += "; runpy.run_path(sys.argv[0], run_name='__main__')"
    environment = dict(os.environ, PYTHONPATH=inside(setuptools()), PYTHONDONTWRITEBYTECODE="")
    subprocess.run(command + ["-c", program], check=True, env=environment, timeout=120)
    (folder / "stamp").write_text(stamp)
    return interpreter


@pytest.fixture(scope="session")
def here():
    """This Python."""
    return Interpreter([sys.executable])


def in_container(forky, version):
    return built(
        "tracers-" + version, forky.command("run", ["python" + version]), lambda path: forky.path(path)
    )


@pytest.fixture(scope="session", params=["3.14", "3.15"])
def newest(request, forky):
    """Each Python of the container."""
    return in_container(forky, request.param)


# ---- Their programs


def one_cpu():
    """One CPU, one buffer of the tracer: the order of its lines is certain."""
    os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])


class Traceable:
    """A running program that has catprobe, with a folder of its own for control sockets."""

    def __init__(self, interpreter, command, stdout):
        self.interpreter = interpreter
        self.folder = Path(tempfile.mkdtemp(prefix="catprobe-"))
        self.process = subprocess.Popen(
            interpreter.command + command,
            env=interpreter.environment(CATPROBE_DIR=interpreter.inside(self.folder)),
            stdin=subprocess.PIPE,
            stdout=stdout,
            cwd="/",
            preexec_fn=one_cpu,
        )
        self.pid = self.process.pid

    def __exit__(self, *failure):
        try:
            if not failure[0]:
                self.end()
                assert self.process.wait(timeout=SECONDS) == 0
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            if self.process.stdout:
                self.process.stdout.close()
            shutil.rmtree(str(self.folder))

    def answer(self, pid=None):
        """The lines that the agent answers; none if it is silent."""
        reply = b""
        for path in self.folder.glob("{}-*.sock".format(pid or self.pid)):
            with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(str(path))
                connection.sendall(b"catprobe/1 status\n")
                reply = b"".join(iter(lambda: connection.recv(65536), b""))
        return reply.decode().splitlines()

    def status(self, pid=None):
        """What the agent answers: probe -> (engine, state, tracers, listeners, drops); {} if it is silent."""
        words = [line.split()[1:] for line in self.answer(pid) if line.startswith("probe ")]
        return {name: (engine, state, *map(int, counts)) for name, engine, state, *counts in words}

    def is_traced(self):
        """Does a session of the embedded engine hear all that it wants, from now or from the next call on?"""
        states = [line.split()[2] for line in self.answer() if line.startswith("session ")]
        return states and all(state in ("armed", "waiting") for state in states)

    def heard(self, probes, tracers=1, pid=None, embedded=False):
        """Does so many tracers hear each of these probes, or do sessions of the embedded engine?"""
        status = self.status(pid)
        return status and all(
            status[probe][1] in ("armed", "native", "unavailable")
            and (status[probe][3] > 0 if embedded else status[probe][2] == tracers)
            for probe in probes
        )

    def attached(self, tracer, probes, tracers=1):
        """Wait until the tracer, being the only one or so many, hears each of these probes."""
        heard = functools.partial(self.heard, probes, tracers, embedded=tracer.embedded)
        until(lambda: tracer.ended() or heard(), "a tracer of {}".format(probes))
        assert not tracer.ended(), tracer.output() + tracer.errors()
        until(tracer.ready, "the first word of the tracer")

    def left(self):
        """Wait until nobody hears anything."""
        until(self.idle, "peace")

    def idle(self):
        """Is nobody attached, and no hook in place?"""
        status = self.status()
        return status and all(probe[1:3] in (("idle", 0), ("unavailable", 0)) for probe in status.values())


class Target(Traceable):
    """A program that does what it is told: told.py of tests/programs, with modules it can import."""

    def __init__(self, interpreter, *modules):
        super().__init__(
            interpreter, [interpreter.inside(PROGRAMS / "told.py")] + list(modules), subprocess.PIPE
        )
        self.output = ""

    def __enter__(self):
        self.read_until("ready")
        return self

    def end(self):
        self.process.stdin.close()

    def read_until(self, word):
        for line in iter(self.process.stdout.readline, b""):
            if line.decode().strip() == word:
                return
            self.output += line.decode()
        raise AssertionError("the program ended without a word of " + word)

    def tell(self, expression):
        """Have this evaluated, and wait until it is done."""
        self.process.stdin.write(expression.encode() + b"\n")
        self.process.stdin.flush()
        self.read_until("done")


class CatServer(Traceable):
    """python -m catdemo, which nobody tells anything."""

    def __init__(self, interpreter, *options):
        super().__init__(
            interpreter, ["-m", "catdemo"] + [str(option) for option in options], subprocess.DEVNULL
        )

    def __enter__(self):
        until(self.status, "a cat server that answers")
        return self

    def end(self):
        self.process.send_signal(signal.SIGINT)


def line_in(program, text):
    """The number of the line of tests/programs/PROGRAM.py with this comment, or with this `def`."""
    pattern = r"# {0}$|\bdef {0}\(".format(text)
    lines = (PROGRAMS / (program + ".py")).read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if re.search(pattern, line)]
    return number


# ---- What the cat server does

PRESCRIBED = """
import json, os, sys, time, catdemo.demo
time.sleep = id  # also a function in C of one argument
events = []
names = {"call": "->", "return": "<-"}
def note(frame, event, _):
    if event in names:
        code = frame.f_code
        where = (os.path.basename(code.co_filename), frame.f_lineno, code.co_name)
        events.append((names[event],) + where + (getattr(code, "co_qualname", None),))
out, sys.stdout = sys.stdout, open(os.devnull, "w")
sys.setprofile(note)
catdemo.demo.go(int(sys.argv[1]), 1000.0, int(sys.argv[2]))
sys.setprofile(None)
json.dump(events, out)
"""


def prescribed(interpreter, requests, seed):
    """The calls of catdemo.go with that seed, from its own to its return, as sys.setprofile has them:
    (arrow, file, line, function, qualified name or None)."""
    return [tuple(event) for event in interpreter.run(PRESCRIBED, str(requests), str(seed))]


def with_depth(events, start=0):
    """(depth, arrow, file, line, function) of the events from number `start` on, when a tracer comes then.
    A return of a call that was open already has None for a depth."""
    depth = 0
    for event in events[start:]:
        depth -= event[0] == "<-"
        yield (depth if depth >= 0 else None,) + event[:4]
        depth = max(depth, 0) + (event[0] == "->")


def flow(output):
    """The same from the lines of a_py_flowinfo, gc left out."""
    pattern = r"[ \d]*\d +\d+ +\d+ +(\S.*?):(-?\d+) +func     ( *)(->|<-) (.*)"
    rows = [re.match(pattern, line) for line in output.splitlines()]
    return [(len(row[3]) // 2, row[4], row[1], int(row[2]), row[5]) for row in rows if row]


def follows(shown, events):
    """Is what a tracer showed, as flow() has it, a piece of the events? It came in the midst of them, and may
    show the returns of calls that were open, at depth 0, or not. bpftrace attaches to the returns first and
    leaves them first: what it shows before its first entry, and after its last return, does not count."""
    arrows = [line[1] for line in shown]
    first, end = arrows.index("->"), len(arrows) - arrows[::-1].index("<-")
    if any(line[0] != 0 for line in shown[:first]):
        return False
    shown = shown[first:end]

    def from_event(start):
        expected = with_depth(events, start)
        for line in shown:
            for event in expected:
                if event in (line, (None,) + line[1:]):
                    break
                if event[0] is not None:
                    return False
            else:
                return False
        return True

    return any(from_event(start) for start in range(len(events)))


# ---- Tracers


class Tracer:
    """A running tracer. As a context manager it is killed at the end, if it was not stopped."""

    embedded = False  # does it hear by a session, and not by semaphores?

    def __init__(self, command, first_word="", **options):
        self.first_word = first_word  # what it prints when it hears; "" if a raised semaphore says it all
        self.files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115 (closed by __exit__)
        self.process = subprocess.Popen(
            [str(word) for word in command], stdout=self.files[0], stderr=self.files[1], **options
        )

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.kill()
        for file in self.files:
            file.close()

    def ended(self):
        return self.process.poll() is not None

    def read(self, file):
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="surrogateescape")

    def output(self):
        return self.read(self.files[0])

    def errors(self):
        return self.read(self.files[1])

    def ready(self):
        return self.first_word in self.output()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def finish(self):
        """Wait for its end; what it printed."""
        try:
            self.process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            pytest.fail("the tracer does not end: " + self.output() + self.errors())
        assert self.process.returncode in (0, -signal.SIGINT), self.output() + self.errors()
        return self.output()

    def stop(self, after=""):
        """Ctrl-C, once it has printed this; what it printed. What is in its buffers then may be lost."""
        until(lambda: after in self.output() or self.ended(), "the tracer's " + after)
        self.process.send_signal(signal.SIGINT)
        return self.finish()


def bpftrace_program(probes=None, library="", most=4, pid=None):
    """A program for bpftrace that prints each event: the probe, its first arguments behind tabs. A library
    goes without bpftrace's -p, with which 0.27 tells its events twice; the pid, if any, is given here."""
    clauses = []
    predicate = " /pid == {}/".format(pid) if pid else ""
    for probe in PROBES if probes is None else [probe for probe in PROBES if probe.name in probes]:
        # A string at a time: three of 200 characters have no room on the stack of a BPF program.
        prints = ['printf("event\\t{}");'.format(probe.name)]
        for i, argument in enumerate(probe.arguments[:most]):
            if argument.type == "char *":
                prints.append('printf("\\t%d%s", arg{0} != 0, str(arg{0}));'.format(i))
            else:
                form = {"int": '%d", (int32)arg{}', "long": '%ld", (int64)arg{}'}.get(
                    argument.type, '%lu", (uint64)arg{}'
                )
                prints.append('printf("\\t' + form.format(i) + ");")
        where = "usdt:{}:python:{}{}".format(library, probe.note, predicate)
        clauses.append('{} {{ {} printf("\\n"); }}'.format(where, " ".join(prints)))
    return "\n".join(clauses)


def bpftrace_events(output):
    """The events that such a program printed, as tuples; a NULL is None."""
    by_name = {probe.name: probe for probe in PROBES}
    events = []
    assert "Lost" not in output, output[output.index("Lost") - 200 :]
    lines = [line for line in output.split("\n")[:-1] if line.startswith("event\t")]
    for line in lines:
        name, *words = line.split("\t")[1:]
        types = [argument.type for argument in by_name[name].arguments]
        if line is lines[-1] and not words:
            break  # Ctrl-C came into its prints
        assert words and len(words) <= len(types), line
        values = [
            int(word) if type != "char *" else word[1:] if word[0] == "1" else None
            for type, word in zip(types, words)
        ]
        events.append((name, *values))
    return events


class Bpftrace(Tracer):
    """bpftrace with a program, or with the path of a script; `path` is its own, a whole command elsewhere."""

    def __init__(self, program, *arguments, path=("bpftrace",), pid=None, script=False):
        environment = dict(os.environ, BPFTRACE_PERF_RB_PAGES="2048")
        if not script:  # the longest string, as 0.17 calls it, and 0.27
            environment.update(BPFTRACE_STRLEN="200", BPFTRACE_MAX_STRLEN="200")
        command = list(path) + ["--no-warnings"] + (["-p", pid] if pid else [])
        command += [program] if script else ["-e", program]
        super().__init__(command + list(arguments), env=environment)


class DTrace(Tracer):
    """The real one, of the container, on a program of this machine or (inside) of the container."""

    def __init__(self, forky, pid, *arguments, inside=False, first_word=""):
        if inside:
            command = beside(pid, "env", "LD_PRELOAD=/root/preload.so", "dtrace", *arguments)
        else:
            command = forky.command("host", arguments)
        super().__init__(command, first_word)


class Catprobe(Tracer):
    """The embedded engine, by the command of the interpreter that the program runs on."""

    embedded = True

    def __init__(self, server, *arguments, first_word=""):
        interpreter = server.interpreter
        environment = interpreter.environment(CATPROBE_DIR=interpreter.inside(server.folder))
        command = interpreter.command + ["-m", "catprobe", *arguments]
        super().__init__(command, first_word, env=environment, stdin=subprocess.DEVNULL)


def beside(pid, *command):
    """A command in the very container in which this process is, so that they agree about paths."""
    return ["nsenter", "--target", str(pid), "--mount", "--root"] + list(command)
