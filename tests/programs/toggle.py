"""Four busy threads, under which the probes are armed and disarmed N times. Prints how the events add up."""

import json
import sys
import threading

import record

OTHERS = ["line", "c-function-entry", "c-function-return", "exception-raise", "thread-start"]


class Plain:
    def __init__(self, value):
        self.value = value


def generator(n):
    for i in range(n):
        yield Plain(i).value


def raising(n):
    if n:
        return raising(n - 1)
    raise KeyError(n)


def work():
    total = sum(generator(5))
    try:
        raising(3)
    except KeyError:
        total += len("ten")
    return total + max([1, 2], key=lambda value: -value)


def busy(stop, wrong):
    while not stop.is_set():
        if work() != 14:
            wrong.append(1)


def main(count):
    stop, wrong = threading.Event(), []
    threads = [threading.Thread(target=busy, args=(stop, wrong)) for _ in range(4)]
    for thread in threads:
        thread.start()
    events, unbalanced = 0, 0
    sys.setswitchinterval(1e-5)
    for i in range(count):
        # The functions alone most times, as their hooks are the ones that other threads may be inside of.
        record.start(*(record.FUNCTIONS + (OTHERS if i % 16 == 0 else [])))
        if i % 4 == 0:
            work()
        heard = record.stop()
        events += len(heard)
        depths = {}
        for event in heard:
            if event[0] in record.FUNCTIONS:
                depth = depths.get(event[1], 0) + (1 if event[0] == "function-entry" else -1)
                depths[event[1]] = depth
                # Whoever was running already returns unseen, but where it is sys.monitoring that sees.
                unbalanced += depth < 0 and record.status("function-entry")["engine"] == "frame-evaluation"
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"events": events, "unbalanced": unbalanced, "wrong": len(wrong)}))


main(int(sys.argv[1]))
