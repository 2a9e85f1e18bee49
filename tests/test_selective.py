# ruff: noqa: F811, SIM105
"""Functions that the listener does not want: they are silent, and cost nothing where that can be had."""

import gc
import sys
import threading
import time

import pytest
from recording import extensions, needs, record  # noqa: F401 (fixtures)


def leaf():
    return 1


def parent():
    return leaf() + leaf()


def fails():
    raise ValueError


def catches():
    try:
        fails()
    except ValueError:
        leaf()


def numbers(count):
    for number in range(count):
        leaf()
        yield number


def delegate():
    yield from numbers(2)


def throws():
    generator = numbers(3)
    next(generator)
    try:
        generator.throw(KeyError)
    except KeyError:
        pass


def closes():
    generator = numbers(3)
    next(generator)
    generator.close()


def recursive(depth):
    return recursive(depth - 1) + leaf() if depth else 0


class Made:
    def __init__(self):
        leaf()


def work():
    for _ in range(3):
        parent()
        catches()
        list(numbers(3))
        list(delegate())
        throws()
        closes()
        recursive(5)
        Made()


NAMES = [
    "leaf",
    "parent",
    "fails",
    "catches",
    "numbers",
    "delegate",
    "throws",
    "closes",
    "recursive",
    "__init__",
]


def of(events, name):
    """The probes of one function, in order."""
    return [event[0] for event in events if event[3] == name]


def heard(record, function, functions, probes=None):
    record.start(*(probes or record.FUNCTIONS), functions=functions)
    try:
        function()
    finally:
        events = record.stop()
    return events


@pytest.mark.parametrize("name", NAMES)
def test_one_function_is_heard_as_sys_setprofile_hears_it(record, name):
    expected = [event for event in record.profiled(work) if event[3] == name]
    events = [event[:5] for event in heard(record, work, [name])]
    assert events == expected and expected


def test_several_functions_are_heard_in_order(record):
    some = ["leaf", "numbers", "fails"]
    expected = [event for event in record.profiled(work) if event[3] in some]
    assert [event[:5] for event in heard(record, work, some)] == expected


def test_nothing_else_is_heard_or_asked_twice(record):
    record.start(*record.FUNCTIONS, functions=["no_such_function"])
    work()
    asked = record.asked()
    work()
    assert record.asked() == asked > 0
    assert record.stop() == []


def test_the_next_listener_wants_another_function(record):
    assert heard(record, work, ["leaf"])
    assert {event[3] for event in heard(record, work, ["parent"])} == {"parent"}
    assert len({event[3] for event in heard(record, work, None)}) > 5


def test_lines_of_one_function(record):
    expected = [line for line in record.traced(work) if line[1] == "numbers"]
    events = heard(record, work, ["numbers"], ["line"])
    assert [event[2:] for event in events] == expected and expected


def test_a_function_that_runs_already_is_heard_from_its_next_call(record):
    """And nothing is heard of the return of the calls that were under way."""

    def meet(turn):
        if turn == 0:
            record.start(*record.FUNCTIONS, functions=["meet", "leaf"])
        if turn < 2:
            meet(turn + 1)
        leaf()

    def resumed():
        yield leaf()
        record.start(*record.FUNCTIONS, functions=["resumed"])
        yield 2
        yield 3

    meet(0)
    events = record.stop()
    entries, returns = (of([e for e in events if e[3] == "meet"], "meet").count(p) for p in record.FUNCTIONS)
    assert entries == 2
    assert returns == (2 if sys.version_info >= (3, 12) else returns)
    assert of(events, "leaf") == record.FUNCTIONS * 3

    list(resumed())
    assert of(record.stop(), "resumed") == record.FUNCTIONS * 2


def test_threads_are_heard_too(record):
    barrier = threading.Barrier(8)

    def run():
        barrier.wait()
        for _ in range(100):
            leaf()
        barrier.wait()

    threads = [threading.Thread(target=run) for _ in range(8)]
    record.start(*record.FUNCTIONS, functions=["leaf"])
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = record.stop()
    assert of(events, "leaf").count("function-entry") == 800
    assert len(events) == 1600
    assert len({event[1] for event in events}) == 8


def test_functions_come_and_go(record):
    """Ids of code objects are used again; what was decided of one is not taken for the other."""
    record.start(*record.FUNCTIONS, functions=["wanted"])
    for turn in range(300):
        scope = {}
        exec("def {}(): pass".format("wanted" if turn % 3 else "other"), scope)
        scope["wanted" if turn % 3 else "other"]()
        del scope
        gc.collect(0)
    assert of(record.stop(), "wanted") == record.FUNCTIONS * 200


def busy(count):
    for _ in range(count):
        leaf()


def best(function, turns=60):
    """The time of its quickest runs: what disturbs them is not in it."""
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return sorted(times)[turns // 20]


@needs(3, 12)
def test_other_functions_cost_nothing(record):
    """On the way of sys.monitoring; in the same process, so that it is the same machine code."""

    def run():
        busy(5000)

    run()
    ratios = []
    for _ in range(5):  # a busy machine shows a ratio that is too high now and then
        before = best(run)
        record.start(*record.FUNCTIONS, functions=["no_such_function"])
        run()
        during = best(run)
        assert record.stop() == []
        ratios.append(during / before)
        if min(ratios) < 1.06:
            break
    assert min(ratios) < 1.06, ratios
