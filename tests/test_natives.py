"""The C function that a frame has called is its leaf: compared with what the program does."""

import json
import subprocess
import sys
from collections import Counter

import pytest
from test_record import stacks
from tracing import run
from waiting import until

# 40% in sleep, 20% in sorted, 20% in sha256, 20% in Python, by the clock.
SHARES = """
import hashlib
import time

import catprobe

data = b"cat" * 10 ** 5
words = [str(number) for number in range(4000)]


def lasts(seconds, call):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        call()


def counts():
    for _ in range(10000):
        pass


def sleeps():
    time.sleep(0.08)


def sorts():
    lasts(0.04, lambda: sorted(words))


def hashes():
    lasts(0.04, lambda: hashlib.sha256(data))


def plain():
    lasts(0.04, counts)


print("ready", flush=True)
while True:
    sleeps()
    sorts()
    hashes()
    plain()
"""

# Each function waits in one C function, called in its own way, with its own depth of the value stack.
WAYS = """
import functools
import threading
import time

import catprobe

PAUSE = 0.02
lock = threading.Lock()
lock.acquire()


class Context:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def by_name():
    time.sleep(PAUSE)


def by_method():
    lock.acquire(True, PAUSE)


def by_keyword():
    lock.acquire(timeout=PAUSE)


def by_star():
    time.sleep(*[PAUSE], **{})


def as_an_argument():
    print(1, [2, dict(three=time.sleep(PAUSE))], file=null)


def in_a_loop():
    for one in [1]:
        for _ in [one, {one: time.sleep(PAUSE / 2)}]:
            pass
        else:
            time.sleep(PAUSE)


def in_with():
    with Context() as _, Context():
        time.sleep(PAUSE)


def after_with():
    with Context():
        pass
    time.sleep(PAUSE)


def in_except():
    try:
        raise KeyError
    except KeyError as error:
        [error, time.sleep(PAUSE)]


def in_finally():
    try:
        raise KeyError
    except KeyError:
        pass
    finally:
        time.sleep(PAUSE)


def after_finally():
    try:
        null.write("")
    finally:
        null.flush()
    time.sleep(PAUSE)


def generates():
    yield 1
    yield [2, time.sleep(PAUSE)]


def in_a_generator():
    list(generates())


def comprehends():
    return [time.sleep(PAUSE) for _ in "1"]


def by_partial():
    functools.partial(time.sleep, PAUSE)()


async def in_a_coroutine():
    async with Asynchronous():
        time.sleep(PAUSE)


class Asynchronous:
    async def __aenter__(self):
        pass

    async def __aexit__(self, *_):
        pass


def runs_coroutine():
    try:
        in_a_coroutine().send(None)
    except StopIteration:
        pass


def returns(value):
    return value


def in_python():
    end = time.perf_counter() + PAUSE
    while time.perf_counter() < end:
        for number in range(1000):
            returns(number)


null = open("/dev/null", "w")
print("ready", flush=True)
while True:
    for function in (
        by_name, by_method, by_keyword, by_star, as_an_argument, in_a_loop, in_with, after_with,
        in_except, in_finally, after_finally, in_a_generator, comprehends, by_partial,
        runs_coroutine, in_python,
    ):
        function()
"""

EXPECTED = {
    "by_name": "<time.sleep>",
    "by_method": "<_thread.lock.acquire>",
    "by_keyword": "<_thread.lock.acquire>",
    "by_star": "<time.sleep>",
    "as_an_argument": "<time.sleep>",
    "in_a_loop": "<time.sleep>",
    "in_with": "<time.sleep>",
    "after_with": "<time.sleep>",
    "in_except": "<time.sleep>",
    "after_finally": "<time.sleep>",
    "generates": "<time.sleep>",
    "comprehends": "<time.sleep>",
    "by_partial": "<functools.partial>",
    "in_a_coroutine": "<time.sleep>",
}
if sys.version_info >= (3, 9):
    EXPECTED["in_finally"] = "<time.sleep>"


