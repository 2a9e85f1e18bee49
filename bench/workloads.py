"""What the bench runs: functions that take about a millisecond, each made by its name.

A name may carry a number: "threads:64", "functions:1000", "depth:500", for the tables of how the cost grows.
"""

import json
import os
import re
import sys
import threading

CALLS_OF_FIB_15 = 1973


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def make_fib():
    """Nothing but calls: the worst case."""
    return lambda: fib(15)


def make_mix():
    """Work of the kind that servers do, mostly in C."""
    items = [{"name": "cat {}".format(i), "tags": ["a", "b"], "size": i} for i in range(60)]

    def run():
        text = json.dumps(items)
        sizes = sorted((item["size"] for item in json.loads(text)), key=lambda size: -size)
        return len(re.findall(r"cat (\d+)", text)) + sizes[0]

    return run


def make_echo():
    """An asyncio server that answers, and a client that asks 10 times."""
    import asyncio

    loop = asyncio.new_event_loop()

    async def answer(reader, writer):
        while True:
            line = await reader.readline()
            if not line:
                break
            writer.write(line)
            await writer.drain()
        writer.close()

    async def connect():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        return await asyncio.open_connection(*server.sockets[0].getsockname()[:2])

    reader, writer = loop.run_until_complete(connect())

    async def ask():
        for _ in range(10):
            writer.write(b"meow\n")
            await reader.readline()

    return lambda: loop.run_until_complete(ask())


def make_threads(count=8):
    """So many threads at once, which all live on, each with its part of the calls."""
    starts = [threading.Semaphore(0) for _ in range(count)]
    done = threading.Semaphore(0)

    def work(start):
        while True:
            start.acquire()
            for _ in range(max(1, 16 // count)):
                fib(10)
            done.release()

    for start in starts:
        threading.Thread(target=work, args=(start,), daemon=True).start()

    def run():
        for start in starts:
            start.release()
        for _ in starts:
            done.acquire()

    return run


def make_catdemo():
    """The cat server of the talk, a thousand times as fast; it mostly sleeps."""
    sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "catdemo"))
    import demo  # not by its package, which imports catprobe

    sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    return lambda: demo.go(requests=2, speed=1000, seed=1)


def make_functions(count):
    """So many functions, one after the other."""
    scope = {}
    exec("\n".join("def f{0}(): pass".format(i) for i in range(count)), scope)
    functions = [scope["f{}".format(i)] for i in range(count)] * max(1, 1000 // count)

    def run():
        for function in functions:
            function()

    return run


def make_depth(depth):
    """Calls so deep, some thousand in all."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), depth + 1000))

    def down(n):
        return down(n - 1) if n > 1 else 0

    def run():
        for _ in range(max(1, 1000 // depth)):
            down(depth)

    return run


MAKERS = {
    "fib": make_fib,
    "mix": make_mix,
    "echo": make_echo,
    "threads": make_threads,
    "catdemo": make_catdemo,
    "functions": make_functions,
    "depth": make_depth,
}
# Those of the table; the others want a number.
WORKLOADS = ["fib", "mix", "echo", "threads", "catdemo"]


def make(name):
    maker, _, number = name.partition(":")
    return MAKERS[maker](int(number)) if number else MAKERS[maker]()
