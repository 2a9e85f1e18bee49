"""The ways in which the bench runs a workload: alone, traced by catprobe, under other profilers and tracers.

A way is a generator: when it yields, the program is traced as its name says; when it goes on, the tracer
leaves. absent() says why a way cannot be had on this machine.
"""

import collections
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKOUT = os.path.dirname(HERE)

ENTRY = ["function-entry"]
FUNCTIONS = ["function-entry", "function-return"]


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("bench: the probes did not change their state")
        time.sleep(0.01)


def armed(probes):
    """Are hooks there for these probes and for no other?"""
    import catprobe

    states = catprobe.status()["probes"]
    return all((state["state"] == "armed") == (probe in probes) for probe, state in states.items())


BINARY = os.path.join(CHECKOUT, "build", "catprobe")


def command():
    """The binary of `make catprobe`, else the installed command, which starts a Python first."""
    return [BINARY] if os.path.exists(BINARY) else [sys.executable, "-m", "catprobe"]


def alone():
    yield


def idle():
    import catprobe  # noqa: F401

    yield


def by_semaphores(probes):
    """As when a tracer of the system is there that does nothing."""
    import catprobe  # noqa: F401

    sys.path.insert(0, os.path.join(CHECKOUT, "tests"))
    import semaphores

    semaphores.write("self", dict.fromkeys(probes, 1))
    wait_for(lambda: armed(probes))
    yield
    semaphores.write("self", dict.fromkeys(probes, 0))
    wait_for(lambda: armed(()))


def by_engine(arguments, probes):
    """By the embedded engine, from a process of its own."""
    import catprobe  # noqa: F401

    words = command() + ["-q", "-o", os.devnull] + arguments + ["-p", str(os.getpid())]
    tracer = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: armed(probes))
    yield
    tracer.terminate()
    tracer.wait()
    wait_for(lambda: armed(()))


def watched(words, is_there):
    """By a process of another program, once its doings can be seen in this one."""
    tracer = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: is_there() or tracer.poll() is not None)
    if tracer.poll() is not None:
        sys.exit("bench: {} ended with {}".format(" ".join(words), tracer.returncode))
    yield
    tracer.terminate()
    tracer.wait()


def in_container(*words):
    return [os.path.join(CHECKOUT, "tests", "forky")] + list(words)


def by_bpftrace(*words):
    import _catprobe

    import catprobe  # noqa: F401

    program = "usdt:{}:python:function__entry {{ @[str(arg1)] = count(); }}".format(_catprobe.__file__)
    yield from watched(list(words) + ["-p", str(os.getpid()), "-e", program], lambda: armed(ENTRY))


def by_dtrace(*words):
    import catprobe  # noqa: F401

    program = "python$target:::function-entry { @[copyinstr(arg1)] = count(); }"
    yield from watched(list(words) + ["-qn", program, "-p", str(os.getpid())], lambda: armed(ENTRY))


def by_pyusdt():
    """Entry and return, counted; it monitors nothing before somebody listens."""
    import libpyusdt
    import pyusdt  # noqa: F401

    probe = "usdt:{}:pyusdt:PY_".format(libpyusdt.__file__)
    program = "{0}START, {0}RETURN {{ @[str(arg0)] = count(); }}".format(probe)
    tools = sys.monitoring
    yield from watched(
        ["bpftrace", "-p", str(os.getpid()), "-e", program],
        lambda: any(tools.get_tool(tool) and tools.get_events(tool) for tool in range(6)),
    )


def sampler(*words):
    """Nothing in the program tells that it is sampled, so that this waits for a while."""
    started = time.monotonic()
    yield from watched(list(words), lambda: time.monotonic() - started > 2)


def by_record():
    import catprobe  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "profile.svg")
        yield from sampler(*command() + ["record", str(os.getpid()), "-r", "100", "-o", name])


def by_py_spy():
    yield from sampler(
        peer("py-spy"), "record", "-r", "100", "-o", os.devnull, "-f", "raw", "-p", str(os.getpid())
    )


def by_profiling():
    """Of this very interpreter, which is one of the container where ours has none."""
    yield from sampler(
        sys.executable, "-m", "profiling.sampling", "attach", "-r", "100hz", "-d", "600", str(os.getpid())
    )


def by_cprofile():
    import cProfile

    profile = cProfile.Profile()
    profile.enable()
    yield
    profile.disable()


def by_setprofile():
    sys.setprofile(lambda frame, event, argument: None)
    yield
    sys.setprofile(None)


def by_viztracer():
    import viztracer

    tracer = viztracer.VizTracer(verbose=0, output_file=os.devnull)
    tracer.start()
    yield
    tracer.stop()


def by_trace0():
    import trace0

    with trace0.Tracer(os.devnull):
        yield


def demo(name):
    return ["-s", os.path.join(CHECKOUT, "d_demo", name)]


