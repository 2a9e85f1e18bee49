"""An ordinary user, without root, tracer or capabilities: the scripts of the talk on a process of their own.

And what containers are made of: namespaces, a read-only root, another user, a folder shared by two of them.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import plain
import pytest
from test_d_demo import histograms, tables
from tracers import Tracer, flow, prescribed, with_depth
from waiting import until

CHECKOUT = Path(__file__).resolve().parent.parent
USER = "catprobe-{}".format(os.getpid())  # of its own, where several runs share a machine
REQUESTS, SEED = 9, 7

# Serves, a line of its input each.
SERVER = """
import os, select, sys, catdemo, catprobe
print("ready", flush=True)
while True:
    if not select.select([0], [], [], 0.02)[0]:
        continue  # a program that waits in C for ever is armed when it goes on
    if not os.read(0, 1):
        break
    sys.stdout, out = open(os.devnull, "w"), sys.stdout
    catdemo.go(requests={}, speed=100, seed={})
    sys.stdout = out
    print("done", flush=True)
""".format(REQUESTS, SEED)

# A mount namespace in which every user can reach the folders $KEEP, wherever they lie: those above them that
# only their owner may enter, and $COVER, are covered by empty ones that have nothing but the way to the kept.
REACHABLE = """
set -e
mount -t tmpfs tmpfs /mnt
number=0
for kept in $KEEP; do
    folder=$(dirname "$kept")
    while [ "$folder" != / ]; do
        case $(stat -c %A "$folder") in *[xt]) ;; *) COVER="$COVER $folder" ;; esac
        folder=$(dirname "$folder")
    done
    number=$((number + 1))
    mkdir /mnt/$number
    mount --bind "$kept" /mnt/$number
done
for folder in $COVER; do [ ! -d "$folder" ] || mount -t tmpfs -o mode=1777 tmpfs "$folder"; done
number=0
for kept in $KEEP; do
    number=$((number + 1))
    mkdir -p "$kept"
    mount --move /mnt/$number "$kept"
done
umount /mnt
"""
CONTAINED = REACHABLE + "mount -o remount,bind,ro /\n"
TEMPORARY = "/tmp /run /dev/shm"  # of a container's own


def in_namespaces(*more, script=REACHABLE):
    """The words in front of a command that runs it there."""
    words = ["unshare", "--mount", "--propagation", "private"] + list(more)
    return words + ["sh", "-c", script + 'exec "$@"', "sh"]


def plain_environment(**variables):
    """Without what names a folder for sockets; for in_namespaces."""
    kept = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    kept.pop("CATPROBE_DIR", None)
    variables["KEEP"] = " ".join([sys.base_prefix, sys.prefix, variables.get("KEEP", "")])
    return dict(kept, PYTHONDONTWRITEBYTECODE="1", **variables)


@pytest.fixture(scope="module")
def user(root):
    """The uid of a user that is there for these tests only."""
    subprocess.run(["useradd", "--system", "--shell", "/bin/sh", USER], check=True)
    try:
        yield int(subprocess.check_output(["id", "-u", USER]).decode())
    finally:
        subprocess.run(["userdel", USER], check=False, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def binary(root):
    """The static command, and the scripts of the talk, where everybody can read them."""
    folder = Path(tempfile.mkdtemp(prefix="catprobe-unprivileged-"))
    folder.chmod(0o755)
    plain.build(folder / "catprobe", plain.command_sources(), kind=["-static"])
    for script in (CHECKOUT / "d_demo").glob("*.d"):
        shutil.copy(str(script), str(folder))
    yield folder / "catprobe"
    shutil.rmtree(str(folder))


def as_user(uid):
    """The words in front of a command that make it this user's, without any capability or privilege."""
    setpriv = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--no-new-privs"]
    return setpriv + ["--bounding-set=-all", "--inh-caps=-all"]


