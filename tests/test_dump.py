"""catprobe dump: the stack of each thread, as it is at the moment."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import plain
import pytest
from tracing import program, run
from waiting import until

# Threads that each are at a known place, which does not move.
STILL = """
import sys
import threading

import catprobe


class Cat:
    pass


def inner(number, text):
    cat, dozen, ratio = Cat(), list(range(12)), 0.5
    names = {"one": 1, "two": (2, None)}
    closed = text * 2

    def closure():
        return closed, number

    print("ready", flush=True)
    sys.stdin.readline()  # here it is
    return cat, dozen, ratio, names, closure


def outer():
    return inner(7, "purr")


def sleeps(event):
    event.wait()


event = threading.Event()
for name in ("sleeper-0", "sleeper-1", "sleeper-2"):
    threading.Thread(target=sleeps, args=(event,), name=name, daemon=True).start()
outer()
"""

LINE = 1 + next(at for at, line in enumerate(STILL.splitlines()) if "# here it is" in line)
OUTER = 1 + next(at for at, line in enumerate(STILL.splitlines()) if "return inner(7" in line)

SPINS = """
import catprobe


def spin():
    while True:
        pass


print("ready", flush=True)
spin()
"""

# It hangs in C and keeps the GIL.
HANGS = """
import ctypes
import threading

import catprobe


def hang():
    print("ready", flush=True)
    ctypes.PyDLL(None).sleep(1000)


threading.Thread(target=threading.Event().wait, name="other", daemon=True).start()
hang()
"""

FAMILY = """
import subprocess
import sys

import catprobe

children = [
    subprocess.Popen([sys.executable, sys.argv[1]], stdin=subprocess.PIPE),
    subprocess.Popen(["sleep", "1000"]),
]
try:
    sys.stdin.readline()
finally:
    for child in children:
        child.kill()
