"""The scripts of d_demo/ on known events, run by the real DTrace, the machine's bpftrace, and the newest one.

tests/golden/ holds what DTrace 2.0.7 printed of the same events with the scripts of the talk; pids, times and
CPUs differ.
"""

import json
import platform
import re
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
DEMO = TESTS.parent / "d_demo"
FLOW, TIME, DIST = "a_py_flowinfo", "b_py_calltime", "c_py_calldist"
PREDICATE = '/copyinstr(arg1) == "new_cat_video"/'

pytestmark = pytest.mark.once


# ---- what they say, without a tracer


@pytest.mark.parametrize("name", [FLOW, TIME, DIST])
def test_the_header_says_how_to_run_it(name):
    for suffix, commands in {
        ".d": ["\tcatprobe -s d_demo/{} -p 24601", "sudo dtrace -s d_demo/{} -p 24601"],
        ".bt": ["sudo bpftrace --no-warnings -p PID d_demo/{}"],
    }.items():
        script = DEMO / (name + suffix)
        header = script.read_text().split("*/")[0]
        for command in commands:
            assert command.format(script.name) in header
        if suffix == ".d":
            assert "COLUMNS" in header or "value" in header
            assert "EXAMPLE" in header


@pytest.mark.parametrize("name", [FLOW, TIME, DIST])
def test_the_provider_is_that_of_the_target(name):
    text = re.sub(r"/\*.*?\*/", "", (DEMO / (name + ".d")).read_text(), flags=re.S)
    probes = re.findall(r"^[a-z$]+:.*", text, re.M)
    assert probes and all(re.match(r"python\$target:::|dtrace:::(BEGIN|END)$", probe) for probe in probes)
    twin = re.findall(r"^usdt:\S+", (DEMO / (name + ".bt")).read_text(), re.M)
    assert twin and all(re.match(r"usdt::python:(function|gc)__[a-z]+$", probe) for probe in twin)


def pasted(predicate):
    """a_py_flowinfo.d, edited as in the talk: line 53 copied, and inserted as lines 75 and 86."""
    lines = (DEMO / (FLOW + ".d")).read_text().splitlines()
    assert lines[52] == PREDICATE
    for number, probe in ((75, "function-entry"), (86, "function-return")):
        assert lines[number - 2] == "python$target:::" + probe and lines[number - 1] == "{"
        lines.insert(number - 1, predicate)
    return "\n".join(lines) + "\n"


def test_the_predicate_can_be_copied_as_in_the_talk():
    assert pasted(PREDICATE).count("\n" + PREDICATE + "\n") == 3


# ---- what they print


class DTrace:
    suffix = ".d"

    def __init__(self, request):
        self.forky = request.getfixturevalue("forky")

    def command(self, pid, script, args):
        return self.forky.command("host", ["-s", script, "-p", pid, *args])


class Bpftrace:
    """The machine's own."""

    suffix = ".bt"

    def __init__(self, request):
        self.path = request.getfixturevalue("bpftrace")

    def command(self, pid, script, args):
        return [self.path, "--no-warnings", "-p", str(pid), str(script), *args]


class ForkyBpftrace:
    suffix = ".bt"

    def __init__(self, request):
        self.forky = request.getfixturevalue("forky")

    def command(self, pid, script, args):
        return self.forky.command(
            "run", ["bpftrace", "--no-warnings", "-p", pid, self.forky.path(script), *args]
        )


TRACERS = {"dtrace": DTrace, "bpftrace": Bpftrace, "forky-bpftrace": ForkyBpftrace}


@pytest.fixture(scope="module")
def library(root, tmp_path_factory):
    if platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("only on x86-64 or aarch64: the notes of fire_probes.c")
    path = tmp_path_factory.mktemp("fire") / "_fire.so"
    subprocess.run(
        ["cc", "-O1", "-shared", "-fPIC", "-o", str(path), str(TESTS / "fire_probes.c")], check=True
    )
    return path