class Server:
    """A cat server that runs as this user."""

    def __init__(self, uid, prefix=None, **variables):
        prefix = in_namespaces() if prefix is None else prefix
        self.process = subprocess.Popen(
            prefix + as_user(uid) + [sys.executable, "-c", SERVER],
            env=plain_environment(**variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
            cwd="/",
        )

    def __enter__(self):
        assert self.process.stdout.readline() == "ready\n"
        # The only process under `unshare --fork`, or what unshare became.
        children = Path("/proc/{0}/task/{0}/children".format(self.process.pid)).read_text().split()
        self.pid = int(children[0]) if children else self.process.pid
        return self

    def __exit__(self, *failure):
        self.process.kill()
        self.process.communicate()

    def serve(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


def trace_once(server, command, *arguments, **variables):
    """What a trace of one round of the server prints. BEGIN comes when everything is armed."""
    environment = plain_environment(**variables)
    words = [str(word) for word in command] + [str(word) for word in arguments]
    with Tracer(words, env=environment, stdin=subprocess.DEVNULL, cwd="/") as trace:
        until(lambda: trace.ended() or trace.output() or "tracing " in trace.errors(), "the output of BEGIN")
        assert not trace.ended(), trace.errors()
        server.serve()
        return trace.stop()


class Here:
    """This interpreter, for tracers.prescribed."""

    @staticmethod
    def run(code, *arguments):
        words = [sys.executable, "-c", code] + list(arguments)
        return json.loads(
            subprocess.check_output(words, env=plain_environment(CATPROBE_DISABLE="1"), cwd="/")
        )


@pytest.fixture(scope="module")
def events():
    """What its seed prescribes."""
    return prescribed(Here, REQUESTS, SEED)


def whole_flow(output):
    """The lines from the start of go() to its end, with depths from there."""
    shown = flow(output)
    starts = [number for number, line in enumerate(shown) if line[4] == "go"]
    return [(line[0] - shown[starts[0]][0],) + line[1:] for line in shown[starts[0] : starts[-1] + 1]]


@pytest.fixture
def traced(user, binary):
    """traced(argument...): what a trace by this user of one round prints."""

    def run(*arguments):
        with Server(user) as server:
            return trace_once(server, as_user(user) + [binary], *arguments, "-p", server.pid)

    return run


def test_the_flow(traced, binary, events):
    assert whole_flow(traced("-s", binary.parent / "a_py_flowinfo.d")) == list(with_depth(events))


def test_one_function(traced, binary, events):
    shown = flow(traced("-s", binary.parent / "a_py_flowinfo.d", "new_cat_video"))
    assert shown == list(with_depth([event for event in events if event[3] == "new_cat_video"]))


def calls(events):
    """How often each function was called: (file, type, function) -> number."""
    return Counter((file, "func", func) for arrow, file, _, func, _ in events if arrow == "->")


def test_counts_and_times(traced, binary, events):
    found = {
        title: dict(rows) for title, rows in tables(traced("-s", binary.parent / "b_py_calltime.d")).items()
    }
    counted = {function: count for function, count in found["Count"].items() if function in calls(events)}
    assert counted == calls(events)
    video = ("demo.py", "func", "new_cat_video")
    assert found["Inclusive"][video] >= found["Exclusive"][video] >= REQUESTS * 1000  # 1 to 4 ms each


def test_distributions(traced, binary, events):
    for functions in histograms(traced("-s", binary.parent / "c_py_calldist.d")).values():
        counts = {function: sum(rows.values()) for function, rows in functions.items()}
        assert {name: count for name, count in counts.items() if name in calls(events)} == calls(events)


def test_verbs(traced, binary, events):
    output = traced("calls", "--file", "demo.py")
    found = {name: int(count) for name, count in re.findall(r"(\w+) +(\d+)$", output, re.MULTILINE)}
    expected = {func: count for (file, _, func), count in calls(events).items() if file == "demo.py"}
    assert {name: found.get(name) for name in expected} == expected


CONTAINER = ["--pid", "--fork", "--kill-child", "--mount-proc", "--net", "--ipc", "--uts"]


def test_a_process_in_a_container_is_traced_from_outside(user, binary, events):
    container = in_namespaces(*CONTAINER, script=CONTAINED)
    with Server(user, container, COVER=TEMPORARY) as server:
        command = as_user(user) + [binary, "-s", binary.parent / "a_py_flowinfo.d", "-p", server.pid]
        output = trace_once(server, command)
    assert whole_flow(output) == list(with_depth(events))
    pids = {line.split()[1] for line in output.splitlines() if " func " in line}
    assert pids == {str(server.pid)}  # as the one who traces knows it


def test_two_containers_that_share_a_folder(user, binary, events):
    shared = Path(tempfile.mkdtemp(prefix="catprobe-shared-"))
    shutil.copy(str(binary), str(shared))
    os.chown(str(shared), user, user)
    container = in_namespaces(*CONTAINER, script=CONTAINED)
    variables = {"CATPROBE_DIR": str(shared), "KEEP": str(shared), "COVER": TEMPORARY}
    program = 'BEGIN { printf("begin\\n"); } python*:demo.py::function-entry { @[probefunc] = count(); } '
    program += "python*:demo.py:go:function-return { exit(0); }"  # the signal of a stop does not reach it
    try:
        with Server(user, container, **variables) as server:
            command = container + as_user(user) + [shared / "catprobe"]
            output = trace_once(server, command, "-qn", program, **variables)
    finally:
        shutil.rmtree(str(shared))
    found = {name: int(count) for name, count in re.findall(r"(\w+) +(\d+)$", output, re.MULTILINE)}
    assert found == {func: count for (file, _, func), count in calls(events).items() if file == "demo.py"}
