"""For tests that trace Python programs by the installed command: programs to be traced, and a trace."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager

from waiting import SECONDS, until

# A server: calls, a line, and what comes AFTER, for each line that it reads.
SERVER = """
import sys

{imports}


def leaf(n):
    return n


def branch(n):
    return leaf(n) + leaf(n + 1)


def call():
    for n in range({calls}):
        branch(n)


print("ready", flush=True)
for line in sys.stdin:
    call()
    print("done", flush=True)
    {after}
"""


def command(*arguments):
    return [sys.executable, "-m", "catprobe"] + [str(argument) for argument in arguments]


class Server:
    """A running SERVER."""

    def __init__(self, process, path):
        self.process = process
        self.pid = process.pid
        self.path = path

    def call(self):
        """Lets it make its calls, all of them before this returns."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@contextmanager
def server(folder, environment, calls=10, name="server.py", imports="import catprobe", after="pass"):
    path = os.path.join(str(folder), name)
    with open(path, "w") as file:
        file.write(SERVER.format(imports=imports, calls=calls, after=after))
    process = subprocess.Popen(
        [sys.executable, path],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield Server(process, path)
    finally:
        process.kill()
        process.stdin.close()
        process.stdout.close()
        process.wait()


@contextmanager
def program(tmp_path, environment, text, name="program.py", *arguments):
    """A program with this text, once it has said that it is ready."""
    path = tmp_path / name
    path.write_text(text)
    process = subprocess.Popen(
        [sys.executable, str(path)] + [str(argument) for argument in arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


class Trace:
    """A running command; its output and errors go to files, so that neither can block it."""

    def __init__(self, words, environment, folder):
        self.out = os.path.join(str(folder), "trace.out")
        self.err = os.path.join(str(folder), "trace.err")
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(
                words, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    def output(self):
        with open(self.out, encoding="utf-8", errors="replace") as file:
            return file.read()

    def errors(self):
        with open(self.err, encoding="utf-8", errors="replace") as file:
            return file.read()

    def armed(self):
        """Waits for the line that says that the probes are armed."""
        until(
            lambda: "catprobe: tracing " in self.errors() or self.process.poll() is not None, "the armed line"
        )
        assert "catprobe: tracing " in self.errors(), self.errors()
        return self

    def printed(self, text):
        until(lambda: text in self.output(), text)

    def stop(self, number=signal.SIGINT):
        """Ends it by a signal. Returns its exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        return self.process.wait(2 * SECONDS)


@contextmanager
def tracing(folder, environment, *arguments):
    trace = Trace(command(*arguments), environment, folder)
    try:
        yield trace
    finally:
        if trace.process.poll() is None:
            trace.process.kill()
            trace.process.wait()


@contextmanager
def traced_server(folder, environment, *arguments, **options):
    """A server, and a trace of it that is armed."""
    with ExitStack() as stack:
        target = stack.enter_context(server(folder, environment, **options))
        trace = stack.enter_context(tracing(folder, environment, *(arguments + ("-p", target.pid))))
        yield target, trace.armed()


def run(environment, *arguments, **options):
    """Runs the command to its end."""
    return subprocess.run(
        command(*arguments),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=2 * SECONDS,
        **options,
    )
