"""Real servers with prefork, from PyPI: gunicorn forks in Python, uWSGI in C.

Their workers are traceable, and they serve and end as untraced.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import semaphores
from guests import TESTS, guests_fixture  # noqa: F401 (a fixture)
from waiting import until

pytestmark = pytest.mark.once

CACHE = TESTS.parent / "build" / "servers"

APPLICATION = """
import os

def name(environ):
    return "{} {}".format(environ["PATH_INFO"], os.getpid())

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [name(environ).encode()]
"""


def installed(package):
    """The folder of a package from PyPI for this interpreter, installed once for a checkout."""
    folder = CACHE / "{}-{}.{}".format(package, *sys.version_info[:2])
    if not (folder / "bin" / package).exists():
        shutil.rmtree(str(folder), ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        done = subprocess.run(
            pip + ["--prefix", str(folder), "--ignore-installed", package],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            timeout=280,
        )
        if done.returncode != 0:
            shutil.rmtree(str(folder), ignore_errors=True)
            pytest.skip("needs {} from PyPI: {}".format(package, done.stdout.strip().splitlines()[-1]))
    return folder


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def request(port, path):
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall("GET {} HTTP/1.0\r\n\r\n".format(path).encode())
        reply = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    head, _, body = reply.partition("\r\n\r\n")
    assert " 200 OK" in head.splitlines()[0]
    assert body.split()[0] == path
    return int(body.split()[1])


def answers(port):
    try:
        return request(port, "/ready")
    except OSError:
        return None


class Server:
    """Runs a server, with two workers, traced or not; the same steps each time."""

    def __init__(self, guests, package, arguments):
        self.guests = guests
        folder = installed(package)
        self.port = free_port()
        self.words = [str(folder / "bin" / package)] + [word.format(port=self.port) for word in arguments]
        if package == "gunicorn":
            self.words.insert(0, sys.executable)
        (guests.folder / "application.py").write_text(APPLICATION)
        self.path = [str(guests.folder)] + [
            str(path) for path in Path(folder).glob("lib/python*/site-packages")
        ]

    def environment(self, traced):
        kept = self.guests.environment(traced)
        kept["PYTHONPATH"] = os.pathsep.join([kept["PYTHONPATH"]] + self.path)
        return kept

    def run(self, traced, stop):
        """The exit status and what was written, for the whole life of it."""
        log = self.guests.folder / "log"
        with log.open("w") as file:
            process = subprocess.Popen(
                self.words,
                env=self.environment(traced),
                stdout=file,
                stderr=file,
                cwd=str(self.guests.folder),
            )
        try:
            workers = set()
            until(lambda: workers.add(answers(self.port)) or len(workers - {None}) == 2)
            if traced:
                self.trace(process.pid)
            for _ in range(20):
                request(self.port, "/again")
            process.send_signal(stop)
            status = process.wait(20)
        finally:
            process.kill()
        return status, log.read_text()

    def trace(self, master):
        """Every process of the server is listed, and each worker is armed without the others."""
        until(lambda: len(self.listed()) >= 3 and master in self.listed())
        workers = sorted(set(self.listed()) - {master})[:2]
        for worker in workers:
            self.attach(worker, 1, "armed")
        assert {pid: self.state(pid) for pid in [master] + workers} == {
            master: "idle",
            workers[0]: "armed",
            workers[1]: "armed",
        }
        for worker in workers:
            self.attach(worker, 0, "idle")

    def state(self, pid):
        return self.guests.status(pid)["probes"]["function-entry"][1]

    def attach(self, worker, tracers, state):
        """A worker that waits in C gets its hooks, and loses them, with one of the next requests."""

        def reached():
            request(self.port, "/armed")
            return self.state(worker) == state

        semaphores.write(worker, {"function-entry": tracers, "function-return": tracers})
        until(reached)

    def listed(self):
        pids = [int(path.name.split("-")[0]) for path in self.guests.left()]
        return [pid for pid in pids if self.guests.status(pid)]


def check(server, stop):
    """Traced as untraced, and no word in the log that the one has and the other has not."""

    def kinds(text):
        return sorted({word for word in ("Traceback", "Warning", "rror", "Fatal", "atal") if word in text})

    untraced, traced = server.run(False, stop), server.run(True, stop)
    assert traced[0] == untraced[0], traced[1]
    assert kinds(traced[1]) == kinds(untraced[1]), traced[1]


@pytest.mark.parametrize("preload", [False, True], ids=["each worker loads", "preload"])
@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_gunicorn(guests, worker, preload):
    arguments = ["-w", "2", "-k", worker, "-b", "127.0.0.1:{port}", "--graceful-timeout", "5"]
    arguments += ["--preload"] * preload + ["application:application"]
    check(Server(guests, "gunicorn", arguments), signal.SIGTERM)


@pytest.mark.parametrize("how", [[], ["--lazy-apps"], ["--enable-threads", "--threads", "2"]], ids=" ".join)
def test_uwsgi(guests, how):
    arguments = [
        "--http-socket",
        "127.0.0.1:{port}",
        "--master",
        "--processes",
        "2",
        "--die-on-term",
        "--need-app",
    ]
    arguments += ["--module", "application:application"] + how
    check(Server(guests, "uwsgi", arguments), signal.SIGTERM)
