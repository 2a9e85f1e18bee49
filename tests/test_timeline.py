"""catprobe timeline: its files are read by Perfetto's own definitions, and as what Chrome documents."""

import collections
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import termios

import pytest
from tracing import command, run, server, tracing
from waiting import SECONDS, until

try:
    from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as perfetto
except ImportError:
    perfetto = None

# Each call notes when it was made, began, ended, was over: the slice has to lie between.
PROGRAM = """
import json
import sys
import time

noted = []


def now():
    return int(time.perf_counter() * 1e9)


def timed(function):
    def call(*arguments):
        before = now()
        begun, ended = function(*arguments)
        noted.append((function.__name__, before, begun, ended, now()))
    return call


@timed
def leaf(seconds):
    begun = now()
    time.sleep(seconds)
    return begun, now()


@timed
def branch(depth):
    begun = now()
    leaf(0.002)
    if depth:
        branch(depth - 1)
    leaf(0.02)
    return begun, now()


@timed
def stray():
    begun = now()
    try:
        fail()
    except ValueError:
        pass
    return begun, now()


def fail():
    raise ValueError("no \\N{CAT FACE} here")


for depth in range(3):
    branch(depth)
stray()
json.dump(noted, open(sys.argv[1], "w"))
"""

Slice = collections.namedtuple("Slice", "thread name category start end depth arguments")
Instant = collections.namedtuple("Instant", "thread name category time arguments")


class Timeline:
    """What a file shows: slices and instants in the order of their time; (pid, tid) -> names of threads."""

    def __init__(self):
        self.slices, self.instants, self.threads, self.processes = [], [], {}, {}

    def named(self, name):
        return [slice for slice in self.slices if slice.name == name]


def arguments_of(event):
    return {note.name: note.string_value or note.int_value for note in event.debug_annotations}


def read_perfetto(path):
    if perfetto is None:
        pytest.skip("the package perfetto is not for this Python")
    trace = perfetto.Trace()
    with open(str(path), "rb") as file:
        content = file.read()
    assert trace.ParseFromString(content) == len(content)
    assert trace.SerializeToString() and not unknown_fields(trace)
    timeline = Timeline()
    event_type = perfetto.TrackEvent.Type
    names, categories, places, tracks, events = {}, {}, {}, {}, []
    clocks = trace.packet[0].clock_snapshot.clocks
    assert {clock.clock_id for clock in clocks} >= {perfetto.BUILTIN_CLOCK_MONOTONIC}
    for packet in trace.packet:
        assert packet.trusted_packet_sequence_id == 1
        names.update((entry.iid, entry.name) for entry in packet.interned_data.event_names)
        categories.update((entry.iid, entry.name) for entry in packet.interned_data.event_categories)
        places.update((entry.iid, entry) for entry in packet.interned_data.source_locations)
        if packet.HasField("track_descriptor"):
            track = packet.track_descriptor
            if track.HasField("process"):
                timeline.processes[track.process.pid] = track.process.process_name
            else:
                tracks[track.uuid] = (track.thread.pid, track.thread.tid)
                timeline.threads[tracks[track.uuid]] = track.thread.thread_name
        if packet.HasField("track_event"):
            events.append((packet.timestamp, packet.track_event))
            assert packet.sequence_flags & packet.SEQ_NEEDS_INCREMENTAL_STATE
    stacks = collections.defaultdict(list)
    for time, event in sorted(events, key=lambda pair: pair[0]):  # a viewer does that, too
        thread, stack = tracks[event.track_uuid], stacks[event.track_uuid]
        arguments = arguments_of(event)
        if event.type == event_type.TYPE_SLICE_END:
            begin, begun, noted = stack.pop()
            noted.update(arguments)
            known = names[begun.name_iid], categories[begun.category_iids[0]]
            timeline.slices.append(Slice(thread, known[0], known[1], begin, time, len(stack), noted))
            continue
        if event.source_location_iid:
            place = places[event.source_location_iid]
            arguments.update(file=place.file_name, line=place.line_number)
        if event.type == event_type.TYPE_SLICE_BEGIN:
            stack.append((time, event, arguments))
        else:
            assert event.type == event_type.TYPE_INSTANT
            known = names[event.name_iid], categories[event.category_iids[0]]
            timeline.instants.append(Instant(thread, known[0], known[1], time, arguments))
    assert not any(stacks.values()), "a slice without an end"
    timeline.slices.sort(key=lambda slice: (slice.start, slice.depth))
    return timeline