@pytest.fixture(scope="module", params=sorted(TRACERS))
def trace(request, library, tmp_path_factory):
    """A Trace for each tracer."""
    return Trace(TRACERS[request.param](request), library, tmp_path_factory.mktemp("events"))


@pytest.fixture
def dtrace(request, library, tmp_path):
    return Trace(DTrace(request), library, tmp_path)


class Trace:
    """trace(script, threads, *args): what the tracer prints of a process that fires these events."""

    def __init__(self, tracer, library, folder):
        self.tracer, self.library, self.folder = tracer, library, folder

    def __call__(self, script, threads, *args):
        script, events = Path(script), self.folder / "events.json"
        if not script.suffix:
            script = DEMO / (script.name + self.tracer.suffix)
        events.write_text(json.dumps(threads))
        target = [sys.executable, str(TESTS / "fire_probes.py"), str(self.library), str(events)]
        options = {"stdout": subprocess.PIPE, "universal_newlines": True}
        with subprocess.Popen(target, **options) as process:
            try:
                assert process.stdout.readline() == "ready\n"
                threading.Thread(
                    target=process.wait
                ).start()  # a tracer may take a zombie for a living process
                command = self.tracer.command(process.pid, script, args)
                done = subprocess.run(command, stderr=subprocess.PIPE, timeout=60, **options)
            finally:
                process.kill()
        harmless = re.compile("Attached \\d+ probes|.*RLIMIT_MEMLOCK")
        problems = [line for line in done.stderr.splitlines() if not harmless.match(line)]
        assert (done.returncode, problems) == (0, []), done.stdout
        return done.stdout


def call(func, entry, line, *inner, file="/home/u/func_abc.py"):
    """The events of one call: its entry, what happens inside, its return."""
    events = [["entry", file, func, entry]]
    for part in inner:
        events += part
    return events + [["return", file, func, line]]


def nap(milliseconds):
    return [["sleep", milliseconds / 1000]]


def golden_events(scale=1):
    func_c = call("func_c", 3, 5, nap(1 * scale))
    func_b = call("func_b", 8, 11, nap(2 * scale), func_c)
    func_a = call("func_a", 14, 17, nap(3 * scale), func_b, func_c)
    return call("<module>", 1, 20, func_a, func_a)


def golden(name):
    return (TESTS / "golden" / (name + ".out")).read_text()


def flow(output):
    """The lines of a_py_flowinfo from FILE on, after a look at C, PID and DELTA."""
    lines = [line for line in output.splitlines() if line and not line.startswith("Attach")]
    assert all(re.match(r"[ \d] [ \d]{6} [ \d]{10}  ", line) for line in lines[1:]), output
    return [line[21:] for line in lines]


def shown(output):
    """The last column of a_py_flowinfo, and its indentation."""
    return [line[31:] for line in flow(output)[1:]]


def test_flowinfo_prints_what_dtrace_printed(trace):
    events = golden_events()
    events += [["return", "/home/u/func_abc.py", "running", 7]]
    events += call(None, 2, 3)
    events += call("nofile", 1, 1, file=None)
    events += call("no_folder", 4, 5, file="<string>")
    events += call("deep", 1, 2, file="/a" * 60 + "/deep.py")
    events += call("outer", 1, 2, [["gc_start", 2]], call("callback", 5, 6), [["gc_done", 15]])
    lines = flow(trace(FLOW, [events]))
    expected = flow(golden(FLOW))
    assert lines[: len(expected)] == expected
    assert lines[len(expected) :] == [
        "     func_abc.py:7    func     <- running",
        "     func_abc.py:2    func     -> ?",
        "     func_abc.py:3    func     <- ?",
        "               ?:1    func     -> nofile",
        "               ?:1    func     <- nofile",
        "        <string>:4    func     -> no_folder",
        "        <string>:5    func     <- no_folder",
        "         deep.py:1    func     -> deep",
        "         deep.py:2    func     <- deep",
        "     func_abc.py:1    func     -> outer",
        "               -:-    gc         -> generation 2",
        "     func_abc.py:5    func         -> callback",
        "     func_abc.py:6    func         <- callback",
        "               -:-    gc         <- collected 15",
        "     func_abc.py:2    func     <- outer",
    ]


