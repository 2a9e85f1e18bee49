"""The sampler: what is sampled is compared with what the program does."""

import collections
import os
import signal
import struct
import subprocess
import sys
from contextlib import contextmanager

import pytest
from sampling_client import HAS_GIL, IDLE, ON_CPU, WAITS_GIL, Viewer
from waiting import until

FIB = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def main():
    while True:
        fib(20)


begin()
main()
"""

# Three quarters of its time in `most`, by the clock of its own thread.
SHARES = """
def burn(seconds):
    end = time.thread_time() + seconds if hasattr(time, "thread_time") else time.process_time() + seconds
    while (time.thread_time if hasattr(time, "thread_time") else time.process_time)() < end:
        pass


def most():
    burn(0.003)


def rest():
    burn(0.001)


begin()
while True:
    most()
    rest()
"""

# Each function has one caller, so that a stack that never was shows.
CALLERS = {"d": "b", "e": "c", "b": "a", "c": "a", "item": "items"}
MIXED = """
def a():
    b(1)
    c(2, 3)


def b(n):
    return d(n)


def c(n, m):
    return e(n, m, 1, 2)


def d(n):
    x = n
    return x


def e(n, m, o, p):
    return n


def item(i):
    return i


def items():
    for i in range(10):
        yield item(i)


def calls():
    while True:
        a()
        for _ in items():
            pass


def made():
    number = 0
    while True:
        number += 1
        exec("def f{0}(n):\\n    return n and f{0}(n - 1)\\nf{0}(4)".format(number), {})


def born():
    item(1) if False else None


def storm():
    while True:
        thread = threading.Thread(target=born)
        thread.start()
        thread.join()


def wait():
    threading.Event().wait()


def deep(n):
    wait() if n == 0 else deep(n - 1)


for function, arguments in (calls, ()), (made, ()), (storm, ()), (wait, ()), (deep, (500,)):
    threading.Thread(target=function, args=arguments, name="T-" + function.__name__, daemon=True).start()
begin()
wait()
"""


@contextmanager
def program(folder, environment, text):
    path = os.path.join(str(folder), "program.py")
    with open(path, "w") as file:
        file.write(
            "import catprobe, sys, threading, time\n\n\ndef begin():\n    print('ready', flush=True)\n"
        )
        file.write(text)
    process = subprocess.Popen(
        [sys.executable, path], env=environment, stdout=subprocess.PIPE, universal_newlines=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


@contextmanager
def viewing(*arguments, **options):
    viewer = Viewer(*arguments, **options)
    try:
        yield viewer
    finally:
        viewer.close()


def test_shares_of_time_are_those_of_the_program(environment, tmpdir):
    with program(tmpdir, environment, SHARES) as process, viewing(
        environment, process.pid, 0.001, ticks=3000, flags=0
    ) as viewer:
        functions = [{name for name, _ in viewer.stack(node)} for _, node, _ in viewer.all()]
    most = sum("most" in names for names in functions)
    rest = sum("rest" in names for names in functions)
    assert most + rest > 300
    assert 0.70 < most / (most + rest) < 0.80


def test_a_program_in_step_with_the_ticks_has_its_true_shares(environment, tmpdir):
    """Some 30% of each 4 ms in one function, by the clock that the ticks are by; it says how much it was."""
    text = """
import mmap, struct

clock = time.perf_counter  # CLOCK_MONOTONIC
with open(__file__ + ".shares", "w+b") as file:
    file.truncate(16)
    shares = mmap.mmap(file.fileno(), 16)


def short(end):
    while clock() < end:
        pass


def rest(end):
    while clock() < end:
        pass


begin()
start = clock()
in_short = in_all = 0
while True:
    cycle = start - start % 0.004
    short(cycle + 0.0012)
    middle = clock()
    rest(cycle + 0.004)
    end = clock()
    in_short += middle - start
    in_all += end - start
    start = end
    struct.pack_into("dd", shares, 0, in_short, in_all)
