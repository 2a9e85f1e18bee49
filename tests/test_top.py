"""catprobe top: its figures, where the truth is known; its screen, in tmux and in pseudo-terminals."""

import fcntl
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager, suppress

import pytest
from tracing import command, run
from waiting import until

# Spends 60% of its time in large, 30% in middle, 10% in small, all of it below work. It says in a file how
# many seconds each has taken by the clock: on a busy machine one may wait for a processor more than another.
SHARES = """
import mmap
import struct
import threading
import time

import catprobe

with open(__file__ + ".seconds", "w+b") as file:
    file.truncate(24)
    told = mmap.mmap(file.fileno(), 24)
seconds = [0.0, 0.0, 0.0]


def large(n):
    for _ in range(6 * n): pass


def middle(n):
    for _ in range(3 * n): pass


def small(n):
    for _ in range(n): pass


def work(n):
    for index, function in enumerate((large, middle, small)):
        start = time.perf_counter()
        function(n)
        seconds[index] += time.perf_counter() - start
    struct.pack_into("3d", told, 0, *seconds)


def waits():
    threading.Event().wait()


threading.Thread(target=waits, name="dreamer", daemon=True).start()
print("ready", flush=True)
while True:
    work(20000)
"""

LARGE = 1 + SHARES.splitlines().index("def large(n):")
TRUTH = {"large": 60, "middle": 30, "small": 10}

SLEEPS = """
import threading

import catprobe

print("ready", flush=True)
threading.Event().wait()
"""

# Two threads that both want the GIL all the time.
RIVALS = """
import threading

import catprobe


def rival():
    while True:
        pass


threading.Thread(target=rival, daemon=True).start()
print("ready", flush=True)
rival()
"""


@pytest.fixture
def environment(tmp_path):
    folder = tmp_path / "control"
    folder.mkdir(0o700)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("XDG_RUNTIME_DIR", "NO_COLOR", "TMUX")
    }
    return dict(kept, CATPROBE_DIR=str(folder), LC_ALL="C.UTF-8", TERM="xterm")


