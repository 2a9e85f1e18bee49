"""Fails when tracing costs more instructions than was recorded: counted by callgrind, which no load disturbs.

    python bench/check.py [--record]

Of each way a process runs fib(15) some times within dir(), by whose name callgrind knows what to count. What
depends on the compiler is left out by ratios to the untraced run. bench/recorded.json has them for each
version of CPython, and the engine's instructions for each firing.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

import ways
from workloads import CALLS_OF_FIB_15, make

from bench import ENGINE

RECORDED = os.path.join(ways.HERE, "recorded.json")
WORSE = 1.15
SAME = 1.005  # where nothing at all is to be seen
RUNS = 40
WARM = 40  # before that, so that CPython has specialised its bytecode
ROUNDS = 4, 24  # of the engine's bench; their difference counts

AFTER = {  # of a process that was traced until now
    "after count by function": "count by function",
    "after one function": "one function, which is not called",
}
ONE = ["one function, which is not called", "flow of one function, which is not called"]
CHECKED = [
    "loaded, nobody attached",
    *AFTER,
    "count by function",
    "every entry and return, into a ring",
    "calltime: b_py_calltime.d",
    *ONE,
    "the hooks alone: entry and return",
]
UNCHANGED = ["loaded, nobody attached", *AFTER]
# By sys.monitoring the others are left alone; before it an evaluator that does nothing takes 1.42 on 3.11.
MOST = dict.fromkeys(ONE, 1.02 if sys.version_info >= (3, 12) else 1.5)


def instructions(words, *options):
    environment = dict(os.environ, PYTHONHASHSEED="0")
    with tempfile.NamedTemporaryFile("r") as log:
        callgrind = [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--log-file=" + log.name,
        ]
        subprocess.run(
            callgrind + list(options) + words,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            cwd=ways.CHECKOUT,
            env=environment,
        )
        return int(re.search(r"Collected *: *(\d+)", log.read()).group(1))


def of_a_call(way):
    """Instructions of a call of fib, in CPython and in us."""
    all_runs = instructions([sys.executable, __file__, "--way", way], "--toggle-collect=PyObject_Dir")
    return all_runs / (RUNS * CALLS_OF_FIB_15)


def of_a_firing(arguments):
    few, many = (
        instructions(
            [os.path.join(ways.CHECKOUT, "build", "engine_bench"), "-n", "-r", str(rounds)] + arguments
        )
        for rounds in ROUNDS
    )
    return (many - few) / ((ROUNDS[1] - ROUNDS[0]) * 2 * CALLS_OF_FIB_15)


class Counted:
    """Whose dir() runs a function."""

    def __init__(self, function):
        self.function = function

    def __dir__(self):
        for _ in range(RUNS):
            self.function()
        return []


def run_way(way):
    function = make("fib")
    steps = ways.WAYS[AFTER.get(way, way)]()
    next(steps)
    if way in AFTER:
        list(steps)
    for _ in range(WARM):
        function()
    dir(Counted(function))
    os._exit(0)


def measure():
    untraced = of_a_call(ways.UNTRACED)
    print("An untraced call of fib takes {:.0f} instructions.".format(untraced))
    calls = {way: round(of_a_call(way) / untraced, 3) for way in CHECKED}
    firings = {name: round(of_a_firing(arguments), 1) for name, arguments in ENGINE.items()}
    return {"engine": firings, "{}.{}".format(*sys.version_info[:2]): calls}


def main():
    parser = argparse.ArgumentParser(description="Compare what tracing costs with what was recorded.")
    parser.add_argument("--record", action="store_true", help="record what is measured now")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        run_way(options.way)
    with open(RECORDED) as file:
        recorded = json.load(file)
    measured = measure()
    worse = []
    for part, figures in measured.items():
        print("\n{:<40} {:>9} {:>9}".format(part, "recorded", "now"))
        for name, now in figures.items():
            before = recorded.get(part, {}).get(name)
            limit = SAME if name in UNCHANGED else MOST.get(name) or (before and before * WORSE)
            failed = bool(limit) and now > limit
            print("{:<40} {:>9} {:>9}{}".format(name, before or "-", now, "  worse" if failed else ""))
            worse += [name] * failed
    if options.record:
        recorded.update(measured)
        with open(RECORDED, "w") as file:
            json.dump(recorded, file, indent=4, sort_keys=True)
            file.write("\n")
    elif worse:
        sys.exit(
            "bench-check: more than recorded: {}; if so meant: make bench-check BENCH_ARGS=--record".format(
                ", ".join(worse)
            )
        )


if __name__ == "__main__":
    main()
