"""What bpftrace hears: each probe with its arguments, the cat server as its seed tells, new processes."""

import sys

import pytest
from tracers import (  # noqa: F401 (here is a fixture)
    DEMO,
    MEMORY,
    NAMES,
    PROGRAMS,
    Bpftrace,
    CatServer,
    Target,
    bpftrace_events,
    bpftrace_program,
    flow,
    follows,
    here,
    line_in,
    prescribed,
    until,
)

EVERYTHING = str(PROGRAMS / "everything.py")


def line_of(text):
    return line_in("everything", text)


@pytest.fixture(scope="module")
def everything(bpftrace, here):  # noqa: F811
    """What bpftrace hears while everything.py does everything, as bpftrace_events has it."""
    with Target(here, "everything") as target:
        target.tell("everything.collect(2)")  # what others left
        # Our library alone: where the interpreter's own probes fire, they are a matter of test_native.py.
        probes = [name for name in NAMES if name not in MEMORY]
        program = bpftrace_program(probes, library=here.extension(), pid=target.pid)
        with Bpftrace(program, path=[bpftrace]) as tracer:
            target.attached(tracer, probes)
            target.tell("everything.all()")
            target.tell("everything.finished()")
            return bpftrace_events(tracer.stop(after="finished"))


@pytest.fixture
def heard(everything):
    """The events of some probes, without the file where it is everything.py; those of no other file."""

    def select(*probes):
        return [
            tuple(word for word in event if word != EVERYTHING)
            for event in everything
            if event[0] in probes and EVERYTHING in event
        ]

    return select


def test_call_stack(heard):
    functions = ["outer", "inner", "play", "stop", "numbers", "failing"]
    events = [event for event in heard("function-entry", "function-return") if event[1] in functions]
    stop = "Video.stop" if sys.version_info >= (3, 11) else "stop"  # before, only the function knows
    assert events[
        : events.index(("function-return", "failing", line_of("failing raises"), "failing")) + 1
    ] == [
        ("function-entry", "outer", line_of("outer"), "outer"),
        ("function-entry", "inner", line_of("inner"), "inner"),
        ("function-return", "inner", line_of("inner returns"), "inner"),
        ("function-return", "outer", line_of("outer returns"), "outer"),
        ("function-entry", "play", line_of("play"), "Video.play"),
        ("function-return", "play", line_of("play returns"), "Video.play"),
        ("function-entry", "stop", line_of("stop begins"), stop),
        ("function-return", "stop", line_of("stop returns"), stop),
        ("function-entry", "numbers", line_of("numbers"), "numbers"),
        ("function-return", "numbers", line_of("numbers yields"), "numbers"),
        ("function-entry", "numbers", line_of("numbers yields"), "numbers"),
        ("function-return", "numbers", line_of("numbers yields again"), "numbers"),
        ("function-entry", "numbers", line_of("numbers yields again"), "numbers"),
        ("function-return", "numbers", line_of("numbers yields again"), "numbers"),
        ("function-entry", "failing", line_of("failing"), "failing"),
        ("function-return", "failing", line_of("failing raises"), "failing"),
    ]


def test_entries_and_returns_are_balanced(everything):
    depth = 0
    for name, _, func, *_ in [event for event in everything if event[0].startswith("function-")]:
        if func == "finished":
            break
        depth += 1 if name == "function-entry" else -1
        assert depth >= 0
    assert depth == 1  # the line that told to finish


def test_lines(heard):
    first = line_of("c_calls calls len")
    assert [line for _, func, line in heard("line") if func == "c_calls"][:4] == list(range(first, first + 4))
    assert [line for _, func, line in heard("line") if func == "inner"] == [
        line_of("inner returns") - 1,
        line_of("inner returns"),
    ]
    assert ("line", "thread", line_of("thread returns")) in heard("line")  # a thread that began while traced


def test_gc(everything):
    events = [event for event in everything if event[0].startswith("gc-")]
    assert [event[0] for event in events] == ["gc-start", "gc-done"] * 2
    assert events[0] == ("gc-start", 2)
    assert events[2:] == [("gc-start", 1), ("gc-done", 5)]


def test_imports(everything):
    assert [event for event in everything if event[0].startswith("import-")] == [
        ("import-find-load-start", "imported"),
        ("import-find-load-done", "imported", 1),
        ("import-find-load-start", "there_is_none"),
        ("import-find-load-done", "there_is_none", 0),
    ]


@pytest.mark.skipif(sys.version_info < (3, 8), reason="needs CPython 3.8")
def test_audit(everything):
    (event,) = [event for event in everything if event[:2] == ("audit", "catprobe.cat")]
    assert event[2] != 0


def test_c_functions(heard):
    functions = [("len", "builtins"), ("upper", "str"), ("ord", "builtins")]
    assert [
        event
        for event in heard("c-function-entry", "c-function-return")
        if event[1] in ("len", "upper", "ord")
    ] == [
        (probe, name, line_of("c_calls calls " + name), module)
        for name, module in functions
        for probe in ("c-function-entry", "c-function-return")
    ]


