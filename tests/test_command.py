"""The command and the control socket: what it lists, what it says of what is wrong, and whom it trusts.

The targets are not traced: tests/unit/target.c uses the agent's own side of the control socket, and a small
script plays those that misbehave. Each test runs with the installed command and with a plain C build of it,
as far as it can.
"""

import fcntl
import importlib.util
import os
import pty
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import textwrap
import time
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import plain
import pytest
from tracers import NAMES
from waiting import SECONDS, until

CHECKOUT = Path(__file__).resolve().parent.parent
NOBODY_IN_PARTICULAR = 54321  # a user without name, folder or process
OVERFLOW_UID = int(Path("/proc/sys/kernel/overflowuid").read_text())
HEADER = "   ID   PROVIDER            MODULE                          FUNCTION NAME\n"

# Binds in FOLDER under its own pid and start time + SHIFT, and gives ANSWER, an expression, to all who ask;
# None is silence.
FAKE_TARGET = r"""
import os, socket, sys, threading

folder, shift, answer = sys.argv[1:]
answer = eval(answer)
with open("/proc/self/stat") as file:
    start = int(file.read().rpartition(")")[2].split()[19]) + int(shift)
listener = socket.socket(socket.AF_UNIX)
listener.bind("{}/{}-{}.sock".format(folder, os.getpid(), start))
listener.listen(10)
print(listener.getsockname(), flush=True)

def serve():
    kept = []
    while True:
        connection = listener.accept()[0]
        kept.append(connection)
        if answer is not None:
            try:
                connection.recv(1000)
                connection.sendall(answer)
                connection.close()
            except OSError:
                pass

threading.Thread(target=serve, daemon=True).start()
sys.stdin.read()
"""


def as_user(uid):
    """For preexec_fn: become this user, if not None."""

    def become():
        if uid is not None:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)

    return become


@pytest.fixture(scope="session")
def binaries():
    """Plain C builds, in a folder that every user can read: catprobe, target and the tests in C."""
    folder = Path(tempfile.mkdtemp(prefix="catprobe-test-"))
    folder.chmod(0o755)
    agent = plain.agent_sources()
    sources = {
        "catprobe": plain.command_sources(),
        "target": ["tests/unit/target.c", plain.generated() / "probes.c"] + agent,
        "control_test": ["tests/unit/control_test.c"] + agent,
        "process_test": ["tests/unit/process_test.c", "src/command/process.c"] + agent,
        "tracers_test": ["tests/unit/tracers_test.c", "src/command/uprobes.c"] + agent,
    }
    for name, files in sources.items():
        plain.build(folder / name, files)
    yield folder
    shutil.rmtree(str(folder))


@pytest.fixture
def folder():
    """A folder for control sockets."""
    path = tempfile.mkdtemp(prefix="catprobe-folder-")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def environment(folder):
    """The environment of targets and commands, with that folder."""
    kept = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    return dict(kept, CATPROBE_DIR=folder, LC_ALL="C.UTF-8")


class Command:
    def __init__(self, words, environment):
        self.words = [str(word) for word in words]
        self.environment = environment

    def __call__(self, *arguments, **options):
        options.setdefault("env", self.environment)
        return subprocess.run(
            self.words + [str(argument) for argument in arguments],
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=20,
            **options,
        )


@pytest.fixture
def static(binaries, environment):
    """The command as a plain C build, which any user can run."""
    return Command([binaries / "catprobe"], environment)


# The plain C build is the same whichever the interpreter.
@pytest.fixture(params=["installed", pytest.param("static", marks=pytest.mark.once)])
def catprobe(request, static, environment):
    if request.param == "static":
        return static
    return Command([sys.executable, "-m", "catprobe"], environment)


@contextmanager
def running(words, environment, user=None, **options):
    """Starts a program, reads one line from it, and ends it by the end of its stdin."""
    process = subprocess.Popen(
        words,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
        preexec_fn=as_user(user),
        **options,
    )
    try:
        process.line = process.stdout.readline().rstrip("\n")
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


@pytest.fixture
def target(binaries, environment):
    with running([str(binaries / "target")], environment) as process:
        yield process


@contextmanager
def fake(folder, answer, shift=0):
    words = [sys.executable, "-c", FAKE_TARGET, folder, str(shift), answer]
    with running(words, dict(os.environ, CATPROBE_DISABLE="1")) as process:
        yield process


def row_of(output, pid):
    """The line of a process in what ps printed, or None."""
    return next((line for line in output.splitlines() if line.split()[:1] == [str(pid)]), None)


def one_line(result, status, *texts):
    """The command failed with this status and said so in one line that has these texts."""
    assert result.returncode == status, result
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("catprobe: "), result
    for text in texts:
        assert text in result.stderr