def test_flowinfo_of_one_function_and_of_threads(trace):
    def thread(name):
        inner = call("find", 1, 2, nap(20), call("new_cat_video", 3, 4, nap(30)), file="demo.py")
        return nap(5) + call(name, 9, 9, call("find", 1, 2, inner, file="demo.py"), inner)

    threads = [thread("one"), thread("two"), [["gc_start", 0], ["gc_done", 0]] + call(None, 1, 1)]
    every = shown(trace(FLOW, threads))
    assert Counter(line for line in every if "find" in line) == {
        "  -> find": 4,
        "  <- find": 4,
        "    -> find": 2,
        "    <- find": 2,
    }
    assert Counter(line.strip() for line in every) == {
        "-> one": 1, "<- one": 1, "-> two": 1, "<- two": 1, "-> ?": 1, "<- ?": 1,
        "-> generation 0": 1, "<- collected 0": 1,
        "-> find": 6, "<- find": 6, "-> new_cat_video": 4, "<- new_cat_video": 4,
    }  # fmt: skip
    one_function = shown(trace(FLOW, threads, "new_cat_video"))
    assert Counter(one_function) == {"-> new_cat_video": 4, "<- new_cat_video": 4}


def test_the_copied_predicate_shows_one_function(dtrace, tmp_path):
    script = tmp_path / "edited.d"
    script.write_text(pasted(PREDICATE))
    video = call("new_cat_video", 3, 4, file="demo.py")
    assert shown(dtrace(script, [video + call("find", 1, 2, video)])) == 2 * [
        "-> new_cat_video",
        "<- new_cat_video",
    ]


def tables(output):
    """{table: [((file, type, name), number)]} of b_py_calltime in the order printed, from either tracer."""
    found = {}
    for line in output.splitlines():
        title = re.match(r"(Count|Exclusive|Inclusive)\b.*,$", line)
        row = re.match(r"   (.{20}) (.{10}) (.{32}) *(\d+)$", line) or re.match(
            r"@\w+\[(.*), (func|total), (.*)\]: (\d+)$", line
        )
        if title:
            rows = found[title.group(1)] = []
        elif row:
            rows.append((tuple(word.rstrip() for word in row.groups()[:3]), int(row.group(4))))
    return found


def recursion(depth):
    return call("recur", 1, 2, nap(18), recursion(depth - 1) if depth > 1 else [], file="recur.py")


def odd_events():
    """Returns of calls that were running, a recursion of three naps, a generator, names that are missing."""
    events = [["return", "late.py", "late", 7], ["return", "late.py", "late", 8]] + recursion(3)
    events += call("user", 1, 2, call("generator", 1, 2), nap(10), call("generator", 2, 3), file="g.py")
    return events + call(None, 1, 1) + call("nofile", 1, 1, file=None) + [["entry", "late.py", "open", 9]]


def test_calltime_prints_what_dtrace_printed(dtrace):
    def words(output):
        return [re.sub(r" *\d+$", "", line) for line in output.splitlines() if line]

    output = dtrace(TIME, [golden_events()])
    assert sorted(words(output)) == sorted(words(golden(TIME)))
    assert output.split("\nExclusive")[0] == golden(TIME).split("\nExclusive")[0]
    assert {len(line) for line in output.splitlines() if "func_" in line} == {76}


