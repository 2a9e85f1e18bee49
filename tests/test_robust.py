"""What hostile, hurried and poor users do: one clear line each, nothing hangs, no program notices."""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import plain
import pytest
from tracing import command, run, server, tracing
from waiting import SECONDS, until

TESTS = Path(__file__).resolve().parent
COUNT = "python$target:::function-entry { @[probefunc] = count(); }"
LEAVES = "python$target::leaf:function-entry { @[probefunc] = count(); }"


@pytest.fixture(scope="session")
def binary(tmp_path_factory):
    """The command as a plain C build, which needs less of everything than Python does."""
    path = tmp_path_factory.mktemp("robust") / "catprobe"
    plain.build(path, plain.command_sources())
    return str(path)


def run_binary(binary, environment, *arguments, **options):
    return subprocess.run(
        [binary] + [str(argument) for argument in arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=2 * SECONDS,
        **options,
    )


def last_line(result):
    return result.stderr.splitlines()[-1]


# Memory that others write into.


@pytest.mark.once
def test_an_arena_into_which_anybody_writes(tmp_path):
    rooms = ("program", "dlang", "engine", "consumer")
    assert plain.unit_test(tmp_path, "hostile_arena_test", rooms, True) == ("", 0)


# Targets that lie.


@contextmanager
def lying_target(environment, answer):
    process = subprocess.Popen(
        [sys.executable, str(TESTS / "programs" / "lying_target.py"), answer],
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
        process.stdin.close()
        process.stdout.close()
        process.wait()


NO_SENSE = "is not traced: it gives an answer that makes no sense: is this catprobe?"
NO_END = "is no longer traced: it gives an answer that does not end: is this catprobe?"


@pytest.mark.once
@pytest.mark.parametrize(
    "answer, said",
    [
        ("a line without end", NO_END),
        ("no sense", NO_SENSE),
        ("gone for no reason", "is no longer traced"),
        ("gone for an unknown reason", "is no longer traced: " + "y" * 200),
        ("control characters", "is no longer traced: ?]0;x?"),
        ("refuses", "is not traced: trace: not today"),
    ],
)
def test_a_session_with_one_that_lies_is_told_in_one_line(environment, answer, said):
    with lying_target(environment, answer) as target:
        result = run(environment, "-qn", COUNT, "-p", target.pid)
    assert last_line(result).startswith("catprobe: process {} {}".format(target.pid, said)), result
    assert result.returncode == 1 and result.stderr.count("\n") == 1


@pytest.mark.once
@pytest.mark.parametrize("answer", ["talks without end", "no answer", "half an answer"])
def test_a_session_with_one_that_hangs_ends_by_a_signal(environment, tmp_path, answer):
    with lying_target(environment, answer) as target:
        program = COUNT + ' BEGIN { printf("begun\\n"); }'
        with tracing(tmp_path, environment, "-qn", program, "-p", target.pid) as trace:
            trace.printed("begun")
            if answer != "talks without end":
                line = (
                    "catprobe: process {} does not answer, and is traced as soon as it does: is it stopped?\n"
                )
                until(lambda: trace.errors() == line.format(target.pid), "what is said of it")
            assert trace.stop() == 0


@pytest.mark.once
def test_a_process_that_lives_on_as_another_program_has_not_died(environment):
    with lying_target(environment, "closes") as target:
        result = run(environment, "-n", COUNT, "-p", target.pid)
    assert last_line(result) == "catprobe: process {} runs another program now".format(target.pid)


@pytest.mark.once
def test_an_agent_that_is_away_for_a_moment_is_asked_again(environment, tmp_path):
    """As in the course of a fork or an exec, on a busy machine for longer than that takes."""
    with lying_target(environment, "away") as target, tracing(
        tmp_path, environment, "-n", COUNT, "-p", target.pid
    ) as trace:
        assert trace.armed().stop() == 0


@pytest.mark.once
def test_one_that_refuses_makes_the_status_though_others_are_traced(environment, tmp_path):
    with lying_target(environment, "refuses") as one, server(tmp_path, environment) as other:
        words = ("-n", LEAVES.replace("$target", "*"), "-p", one.pid, "-p", other.pid)
        with tracing(tmp_path, environment, *words) as trace:
            trace.armed()
            other.call()
            assert trace.stop() == 1
        assert trace.output().split() == ["leaf", "20"]
        assert "catprobe: process {} is not traced: trace: not today\n".format(one.pid) in trace.errors()


@pytest.mark.once
def test_a_process_that_is_named_twice_is_traced_once(environment, tmp_path):
    with server(tmp_path, environment) as target:
        with tracing(tmp_path, environment, "-n", LEAVES, "-p", target.pid, "-p", target.pid) as trace:
            trace.armed()
            target.call()
            assert trace.stop() == 0
        assert trace.output().split() == ["leaf", "20"]


@pytest.mark.once
def test_a_zombie_is_told(environment):
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    result = run(environment, "calls", process.pid)
    process.wait()
    assert result.stderr == (
        "catprobe: process {} has ended, and only waits for its parent to hear of it\n".format(process.pid)
    )
    assert result.returncode == 1


# A program that was to be traced and cannot be is not run.


@pytest.mark.once
@pytest.mark.parametrize(
    "arguments",
    [
        ["-n", "BEGIN { nosuch(); }"],
        ["-o", "/nonexistent/file", "-n", COUNT],
        ["-x", "nosuch", "-n", COUNT],
        ["-e", "-n", COUNT],
    ],
)
def test_a_program_that_cannot_be_traced_is_not_run(environment, tmp_path, arguments):
    script, mark = tmp_path / "program.py", tmp_path / "mark"
    script.write_text("open({!r}, 'w')\n".format(str(mark)))
    result = run(environment, *(arguments + ["-c", "{} {}".format(sys.executable, script)]))
    assert result.returncode == (0 if "-e" in arguments else 1)
    assert not mark.exists()


# Little room.


@pytest.mark.once
@pytest.mark.parametrize(
    "limit, amount, said",
    [
        (
            "RLIMIT_AS",
            60 << 20,
            r"cannot map the memory of the session, \d+ bytes: .*; -x maxmem sets how many",
        ),
        ("RLIMIT_FSIZE", 0, r"cannot make a memory file of \d+ bytes: .*; -x maxmem sets how many"),
        ("RLIMIT_NOFILE", 4, r"cannot make a pipe: Too many open files"),
        ("RLIMIT_NOFILE", 6, r"cannot look for processes: Too many open files; raise ulimit -n"),
        ("RLIMIT_NOFILE", 8, r"process \d+ is not traced: Too many open files"),
    ],
)
def test_limits_of_the_command(environment, tmp_path, binary, limit, amount, said):
    number = getattr(resource, limit)
    with server(tmp_path, environment) as target:
        result = run_binary(
            binary,
            environment,
            "-qn",
            LEAVES,
            "-p",
            target.pid,
            preexec_fn=lambda: resource.setrlimit(number, (amount, amount)),
        )
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1), result
    assert re.match("catprobe: " + said + "\n", result.stderr), result


@pytest.mark.once
def test_a_file_that_may_not_grow_is_a_full_disk(environment, tmp_path, binary):
    """And no signal that kills the command."""
    out = tmp_path / "out"
    program = 'tick-1ms { printf("%1000s\\n", "x"); } END { printf("end\\n"); }'
    result = run_binary(
        binary,
        environment,
        *["-x", "maxmem=1m", "-qo", out, "-n", program],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20)),
    )
    said, end = result.stderr.splitlines()[:2]
    assert said == "catprobe: cannot write {}: File too large".format(out)
    assert (end, result.returncode, out.stat().st_size) == ("end", 1, 4 << 20)


