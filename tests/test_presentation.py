"""The talk's slides: the keys, in a real (pseudo-)terminal of several sizes, and what a pipe gets."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parent.parent / "presentation.py"
SIZES = [(80, 24), (40, 12), (85, 30), (200, 60), (20, 5), (132, 8)]

pytestmark = pytest.mark.skipif(
    not PROGRAM.exists(), reason="needs a checkout: presentation.py is not installed"
)


def plain_slides():
    """[(title, words)] of all slides, from what a pipe gets."""
    run = subprocess.run(
        [sys.executable, str(PROGRAM)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    assert run.returncode == 0
    parts = re.split(r"(?m)^(.+)\n=+$", run.stdout)
    return [(title, text.split()) for title, text in zip(parts[1::2], parts[2::2])]


class Terminal:
    """presentation.py in a pseudo-terminal; screen() is what was drawn since the screen was last cleared."""

    def __init__(self, columns, rows):
        self.master, slave = pty.openpty()
        self.resize(columns, rows)
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=self._own_terminal,
        )
        os.close(slave)
        self.output = ""
        self.read_screen()

    @staticmethod
    def _own_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, deadline):
        """One piece of output, or "" at its end."""
        assert select.select([self.master], [], [], max(deadline - time.monotonic(), 0))[0], self.output
        try:
            return os.read(self.master, 65536).decode()
        except OSError:  # EIO: nobody has the terminal open any more
            return ""

    def read_screen(self):
        """Wait for a whole screen: one line feed less than rows, and a prompt, where it has room."""
        self.output, deadline = "", time.monotonic() + 20
        while True:
            _, cleared, drawn = self.output.rpartition("\x1b[2J\x1b[H")
            if cleared and drawn.count("\n") == self.rows - 1 and (self.columns < 30 or drawn.endswith(": ")):
                self.drawn = drawn
                return
            piece = self.read(deadline)
            assert piece, "it ended: " + self.output
            self.output += piece

    def key(self, text):
        os.write(self.master, (text + "\n").encode())
        self.read_screen()

    def lines(self):
        return [re.sub(r"\x1b\[\d*m", "", line.rstrip("\r")) for line in self.drawn.split("\n")]

    def words(self):
        """What is shown, without the prompt in the last row."""
        return " ".join(self.lines()[:-1]).split()

    def end(self, data):
        """Send the bytes; return the exit status and the last output."""
        os.write(self.master, data)
        deadline, rest = time.monotonic() + 20, ""
        piece = self.read(deadline)
        while piece:
            rest += piece
            piece = self.read(deadline)
        return self.process.wait(timeout=20), rest

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


@pytest.fixture
def terminal():
    opened = []

    def open_terminal(columns=80, rows=24):
        opened.append(Terminal(columns, rows))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()


def test_a_pipe_gets_all_slides_as_plain_text():
    slides = plain_slides()
    titles = [title for title, _ in slides]
    assert len(slides) >= 8
    assert "Live demo!" in titles and "Further resources" in titles
    words = [word for _, text in slides for word in text]
    assert "\x1b" not in "".join(words)
    for script in ("a_py_flowinfo.d", "b_py_calltime.d", "c_py_calldist.d"):
        assert "d_demo/" + script in dict(slides)["Live demo!"]


@pytest.mark.parametrize("columns, rows", SIZES)
def test_no_slide_loses_text(terminal, columns, rows):
    screen = terminal(columns, rows)
    expected = [[*title.split(), *text] for title, text in plain_slides()]
    seen = []
    for _ in range(200):
        assert max(map(len, screen.lines())) <= columns
        seen += screen.words()
        before = screen.drawn
        screen.key("")
        if screen.drawn == before:
            break
    # Long words may be broken on a narrow terminal, so only their letters are compared.
    assert "".join(seen) == "".join(word for text in expected for word in text)


@pytest.mark.parametrize("columns, rows", [(80, 24), (40, 12)])
def test_a_slide_is_one_page(terminal, columns, rows):
    screen = terminal(columns, rows)
    for title, text in plain_slides():
        assert "".join(screen.words()) == "".join(title.split() + text)
        screen.key("")


def test_keys(terminal):
    titles = [title for title, _ in plain_slides()]
    screen = terminal()

    def title():
        return next(line.strip() for line in screen.lines() if line.strip())

    assert title() == titles[0]
    screen.key("b")
    assert title() == titles[0], "b stays on the first slide"
    screen.key("")
    assert title() == titles[1]
    screen.key("")
    screen.key("b")
    assert title() == titles[1]
    screen.key("r")
    assert title() == titles[1]
    screen.key("nonsense")
    assert title() == titles[1]
    screen.key("?")
    assert title() == "Keys" and {"b<cr>", "q<cr>", "r<cr>", "?<cr>", "<cr>"} <= set(screen.words())
    screen.key("")
    assert title() == titles[1], "help comes back to its slide"
    for _ in titles:
        screen.key("")
    assert title() == titles[-1], "the last slide stays"


def test_the_next_key_sees_a_new_size(terminal):
    screen = terminal(80, 24)
    screen.key("")
    text = "".join(screen.words())
    for columns, rows in [(40, 12), (120, 50), (60, 20)]:
        screen.resize(columns, rows)
        screen.key("r")
        assert "".join(screen.words()) == text
        assert max(map(len, screen.lines())) <= columns


@pytest.mark.parametrize("data", [b"q\n", b"\x04", b"\x03"], ids=["q", "end-of-file", "Ctrl-C"])
def test_it_ends_cleanly(terminal, data):
    status, rest = terminal().end(data)
    assert status == 0
    assert "Traceback" not in rest
