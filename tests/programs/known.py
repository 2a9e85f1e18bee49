"""Calls whose number, depth and time are known; the scripts of toolkit/ are held against them."""

import ast
import gc
import os
import threading
import time

gc.disable()
clock = getattr(time, "thread_time", time.process_time)
NAP = 0.02  # seconds
gates = [os.pipe() for _ in range(3)]
PARKED, RELEASED, GONE = range(3)


def nap():
    time.sleep(NAP)


def burn():
    end = clock() + NAP
    while clock() < end:
        pass


def recur(depth):
    nap()
    if depth > 1:
        recur(depth - 1)


def numbers():
    yield 1
    nap()
    yield 2


def listing():
    return list(numbers())


def deep(depth):
    if not depth:
        raise KeyError("the cat is gone")
    deep(depth - 1)


def catching():
    try:
        deep(2)
    except KeyError:
        nap()


class Cat:
    def __init__(self):
        self.tail = self

    def __del__(self):
        nap()


def collecting():
    Cat()
    gc.collect(2)


def buffers():
    kept = []
    for _ in range(20):
        kept.append(bytes(5000))  # known buffer


def unprintable():
    """A function whose name and file do not encode to UTF-8."""
    tree = ast.parse("def f():\n    return 1\nf()")
    tree.body[0].name = tree.body[1].value.func.id = "\udc80"
    exec(compile(tree, "\udcff.py", "exec"), {})


def threads():
    one, two = threading.Thread(target=recur, args=(2,)), threading.Thread(target=recur, args=(2,))
    one.start()
    two.start()
    one.join()
    two.join()


def once():
    recur(3)
    listing()
    catching()
    burn()
    collecting()
    unprintable()
    threads()


def parked():
    """Begins before the tracer comes, and ends while it looks."""
    os.write(gates[PARKED][1], b"\n")
    os.read(gates[RELEASED][0], 1)
    nap()


def park():
    def thread():
        parked()
        os.write(gates[GONE][1], b"\n")

    gc.collect()
    threading.Thread(target=thread, daemon=True).start()
    os.read(gates[PARKED][0], 1)


def release():
    os.write(gates[RELEASED][1], b"\n")
    os.read(gates[GONE][0], 1)