def unknown_fields(message):
    """Whether there is a field that Perfetto's definitions do not have."""
    from google.protobuf import unknown_fields as unknown

    return len(unknown.UnknownFieldSet(message)) > 0 or any(
        unknown_fields(item)
        for field, value in message.ListFields()
        if field.message_type is not None
        for item in ([value] if isinstance(value, type(message)) or hasattr(value, "ListFields") else value)
    )


def nanoseconds(microseconds):
    return int(round(microseconds * 1000))


def read_chrome(path):
    """As in the document "Trace Event Format": the object format, with complete, instant, metadata events."""
    with open(str(path), encoding="utf-8") as file:
        document = json.load(file)
    assert document["displayTimeUnit"] in ("ms", "ns")
    timeline = Timeline()
    stacks = collections.defaultdict(list)
    complete = []
    for event in document["traceEvents"]:
        thread = event["pid"], event.get("tid")
        assert isinstance(event["pid"], int) and isinstance(event["name"], str)
        if event["ph"] == "M":
            (timeline.processes if event["name"] == "process_name" else timeline.threads)[
                event["pid"] if event["name"] == "process_name" else thread
            ] = event["args"]["name"]
        elif event["ph"] == "i":
            assert event["s"] == "t"
            time = nanoseconds(event["ts"])
            timeline.instants.append(Instant(thread, event["name"], event["cat"], time, event["args"]))
        else:
            assert event["ph"] == "X"
            complete.append(event)
    complete.sort(key=lambda event: (event["ts"], -event["dur"]))
    for event in complete:
        thread = event["pid"], event["tid"]
        start, end = nanoseconds(event["ts"]), nanoseconds(event["ts"]) + nanoseconds(event["dur"])
        stack = stacks[thread]
        while stack and stack[-1] <= start:
            stack.pop()
        assert not stack or end <= stack[-1], "slices that overlap without one being within the other"
        timeline.slices.append(
            Slice(thread, event["name"], event["cat"], start, end, len(stack), event["args"])
        )
        stack.append(end)
    return timeline


READERS = {"pftrace": read_perfetto, "json": read_chrome}


@pytest.fixture(params=sorted(READERS))
def suffix(request):
    return request.param


class Recorded:
    """`catprobe timeline` of a program, to its end."""

    def __init__(self, folder, environment, suffix):
        self.folder, self.environment, self.suffix = folder, environment, suffix

    def __call__(self, program, *options):
        script, path = self.folder / "cats.py", self.folder / ("out." + self.suffix)
        script.write_text(program, encoding="utf-8")
        words = options + ("-o", path, "--", sys.executable, script, self.folder / "noted")
        result = run(self.environment, "timeline", *words)
        assert result.returncode == 0, result
        self.said = result.stderr
        return READERS[self.suffix](path)


@pytest.fixture
def recorded(tmp_path, environment, suffix):
    return Recorded(tmp_path, environment, suffix)


def test_slices_are_where_the_calls_were(recorded, tmp_path):
    timeline = recorded(PROGRAM, "--file", "cats.py")
    noted = sorted(json.loads((tmp_path / "noted").read_text()), key=lambda note: note[1])
    truth = [note for note in noted if note[0] in ("leaf", "branch", "stray")]
    found = [slice for slice in timeline.slices if slice.name in ("leaf", "branch", "stray")]
    assert [slice.name for slice in found] == [note[0] for note in truth]
    for slice, (name, before, begun, ended, after) in zip(found, truth):
        assert before - 1000 <= slice.start <= begun + 1000, name
        assert ended - 1000 <= slice.end <= after + 1000, name
        assert slice.arguments["file"].endswith("cats.py") and slice.arguments["line"] > 0
    depths = [slice.depth for slice in timeline.named("branch")]
    assert depths == [depths[0] + 2 * deeper for last in range(3) for deeper in range(last + 1)]
    assert timeline.named("timed.<locals>.call") or timeline.named("call")
    (pid,) = timeline.processes
    assert timeline.threads == {(pid, pid): "MainThread"} and "cats.py" in timeline.processes[pid]