# The lines of the protocol.


def test_names_requests_and_replies(binaries):
    assert subprocess.run([str(binaries / "control_test")], stdout=subprocess.PIPE).stdout == b""


def test_the_limit_of_memory_of_a_container(binaries, tmp_path):
    result = subprocess.run(
        [str(binaries / "process_test"), str(tmp_path / "groups")], stdout=subprocess.PIPE
    )
    assert (result.stdout, result.returncode) == (b"", 0)


def talk(path, request):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(path)
        with suppress(OSError):  # a refusal may come first
            connection.sendall(request)
        parts = [b""]
        with suppress(ConnectionResetError):  # it closes before it has read all of a long request
            while len(parts) == 1 or parts[-1]:
                parts.append(connection.recv(65536))
        return b"".join(parts)


def test_a_target_answers_in_lines(target):
    answer = talk(target.line, b"catprobe/1 status\n").decode()
    assert answer.startswith("catprobe/1 ok\npid {}\n".format(target.pid))
    assert "\nprobe function-entry frame-evaluation armed 2 0 0\n" in answer
    assert "\nexecutable /usr/bin/python?3\n" in answer
    assert answer.endswith("\n\n")


@pytest.mark.parametrize(
    "request_line, text",
    [
        (b"GET / HTTP/1.1\r\n\r\n", "no request"),
        (b"catprobe/1 " + b"x" * 100000, "longer than"),
        (b"catprobe/1 \0status\n", "control character"),
        (b"catprobe/4 status\n", "it speaks version 3 of catprobe's protocol, not 4"),
        (b"catprobe/1 launch\n", "it does not know the verb launch"),
    ],
)
def test_a_target_refuses_in_one_line(target, request_line, text):
    answer = talk(target.line, request_line).decode()
    assert answer.startswith("catprobe/1 error ") and answer.count("\n") == 1
    assert text in answer
    assert talk(target.line, b"catprobe/1 status\n").startswith(b"catprobe/1 ok\n")


