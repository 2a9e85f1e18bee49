"""A consumer that speaks the protocol of control.h by itself, and programs that it traces."""

import array
import contextlib
import ctypes
import glob
import json
import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import plain
import pytest
import waiting

TESTS = Path(__file__).resolve().parent

INACTIVE, ACTIVE, EXITING, STOPPED = range(4)  # enum arena_activity
SEALED = 0xF  # seal, shrink, grow, write


def load(folder):
    """Builds session_client.c in a folder, and loads it."""
    path = os.path.join(str(folder), "session_client.so")
    sources = plain.room_sources("program", "dlang", "engine", "consumer")
    sources += ["tests/session_client.c", plain.generated() / "probes.c"]
    plain.build(path, sources, ["-fPIC"], ["-shared"])
    library = ctypes.CDLL(path)
    for name, result, parameters in (
        ("client_open", ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint]),
        ("client_problem", ctypes.c_char_p, [ctypes.c_void_p]),
        ("client_program", ctypes.c_void_p, [ctypes.c_void_p]),
        ("client_program_size", ctypes.c_size_t, [ctypes.c_void_p]),
        ("client_arena", ctypes.c_int, [ctypes.c_void_p]),
        ("client_memory", ctypes.c_int, [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]),
        ("client_advance", None, [ctypes.c_void_p, ctypes.c_int]),
        ("client_written", ctypes.c_ulonglong, [ctypes.c_void_p]),
        ("client_read", ctypes.c_char_p, [ctypes.c_void_p]),
        ("client_end", ctypes.c_char_p, [ctypes.c_void_p]),
        ("client_close", None, [ctypes.c_void_p]),
    ):
        function = getattr(library, name)
        function.restype = result
        function.argtypes = parameters
    return library


class Connection:
    """A connection to the control socket of a process."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(waiting.SECONDS)
        self.socket.connect(path)
        self.received = b""

    def send(self, request, descriptors=()):
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        self.socket.sendmsg([request], ancillary if descriptors else [])

    def line(self):
        """The next line without its end; None when the connection has ended."""
        while b"\n" not in self.received:
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                piece = b""
            if not piece:
                return None
            self.received += piece
        line, self.received = self.received.split(b"\n", 1)
        return line.decode()

    def reply(self):
        """The lines of an answer: up to the empty one, or the one that refuses."""
        lines = []
        while not lines or (lines[-1] and " error " not in lines[-1]):
            line = self.line()
            if line is None:
                return None
            lines.append(line)
        return lines if lines[-1] else lines[:-1]

    def says_nothing(self):
        return not self.received and not select.select([self.socket], [], [], 0)[0]

    def close(self):
        self.socket.close()


class Session:
    """A D program that runs in a target, until close(). `reply`: the lines of the answer."""

    def __init__(self, library, target, script, options="", activity=ACTIVE):
        self.library = library
        self.client = library.client_open(script.encode(), options.encode(), target.pid)
        problem = library.client_problem(self.client).decode()
        assert not problem, problem
        if activity:
            self.advance(activity)
        self.target = target
        self.reply = waiting.until(self.ask, "an answer")

    def ask(self):
        """The answer; None when the agent has just gone, for a fork."""
        program = self.program_file()
        request = "catprobe/2 trace pid={} first=10\n".format(self.target.pid).encode()
        try:
            self.connection = Connection(self.target.path)
            self.connection.send(request, [program, self.library.client_arena(self.client)])
            return self.connection.reply()
        except (BrokenPipeError, ConnectionRefusedError, FileNotFoundError):
            return None
        finally:
            os.close(program)

    def program(self):
        size = self.library.client_program_size(self.client)
        return ctypes.string_at(self.library.client_program(self.client), size)

    def program_file(self, seals=SEALED):
        program = self.program()
        return self.library.client_memory(program, len(program), seals)

    def armed(self):
        """Waits until it is; returns the session."""
        assert self.reply[0] == "catprobe/2 ok", self.reply
        line = self.connection.line()
        assert line == "armed", line
        return self

    def advance(self, activity):
        self.library.client_advance(self.client, activity)

    def written(self):
        return self.library.client_written(self.client)

    def text(self):
        """All that was printed so far."""
        return self.library.client_read(self.client).decode()

    def end(self):
        """Ends the session; all that was printed, with the aggregations."""
        self.connection.close()
        return self.library.client_end(self.client).decode()

    def counts(self):
        """Of a script with aggregations of one number each, by their keys (blanks removed), when it ends."""
        rows = [line.split() for line in self.end().splitlines() if line.strip()]
        return {"".join(row[:-1]): int(row[-1]) for row in rows}

    def close(self):
        self.connection.close()
        if self.client:
            self.library.client_close(self.client)
        self.client = None


class Target:
    """tests/programs/session_target.py, running: a program that does what it is told."""

    def __init__(self, folder, *options, **environment):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable] + list(options) + [str(TESTS / "programs" / "session_target.py")],
            env=dict(os.environ, CATPROBE_DIR=str(folder), PYTHONFAULTHANDLER="1", **environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        self.pid = self.process.pid
        assert self.result() == "ready"

    @property
    def path(self):
        return waiting.until(lambda: glob.glob("{}/{}-*.sock".format(self.folder, self.pid)), "a socket")[0]

    def start(self, code):
        """Have it run this; the result comes with result()."""
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()

    def result(self):
        line = self.process.stdout.readline()
        if not line:
            _, errors = self.process.communicate()
            pytest.fail("the target ended with {}:\n{}".format(self.process.returncode, errors))
        return json.loads(line)

    def run(self, code):
        """The value of its last line, an expression."""
        self.start(code)
        return self.result()

    def status(self):
        connection = Connection(self.path)
        connection.send(b"catprobe/1 status\n")
        lines = connection.reply()
        connection.close()
        return lines

    def engines(self):
        """Probe -> the engine that its events come from."""
        words = [line.split() for line in self.status() if line.startswith("probe ")]
        return {word[1]: word[2] for word in words if word[2] != "-"}

    def maps(self):
        """The memory files that it has mapped."""
        with open("/proc/{}/maps".format(self.pid)) as file:
            return [line for line in file if "memfd:" in line]

    def leave(self, code="0"):
        """Lets it end; its exit status and what it said on the error output."""
        self.start("raise SystemExit({})".format(code))
        _, errors = self.process.communicate(timeout=waiting.SECONDS)
        return self.process.returncode, errors

    def kill(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                stream.close()


@pytest.fixture(scope="session")
def client_library(tmp_path_factory):
    return load(tmp_path_factory.mktemp("session_client"))


@pytest.fixture
def targets(tmp_path):
    """Starts programs; what is left of them is killed in the end."""
    started = []

    def start(*options, **environment):
        started.append(Target(tmp_path, *options, **environment))
        return started[-1]

    yield start
    for target in started:
        target.kill()


@pytest.fixture
def target(targets):
    return targets()


@pytest.fixture
def trace(client_library):
    """Opens sessions; what is left of them is closed in the end."""
    opened = []

    def start(target, script, options="", **settings):
        opened.append(Session(client_library, target, script, options, **settings))
        return opened[-1]

    yield start
    for session in opened:
        session.close()
