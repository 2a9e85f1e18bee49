#!/usr/bin/env python3
"""Makes the pictures of docs/images from real runs: `make pictures`.

The cat server runs, catprobe looks at it in a terminal of tmux, and what stands there becomes an SVG by way
of rich; chromium takes the picture of the flame graph. It runs on the Python that has catprobe and rich.
"""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

CHECKOUT = Path(__file__).resolve().parent.parent
IMAGES = CHECKOUT / "docs" / "images"
SECONDS = 60  # until a wait is given up
SERVER = ["python", "-m", "catdemo", "--seed", "7", "--speed", "2"]

# Commands are found where this Python is, as in an activated environment.
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def fail(text):
    sys.exit("pictures: " + text)


def until(condition, what):
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            fail("{} did not come within {} s".format(what, SECONDS))
        time.sleep(0.05)


class Terminal:
    """A shell in a terminal of tmux, of its own server."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.socket = tempfile.mkdtemp(prefix="catprobe-pictures-")
        shell = ["env", "PATH=" + PATH, "PS1=$ ", "bash", "--norc", "--noprofile", "-i"]
        size = ["-x", str(columns), "-y", str(rows)]
        self.tmux("-f", "/dev/null", "new-session", "-d", *size, " ".join(map(shlex.quote, shell)))
        self.tmux("set", "-g", "status", "off")
        self.tmux("resize-window", *size)

    def tmux(self, *arguments):
        words = ["tmux", "-S", os.path.join(self.socket, "s"), *arguments]
        done = subprocess.run(
            words, cwd=CHECKOUT, stdout=subprocess.PIPE, universal_newlines=True, check=True
        )
        return done.stdout

    def screen(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def shows(self, pattern):
        """Wait until the screen has this."""
        until(lambda: re.search(pattern, self.screen()), pattern)

    def type(self, command):
        self.tmux("send-keys", "-l", command)
        self.tmux("send-keys", "Enter")

    def press(self, key):
        self.tmux("send-keys", key)

    def close(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.tmux("kill-server")
        shutil.rmtree(self.socket)

    def draw(self, name, title):
        """What stands there now, as IMAGES/name."""
        lines = self.screen("-e").rstrip().split("\n")
        with open(os.devnull, "w") as nowhere:
            console = Console(record=True, file=nowhere, width=self.columns, force_terminal=True)
            for line in lines:
                console.print(Text.from_ansi(line), no_wrap=True, overflow="crop", highlight=False)
        svg = console.export_svg(title=title, unique_id=name.partition(".")[0])
        (IMAGES / name).write_text(re.sub(r"(?s)@font-face \{.*?\}\s*", "", svg))  # no fonts from the net


@contextlib.contextmanager
def terminal(columns, rows):
    opened = Terminal(columns, rows)
    try:
        opened.shows(r"\$")
        yield opened
    finally:
        opened.close()


@contextlib.contextmanager
def cat_server():
    """Its PID, once it serves."""
    process = subprocess.Popen(
        SERVER,
        executable=sys.executable,
        env=dict(os.environ, PATH=PATH),
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
        universal_newlines=True,
    )
    if "serves" not in process.stdout.readline():
        fail("the cat server did not start: make build")
    reader = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()
        reader.wait()


# ---- The pictures


def server(pid):
    """Another cat server, for itself."""
    with terminal(80, 12) as shell:
        shell.type("python -m catdemo --seed 7 --speed 4")
        shell.shows(r"(?s)waiting.*waiting.*waiting")
        shell.press("C-c")
        shell.shows(r"\n\$\s*$")
        shell.draw("server.svg", "python -m catdemo")


def script(name, file, columns, rows, seconds, arguments=""):
    """One of the talk's, for so long, and what is then in the terminal."""

    def picture(pid):
        command = "catprobe -s d_demo/{}.d -p {}{}".format(file, pid, arguments)
        with terminal(columns, rows) as shell:
            shell.type(command)
            shell.shows("tracing|Tracing|DELTA")
            time.sleep(seconds)
            shell.press("C-c")
            shell.shows(r"\n\$\s*$")
            shell.draw(name, command)

    return picture


def top(pid):
    command = "catprobe top {} --idle".format(pid)
    with terminal(100, 20) as shell:
        shell.type(command)
        shell.shows("new_cat_video")
        time.sleep(8)
        shell.draw("top.svg", command)
        shell.press("q")


def chromium(url, picture, size):
    browser = shutil.which("chromium") or fail("there is no chromium: tests/packages pictures")
    with tempfile.TemporaryDirectory() as profile:
        words = [browser, "--headless", "--disable-gpu", "--hide-scrollbars", "--user-data-dir=" + profile]
        words += ["--no-sandbox"] if os.geteuid() == 0 else []
        words += ["--window-size={},{}".format(*size), "--screenshot={}".format(picture), url]
        subprocess.run(words, check=True, timeout=SECONDS, stderr=subprocess.DEVNULL)


def flame_graph(pid):
    """The file itself, which is for a browser, and how one shows it."""
    path = IMAGES / "flamegraph.svg"
    words = [sys.executable, "-m", "catprobe", "record", str(pid), "-o", str(path), "-d", "15", "--idle"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    text = path.read_text().replace(str(CHECKOUT), "/srv/cats")  # not where it was taken
    path.write_text(text)
    sides = re.search(r'<svg[^>]* width="(\d+)[^>]* height="(\d+)', text).groups()
    chromium(path.as_uri(), IMAGES / "flamegraph.png", sides)


PICTURES = {
    "server": server,
    "flowinfo": script("flowinfo.svg", "a_py_flowinfo", 90, 36, 3),
    "flowinfo-one": script("flowinfo-one.svg", "a_py_flowinfo", 90, 12, 3, " new_cat_video"),
    "calltime": script("calltime.svg", "b_py_calltime", 80, 40, 8),
    "calldist": script("calldist.svg", "c_py_calldist", 80, 40, 8),
    "top": top,
    "flamegraph": flame_graph,
}


def main():
    names = sys.argv[1:] or list(PICTURES)
    unknown = [name for name in names if name not in PICTURES]
    if unknown:
        fail("there is no {}; there are {}".format(unknown[0], ", ".join(PICTURES)))
    IMAGES.mkdir(exist_ok=True)
    with cat_server() as pid:
        for name in names:
            PICTURES[name](pid)
            print("docs/images: " + name)


if __name__ == "__main__":
    main()
