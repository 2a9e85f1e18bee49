"""Fires the probes of fire_probes.c once a tracer has attached: fire_probes.py LIBRARY EVENTS.json

EVENTS is a list of threads, each a list of these: ["entry", file, function, line], ["gc_start", generation],
["return", file, function, line], ["gc_done", collected], ["sleep", seconds].
"""

import ctypes
import json
import os
import sys
import threading
import time


def bound(library, events):
    """The events as functions and their arguments; the strings stay where they are in memory."""
    functions = {"entry": library.function_entry, "return": library.function_return, "sleep": time.sleep}
    for name, *args in events:
        function = functions.get(name) or getattr(library, name)
        yield function, [arg.encode() if isinstance(arg, str) else arg for arg in args]


def fire(calls):
    for function, args in calls:
        function(*args)


def main():
    if hasattr(
        os, "sched_setaffinity"
    ):  # one CPU, one buffer of the tracer: the order of the lines is certain
        os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
    library = ctypes.CDLL(sys.argv[1])
    with open(sys.argv[2]) as file:
        threads = json.load(file)
    gc = any(event[0].startswith("gc_") for events in threads for event in events)
    work = [threading.Thread(target=fire, args=(list(bound(library, events)),)) for events in threads]
    print("ready", flush=True)
    deadline = time.monotonic() + 60
    while not library.traced(gc):
        if time.monotonic() > deadline:
            sys.exit("no tracer came")
        time.sleep(0.01)
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    time.sleep(0.3)  # DTrace waits in vain, now and then, for a target that ends while it is still starting


if __name__ == "__main__":
    main()
