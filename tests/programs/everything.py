"""Does each thing that there is a probe for, once. The tests look up the lines by the comments."""

import ast
import contextlib
import gc
import os
import sys
import threading

gc.disable()


def outer():
    return inner(2)  # outer returns


def inner(number):
    total = number + 1
    return total  # inner returns


class Video:
    def play(self):
        return 1  # play returns

    @staticmethod  # stop begins
    def stop():
        return 2  # stop returns


def numbers():
    yield 1  # numbers yields
    yield 2  # numbers yields again


def failing():
    raise KeyError("the cat is gone")  # failing raises


def failing_quietly():
    raise ValueError(3)  # failing_quietly raises


def calls():
    outer()
    Video().play()
    Video.stop()
    list(numbers())
    with contextlib.suppress(KeyError):
        failing()


def c_calls():
    len("cat")  # c_calls calls len
    "cat".upper()  # c_calls calls upper
    with contextlib.suppress(TypeError):
        ord("cats")  # c_calls calls ord


def raises():
    for function in (failing, failing_quietly):
        with contextlib.suppress(Exception):
            function()


def collect(generation, cycles=0):
    """Collect a generation in which there are so many objects that hold themselves."""
    gc.collect()
    cycle = None
    for _ in range(cycles):
        cycle = []
        cycle.append(cycle)
    del cycle
    return gc.collect(generation)


def imports():
    import imported  # noqa: F401

    with contextlib.suppress(ImportError):
        import there_is_none  # noqa: F401


def audits():
    if hasattr(sys, "audit"):
        sys.audit("catprobe.cat", 1, "two")


def thread():
    return 1  # thread returns


def threads():
    before = os.listdir("/proc/self/task")
    work = threading.Thread(target=thread, name="cat thread")
    work.start()
    work.join()
    while os.listdir("/proc/self/task") != before:  # its end comes a little after that of its Python
        pass


def forks():
    pid = os.fork()
    if not pid:
        in_child()
        os._exit(0)
    os.waitpid(pid, 0)


def in_child():
    return inner(3)


def unprintable():
    """A function whose name and file do not encode to UTF-8."""
    tree = ast.parse("def f():\n    return 1\nf()")
    tree.body[0].name = tree.body[1].value.func.id = "\udc80"
    exec(compile(tree, "\udcff.py", "exec"), {})


def finished():
    """When a tracer of functions has printed this, it has printed what was before."""


def all():
    calls()
    c_calls()
    raises()
    collect(1, 5)
    imports()
    audits()
    threads()
    unprintable()