def talk_as(uid, path):
    """The answer that another user gets."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            as_user(uid)()
            os.write(writer, talk(path, b"catprobe/1 status\n"))
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        answer = file.read()
    os.waitpid(child, 0)
    return answer.decode()


def open_to_all(path):
    os.chmod(os.path.dirname(path), 0o755)
    os.chmod(path, 0o777)


def test_a_target_refuses_other_users(root, target):
    open_to_all(target.line)
    answer = talk_as(NOBODY_IN_PARTICULAR, target.line)
    refusal = "it belongs to uid 0 and you are uid {}: run catprobe as that user or as root".format(
        NOBODY_IN_PARTICULAR
    )
    assert answer == "catprobe/1 error " + refusal + "\n"
    assert target.stdout.readline() == "refused: " + refusal + "\n"


def test_a_target_answers_its_own_user_and_root(root, binaries, environment, folder):
    os.chown(folder, NOBODY_IN_PARTICULAR, -1)
    with running([str(binaries / "target")], environment, user=NOBODY_IN_PARTICULAR) as target:
        assert target.line.startswith(folder)
        assert talk_as(NOBODY_IN_PARTICULAR, target.line).startswith("catprobe/1 ok\n")
        assert talk_as(0, target.line).startswith("catprobe/1 ok\n")


def test_the_overflow_uid_is_never_the_same_user(root, binaries, environment, folder):
    os.chown(folder, OVERFLOW_UID, -1)
    with running([str(binaries / "target")], environment, user=OVERFLOW_UID) as target:
        assert target.line.startswith(folder)
        answer = talk_as(OVERFLOW_UID, target.line)
        assert answer.startswith("catprobe/1 error it sees you as uid {}".format(OVERFLOW_UID))
        assert talk_as(0, target.line).startswith("catprobe/1 ok\n")


# The folder and the socket.


@pytest.fixture
def homeless(environment):
    """The environment of a user of whom the folders in /tmp and /dev/shm are removed afterwards."""
    places = ["{}/catprobe-{}".format(place, NOBODY_IN_PARTICULAR) for place in ("/tmp", "/dev/shm")]
    yield environment, places
    for place in places:
        if os.path.isdir(place):
            shutil.rmtree(place)


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_only_the_user_can_reach_the_socket(root, binaries, homeless, umask):
    environment, places = homeless

    def prepare():
        as_user(NOBODY_IN_PARTICULAR)()
        os.umask(umask)

    process = subprocess.Popen(
        [str(binaries / "target")],
        env=dict(environment, CATPROBE_DIR=""),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=prepare,
        universal_newlines=True,
    )
    path = process.stdout.readline().rstrip("\n")
    assert os.path.dirname(path) == places[0]
    assert stat.S_IMODE(os.stat(places[0]).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    process.communicate("")
    assert os.listdir(places[0]) == []


@pytest.mark.parametrize("kind", ["foreign", "link", "writable", "absent", "file", "read-only"])
def test_a_folder_that_does_not_serve_is_passed_over(root, binaries, homeless, folder, kind):
    environment, places = homeless
    bad = os.path.join(folder, "bad")
    os.chmod(folder, 0o755)
    if kind == "file":
        open(bad, "w").close()
    elif kind != "absent":
        os.mkdir(bad, 0o700)
    if kind in ("link", "writable", "read-only"):
        os.chown(bad, NOBODY_IN_PARTICULAR, -1)
    if kind == "link":
        os.symlink("bad", bad + "-link")
        bad += "-link"
    elif kind == "writable":
        os.chmod(bad, 0o770)
    elif kind == "read-only":
        os.chmod(bad, 0o500)
    environment["CATPROBE_DIR"] = bad
    with running([str(binaries / "target")], environment, NOBODY_IN_PARTICULAR) as target:
        assert os.path.dirname(target.line) == places[0]


def test_without_any_folder_the_reason_is_one_line(root, binaries, homeless):
    environment, places = homeless
    for place in places:
        os.mkdir(place, 0o700)
    environment["CATPROBE_DIR"] = "/proc"
    with running([str(binaries / "target")], environment, NOBODY_IN_PARTICULAR) as target:
        assert target.line.startswith("error: no folder for the control socket works: set CATPROBE_DIR to ")
        assert "{} belongs to uid 0".format(places[1]) in target.line


def test_root_leaves_the_runtime_folder_of_a_user_alone(root, binaries, environment, folder):
    os.chown(folder, NOBODY_IN_PARTICULAR, -1)
    environment = dict(environment, CATPROBE_DIR="", XDG_RUNTIME_DIR=folder)
    with running([str(binaries / "target")], environment) as target:
        assert not target.line.startswith(folder)
        assert os.listdir(folder) == []


def test_a_folder_with_a_long_path_serves(binaries, environment, folder, catprobe):
    deep = os.path.join(folder, *["x" * 100] * 4)
    os.makedirs(os.path.dirname(deep))
    environment["CATPROBE_DIR"] = deep
    with running([str(binaries / "target")], environment) as target:
        assert os.path.dirname(target.line) == deep
        assert row_of(catprobe("ps").stdout, target.pid)


@pytest.fixture
def stale(binaries, environment):
    """The path of the socket of a process that was killed."""
    with running([str(binaries / "target")], environment) as target:
        target.kill()
        target.wait()
    assert os.path.exists(target.line)
    return target.line


def test_ps_removes_the_sockets_of_killed_processes(stale, catprobe):
    pid = os.path.basename(stale).split("-")[0]
    assert not row_of(catprobe("ps").stdout, pid)
    assert not os.path.exists(stale)


def test_a_new_process_removes_the_sockets_of_killed_ones(stale, target):
    assert os.listdir(os.path.dirname(stale)) == [os.path.basename(target.line)]


def test_a_socket_of_another_start_time_is_another_process(folder, catprobe):
    with fake(folder, r"b'catprobe/1 ok\n\n'", shift=1) as target:
        assert not row_of(catprobe("ps").stdout, target.pid)
        one_line(catprobe("-l", "-p", target.pid), 1, "process {}".format(target.pid), "cannot be traced")
        assert os.path.exists(target.line)  # somebody listens there


# catprobe ps


def test_ps_lists_who_can_be_traced(target, catprobe):
    result = catprobe("ps")
    assert (result.returncode, result.stderr) == (0, "")
    header = result.stdout.splitlines()[0]
    assert header.split() == ["PID", "PYTHON", "USER", "ENGINES", "ATTACHED", "COMMAND"]
    row = row_of(result.stdout, target.pid)
    assert row.split(None, 1)[0].rjust(header.index("PID") + 3) == row[: header.index("PID") + 3]
    columns = {name: row[header.index(name) :].split("  ")[0] for name in header.split()[1:]}
    assert columns == {
        "PYTHON": "3.11.7",
        "USER": subprocess.run(["id", "-un"], stdout=subprocess.PIPE).stdout.decode().strip(),
        "ENGINES": "function: frame-evaluation, gc: callback",
        "ATTACHED": "a tracer: function-entry, gc-start",
        "COMMAND": target.args[0],
    }


def test_ps_v_shows_every_probe(target, catprobe):
    lines = catprobe("ps", "-v").stdout.splitlines()
    start = lines.index(row_of("\n".join(lines), target.pid))
    assert lines[start + 1].strip() == "a tracer: function-entry, gc-start"
    assert lines[start + 2].strip() == "/usr/bin/python?3, cpython; agent: ok"
    shown = [" ".join(re.split("[ ,]+", line.strip())) for line in lines[start + 3 : start + 16]]
    assert shown[0] == "function-entry frame-evaluation armed tracers 2 listeners 0 drops 0"
    assert shown[1] == "function-return frame-evaluation armed tracers 0 listeners 0 drops 1"
    assert shown[12] == "thread-exit - unavailable tracers 0 listeners 0 drops 12"


def test_ps_says_why_an_agent_is_degraded(binaries, environment, catprobe):
    reason = environment["TARGET_AGENT"] = "the frame evaluation slot is torch's"
    with running([str(binaries / "target")], environment) as target:
        assert "gc: callback, " + reason in row_of(catprobe("ps").stdout, target.pid)


def test_ps_prints_no_control_characters(binaries, environment, catprobe):
    name = "cat\033[31m\nvidéo"
    with running([name], environment, executable=str(binaries / "target")) as target:
        output = catprobe("ps").stdout
        assert row_of(output, target.pid).endswith("  cat?[31m?vidéo")
        assert "\033" not in output


def test_ps_is_cut_to_the_width_of_a_terminal(target, catprobe):
    primary, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 50, 0, 0))
    result = catprobe("ps", stdout=terminal)
    os.close(terminal)
    lines = os.read(primary, 65536).decode().splitlines()
    os.close(primary)
    assert result.returncode == 0
    assert max(map(len, lines)) == 50
    assert row_of(catprobe("ps").stdout, target.pid).startswith(row_of("\n".join(lines), target.pid))


# catprobe ps: who is attached.

TRACED = "import catprobe, sys; print(catprobe.__file__, flush=True); sys.stdin.read()"


@pytest.fixture(scope="module")
def extension():
    return importlib.util.find_spec("_catprobe").origin


@pytest.mark.once
def test_what_the_kernel_tells_of_uprobes_is_read(binaries, extension, tmp_path):
    done = subprocess.run(
        [str(binaries / "tracers_test"), extension, str(tmp_path / "damaged")], stdout=subprocess.PIPE
    )
    assert (done.returncode, done.stdout) == (0, b"")


@pytest.fixture
def traced(environment):
    """Two Python processes that can be traced."""
    words = [sys.executable, "-c", TRACED]
    with running(words, environment) as one, running(words, environment) as two:
        yield one, two


def attached(catprobe, process):
    """What ps -v says of who is attached to a process: its lines before that of the executable."""
    lines = catprobe("ps", "-v").stdout.splitlines()
    rows = [i for i, line in enumerate(lines) if line.split()[:1] == [str(process.pid)]]
    found = []
    for line in lines[rows[0] + 1 :] if rows else []:
        if "; agent: " in line or not line.startswith("       "):
            break
        found.append(line.strip())
    return found


def await_attached(catprobe, process, *lines):
    """Waits until these are attached and no others; they are in the row, too."""
    row = "  {}  ".format("; ".join(lines) or "-")

    def are_told():
        return attached(catprobe, process) == list(lines) and row in row_of(
            catprobe("ps").stdout, process.pid
        )

    until(are_told, lines, 3 * SECONDS)  # tracers take long to start on a busy machine


@contextmanager
def tracing(words, signal_number=signal.SIGTERM, **options):
    """Runs a tracer; ends it by a signal."""
    process = subprocess.Popen(
        [str(word) for word in words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **options,
    )
    try:
        yield process
    finally:
        process.send_signal(signal_number)
        process.stdin.close()
        process.wait(30)


BOTH = "usdt:{0}:python:function__entry {{ @++; }} usdt:{0}:python:function__return {{ @++; }}"
ENTRY = "usdt:{}:python:function__entry {{ @++; }}"


@pytest.mark.once
def test_ps_names_bpftrace_where_it_is_attached(bpftrace, extension, traced, catprobe):
    one, two = traced
    await_attached(catprobe, one)
    with tracing([bpftrace, "-p", one.pid, "-e", BOTH.format("*")]) as mine:
        name = "bpftrace ({}): function-entry".format(mine.pid)
        await_attached(catprobe, one, name + ", function-return")
        assert attached(catprobe, two) == []
        with tracing([bpftrace, "-e", ENTRY.format(extension)]) as everybodys:
            everywhere = "bpftrace ({}): function-entry".format(everybodys.pid)
            await_attached(catprobe, two, everywhere)
            assert sorted(attached(catprobe, one)) == sorted([name + ", function-return", everywhere])
        await_attached(catprobe, two)
    await_attached(catprobe, one)


@pytest.mark.once
def test_ps_tells_tracers_of_one_probe_apart(bpftrace, traced, catprobe):
    one, two = traced
    tracer = [bpftrace, "-e", ENTRY.format("*"), "-p"]
    with tracing(tracer + [one.pid]) as first, tracing(tracer + [two.pid]) as second:
        await_attached(catprobe, one, "bpftrace ({}): function-entry".format(first.pid))
        await_attached(catprobe, two, "bpftrace ({}): function-entry".format(second.pid))


@pytest.mark.once
def test_ps_names_the_newest_bpftrace(forky, traced, catprobe):
    one, two = traced
    words = forky.command("run", ["bpftrace", "-p", one.pid, "-e", BOTH.format("*")])
    with tracing(words) as tracer:  # the script becomes bpftrace
        await_attached(catprobe, one, "bpftrace ({}): function-entry, function-return".format(tracer.pid))
        assert attached(catprobe, two) == []


@pytest.mark.once
def test_ps_names_dtrace(forky, traced, catprobe):
    one, two = traced
    program = "python$target:::function-entry, python$target:::gc-done { @ = count(); }"
    words = forky.command("host", ["-n", program, "-p", one.pid])
    with tracing(words) as tracer:  # under the container's dynamic linker, whose name the process has
        await_attached(catprobe, one, "ld-linux-x86-64 ({}): function-entry, gc-done".format(tracer.pid))
        assert attached(catprobe, two) == []


def define(line):
    """Has tracefs read a definition of an event. (Python's own append mode seeks, which tracefs refuses.)"""
    file = os.open("/sys/kernel/tracing/uprobe_events", os.O_WRONLY | os.O_APPEND)
    os.write(file, line.encode())
    os.close(file)


@pytest.fixture
def event(perf, extension):
    """An event of tracefs on the site of function-entry, by its name "group:event"."""
    if not shutil.which("readelf"):
        pytest.skip("readelf is not installed: tests/packages test")

    def read(option, pattern):
        text = subprocess.run(["readelf", option, extension], stdout=subprocess.PIPE, check=True).stdout
        return [[int(word, 16) for word in words] for words in re.findall(pattern, text.decode())]

    note = r"Name: function__entry\n\s+Location: 0x(\w+), Base: 0x\w+, Semaphore: 0x(\w+)\n"
    addresses = read("-nW", r"Provider: python\n\s+" + note)[0]
    segments = read("-lW", r"LOAD +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+) ")
    site, semaphore = (
        address - start + offset
        for address in addresses
        for offset, start, size in segments
        if start <= address < start + size
    )
    group = "catprobe_test_{}".format(os.getpid())
    define("p:{}/entry {}:{:#x}({:#x})\n".format(group, extension, site, semaphore))
    yield group + ":entry"
    define("-:{}/entry\n".format(group))


@pytest.mark.once
def test_ps_names_perf_by_the_events_of_its_command_line(perf, event, traced, catprobe, tmp_path):
    one, two = traced
    record = [perf, "record", "-o", tmp_path / "data"]
    with tracing(record + ["-e", event, "-p", one.pid], signal.SIGINT) as tracer:
        await_attached(catprobe, one, "perf ({}): function-entry".format(tracer.pid))
        assert attached(catprobe, two) == []
    group = "cpu-clock,{}:*".format(event.split(":")[0])
    with tracing(record + ["-a", "-e", group], signal.SIGINT) as tracer:
        for process in traced:
            await_attached(catprobe, process, "perf ({}): function-entry".format(tracer.pid))
    await_attached(catprobe, one)


@pytest.mark.once
def test_ps_names_ftrace(event, traced, catprobe):
    switch = Path("/sys/kernel/tracing/events") / event.replace(":", "/") / "enable"
    switch.write_text("1")
    try:
        for process in traced:
            await_attached(catprobe, process, "ftrace: function-entry")
    finally:
        switch.write_text("0")
    await_attached(catprobe, traced[0])


@pytest.mark.once
def test_ps_names_a_debugger(root, target, static):
    if not shutil.which("gdb"):
        pytest.skip("gdb is not installed: tests/packages test")
    with tracing(["gdb", "-nx", "-q", "-p", target.pid]) as debugger:
        ptrace = "gdb ({}): ptrace".format(debugger.pid)
        until(lambda: ptrace in row_of(static("ps").stdout, target.pid), ptrace)
        row = row_of(static("ps").stdout, target.pid)
        assert "not answering" in row  # and this is why
        debugger.stdin.write(b"detach\nquit\n")
        debugger.stdin.flush()
        debugger.wait(30)
    assert "a tracer: function-entry, gc-start" in row_of(static("ps").stdout, target.pid)


@pytest.mark.once
def test_who_is_attached_is_told_to_root_alone(bpftrace, static, environment, folder):
    os.chown(folder, NOBODY_IN_PARTICULAR, -1)
    leave = "import os; os.setgid({0}); os.setuid({0}); ".format(NOBODY_IN_PARTICULAR)
    words = [sys.executable, "-c", TRACED.replace("print", leave + "print")]
    tracer = [bpftrace, "-e", ENTRY.format("*"), "-p"]
    with running(words, environment) as process, tracing(tracer + [process.pid]) as tracer:
        await_attached(static, process, "bpftrace ({}): function-entry".format(tracer.pid))
        output = static("ps", preexec_fn=as_user(NOBODY_IN_PARTICULAR)).stdout
        assert "  a tracer: function-entry  " in row_of(output, process.pid)


def test_ps_without_any_says_how_to_make_one(root, static):
    result = static("ps", preexec_fn=as_user(NOBODY_IN_PARTICULAR))
    assert result.stdout == ""
    one_line(result, 1, "no process of yours", "import catprobe", "catprobe run")


def test_root_sees_the_processes_of_all_users(root, binaries, homeless, catprobe):
    environment, places = homeless
    environment = dict(environment, CATPROBE_DIR="")
    with running([str(binaries / "target")], environment, NOBODY_IN_PARTICULAR) as target:
        assert row_of(catprobe("ps").stdout, target.pid).split()[2] == str(NOBODY_IN_PARTICULAR)
        assert catprobe("-l", "-p", target.pid).returncode == 0


def test_an_ordinary_user_sees_none_of_others(root, binaries, target, homeless, static):
    environment, places = homeless
    with running([str(binaries / "target")], dict(environment, CATPROBE_DIR=""), NOBODY_IN_PARTICULAR) as own:
        output = static("ps", preexec_fn=as_user(NOBODY_IN_PARTICULAR)).stdout
        assert row_of(output, own.pid) and not row_of(output, target.pid)


NONSENSE = "it gives an answer that makes no sense"
ENDLESS = "it gives an answer that does not end"

# What the fake target answers, an expression, and what is said of it.
MISBEHAVIOURS = {
    "garbage": (r"b'\0\xff\x1b[2Jhello\n'", NONSENSE),
    "another word": (r"b'catprobe/1 yes\n\n'", NONSENSE),
    "probe without state": (r"b'catprobe/1 ok\nprobe line -\n\n'", NONSENSE),
    "negative count": (r"b'catprobe/1 ok\nprobe line - idle -1 0 0\n\n'", NONSENSE),
    "a line of 1 MB": (r"b'catprobe/1 ok\nkey ' + b'x' * 1000000", ENDLESS),
    "1 MB of lines": (r"b'catprobe/1 ok\n' + b'key value\n' * 100000", ENDLESS),
    "no end": (r"b'catprobe/1 ok\npid 1\n'", "it ended in the middle of its answer"),
    "nothing": ("b''", "it ended in the middle of its answer"),
    "a later version": (r"b'catprobe/7 ok\n\n'", "it speaks version 7 of the protocol, this command 3"),
    "a refusal": (r"b'catprobe/1 error it is tired\n'", "it is tired"),
    "silence": ("None", "not answering"),
}


@pytest.mark.parametrize("name", sorted(MISBEHAVIOURS))
def test_a_target_that_misbehaves_is_told_in_one_line(folder, catprobe, target, name):
    answer, text = MISBEHAVIOURS[name]
    with fake(folder, answer) as bad:
        result = catprobe("ps")
        assert result.returncode == 0
        assert text in row_of(result.stdout, bad.pid)
        assert "frame-evaluation" in row_of(result.stdout, target.pid)
        one_line(catprobe("-l", "-p", bad.pid), 1, "process {}: ".format(bad.pid), text)


def test_a_target_may_have_more_to_tell_than_this_command_knows(folder, catprobe):
    probes = "b''.join(b'probe p%d hook armed 0 0 0\\n' % i for i in range(100))"
    with fake(folder, "b'catprobe/1 ok\\nnews x\\n' + " + probes + " + b'\\n'") as newer:
        assert "p: hook" not in row_of(catprobe("ps").stdout, newer.pid)
        assert "p0: hook, p1: hook" in row_of(catprobe("ps").stdout, newer.pid)


def test_the_silent_are_waited_for_together(folder, catprobe):
    with fake(folder, "None") as one, fake(folder, "None") as two, fake(folder, "None") as three:
        start = time.monotonic()
        output = catprobe("ps").stdout
        assert time.monotonic() - start < 3  # which one after the other would take
        assert all("not answering" in row_of(output, target.pid) for target in (one, two, three))


def test_a_stopped_process_is_listed(target, catprobe):
    target.send_signal(signal.SIGSTOP)
    assert "not answering" in row_of(catprobe("ps").stdout, target.pid)


def test_a_process_with_a_full_queue_is_listed(target, catprobe):
    target.send_signal(signal.SIGSTOP)
    waiting = []
    with suppress(BlockingIOError):
        while True:
            waiting.append(socket.socket(socket.AF_UNIX))
            waiting[-1].setblocking(False)
            waiting[-1].connect(target.line)
    row = row_of(catprobe("ps").stdout, target.pid)
    assert "not answering" in row and target.args[0] in row
    for connection in waiting:
        connection.close()


# catprobe -l


def listing(pid, *rows):
    return "".join(
        "{:5} {:>10} {:>17} {:>33} {}\n".format(number, "python{}".format(pid), module, function, name)
        for number, module, function, name in rows
    )


ROWS = [  # behind the three of dtrace itself; what is unavailable keeps its number
    (4, "_catprobe.so", "python_function_entry", "function-entry"),
    (5, "_catprobe.so", "python_function_return", "function-return"),
    (6, "_catprobe.so", "python_line", "line"),
    (7, "_catprobe.so", "python_gc_start", "gc-start"),
    (8, "_catprobe.so", "python_gc_done", "gc-done"),
    (11, "python?3", "", "audit"),  # the interpreter's own
]


@pytest.mark.parametrize(
    "options, rows",
    [
        ((), ROWS),
        (("-P", "python$target"), ROWS),
        (("-P", "python*"), ROWS),
        (("-n", "gc-*"), ROWS[3:5]),
        (("-n", "python$target:::function-entry"), ROWS[:1]),
        (("-n", ":::line", "-n", "audit"), [ROWS[2], ROWS[5]]),
        (("-m", "_catprobe*"), ROWS[:5]),
        (("-m", "python$target:_catprobe.so"), ROWS[:5]),
        (("-f", "python_gc_[sx]tart"), ROWS[3:4]),
    ],
)
def test_l_lists_as_dtrace_does(target, catprobe, options, rows):
    result = catprobe("-l", "-p", target.pid, *options)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == HEADER + listing(target.pid, *rows)


def test_l_lists_every_process(binaries, environment, target, catprobe):
    with running([str(binaries / "target")], environment) as other:
        output = catprobe("-l").stdout
        assert output.startswith(HEADER)
        for pid in (target.pid, other.pid):
            assert sum("python{} ".format(pid) in line for line in output.splitlines()) == 6
        both = catprobe("-l", "-p{}".format(target.pid), "-p", other.pid, "-n", "line").stdout
        assert both == HEADER + listing(target.pid, ROWS[2]) + listing(
            other.pid, (4 + len(NAMES) + 2,) + ROWS[2][1:]
        )


def test_lv_shows_the_types_of_the_arguments(target, catprobe):
    result = catprobe("-lvn", "python$target:::function-entry", "-p", target.pid)
    attributes = """\
        \t\tIdentifier Names: Private
        \t\tData Semantics:   Private
        \t\tDependency Class: Unknown
        """
    assert result.stdout == HEADER + listing(target.pid, ROWS[0]) + textwrap.dedent(
        """
        \tProbe Description Attributes
        {0}
        \tArgument Attributes
        {0}
        \tArgument Types
        \t\targs[0]: char *
        \t\targs[1]: char *
        \t\targs[2]: int
        \t\targs[3]: char *

        """.format(attributes)
    ).replace("        ", "").replace("\n\n\n", "\n\n")


def test_l_says_what_matches_nothing(target, catprobe):
    result = catprobe("-l", "-p", target.pid, "-P", "nosuch")
    assert (result.returncode, result.stdout) == (0, HEADER)  # as dtrace
    one_line(result, 0, "failed to match nosuch:::: No probe matches description")


@pytest.mark.parametrize(
    "options, status, text",
    [
        (("-p", "x"), 1, "invalid pid: x"),
        (("-p", "0"), 1, "invalid pid: 0"),
        (("-p", "99999999999999999999"), 1, "invalid pid: 99999999999999999999"),
        (("-p", "2147483647"), 1, "No such process"),
        (("-p", "1"), 1, "process 1 ("),
        (("-P", "a:b"), 1, 'specifier a:b: invalid probe description "a:b": Overspecified probe description'),
        (("-i", "99999999"), 1, "invalid probe identifier 99999999: Unknown probe identifier"),
        (("-P", "python$target"), 1, "$target needs -p"),
    ],
)
def test_l_says_in_one_line_what_is_wrong(catprobe, options, status, text):
    one_line(catprobe("-l", *options), status, text)


def test_l_names_the_owner_of_a_process_of_others(root, static):
    result = static("-l", "-p", os.getpid(), preexec_fn=as_user(NOBODY_IN_PARTICULAR))
    one_line(result, 1, "belongs to root: run catprobe as that user, or with sudo")


def test_one_process_is_found_without_waiting_for_others(folder, target, catprobe):
    with fake(folder, "None"):
        times = []  # the quickest of three, as others use the machine too; to wait takes a second each time
        for _ in range(3):
            start = time.monotonic()
            assert catprobe("-l", "-p", target.pid).returncode == 0
            times.append(time.monotonic() - start)
        assert min(times) < 0.9, times


# Tracing.


def test_more_than_twenty_processes_are_named_and_need_all(binaries, environment, catprobe):
    with ExitStack() as stack:
        targets = [stack.enter_context(running([str(binaries / "target")], environment)) for _ in range(21)]
        result = catprobe("-qn", "python*:::line")
        one_line(result, 1, ": name some with -p, or say --all\n")
        count, named = re.search(r"(\d+) processes would be traced at once:([ \d]+):", result.stderr).groups()
        assert {target.pid for target in targets} <= set(map(int, named.split()))  # others may run too
        assert int(count) == len(named.split())
        result = catprobe("--all", "-qn", "python*:::line", "-p", targets[0].pid)
        refusal = "process {} is not traced: it does not know the verb trace\n".format(targets[0].pid)
        one_line(result, 1, refusal)


# The command line.


@pytest.mark.parametrize(
    "arguments, text",
    [
        ((), "what is to be done"),
        (("frobnicate",), "unknown verb frobnicate"),
        (("--frob",), "unknown option --frob"),
        (("ps", "-Q"), "unknown option -Q"),
        (("ps", "word"), "ps takes no argument"),
        (("--version", "word"), "--version takes no argument"),
        (("-e", "usdt:*:python:line { }"), "-e 'program' is bpftrace's: here a program comes after -n"),
        (("flow", "--frob"), "flow: unknown option --frob"),
        (("flow", "-d", "soon", "1"), "-d takes a time such as 500ms, 1.5s or 2m, not soon"),
        (
            ("flow", "--file", "a:b", "1"),
            "--file takes a name, with * and ? for what is not known, not 'a:b'",
        ),
        (("calls", "--function"), "option --function needs an argument"),
        (("calltime", "--"), "calltime: which command is behind the --?"),
    ],
)
def test_a_wrong_command_line_is_one_line(catprobe, arguments, text):
    one_line(catprobe(*arguments), 2, text, "catprobe --help")


@pytest.mark.parametrize(
    "arguments, line",
    [
        (("-J",), "invalid option -- 'J'"),
        (("-n",), "option requires an argument -- 'n'"),
        (("-qs",), "option requires an argument -- 's'"),
    ],
)
def test_a_wrong_option_is_answered_with_the_usage(catprobe, arguments, line):
    result = catprobe(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("catprobe: {}\nUsage: catprobe [-32|-64] [-Ce".format(line))


def test_help_is_one_screen_with_an_example_of_each(catprobe):
    result = catprobe("--help")
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert len(lines) <= 30 and max(map(len, lines)) < 100
    for verb in ("flow", "calls", "calltime", "calldist", "timeline", "run", "ps"):
        assert len(re.findall(r"(?m)^ +catprobe {} \S.*  \S".format(verb), result.stdout)) == 1, verb
    for example in ("catprobe -s d_demo/a_py_flowinfo.d -p", "catprobe -l -v -p 24601", "catprobe --scripts"):
        assert example in result.stdout
    for others in (("-h",), ("calls", "--help"), ("run", "--help"), ("top", "-h")):
        assert catprobe(*others).stdout == result.stdout, others


def test_messages_begin_with_the_name_of_the_call(binaries, environment, tmp_path):
    link = tmp_path / "dtrace"
    link.symlink_to(binaries / "catprobe")
    assert Command([link], environment)("-Q").stderr.startswith(
        "dtrace: invalid option -- 'Q'\nUsage: dtrace "
    )


def test_output_that_cannot_be_written_is_an_error(catprobe):
    with open("/dev/full", "w") as full:
        one_line(catprobe("--help", stdout=full), 1, "cannot write the output: No space left on device")


def test_a_closed_pipe_is_no_news(catprobe):
    reader, writer = os.pipe()
    os.close(reader)
    ignore = partial(signal.signal, signal.SIGPIPE, signal.SIG_IGN)
    result = catprobe("--help", stdout=writer, preexec_fn=ignore)
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, "")
