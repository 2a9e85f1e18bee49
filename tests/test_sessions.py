# ruff: noqa: F811
"""Sessions: D programs that run in a process, over its control socket, by a consumer that is not ours."""

import os
import signal
import statistics
import sys
import time

import pytest
import waiting
from recording import needs
from session_client import (  # noqa: F401 (fixtures)
    ACTIVE,
    EXITING,
    INACTIVE,
    SEALED,
    Connection,
    client_library,
    target,
    targets,
    trace,
)

COUNTS = "python$target:::function-entry { @[copyinstr(arg1)] = count(); }"
COUNTS_OF = "python$target::{}:function-entry {{ @[probefunc] = count(); }}"
RETURNS_OF = "python$target::{}:function-return {{ @[probefunc] = count(); }}"
BY_PREDICATE = 'python$target:::function-entry /copyinstr(arg1) == "{}"/ {{ @[copyinstr(arg1)] = count(); }}'
LINES = 'python$target:::function-entry { printf("%s\\n", copyinstr(arg1)); }'

F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE = 1, 2, 4, 8


# What is heard.


def test_counts_are_those_of_setprofile(target, trace):
    session = trace(target, COUNTS).armed()
    target.run("work()")
    counts = session.counts()
    expected = target.run("profiled(work)")
    assert {name: counts.get(name) for name in expected} == expected


@pytest.mark.parametrize("script", [COUNTS_OF, RETURNS_OF, BY_PREDICATE])
@pytest.mark.parametrize("name", ["leaf", "numbers", "raises", "work"])
def test_counts_of_one_function_are_those_of_setprofile(target, trace, script, name):
    session = trace(target, script.format(name)).armed()
    target.run("work()")
    assert session.counts() == {name: target.run("profiled(work)")[name]}


def test_one_of_many_functions_switches_the_others_off(target, trace):
    session = trace(target, COUNTS_OF.format("leaf")).armed()
    target.run("work()")
    expected = "monitoring" if sys.version_info >= (3, 12) else "frame-evaluation"
    assert target.engines()["function-entry"] == expected
    assert session.counts() == {"leaf": 30}


@needs(3, 12)
def test_the_other_functions_cost_nothing(target, trace):
    """In one process, which runs the same machine code, and with no other reason to be slower."""
    measure = "quickest(lambda: call(leaf, 10000))"
    ratios = []
    for _ in range(6):  # a busy machine shows a ratio that is too high now and then
        before = target.run(measure)
        session = trace(target, BY_PREDICATE.format("parent")).armed()
        target.run("work()")
        ratios.append(target.run(measure) / before)
        assert session.counts() == {"parent": 10}
        if min(ratios) < 1.05:
            break
    assert min(ratios) < 1.05, ratios


def test_lines_of_one_function(target, trace):
    session = trace(target, "python$target::numbers:line { @[probefunc, arg2] = count(); }").armed()
    target.run("work()")
    assert sorted(session.counts().values()) == [30, 40]


def test_the_stack_and_its_depth(target, trace):
    script = """
        python$target::leaf:function-entry { printf("entry %d\\n", stackdepth); ustack(); }
        python$target::leaf:function-return { printf("return %d\\n", stackdepth); ustack(); }
    """
    session = trace(target, script, "quiet").armed()
    target.run("def middle():\n    return leaf()\nmiddle()")
    lines = [line.strip() for line in session.end().splitlines() if line.strip()]
    half = len(lines) // 2
    stack = lines[1:half]
    assert lines[half + 2 :] == stack[1:] and lines[half + 1].startswith("leaf (")
    assert lines[0] == "entry {}".format(len(stack)) and lines[half] == "return {}".format(len(stack))
    assert stack[0].startswith("leaf (") and "session_target.py:" in stack[0]
    assert stack[1] == "middle (<code>:2)"
    assert stack[-2].startswith("main (") and stack[-1].startswith("<module> (")


def test_variables_of_threads_live_as_long_as_these(target, trace):
    """Up to their thread-exit; and the next thread does not inherit them."""
    script = """
        python$target::leaf:function-entry { self->calls++; }
        python$target:::thread-exit { @[self->calls] = count(); }
    """
    session = trace(target, script).armed()
    target.run("in_threads(leaf, 30, at_a_time=3)")
    target.run("in_threads(lambda: call(leaf, 3), 10)")
    waiting.until(lambda: "thread-exit" in target.engines())
    assert session.counts() == {"1": 30, "3": 10}


