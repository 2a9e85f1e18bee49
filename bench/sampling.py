"""What a sample costs the sampler's thread beyond the timer's wake-up, and whether it keeps up.

    python bench/sampling.py [--rounds N] [--seconds S] [SITUATION]...

CPU time, so that what else runs disturbs it little; the wake-up's own is measured in turn with it, by
bench/wakeup.c at the same rate beside the same program. The medians of the rounds are told. Needs Linux.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKOUT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(CHECKOUT, "tests"))

from sampling_client import IDLE, NATIVE, Viewer  # noqa: E402

FIB = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def run():
    while True:
        fib(20)
"""
NATIVE_LEAF = """
def run():
    words = list(range(1000))
    while True:
        sorted(words)
"""
DEEP = """
def deep(n):
    return deep(n - 1) if n else fib_forever()


def fib_forever():
    while True:
        fib(8)


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def run():
    sys.setrecursionlimit(5000)
    for _ in range(31):
        threading.Thread(target=deep, args=(196,), daemon=True).start()
    deep(196)
"""
MANY = """
def run():
    threading.stack_size(256 * 1024)
    for _ in range(499):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    threading.Event().wait()
"""

# Program, rate, flags: those that wait are sampled too, C functions are frames, as `record` asks for.
SITUATIONS = {
    "fib": (FIB, 10000, NATIVE),
    "native": (NATIVE_LEAF, 1000, NATIVE),
    "deep": (DEEP, 1000, IDLE | NATIVE),
    "many": (MANY, 100, IDLE | NATIVE),
}


def wakeup(rate, seconds):
    """Microseconds."""
    words = [os.path.join(CHECKOUT, "build", "wakeup"), str(10**9 // rate), str(int(rate * seconds))]
    return float(subprocess.check_output(words)) / 1000


NAMES = "ticks", "ticks_missed", "torn", "written", "retried", "spent"


def sample(environment, pid, rate, flags, seconds):
    """What is counted in so much time, and the microseconds that it took, the start left out."""
    viewer = Viewer(environment, pid, 1 / rate, flags=flags)
    before = None
    for end in time.monotonic() + 0.3, time.monotonic() + 0.3 + seconds:
        while time.monotonic() < end:
            time.sleep(0.05)
            for _ in viewer.read():
                pass
        counts = [viewer.count(name) for name in NAMES]
        before, counts = counts, [count - old for count, old in zip(counts, before or counts)]
    viewer.close()
    return dict(zip(NAMES, counts))


def measure(situation, seconds, rounds):
    text, rate, flags = SITUATIONS[situation]
    program = "import catprobe, sys, threading\n{}\nprint(flush=True)\nrun()\n".format(text)
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, CATPROBE_DIR=folder)
        process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE)
        try:
            process.stdout.readline()
            time.sleep(0.5)
            pairs = [
                (wakeup(rate, seconds), sample(environment, process.pid, rate, flags, seconds))
                for _ in range(rounds)
            ]
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
    total = {name: sum(counts[name] for _, counts in pairs) for name in NAMES}
    samples = total["written"] + total["torn"]
    a_tick = statistics.median(counts["spent"] / 1000 / counts["ticks"] - least for least, counts in pairs)
    return {
        "wake-up us": statistics.median(least for least, _ in pairs),
        "us a tick": a_tick,
        "us a sample": a_tick * total["ticks"] / samples,
        "missed %": 100 * total["ticks_missed"] / (total["ticks"] + total["ticks_missed"]),
        "torn %": 100 * total["torn"] / samples,
        "retried %": 100 * total["retried"] / samples,
        "samples a tick": samples / total["ticks"],
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("situations", nargs="*", metavar="SITUATION", help="of " + ", ".join(SITUATIONS))
    arguments = parser.parse_args()
    for number, situation in enumerate(arguments.situations or SITUATIONS):
        figures = measure(situation, arguments.seconds, arguments.rounds)
        if not number:
            print(" " * 8 + "".join("{:>16}".format(name) for name in figures))
        print("{:8}".format(situation) + "".join("{:>16.2f}".format(figure) for figure in figures.values()))


if __name__ == "__main__":
    main()
