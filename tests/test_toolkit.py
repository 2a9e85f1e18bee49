"""The scripts of toolkit/ on programs whose calls are known: by the embedded engine, by the real DTrace."""

import re
import subprocess
import sys
from collections import Counter

import pytest
from test_d_demo import histograms, tables
from tracers import (  # noqa: F401 (here is a fixture)
    CHECKOUT,
    DTrace,
    Target,
    Tracer,
    flow,
    here,
    line_in,
    prescribed,
    until,
    with_depth,
)

TOOLKIT = CHECKOUT / "toolkit"
SCRIPTS = sorted(path.stem for path in TOOLKIT.glob("*.d"))
KERNEL = ["py_syscalls", "py_syscolors"]  # for DTrace alone
VTIMESTAMP = ["py_cpudist", "py_cputime"]  # for the engine alone: DTrace 2.0 for Linux has none
JSTACK = ["py_mallocstk", "py_profile"]  # likewise

# The functions of tests/programs/known.py that release() and once() call, and how often.
KNOWN = {
    "release": 1, "once": 1, "nap": 11, "recur": 7, "listing": 1, "numbers": 3, "catching": 1, "deep": 3,
    "burn": 1, "collecting": 1, "__init__": 1, "__del__": 1, "unprintable": 1, "threads": 1,
}  # fmt: skip
UNPRINTABLE = {"<module>": 1, "?": 1}  # those of a file without a name
COLLECTION = ("-", "gc", "generation 2")
TOTAL = ("-", "total", "-")
NAP = 20000  # microseconds, of sleep or of work


# ---- What they say, without a tracer


@pytest.mark.once
@pytest.mark.parametrize("name", SCRIPTS)
def test_the_header_says_how_to_run_it(name):
    header, program = (TOOLKIT / (name + ".d")).read_text().split("*/\n", 1)
    assert header.startswith("#!/usr/sbin/dtrace -Zs\n/*\n * {}.d: ".format(name))
    assert "\tsudo dtrace -s toolkit/{}.d -p 24601".format(name) in header
    assert ("\tcatprobe -s toolkit/{}.d -p 24601".format(name) in header) == (name not in KERNEL)
    assert " * COLUMNS" in header
    assert len(header.split(" * EXAMPLE", 1)[1].splitlines()) > 3
    assert ("vtimestamp" in header) == (name in VTIMESTAMP)
    assert ("no jstack()" in header) == (name in JSTACK)
    providers = {"python$target", "dtrace"} | ({"syscall"} if name in KERNEL else set())
    providers -= {"python$target"} if name == "py_profile" else set()
    assert set(re.findall(r"^([a-z$]+):", program, re.M)) == providers
    assert ("profile-997" in program) == (name == "py_profile")  # tests/test_profile_probe.py runs it


@pytest.mark.once
def test_the_readme_lists_each_script_once():
    rows = re.findall(r"^\| `(\w+)\.d`", (TOOLKIT / "README.md").read_text(), re.M)
    assert rows == SCRIPTS