def test_calltime(trace):
    found = tables(trace(TIME, [golden_events(10) + odd_events(), recursion(2)]))
    count, exclusive, inclusive = (dict(found[name]) for name in ("Count", "Exclusive", "Inclusive"))
    total = ("-", "total", "-")
    assert count == {
        ("func_abc.py", "func", "<module>"): 1,
        ("func_abc.py", "func", "func_a"): 2,
        ("func_abc.py", "func", "func_b"): 2,
        ("func_abc.py", "func", "func_c"): 4,
        ("recur.py", "func", "recur"): 5,
        ("g.py", "func", "user"): 1,
        ("func_abc.py", "func", "generator"): 2,
        ("func_abc.py", "func", "?"): 1,
        ("?", "func", "nofile"): 1,
        total: 19,
    }
    assert set(exclusive) == set(count) and set(inclusive) == set(count) - {total}
    for rows in found.values():
        assert [number for _, number in rows] == sorted(number for _, number in rows)

    # Every microsecond is in one function; the outermost calls hold all of them.
    assert exclusive[total] == pytest.approx(sum(exclusive.values()) - exclusive[total], abs=len(exclusive))
    # Naps, in milliseconds: a function's own, and those of the functions in it. Two recursions, of three
    # levels and of two. On a busy machine a nap is longer, but not by half.
    for file, name, own, everything in [
        ("func_abc.py", "func_c", 40, 40),
        ("func_abc.py", "func_b", 40, 60),
        ("func_abc.py", "func_a", 60, 140),
        ("recur.py", "recur", 18 * (3 + 2), 18 * (3 + 2 + 1 + 2 + 1)),
    ]:
        function = (file, "func", name)
        assert own * 1000 <= exclusive[function] < own * 1500
        assert everything * 1000 <= inclusive[function] < everything * 1500
    assert (
        inclusive["func_abc.py", "func", "<module>"]
        >= 140000
        > 20000
        > exclusive["func_abc.py", "func", "<module>"]
    )
    assert inclusive["g.py", "func", "user"] >= 10000 > inclusive["func_abc.py", "func", "generator"]


def histograms(output):
    """{table: {(file, type, name): {lowest value: count}}} of c_py_calldist."""
    unit = {"": 1, "K": 1024, "M": 1024 * 1024}
    found = {}
    for line in output.splitlines():
        title = re.match(r"(Exclusive|Inclusive)\b.*,$", line)
        head = re.match(r"   (\S.*), (func), (.*) $", line) or re.match(
            r"@\w+\[(.*), (func), (.*)\]: ?$", line
        )
        row = re.match(r" *(\d+)() \|[@ ]{40} (\d+) *$", line) or re.match(
            r"[\[(](\d+)([KM]?)[,\])].* (\d+) \|[@ ]*\|$", line
        )
        if title:
            functions = found[title.group(1)] = {}
        elif head:
            rows = functions[head.groups()] = {}
        elif row and int(row.group(3)):
            rows[int(row.group(1)) * unit[row.group(2)]] = int(row.group(3))
    return found


def test_calldist_prints_what_dtrace_printed(dtrace):
    def words(output):
        output = re.sub(r"(?m)^ +\d+ \|.*\n", "", output)  # the figures
        return sorted(output.rstrip("\n").split("\n"))

    output = dtrace(DIST, [golden_events()])
    assert words(output) == words(golden(DIST))
    assert histograms(golden(DIST))["Exclusive"].keys() == histograms(output)["Exclusive"].keys()


def test_calldist(trace):
    found = histograms(trace(DIST, [golden_events() + odd_events()]))
    assert list(found) == ["Exclusive", "Inclusive"]
    expected = {"<module>": 1, "func_a": 2, "func_b": 2, "func_c": 4, "recur": 3, "generator": 2, "?": 1}
    for functions in found.values():
        counts = {name: sum(rows.values()) for (_, _, name), rows in functions.items()}
        assert counts == dict(expected, user=1, nofile=1)
    recur = ("recur.py", "func", "recur")
    assert found["Exclusive"][recur] == {16384: 3}
    assert found["Inclusive"][recur] == {16384: 1, 32768: 2}
