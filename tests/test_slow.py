"""catprobe slow: the tree of each call that took too long."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from tracing import command, program, run, server, tracing
from waiting import SECONDS, until

SHOP = """
import json
import threading
import time


def query(seconds):
    time.sleep(seconds)


def tiny(n):
    return n


def price(n):
    total = 0
    for i in range(n):
        total += tiny(i)
    return total


def checkout(seconds, n=3):
    query(seconds)
    price(n)
    query(seconds / 2)


def wait(file):
    file.read()


def other():
    time.sleep(0.08)


def work():
    checkout(0.06)
    other()


{main}
"""

LINE = re.compile(r"^ *(\d+\.\d{3}) ms +(\d+\.\d)%  ( *)(?:(\d+) calls? of )?(.+)$")
HEAD = re.compile(r"^[\d-]{10} [\d:]{8}\.\d{3}  (\S+) took (\d+\.\d{3}) ms in process (\d+), thread (.*)$")


@pytest.fixture
def slow(tmp_path, environment):
    def trace(main, *options):
        path = tmp_path / "shop.py"
        path.write_text(SHOP.format(main=main))
        result = run(environment, "slow", *(options + ("--", sys.executable, path)))
        assert result.returncode == 0, result
        return result

    return trace


def trees(output):
    """[(function, ms, thread, [(depth, folded or None, what, ms)])]"""
    found = []
    for line in output.splitlines():
        head, row = HEAD.match(line), LINE.match(line)
        if head:
            found.append((head.group(1), float(head.group(2)), head.group(4), []))
        elif row:
            folded = row.group(4) and int(row.group(4))
            found[-1][3].append((len(row.group(3)) // 2, folded, row.group(5), float(row.group(1))))
        else:
            assert line == "" or line.startswith("   (the shortest are folded: "), line
    return found


def test_what_took_too_long_is_shown_and_nothing_else(slow):
    result = slow(
        "checkout(0.001)\ncheckout(0.1)\nother()\ncheckout(0.002)", "--function", "checkout", "--over", "50ms"
    )
    ((function, took, thread, rows),) = trees(result.stdout)
    assert (function, thread) == ("checkout", "MainThread") and took >= 150
    assert [(depth, what) for depth, _, what, _ in rows] == [
        (0, "checkout  (shop.py:22)"),
        (1, "query  (shop.py:7)"),
        (1, "price  (shop.py:15)"),
        (2, "tiny  (shop.py:11)"),
        (2, "tiny  (shop.py:11)"),
        (2, "tiny  (shop.py:11)"),
        (1, "query  (shop.py:7)"),
    ]
    times = [ms for _, _, _, ms in rows]
    assert times[0] == took and times[1] >= 100 and times[6] >= 50
    assert times[1] + times[2] + times[6] <= took and sum(times[3:6]) <= times[2]
    assert "1 of 3 calls took 50.000 ms or more" in result.stderr


def test_millions_of_calls_are_folded_and_said_to_be(slow):
    result = slow("checkout(0.05, 200000)", "--function", "checkout", "--over", "50ms", "--lines", "40")
    ((_, took, _, rows),) = trees(result.stdout)
    tiny = [(folded or 1) for _, folded, what, _ in rows if what == "tiny  (shop.py:11)"]
    others = sum(folded for _, folded, what, _ in rows if what == "other functions")
    assert len(rows) <= 40 and max(tiny) > 150000
    assert sum(tiny) + others == 200000, result.stderr
    said = re.search(r"\(the shortest are folded: (\d+) calls, with all that they called\)", result.stdout)
    assert int(said.group(1)) == sum(folded or 0 for _, folded, _, _ in rows)
    assert sum(ms for depth, _, _, ms in rows if depth == 1) <= took
    assert [what for _, _, what, ms in rows if ms >= 25 and "query" in what] == ["query  (shop.py:7)"] * 2


NESTED = """
def nested(n):
    time.sleep(0.04)
    if n:
        nested(n - 1)


nested(2)
"""


def test_a_call_within_another_is_shown_once(slow):
    result = slow(NESTED, "--function", "nested", "--over", "60ms")
    first, second = trees(result.stdout)
    assert [depth for depth, _, _, _ in first[3]] == [0, 1], "40 ms are not too long: a part of the tree"
    assert [what.endswith("shown above") for _, _, what, _ in second[3]] == [False, True]
    assert second[1] >= first[1] + 40


def test_a_thread_without_a_name_has_its_number(environment, tmp_path):
    """Of one that ran before the tracer came, Python's name is not known; from 3.14 on the kernel has it."""
    text = """
import threading, time
import catprobe

def nap():
    time.sleep(0.1)

def work():
    print("ready", flush=True)
    while True:
        nap()

threading.Thread(target=work, daemon=True).start()
time.sleep(1000)
"""
    with program(tmp_path, environment, text) as process:
        result = run(environment, "slow", "--function", "nap", "--over", "1ms", "-d", "1", process.pid)
        threads = {thread for _, _, thread, _ in trees(result.stdout)}
        tids = set(os.listdir("/proc/{}/task".format(process.pid)))
    assert threads and (threads <= tids or sys.version_info >= (3, 14)), result