def test_an_exception_is_an_instant_in_its_function(recorded):
    timeline = recorded(PROGRAM, "--file", "cats.py")
    (raised,) = [instant for instant in timeline.instants if instant.name == "ValueError"]
    (fail,) = timeline.named("fail")
    assert fail.start <= raised.time <= fail.end and raised.category == "exception"
    assert raised.arguments["message"] == "no \N{CAT FACE} here"
    assert raised.arguments["line"] == fail.arguments["line"] + 1


def test_no_exceptions_when_not_wanted(recorded):
    timeline = recorded(PROGRAM, "--file", "cats.py", "--no-exceptions")
    assert not timeline.instants and timeline.named("fail")


def test_collections_and_imports_are_slices(recorded):
    timeline = recorded("import gc\nimport colorsys\na = []\na.append(a)\ndel a\ngc.collect()\n")
    (imported,) = timeline.named("import colorsys")
    assert imported.category == "import" and imported.arguments["found"] == 1
    assert imported.start < imported.end
    collections_ = [slice for slice in timeline.slices if slice.category == "gc"]
    assert any(slice.arguments["collected"] >= 1 for slice in collections_)
    assert {slice.name for slice in collections_} <= {"gc generation {}".format(n) for n in range(4)}


THREADS = """
import threading


def work():
    barrier.wait()


barrier = threading.Barrier(3)
threads = [threading.Thread(target=work, name="worker-%d" % n) for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_each_thread_has_a_track_with_its_name(recorded):
    timeline = recorded(THREADS)
    found = {timeline.threads[slice.thread] for slice in timeline.named("work")}
    assert found == {"worker-0", "worker-1", "worker-2"}
    assert len({slice.thread for slice in timeline.named("work")}) == 3


GENERATORS = """
import asyncio


def count():
    yield 1
    yield 2


def fail():
    try:
        yield
    finally:
        raise KeyError


async def nap():
    await asyncio.sleep(0.001)
    await asyncio.sleep(0.001)


def outer():
    list(count())
    half = count()
    next(half)
    half.close()
    bad = fail()
    next(bad)
    try:
        bad.throw(OSError)
    except KeyError:
        pass


async def main():
    await asyncio.gather(nap(), nap())


