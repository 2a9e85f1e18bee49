# ruff: noqa: F811
"""mem-alloc and mem-free: sizes and addresses that are known otherwise; other tools keep their hooks."""

import re
import sys

import pytest
import waiting
from recording import extensions, needs, record  # noqa: F401 (fixtures)
from session_client import client_library, target, targets, trace  # noqa: F401 (fixtures)
from tracers import MEMORY, Bpftrace, Target, here  # noqa: F401 (here is a fixture)

LINGERS = "allocator hooks stay, doing nothing, as another tool has put its own above them"


# ---- What is told


@pytest.mark.parametrize("length", [100, 1000, 1000000])
def test_a_bytes_object(record, length):
    """One event each, though what is large the object domain asks of the raw domain."""
    seen = []

    def make_and_drop():
        thing = bytes(length)
        seen.append((id(thing), sys.getsizeof(thing)))

    events = record.heard(MEMORY, make_and_drop)
    ((address, size),) = seen
    assert [event[:1] + event[2:] for event in events if event[4] == address] == [
        ("mem-alloc", size, "object", address),
        ("mem-free", 0, "object", address),
    ]


def test_a_list_that_grows(record):
    grown, sizes = [], []
    empty = sys.getsizeof(grown)

    def grow():
        for _ in range(1000):
            grown.append(None)
            sizes.append(sys.getsizeof(grown) - empty)

    events = record.heard(MEMORY, grow)
    expected = [size for before, size in zip([0] + sizes, sizes) if size != before]
    address, buffers = None, []
    for before, event in zip([None] + events, events):
        first = address is None or before[0] + before[3] == "mem-freemem" and before[4] == address
        if (
            event[0] + event[3] == "mem-allocmem"
            and event[2:3] == tuple(expected[len(buffers) :][:1])
            and first
        ):
            address = event[4]
            buffers.append(event[2])
    assert buffers == expected


def test_what_is_left_is_what_was_kept(record):
    kept = []

    def work():
        for number in range(2000):
            kept.append(bytes(1000 + number))
            bytearray(3000)
            dict.fromkeys(range(100))

    work()  # caches are filled
    del kept[:]
    events = record.heard(MEMORY, work)
    alive = {}
    for name, _, size, _, address in events:
        if name == "mem-alloc":
            assert address not in alive
            alive[address] = size
        else:
            alive.pop(address, None)
    assert {id(thing): sys.getsizeof(thing) for thing in kept}.items() <= alive.items()
    others = sum(alive.values()) - sum(map(sys.getsizeof, kept))
    assert others < 100000  # the list's own buffer, and little else


def test_memory_that_is_not_given_is_no_event(record):
    def ask():
        with pytest.raises(MemoryError):
            bytes(1 << 61)

    assert all(event[2] < 1 << 40 for event in record.heard(MEMORY, ask))


def test_what_the_tracer_allocates_itself_is_no_event(record):
    """The record of a code object is made at its first call, and put into the code object's own slots."""
    sizes = []
    for _ in range(2):
        function = eval("lambda: None", {})
        events = record.heard(["function-entry", "mem-alloc"], function)
        start = next(i for i, event in enumerate(events) if event[0] == "function-entry")
        sizes.append([event[2] for event in events[:start]])
        assert [event[3] for event in events if event[0] == "function-entry"] == ["<lambda>"]
    assert sizes[0] == sizes[1]


# ---- Stacks, and threads without the GIL

ASKED = """
    python$target:::mem-alloc /arg0 == 12345/ { printf("%s %d\\n", copyinstr(arg1), stackdepth); jstack(); }
"""


def test_the_stack_of_an_allocation(target, trace):
    session = trace(target, ASKED, "quiet").armed()
    target.run("def asks():\n    return bytes(12345 - b''.__sizeof__())\nlen(asks())")
    lines = [line.strip() for line in session.end().splitlines() if line.strip()]
    assert lines[0] == "object {}".format(len(lines) - 1)
    assert lines[1] == "asks (<code>:2)"
    assert lines[-1].startswith("<module> (") and "session_target.py:" in lines[-1]


def test_the_stack_of_a_buffer_that_moves(target, trace):
    """The buffer is a new one, of which its owner does not know yet."""
    script = "python$target:::mem-alloc /arg0 > 100000/ { @[copyinstr(arg1), jstack(2)] = count(); }"
    session = trace(target, script, "quiet").armed()
    target.run(
        "def grows():\n    grown = []\n    for i in range(100000):\n        grown.append(i)\n\ngrows()"
    )
    words = session.end().split()
    assert words[:3] == ["mem", "grows", "(<code>:4)"]
    assert int(words[-1]) >= 10


