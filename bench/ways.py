"""The ways in which the bench runs a workload: alone, traced by catprobe, under other profilers and tracers.

A way is a generator: when it yields, the program is traced as its name says; when it goes on, the tracer
leaves. absent() says why a way cannot be had on this machine.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
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


def command():
    """The binary of `make catprobe`, else the installed command, which starts a Python first."""
    binary = os.path.join(CHECKOUT, "build", "catprobe")
    return [binary] if os.path.exists(binary) else [sys.executable, "-m", "catprobe"]


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


def by_bpftrace():
    import _catprobe

    import catprobe  # noqa: F401

    program = "usdt:{}:python:function__entry {{ @[str(arg1)] = count(); }}".format(_catprobe.__file__)
    words = ["bpftrace", "-p", str(os.getpid()), "-e", program]
    tracer = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: armed(ENTRY))
    yield
    tracer.terminate()
    tracer.wait()


def by_dtrace():
    import catprobe  # noqa: F401

    program = "python$target:::function-entry { @[copyinstr(arg1)] = count(); }"
    words = ["dtrace", "-qn", program, "-p", str(os.getpid())]
    tracer = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: armed(ENTRY))
    yield
    tracer.terminate()
    tracer.wait()


def by_py_spy():
    words = ["py-spy", "record", "-r", "100", "-o", os.devnull, "-f", "raw", "-p", str(os.getpid())]
    tracer = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1)  # nothing in the program tells that it samples
    yield
    tracer.terminate()
    tracer.wait()


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
LINES = ["-n", "python$target:::line { @[copyinstr(arg1)] = count(); }"]

# Each is asked for its generator once it is to run.
WAYS = {
    "untraced, without catprobe": alone,
    "loaded, nobody attached": idle,
    "count by function": partial(by_engine, COUNT, ENTRY),
    "every entry and return, into a ring": partial(by_engine, RECORD, FUNCTIONS),
    "flow: a_py_flowinfo.d": partial(by_engine, demo("a_py_flowinfo.d"), FUNCTIONS + ["gc-start", "gc-done"]),
    "calltime: b_py_calltime.d": partial(by_engine, demo("b_py_calltime.d"), FUNCTIONS),
    "calldist: c_py_calldist.d": partial(by_engine, demo("c_py_calldist.d"), FUNCTIONS),
    "one function, which is not called": partial(by_engine, ONE, ENTRY),
    "count of lines": partial(by_engine, LINES, ["line"]),
    "the hooks alone: entry and return": partial(by_semaphores, FUNCTIONS),
    "the hooks alone: line": partial(by_semaphores, ["line"]),
    "the hooks alone: C functions": partial(by_semaphores, ["c-function-entry", "c-function-return"]),
    "cProfile": by_cprofile,
    "sys.setprofile, an empty function": by_setprofile,
    "VizTracer": by_viztracer,
    "py-spy, 100 Hz": by_py_spy,
    "bpftrace, count by function": by_bpftrace,
    "DTrace, count by function": by_dtrace,
}
UNTRACED = "untraced, without catprobe"


def can_trace():
    return os.geteuid() == 0 and os.path.ismount("/sys/kernel/tracing")


def absent():
    """way -> why it cannot be had here."""
    reasons = {}
    if not importlib.util.find_spec("viztracer"):
        reasons["VizTracer"] = "it is not installed: pip install viztracer"
    if not shutil.which("py-spy"):
        reasons["py-spy, 100 Hz"] = "it is not installed: pip install py-spy"
    for way, name in (("bpftrace, count by function", "bpftrace"), ("DTrace, count by function", "dtrace")):
        if not shutil.which(name):
            reasons[way] = "there is no {} here".format(name)
        elif not can_trace():
            reasons[way] = "it needs root and /sys/kernel/tracing"
    return reasons
