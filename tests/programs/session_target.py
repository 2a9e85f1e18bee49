"""A program that runs what it is told, a JSON string of code in a line, and prints the last line's value."""

import ast
import ctypes  # noqa: F401 (for the code given)
import json
import os
import sys
import threading
import time

import catprobe  # noqa: F401


def leaf():
    return 1


def parent():
    return leaf() + leaf()


def numbers(count):
    for number in range(count):
        yield number


def raises():
    raise ValueError


def work():
    """Calls of several kinds."""
    for _ in range(10):
        parent()
        sum(numbers(3))
        try:
            raises()
        except ValueError:
            leaf()


def call(function, times=1):
    for _ in range(times):
        function()


def profiled(function):
    """How often each function is called while it runs, by sys.setprofile: name -> calls."""
    counts = {}

    def profile(frame, event, _):
        if event == "call":
            counts[frame.f_code.co_name] = counts.get(frame.f_code.co_name, 0) + 1

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return counts


def threads_here():
    """As the kernel counts them: join() returns a little before a thread has ended."""
    return len(os.listdir("/proc/self/task"))


def in_threads(function, count, at_a_time=50):
    """Runs it in so many threads, and waits until they are gone."""
    before = threads_here()
    while count:
        some = [threading.Thread(target=function) for _ in range(min(count, at_a_time))]
        for thread in some:
            thread.start()
        for thread in some:
            thread.join()
        count -= len(some)
    for _ in range(1000):
        if threads_here() <= before:
            break
        time.sleep(0.01)


def quickest(function, turns=40):
    """The time of its quickest runs: what disturbs the others is not in it."""
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return sorted(times)[turns // 20]


def run(code):
    body = ast.parse(code).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    module = ast.parse("")
    module.body = body
    exec(compile(module, "<code>", "exec"), globals())
    return eval(compile(ast.Expression(last.value), "<code>", "eval"), globals()) if last else None


def main():
    print('"ready"', flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