def test_code_objects_that_come_and_go(target, trace):
    """What was decided of one is not taken for another that has its id."""
    session = trace(target, COUNTS_OF.format("wanted*")).armed()
    target.run(
        "for i in range(3000):\n"
        "    scope = {}\n"
        "    name = ('wanted_{}' if i % 3 == 0 else 'other_{}').format(i % 7)\n"
        "    exec('def {}(): pass'.format(name), scope)\n"
        "    scope[name]()\n"
    )
    counts = session.counts()
    assert sum(counts.values()) == 1000 and len(counts) == 7


@pytest.mark.skipif(sys.version_info < (3, 8), reason="needs CPython 3.8")
def test_functions_of_a_subinterpreter(target, trace):
    target.run("import importlib")
    module = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    target.run("subs = importlib.import_module({!r})\nhex(0)".format(module))
    target.run("one = subs.{}\n0".format("create()" if sys.version_info < (3, 14) else "create('legacy')"))
    session = trace(target, COUNTS_OF.format("leaf")).armed()
    target.run("leaf()")
    target.run("subs.run_string(one, 'def leaf(): pass\\nfor i in range(5): leaf()')\n0")
    target.run("subs.destroy(one)\n0")
    assert session.counts() == {"leaf": 6}


# Several consumers.


def test_several_consumers_have_their_own_program_each(target, trace):
    everything = trace(target, COUNTS).armed()
    target.run("work()")
    leaves = trace(target, COUNTS_OF.format("leaf")).armed()
    returns = trace(target, RETURNS_OF.format("parent")).armed()
    target.run("work()")
    assert leaves.counts() == {"leaf": 30}
    target.run("work()")
    assert returns.counts() == {"parent": 20}
    target.run("work()")
    assert everything.counts()["leaf"] == 120
    waiting.until(lambda: target.run("0") == 0 and not target.engines())


def test_there_are_at_most_eight(target, trace):
    sessions = [trace(target, COUNTS_OF.format("leaf")).armed() for _ in range(8)]
    refused = trace(target, COUNTS)
    assert refused.reply == [
        "catprobe/1 error trace: it is traced by 8 consumers already, the most there can be"
    ]
    assert len([line for line in target.status() if line.startswith("session ")]) == 8
    target.run("leaf()")
    sessions.pop().close()
    waiting.until(lambda: len([line for line in target.status() if line.startswith("session ")]) == 7)
    sessions.append(trace(target, COUNTS_OF.format("leaf")).armed())
    target.run("leaf()")
    assert [session.counts() for session in sessions] == [{"leaf": 2}] * 7 + [{"leaf": 1}]


def test_the_status_tells_of_sessions(target, trace):
    trace(target, "python$target:::gc-start, python$target:::line { @ = count(); }").armed()
    target.run("0")
    waiting.until(lambda: "session 1 armed line,gc-start pid={}".format(target.pid) in target.status())
    assert target.run("catprobe.status()['sessions']") == ["1 armed line,gc-start pid={}".format(target.pid)]


# The end of one side.


def hooks_are_gone(target):
    target.run("work()")
    return not target.engines() and not target.maps()


def test_a_consumer_that_is_killed_leaves_nothing_behind(target, trace, client_library):
    trace(target, COUNTS).armed().end()
    target.start("time.sleep(1), call(work, 10000)")
    consumer = os.fork()
    if consumer == 0:
        try:
            trace(target, COUNTS).armed()
            time.sleep(0.2)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    waiting.until(lambda: target.maps())
    os.waitpid(consumer, 0)
    killed = time.monotonic()
    waiting.until(lambda: not target.maps())
    assert time.monotonic() - killed < 1
    target.result()
    assert hooks_are_gone(target)


def test_a_session_that_ends_leaves_nothing_behind(target, trace):
    fds = target.run("sorted(os.listdir('/proc/self/fd'))")
    for _ in range(20):
        session = trace(target, COUNTS).armed()
        target.run("leaf()")
        assert session.counts()["leaf"] == 1
    waiting.until(lambda: hooks_are_gone(target))
    assert target.run("sorted(os.listdir('/proc/self/fd'))") == fds


def test_an_end_of_a_process_that_waits_in_c(target, trace):
    target.start("time.sleep(2)")
    session = trace(target, COUNTS).armed()
    session.end()
    waiting.until(lambda: not target.maps())
    target.result()
    assert hooks_are_gone(target)