@pytest.mark.parametrize(
    "library, lines", [("CDLL", ["raw 0"]), ("PyDLL", ["raw 3"])], ids=["without the GIL", "with the GIL"]
)
def test_the_raw_domain(target, trace, library, lines):
    session = trace(target, ASKED, "quiet").armed()
    target.run(
        "python = ctypes.{}(None)\n"
        "python.PyMem_RawMalloc.restype = ctypes.c_void_p\n"
        "python.PyMem_RawFree(ctypes.c_void_p(python.PyMem_RawMalloc(ctypes.c_size_t(12345))))".format(
            library
        )
    )
    said = [line.strip() for line in session.end().splitlines() if line.strip()]
    assert said[0].split()[0] == "raw"
    if library == "CDLL":
        assert said == ["raw 0"]
    else:
        assert said[0] == "raw {}".format(len(said) - 1) and "session_target.py" in said[-1]


def test_a_thread_that_python_does_not_know(target, trace):
    session = trace(target, ASKED, "quiet").armed()
    target.run(
        "libc = ctypes.CDLL(None)\n"
        "thread, result = ctypes.c_ulong(), ctypes.c_void_p()\n"
        "for _ in range(3):\n"
        "    libc.pthread_create(ctypes.byref(thread), None, libc.PyMem_RawMalloc, ctypes.c_size_t(12345))\n"
        "    libc.pthread_join(thread, ctypes.byref(result))\n"
        "    libc.PyMem_RawFree(result)\n"
    )
    assert session.end().split() == ["raw", "0"] * 3


# ---- Other tools, and leaving

TABLES = """
class Table(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("ctx", "malloc", "calloc", "realloc", "free")]

def tables():
    found = []
    for domain in range(3):
        table = Table()
        ctypes.pythonapi.PyMem_GetAllocator(domain, ctypes.byref(table))
        found.append([getattr(table, name) for name, _ in Table._fields_])
    return found
"""
COUNT = "python$target:::mem-alloc /arg0 == 12345/ { @[copyinstr(arg1)] = count(); }"
ASK = "bytes(12345 - sys.getsizeof(b'')) and 0"
TRACEBACK = "import tracemalloc\nthing = bytes(100000)\nlen(tracemalloc.get_object_traceback(thing))"


def problem(target):
    lines = [line for line in target.status() if line.startswith("problem ")]
    return lines[0].partition(" ")[2] if lines else ""


def alone(target):
    """Runs Python until no hook is there, and nothing is left of any."""
    waiting.until(lambda: target.run("1") and not target.engines() and not problem(target))


@pytest.mark.parametrize("malloc", ["pymalloc", "debug", "malloc"])
def test_the_allocators_are_as_before_when_nobody_listens(targets, trace, malloc):
    target = targets(PYTHONMALLOC=malloc)
    before = target.run(TABLES + "tables()")
    for _ in range(3):
        session = trace(target, COUNT).armed()
        target.run(ASK)
        assert target.engines() == {"mem-alloc": "allocator"}
        assert target.run("tables()") != before
        assert session.counts() == {"object": 1}
        alone(target)
        assert target.run("tables()") == before
    assert target.leave() == (0, "")


def test_tracemalloc_that_was_there_before(target, trace):
    before = target.run(TABLES + "import tracemalloc\ntracemalloc.start()\ntables()")
    session = trace(target, COUNT).armed()
    target.run(ASK)
    assert target.run(TRACEBACK) == 1
    assert session.counts() == {"object": 1}
    alone(target)
    assert target.run("tables()") == before
    assert target.run(TRACEBACK) == 1
    assert target.run("tracemalloc.stop()\ntracemalloc.is_tracing()") is False
    assert target.leave() == (0, "")


def test_tracemalloc_that_comes_later_and_stays(target, trace):
    before = target.run(TABLES + "tables()")
    session = trace(target, COUNT).armed()
    target.run("import tracemalloc\ntracemalloc.start()")
    target.run(ASK)
    assert session.counts() == {"object": 1}
    waiting.until(lambda: target.run("1") and problem(target) == LINGERS)
    assert target.engines() == {}
    assert target.run(TRACEBACK) == 1

    session = trace(target, COUNT).armed()
    target.run(ASK)
    assert target.run(TRACEBACK) == 1
    assert session.counts() == {"object": 1}
    waiting.until(lambda: target.run("1") and problem(target) == LINGERS)

    target.run("tracemalloc.stop()")
    alone(target)
    assert target.run("tables()") == before
    assert target.leave() == (0, "")