def test_each_thread_is_on_its_own(slow):
    main = """
threads = [threading.Thread(target=work, name="till-%d" % n) for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
    found = trees(slow(main, "--function", "checkout", "--over", "50ms").stdout)
    assert sorted(thread for _, _, thread, _ in found) == ["till-0", "till-1", "till-2"]
    for _, _, _, rows in found:
        assert [what.split()[0] for _, _, what, _ in rows].count("query") == 2
        assert not any("other" in what for _, _, what, _ in rows)


def test_mine_leaves_out_the_standard_library(slow):
    main = "def dump():\n    json.dumps([1, {}])\n    query(0.05)\n\n\ndump()\n"
    names = [
        what.split()[0]
        for _, _, what, _ in trees(slow(main, "--function", "dump", "--over", "10ms").stdout)[0][3]
    ]
    assert "dumps" in names and "query" in names
    mine = slow(main, "--function", "dump", "--over", "10ms", "--mine")
    assert [what.split()[0] for _, _, what, _ in trees(mine.stdout)[0][3]] == ["dump", "query"]


def test_an_exception_ends_a_call(slow):
    main = """
def boom():
    query(0.06)
    raise KeyError


def caught():
    try:
        boom()
    except KeyError:
        query(0.01)


caught()
caught()
"""
    for function, expected in (("boom", ["boom", "query"]), ("caught", ["caught", "boom", "query", "query"])):
        found = trees(slow(main, "--function", function, "--over", "50ms").stdout)
        assert [[what.split()[0] for _, _, what, _ in rows] for _, _, _, rows in found] == [expected] * 2


def total(call):
    return 1 + sum(total(inner) for inner in call["calls"])


def test_json_is_a_document_on_each_line(slow):
    result = slow(
        "checkout(0.06)\ncheckout(0.001)\ncheckout(0.06)",
        "--function",
        "checkout",
        "--over",
        "50ms",
        "--json",
    )
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(documents) == 2 and documents[0]["time_ns"] < documents[1]["time_ns"]
    for document in documents:
        call = document["call"]
        assert document["thread"] == "MainThread" and document["pid"] == document["tid"] > 0
        assert (call["function"], call["start_ns"]) == ("checkout", 0) and call["duration_ns"] >= 90000000
        assert call["file"].endswith("/shop.py") and call["line"] == 22
        assert [inner["function"] for inner in call["calls"]] == ["query", "price", "query"]
        assert len(call["calls"][1]["calls"]) == 3 and total(call) == 7
        ends = [inner["start_ns"] + inner["duration_ns"] for inner in call["calls"]]
        assert ends == sorted(ends) and ends[-1] <= call["duration_ns"]


def test_it_is_printed_as_soon_as_it_has_returned(tmp_path, environment):
    words = ("slow", "--function", "call", "--over", "1us")
    with server(tmp_path, environment) as target, tracing(tmp_path, environment, *words, target.pid) as trace:
        trace.armed()
        target.call()
        trace.printed("call took")
        until(lambda: trace.output().count("leaf") == 20, "all of the tree")
        assert trace.stop() == 0


def test_what_has_not_returned_is_told(tmp_path, environment):
    path = tmp_path / "shop.py"
    path.write_text(SHOP.format(main="checkout(0.001)\nprint('go', flush=True)\nimport sys\nwait(sys.stdin)"))
    words = ("slow", "--function", "wait", "--over", "50ms", "--", sys.executable, path)
    process = subprocess.Popen(
        command(*words),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert process.stdout.readline() == "go\n"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)  # so long that it is too long
    process.send_signal(signal.SIGINT)
    process.wait(SECONDS)
    output, errors = process.communicate(timeout=SECONDS)  # and the program reads the end of its input
    assert output == "", errors
    assert re.search(
        r"catprobe: wait in process \d+, thread MainThread, has not returned after [\d.]+ ms\n", errors
    )
    assert "catprobe: 0 of 0 calls took 50.000 ms or more\n" in errors


@pytest.mark.once
@pytest.mark.parametrize(
    "words, said",
    [
        (("--over", "1s"), "slow: calls of which function? --function GLOB"),
        (("--function", "x"), "slow: how long is too long? --over 500ms"),
        (("--function", "x", "--over", "5"), "--over takes a time such as 500ms, 1.5s or 2m, not 5"),
        (
            ("--function", "x", "--over", "1s", "--lines", "3"),
            "--lines takes a number from 10 to 1000000, not 3",
        ),
    ],
)
def test_wrong_words_are_told(environment, words, said):
    result = run(environment, "slow", *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "catprobe: {} (see: catprobe --help)\n".format(said)


@pytest.mark.once
@pytest.mark.parametrize("option", [(), ("-o", "/dev/full")])
def test_a_full_disk_is_told(tmp_path, environment, option):
    path = tmp_path / "shop.py"
    path.write_text(SHOP.format(main="checkout(0.02)"))
    words = ("slow", "--function", "checkout", "--over", "10ms") + option + ("--", sys.executable, path)
    with open("/dev/full", "w") as full:
        process = subprocess.Popen(
            command(*words), env=environment, stdout=full, stderr=subprocess.PIPE, universal_newlines=True
        )
        _, errors = process.communicate(timeout=2 * SECONDS)
    told = [line for line in errors.splitlines() if "cannot write" in line]
    name = option[1] if option else "the output"
    assert told == ["catprobe: cannot write {}: No space left on device".format(name)], errors
    assert process.returncode == 1
