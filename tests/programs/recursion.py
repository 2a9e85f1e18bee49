# ruff: noqa: C417
"""Recursion of many kinds, for test_recursion.py.

recursion.py limits traced|untraced [LIMIT]: {kind: at which depth it raised RecursionError}
recursion.py deep traced|untraced DEPTH [LIMIT [STACK_SIZE]]: one recursion; with STACK_SIZE in a thread
"""

import functools
import json
import operator
import sys
import threading

import record


class Counter:
    depth = 0

    def tick(self):
        self.depth += 1


counter = Counter()


def plain():
    counter.depth += 1
    plain()


def by_map():
    counter.depth += 1
    list(map(lambda _: by_map(), [1]))


def by_yield_from():
    counter.depth += 1
    yield from by_yield_from()


def by_next():
    counter.depth += 1
    yield next(by_next())


def by_sorted_key(_=None):
    counter.depth += 1
    sorted([1, 2], key=by_sorted_key)


def by_partial():
    counter.depth += 1
    functools.partial(by_partial)()


def by_reduce(*_):
    counter.depth += 1
    functools.reduce(by_reduce, [1, 2])


def by_exec():
    counter.depth += 1
    exec("by_exec()", globals())


def by_star(*arguments, **keywords):
    counter.depth += 1
    by_star(*arguments, **keywords)


async def by_await():
    counter.depth += 1
    await by_await()


class Recursive:
    def __init__(self, deep=False):
        if deep:
            counter.depth += 1
            Recursive(True)

    def __getattr__(self, name):
        counter.depth += 1
        return self.missing

    def __call__(self):
        counter.depth += 1
        return self()

    def __add__(self, other):
        counter.depth += 1
        return self + other

    def __lt__(self, other):
        counter.depth += 1
        return sorted([self, other])

    def __getitem__(self, key):
        counter.depth += 1
        return self[key]

    def __repr__(self):
        counter.depth += 1
        return repr([self, Recursive()])

    @property
    def read(self):
        counter.depth += 1
        return self.read

    def by_getter(self):
        counter.depth += 1
        return operator.methodcaller("by_getter")(self)


KINDS = {
    "plain": plain,
    "map": by_map,
    "yield from": lambda: next(by_yield_from()),
    "next": lambda: next(by_next()),
    "sorted key": by_sorted_key,
    "partial": by_partial,
    "reduce": by_reduce,
    "exec": by_exec,
    "star": lambda: by_star(1, 2, key=3),
    "await": lambda: by_await().send(None),
    "__init__": lambda: Recursive(True),
    "__getattr__": lambda: Recursive().missing,
    "__call__": lambda: Recursive()(),
    "__add__": lambda: Recursive() + 1,
    "__lt__": lambda: Recursive() < Recursive(),
    "__getitem__": lambda: Recursive()[1],
    "__repr__": lambda: repr(Recursive()),
    "property": lambda: Recursive().read,
    "methodcaller": lambda: Recursive().by_getter(),
}


if sys.version_info >= (3, 15):  # never ends there: specialised, it is not counted
    del KINDS["star"]

# The others take more C stack than CPython 3.13 thinks, and crash untraced too, where the limit is high.
SAFE = set(KINDS) - {"sorted key", "__lt__"}


def limits(traced, limit=None):
    depths = {}
    if limit:
        sys.setrecursionlimit(limit)
    for name, function in KINDS.items():
        if limit and name not in SAFE:
            continue
        if traced:
            record.start(*record.FUNCTIONS)
        for _ in range(3):  # the first calls are not what the specialised ones are
            counter.depth = 0
            try:
                function()
            except (RecursionError, MemoryError):  # the latter where a parser finds the stack too full
                depths[name] = counter.depth
        record.stop()
    return depths


def descend(n):
    return 0 if n == 0 else descend(n - 1) + 1


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except RecursionError:
        return "RecursionError"


def deep(traced, depth, limit=None, stack_size=None):
    if traced:
        record.start(*record.FUNCTIONS)
    if limit:
        sys.setrecursionlimit(limit)
    results = []
    if stack_size:
        threading.stack_size(stack_size)
        thread = threading.Thread(target=lambda: results.append(outcome(descend, depth)))
        thread.start()
        thread.join()
    else:
        results.append(outcome(descend, depth))
    return results[0]


def main(what, traced, *numbers):
    report = {"result": {"limits": limits, "deep": deep}[what](traced == "traced", *map(int, numbers))}
    report.update(record.status("function-entry"))
    events = [event[0] for event in record.stop() if event[3] == "descend"]
    report["entries"], report["returns"] = (events.count(probe) for probe in record.FUNCTIONS)
    report["again"] = len(record.heard(record.FUNCTIONS, descend, 1))
    print(json.dumps(report))


main(*sys.argv[1:])