def test_tracemalloc_that_takes_our_hooks_away(target, trace):
    """It had been there before, and puts back what it had found, while we are above it: we come again."""
    target.run("import tracemalloc\ntracemalloc.start()")
    session = trace(target, COUNT).armed()
    target.run(TABLES + "ours = tables()\ntracemalloc.stop()")
    waiting.until(lambda: target.run("1") and target.run("[t[1] for t in tables()] == [t[1] for t in ours]"))
    target.run(ASK)
    assert session.counts() == {"object": 1}
    alone(target)


def test_it_ends_well_while_it_is_traced(targets, trace):
    for malloc in ("pymalloc", "debug"):
        target = targets(PYTHONMALLOC=malloc)
        trace(target, COUNT + "python$target:::mem-free { @frees[jstack()] = count(); }").armed()
        target.run("import tracemalloc\ntracemalloc.start()")
        assert target.leave() == (0, "")


def test_hooks_that_come_and_go_under_threads(target, trace):
    target.run(
        "stop = False\n"
        "def busy():\n"
        "    while not stop:\n"
        "        [bytes(n) for n in range(0, 2000, 50)]\n"
        "threads = [threading.Thread(target=busy) for _ in range(4)]\n"
        "[thread.start() for thread in threads] and 0"
    )
    for _ in range(10):
        session = trace(
            target, "python$target:::mem-alloc, python$target:::mem-free { @[jstack()] = count(); }"
        )
        session.armed()
        target.run("work()")
        session.close()
    target.run("stop = True\n[thread.join() for thread in threads] and 0")
    assert target.leave() == (0, "")


def test_a_child_is_not_traced_and_goes_on(target, trace):
    session = trace(target, COUNT).armed()
    status = target.run(
        "pid = os.fork()\n"
        "if not pid:\n"
        "    bytes(12345 - sys.getsizeof(b''))\n"
        "    work()\n"
        "    os._exit(7)\n"
        "os.waitpid(pid, 0)[1] >> 8"
    )
    assert status == 7
    target.run(ASK)
    assert session.counts() == {"object": 1}


@needs(3, 12)
def test_interpreters_with_a_gil_of_their_own(target, trace):
    """Their threads read the tables while the main interpreter's exchange them."""
    target.run(
        "import importlib.util\n"
        "for name in ('_interpreters', '_xxsubinterpreters'):\n"
        "    if importlib.util.find_spec(name):\n"
        "        interpreters = importlib.import_module(name)\n"
        "        break\n"
        "code = 'for i in range(30000): [bytes(n) for n in (10, 600, 12345 - 33)]'\n"
        "def runs():\n"
        "    made = interpreters.create()\n"
        "    interpreters.run_string(made, code)\n"
        "    interpreters.destroy(made)\n"
        "threads = [threading.Thread(target=runs) for _ in range(3)]\n"
        "[thread.start() for thread in threads] and 0"
    )
    heard = 0
    while target.run("any(thread.is_alive() for thread in threads)"):
        session = trace(target, COUNT + "python$target:::mem-free { @frees[jstack()] = count(); }", "quiet")
        session.armed()
        target.run("work()")
        heard += sum(map(int, re.findall(r"(?m)^ +object +(\d+)$", session.end())))
    target.run("[thread.join() for thread in threads] and 0")
    assert heard > 0
    alone(target)
    assert target.leave() == (0, "")


# ---- Kernel tracers

BPFTRACE = r"""
usdt::python:mem__alloc /arg0 == 12345/ {
    @[arg2] = 1; printf("alloc %d %s %d\n", arg0, str(arg1), arg2);
}
usdt::python:mem__free /@[arg2]/ { printf("free %d %s %d\n", arg0, str(arg1), arg2); }
"""


@pytest.mark.once
def test_bpftrace_hears_them(bpftrace, here):
    with Target(here, "everything") as target, Bpftrace(BPFTRACE, path=[bpftrace], pid=target.pid) as tracer:
        target.attached(tracer, MEMORY)
        target.tell("len(bytes(12345 - b''.__sizeof__()))")
        lines = tracer.stop(after="free ").splitlines()
        target.left()
    given, taken = [line.split() for line in lines if line.startswith(("alloc", "free"))][:2]
    assert given[:3] == ["alloc", "12345", "object"] and int(given[3])
    assert taken == ["free", "0", "object", given[3]]