outer()
asyncio.get_event_loop_policy().new_event_loop().run_until_complete(main())
"""


def test_generators_and_coroutines_balance_by_themselves(recorded):
    timeline = recorded(GENERATORS)
    (outer,) = timeline.named("outer")
    inside = [slice for slice in timeline.slices if outer.start < slice.start < outer.end]
    assert sum(slice.name == "count" for slice in inside) >= 4
    assert sum(slice.name == "fail" for slice in inside) == 2
    assert all(slice.depth == outer.depth + 1 for slice in inside if slice.name in ("count", "fail"))
    assert len(timeline.named("nap")) == 6, "three for each: begun, and resumed twice"
    assert "returns of calls" not in recorded.said


def test_min_duration_leaves_out_what_is_shorter(recorded):
    timeline = recorded(PROGRAM, "--file", "cats.py", "--min-duration", "10ms")
    assert min(slice.end - slice.start for slice in timeline.slices) >= 10000000
    assert len(timeline.named("leaf")) == 6 and len(timeline.named("branch")) == 6
    assert re.search(r"\d+ shorter ones left out", recorded.said)


def test_a_process_that_is_killed_ends_its_slices(environment, tmp_path, suffix):
    path = tmp_path / ("out." + suffix)
    waits = tmp_path / "waits.py"
    waits.write_text(
        "import sys\n\ndef wait():\n    print('waiting', flush=True)\n    sys.stdin.read()\n\nwait()\n"
    )
    words = command("timeline", "-o", path, "--", sys.executable, waits)
    process = subprocess.Popen(
        words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"waiting\n"
    with open("/proc/{0}/task/{0}/children".format(process.pid)) as children:
        os.kill(int(children.read()), signal.SIGKILL)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    timeline = READERS[suffix](path)
    (wait,) = timeline.named("wait")
    (module,) = [slice for slice in timeline.named("<module>") if "waits.py" in slice.arguments["file"]]
    assert module.start <= wait.start < wait.end <= module.end


def test_several_processes(environment, tmp_path, suffix):
    path = tmp_path / ("out." + suffix)
    with server(tmp_path, environment) as first, server(tmp_path, environment, name="other.py") as second:
        with tracing(tmp_path, environment, "timeline", first.pid, second.pid, "-o", path) as trace:
            trace.armed()
            first.call()
            second.call()
            assert trace.stop() == 0
        timeline = READERS[suffix](path)
        assert {slice.thread[0] for slice in timeline.named("leaf")} == {first.pid, second.pid}
        assert len(timeline.named("leaf")) == 40
        assert "server.py" in timeline.processes[first.pid] and "other.py" in timeline.processes[second.pid]


def test_calls_that_were_running_begin_with_the_trace(environment, tmp_path, suffix):
    """What is seen of them depends on the interpreter; that it nests is what the readers check."""
    path = tmp_path / ("out." + suffix)
    with server(tmp_path, environment) as target:
        with tracing(tmp_path, environment, "timeline", target.pid, "-o", path) as trace:
            trace.armed()
            target.call()
            target.process.stdin.close()  # the module returns
            until(lambda: target.process.poll() is not None, "the end of the server")
            assert trace.wait() == 0
        timeline = READERS[suffix](path)
        assert len(timeline.named("call")) == 1 and len(timeline.named("branch")) == 10


# The flight recorder.


def test_a_signal_writes_what_was_recorded_since_the_last(environment, tmp_path, suffix):
    path = tmp_path / ("out." + suffix)
    second = "{}.2".format(path)
    words = ("timeline", "-o", path, "--last", "64M", "--file", "server.py")
    with server(tmp_path, environment) as target, tracing(tmp_path, environment, *words, target.pid) as trace:
        trace.armed()
        target.call()
        assert not path.exists()
        trace.process.send_signal(signal.SIGUSR1)
        until(lambda: "{}: ".format(path) in trace.errors(), "the first file")
        target.call()
        target.call()
        trace.process.send_signal(signal.SIGUSR1)
        until(lambda: "{}: ".format(second) in trace.errors(), "the second file")
        assert trace.stop() == 0
    assert len(READERS[suffix](path).named("call")) == 1
    assert len(READERS[suffix](second).named("call")) == 2


def test_the_end_writes_it_too(recorded):
    timeline = recorded(PROGRAM, "--file", "cats.py", "--last", "1M")
    assert len(timeline.named("leaf")) == 12


LONG = """
def leaf():
    pass


def go():
    for n in range(200000):
        leaf()


