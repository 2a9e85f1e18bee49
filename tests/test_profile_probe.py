"""profile-N in the traced processes: for which threads it fires, with which stacks, how it ends."""

import os
import re
import signal
from contextlib import ExitStack

import pytest
from test_sampler import FIB, SHARES, program
from tracing import run, server, tracing
from waiting import until

TOOLKIT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "toolkit")

# One thread spins, one sleeps, one only waits; who is who stands in the output.
THREADS = """
import ctypes


def told(function):
    tid = ctypes.CDLL(None).syscall({gettid})
    print(function.__name__, tid, flush=True)
    ready.release()
    function()


def spinner():
    while True:
        pass


def sleeper():
    time.sleep(1000)


def waiter():
    threading.Event().wait()


ready = threading.Semaphore(0)
begin()
for function in spinner, sleeper, waiter:
    threading.Thread(target=told, args=(function,), daemon=True).start()
    ready.acquire()
print("all", flush=True)
threading.Event().wait()
""".format(gettid={"x86_64": 186}.get(os.uname().machine, 178))

EACH_TID = "%s /pid == $target/ { @[tid] = count(); } tick-1s { exit(0); }"


def stacks(output):
    """{("inner", "outer"): number} of what an aggregation by jstack() printed."""
    found = {}
    for block in output.split("\n\n"):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        if len(lines) > 1 and re.match(r".+ \(.+:\d+\)$", lines[0]) and lines[-1].isdigit():
            key = tuple(line.rsplit(" (", 1)[0] for line in lines[:-1])
            found[key] = found.get(key, 0) + int(lines[-1])
    return found


def rows(output, columns):
    pattern = "(?m)^" + r" +(\S+)" * columns + "$"
    return [tuple(map(int, row)) for row in re.findall(pattern, output) if all(map(str.isdigit, row))]


def tasks(pid):
    return len(os.listdir("/proc/{}/task".format(pid)))


def threads_of(process):
    said = {}
    while "all" not in said:
        name, *tid = process.stdout.readline().split()
        said[name] = int(tid[0]) if tid else 0
    return said


def test_stacks_have_the_shares_of_the_program(environment, tmpdir):
    text = "profile-997 /pid == $target/ { @[jstack()] = count(); } tick-3s { exit(0); }"
    with program(tmpdir, environment, SHARES) as process:
        result = run(environment, "-qn", text, "-p", process.pid)
        assert process.poll() is None
    assert (result.returncode, result.stderr) == (0, "")
    found = stacks(result.stdout)
    most = sum(number for names, number in found.items() if "most" in names)
    rest = sum(number for names, number in found.items() if "rest" in names)
    assert most + rest > 300, result.stdout
    assert 0.70 < most / (most + rest) < 0.80, found
    chains = {("burn", "most", "<module>"), ("burn", "rest", "<module>"), ("most", "<module>")}
    assert set(found) <= chains | {("rest", "<module>"), ("<module>",)}, found


def test_what_a_clause_sees(environment, tmpdir):
    """The stack's depth, the arguments, and values in self->, which are the sampler's own."""
    text = """
        profile-499 /pid == $target/
        {
            self->ticks++;
            this->good = arg0 == 0 && arg1 != 0 && execname != "" && probeprov == "profile";
            @frames[stackdepth == 0 ? "none" : this->good ? "good" : "bad", probename] = count();
            @depth = max(stackdepth);
            @ticks = max(self->ticks);
        }
        tick-1s { exit(0); }
        END { printa("%s %s %@d\\n", @frames); }
        END { printa("depth %@d\\n", @depth); printa("ticks %@d\\n", @ticks); }
    """
    with program(tmpdir, environment, SHARES) as process:
        result = run(environment, "-qn", text, "-p", process.pid)
    assert (result.returncode, result.stderr) == (0, "")
    said = dict(line.rsplit(" ", 1) for line in result.stdout.splitlines() if line)
    good, none = int(said["good profile-499"]), int(said.get("none profile-499", 0))
    assert good > 50 and none <= good / 10, said  # none: it was torn
    assert set(said) <= {"good profile-499", "none profile-499", "depth", "ticks"}
    assert int(said["ticks"]) == good + none
    assert said["depth"] == "3"


