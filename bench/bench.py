"""What catprobe costs the traced program, and what others cost: ratios to the same program without it.

    python bench/bench.py [--rounds N] [--workload NAME]... [--scaling] [--save]

Each way is a process of its own, all of them in turn, N times for the first workload, a third of it for the
others. A process tells the fifth percentile of many runs of a millisecond, which repeats where medians drift
with the machine; a figure is the median of the rounds' ratios to the untraced process of the same round and
the same interpreter. A kernel tracer's own cost (some us an event) is in the row that names one, and in no
other.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import ways
from workloads import CALLS_OF_FIB_15, WORKLOADS, make

PAGE = os.path.join(ways.CHECKOUT, "docs", "performance.md")
MARKS = "<!-- measured -->\n", "<!-- end -->\n"


def fifth_percentile(function, seconds=0.8):
    """Seconds that one call of `function` takes."""
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 20:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 20]


def resident():
    """Bytes of this process, with what it shares with the consumer."""
    with open("/proc/self/status") as status:
        return 1024 * sum(int(line.split()[1]) for line in status if line.startswith(("RssAnon", "RssShmem")))


def run_way(way, workload, after):
    """One process: the times while traced and, if asked for, after, and what tracing took of memory."""
    function = make(workload)
    function()
    steps = ways.WAYS[way]()
    before = resident()
    next(steps)
    result = {"armed": fifth_percentile(function), "memory": resident() - before}
    list(steps)
    if after:
        result["after"] = fifth_percentile(function)
    return result


def measure(way, workload, after=False, place=ways.HOST):
    script = os.path.join(place.checkout, "bench", "bench.py")
    words = list(place.command) + [script, "--way", way, "--workload", workload] + ["--after"] * after
    output = subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(output.decode())


def ratios(names, workloads, rounds, after=()):
    """(way, workload, phase) -> the median ratio to the untraced run of the same interpreter; workload -> the
    median seconds of ours. The phase "after" is measured for the workloads in `after`."""
    found, untraced = {}, {}
    places = {ways.place_of(way) for way in names} | {ways.HOST}
    for _ in range(rounds):
        for workload in workloads:
            bases = {place: measure(ways.UNTRACED, workload, place=place)["armed"] for place in places}
            untraced.setdefault(workload, []).append(bases[ways.HOST])
            for way in names:
                place = ways.place_of(way)
                try:
                    result = measure(way, workload, workload in after, place)
                except subprocess.CalledProcessError:
                    continue  # its row says so; the others go on
                for phase in result.keys() - {"memory"}:
                    found.setdefault((way, workload, phase), []).append(result[phase] / bases[place])
    medians = {key: statistics.median(values) for key, values in found.items()}
    return medians, {workload: statistics.median(values) for workload, values in untraced.items()}


def ratio(medians, *key):
    return "{:.2f}".format(medians[key]) if key in medians else "failed"


def print_row(first, cells):
    print("| {:<42} | {} |".format(first, " | ".join("{:>9}".format(cell) for cell in cells)))


def print_heading(first, cells):
    print_row(first, cells)
    print("| {} | {} |".format("-" * 42, " | ".join("-" * 8 + ":" for _ in cells)))


def print_machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "")
    print(
        "{}, CPython {}, {} {}, {} processors {}, load {:.1f}.\n".format(
            datetime.date.today().isoformat(),
            platform.python_version(),
            platform.system(),
            platform.release(),
            os.cpu_count(),
            model or platform.machine(),
            os.getloadavg()[0],
        )
    )


def print_table(workloads, rounds):
    reasons = ways.absent()
    names = [way for way in ways.WAYS if way not in reasons and way != ways.UNTRACED]
    fewer = max(1, rounds // 3)
    medians, untraced = ratios(names, workloads[:1], rounds, after=workloads[:1])
    medians.update(ratios(names, workloads[1:], fewer)[0])
    print(
        "Ratios to the untraced program, medians of {} rounds ({} of the other workloads); last, {} once the "
        "tracer has left.".format(rounds, fewer, workloads[0])
    )
    if "fib" in workloads:
        print(
            "A call of fib takes {:.1f} ns untraced.".format(untraced["fib"] / CALLS_OF_FIB_15 * 1e9), end=""
        )
    print("\n")
    print_heading("", workloads + ["after"])
    for way in names:
        cells = [ratio(medians, way, workload, "armed") for workload in workloads]
        print_row(way, cells + [ratio(medians, way, workloads[0], "after")])
    if reasons:
        print("\nNot measured: " + "; ".join("{} ({})".format(*item) for item in reasons.items()) + ".")


MANY_THREADS = """
import threading, time, catprobe
def work():
    time.sleep(0.001)
