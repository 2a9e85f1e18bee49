"""Tracing by the command: whom it traces, how the trace begins and ends, what it says meanwhile."""

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest
from tracing import command, run, server, traced_server, tracing
from waiting import until

COUNT = "python$target:server.py:%s:function-entry { @[probefunc] = count(); }"
ENTRIES = 'python$target:server.py::function-entry { printf("%s\\n", probefunc); }'


SET_PIPE_SIZE = 1031  # fcntl.F_SETPIPE_SZ, from Python 3.10 on


def counts(output):
    """What an aggregation by name printed."""
    return {name: int(count) for name, count in re.findall(r"(?m)^ +(\S+) +(\d+)$", output)}


# Programs that need no process.


@pytest.mark.once
def test_a_program_of_begin_and_end_needs_no_process(environment):
    result = run(
        environment, "-qn", 'BEGIN { printf("hello %d\\n", 42); exit(3); } END { printf("end\\n"); }'
    )
    assert (result.returncode, result.stdout, result.stderr) == (3, "hello 42\nend\n\n", "")


@pytest.mark.once
def test_what_matched_is_told(environment):
    result = run(environment, "-n", "BEGIN { exit(0); }", "-n", "END")
    assert result.stderr == (
        "catprobe: description 'BEGIN ' matched 1 probe\ncatprobe: description 'END' matched 1 probe\n"
    )


COPIES_OUT = (
    'BEGIN { this->a = (char *)alloca(8); copyoutstr("abcdef", (uintptr_t)this->a, 4); this->a[4] = 0;'
    ' printf("%s", stringof(this->a)); copyout("XY", (uintptr_t)this->a, 2);'
    ' printf(" %s\\n", stringof(this->a)); }'
    ' BEGIN { copyout("XY", 0x10, 2); } ERROR { printf("%d %x\\n", arg4, arg5); exit(0); }'
)


@pytest.mark.once
def test_copyout_writes_where_it_may_and_is_a_fault_elsewhere(environment):
    result = run(environment, "-wqn", COPIES_OUT)
    assert (result.returncode, result.stdout) == (0, "abcd XYcd\n1 10\n\n")
    refused = run(environment, "-qn", COPIES_OUT)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "catprobe: could not enable tracing: Destructive actions not allowed\n"


@pytest.mark.once
def test_copyout_changes_the_traced_program(environment, tmp_path):
    script = tmp_path / "written.py"
    script.write_text(
        "import ctypes, mmap\n"
        "page = mmap.mmap(-1, 4096)\n"
        "at = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
        "exec(compile('def told(): pass', hex(at), 'exec'))\n"
        "told()\n"
        "print(page[:4])\n"
    )
    program = (
        'python$target:::function-entry/probefunc == "told"/'
        ' { copyoutstr("cat", strtoll(copyinstr(arg0), 16), 4); }'
    )
    words = "{} {}".format(sys.executable, script)
    result = run(environment, "-wqn", program, "-c", words)
    assert result.stdout.splitlines()[0] == "b'cat\\x00'", result


@pytest.mark.once
def test_ticks_come_at_exact_multiples(environment):
    script = (
        "BEGIN { start = timestamp; } tick-20ms { n++; @[(timestamp - start) / 20000000 - n] = count(); }"
        " tick-20ms /n == 20/ { exit(0); }"
    )
    result = run(environment, "-qn", script)
    found = re.findall(r"(?m)^ +(-?\d+) +(\d+)$", result.stdout)
    assert sum(int(count) for _, count in found) == 20  # late they may be, early or lost never
    assert min(int(late) for late, _ in found) == 0