def test_only_threads_on_a_processor_count(environment, tmpdir):
    with program(tmpdir, environment, THREADS) as process:
        threads = threads_of(process)
        result = run(environment, "-qn", EACH_TID % "profile-199", "-p", process.pid)
    found = dict(rows(result.stdout, 2))
    assert found[threads["spinner"]] > 50, result.stdout
    # To be on a processor for a moment is no crime.
    assert sum(found.values()) - found[threads["spinner"]] <= 3, (found, threads)


def test_with_wall_every_thread_counts(environment, tmpdir):
    with program(tmpdir, environment, THREADS) as process:
        threads = threads_of(process)
        result = run(environment, "-qxprofile=wall", "-n", EACH_TID % "profile-100hz", "-p", process.pid)
        stacked = run(
            environment,
            "-qxprofile=wall",
            "-n",
            "profile-97 /pid == $target/ { @[jstack(100)] = count(); } tick-500ms { exit(0); }",
            "-p",
            process.pid,
        )
    found = dict(rows(result.stdout, 2))
    assert set(found) == {threads["spinner"], threads["sleeper"], threads["waiter"], process.pid}
    assert min(found.values()) > 30 and max(found.values()) <= 101
    assert max(found.values()) - min(found.values()) <= 1, found
    functions = {name for names in stacks(stacked.stdout) for name in names}
    assert {"spinner", "sleeper", "waiter", "<module>"} <= functions


@pytest.mark.once
def test_a_word_that_profile_does_not_know(environment):
    result = run(environment, "-xprofile=gil", "-n", "BEGIN { exit(0); }")
    assert result.returncode != 0 and "Invalid value for specified option" in result.stderr


def test_the_command_fires_once_a_tick_and_tick_there_alone(environment, tmpdir):
    text = """
        profile-97, tick-97 { @[probename, pid] = count(); }
        tick-1s { exit(0); }
        END { printa("%s %d %@d\\n", @); }
    """
    with program(tmpdir, environment, FIB) as process:
        result = run(environment, "-qn", text, "-p", process.pid)
    words = [line.split() for line in result.stdout.splitlines() if line]
    found = {(name, int(pid) == process.pid): int(number) for name, pid, number in words}
    assert len(found) == len(words)
    assert set(found) == {("profile-97", True), ("profile-97", False), ("tick-97", False)}
    assert 90 <= found["profile-97", False] <= 98


def test_two_targets_and_two_clocks(environment, tmp_path):
    text = 'profile-199, profile-10ms /pid == $target/ { @[pid, probename == "profile-199"] = count(); }'
    with ExitStack() as stack:
        (tmp_path / "one").mkdir()
        (tmp_path / "two").mkdir()
        one = stack.enter_context(program(tmp_path / "one", environment, FIB))
        two = stack.enter_context(program(tmp_path / "two", environment, SHARES))
        words = ("-qn", text + " tick-2s { exit(0); }", "-p", one.pid, "-p", two.pid)
        result = run(environment, *words)
    found = {(pid, clock): number for pid, clock, number in rows(result.stdout, 3)}
    assert set(found) == {(pid, clock) for pid in (one.pid, two.pid) for clock in (0, 1)}, result
    assert min(found.values()) > 20


def test_beside_a_probe_of_the_program(environment, tmpdir):
    text = """
        python$target:::function-entry /probefunc == "fib"/ { self->calls++; @calls = count(); }
        profile-199 /pid == $target/ { @mixed = sum(self->calls); @ticks = count(); }
        tick-1s { exit(0); }
        END { printa("calls %@d\\n", @calls); }
        END { printa("mixed %@d\\n", @mixed); printa("ticks %@d\\n", @ticks); }
    """
    with program(tmpdir, environment, FIB) as process:
        result = run(environment, "-qn", text, "-p", process.pid)
    said = {name: int(number) for name, number in re.findall(r"(\w+) (\d+)", result.stdout)}
    assert said["calls"] > 1000 and said["ticks"] > 20, said
    assert said["mixed"] == 0  # another thread's self-> is never read


