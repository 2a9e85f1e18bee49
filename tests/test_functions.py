# ruff: noqa: F811, B018, C417, SIM105
"""function-entry and function-return: sys.setprofile's call and return, with the qualified name."""

import ctypes
import gc
import resource
import sys
import threading
import types

import pytest
from recording import calls, extensions, needs, program, record  # noqa: F401 (fixtures)


def names(events):
    """The events without their qualified names."""
    return [event[:5] for event in events]


def in_calls(events):
    """Those of functions in calls.py, without the thread."""
    return [event[:1] + event[2:] for event in events if event[2] == calls.__file__]


def check_same(record, function):
    function()  # what is done only the first time, such as an import, is done
    truth = record.profiled(function)
    assert names(record.heard(record.FUNCTIONS, function)) == truth
    assert len(truth) > 1


def test_every_kind_of_call_is_as_setprofile_tells_it(record):
    check_same(record, lambda: [calls.once() for _ in range(20)])


def test_calls_in_a_recursion_over_several_chunks_of_the_data_stack(record):
    check_same(record, lambda: calls.recurse(700))


def test_a_hot_loop_that_was_running_before_is_seen_from_its_next_call_on(record):
    def loop(events):
        for i in range(400):
            if i == 200:
                record.start(*record.FUNCTIONS)
            calls.once()
        events += record.stop()

    events = []
    loop(events)
    once = names(record.heard(record.FUNCTIONS, calls.once))
    seen = [event for event in names(events) if event[2] == calls.__file__]
    once = [event for event in once if event[2] == calls.__file__]
    assert seen == once * 200


def test_each_thread_is_seen_whether_it_started_before_or_after(record):
    def run(hear):
        """Events by thread number; hear(body) runs the body of a thread."""
        started, go, events = threading.Barrier(3), threading.Event(), {}

        def body(number):
            def work():
                for _ in range(30):
                    calls.once()

            if number < 2:
                started.wait()
            go.wait()
            events[number] = hear(work)

        threads = [threading.Thread(target=body, args=(number,), daemon=number % 2) for number in range(4)]
        for thread in threads[:2]:
            thread.start()
        started.wait()
        yield
        for thread in threads[2:]:
            thread.start()
        go.set()
        for thread in threads:
            thread.join()
        yield {number: threads[number].ident for number in range(4)}, events

    calls.once()
    truth = run(record.profiled)
    next(truth)
    _, expected = next(truth)
    hearing = run(lambda work: work())
    next(hearing)
    record.start(*record.FUNCTIONS)
    idents, _ = next(hearing)
    events = record.stop()
    for number, ident in idents.items():
        mine = [event for event in names(events) if event[1] == ident]
        assert in_calls(mine) == in_calls(expected[number])
        assert len(in_calls(mine)) > 1000


def test_entries_and_returns_only_when_only_they_are_wanted(record):
    for probe in record.FUNCTIONS:
        events = record.heard([probe], calls.once)
        assert {event[0] for event in events} == {probe}
        both = record.heard(record.FUNCTIONS, calls.once)
        assert events == [event for event in both if event[0] == probe]


# ---- Qualified names ----


def qualnames(record, function):
    return [event[5] for event in record.heard(["function-entry"], function)][1:]


def nested():
    yield from (value for value in (1,))


@needs(3, 11)
def test_qualified_names_are_those_of_the_code_objects(record):
    expected = []
    sys.setprofile(
        lambda frame, event, _: expected.append(frame.f_code.co_qualname) if event == "call" else None
    )
    calls.once()
    sys.setprofile(None)
    assert [event[5] for event in record.heard(["function-entry"], calls.once)] == expected


def test_qualified_names_of_methods_generators_and_module_functions(record):
    def body():
        plain = calls.Plain(1)
        plain + 1
        plain.doubled
        calls.Plain.of_class()
        calls.Made()
        list(nested())
        calls.drive(calls.awaiting())

    assert qualnames(record, body) == [
        "Plain.__init__",
        "Plain.__add__",
        "Plain.doubled",
        "Plain.of_class",
        "Plain.__init__",
        "Meta.__call__",
        "Made.__init__",
        "nested",
        "nested.<locals>.<genexpr>",
        "nested",
        "nested.<locals>.<genexpr>",
        "drive",
        "awaiting",
        "awaited",
        "awaited",
    ]


def test_a_function_that_cannot_be_found_has_its_plain_name(record):
    before = sys.version_info < (3, 11)
    inner = calls.closure()
    assert qualnames(record, lambda: inner()) == ["inner" if before else "closure.<locals>.inner"]
    assert qualnames(record, lambda: calls.Plain.static()) == ["static" if before else "Plain.static"]


# ---- Names that do not encode ----


def renamed(code, name):
    if hasattr(code, "replace"):
        return code.replace(co_name=name)
    fields = "argcount kwonlyargcount nlocals stacksize flags code consts names varnames filename"
    values = [getattr(code, "co_" + field) for field in fields.split()]
    return types.CodeType(*(values + [name, code.co_firstlineno, code.co_lnotab]))


