"""A fixture: programs that run traced, and the same untraced; what agents answer on the control socket."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import semaphores
from waiting import until

TESTS = Path(__file__).resolve().parent
TIMEOUT = 60  # seconds, for a program that hangs


class Guests:
    """Programs in a folder of their own, with one for the sockets of those that are traced."""

    def __init__(self, folder):
        import catprobe

        self.folder = Path(folder)
        self.sockets = self.folder / "sockets"
        self.autoload = Path(catprobe.__file__).parent / "autoload"

    def environment(self, traced=True):
        """As `catprobe run` makes it."""
        path = [str(TESTS), str(TESTS / "programs")]
        kept = {
            name: value for name, value in os.environ.items() if name not in ("XDG_RUNTIME_DIR", "PYTHONPATH")
        }
        kept.update(
            CATPROBE_DIR=str(self.sockets), PYTHONPATH=os.pathsep.join([str(self.autoload)] * traced + path)
        )
        return kept

    def popen(self, source, arguments=(), traced=True, **options):
        program = self.folder / "program.py"
        program.write_text("import guest\n" + textwrap.dedent(source))
        command = [sys.executable] + list(options.pop("flags", [])) + [str(program)]
        environment = dict(self.environment(traced), GUEST_TRACED=str(int(traced)), **options.pop("env", {}))
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(
            command + list(arguments), env=environment, universal_newlines=True, **dict(pipes, **options)
        )

    def run(self, source, arguments=(), traced=True, **options):
        """(exit status, stdout, stderr) of a program; addresses in what it wrote are made equal."""
        process = self.popen(source, arguments, traced, **options)
        try:
            out, err = process.communicate(timeout=TIMEOUT)
        finally:
            process.kill()
        return tuple([process.returncode] + [re.sub("0x[0-9a-f]+", "0x", text) for text in (out, err)])

    def same(self, source, arguments=(), **options):
        """Runs a program untraced and traced, checks that nobody can tell, and returns what it wrote."""
        untraced, traced = (self.run(source, arguments, traced, **options) for traced in (False, True))
        for one, other in zip(untraced, traced):
            assert other == one, traced[2]
        return untraced

    @contextmanager
    def running(self, source, arguments=(), **options):
        """A program that has printed its first line, kept in .ready; it is to end at the end of its stdin."""
        process = self.popen(source, arguments, **options)
        try:
            line = process.stdout.readline()
            assert line, "it has ended: {}".format((process.communicate(), process.returncode))
            process.ready = line.strip()
            yield process
            process.out, process.err = process.communicate(timeout=TIMEOUT)
        finally:
            process.kill()
            process.wait()

    def socket_of(self, pid):
        return next(iter(self.sockets.glob("{}-*.sock".format(pid))), None)

    def left(self):
        """The sockets that are there, of whatever process."""
        return list(self.sockets.glob("*"))

    def ask(self, path):
        """The lines of a status reply as key -> value, those of probes as probe -> list of words."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(path))
            connection.sendall(b"catprobe/1 status\n")
            reply = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        assert reply.startswith("catprobe/1 ok\n") and reply.endswith("\n\n")
        lines = [line.partition(" ")[::2] for line in reply.splitlines()[1:-1]]
        answer = {key: value for key, value in lines if key != "probe"}
        answer["probes"] = {value.split()[0]: value.split()[1:] for key, value in lines if key == "probe"}
        return answer

    def status(self, pid):
        """What the agent of a process answers; None if it has no socket, or nobody listens on it."""
        path = self.socket_of(pid)
        try:
            return path and self.ask(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return None

    def listed(self, pid):
        answer = until(lambda: self.status(pid))
        assert answer["pid"] == str(pid)
        return answer

    def attach(self, pid, probes, count=1):
        """As a tracer: raise semaphores (or with count 0 lower them), and return how long the hooks took."""
        state = "armed" if count else "idle"
        start = time.monotonic()
        semaphores.write(pid, dict.fromkeys(probes, count))
        until(lambda: all(self.status(pid)["probes"][probe][1] == state for probe in probes), state)
        return time.monotonic() - start

    def detach(self, pid, probes):
        return self.attach(pid, probes, 0)


@pytest.fixture(name="guests")
def guests_fixture():
    folder = tempfile.mkdtemp(prefix="catprobe-guests-")
    os.chmod(folder, 0o755)
    yield Guests(folder)
    shutil.rmtree(folder, ignore_errors=True)  # a daemon may be removing its socket itself