def run():
    while True:
        work()
for _ in range(100):
    threading.Thread(target=run, daemon=True).start()
print(flush=True)
threading.Event().wait()
"""


def first_line(rounds, words):
    """Milliseconds from the command's start to its first line, for a process with 100 threads; the median."""
    target = subprocess.Popen([sys.executable, "-c", MANY_THREADS], stdout=subprocess.PIPE)
    target.stdout.readline()
    program = 'python$target:::function-entry { printf("%s\\n", copyinstr(arg1)); }'
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        tracer = subprocess.Popen(words + ["-qn", program, "-p", str(target.pid)], stdout=subprocess.PIPE)
        tracer.stdout.readline()
        times.append((time.perf_counter() - start) * 1e3)
        tracer.terminate()
        tracer.stdout.read()
        tracer.wait()
    target.kill()
    target.wait()
    return statistics.median(times)


# What bench/engine_bench.c is run with, where one thread of C fires: name -> arguments.
BOTH = "python$target:::function-entry, python$target:::function-return"
ENGINE = {
    "no clause for the function": [ways.ONE[1]],
    "count by function": [ways.COUNT[1]],
    "trace(arg2) into a ring": ["-x", "bufpolicy=ring", "-x", "quiet", BOTH + " { trace(arg2); }"],
    "flowindent, into a ring": [
        "-x",
        "bufpolicy=ring",
        "-x",
        "flowindent",
        BOTH + " { trace(copyinstr(arg1)); }",
    ],
    "a_py_flowinfo.d, into a ring": ["-x", "bufpolicy=ring", "d_demo/a_py_flowinfo.d"],
    "b_py_calltime.d": ["d_demo/b_py_calltime.d"],
    "c_py_calldist.d": ["d_demo/c_py_calldist.d"],
}


def run_engine(arguments, rounds):
    """(ns a firing, ns that the consumer takes for a record or None), the median of the best of each run."""
    figures = []
    for _ in range(rounds):
        words = [os.path.join(ways.CHECKOUT, "build", "engine_bench")] + arguments
        output = subprocess.run(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, cwd=ways.CHECKOUT
        )
        words = output.stdout.decode().split()
        figures.append((float(words[0]), float(words[4]) if len(words) > 4 else None))
    firing = statistics.median(figure[0] for figure in figures)
    records = [figure[1] for figure in figures if figure[1]]
    return firing, statistics.median(records) if records else None


def print_engine(rounds):
    print("\nThe engine and the consumer alone, without an interpreter (bench/engine_bench.c):\n")
    print_heading("", ["ns/firing", "lines/s"])
    for name, arguments in ENGINE.items():
        firing, record = run_engine(arguments, rounds)
        print_row(name, ["{:.1f}".format(firing), "{:,.0f}".format(1e9 / record) if record else ""])


def print_times(rounds):
    print("\nFrom the command to the first line of trace, 100 threads:", end=" ")
    figures = []
    for name, words in (("the static binary", ways.BINARY), ("the installed command", ways.peer("catprobe"))):
        if words and os.path.exists(words):
            figures.append("{:.0f} ms ({})".format(first_line(3 * rounds + 6, [words]), name))
    print("; ".join(figures) + ".")
    print("Memory for each thread that fires, 64 threads:", end=" ")
    for way in ("count by function", "calltime: b_py_calltime.d"):
        taken = measure(way, "threads:64")["memory"]
        print("{:.0f} KB ({})".format(taken / 64 / 1024, way), end="; " if way.startswith("count") else ".\n")