@contextmanager
def program(tmp_path, environment, text=SHARES):
    path = tmp_path / "shares.py"
    path.write_text(text)
    process = subprocess.Popen(
        [sys.executable, str(path)], env=environment, stdout=subprocess.PIPE, universal_newlines=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def target(tmp_path, environment):
    with program(tmp_path, environment) as process:
        yield process


def short(row):
    """The last part of a function's name, qualified or not."""
    return row["function"].rpartition(".")[2]


def by_function(result):
    return {short(row): row for row in json.loads(result.stdout)["functions"]}


def seconds_told(tmp_path):
    with open(str(tmp_path / "shares.py.seconds"), "rb") as file:
        return struct.unpack("3d", file.read())


def test_the_figures_are_true(environment, tmp_path, target):
    before = seconds_told(tmp_path)
    result = run(environment, "top", "-F", "--json", "--seconds", 3, "--rate", 250, target.pid)
    seconds = [now - then for now, then in zip(seconds_told(tmp_path), before)]
    assert (result.returncode, result.stderr) == (0, "")
    rows = by_function(result)
    whole = json.loads(result.stdout)
    for name, second in zip(TRUTH, seconds):
        share = second / sum(seconds)
        # Five standard deviations of that many samples taken at random.
        error = 5 * (share * (1 - share) / whole["samples"]) ** 0.5
        assert abs(rows[name]["own_percent"] / 100 - share) < error, (rows[name], share, error)
        assert rows[name]["own_time"] == pytest.approx(rows[name]["own_percent"] / 100 * 3, abs=0.2)
        assert rows[name]["file"].endswith("shares.py")
    assert rows["work"]["total_percent"] > 95 and rows["work"]["own_percent"] < 5
    assert whole["active_percent"] > 95 and whole["gil_percent"] > 90 and whole["samples"] > 200
    assert len(whole["threads"]) == 2 and "MainThread" in [thread["name"] for thread in whole["threads"]]
    assert whole["processes"][0]["pid"] == target.pid


def test_plain_text(environment, target):
    result = run(environment, "top", "--seconds", 1, target.pid)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("{}: ".format(target.pid)) and "shares.py" in lines[0]
    assert re.match(r"\d+ samples at 100 Hz in [01]\.\d s, torn 0, behind \d+$", lines[1])
    assert re.match(r"GIL: [\d.]+%, Active: [\d.]+%, GILWait: [\d.]+%, Threads: 2$", lines[2])
    assert lines[4].split()[:5] == ["%Own", "%Total", "OwnTime", "TotalTime", "%GILWait"]
    own = [float(line.split("%")[0]) for line in lines[5:]]
    assert own == sorted(own, reverse=True)
    assert lines[5].endswith("large (shares.py:{})".format(LARGE + 1))


def test_the_idle_are_counted_only_when_asked_for(environment, target):
    rows = by_function(run(environment, "top", "-F", "--json", "--seconds", 1, target.pid))
    assert "waits" not in rows
    rows = by_function(run(environment, "top", "-iF", "--json", "--seconds", 1, target.pid))
    assert rows["waits"]["total_percent"] > 95


def test_of_a_process_that_only_sleeps_the_table_says_how_to_see_it(environment, tmux, tmp_path):
    with program(tmp_path, environment, SLEEPS) as sleeper:
        result = run(environment, "top", "--seconds", 1, sleeper.pid)
        assert (
            result.stdout.splitlines()[-1] == "  no thread has run: -i (--idle) counts those that wait, too"
        )
        assert "no thread has run" not in run(environment, "top", "-i", "--seconds", 1, sleeper.pid).stdout
        assert "no thread has held the GIL" in run(environment, "top", "-g", "-d", 1, sleeper.pid).stdout
        start(tmux, sleeper.pid)
        tmux.shows(r"Function \(file:line\)\s+no thread has run: -i \(--idle\) counts those that wait, too\n")
        tmux.type("t")
        assert "no thread has run" not in tmux.shows(r"MainThread \(")
        tmux.type("q")
        tmux.check_restored()


def test_waiting_for_the_gil_is_seen(environment, tmp_path):
    with program(tmp_path, environment, RIVALS) as rivals:
        result = run(environment, "top", "-gF", "--json", "--seconds", 2, rivals.pid)
        row = by_function(result)["rival"]
        assert 75 < row["own_percent"] <= 105, row
        assert row["gil_wait_percent"] > 30, row
        assert json.loads(result.stdout)["gil_wait_percent"] > 30


def test_a_command_is_started(environment, tmp_path):
    path = tmp_path / "shares.py"
    path.write_text(
        SHARES.replace("while True:", "for _ in range(400):").replace('print("ready", flush=True)', "")
    )
    result = run(environment, "top", "-F", "--json", "--", sys.executable, path)
    assert result.returncode == 0, result
    assert abs(by_function(result)["large"]["own_percent"] - TRUTH["large"]) < 15


@pytest.mark.once
@pytest.mark.parametrize(
    "arguments, status, message",
    [
        (
            (),
            2,
            "top: of which process? catprobe ps lists those that can be looked at (see: catprobe --help)",
        ),
        (("--rate", "0", "1"), 2, "--rate takes samples a second, 1 to 10000, not 0 (see: catprobe --help)"),
        (("--interval", "x", "1"), 2, "--interval takes a time such as 500ms, 1.5s or 2m, not x"),
        (("--what", "1"), 2, "top: unknown option --what (see: catprobe --help)"),
    ],
)
def test_what_is_wrong_is_told(environment, arguments, status, message):
    result = run(environment, "top", *arguments)
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.startswith("catprobe: " + message)


class Tmux:
    """A shell in tmux."""

    def __init__(self, folder, environment, columns=100, rows=20):
        if not shutil.which("tmux"):
            pytest.skip("needs tmux: tests/packages test")
        self.socket = os.path.join(str(folder), "tmux")
        self.environment = environment
        self("new-session", "-d", "-x", columns, "-y", rows, "-s", "screen", "env PS1='$ ' sh")

    def mark(self):
        """So that it can be seen whether the screen comes back."""
        self.type("echo the screen before", "Enter")
        self.shows("the screen before\n")

    def __call__(self, *words):
        return subprocess.check_output(
            ["tmux", "-S", self.socket, "-f", os.devnull] + [str(word) for word in words],
            env=self.environment,
            universal_newlines=True,
        )

    def type(self, *keys):
        self("send-keys", "-t", "screen", *keys)

    def screen(self):
        return self("capture-pane", "-p", "-t", "screen")

    def shows(self, pattern):
        """Waits for what matches, and returns the screen."""
        with suppress(AssertionError):
            return until(lambda: [screen for screen in [self.screen()] if re.search(pattern, screen)])[0]
        pytest.fail("no {} in\n{}".format(pattern, self.screen()))

    def resize(self, columns, rows):
        self("resize-window", "-t", "screen", "-x", columns, "-y", rows)

    def check_restored(self):
        self.shows("the screen before")
        self.type("stty -a", "Enter")
        assert re.search(r"(?<!-)icanon\b", self.shows(r"\bicanon")), self.screen()
        assert re.search(r"\becho\b", self.screen()) and "-echo " not in self.screen()


@pytest.fixture
def tmux(tmp_path, environment):
    shell = Tmux(tmp_path, environment)
    try:
        shell.mark()
        yield shell
    finally:
        shell("kill-server")


def start(tmux, *arguments):
    tmux.type(" ".join(shlex.quote(word) for word in command("top", *arguments)), "Enter")


def rows_of(screen):
    """[(%Own, %Total, label)] of the rows on a screen."""
    return [
        (float(own), float(total), label)
        for own, total, label in re.findall(
            r"(?m)^ *([\d.]+)% +([\d.]+)% .*[\d.]+s +[\d.]+% +(\w.*?\))", screen
        )
    ]


def test_the_screen_shows_the_shares(tmux, target):
    start(tmux, "-F", target.pid)
    tmux.shows(r"(?m)^ *[1-9]\d{2,} samples at 100 Hz in [2-9]")
    screen = tmux.screen()
    assert screen.startswith("{}: ".format(target.pid)) and "the screen before" not in screen
    shown = {label.partition(" ")[0]: own for own, _, label in rows_of(screen)}
    for name, share in TRUTH.items():
        assert abs(shown[name] - share) < 20, screen
    assert re.search(r"q or Ctrl-C quits", screen)


def test_keys(tmux, target):
    line = r"large \(shares\.py:{}\)".format(LARGE + 1)
    start(tmux, target.pid)
    tmux.shows(line)
    tmux.type("1")
    tmux.shows(r"%GILWait +Function[^\n]*\n[^\n]*" + line)
    tmux.type("2")
    tmux.shows(r"%GILWait +Function[^\n]*\n[^\n]*<module> \(")
    tmux.type("l")
    tmux.shows(r"large \(shares\.py:{}\)".format(LARGE))
    tmux.type("t")
    tmux.shows(r"%Active +%GIL[^\n]*Thread")
    tmux.shows(r"MainThread \(\d+ of process {}\)".format(target.pid))
    tmux.type("t")
    tmux.shows(line)
    tmux.type("?")
    assert "%GIL  " not in tmux.shows(r"5 +sort by %GILWait") and "large" not in tmux.screen()
    tmux.type("?")
    tmux.shows(r"large \(shares\.py")
    tmux.shows(r"samples at 100 Hz in [2-9]")
    tmux.type("r")
    tmux.shows(r"samples at 100 Hz in [01]\.")
    tmux.type("q")
    tmux.check_restored()


@pytest.mark.parametrize("key", ["C-c", "q"])
def test_a_key_ends_it(tmux, target, key):
    start(tmux, target.pid)
    tmux.shows(r"large \(")
    tmux.type(key)
    tmux.check_restored()


def test_any_size(tmux, target):
    start(tmux, target.pid)
    tmux.shows(r"large \(")
    for columns, rows in ((20, 3), (500, 50), (41, 5), (80, 24), (7, 2), (100, 20)):
        tmux.resize(columns, rows)
        expected = r"large \(shares.py" if columns > 40 else r"larg" if columns > 10 else r"%"
        screen = tmux.shows(expected)
        assert max(map(len, screen.splitlines())) <= columns
    tmux.resize(100, 20)
    tmux.shows(r"\A{}: .*\n.*samples(.*\n)+q or Ctrl-C quits".format(target.pid))
    tmux.type("q")
    tmux.check_restored()


def top_of(target_pid):
    """The pid of the top that looks at a process."""
    for entry in os.listdir("/proc"):
        with suppress(OSError):
            with open("/proc/{}/cmdline".format(int(entry)) if entry.isdigit() else os.devnull) as file:
                words = file.read().split("\0")
            if "top" in words and str(target_pid) in words and "sh" not in os.path.basename(words[0]):
                return int(entry)
    return None


def test_signals(tmux, target):
    start(tmux, target.pid)
    tmux.shows(r"large \(")
    pid = until(lambda: top_of(target.pid))
    os.kill(pid, signal.SIGTSTP)
    tmux.shows(r"the screen before(.|\n)*Stopped")
    tmux.type("fg", "Enter")
    tmux.shows(r"\A{}: .*\n.*samples".format(target.pid))
    tmux.type("C-z")
    tmux.shows(r"the screen before(.|\n)*Stopped")
    tmux.type("fg", "Enter")
    tmux.shows(r"\A{}: .*\n.*samples".format(target.pid))
    os.kill(pid, signal.SIGTERM)
    tmux.check_restored()


def test_the_last_screen_stays_when_the_process_ends(tmux, target):
    start(tmux, target.pid)
    tmux.shows(r"large \(")
    target.kill()
    target.wait()
    assert "large (" in tmux.shows(r"the process has ended: q quits")
    tmux.type("q")
    tmux.check_restored()


def test_the_output_of_a_command_stays_away_from_the_screen(tmux, tmp_path):
    path = tmp_path / "shares.py"
    path.write_text(
        SHARES.replace("    work(20000)", "    work(20000)\n    print('noise', flush=True)").replace(
            '"ready"', "__import__('os').getpid()"
        )
    )
    start(tmux, "--", sys.executable, path)
    assert "noise" not in tmux.shows(r"large \(")
    tmux.type("q")
    told = tmux.shows(r"the output of \S+ is in (/tmp/catprobe-top-\w+)").replace("\n", "")
    output = re.search(r"is in (/tmp/catprobe-top-\w{6})", told).group(1)
    with open(output) as file:
        pid = int(file.readline())
        os.kill(pid, signal.SIGKILL)
        assert file.readline() == "noise\n"
    os.unlink(output)


class Terminal:
    """A pseudo-terminal in which top runs; it keeps what was written."""

    def __init__(self, columns, rows, environment, *arguments):
        self.master, slave = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            command("top", *arguments),
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=self._own_terminal,
        )
        self.output = b""

    @staticmethod
    def _own_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.output += os.read(self.master, 65536)
        return self.output

    def read_until(self, text, count=1):
        until(lambda: self.read().count(text) >= count, text)

    def end(self):
        os.write(self.master, b"q")
        until(lambda: (self.read(), self.process.poll())[1] is not None, "its end")
        self.read()
        assert termios.tcgetattr(self.slave) == self.before
        os.close(self.slave)
        os.close(self.master)
        return self.process.returncode


