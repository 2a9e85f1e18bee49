"""No double firing: interpreters that were built --with-dtrace, of whose own probes some or all fire.

Debian's 3.11 on this machine (its function-entry is dead), the container's 3.14 (gc, import and audit) and
3.15 (function-entry and function-return too).
"""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from tracers import (
    Bpftrace,
    DTrace,
    Target,
    beside,
    bpftrace_events,
    bpftrace_program,
    built,
    in_container,
)

pytestmark = pytest.mark.once
SOME = ["gc-start", "gc-done", "import-find-load-start", "import-find-load-done", "audit"]
ALL = ["function-entry", "function-return"] + SOME


KEYS = dict.fromkeys(ALL, "copyinstr(arg0)")  # of D: what tells the events of a probe apart
KEYS.update(dict.fromkeys(ALL[:2], "copyinstr(arg1)"), **{"gc-start": '""', "gc-done": '""'})


class Native:
    """An interpreter, and which of its own probes fire."""

    def __init__(self, interpreter, probes, forky=None, inside=False):
        self.interpreter, self.probes, self.forky, self.inside = interpreter, probes, forky, inside

    def bpftrace(self, target, library):
        """The process, or all that have this library."""
        path = beside(target.pid, "bpftrace") if self.inside else ["bpftrace"]
        program = bpftrace_program(ALL, library, most=3)
        return Bpftrace(program, path=path, pid=None if library else target.pid)

    def dtrace(self, target):
        program = 'dtrace:::BEGIN { printf("now"); }\n'
        for name, key in KEYS.items():
            program += "python$target:::%s { @[probename, %s] = count(); }\n" % (name, key)
        return DTrace(self.forky, target.pid, "-q", "-n", program, "-p", str(target.pid), first_word="now")


@pytest.fixture(scope="module", params=["Debian's", "3.14", "3.15"])
def native(request, bpftrace):
    if request.param == "Debian's":
        python = "/usr/bin/python3"
        asked = "import sysconfig; print(sysconfig.get_config_var('WITH_DTRACE'))"
        if not Path(python).exists():
            pytest.skip("there is no " + python)
        if subprocess.check_output([python, "-c", asked]).strip() != b"1":
            pytest.skip("{} is not built --with-dtrace".format(python))
        forky = request.getfixturevalue("forky")
        return Native(built("tracers-debian", [python]), ALL[1:], forky)
    interpreter = in_container(request.getfixturevalue("forky"), request.param)
    return Native(interpreter, ALL if request.param == "3.15" else SOME, inside=True)


# Of everything.py: what its functions make, by the words that tell them from others.
NAMED = {"imported", "there_is_none", "catprobe.cat", "outer", "play", ""}
EXPECTED = {
    "gc-start": 2,
    "gc-done": 2,
    "import-find-load-start": 2,
    "import-find-load-done": 2,
    "audit": 1,
    "function-entry": 2,
    "function-return": 2,
}


def by_bpftrace(output):
    events = bpftrace_events(output)
    return Counter(event[0] for event in events if event[0].startswith("gc-") or NAMED & set(event[1:]))


def by_dtrace(output):
    heard = Counter()
    for probe, *name, count in [line.split() for line in output.splitlines() if line and line != "now"]:
        if " ".join(name) in NAMED:
            heard[probe] += int(count)
    return heard


def printed(native, attach, after=""):
    """What a tracer prints, and meanwhile `catprobe ps -v`: probe -> state."""
    with Target(native.interpreter, "everything") as target:
        target.tell("everything.collect(2)")
        with attach(target) as tracer:
            target.attached(tracer, ALL)
            listed = native.interpreter.catprobe(target.folder, "ps", "-v")
            # Not unprintable(): there 3.15's own probes raise SystemError.
            for call in ("calls()", "collect(1, 5)", "imports()", "audits()", "finished()"):
                target.tell("everything." + call)
            output = tracer.stop(after)
        target.left()
    listed = re.search(r"^ *{} .*\n((?:       .*\n)+)".format(target.pid), listed, re.M).group(1)
    rows = [line.split() for line in listed.splitlines()]
    return output, {words[0]: words[2] for words in rows if words and words[0] in ALL}


def test_a_tracer_of_the_process_hears_each_event_once(native):
    """By DTrace on this machine, as bpftrace 0.17 wants symbols in the interpreter, and Debian's has none."""
    if native.inside:
        output, states = printed(native, lambda target: native.bpftrace(target, ""), "finished")
        assert by_bpftrace(output) == EXPECTED
    else:
        output, states = printed(native, native.dtrace)
        assert by_dtrace(output) == EXPECTED
    assert [name for name in ALL if states[name] == "native"] == native.probes
    assert {states[name] for name in ALL} <= {"native", "armed"}


def test_a_tracer_of_our_library_alone_hears_it_too(native):
    library = native.interpreter.extension()
    output, states = printed(native, lambda target: native.bpftrace(target, library), "finished")
    assert by_bpftrace(output) == EXPECTED
    assert {states[name] for name in ALL} == {"armed"}