SCALES = {
    "threads": (1, 8, 64, 512),
    "functions": (10, 100, 1000, 10000, 100000),
    "depth": (1, 10, 100, 1000, 5000),
}
SCALED = ["count by function", "calltime: b_py_calltime.d"]


def print_scales(rounds):
    for scale, numbers in SCALES.items():
        print("\nRatios as {} grow:\n".format("the depth of calls" if scale == "depth" else "the " + scale))
        print_heading("", ["{:,}".format(number) for number in numbers])
        names = ["{}:{}".format(scale, number) for number in numbers]
        medians, _ = ratios(SCALED, names, rounds)
        for way in SCALED:
            print_row(way, [ratio(medians, way, name, "armed") for name in names])
    print("\nRatios as the processes of one trace grow, each with its fib:\n")
    print_heading("", ["1", "4", "16"])
    print_row("count by function", ["{:.2f}".format(processes_ratio(count)) for count in (1, 4, 16)])


def processes_ratio(count):
    """The median over processes that run at the same time, of traced to untraced."""
    words = [sys.executable, __file__, "--one-of-many"]
    many = [
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)
        for _ in range(count)
    ]
    untraced = ask_all(many)
    targets = [word for process in many for word in ("-p", str(process.pid))]
    tracer = subprocess.Popen(
        ways.command() + ["-q", "-o", os.devnull] + ways.COUNT + targets, stderr=subprocess.DEVNULL
    )
    ask_all(many)  # until all are traced
    traced = ask_all(many)
    tracer.terminate()
    tracer.wait()
    for process in many:
        process.stdin.close()
        process.wait()
    return statistics.median(traced) / statistics.median(untraced)


def ask_all(many):
    for process in many:
        process.stdin.write("\n")
        process.stdin.flush()
    return [float(process.stdout.readline()) for process in many]


def one_of_many():
    """Measures fib for each line of its input."""
    import catprobe  # noqa: F401

    function = make("fib")
    for number, _ in enumerate(sys.stdin):
        if number == 1:
            ways.wait_for(lambda: ways.armed(ways.ENTRY))
        print(fifth_percentile(function, 1), flush=True)


class Tee:
    """Writes to the standard output and keeps what was written."""

    def __init__(self):
        self.out, self.text = sys.stdout, ""

    def write(self, text):
        self.out.write(text)
        self.out.flush()
        self.text += text

    def flush(self):
        self.out.flush()


def save(text):
    """Puts what was measured in its place in docs/performance.md."""
    with open(PAGE) as page:
        old = page.read()
    before, rest = old.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    with open(PAGE, "w") as page:
        page.write(before + MARKS[0] + "\n" + text + "\n" + MARKS[1] + after)


def main():
    parser = argparse.ArgumentParser(description="Measure what catprobe costs the traced program.")
    parser.add_argument(
        "--rounds", type=int, default=3, help="of the first workload; a third of it of others"
    )
    parser.add_argument("--workload", action="append", help="instead of all: " + ", ".join(WORKLOADS))
    parser.add_argument("--scaling", action="store_true", help="how the cost grows, too")
    parser.add_argument("--save", action="store_true", help="into docs/performance.md")
    parser.add_argument("--way", choices=ways.WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--after", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one-of-many", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        result = json.dumps(run_way(options.way, options.workload[0], options.after))
        os.write(1, result.encode())
        os._exit(0)  # threads of the workload never end
    if options.one_of_many:
        one_of_many()
        return
    tee = sys.stdout = Tee()
    print_machine()
    print_table(options.workload or WORKLOADS, options.rounds)
    print_engine(options.rounds)
    print_times(options.rounds)
    if options.scaling:
        print_scales(options.rounds)
    if options.save:
        save(tee.text)


if __name__ == "__main__":
    main()
