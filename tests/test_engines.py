# ruff: noqa: F811
"""Where the events come from when others hook the interpreter too: theirs keeps working, and so does ours."""

import cProfile
import pstats
import sys
import threading

import pytest
from recording import calls, extensions, needs, program, record  # noqa: F401 (fixtures)

MONITORING = sys.version_info >= (3, 12)
SECOND = "monitoring" if MONITORING else "profile"


def rounds(depth, times=1):
    """The events of a recursion."""
    once = [["function-entry", "traced_function"]] * (depth + 1)
    return (once + [["function-return", "traced_function"]] * (depth + 1)) * times


# ---- Frame evaluation (PEP 523) ----


def test_a_slot_that_was_taken_before_stays_theirs(program):
    assert program("engines", "slot_taken_before") == [
        ["engine", SECOND],
        ["problem", "frame evaluation is in use by another tool"],
        ["theirs", True],
        ["ours", rounds(3, 2)],
        ["still theirs", True],
        ["engine afterwards", "frame-evaluation"],
        ["problem afterwards", ""],
        ["ours afterwards", rounds(3)],
        ["empty", True],
    ]


def test_a_slot_that_is_taken_after_us(program):
    assert program("engines", "slot_taken_after") == [
        ["theirs", True],
        ["engine", SECOND],
        ["ours", rounds(3, 3)],
        ["theirs after", True],
        ["empty", True],
    ]


def test_the_slot_is_given_back(program):
    assert program("engines", "slot_is_given_back") == [["armed", True], ["empty", True]] * 3


@needs(3, 12)
def test_with_the_perf_trampoline(program):
    result = program("engines", "perf_trampoline")
    if result[0][0] == "unsupported":
        pytest.skip("needs CPython that supports perf: {}".format(result[0][1]))
    assert result == [["engine", "monitoring"], ["ours", rounds(3)], ["active", True]]


# ---- sys.monitoring ----


@needs(3, 12)
def test_tool_ids_in_use_are_theirs_and_the_first_that_is_free_is_ours(program):
    result = program("engines", "tool_ids_in_use")
    theirs = [None, "theirs", None, "theirs", "theirs", "theirs"]
    with_ours = theirs[:3] + ["catprobe"] + theirs[4:]
    assert result == [
        ["engine", "-"],
        ["problem", "no tool id of sys.monitoring is free: 3, 4 and 5 are in use"],
        ["heard by them", True],
        ["ours", []],
        ["tools", theirs],
        ["tools then", with_ours],
        ["ours then", rounds(3)],
        ["tools at last", theirs[:3] + [None] + theirs[4:]],
    ]


@needs(3, 12)
def test_what_one_session_has_switched_off_the_next_one_hears(record):
    def loop():
        for i in range(50):
            calls.Plain(i)
            calls.recurse(1)

    sessions = [[event[0] for event in record.heard(record.FUNCTIONS, loop)] for _ in range(3)]
    assert len(sessions[0]) > 200
    assert sessions[1:] == sessions[:1] * 2
    lines = [record.heard(["line"], loop) for _ in range(2)]
    assert len(lines[0]) == len(lines[1]) > 100


@needs(3, 12)
def test_the_tool_id_is_given_back(record):
    before = [sys.monitoring.get_tool(tool) for tool in range(6)]
    record.start("line")
    assert [sys.monitoring.get_tool(tool) for tool in range(6)] != before
    record.stop()
    assert [sys.monitoring.get_tool(tool) for tool in range(6)] == before


# ---- Trace and profile functions of the program ----


ALL = ["function-entry", "function-return", "line", "c-function-entry", "exception-raise"]


@pytest.fixture
def no_trace():
    """Puts aside the trace and profile functions that there are, as when coverage runs the tests."""
    before = sys.gettrace(), sys.getprofile()
    sys.settrace(None)
    sys.setprofile(None)
    yield
    sys.settrace(before[0])
    sys.setprofile(before[1])