COUNT = ["-n", "python$target:::function-entry { @[copyinstr(arg1)] = count(); }"]
RECORD = [
    "-x",
    "bufpolicy=ring",
    "-n",
    "python$target:::function-entry, python$target:::function-return { trace(arg2); }",
]
ONE = ["-n", 'python$target:::function-entry /copyinstr(arg1) == "other"/ { @ = count(); }']
FLOW = "a_py_flowinfo.d"
FLOW_PROBES = FUNCTIONS + ["gc-start", "gc-done"]
LINES = ["-n", "python$target:::line { @[copyinstr(arg1)] = count(); }"]

UNTRACED = "untraced, without catprobe"
SAMPLER = "Python 3.15's sampler, 100 Hz"

# Each is asked for its generator once it is to run.
WAYS = {
    UNTRACED: alone,
    "loaded, nobody attached": idle,
    "count by function": partial(by_engine, COUNT, ENTRY),
    "every entry and return, into a ring": partial(by_engine, RECORD, FUNCTIONS),
    "flow: a_py_flowinfo.d": partial(by_engine, demo(FLOW), FLOW_PROBES),
    "calltime: b_py_calltime.d": partial(by_engine, demo("b_py_calltime.d"), FUNCTIONS),
    "calldist: c_py_calldist.d": partial(by_engine, demo("c_py_calldist.d"), FUNCTIONS),
    "one function, which is not called": partial(by_engine, ONE, ENTRY),
    "flow of one function, which is not called": partial(by_engine, demo(FLOW) + ["other"], FLOW_PROBES),
    "count of lines": partial(by_engine, LINES, ["line"]),
    "the hooks alone: entry and return": partial(by_semaphores, FUNCTIONS),
    "the hooks alone: line": partial(by_semaphores, ["line"]),
    "the hooks alone: C functions": partial(by_semaphores, ["c-function-entry", "c-function-return"]),
    "catprobe record, 100 Hz": by_record,
    "cProfile": by_cprofile,
    "sys.setprofile, an empty function": by_setprofile,
    "VizTracer": by_viztracer,
    "trace0": by_trace0,
    "pyusdt with bpftrace, entries and returns": by_pyusdt,
    "py-spy, 100 Hz": by_py_spy,
    SAMPLER: by_profiling,
    "bpftrace, count by function": partial(by_bpftrace, "bpftrace"),
    "newest bpftrace, count by function": partial(by_bpftrace, *in_container("run", "bpftrace")),
    "DTrace, count by function": partial(by_dtrace, "dtrace"),
    "DTrace 2.0.7, count by function": partial(by_dtrace, *in_container("host")),
}


def peer(name):
    """The path of a program, from the environment that the bench runs in or from the machine; or None."""
    return shutil.which(name, path=os.path.dirname(sys.executable)) or shutil.which(name)


def no_module(name):
    if not importlib.util.find_spec(name):
        return "it is not installed: make bench installs it where PyPI has it for this CPython"


def no_program(name):
    if not peer(name):
        return "there is no {} here".format(name)


def no_tracing():
    if os.geteuid() != 0 or not os.path.isdir("/sys/kernel/tracing"):
        return "it needs root and /sys/kernel/tracing"


def no_container():
    folder = os.environ.get("CATPROBE_FORKY", "/var/tmp/catprobe-forky")
    if not os.path.isdir(folder):
        return "there is no {}: make forky".format(folder)


HAS_SAMPLER = sys.version_info >= (3, 15)


def no_sampler():
    reason = None if HAS_SAMPLER else no_container() or (os.geteuid() != 0 and "the container needs root")
    if reason:
        return "it is of CPython 3.15 and later, and samples its own version; " + reason


# What runs a script of the bench, and where the checkout is for it.
Place = collections.namedtuple("Place", "command checkout")
HOST = Place((sys.executable,), CHECKOUT)
CONTAINER = Place(tuple(in_container("run", "python3.15")), "/host" + CHECKOUT)


def place_of(way):
    return CONTAINER if way == SAMPLER and not HAS_SAMPLER else HOST


# way -> what is asked, in this order; each says why the way cannot be had, or nothing.
NEEDS = {
    "VizTracer": [partial(no_module, "viztracer")],
    "trace0": [partial(no_module, "trace0")],
    "pyusdt with bpftrace, entries and returns": [
        partial(no_module, "pyusdt"),
        partial(no_program, "bpftrace"),
        no_tracing,
    ],
    "py-spy, 100 Hz": [partial(no_program, "py-spy")],
    SAMPLER: [no_sampler],
    "bpftrace, count by function": [partial(no_program, "bpftrace"), no_tracing],
    "newest bpftrace, count by function": [no_container, no_tracing],
    "DTrace, count by function": [partial(no_program, "dtrace"), no_tracing],
    "DTrace 2.0.7, count by function": [no_container, no_tracing],
}


def absent():
    """way -> why it cannot be had here."""
    reasons = {way: next(filter(None, (need() for need in needs)), None) for way, needs in NEEDS.items()}
    return {way: reason for way, reason in reasons.items() if reason}