def test_the_sampler_ends_with_the_session(environment, tmpdir):
    with program(tmpdir, environment, FIB) as process:
        before = tasks(process.pid)
        for number in signal.SIGINT, signal.SIGKILL:
            words = ("-n", "profile-4999 /pid == $target/ { @[jstack()] = count(); }", "-p", process.pid)
            with tracing(tmpdir, environment, *words) as trace:
                trace.armed()
                until(lambda: tasks(process.pid) == before + 1, "the sampler")
                trace.stop(number)
            until(lambda: tasks(process.pid) == before, "the sampler's end")
        assert process.poll() is None
        assert str(process.pid) + " " in run(environment, "ps").stdout


def test_sessions_come_and_go_while_others_sample(environment, tmpdir):
    count = "profile-%d /pid == $target/ { @[pid] = count(); } tick-%dms { exit(0); }"
    with program(tmpdir, environment, FIB) as process:
        with tracing(tmpdir, environment, "-qn", count % (499, 4000), "-p", process.pid) as long:
            for _ in range(3):
                result = run(environment, "-qn", count % (997, 300), "-p", process.pid)
                assert result.returncode == 0 and rows(result.stdout, 2)[0][1] > 20, result
            assert long.wait() == 0
            assert rows(long.output(), 2)[0][1] > 200
        assert process.poll() is None


def test_the_end_of_the_interpreter_ends_the_trace(environment, tmpdir):
    text = FIB.replace("while True:", "end = time.time() + 1\n    while time.time() < end:")
    for _ in range(3):
        with program(tmpdir, environment, text) as process:
            words = ("-qn", "profile-4999 /pid == $target/ { @[pid] = count(); }", "-p", process.pid)
            with tracing(tmpdir, environment, *words) as trace:
                assert trace.wait() == 0
                assert process.wait() == 0
                assert rows(trace.output(), 2)[0][1] > 100, trace.output()


def test_a_killed_process_leaves_its_samples(environment, tmpdir):
    with program(tmpdir, environment, FIB) as process:
        words = ("-n", "profile-997 /pid == $target/ { @[jstack(1)] = count(); }", "-p", process.pid)
        with tracing(tmpdir, environment, *words) as trace:
            trace.armed()
            used = os.times()
            until(lambda: os.times().elapsed > used.elapsed + 0.5, "half a second of samples")
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert trace.wait() == 0
            assert sum(stacks(trace.output()).values()) > 20, trace.output()


def test_forks_are_survived_and_not_followed(environment, tmpdir):
    text = """
import os, warnings
warnings.simplefilter("error")
begin()
time.sleep(1)
for _ in range(20):
    pid = os.fork()
    end = time.time() + 0.03
    while time.time() < end:
        pass
    if pid == 0:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
print("forked", flush=True)
while True:
    pass
"""
    clause = 'profile-997 /pid == $target/ { @[pid, tid] = count(); printf("."); }'
    with program(tmpdir, environment, text) as process:
        with tracing(tmpdir, environment, "-n", clause, "-p", process.pid) as trace:
            trace.armed()
            assert process.stdout.readline() == "forked\n"
            before = len(trace.output())
            until(lambda: len(trace.output()) > before + 100, "samples after the forks")
            assert trace.stop() == 0
            found = {row[:2] for row in rows(trace.output(), 3)}
        assert found == {(process.pid, process.pid)}


@pytest.mark.once
def test_too_many_clocks_are_refused(environment, tmp_path):
    clocks = ", ".join("profile-{}".format(100 + i) for i in range(17))
    with server(tmp_path, environment) as target:
        result = run(environment, "-n", clocks + " { @ = count(); }", "-p", target.pid)
    assert result.returncode != 0
    assert "a program may have 16 clocks profile-N" in result.stderr


def test_py_profile(environment, tmpdir):
    with program(tmpdir, environment, SHARES) as process:
        script = os.path.join(TOOLKIT, "py_profile.d")
        with tracing(tmpdir, environment, "-s", script, "-p", process.pid) as trace:
            trace.printed("Sampling 997 times a second")
            samples = os.times().elapsed + 1
            until(lambda: os.times().elapsed > samples, "a second of samples")
            assert trace.stop() == 0
            assert trace.errors() == "catprobe: tracing 1 probe in 1 process\n"
    found = stacks(trace.output().split("Stacks by samples,\n")[1])
    assert found[("burn", "most", "<module>")] > found[("burn", "rest", "<module>")] > 0