def test_exceptions(heard):
    key_error = ("exception-raise", "KeyError", "the cat is gone", line_of("failing raises"))
    events = [event for event in heard("exception-raise") if event[1] != "ModuleNotFoundError"]
    assert events[0] == key_error
    assert events[1][:2] == ("exception-raise", "TypeError") and events[1][2].startswith("ord() expected")
    assert events[2:] == [key_error, ("exception-raise", "ValueError", "", line_of("failing_quietly raises"))]


def test_threads(everything):
    (start, end) = [event for event in everything if event[0].startswith("thread-")]
    assert start[:2] == ("thread-start", "cat thread") and end == ("thread-exit",) + start[1:]


def test_names_that_do_not_encode_are_null(everything):
    nameless = [
        event
        for event in everything
        if event[0] in ("function-entry", "function-return", "line") and event[1] is None
    ]
    module = 0 if sys.version_info >= (3, 11) else 1
    assert nameless == [
        ("function-entry", None, "<module>", module, "<module>"),
        ("line", None, "<module>", 1),
        ("line", None, "<module>", 3),
        ("function-entry", None, None, 1, None),
        ("line", None, None, 2),
        ("function-return", None, None, 2, None),
        ("function-return", None, "<module>", 3, "<module>"),
    ]


# ---- The cat server

FUNCTIONS = ["function-entry", "function-return"]


def demo_file(interpreter):
    return interpreter.run("import catdemo.demo, json; print(json.dumps(catdemo.demo.__file__))")


@pytest.mark.once
def test_calls_of_the_cat_server_are_as_its_seed_prescribes(bpftrace, here):  # noqa: F811
    last = "function-return\t1{}\t1go\t".format(demo_file(here))
    program = bpftrace_program(FUNCTIONS)
    with Target(here, "catdemo") as server, Bpftrace(program, path=[bpftrace], pid=server.pid) as tracer:
        server.attached(tracer, FUNCTIONS)
        server.tell("catdemo.go(requests=9, speed=100, seed=7)")
        events = bpftrace_events(tracer.stop(after=last))
    go = [number for number, event in enumerate(events) if event[2] == "go"]
    arrows = {"function-entry": "->", "function-return": "<-"}
    heard = [
        (arrows[name], file.rpartition("/")[2], line, func, qualname if sys.version_info >= (3, 11) else None)
        for name, file, func, line, qualname in events[go[0] : go[-1] + 1]
    ]
    assert heard == prescribed(here, 9, 7)


@pytest.mark.once
def test_a_tracer_that_comes_while_it_serves_shows_balanced_calls(bpftrace, here):  # noqa: F811
    with CatServer(here, "--speed", 20, "--seed", 3) as server:
        with Bpftrace(DEMO / "a_py_flowinfo.bt", path=[bpftrace], pid=server.pid, script=True) as tracer:
            server.attached(tracer, FUNCTIONS)
            until(lambda: tracer.output().count("randint") > 40, "twenty random numbers")
            shown = flow(tracer.stop())
        server.left()
    assert len(shown) > 100
    assert follows(shown, prescribed(here, 2000, 3))


# ---- Tracers that come and go


@pytest.mark.once
def test_two_tracers_at_once_and_one_leaves(bpftrace, here):  # noqa: F811
    """The kernel raises a semaphore once, however many listen: what they print tells that they do."""
    program = bpftrace_program(FUNCTIONS)

    def both_hear():
        target.tell("everything.outer()")
        return "1inner" in first.output() and "1inner" in second.output()

    with Target(here, "everything") as target, Bpftrace(program, path=[bpftrace], pid=target.pid) as first:
        target.attached(first, FUNCTIONS)
        with Bpftrace(program, path=[bpftrace], pid=target.pid) as second:
            until(both_hear, "a call that both hear")
            second.stop()
        assert target.heard(FUNCTIONS)
        target.tell("everything.finished()")
        events = bpftrace_events(first.stop(after="finished"))
        target.left()
    functions = [event[2] for event in events if event[0] == "function-entry" and event[1] == EVERYTHING]
    assert functions == ["outer", "inner"] * (len(functions) // 2) + ["finished"]


@pytest.mark.once
def test_hooks_are_gone_when_the_tracer_was_killed(bpftrace, here):  # noqa: F811
    """The kernel alone takes back what it did. How long it takes is a matter of test_guest.py."""
    probe = ["function-entry"]
    with Target(here, "everything") as target:
        with Bpftrace(bpftrace_program(probe), path=[bpftrace], pid=target.pid) as tracer:
            target.attached(tracer, probe)
            tracer.kill()
        target.left()


@pytest.mark.once
def test_a_tracer_that_came_before_hears_new_processes_and_their_children(bpftrace, here):  # noqa: F811
    program = bpftrace_program(FUNCTIONS, library=here.extension())
    with Target(here, "everything") as witness, Bpftrace(program, path=[bpftrace]) as tracer:
        witness.attached(tracer, FUNCTIONS)
        with Target(here, "everything") as target:
            until(lambda: target.heard(FUNCTIONS), "hooks in a new process")
            target.tell("everything.forks()")
            target.tell("everything.finished()")
            functions = [event[2] for event in bpftrace_events(tracer.stop(after="finished"))]
    assert {"forks", "in_child", "inner"} <= set(functions)
