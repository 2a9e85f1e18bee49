"""perf and gdb on running programs: they are hit, read the arguments, and leave nothing behind."""

import re
import shutil
import subprocess

import pytest
from tracers import (  # noqa: F401 (here is a fixture)
    NAMES,
    SECONDS,
    CatServer,
    Target,
    Tracer,
    here,
    line_in,
    prescribed,
)

pytestmark = pytest.mark.once
FUNCTIONS = ["function-entry", "function-return"]


def run(*command):
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def perf_with_probes(perf, here, tmp_path):  # noqa: F811
    """The beginning of perf's command; function-entry and -return are its events, until the test ends."""
    command = [perf, "--buildid-dir", str(tmp_path / "cache")]
    run(*command, "buildid-cache", "--add", here.extension())
    added = []
    try:
        for name in ("entry", "return"):
            run(*command, "probe", "--add", "sdt_python:function__" + name)
            added.append("sdt_python:function__" + name)
        yield command
    finally:
        for probe in added:
            run(*command, "probe", "--del", probe)


def test_perf_records_calls(perf_with_probes, here, tmp_path):  # noqa: F811
    data = tmp_path / "perf.data"
    record = perf_with_probes + ["record", "-e", "sdt_python:function__entry,sdt_python:function__return"]
    with Target(here, "everything") as target:
        with Tracer(record + ["-o", data, "-p", target.pid]) as tracer:
            target.attached(tracer, FUNCTIONS)
            target.tell("everything.outer()")
            tracer.stop()
        target.left()
    script = run(*perf_with_probes, "script", "-i", data, "-F", "pid,event,trace")
    pattern = r"^ *{} +sdt_python:function__(\w+): \(\w+\) arg1=\d+ arg2=\d+ arg3=(\d+)".format(target.pid)
    hits = [(name, int(line)) for name, line in re.findall(pattern, script, re.M)]
    assert hits[1:-1] == [  # but for the line that was told
        ("entry", line_in("everything", "outer")),
        ("entry", line_in("everything", "inner")),
        ("return", line_in("everything", "inner returns")),
        ("return", line_in("everything", "outer returns")),
    ]


def test_gdb_stops_at_a_call(root, here):  # noqa: F811
    """gdb raises the semaphore itself; the hooks come while the program goes on to the breakpoint."""
    gdb = shutil.which("gdb")
    if not gdb:
        pytest.skip("gdb is not installed: tests/packages test")
    commands = [
        "info probes stap python",
        "break -probe-stap python:function__entry",
        'condition $bpnum $_streq((char *) $_probe_arg1, "new_cat_video")',
        "continue",
        r'printf "hit:%d:%s:%s:", $_probe_argc, $_probe_arg0, $_probe_arg1',
        r'printf "%d:%s\n", $_probe_arg2, $_probe_arg3',
    ]
    with CatServer(here, "--speed", 50, "--seed", 5) as server:
        words = [gdb, "-nx", "-batch", "-p", server.pid, "-ex", "set debuginfod enabled off"]
        for command in commands:
            words += ["-ex", command]
        output = run(*words)
        server.left()
    listed = re.findall(r"^stap +python +(\S+) ", output, re.M)
    assert sorted(name.replace("__", "-") for name in listed) == sorted(NAMES)
    (hit,) = re.findall(r"^hit:(.*)", output, re.M)
    count, file, *names = hit.split(":")
    video = next(event for event in prescribed(here, 9, 5) if event[3] == "new_cat_video")
    assert (count, file.rpartition("/")[2]) == ("4", video[1])
    assert names == ["new_cat_video", str(video[2]), "new_cat_video"]
