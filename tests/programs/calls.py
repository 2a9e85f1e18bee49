# ruff: noqa: C416, PIE804
"""One program with every kind of Python call; the tests compare what is told of it."""

import contextlib
import functools
import operator


def recurse(n):
    return n and recurse(n - 1)


def generator():
    received = yield 1
    try:
        yield received
    except KeyError:
        yield 3


def delegating():
    yield from generator()
    return 4


async def awaited(value):
    return value


async def awaiting():
    return await awaited(1) + await awaited(2)


async def async_generator():
    yield await awaited(1)
    yield 2


async def async_consumer():
    return [value async for value in async_generator()]


def drive(coroutine):
    try:
        while True:
            coroutine.send(None)
    except StopIteration as stop:
        return stop.value


class Plain:
    def __init__(self, value=0):
        self.value = value

    def __getattr__(self, name):
        return name

    def __getitem__(self, key):
        return key

    def __call__(self, *arguments, **keywords):
        return arguments, keywords

    def __add__(self, other):
        return self.value + other

    def __contains__(self, item):
        return item == 1

    def __iter__(self):
        return iter((1, 2))

    def __len__(self):
        return 2

    @property
    def doubled(self):
        return self.value * 2

    @classmethod
    def of_class(cls):
        return cls(1)

    @staticmethod
    def static():
        return 1


class WithSlots:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


class Derived(Plain):
    def __init__(self):
        super().__init__(2)


class Meta(type):
    def __call__(cls, *arguments):
        return super().__call__(*arguments)


class Made(metaclass=Meta):
    def __init__(self):
        self.value = 1


class Raising:
    def __init__(self):
        raise ValueError("in __init__")


def decorate(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


@decorate
def decorated(value):
    return value


@contextlib.contextmanager
def managed():
    yield 1


def raising(depth):
    if depth:
        return raising(depth - 1)
    raise KeyError("deep")


def catching():
    try:
        raising(3)
    except KeyError:
        return 1
    finally:
        recurse(1)


def closure():
    value = 1

    def inner():
        return value

    return inner


def once():
    """Every kind of call, once."""
    recurse(5)
    list(generator())
    thrown = generator()
    next(thrown)
    thrown.send(2)
    thrown.throw(KeyError())
    list(thrown)
    list(delegating())
    drive(awaiting())
    drive(async_consumer())
    plain = Plain(3)
    plain.missing, plain[1], plain(1, key=2), plain + 1, 1 in plain, list(plain), len(plain), plain.doubled
    Plain.of_class().static()
    WithSlots(1), Derived(), Made()
    with contextlib.suppress(ValueError):
        Raising()
    decorated(1)
    with managed():
        recurse(1)
    catching()
    closure()()
    sorted([3, 1, 2], key=lambda value: -value)
    list(map(recurse, [1, 2]))
    functools.reduce(operator.add, (value for value in (1, 2)))
    [value for value in plain]
    {value: recurse(0) for value in (1, 2)}
    eval("recurse(1)")
    exec("def f():\n    return 1\nf()", {})
    functools.partial(recurse, 1)()
    max([1, 2], key=recurse)
    recurse(*[1])
    recurse(**{"n": 1})