@pytest.mark.once
@pytest.mark.parametrize("name", KERNEL)
def test_what_needs_the_kernel_says_with_what_to_run_it(name):
    done = subprocess.run(
        [sys.executable, "-m", "catprobe", "-s", str(TOOLKIT / (name + ".d")), "-c", sys.executable],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "does not match any probes; those are the kernel's" in line and "sudo dtrace" in line


# ---- What they print


class Engine:
    def __init__(self, request):
        pass

    def start(self, target, script):
        words = target.interpreter.command + ["-m", "catprobe", "-qs", str(script), "-p", str(target.pid)]
        environment = target.interpreter.environment(CATPROBE_DIR=str(target.folder))
        return Tracer(words, env=environment)

    def heard(self, target):
        """Has it armed every probe that it listens to?"""
        wanted = [probe for probe in target.status().values() if probe[3]]
        return wanted and all(probe[1] in ("armed", "native") for probe in wanted)


class RealDTrace:
    def __init__(self, request):
        self.forky = request.getfixturevalue("forky")

    def start(self, target, script):
        return DTrace(self.forky, target.pid, "-s", str(script), "-p", str(target.pid))

    def heard(self, target):
        return target.heard(["function-entry"])


def by_tracers(*names):
    """Marks a test of these scripts by every tracer that can run them."""
    pairs = [("engine", name) for name in names] + [
        pytest.param("dtrace", name, marks=pytest.mark.once)
        for name in names
        if name not in VTIMESTAMP + JSTACK
    ]
    return pytest.mark.parametrize("tracer, name", pairs)


class Trace:
    """trace(name, *expressions): what a script prints while known.py, catdemo and everything.py do that."""

    def __init__(self, tracer, interpreter):
        self.tracer, self.interpreter = tracer, interpreter

    def __call__(self, script, *expressions):
        path = script if hasattr(script, "name") else TOOLKIT / (script + ".d")
        with Target(self.interpreter, "known", "catdemo", "everything") as target:
            target.tell("known.park()")
            with self.tracer.start(target, path) as trace:
                until(lambda: trace.ended() or self.listens(trace, target), "the beginning of " + path.name)
                assert not trace.ended(), trace.output() + trace.errors()
                for expression in expressions:
                    target.tell(expression)
                output = trace.stop()
                assert not trace.errors()
            target.left()
        self.pid = target.pid
        return output

    def listens(self, trace, target):
        """Has its BEGIN printed, and does it hear the program?"""
        return re.search("Tracing|FILE", trace.output()) and self.tracer.heard(target)


@pytest.fixture
def trace(request, tracer, here):  # noqa: F811
    return Trace({"engine": Engine, "dtrace": RealDTrace}[tracer](request), here)


def of_known(counts):
    """{function: number} of known.py's and of the file without a name, of {(file, ..., function): number}."""
    found = {key[-1]: number for key, number in counts.items() if key[0] == "known.py"}
    unprintable = {key[-1]: number for key, number in counts.items() if key[0] == "?"}
    return found, unprintable


RELEASE_AND_ONCE = ["known.release()", "known.once()"]


@by_tracers("py_funccalls")
def test_funccalls(trace, name):
    output = trace(name, *RELEASE_AND_ONCE)
    assert re.search(r"(?m)^ FILE {29}FUNC {32}CALLS$", output)
    rows = re.findall(r"(?m)^ (\S.{31}) (\S.{31}) ( *\d+)$", output)
    counts = {(file.strip(), func.strip()): int(number) for file, func, number in rows}
    assert of_known(counts) == (KNOWN, UNPRINTABLE)
    assert [int(row[2]) for row in rows] == sorted(counts.values())
    assert {len(row[2]) for row in rows} == {8}


@by_tracers("py_who")
def test_who(trace, name):
    output = trace(name, *RELEASE_AND_ONCE)
    assert re.search(r"(?m)^ {6}PID {4}UID  FUNCS FILE$", output)
    rows = re.findall(r"(?m)^   ([ \d]{6}) ([ \d]{6}) ([ \d]{6}) (.*)$", output)
    assert {(int(pid), uid.strip()) for pid, uid, _, _ in rows} == {(trace.pid, "0")}
    counts = {path.rpartition("/")[2]: int(number) for _, _, number, path in rows}
    assert (counts["known.py"], counts["?"]) == (sum(KNOWN.values()), 2)
    assert any(path.startswith("/") and path.endswith("/programs/known.py") for _, _, _, path in rows)


@by_tracers("py_calltime", "py_cputime")
def test_times(trace, name):
    output = trace(name, *RELEASE_AND_ONCE)
    found = tables(output)
    assert list(found) == ["Count", "Exclusive", "Inclusive"]
    assert output.count({"py_calltime": "elapsed", "py_cputime": "on-CPU"}[name] + " times (us),\n") == 2
    assert output.count("   FILE                 TYPE       NAME  ") == 3
    count, exclusive, inclusive = (dict(rows) for rows in found.values())

    assert of_known(count) == (KNOWN, UNPRINTABLE)
    assert count[COLLECTION] == 1
    assert count[TOTAL] == sum(count.values()) - count[TOTAL]
    assert set(exclusive) == set(count) and set(inclusive) == set(count) - {TOTAL}
    for rows in found.values():
        assert [number for _, number in rows] == sorted(number for _, number in rows)

    # Everything is in the exclusive time of one function, or of the collector.
    assert exclusive[TOTAL] == pytest.approx(sum(exclusive.values()) - exclusive[TOTAL], abs=len(exclusive))
    own, _ = of_known(exclusive)
    everything, _ = of_known(inclusive)
    assert own["burn"] >= NAP * 0.9  # 3.6 has the clock of the process alone
    assert all(everything[name] >= own[name] for name in own)
    assert inclusive[COLLECTION] >= exclusive[COLLECTION] + everything["__del__"] - 1
    assert everything["collecting"] >= inclusive[COLLECTION] + own["collecting"]
    if name == "py_cputime":
        assert own["nap"] < NAP  # which slept for eleven times that
        return
    # How many naps each function had, in those that it called; recur: of three levels, and twice of two.
    naps = {
        "nap": 11,
        "recur": 3 + 2 + 1 + 2 * (2 + 1),
        "numbers": 1,
        "listing": 1,
        "catching": 1,
        "__del__": 1,
    }
    naps.update(collecting=1, threads=2, once=3 + 1 + 1 + 1 + 1 + 2, release=1)
    for function, number in naps.items():
        assert everything[function] >= number * NAP
        assert function in ("nap", "release") or own[function] < NAP * 0.75
    assert own["nap"] == everything["nap"]


@by_tracers("py_calldist", "py_cpudist")
def test_distributions(trace, name):
    output = trace(name, *RELEASE_AND_ONCE)
    assert output.count({"py_calldist": "elapsed", "py_cpudist": "on-CPU"}[name] + " times (us),\n") == 2
    found = histograms(re.sub(", gc, ", ", func, ", output))
    assert list(found) == ["Exclusive", "Inclusive"]
    for functions in found.values():
        counts = {function: sum(rows.values()) for function, rows in functions.items()}
        assert of_known(counts) == (KNOWN, UNPRINTABLE)
        assert counts["-", "func", "generation 2"] == 1
        assert min(functions["known.py", "func", "burn"]) >= 16384  # the power of two below a nap
        naps = functions["known.py", "func", "nap"]
        assert min(naps) >= 16384 if name == "py_calldist" else max(naps) < 16384
    assert max(found["Exclusive"]["known.py", "func", "recur"]) < 16384
    if name == "py_calldist":
        assert sorted(Counter(found["Inclusive"]["known.py", "func", "recur"]).elements())[-1] >= 32768


def buffers_of(histogram):
    """{lowest size: count} of pieces as large as those of known.buffers, or larger."""
    return {size: count for size, count in histogram.items() if size >= 4096}


@by_tracers("py_malloc")
def test_malloc(trace, name):
    output = trace(name, "known.buffers()")
    assert re.search(r"(?m)^   DOMAIN {11}ALLOCS {8}FREES {12}BYTES$", output)
    rows = re.findall(r"(?m)^   (raw|mem|object) +(\d+) +(\d+) +(\d+)$", output)
    domains = {domain: [int(number) for number in numbers] for domain, *numbers in rows}
    allocs, frees, size = domains["object"]
    assert allocs >= 20 and frees >= 20 and size >= 20 * 5000
    output = output.replace("Python malloc byte", "Exclusive").replace("   -, -, - ", "   -, func, - ")
    found = histograms(output)["Exclusive"]
    assert buffers_of(found["known.py", "func", "buffers"]) == {4096: 20}


@by_tracers("py_mallocstk")
def test_malloc_stacks(trace, name):
    output = trace(name, "known.buffers()")
    asked = r" +buffers \(\S*known\.py:{}\)\n".format(line_in("known", "known buffer"))
    rest = re.split(asked, output)[-1]
    stack, _, rest = rest.partition("\n\n")
    assert re.search(r" <module> \(\S*told\.py:\d+\)$", stack)
    histogram = histograms("Exclusive,\n   -, func, - \n" + rest.partition("\n\n")[0])["Exclusive"]
    assert buffers_of(histogram["-", "func", "-"]) == {4096: 20}


# The cat server: who wants the calls in their order, of the one thread.

SERVE = "catdemo.go(requests=3, speed=100, seed=7)"


@pytest.fixture(scope="module")
def events(here):  # noqa: F811
    return prescribed(here, 3, 7)


def served(shown):
    """The lines (depth, ..., function) from the call of go to its return; depth from its own on."""
    ends = [number for number, line in enumerate(shown) if line[-1] == "go"]
    depth = shown[ends[0]][0]
    return [(line[0] - depth,) + line[1:] for line in shown[ends[0] : ends[-1] + 1]]


@by_tracers("py_args")
def test_args(trace, name, events):
    output = trace(name, SERVE)
    assert re.match(" {56}FILE {13}FUNC   LINE\n", output)
    rows = [line.split() for line in output.splitlines() if "/" in line]
    rows = [(path.rpartition("/")[2], int(line), func) for path, func, line in rows if "frozen" not in path]
    assert [row for row in rows if row[0] == "demo.py"] == [
        event[1:4] for event in events if event[1] == "demo.py"
    ]
    assert re.search(r"(?m)^.{60,} {13}find +\d+$", output)


@by_tracers("py_flow", "py_flowtime")
def test_flow(trace, events, name):
    output = trace(name, SERVE)
    with_delta = name == "py_flowtime"
    titles = "  C TIME(us)         FILE             " + ("DELTA(us)  " if with_delta else "") + "-- FUNC"
    assert output.splitlines()[0] == titles
    row = r"(?m)^[ \d]{3} (\d+) +(\S+) +" + (r"(\d+) +" if with_delta else "()") + r"(->|<-) (.*)$"
    rows = list(re.finditer(row, output))
    column = titles.index("--")
    shown = [((match.start(4) - match.start() - column) // 2, match[4], match[2], match[5]) for match in rows]
    assert served(shown) == [(depth, arrow, file, func) for depth, arrow, file, _, func in with_depth(events)]
    times = [int(match[1]) for match in rows]
    assert times == sorted(times)
    if with_delta:
        first = [match[5] for match in rows].index("go")
        for before, match in zip(rows[first:], rows[first + 1 :]):
            assert abs(int(match[1]) - int(before[1]) - int(match[3])) <= 1


@by_tracers("py_flowinfo")
def test_flowinfo(trace, name, events):
    output = trace(name, SERVE)
    titles = "C    PID  DELTA(us)              FILE:LINE TYPE     -- FUNC"
    assert output.splitlines()[0] == titles
    lines = [line for line in output.splitlines()[1:] if line]
    assert all(re.match(r"\d [ \d]{6} [ \d]{10}  .{16,}:\S+ +func     ", line) for line in lines)
    assert served(flow(output)) == list(with_depth(events))
    assert {line.split()[1] for line in lines} == {str(trace.pid)}


@by_tracers("py_flowinfo")
def test_flowinfo_of_imports_and_collections(trace, name):
    output = trace(name, "everything.collect(1, 5)", "everything.imports()")
    shown = re.findall(
        r"(?m)^[\d ]+ +-:-    (gc|import)   ( *)((?:->|<-) .*)", output.replace("gc    ", "gc")
    )
    depth = len(shown[0][1])
    assert [(kind, len(indent) - depth, what) for kind, indent, what in shown] == [
        ("gc", 0, "-> generation 2"),
        ("gc", 0, "<- collected 0"),
        ("gc", 0, "-> generation 1"),
        ("gc", 0, "<- collected 5"),
        ("import", 0, "-> imported"),
        ("import", 0, "<- imported"),
        ("import", 0, "-> there_is_none"),
        ("import", 0, "<- there_is_none (failed)"),
    ]
    imported = re.search(r"(?m)^.*imported\.py:\d+ +func ( +)-> <module>$", output)
    assert len(imported[1]) > depth


@pytest.mark.once
@pytest.mark.parametrize("tracer", ["dtrace"])
@pytest.mark.parametrize("name", KERNEL)
def test_system_calls(trace, tmp_path, name):
    """Of one system call: to enable each takes half a minute."""
    program = (TOOLKIT / (name + ".d")).read_text()
    assert program.count("\nsyscall:::") == 1
    script = tmp_path / (name + ".d")
    script.write_text(program.replace("\nsyscall:::", "\nsyscall::getppid:"))
    output = trace(script, "[os.getppid() for _ in range(3)]", "known.listing()")
    if name == "py_syscalls":
        assert "\nCalls for PID {},\n\n".format(trace.pid) in output
        assert re.search(r"(?m)^ FILE {29}TYPE {7}NAME {22}COUNT$", output)
        rows = re.findall(r"(?m)^ (\S.{31}) (func|syscall)    {0,3} (\S.{21}) ( {0,7}\d+)$", output)
        counts = {(kind, func.strip()): int(number) for _, kind, func, number in rows}
        assert counts["syscall", "getppid"] == 3
        assert (counts["func", "numbers"], counts["func", "nap"]) == (3, 1)
        return
    assert output.splitlines()[0] == "C    PID  DELTA(us)              FILE:LINE TYPE     -- NAME"
    line = r"(?m)^\x1b\[2;{}m\d [ \d]{{6}} [ \d]{{10}}  +{} {:<8} ( *)(->|<-) (\w+)\x1b\[0m$"
    calls = re.findall(line.format(32, "-:-   ", "syscall"), output)
    assert [call[1:] for call in calls] == 3 * [("->", "getppid"), ("<-", "getppid")]
    functions = re.findall(line.format(35, r"known\.py:\d+ *", "func"), output)
    depth = len(functions[0][0])
    assert [((len(call[0]) - depth) // 2,) + call[1:] for call in functions] == [
        (0, "->", "listing"),
        (1, "->", "numbers"),
        (1, "<-", "numbers"),
        (1, "->", "numbers"),
        (2, "->", "nap"),
        (2, "<-", "nap"),
        (1, "<-", "numbers"),
        (1, "->", "numbers"),
        (1, "<-", "numbers"),
        (0, "<-", "listing"),
    ]


def test_a_program_from_its_first_call_on(here, tmp_path):  # noqa: F811
    script = tmp_path / "first.py"
    script.write_text("def first():\n    return 1\n\nfirst()\nfirst()\n")
    command = "{} {}".format(sys.executable, script)
    done = subprocess.run(
        [sys.executable, "-m", "catprobe", "-qs", str(TOOLKIT / "py_funccalls.d"), "-c", command],
        env=here.environment(CATPROBE_DIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        cwd="/",
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"(?m)^ first\.py +(\S+) +(\d+)$", done.stdout) == [("<module>", "1"), ("first", "2")]