def test_a_target_that_is_killed_leaves_its_records(target, trace):
    session = trace(target, LINES, "quiet").armed()
    target.start("call(leaf, 100), os.kill(os.getpid(), 9)")
    assert session.connection.line() is None
    assert session.end().count("leaf\n") == 100


@pytest.mark.parametrize("end", ["raise SystemExit(3)", "os._exit(3)", "sys.stdin.close()"])
def test_records_of_a_program_that_ends_are_complete(target, trace, end):
    session = trace(target, LINES, "quiet").armed()
    target.start("call(leaf, 100)\n" + end)
    said = session.connection.line()
    assert said == (None if "_exit" in end else "gone exit the interpreter ends")
    assert session.connection.line() is None
    _, errors = target.process.communicate()
    assert "catprobe" not in errors and session.end().count("leaf\n") == 100


def test_a_program_that_ends_while_threads_run(target, trace):
    session = trace(target, COUNTS).armed()
    target.run(
        "def forever():\n    while True: leaf()\n"
        "for i in range(4): threading.Thread(target=forever, daemon=True).start()\n"
        "time.sleep(0.2)"
    )
    assert target.leave() == (0, "")
    assert session.connection.line() == "gone exit the interpreter ends"
    assert session.counts()["leaf"] > 1000


def test_a_program_that_becomes_another(target, trace):
    session = trace(target, LINES, "quiet").armed()
    target.start("leaf(), os.execv('/bin/true', ['true'])")
    assert session.connection.line() is None
    assert target.process.wait() == 0
    assert session.end().count("leaf\n") == 1


def test_a_trace_that_is_over_costs_nothing_more(target, trace):
    script = (
        "python$target::leaf:function-entry { @ = count(); exit(7); } python$target:::line { @l = count(); }"
    )
    session = trace(target, script, activity=INACTIVE).armed()
    target.run("work()")
    waiting.until(target.engines)
    session.advance(ACTIVE)
    target.run("work()")
    waiting.until(lambda: target.run("0") == 0 and not target.engines())
    assert target.maps()
    session.end()
    waiting.until(lambda: not target.maps())


def test_nothing_fires_before_it_shall(target, trace):
    session = trace(target, COUNTS_OF.format("leaf"), activity=INACTIVE).armed()
    target.run("work()")
    session.advance(ACTIVE)
    target.run("leaf()")
    session.advance(EXITING)
    target.run("work()")
    assert session.counts() == {"leaf": 1}


# Threads and processes.


def test_a_storm_of_threads(target, trace):
    script = """
        python$target::leaf:function-entry, python$target::leaf:function-return { @[probename] = count(); }
        python$target:::thread-start, python$target:::thread-exit { @[probename] = count(); }
    """
    session = trace(target, script).armed()
    target.run("in_threads(leaf, 10000)")
    counts = session.counts()
    assert counts == dict.fromkeys(
        ["function-entry", "function-return", "thread-start", "thread-exit"], 10000
    )
    assert target.run("len(os.listdir('/proc/self/task'))") <= 2


def test_sessions_come_and_go_while_threads_run(target, trace):
    """While an engine is taken away, threads may be inside of it."""
    target.run(
        "going = True\n"
        "def turn():\n    while going: call(leaf, 100)\n"
        "threads = [threading.Thread(target=turn) for i in range(8)]\n"
        "for thread in threads: thread.start()\n"
    )
    for turn in range(60):
        session = trace(target, COUNTS if turn % 2 else COUNTS_OF.format("leaf")).armed()
        assert session.connection.says_nothing()
        session.close()
    target.run("going = False\nfor thread in threads: thread.join()\n0")
    assert target.leave() == (0, "")


FORKS = """
def child():
    call(leaf, 100)
    os._exit(0)

def fork():
    leaf()
    pid = os.fork()
    if pid == 0:
        child()
    return os.waitpid(pid, 0)[1]
"""


def test_the_parent_of_a_fork_goes_on_and_the_child_is_not_traced(targets, trace):
    target = targets("-W", "error")
    target.run(FORKS)
    session = trace(target, COUNTS_OF.format("leaf")).armed()
    assert target.run("[fork() for i in range(50)]") == [0] * 50
    target.run("[time.sleep(0.01) or fork() for i in range(50)]")
    assert session.connection.says_nothing()
    assert session.counts() == {"leaf": 100}
    waiting.until(lambda: hooks_are_gone(target))
    assert target.leave() == (0, "")