go()
"""


def test_only_the_last_megabytes_are_kept(recorded, tmp_path):
    timeline = recorded(LONG, "--file", "cats.py", "--last", "2M", "--no-exceptions")
    leaves, (go,) = timeline.named("leaf"), timeline.named("go")
    events = (2 << 20) // 24  # each call has two
    assert 0.8 * events / 2 < len(leaves) < 1.1 * events / 2
    assert go.start <= leaves[0].start and leaves[-1].end <= go.end
    assert go.arguments["began_earlier_ns"] > 0
    assert all(slice.depth == go.depth + 1 for slice in leaves)


@pytest.mark.parametrize(
    "when, last",
    [
        ('probename == "function-return" && probefunc == "leaf" && self->n++ == 5', "leaf"),
        ('probename == "exception-raise" && copyinstr(arg0) == "ValueError"', None),
    ],
)
def test_a_predicate_writes_it(environment, tmp_path, suffix, when, last):
    script, path = tmp_path / "cats.py", tmp_path / ("out." + suffix)
    script.write_text(PROGRAM, encoding="utf-8")
    words = ("--file", "cats.py", "-o", path, "--", sys.executable, script, tmp_path / "noted")
    result = run(environment, "timeline", "--last", "8M", "--when", when, *words)
    assert result.returncode == 0, result
    timeline = READERS[suffix](path)
    if last:
        assert len(timeline.named(last)) == 6
    else:
        assert [instant.name for instant in timeline.instants] == ["ValueError"]
        assert len(timeline.named("leaf")) == 12


@pytest.mark.once
def test_a_predicate_that_never_holds_writes_nothing(environment, tmp_path, suffix):
    path = tmp_path / ("out." + suffix)
    words = ("-o", path, "--", sys.executable, "-c", "pass")
    result = run(environment, "timeline", "--last", "8M", "--when", 'probefunc == "none"', *words)
    assert result.returncode == 0 and not path.exists()
    assert "--when did not hold: nothing was written" in result.stderr


@pytest.mark.once
@pytest.mark.parametrize("key", [b"w", b"\n"])
def test_a_key_writes_it(environment, tmp_path, key):
    path = tmp_path / "out.json"
    controller, terminal = os.openpty()

    def take_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    before = termios.tcgetattr(terminal)
    with server(tmp_path, environment) as target, open(str(tmp_path / "err"), "wb") as err:
        process = subprocess.Popen(
            command("timeline", target.pid, "-o", path, "--last", "8M"),
            env=environment,
            stdin=terminal,
            stderr=err,
            preexec_fn=take_terminal,
        )

        def says(words):
            return words in (tmp_path / "err").read_text() or process.poll() is not None

        until(lambda: says("tracing "), "the armed line")
        target.call()
        os.write(controller, b"x" + key)
        until(lambda: says("out.json: "), "the file")
        assert len(read_chrome(path).named("call")) == 1
        os.write(controller, b"\x03")
        assert process.wait(SECONDS) == 0
        assert termios.tcgetattr(terminal) == before, "the terminal is as it was"
    os.close(controller)
    os.close(terminal)


# What is wrong is said.


@pytest.mark.once
@pytest.mark.parametrize(
    "words, said",
    [
        (("1",), "timeline: to which file? -o FILE.pftrace or -o FILE.json"),
        (("1", "-o", "x.txt"), "timeline: x.txt ends neither in .pftrace, .perfetto-trace nor .json:"),
        (("1", "-o", "x", "--format", "svg"), "--format takes perfetto or chrome, not svg"),
        (("1", "-o", "x.json", "--last", "64"), "--last takes a size such as 64M or 1G, not 64"),
        (("1", "-o", "x.json", "--last", "64K"), "--last takes at least 1M, not 64K"),
        (("1", "-o", "x.json", "--min-duration", "-1ms"), "--min-duration takes a time such as 500ms, "),
        (("1", "-o", "x.json", "--when", "1"), "--when says when what --last SIZE keeps is to be written"),
    ],
)
def test_wrong_words_are_told(environment, words, said):
    result = run(environment, "timeline", *words)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith("catprobe: " + said), result


@pytest.mark.once
@pytest.mark.parametrize("last", [(), ("--last", "1M")])
def test_a_full_disk_is_told(environment, last):
    words = ("--format", "perfetto", "-o", "/dev/full") + last + ("--", sys.executable, "-c", "pass")
    result = run(environment, "timeline", *words)
    told = [line for line in result.stderr.splitlines() if "No space" in line]
    assert told == ["catprobe: cannot write /dev/full: No space left on device"], result
    assert result.returncode == 1


@pytest.mark.once
def test_a_file_that_cannot_be_made_is_told(environment, tmp_path):
    path = tmp_path / "none" / "out.json"
    result = run(environment, "timeline", "-o", path, "--", sys.executable, "-c", "pass")
    assert result.stderr == "catprobe: failed to open output file '{}': No such file or directory\n".format(
        path
    )
    assert result.returncode == 1


@pytest.mark.once
@pytest.mark.parametrize("last", [(), ("--last", "1M")])
def test_where_there_is_nothing_to_trace_an_older_file_is_kept(environment, tmp_path, last):
    path = tmp_path / "out.json"
    path.write_text("old")
    result = run(environment, "timeline", "-o", path, *last + ("--", tmp_path / "none"))
    assert result.returncode != 0 and path.read_text() == "old", result
    result = run(environment, "timeline", "-o", path, *last + ("4194304",))
    assert "there is no process 4194304" in result.stderr and path.read_text() == "old"
    path.unlink()
    assert run(environment, "timeline", "-o", path, *last + ("4194304",)).returncode == 1
    assert not path.exists()


@pytest.mark.once
def test_a_recorder_larger_than_the_memory_is_refused(environment):
    result = run(environment, "timeline", "--last", "99999G", "-o", "out.json", "1")
    assert result.returncode == 2
    assert result.stderr == (
        "catprobe: --last takes less than this machine's memory, not 99999G (see: catprobe --help)\n"
    )