"""

    def told():
        with open(os.path.join(str(tmpdir), "program.py.shares"), "rb") as file:
            return struct.unpack("dd", file.read())

    with program(tmpdir, environment, text) as process, viewing(
        environment, process.pid, 0.004, ticks=1000, flags=IDLE
    ) as viewer:
        before = told()
        leaves = collections.Counter(viewer.stack(node)[0][0] for _, node, _ in viewer.all())
        short, whole = (now - then for now, then in zip(told(), before))
        missed = viewer.count("ticks_missed")
    total, share = leaves["short"] + leaves["rest"], short / whole
    assert total > 900 - missed
    # Five standard deviations of that many samples taken at random.
    assert abs(leaves["short"] - share * total) < 5 * (share * (1 - share) * total) ** 0.5, (leaves, share)


def test_a_recursion_at_10_khz_has_no_stack_that_never_was(environment, tmpdir):
    with program(tmpdir, environment, FIB) as process, viewing(
        environment, process.pid, 0.0001, ticks=10000, flags=1
    ) as viewer:
        samples = viewer.all()
        stacks = {node: [name for name, _ in viewer.stack(node)] for _, node, _ in samples}
        lines = {line for node in stacks for name, line in viewer.stack(node) if name == "fib"}
        torn, ticks = viewer.count("torn"), viewer.count("ticks")
        assert process.poll() is None
    outside = (["<module>"], ["begin", "<module>"])  # it may be saying that it is ready yet
    for names in stacks.values():
        depth = names.count("fib")
        assert depth <= 20 and names in (["fib"] * depth + ["main", "<module>"],) + outside, names
    assert len(samples) + torn == ticks
    # A busy machine takes the processor away in the middle of a copy; before 3.11 a frame is copied alone.
    assert torn <= ticks * (0.02 if sys.version_info >= (3, 11) else 0.5), torn
    assert 8 in lines and lines <= {7, 8}  # the start of a function is at its `def`


def test_code_and_threads_that_come_and_go(environment, tmpdir):
    with program(tmpdir, environment, MIXED) as process, viewing(
        environment, process.pid, 0.0005, ticks=4000
    ) as viewer:
        samples = viewer.all()
        stacks = {node: [name for name, _ in viewer.stack(node)] for _, node, _ in samples}
        names = {viewer.thread(thread)[0] for thread, _, _ in samples}
        assert process.poll() is None
    wrong = collections.Counter()
    for _, node, _ in samples:
        for callee, caller in zip(stacks[node], stacks[node][1:]):
            wrong[callee, caller] += CALLERS.get(callee, caller) != caller
            made = callee[0] == "f" and callee[1:].isdigit()
            wrong[callee, caller] += made and caller not in (callee, "<module>")
    assert sum(wrong.values()) <= len(samples) / 1000, wrong
    assert any(stack.count("deep") == 501 for stack in stacks.values())
    assert {"MainThread", "T-calls", "T-made", "T-wait", "T-deep"} <= names


@pytest.mark.skipif(bool(getattr(sys.flags, "gil", 1)) is False, reason="there is no GIL to wait for")
def test_the_gil_has_a_holder_and_those_who_wait(environment, tmpdir):
    text = """
def spin():
    while True:
        pass


for _ in range(2):
    threading.Thread(target=spin, daemon=True).start()
begin()
threading.Event().wait()
"""
    with program(tmpdir, environment, text) as process, viewing(
        environment, process.pid, 0.002, ticks=300
    ) as viewer:
        samples = viewer.all()
        states = collections.Counter(
            (viewer.stack(node)[0][0] == "spin", state)
            for _, node, state in samples[len(samples) // 3 :]  # at first the main thread wants the GIL too
        )
    running = states[True, ON_CPU | HAS_GIL]
    waiting = states[True, WAITS_GIL]
    assert running > 100 and waiting > 100, states
    assert not any(state for (spins, state), _ in states.items() if not spins), states


def test_a_viewer_that_goes_or_is_killed_leaves_nothing(environment, tmpdir):
    def tasks(pid):
        return len(os.listdir("/proc/{}/task".format(pid)))

    with program(tmpdir, environment, FIB) as process:
        before = 2  # the program's, and the agent
        until(lambda: tasks(process.pid) == before, "the agent")
        with viewing(environment, process.pid, 0.001) as viewer:
            until(lambda: viewer.count("ticks") > 10)
            assert tasks(process.pid) == before + 1
        until(lambda: tasks(process.pid) == before, "the sampler's end")


def test_a_viewer_that_writes_into_the_memory_harms_itself_alone(environment, tmpdir):
    with program(tmpdir, environment, MIXED) as process, viewing(environment, process.pid, 0.0005) as viewer:
        for _ in range(200):
            viewer.memory[64:] = os.urandom(1 << 16) + viewer.memory[64 + (1 << 16) :]
        with viewing(environment, process.pid, 0.001, ticks=50) as viewer:
            assert viewer.all()
        assert process.poll() is None


def test_the_end_of_the_interpreter_while_it_is_sampled(environment, tmpdir):
    text = MIXED.replace("begin()\nwait()", "begin()\ntime.sleep(0.3); print('end')")
    for _ in range(5):
        with program(tmpdir, environment, text) as process, viewing(environment, process.pid, 0.0002):
            assert process.wait() == 0


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="needs CPython 3.12, which counts threads at os.fork()"
)
def test_os_fork_does_not_see_the_sampler(environment, tmpdir):
    text = """