def test_a_session_ends_while_the_program_forks(target, trace):
    """The end of the consumer is seen also when the agent comes and goes all the time."""
    target.run(FORKS)
    target.start("stop = time.time() + 3\nwhile time.time() < stop: fork()\n0")
    trace(target, COUNTS_OF.format("leaf")).armed().end()
    waiting.until(lambda: not target.maps())
    target.result()
    assert target.leave() == (0, "")


@pytest.mark.parametrize("call", ["fork()", "syscall({clone}, 17, 0, 0, 0, 0)"])
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="only on x86-64")
def test_a_fork_in_c_past_every_handler(target, trace, call):
    session = trace(target, COUNTS_OF.format("leaf")).armed()
    target.run("libc = ctypes.PyDLL(None)")
    target.run(FORKS.replace("os.fork()", "libc." + call.format(clone=56)))
    assert target.run("[fork() for i in range(20)]") == [0] * 20
    assert session.counts() == {"leaf": 20}


def test_a_daemon_that_closes_all_descriptors(target, trace):
    """Where the agent has a table of its own; elsewhere the session is lost."""
    session = trace(target, COUNTS_OF.format("leaf")).armed()
    target.run("os.closerange(3, 4096)")
    target.run("leaf()")
    assert session.connection.says_nothing()
    assert session.counts() == {"leaf": 1}


# Guard rails.


@pytest.mark.parametrize("option", ["maxrate=1000", "maxcpu=1"])
def test_a_trace_that_costs_too_much_is_ended(target, trace, option):
    session = trace(target, COUNTS, option).armed()
    target.start(
        "stop = time.time() + 4\n"
        "while time.time() < stop and catprobe.status()['sessions']: call(leaf, 1000)\n"
        "time.time() < stop"
    )
    name, limit = option.split("=")
    said = session.connection.line()
    assert said.startswith("gone {} ".format(name))
    assert "more than -x {}={}: ".format(name, limit) in said and "-x {}=".format(name) in said.split(": ")[1]
    assert session.connection.line() is None
    waiting.until(lambda: not target.maps())
    assert target.result()
    assert hooks_are_gone(target)


def test_a_trace_that_costs_little_goes_on(target, trace):
    session = trace(target, COUNTS_OF.format("leaf"), "maxrate=1000000 maxcpu=90").armed()
    target.run("for i in range(25): call(leaf, 10); time.sleep(0.1)\n0")
    assert session.connection.says_nothing()
    assert session.counts() == {"leaf": 250}


# Requests that are wrong.


def talk(target, request, descriptors=()):
    connection = Connection(target.path)
    connection.send(request, descriptors)
    reply = connection.reply()
    connection.close()
    return reply


TRACE = "catprobe/2 trace pid={pid} first=10\n"


@pytest.mark.parametrize(
    "request_line, reason",
    [
        ("catprobe/1 trace pid={pid} first=10\n", "unknown request 'trace' in version 1"),
        ("catprobe/2 trace\n", "the argument pid= is missing"),
        ("catprobe/2 trace pid={pid}\n", "the argument first= is missing"),
        ("catprobe/2 trace pid={pid} first=10 color=red\n", "does not know the argument color=red"),
        ("catprobe/2 trace pid={pid} first\n", "does not know the argument first"),
        ("catprobe/2 trace pid=0 first=10\n", "pid=0 is no number in the right range"),
        ("catprobe/2 trace pid=-1 first=10\n", "pid=-1 is no number in the right range"),
        ("catprobe/2 trace pid={pid} first=4294967295\n", "first=4294967295 is no number in the right range"),
        ("catprobe/2 trace pid={pid} first=1x\n", "first=1x is no number in the right range"),
        ("catprobe/2 trace pid={pid} first=99999999999999999999999\n", "is no number in the right range"),
        ("catprobe/4 trace pid={pid} first=10\n", "it speaks version 3"),
        ("catprobe/2 " + "x" * 600, "longer than"),
        ("catprobe/3 trace pid={pid} first=10 clocks=30:profile-97,31\n", "31 is no clock"),
        ("catprobe/3 trace pid={pid} first=10 clocks=30:tick-97\n", "30:tick-97 is no clock"),
        ("catprobe/3 trace pid={pid} first=10 clocks=30:profile-9999\n", "30:profile-9999 is no clock"),
        ("catprobe/3 trace pid={pid} first=10 clocks=4294967296:profile-1s\n", "is no clock"),
        (
            "catprobe/3 trace pid={pid} first=10 clocks=" + ",".join(["9:profile-1"] * 17) + "\n",
            "9:profile-1 is no clock, or one more than 16",
        ),
    ],
    ids=range(17),
)
def test_a_malformed_request_gets_one_line(target, trace, client_library, request_line, reason):
    session = trace(target, COUNTS_OF.format("leaf")).armed()
    program = session.program_file()
    arena = client_library.client_arena(session.client)
    reply = talk(target, request_line.format(pid=target.pid).encode(), [program, arena])
    os.close(program)
    assert len(reply) == 1 and reply[0].startswith("catprobe/1 error ") and reason in reply[0]
    target.run("leaf()")
    assert session.counts() == {"leaf": 1}