@pytest.mark.once
def test_output_appears_at_once(environment):
    start = time.monotonic()
    process = subprocess.Popen(
        command("-qn", 'BEGIN { printf("now\\n"); }'), env=environment, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"now\n"
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert time.monotonic() - start < 5 and process.returncode == 0


@pytest.mark.once
def test_maxtime_ends_the_trace(environment):
    assert run(environment, "-qx", "maxtime=200ms", "-n", 'END { printf("end\\n"); }').stdout == "end\n\n"


@pytest.mark.once
def test_output_is_appended_to_a_file(environment, tmp_path):
    path = tmp_path / "out"
    path.write_text("before\n")
    result = run(environment, "-qo", path, "-n", 'BEGIN { printf("hello\\n"); exit(0); }')
    assert (result.stdout, path.read_text()) == ("", "before\nhello\n\n")


@pytest.mark.once
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_trace(environment, tmp_path, number):
    program = 'BEGIN { printf("begin\\n"); @["x"] = count(); } END { printf("end\\n"); }'
    with tracing(tmp_path, environment, "-qn", program) as trace:
        trace.printed("begin")
        assert trace.stop(number) == 0
        assert trace.output().startswith("begin\n\nend\n\n") and trace.output().split()[2:] == ["x", "1"]


@pytest.mark.once
def test_when_nobody_reads_the_end_goes_where_the_messages_go(environment):
    program = 'tick-10ms { printf("tick\\n"); } END { printf("end\\n"); }'
    process = subprocess.Popen(
        command("-qn", program), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    assert b"end\n" in process.stderr.read()
    process.stderr.close()
    process.wait()


@pytest.mark.once
def test_after_a_write_into_a_closed_pipe_too(environment):
    program = 'tick-1ms { printf("tick\\n"); @ticks = count(); } END { printf("end\\n"); }'
    line = "{} -qn '{}' | head -1".format(" ".join(map(shlex.quote, command())), program)
    process = subprocess.Popen(
        line, shell=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, errors = process.communicate(timeout=20)
    assert output == b"tick\n"
    assert errors.startswith(b"end\n") and errors.split()[-1].isdigit(), errors


@pytest.mark.once
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only on Linux")
@pytest.mark.parametrize("option", [[], ["-o", "/dev/full"]])
def test_a_full_disk_is_told_and_the_end_goes_where_the_messages_go(environment, option):
    program = 'tick-1ms { printf("tick\\n"); @ticks = count(); } END { printf("end\\n"); }'
    with open("/dev/full", "w") as full:
        process = subprocess.Popen(
            command("-qn", program, *option),
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
    _, errors = process.communicate(timeout=20)
    said, end, _, count = errors.split("\n", 3)
    assert re.match(r"\S*: cannot write (the output|/dev/full): No space left on device$", said), errors
    assert (end, process.returncode) == ("end", 1) and count.strip().isdigit(), errors


@pytest.mark.once
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only on Linux")
def test_a_signal_ends_the_trace_though_its_reader_sleeps(environment):
    program = 'tick-1ms { printf("%4000s\\n", "x"); } END { printf("end\\n"); }'
    process = subprocess.Popen(
        command("-qn", program), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    fcntl.fcntl(process.stdout, SET_PIPE_SIZE, 4096)
    until(lambda: full(process.stdout), "a pipe that is full")
    process.send_signal(signal.SIGINT)
    assert process.stderr.read() == b"\nend\n\n"
    assert process.wait(20) == 0
    process.stdout.close()
    process.stderr.close()


def full(pipe):
    """Will a pipe of 4096 bytes not take another line of 4000?"""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"1234"))[0] > 96


@pytest.mark.once
def test_on_a_terminal_the_place_of_an_error_is_shown(environment):
    primary, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        command("-n", "BEGIN { trace(nosuch); }"), env=environment, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    said = b""
    while select.select([primary], [], [], 20)[0]:
        try:
            said += os.read(primary, 65536)
        except OSError:  # its end
            break
    os.close(primary)
    assert process.wait(20) == 1
    lines = said.decode().replace("\r", "").splitlines()
    assert lines[1:] == ["BEGIN { trace(nosuch); }", "              ^"], lines


# A child.


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "server.py"
    path.write_text("def leaf(n):\n    return n\n\n\nfor n in range(1000):\n    leaf(n)\nprint('finished')\n")
    return path


def test_a_child_is_traced_from_its_first_call_to_its_end(environment, script):
    result = run(environment, "-qn", COUNT % "", "-c", "{} {}".format(sys.executable, script))
    assert counts(result.stdout) == {"<module>": 1, "leaf": 1000}, result
    assert "finished" in result.stdout and result.returncode == 0
    assert result.stderr == ""


def test_a_child_waits_for_begin(environment, script, tmp_path):
    program = 'BEGIN { printf("begin %d\\n", $target > 0); } END { printf("end\\n"); } '
    out = tmp_path / "out"  # not where the child writes, in the midst of a line perhaps
    run(environment, "-qo", out, "-n", program + ENTRIES, "-c", "{} {}".format(sys.executable, script))
    lines = out.read_text().splitlines()
    assert lines[0] == "begin 1" and lines.index("<module>") < lines.index("leaf"), lines[:5]
    assert lines.count("leaf") == 1000 and lines.index("end") > len(lines) - 1000


def test_a_child_ends_with_the_trace(environment, tmp_path):
    path = tmp_path / "endless.py"
    path.write_text("import time\n\n\nwhile True:\n    time.sleep(0.01)\n")
    program = 'BEGIN { printf("%d\\n", $target); } tick-10ms { exit(5); }'
    result = run(environment, "-qn", program, "-c", "{} {}".format(sys.executable, path))
    assert result.returncode == 5
    assert not os.path.exists("/proc/{}".format(int(result.stdout)))


@pytest.mark.once
def test_a_child_need_not_be_python(environment):
    result = run(environment, "-qn", 'END { printf("end\\n"); }', "-c", "echo from child")
    assert result.stdout == "from child\nend\n\n"


@pytest.mark.once
def test_probes_of_a_child_that_is_no_python_match_nothing(environment):
    result = run(environment, "-n", "python$target:::function-entry { trace(1); }", "-c", "true")
    assert result.returncode == 1
    assert re.search(
        r"probe description python\d+:::function-entry does not match any probes\n\Z", result.stderr
    )


@pytest.mark.once
def test_a_child_that_cannot_run_is_told(environment):
    result = run(environment, "-n", "BEGIN { exit(0); }", "-c", "/nosuch/program")
    assert (result.returncode, result.stderr.splitlines()[-1]) == (1, "catprobe: No such process")


# A running process.


def test_a_running_process_is_traced_and_left_alone(environment, tmp_path):
    with server(tmp_path, environment) as target:
        target.call()
        with tracing(tmp_path, environment, "-n", COUNT % "", "-p", target.pid) as trace:
            trace.armed()
            assert "catprobe: tracing 1 probe in 1 process\n" in trace.errors()
            target.call()
            assert trace.stop() == 0
            assert counts(trace.output()) == {"call": 1, "branch": 10, "leaf": 20}, trace.output()
        target.call()


def test_output_of_a_process_appears_as_it_happens(environment, tmp_path):
    options = ("-q", "-xswitchrate=20ms", "-n", ENTRIES)
    with server(tmp_path, environment, calls=1) as target, tracing(
        tmp_path, environment, *(options + ("-p", target.pid))
    ) as trace:

        def heard():
            target.call()
            return "call\nbranch\nleaf\nleaf\n" in trace.output()

        until(heard, "the calls")


def test_two_processes_each_with_its_own_target(environment, tmp_path):
    program = 'python$target:::function-entry /probefunc == "leaf"/ { @[pid, $target] = count(); }'
    with server(tmp_path, environment, name="one.py") as one, server(
        tmp_path, environment, name="two.py"
    ) as two:
        with tracing(tmp_path, environment, "-n", program, "-p", one.pid, "-p", two.pid) as trace:
            trace.armed()
            assert "in 2 processes\n" in trace.errors()
            one.call()
            two.call()
            two.call()
            assert trace.stop() == 0
        found = re.findall(r"(?m)^ +(\d+) +(\d+) +(\d+)$", trace.output())
        assert found == [(str(one.pid),) * 2 + ("20",), (str(two.pid),) * 2 + ("40",)]


def test_without_a_pid_every_process_is_traced_those_too_that_come_later(environment, tmp_path):
    program = 'python*:::function-entry /probefunc == "call"/ { printf("%d calls\\n", pid); }'
    with server(tmp_path, environment, name="one.py") as one, tracing(
        tmp_path, environment, "-n", program
    ) as trace:
        trace.armed()
        one.call()
        trace.printed("{} calls\n".format(one.pid))
        with server(tmp_path, environment, name="two.py") as two:

            def heard():
                two.call()
                return "{} calls\n".format(two.pid) in trace.output()

            until(heard, "the second process")
        assert trace.process.poll() is None


def test_a_killed_process_leaves_what_it_recorded(environment, tmp_path):
    options = ("-xswitchrate=1s", "-n", COUNT % "")
    with traced_server(tmp_path, environment, *options, calls=100) as (target, trace):
        target.call()
        target.process.kill()
        target.process.wait()
        assert trace.wait() == 0
        assert counts(trace.output()) == {"call": 1, "branch": 100, "leaf": 200}
        assert "catprobe: process {} has died\n".format(target.pid) in trace.errors()


def test_a_process_that_ends_ends_the_trace(environment, tmp_path):
    with traced_server(tmp_path, environment, "-n", COUNT % "leaf") as (target, trace):
        target.call()
        target.process.stdin.close()
        assert trace.wait() == 0
        assert counts(trace.output()) == {"leaf": 20}
        assert "catprobe: process {} has exited\n".format(target.pid) in trace.errors()


def test_a_killed_command_leaves_the_process_alone(environment, tmp_path):
    with server(tmp_path, environment) as target:
        with tracing(tmp_path, environment, "-n", COUNT % "", "-p", target.pid) as trace:
            trace.armed()
            trace.process.kill()
            trace.wait()

        def idle():
            target.call()
            row = next(line for line in run(environment, "ps").stdout.splitlines() if str(target.pid) in line)
            return "idle" in row

        until(idle, "the hooks to be gone")


def test_exit_in_a_process_ends_the_trace(environment, tmp_path):
    program = 'python$target:server.py:leaf:function-entry /++n == 5/ { printf("%d\\n", n); exit(7); }'
    program += ' END { printf("end\\n"); }'
    with traced_server(tmp_path, environment, "-n", program) as (target, trace):
        target.call()
        assert trace.wait() == 7
        assert re.findall(r"(?m) (5|end)$", trace.output()) == ["5", "end"]


def test_a_process_that_fires_too_much_is_let_go(environment, tmp_path):
    options = ("-q", "-xmaxrate=100", "-n", COUNT % "leaf")
    with server(tmp_path, environment, calls=200) as target, tracing(
        tmp_path, environment, *(options + ("-p", target.pid))
    ) as trace:

        def ended():
            target.call()
            return trace.process.poll() is not None

        until(ended, "the end of the trace")
        text = r"process {} was let go: \d+ firings a second, more than -x maxrate=100: .* maxrate=\d+\n"
        assert re.search(text.format(target.pid), trace.errors()), trace.errors()
        assert trace.wait() == 0 and counts(trace.output())["leaf"] > 0
        target.call()


@pytest.mark.once
def test_a_process_that_is_not_there_is_told_in_dtraces_words(environment):
    result = run(environment, "-n", "BEGIN { exit(0); }", "-p", 2147483647)
    assert (result.returncode, result.stderr) == (1, "catprobe: No such process\n")


@pytest.mark.once
def test_a_process_that_cannot_be_traced_is_told(environment):
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        result = run(environment, "-n", "python$target:::line", "-p", sleeper.pid)
        sleeper.kill()
    assert result.returncode == 1
    assert "process {} (sleep 60) cannot be traced".format(sleeper.pid) in result.stderr
    assert result.stderr.count("\n") == 1