# Signals that come early.


@pytest.mark.once
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_any_time_leaves_an_orderly_end(environment, tmp_path, binary, number):
    """Before there is a trace the command just ends; from then on END fires."""
    words = [binary, "-qn", 'BEGIN { printf("begin\\n"); } END { printf("end\\n"); }', "-c", "sleep 0.1"]
    for delay in range(12):
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(delay / 2000.0)
        process.send_signal(number)
        output, errors = process.communicate(timeout=SECONDS)
        assert (process.returncode, output, errors) in [
            (-number, b"", b""),
            (0, b"begin\n\nend\n\n", b""),
        ], delay


# Recursion.


def test_calls_that_are_left_out_of_a_deep_recursion_are_told(environment, tmp_path):
    """None are from CPython 3.12 on; 3.11 counts a stretch of calls as one."""
    inlined = sys.version_info >= (3, 11)
    depth = 40000 if inlined else 2500
    script = tmp_path / "deep.py"
    script.write_text(
        "import sys\n"
        "def down(n):\n"
        "    return n and down(n - 1)\n"
        "sys.setrecursionlimit(100000)\n"
        "down({})\n".format(depth)
    )
    program = 'python$target::down:function-entry { @ = count(); } END { printa("%@d\\n", @); }'
    result = run(environment, "-qn", program, "-c", "{} {}".format(sys.executable, script))
    seen = int(result.stdout)
    dropped = re.match(
        r"catprobe: (\d+) drops? of calls for lack of stack or memory \(a deep recursion\)\n", result.stderr
    )
    if sys.version_info >= (3, 12):
        assert (seen, result.stderr) == (depth + 1, "")
    elif inlined:
        assert dropped and int(dropped.group(1)) == 1 and 1000 < seen < depth
    else:
        assert dropped and seen + int(dropped.group(1)) == depth + 1


