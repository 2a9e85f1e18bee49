# ruff: noqa: F811, B009, SIM105
"""gc, import, audit, c-function, exception and thread probes: what CPython itself tells of the same."""

import _thread
import builtins
import contextlib
import ctypes
import gc
import importlib
import importlib.util
import json
import re
import sys
import threading
import traceback

import pytest
from recording import extensions, needs, program, record  # noqa: F401 (fixtures)

# ---- gc ----


class Cycle:
    def __init__(self):
        self.me = self


def test_collections_are_those_of_gc_callbacks(record):
    expected = []

    def callback(phase, info):
        if phase == "start":
            expected.append(("gc-start", info["generation"]))
        else:
            expected.append(("gc-done", info["collected"] + info["uncollectable"]))

    def collect():
        for generation in (0, 1, 2):
            for _ in range(50):
                Cycle()
            gc.collect(generation)

    before = list(gc.callbacks)
    gc.callbacks.append(callback)
    events = record.heard(["gc-start", "gc-done"], collect)
    gc.callbacks.remove(callback)
    assert [(event[0], event[2]) for event in events] == expected
    assert max(value for _, value in expected) >= 50
    assert gc.callbacks == before


# ---- Imports ----

IMPORTS = ["import-find-load-start", "import-find-load-done"]


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A folder of modules for one test."""
    (tmp_path / "good_one.py").write_text("import good_two\n")
    (tmp_path / "good_two.py").write_text("")
    (tmp_path / "bad_one.py").write_text("import good_two\n\n1 / 0\n")
    package = tmp_path / "good_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("from . import other\n")
    (package / "other.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    names = "good_one", "good_two", "bad_one", "good_package", "good_package.part", "good_package.other"

    def forget():
        for name in names:
            sys.modules.pop(name, None)

    yield forget
    forget()


def imported(record, function):
    """+name for a start, -name=found for a done."""
    events = record.heard(IMPORTS, function)
    return ["+" + event[2] if event[0] == IMPORTS[0] else "-{}={}".format(*event[2:]) for event in events]


def test_imports_are_seen_while_they_search(record, modules):
    def body():
        import good_one  # noqa: F401
        import good_two  # noqa: F401  (there already: no search)

        with pytest.raises(ImportError):
            import there_is_no_such  # noqa: F401
        with pytest.raises(ZeroDivisionError):
            import bad_one  # noqa: F401
        import good_package.part  # noqa: F401

    seen = [event for event in imported(record, body) if re.search("good_|bad_one|no_such", event)]
    assert seen == [
        "+good_one", "+good_two", "-good_two=1", "-good_one=1",
        "+there_is_no_such", "-there_is_no_such=0",
        "+bad_one", "-bad_one=0",
        "+good_package.part", "+good_package", "-good_package=1",
        "+good_package.other", "-good_package.other=1", "-good_package.part=1",
    ]  # fmt: skip


def test_import_module_is_not_seen_as_by_cpythons_own_probes(record, modules):
    seen = imported(record, lambda: importlib.import_module("good_one"))
    assert seen == ["+good_two", "-good_two=1"]


def test_tracebacks_of_failing_imports_are_as_untraced(record, modules):
    texts = []

    def body():
        modules()
        for name in ("bad_one", "there_is_no_such"):
            for function in (__import__, importlib.import_module):
                try:
                    function(name)
                except Exception:
                    texts.append(traceback.format_exc())

    body()
    untraced, texts = texts, []
    assert imported(record, body)
    assert texts == untraced


def test_the_import_function_is_put_back_only_if_it_is_ours(record, modules):
    bootstrap = importlib._bootstrap
    original = bootstrap._find_and_load
    record.heard(IMPORTS, lambda: None)
    assert bootstrap._find_and_load is original

    def wrapper(name, import_):
        return wrapped(name, import_)

    try:
        record.start(*IMPORTS)
        wrapped = bootstrap._find_and_load
        assert wrapped is not original
        bootstrap._find_and_load = wrapper
        record.stop()
        assert bootstrap._find_and_load is wrapper
        for _ in range(3):  # sessions with theirs in place, whose wrapped function is ours of an earlier one
            modules()
            record.start(*IMPORTS)
            record.start(*IMPORTS)
            import good_one  # noqa: F401

            seen = [event[0] for event in record.stop() if event[2].startswith("good")]
            assert seen == [IMPORTS[0], IMPORTS[0], IMPORTS[1], IMPORTS[1]]
            assert bootstrap._find_and_load is wrapper
    finally:
        bootstrap._find_and_load = original


def test_arming_imports_nothing(record, monkeypatch):
    names = []
    imports = builtins.__import__
    monkeypatch.setattr(
        builtins, "__import__", lambda name, *rest: names.append(name) or imports(name, *rest)
    )
    before = set(sys.modules)
    record.start("gc-start", "line", *(IMPORTS + record.FUNCTIONS))
    record.stop()
    assert (names, set(sys.modules)) == ([], before)


# ---- audit ----


@needs(3, 8)
def test_audit_events_are_those_of_an_audit_hook(program):
    result = program("audits")
    assert result["heard"] == result["hook"]
    assert {"compile", "exec", "open"} <= set(result["heard"])
    assert "catprobe.test" in result["heard"]
    assert result["after"] == []
    assert result["status"] == "armed"


@pytest.mark.skipif(sys.version_info >= (3, 8), reason="not on CPython 3.8 and later: has audit hooks")
def test_audit_is_unavailable(record):
    assert record.heard(["audit"], lambda: None) == []
    assert record.status("audit")["state"] == "unavailable"


# ---- c-function ----


class DerivedList(list):
    pass


def c_calls():
    len("four")
    [3, 1].sort()
    DerivedList().append(1)
    str.upper("x")
    json.dumps("x")
    "x".join(["a"])
    try:
        int.from_bytes(1, 2)
    except TypeError:
        pass
    getattr(5, "bit_length")()


def test_c_functions_are_those_of_setprofile(record):
    expected = record.profiled_c(c_calls)[:-1]  # without setprofile itself
    probes = ["c-function-entry", "c-function-return"]
    events = record.heard(probes, c_calls)[1:-1]  # without those of the recorder
    names = [(event[0] == probes[0], event[3]) for event in events]
    assert names == [(kind == "c_call", name) for kind, name, _ in expected][-len(names) :]
    assert len(names) >= 14


def test_c_functions_have_the_callers_place_and_their_module(record):
    line = c_calls.__code__.co_firstlineno
    events = record.heard(["c-function-entry"], c_calls)
    mine = {event[3]: event[2:] for event in events if event[2] == __file__}
    assert mine["len"] == (__file__, "len", line + 1, "builtins")
    assert mine["sort"] == (__file__, "sort", line + 2, "list")
    assert mine["append"] == (__file__, "append", line + 3, "list")
    if sys.version_info >= (3, 7):  # before, a method called by way of its type is none to setprofile either
        assert mine["upper"] == (__file__, "upper", line + 4, "str")
    assert mine["join"][3] == "str"


# ---- exception-raise ----


def raised(record, function):
    """(type, message, line from the def) of the exceptions that are raised in this file."""
    first = function.__code__.co_firstlineno
    events = record.heard(["exception-raise"], function)
    return [(event[2], event[3], event[5] - first) for event in events if event[4] == __file__]


def test_an_exception_is_raised_once_however_many_frames_it_leaves(record):
    def deep(n):
        if n:
            return deep(n - 1)
        raise ValueError("deep")

    def body():
        try:
            deep(10)
        except ValueError:
            pass
        try:
            int("x")
        except ValueError:
            pass

    line = deep.__code__.co_firstlineno + 3 - body.__code__.co_firstlineno
    assert raised(record, body) == [
        ("ValueError", "deep", line),
        ("ValueError", "invalid literal for int() with base 10: 'x'", 6),
    ]


def test_an_import_that_fails_is_raised_once(record):
    def body():
        for _ in range(3):
            try:
                import no_such_module  # noqa: F401
            except ImportError:
                pass
            try:
                __import__("no_such_module")
            except ImportError:
                pass

    events = record.heard(["exception-raise"], body)
    told = [
        event[3] for event in events if event[2] == "ModuleNotFoundError"
    ]  # importlib raises others besides
    assert told == ["No module named 'no_such_module'"] * 6


def test_the_end_of_an_iteration_is_no_exception_and_raise_of_one_is(record):
    def generator():
        yield 1
        return 2

    def delegating():
        yield (yield from generator())

    async def coroutine():
        return 1

    async def awaiting():
        await coroutine()
        await coroutine()

    class Iterator:
        def __iter__(self):
            return self

        def __next__(self):
            raise StopIteration(3)

    def iterate():
        for _ in range(2):
            list(delegating())
            for _ in generator():
                pass
            sum(value for value in generator())

    def body():
        for _ in Iterator():
            pass
        try:
            next(iter([]))
        except StopIteration:
            pass
        try:
            awaiting().send(None)
        except StopIteration:
            pass

    assert raised(record, iterate) == []
    assert [event[:2] for event in raised(record, body)] == [("StopIteration", "")] * 3


def test_reraising_is_no_raise_but_raise_of_it_is(record):
    def body():
        try:
            try:
                raise KeyError("one")
            except KeyError:
                raise
        except KeyError as error:
            kept = error
        try:
            raise kept
        except KeyError:
            pass
        with contextlib.suppress(KeyError):
            raise kept from None

    assert raised(record, body) == [("KeyError", "one", 3), ("KeyError", "one", 9), ("KeyError", "one", 13)]


def test_messages_are_first_arguments_that_are_str_and_types_have_no_module(record):
    class Own(Exception):
        pass

    def body():
        for arguments in [(), (5,), ("text", 2), ("bad\udcff",)]:
            try:
                raise Own(*arguments)
            except Own:
                pass
        try:
            json.loads("{")
        except ValueError:
            pass
        try:
            ctypes.c_int(1) / 2
        except TypeError:
            pass

    seen = raised(record, body)
    assert seen[:4] == [("Own", "", 3), ("Own", "", 3), ("Own", "text", 3), ("Own", "", 3)]
    assert [event[0] for event in seen[4:]] == ["TypeError"]
    events = record.heard(["exception-raise"], body)
    assert "JSONDecodeError" in [event[2] for event in events]


def test_an_exception_in_a_generator_is_raised_once(record):
    def generator():
        try:
            yield 1
        except KeyError:
            raise ValueError("two") from None

    def body():
        running = generator()
        next(running)
        try:
            running.throw(KeyError("one"))
        except ValueError:
            pass

    assert [event[:2] for event in raised(record, body)] == [("KeyError", "one"), ("ValueError", "two")]


# ---- Threads ----

THREADS = ["thread-start", "thread-exit"]


def ended(record, wanted):
    """Wait until this many of the threads that started have ended; then all events."""
    events = []
    for _ in range(1000):
        events += record.take()
        started = {event[1] for event in events if event[0] == "thread-start"}
        if sum(event[0] == "thread-exit" and event[1] in started for event in events) >= wanted:
            break
        threading.Event().wait(0.01)
    return events + record.stop()


def test_threads_start_and_exit_with_their_names(record):
    go, ready = threading.Event(), threading.Event()
    old = threading.Thread(target=lambda: ready.set() or go.wait(), name="old")
    old.start()
    ready.wait()
    record.start(*THREADS)
    new = [threading.Thread(target=len, args=("",), name="new {}".format(i)) for i in range(3)]
    for thread in new:
        thread.start()
        thread.join()
    go.set()
    old.join()
    events = ended(record, 3)
    starts = [event[2:] for event in events if event[0] == "thread-start"]
    exits = [event[2:] for event in events if event[0] == "thread-exit"]
    assert starts == [(thread.name, thread.ident) for thread in new]
    assert set(starts) <= set(exits)
    assert "old" not in [name for name, _ in starts]
    assert all(event[1] == event[3] for event in events)


@needs(3, 7)
def test_threads_of_the_low_level_module_have_no_name(record):
    idents = []

    def body():
        idents.append(threading.get_ident())

    record.start(*THREADS)
    _thread.start_new_thread(body, ())
    events = [event for event in ended(record, 1) if event[1] in idents]
    assert [(event[0], event[2]) for event in events] == [(probe, "") for probe in THREADS]
    assert {event[3] for event in events} == set(idents)


@needs(3, 7)
def test_threads_made_in_c_are_seen_when_they_run_python(record):
    if not sys.platform.startswith("linux"):
        pytest.skip("only on Linux: calls pthread_create of libc")
    idents = []
    function = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(
        lambda _: idents.append(threading.get_ident())
    )
    libc, thread = ctypes.CDLL(None), ctypes.c_ulong()
    record.start(*THREADS)
    assert libc.pthread_create(ctypes.byref(thread), None, function, None) == 0
    assert libc.pthread_join(thread, None) == 0
    events = record.stop()
    assert [(event[0], event[3]) for event in events] == [(probe, idents[0]) for probe in THREADS]