SEQUENCE = re.compile(r"\x1b\[[?\d;]*[A-Za-z]")


@pytest.mark.parametrize("columns, rows", [(1, 1), (3, 2), (20, 3), (33, 4), (79, 7), (500, 60)])
def test_a_terminal_of_odd_size(environment, target, columns, rows):
    terminal = Terminal(columns, rows, environment, "--interval", "200ms", target.pid)
    terminal.read_until(b"\x1b[H", 7)
    assert terminal.end() == 0
    text = terminal.output.decode()
    assert text.index("\x1b[?1049h") < text.index("\x1b[?1049l") and text.endswith("\x1b[?25h\x1b[?1049l")
    screens = text.split("\x1b[H")[2:-1]
    for screen in screens:
        lines = SEQUENCE.sub("", screen).replace("\r", "").split("\n")
        assert len(lines) == rows and max(map(len, lines)) <= columns, screen
        assert "\x1b[2J" not in screen, "it is cleared, and so flickers"
    if columns >= 20:
        assert re.search("larg|midd|smal", screens[-1])


@pytest.mark.parametrize("colors", [False, True])
def test_no_color(environment, target, colors):
    environment = dict(environment, **({} if colors else {"NO_COLOR": "1"}))
    terminal = Terminal(80, 24, environment, target.pid)
    terminal.read_until(b"large (")
    terminal.end()
    assert (b"\x1b[32m" in terminal.output) == colors


def test_a_dumb_terminal_gets_plain_text(environment, target):
    terminal = Terminal(80, 24, dict(environment, TERM="dumb"), target.pid)
    terminal.read_until(b"cannot be drawn on (TERM)")
    time.sleep(0.5)  # so that there are samples
    os.write(terminal.master, b"\x03")
    terminal.read_until(b"large (")
    assert b"\x1b" not in terminal.read()
    terminal.end()