import os, warnings
warnings.simplefilter("error")
begin()
while not os.path.exists(__file__ + ".viewed"):
    time.sleep(0.01)
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    time.sleep(0.05)
print("forked", flush=True)
time.sleep(100)
"""
    with program(tmpdir, environment, text) as process, viewing(environment, process.pid, 0.001) as viewer:
        # Only now, as the control socket is away around each fork.
        open(os.path.join(str(tmpdir), "program.py.viewed"), "w").close()
        assert process.stdout.readline() == "forked\n"
        ticks = viewer.count("ticks")
        until(lambda: viewer.count("ticks") > ticks, "the sampler after the forks")


def test_a_process_killed_leaves_its_samples(environment, tmpdir):
    with program(tmpdir, environment, FIB) as process, viewing(environment, process.pid, 0.001) as viewer:
        until(lambda: viewer.count("written") > 20)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert sum(1 for _ in viewer.read()) > 20


def reads_and_writes(pid, tid):
    """How many of its system calls were some."""
    with open("/proc/{}/task/{}/io".format(pid, tid)) as file:
        counts = dict(line.split(": ") for line in file)
    return int(counts["syscr"]) + int(counts["syscw"])


def newest_thread(pid):
    return max(map(int, os.listdir("/proc/{}/task".format(pid))))


@pytest.mark.parametrize("threads", [0, 300])
def test_a_tick_copies_all_by_few_system_calls(environment, tmpdir, threads):
    text = """
for _ in range({}):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
{}
""".format(threads, FIB)
    with program(tmpdir, environment, text) as process, viewing(
        environment, process.pid, 0.002, flags=IDLE
    ) as viewer:
        until(lambda: viewer.count("ticks") > 100)
        tid = newest_thread(process.pid)
        ticks, retried, calls = (
            viewer.count("ticks"),
            viewer.count("retried"),
            reads_and_writes(process.pid, tid),
        )
        until(lambda: viewer.count("ticks") > ticks + 300)
        ticks, retried = viewer.count("ticks") - ticks, viewer.count("retried") - retried
        calls = reads_and_writes(process.pid, tid) - calls
        assert viewer.count("written") > 400 * threads
    # One copies what is known of all threads, one the stack of the one that has run, one asks now and then
    # whether it waits for a processor.
    assert ticks < calls < 3.5 * ticks + 3 * retried, (ticks, calls, retried)


def test_a_frame_of_megabytes(environment, tmpdir):
    text = """
def leaf(n):
    return leaf(n - 1) if n else None


exec("def huge():\\n" + "".join(" a{} = 1\\n".format(i) for i in range(300000)) + " while True: leaf(30)\\n")
begin()
huge()
"""
    with program(tmpdir, environment, text) as process, viewing(environment, process.pid, 0.002) as viewer:
        until(lambda: viewer.count("written") > 300)
        stacks = [[name for name, _ in viewer.stack(node)] for _, node, _ in viewer.read()]
        torn, written = viewer.count("torn"), viewer.count("written")
    assert torn < written / 10, (torn, written)
    leaves = [names for names in stacks if "leaf" in names]
    assert len(leaves) > 100
    assert all(names[-3:] == ["leaf", "huge", "<module>"] for names in leaves if len(names) > 2), leaves