@pytest.fixture
def start(environment, tmp_path):
    started = []

    def begin(source):
        path = tmp_path / "program.py"
        path.write_text(source)
        process = subprocess.Popen([sys.executable, str(path)], env=environment, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def record(environment, tmp_path, process, *options):
    out = tmp_path / "out.txt"
    result = run(environment, "record", process.pid, "-i", "-d", "4", "-o", out, *options)
    assert result.returncode == 0, result
    return stacks(out)


def last_names(stack):
    return {name.rpartition(".")[2] for name in stack}


def test_shares_of_c_functions_are_the_truth(environment, start, tmp_path):
    found = record(environment, tmp_path, start(SHARES), "-r", "500")
    total = sum(samples for _, samples in found)
    leaves = Counter()
    for stack, samples in found:
        leaves[stack[-1]] += samples / total
    assert leaves["<time.sleep>"] == pytest.approx(0.4, abs=0.12), leaves
    assert leaves["<sorted>"] == pytest.approx(0.2, abs=0.08), leaves
    hashing = leaves["<_hashlib.openssl_sha256>"] + leaves["<_sha256.sha256>"]  # without OpenSSL
    assert hashing == pytest.approx(0.2, abs=0.08), leaves
    assert leaves["counts"] == pytest.approx(0.2, abs=0.08), leaves


def test_a_call_is_told_wherever_it_stands(environment, start, tmp_path):
    found = record(environment, tmp_path, start(WAYS), "-r", "500", "-F")
    leaves = {function: Counter() for function in list(EXPECTED) + ["in_python"]}
    for stack, samples in found:
        for function in last_names(stack) & set(leaves):
            leaves[function][stack[-1].rpartition("<locals>.")[2]] += samples
    for function, expected in EXPECTED.items():
        seen = leaves[function]
        assert seen[expected] > 0.8 * sum(seen.values()) > 10, (function, seen)
    # The names are those of functions that are really called, and where none is called there is none.
    known = set(EXPECTED.values()) | {"<time.perf_counter>", "<print>", "<list>", "<_io.TextIOWrapper.write>"}
    known |= {"<_io.TextIOWrapper.flush>", "<range>", "<coroutine.send>", "<dict>", "<listcomp>", "<module>"}
    assert {leaf for stack, _ in found for leaf in stack[-1:] if leaf.startswith("<")} <= known, found
    own = leaves["in_python"]
    assert own["in_python"] + own["returns"] > 0.8 * sum(own.values()), own


def test_dump_and_top_show_it_too(environment, start):
    process = start("import catprobe, time\nprint('ready', flush=True)\ntime.sleep(1000)\n")

    def frames():
        (thread,) = json.loads(run(environment, "dump", "--json", process.pid).stdout)
        return [frame["name"] for frame in thread["frames"]]

    until(lambda: frames() == ["<time.sleep>", "<module>"])
    assert "\n    <time.sleep>\n    <module> (program.py:3)\n" in run(environment, "dump", process.pid).stdout
    rows = json.loads(run(environment, "top", "-iF", "--json", "--seconds", 1, process.pid).stdout)[
        "functions"
    ]
    own = {row["function"]: row["own_percent"] for row in rows}
    assert own["<time.sleep>"] > 95 and own["<module>"] < 5, own


@pytest.mark.parametrize("suffix", ["svg", "html", "speedscope.json", "pb.gz", "pftrace"])
def test_each_format_has_it(environment, start, tmp_path, suffix):
    process = start("import catprobe, time\nprint('ready', flush=True)\ntime.sleep(1000)\n")
    out = tmp_path / ("out." + suffix)
    assert run(environment, "record", process.pid, "-i", "-r", "50", "-d", "1", "-o", out).returncode == 0
    content = out.read_bytes()
    assert b"<time.sleep>" in content or b"&lt;time.sleep&gt;" in content or b"\\u003ctime.sleep" in content