def test_wrong_descriptors_get_one_line(target, trace, client_library, tmp_path):
    session = trace(target, COUNTS_OF.format("leaf")).armed()
    program, arena = session.program_file(), client_library.client_arena(session.client)
    unsealed = session.program_file(F_SEAL_SHRINK | F_SEAL_GROW)
    size = len(session.program())
    empty = client_library.client_memory(b"", 0, SEALED)
    short = client_library.client_memory(session.program(), size - 8, SEALED)
    noise = client_library.client_memory(os.urandom(size), size, SEALED)
    not_arena = client_library.client_memory(b"x" * 65536, 65536, F_SEAL_SHRINK | F_SEAL_GROW)
    reader, writer = os.pipe()
    null = os.open("/dev/zero", os.O_RDWR)
    (tmp_path / "file").write_bytes(session.program())
    file = os.open(str(tmp_path / "file"), os.O_RDWR)
    before = target.run("len(os.listdir('/proc/self/fd'))")
    for descriptors, reason in (
        ([], "0 file descriptors came with it"),
        ([program], "1 file descriptors came with it"),
        ([program, arena, arena], "more than 2 file descriptors"),
        ([unsealed, arena], "not sealed against writing"),
        ([file, arena], "not sealed against writing"),
        ([arena, program], "not sealed against writing"),
        ([empty, arena], "a program of 0 bytes"),
        ([short, arena], ""),
        ([noise, arena], ""),
        ([reader, arena], "not in a memory file"),
        ([null, arena], "not in a memory file"),
        ([program, program], ""),
        ([program, reader], ""),
        ([program, null], ""),
        ([program, not_arena], ""),
    ):
        reply = talk(target, TRACE.format(pid=target.pid).encode(), descriptors)
        assert len(reply) == 1 and reply[0].startswith("catprobe/1 error ") and reason in reply[0], (
            descriptors
        )
    assert target.run("len(os.listdir('/proc/self/fd'))") == before
    target.run("leaf()")
    assert len(target.maps()) == 1
    assert session.counts() == {"leaf": 1}


def test_a_client_that_dribbles_keeps_nobody_waiting(target, trace):
    dribblers = [Connection(target.path) for _ in range(30)]
    for connection in dribblers:
        connection.send(b"catprobe/2 tra")
    started = time.monotonic()
    assert target.status()[0] == "catprobe/1 ok"
    assert time.monotonic() - started < 5
    session = trace(target, COUNTS_OF.format("leaf")).armed()
    target.run("leaf()")
    assert session.counts() == {"leaf": 1}
    for connection in dribblers:
        connection.close()


def test_what_a_consumer_says_is_ignored(target, trace):
    session = trace(target, COUNTS_OF.format("leaf")).armed()
    session.connection.socket.setblocking(False)
    for _ in range(100):
        try:
            session.connection.socket.send(b"catprobe/2 trace\n" * 1000)
        except BlockingIOError:
            target.status()
    session.connection.socket.setblocking(True)
    target.run("leaf()")
    assert session.connection.says_nothing()
    assert session.counts() == {"leaf": 1}


def test_a_socket_of_a_process_that_has_died_is_not_mistaken(target, trace):
    path = target.path
    target.process.kill()
    target.process.wait()
    with pytest.raises(ConnectionRefusedError):
        Connection(path)


# How soon.


def test_a_program_of_100_threads_is_armed_in_some_milliseconds(target, trace):
    target.run(
        "going = True\n"
        "def turn():\n    while going: call(leaf, 100); time.sleep(0.01)\n"
        "threads = [threading.Thread(target=turn) for i in range(100)]\n"
        "for thread in threads: thread.start()\n"
    )
    times = []
    for _ in range(15):
        started = time.monotonic()
        session = trace(target, COUNTS_OF.format("leaf"))
        session.armed()
        times.append(time.monotonic() - started)
        session.close()
    target.run("going = False\nfor thread in threads: thread.join()\n0")
    assert statistics.median(times) < 0.1, times