"""


@pytest.fixture
def still(tmp_path, environment):
    with program(tmp_path, environment, STILL, "still.py") as process:
        until(lambda: waits(process.pid))
        yield process


def waits(pid):
    """Whether the main thread sleeps in the kernel."""
    return Path("/proc/{}/stat".format(pid)).read_text().rpartition(")")[2].split()[0] == "S"


def threads(result):
    """[the main thread, the others]"""
    found = json.loads(result.stdout)
    return sorted(found, key=lambda thread: thread["thread_name"] != "MainThread")


def names(thread):
    return [frame["name"].rpartition(".")[2] for frame in thread["frames"]]


def test_each_thread(environment, still):
    result = run(environment, "dump", still.pid)
    assert (result.returncode, result.stderr) == (0, "")
    head, *stacks = result.stdout.split("\n\n")
    assert re.match(r"Process {}: .*still\.py".format(still.pid), head)
    version = "{}.{}.{}".format(*sys.version_info[:3])
    assert "Python v{}".format(version) in head and "python" in head.splitlines()[1]
    main = next(stack for stack in stacks if "MainThread" in stack).splitlines()
    assert re.match(r'Thread {} \(idle\): "MainThread"$'.format(still.pid), main[0])
    frames = [line for line in main[1:] if "still.py" in line]
    assert frames[0].strip() == "inner (still.py:{})".format(LINE)
    assert frames[1].strip() == "outer (still.py:{})".format(OUTER)
    assert re.match(r"    <module> \(still\.py:\d+\)$", frames[2])


def test_equal_stacks_are_one(environment, still):
    result = run(environment, "dump", still.pid)
    group = next(stack for stack in result.stdout.split("\n\n") if stack.startswith("3 threads"))
    first = group.splitlines()[0]
    assert re.match(r'3 threads \(idle\)(, each "\w+")?:( \d+( "sleeper-\d")?){3}$', first), first
    assert "sleeps (still.py:" in group


def test_equal_stacks_of_processes_are_one(environment, tmp_path):
    with ExitStack() as stack:
        processes = [stack.enter_context(program(tmp_path, environment, STILL, "still.py")) for _ in range(3)]
        for process in processes:
            until(lambda process=process: waits(process.pid))
        result = run(environment, "dump", *[process.pid for process in processes])
    assert result.returncode == 0, result
    assert len(re.findall("(?m)^Process ", result.stdout)) == 3
    first = re.search(r'(?m)^3 threads in 3 processes \(idle\), each "MainThread":(.*)$', result.stdout)
    assert sorted(map(int, first.group(1).split())) == sorted(process.pid for process in processes)
    assert re.search(r"(?m)^9 threads in 3 processes \(idle\)[,:] ", result.stdout)


def test_json(environment, still):
    result = run(environment, "dump", "--json", still.pid)
    found = threads(result)
    main = found[0]
    assert [("sleeps" in names(thread)) for thread in found] == [False, True, True, True]
    assert (main["pid"], main["os_thread_id"]) == (still.pid, still.pid)
    assert (main["active"], main["owns_gil"], main["task"]) == (False, False, False)
    at = names(main).index("inner")
    assert names(main)[at:][:3] == ["inner", "outer", "<module>"]
    assert main["frames"][at]["filename"].endswith("/still.py") and main["frames"][at]["line"] == LINE
    assert main["frames"][at]["short_filename"] == "still.py"
    assert "locals" not in main["frames"][at]


def test_one_that_runs(environment, tmp_path):
    with program(tmp_path, environment, SPINS, "spins.py") as spins:
        main = threads(run(environment, "dump", "-j", spins.pid))[0]
        assert main["active"] and names(main)[0] == "spin"
        states = set()
        until(
            lambda: states.add(run(environment, "dump", spins.pid).stdout)
            or "(active+gil)" in "".join(states)
        )


def test_one_that_hangs_with_the_gil(environment, tmp_path):
    with program(tmp_path, environment, HANGS, "hangs.py") as hangs:
        until(lambda: waits(hangs.pid))
        found = threads(run(environment, "dump", "--json", hangs.pid))
        assert "hang" in names(found[0]) and found[0]["owns_gil"]
        assert not found[0]["active"]
        assert "wait" in names(found[1])


def test_locals(environment, still):
    result = run(environment, "dump", "--locals", "--json", still.pid)
    main = threads(result)[0]
    inner = main["frames"][names(main).index("inner")]
    values = {local["name"]: local["repr"] for local in inner["locals"]}
    assert values["number"] == "7" and values["text"] == "'purr'"
    assert values["ratio"] == "0.5" and values["dozen"].startswith("[0, 1, 2, ")
    assert values["names"] == "{'one': 1, 'two': (2, None)}"
    assert values["closed"] == "'purrpurr'"
    assert re.match(r"<Cat at 0x[0-9a-f]+>$", values["cat"])
    assert re.match(r"<function at 0x[0-9a-f]+>$", values["closure"])
    plain = run(environment, "dump", "-l", still.pid).stdout
    assert "\n            number: 7\n" in plain


def test_a_tree(environment, tmp_path):
    (tmp_path / "still.py").write_text(STILL)
    with program(tmp_path, environment, FAMILY, "family.py", tmp_path / "still.py") as parent:
        alone = json.loads(run(environment, "dump", "--json", parent.pid).stdout)
        assert {thread["pid"] for thread in alone} == {parent.pid}
        result = run(environment, "dump", "--json", "--tree", parent.pid)
        assert (result.returncode, result.stderr) == (0, "")  # of sleep(1) nothing is said
        pids = {thread["pid"] for thread in json.loads(result.stdout)}
        assert parent.pid in pids and len(pids) == 2
        parent.stdin.write("\n")
        parent.stdin.flush()
        parent.wait()


@pytest.fixture
def dead():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.fixture
def no_python():
    process = subprocess.Popen(["sleep", "1000"])
    yield process.pid
    process.kill()
    process.wait()


def test_those_that_cannot_be_dumped_get_a_line(environment, still, dead, no_python):
    for pid in (dead, no_python):
        result = run(environment, "dump", pid)
        assert (result.returncode, result.stdout) == (1, "")
        assert re.match(r"catprobe: [^\n]*\b{}\b[^\n]*\n$".format(pid), result.stderr), result
    result = run(environment, "dump", dead, still.pid, no_python)
    assert result.returncode == 1
    assert "inner (still.py:" in result.stdout
    assert [str(pid) in result.stderr for pid in (dead, still.pid, no_python)] == [True, False, True]
    assert len(result.stderr.splitlines()) == 2, result.stderr


def test_one_that_is_stopped_gets_a_line(environment, still):
    still.send_signal(signal.SIGSTOP)
    result = run(environment, "dump", still.pid)
    still.send_signal(signal.SIGCONT)
    assert (result.returncode, result.stdout) == (1, "")
    assert "stopped" in result.stderr and len(result.stderr.splitlines()) == 1, result


@pytest.mark.once
def test_that_of_another_user_gets_a_line(root, environment, still, tmp_path):
    nobody_in_particular = 54321
    binary = tempfile.mkdtemp(prefix="catprobe-test-")
    os.chmod(binary, 0o755)
    try:
        plain.build(os.path.join(binary, "catprobe"), plain.command_sources())
        result = subprocess.run(
            [os.path.join(binary, "catprobe"), "dump", str(still.pid)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            preexec_fn=lambda: os.setuid(nobody_in_particular),
            cwd="/",
        )
    finally:
        shutil.rmtree(binary)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.match(r"catprobe: [^\n]*\b{}\b[^\n]*\n$".format(still.pid), result.stderr), result


@pytest.mark.once
def test_no_process(environment):
    result = run(environment, "dump")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("catprobe: dump: of which process? ")