@pytest.mark.once
def test_a_signal_that_comes_twice_at_once_is_one(environment):
    """timeout(1) signals the process, and then its group."""
    program = 'BEGIN { printf("begin\\n"); } END { printf("end\\n"); }'
    for _ in range(5):
        process = subprocess.Popen(
            command("-qn", program), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout.readline() == b"begin\n"
        for _ in range(50):
            process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=SECONDS) == (b"\nend\n\n", b"")
        assert process.returncode == 0


@pytest.mark.once
def test_a_clock_that_was_held_up_is_read_at_each_firing(environment):
    """What printa() prints are the values of that moment, as on a machine that is not busy."""
    program = 'tick-20ms { @ = sum(1); printa("%@d\\n", @); } tick-20ms /n++ == 40/ { exit(0); }'
    process = subprocess.Popen(command("-qn", program), env=environment, stdout=subprocess.PIPE)
    process.stdout.readline()
    for _ in range(3):
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        process.send_signal(signal.SIGCONT)
        process.stdout.readline()
    output, _ = process.communicate(timeout=SECONDS)
    numbers = [int(word) for word in output.split()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) and numbers[-1] == 41


# Forks.

STORM = """
import os
import catprobe

def leaf():
    return 1

print("ready", flush=True)
while os.getppid() == {parent}:
    child = os.fork()
    if not child:
        leaf()
        os._exit(0)
    assert os.waitpid(child, 0) == (child, 0)
    leaf()
"""


def test_a_process_that_forks_without_a_pause_is_traced(environment, tmp_path):
    """Its agent is away more often than not; its children are not traced."""
    script = tmp_path / "storm.py"
    script.write_text(STORM.format(parent=os.getpid()))
    words = [sys.executable, "-W", "error", str(script)]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as target:
        try:
            assert target.stdout.readline() == b"ready\n"
            program = LEAVES[:-2] + "; @pids[pid] = count(); } tick-200ms { exit(0); }"
            for _ in range(2):
                result = run(environment, "-qn", program, "-p", target.pid)
                assert (result.returncode, result.stderr) == (0, ""), result
                (name, count), (pid, same) = [row.split() for row in result.stdout.splitlines() if row]
                assert (name, int(pid)) == ("leaf", target.pid) and int(count) == int(same) > 0
            assert target.poll() is None
        finally:
            target.kill()
        assert target.stderr.read() == b""


# A program with little room, or with names of its own.

FEW = "import catprobe, resource\nresource.setrlimit(resource.RLIMIT_NOFILE, ({0}, {0}))"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only on Linux")
@pytest.mark.parametrize("few", [8, 20])
def test_a_program_that_may_have_few_descriptors_is_traced_and_its_agent_sleeps(environment, tmp_path, few):
    """poll() refuses more entries than that."""
    with server(tmp_path, environment, imports=FEW.format(few)) as target:
        with tracing(tmp_path, environment, "-n", LEAVES, "-p", target.pid) as trace:
            trace.armed()
            target.call()
            assert trace.stop() == 0
        assert trace.output().split() == ["leaf", "20"]
        agent = [
            path
            for path in Path("/proc/{}/task".format(target.pid)).iterdir()
            if path.name != str(target.pid)
        ]
        before = sum(map(int, (agent[0] / "stat").read_text().split()[13:15]))
        time.sleep(0.5)
        assert sum(map(int, (agent[0] / "stat").read_text().split()[13:15])) - before < 10  # of 50 ticks


def test_names_that_are_not_ascii(environment, tmp_path):
    script = tmp_path / "模块.py"
    script.write_text("def größe():\n    pass\nfor n in range(7):\n    größe()\n", encoding="utf-8")
    program = "python$target::größe:function-entry { @[probefunc, probemod] = count(); }"
    # Before 3.7 the C locale's file names are no UTF-8, and unknown.
    for locale in ("C", "C.UTF-8") if sys.version_info >= (3, 7) else ("C.UTF-8",):
        words = ["-qn", program, "-c", "{} {}".format(sys.executable, script)]
        result = subprocess.run(
            [word.encode("utf-8") for word in command(*words)],
            env=dict(environment, LC_ALL=locale),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
        )
        assert result.stdout.decode("utf-8").split() == ["größe", "模块.py", "7"], result
