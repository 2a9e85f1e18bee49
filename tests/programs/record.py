"""What is heard of a function while it runs: by the probes, by sys.setprofile, by sys.settrace."""

import sys
import threading

import _catprobe
import recorder

import catprobe

FUNCTIONS = ["function-entry", "function-return"]


def start(*probes, functions=None):
    """functions: names of the only ones that are wanted."""
    recorder.start(_catprobe.__file__, list(probes), *([functions] if functions is not None else []))


def stop():
    """The events since start(): (probe, thread, the probe's arguments...)."""
    return recorder.stop()


def asked():
    """How often the recorder was asked since start() whether it wants a function."""
    return recorder.asked()


def take():
    """The events since start() or the last take()."""
    return recorder.take()


def heard(probes, function, *arguments):
    """The events of these probes while function(*arguments) runs."""
    start(*probes)
    try:
        function(*arguments)
    finally:
        events = recorder.stop()
    return events


def profiled(function, *arguments):
    """The same as heard(FUNCTIONS, ...), by sys.setprofile and without the qualified name."""
    events = []
    probes = {"call": "function-entry", "return": "function-return"}

    def profile(frame, event, _):
        if event in probes:
            code = frame.f_code
            events.append(
                (probes[event], threading.get_ident(), code.co_filename, code.co_name, frame.f_lineno)
            )

    sys.setprofile(profile)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return events


def profiled_c(function, *arguments):
    """(event, name, module) of C functions, by sys.setprofile."""
    events = []

    def profile(frame, event, callable):
        if event.startswith("c_"):
            events.append((event, callable.__name__, callable.__module__))

    sys.setprofile(profile)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return events


def line_tracer(events):
    """A trace function that appends (file, name, line) of each line."""

    def trace(frame, event, _):
        if event == "line":
            events.append((frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno))
        return trace

    return trace


def traced(function, *arguments):
    """The lines of function(*arguments) by sys.settrace: (file, name, line)."""
    events = []
    before = sys.gettrace()
    sys.settrace(line_tracer(events))
    try:
        function(*arguments)
    finally:
        sys.settrace(before)
    return events


def status(probe):
    return catprobe.status()["probes"][probe]


def problem():
    return catprobe.status().get("problem", "")
