# ruff: noqa: E701, F811
"""line: the same as sys.settrace's line events, in every thread."""

import sys
import threading

import pytest
from recording import calls, extensions, program, record  # noqa: F401 (fixtures)


def lines(events, thread=None):
    return [event[2:5] for event in events if event[0] == "line" and thread in (None, event[1])]


def here(events):
    return [event for event in events if event[0] in (__file__, calls.__file__)]


# fmt: off
def loops():
    total = 0
    for i in range(3):
        total += i
    while total: total -= 1
    for i in range(3): total += i
    values = [value
              for value in range(3)
              if value]
    return (total,
            values)


def multiline():
    return max(
        1,
        min(2,
            3),
        key=lambda value:
            value)
# fmt: on


def branches(n=5):
    while n:
        n -= 1
        if n == 3:
            continue
        elif n == 1:
            break
    else:
        n = 7
    try:
        try:
            raise KeyError(n)
        finally:
            n = 8
    except KeyError:
        n = 9
    with open("/dev/null"):
        pass
    return n


@pytest.mark.parametrize("function", [loops, branches, multiline, calls.once], ids=lambda f: f.__name__)
def test_lines_are_those_of_settrace(record, function):
    for _ in range(2):
        expected = here(record.traced(function))
        assert here(lines(record.heard(["line"], function))) == expected
        assert len(expected) > 3


def test_lines_of_a_function_that_was_running_before(record):
    first = None

    def running():
        nonlocal first
        first = sys._getframe().f_lineno + 2
        record.start("line")
        total = 1
        total += 1
        return record.stop()

    events = [event[2] for event in lines(running()) if event[1] == "running"]
    assert events == [first, first + 1, first + 2]


def test_lines_of_threads_that_exist_already_and_of_new_ones(record):
    def work():
        return branches()

    def waiting(started, go, done):
        started.set()
        go.wait()
        work()
        done.wait()

    expected = here(record.traced(work))
    started, go, done = [threading.Event() for _ in range(3)]
    old = threading.Thread(target=waiting, args=(started, go, done))
    old.start()
    started.wait()
    record.start("line")
    go.set()
    new = threading.Thread(target=work)
    new.start()
    new.join()
    done.set()  # only now, lest the new one gets the old one's identifier
    old.join()
    events = record.stop()
    for thread in (old, new):
        mine = [event for event in here(lines(events, thread.ident)) if event[1] in ("work", "branches")]
        assert mine == expected


def test_nothing_is_left_behind(record):
    before = sys.gettrace()
    record.heard(["line"], branches)
    assert sys.gettrace() is before
    assert record.status("line")["engine"] == "-"