def test_names_that_do_not_encode_are_null_and_leave_no_exception(record):
    scope = {}
    exec(compile("def function():\n    return 1", "bad\udcff.py", "exec"), scope)
    function = scope["function"]
    nameless = types.FunctionType(renamed(function.__code__, "bad\udcff"), {})
    results = []
    events = record.heard(record.FUNCTIONS, lambda: results.append((function(), nameless())))
    assert results == [(1, 1)]
    qualname = "function" if sys.version_info >= (3, 11) else None  # it stays behind when a code is renamed
    assert [event[2:] for event in events[1:-1]] == [
        (None, "function", 1, "function"),
        (None, "function", 2, "function"),
        (None, None, 1, qualname),
        (None, None, 2, qualname),
    ]


# ---- What differs from sys.setprofile ----


class WithDel:
    def __del__(self):
        pass


def keeping_a_local():
    value = WithDel()
    del value
    other = WithDel()  # noqa: F841
    return 1


def test_del_of_a_local_runs_inside_the_function_as_of_3_12(record):
    events = [(event[0], event[3]) for event in record.heard(record.FUNCTIONS, keeping_a_local)]
    function = [(probe, "keeping_a_local") for probe in record.FUNCTIONS]
    finalizer = [(probe, "__del__") for probe in record.FUNCTIONS]
    if sys.version_info < (3, 12):
        assert events == function[:1] + finalizer + function[1:] + finalizer
    else:
        assert events == function[:1] + finalizer + finalizer + function[1:]


def suspended():
    yield 1


def close_suspended():
    generator = suspended()
    next(generator)
    generator.close()


def test_the_close_of_a_suspended_generator_is_balanced(record):
    events = [event for event in record.heard(record.FUNCTIONS, close_suspended) if event[3] == "suspended"]
    assert [event[0] for event in events[:2]] == record.FUNCTIONS
    assert [event[0] for event in events[2:]] in ([], record.FUNCTIONS)
    if sys.version_info < (3, 12):  # later ones close a generator outside any try without running it
        assert len(events) == 4


# ---- __init__ ----


def construct(count):
    for _ in range(count):
        calls.Plain(1)
        calls.WithSlots(2)
        try:
            calls.Raising()
        except ValueError:
            pass


def test_every_init_is_seen_once_also_in_a_loop_that_is_hot_already(record):
    construct(200)
    for _ in range(2):  # in a later session too
        events = record.heard(record.FUNCTIONS, construct, 100)
        inits = [event[0] for event in events if event[3] == "__init__"]
        assert inits == record.FUNCTIONS * 300


def test_init_in_a_loop_that_was_running_before(record):
    def loop():
        for i in range(300):
            if i == 100:
                record.start(*record.FUNCTIONS)
            calls.Plain(i)
        return record.stop()

    assert [event[0] for event in loop() if event[3] == "__init__"] == record.FUNCTIONS * 200


# ---- The program does not notice ----


def test_exceptions_and_errno_live_through_traced_calls(record):
    def callee():
        return sys.exc_info()[1]

    def generator():
        try:
            yield 1
        except KeyError as error:
            yield callee() is error

    def run():
        try:
            raise ValueError("kept")
        except ValueError as error:
            assert callee() is error
            assert sys.exc_info()[1] is error
        assert callee() is None
        running = generator()
        next(running)
        assert running.throw(KeyError())
        with pytest.raises(ZeroDivisionError) as raised:
            list(map(lambda value: 1 // value, [1, 0]))
        assert raised.value.__context__ is None
        ctypes.set_errno(42)
        callee()
        assert ctypes.get_errno() == 42

    probes = record.FUNCTIONS + ["line", "c-function-entry", "c-function-return", "exception-raise"]
    assert record.heard(probes, run)


def test_records_go_with_their_code_objects(record):
    def churn(count):
        for i in range(count):
            scope = {}
            exec("def function_{0}():\n    return {0}\nfunction_{0}()".format(i), scope)

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    record.start("gc-start")  # not the functions: what is recorded would be memory too
    record.stop()
    if not sys.platform.startswith("linux"):
        pytest.skip("only on Linux: needs /proc/self/statm")
    record.start("thread-exit")  # which watches frames, and records nothing here
    churn(5000)
    gc.collect()
    before = resident()
    churn(30000)
    gc.collect()
    grown = resident() - before
    record.stop()
    assert grown < 3 << 20


def test_arming_and_disarming_a_thousand_times_under_busy_threads(program):
    result = program("toggle", 1000)
    assert result["events"] > 1000
    assert result["unbalanced"] == 0
    assert result["wrong"] == 0


def test_entries_and_returns_of_greenlets_are_balanced(program):
    pytest.importorskip("greenlet", reason="needs CPython that greenlet has a wheel for")
    result = program("greenlets")
    assert result["result"] == result["untraced"]
    assert result["entries"] == result["returns"] > 1000


@needs(3, 8)
def test_functions_of_subinterpreters_are_seen(program):
    result = program("subinterpreter")
    assert result["before"] == [["function-entry", "inside"], ["function-return", "inside"]]
    assert result["after"] == result["before"]


@needs(3, 12)
def test_interpreters_with_gils_of_their_own_make_records_at_the_same_time(program):
    assert program("interpreters")["events"] > 10000