def logger(events):
    def log(frame, event, argument):
        kind = getattr(argument, "__name__", type(argument).__name__)
        if frame.f_code.co_filename == calls.__file__:
            events.append((event, frame.f_code.co_name, frame.f_lineno, kind))
        return log

    return log


def lines_of_calls(events):
    return [event[2:] for event in events if event[0] == "line" and event[2] == calls.__file__]


def under(set_function, get_function, body=calls.once):
    """What the program's own function is told of body(). It must stay the one that the program has set."""
    events = []
    function = logger(events)
    set_function(function)
    body()
    same = get_function() is function
    set_function(None)
    assert same
    return events


@pytest.mark.parametrize(
    "set_function, get_function",
    [(sys.settrace, sys.gettrace), (sys.setprofile, sys.getprofile)],
    ids=["trace", "profile"],
)
def test_a_function_set_before_or_after_arming_is_told_the_same(record, no_trace, set_function, get_function):
    def arm_inside():
        record.start(*ALL)
        calls.once()

    def arm_and_disarm_inside():
        record.start(*ALL)
        record.stop()
        calls.once()

    calls.once()
    ours = lines_of_calls(record.heard(ALL, calls.once))
    theirs = under(set_function, get_function)
    assert len(theirs) > 100
    assert under(set_function, get_function, arm_inside) == theirs
    heard = lines_of_calls(record.stop())
    if not MONITORING or set_function is sys.setprofile:  # on 3.12 the engines differ in repeated lines
        assert heard == ours
    assert set(heard) == set(ours)
    assert under(set_function, get_function, arm_and_disarm_inside) == theirs
    record.start(*ALL)
    if not MONITORING or set_function is sys.setprofile:  # else frame evaluation shows for a moment
        assert under(set_function, get_function) == theirs
    assert under(set_function, get_function, arm_inside) == theirs  # as the agent does, again and again
    events = record.stop()
    assert {event[0] for event in events} == set(ALL)
    assert under(set_function, get_function) == theirs
    assert get_function() is None


def counts(profile):
    stats = pstats.Stats(profile).stats
    return {key[1:]: value[:2] for key, value in stats.items() if key[0] == calls.__file__}


def test_cprofile_counts_the_same(record, no_trace):
    def profiled(around=lambda: None, then=lambda: None):
        around()
        profile = cProfile.Profile()
        profile.enable()
        then()
        calls.once()
        profile.disable()
        record.stop()
        return counts(profile)

    calls.once()
    truth = profiled()
    assert len(truth) > 20
    assert profiled(around=lambda: record.start(*ALL)) == truth
    assert profiled(then=lambda: record.start(*ALL)) == truth


def test_coverage_sees_the_same_lines(record, no_trace):
    coverage = pytest.importorskip("coverage", reason="needs CPython that coverage has a wheel for")

    def covered(before=False, after=False):
        measured = coverage.Coverage(data_file=None, include=[calls.__file__], branch=True)
        if before:
            record.start(*ALL)
        measured.start()
        if before or after:
            record.start(*ALL)  # as the agent does, again and again
        calls.once()
        measured.stop()
        record.stop()
        data = measured.get_data()
        return sorted(data.arcs(calls.__file__))

    truth = covered()
    assert len(truth) > 20
    assert covered(before=True) == truth
    assert covered(after=True) == truth


def test_trace_functions_of_other_threads_stay_theirs(record, no_trace):
    def body(started, go, done, events):
        sys.settrace(logger(events))
        started.set()
        go.wait()
        calls.once()
        done.append(sys.gettrace())
        sys.settrace(None)

    def run(arm):
        started, go, done, events = threading.Event(), threading.Event(), [], []
        thread = threading.Thread(target=body, args=(started, go, done, events))
        thread.start()
        started.wait()
        if arm:
            record.start(*ALL)
        go.set()
        thread.join()
        record.stop()
        assert done[0] is not None
        return events

    truth = run(arm=False)
    assert len(truth) > 100
    assert run(arm=True) == truth
