"""catprobe dump: the asyncio tasks that wait, by name, with what they await."""

import json
import os
import re
import sys

import pytest
from tracing import program, run
from waiting import until

pytestmark = pytest.mark.skipif(sys.version_info < (3, 8), reason="tasks are shown from CPython 3.8 on")

HAS_GROUPS = sys.version_info >= (3, 11)

HEAD = """
import asyncio
import sys
import threading
import types

import catprobe


def ready():
    print("ready", flush=True)
"""

# Each task is named after what it awaits.
KINDS = (
    HEAD
    + """
async def leaf():
    await asyncio.sleep(1000)  # here the leaf is


async def middle():
    here = "mouse"
    await leaf()
    return here


async def nested():
    await middle()


async def future(which):
    await which


async def gathers():
    await asyncio.gather(leaf(), leaf())


async def numbers():
    yield 1
    await leaf()
    yield 2


async def iterates():
    async for number in numbers():
        pass


async def next_one():
    generator = numbers()
    await generator.__anext__()
    await (anext(generator, None) if sys.version_info >= (3, 10) else generator.__anext__())


async def closes():
    async def stubborn():
        try:
            yield
        finally:
            await leaf()

    generator = stubborn()
    await generator.__anext__()
    await generator.aclose()


class Awaitable:
    def __await__(self):
        return (yield from leaf().__await__())


async def awaitable():
    await Awaitable()


@types.coroutine
def old():
    yield from leaf()


async def old_fashioned():
    await old()


async def done():
    return "mouse"


class OwnTask(asyncio.Task):
    pass


# Each awaits the task "awaited" in another way.
async def directly(task):
    await task


async def shields(task):
    await asyncio.shield(task)


async def waits(task):
    await asyncio.wait([task])


async def waits_for(task):
    await asyncio.wait_for(task, 1000)


async def gathers_one(task):
    await asyncio.gather(asyncio.gather(done(), task), done())


async def groups():
    async with asyncio.TaskGroup() as group:
        group.create_task(leaf(), name="awaited")
        group.create_task(done())


async def groups_two():
    async with asyncio.TaskGroup() as group:
        group.create_task(leaf(), name="one")
        group.create_task(leaf(), name="two")


async def unnamed():
    await asyncio.create_task(leaf())


async def rounds(others):
    while not others:
        await asyncio.sleep(0)
    await others[0]


def new_ring(loop):
    first, second = [], []
    tasks = [loop.create_task(rounds(first), name="first"), loop.create_task(rounds(second), name="second")]
    first.append(tasks[1])
    second.append(tasks[0])
    return tasks


async def main():
    loop = asyncio.get_running_loop()
    coroutines = [leaf(), nested(), gathers(), iterates(), next_one(), closes(), awaitable(), old_fashioned()]
    tasks = [loop.create_task(one, name=one.__name__) for one in coroutines]
    tasks.append(loop.create_task(future(loop.create_future()), name="future"))
    tasks.append(OwnTask(leaf(), name="own class"))
    tasks.append(loop.create_task(leaf(), name="\\u732b"))
    tasks.append(loop.create_task(done(), name="done"))
    awaited = loop.create_task(middle(), name="awaited")
    for one in directly, shields, waits, waits_for, gathers_one:
        tasks.append(loop.create_task(one(awaited), name=one.__name__))
    for one in (groups, groups_two, unnamed) if hasattr(asyncio, "TaskGroup") else (unnamed,):
        tasks.append(loop.create_task(one(), name=one.__name__))
    tasks += new_ring(loop)
    for _ in range(10):
        await asyncio.sleep(0)
    loop.call_soon(ready)
    loop.call_soon(sys.stdin.readline)
    tasks.append(loop.create_task(leaf(), name="to begin"))
    await asyncio.sleep(1000)


asyncio.run(main())
"""
)

NAMES = [
    "leaf",
    "nested",
    "gathers",
    "iterates",
    "next_one",
    "closes",
    "awaitable",
    "old_fashioned",
    "future",
]
NAMES += ["own class", "\u732b", "to begin"]
AWAITS = ["directly", "shields", "waits", "waits_for", "gathers_one", "unnamed"]
AWAITS += ["groups", "groups_two"] * HAS_GROUPS
OWN = ("wait", "_wait", "wait_for", "__aexit__", "_aexit")  # asyncio's own coroutines

LEAF = 1 + next(at for at, line in enumerate(KINDS.splitlines()) if "# here the leaf is" in line)

LOOPS = (
    HEAD
    + """
begun = threading.Barrier(3)


async def waits(name):
    asyncio.current_task().set_name(name)
    begun.wait()
    await asyncio.sleep(1000)


for name in ("one", "other"):
    threading.Thread(target=asyncio.run, args=(waits("of " + name),), name=name, daemon=True).start()
begun.wait()
loop = asyncio.new_event_loop()
task = loop.create_task(waits("of none"), name="of none")
ready()
sys.stdin.readline()
"""
)

MANY = (
    HEAD
    + """
async def waits():
    await asyncio.sleep(1000)


async def main():
    tasks = [asyncio.create_task(waits(), name="cat-%d" % i) for i in range(1000)]
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(ready)
    await asyncio.sleep(1000)


asyncio.run(main())
"""
)

# It awaits itself deeper than a stack is shown.
DEEP = (
    HEAD
    + """
async def deep(n):
    await (deep(n - 1) if n else asyncio.sleep(1000))


async def main():
    sys.setrecursionlimit(20000)
    task = asyncio.create_task(deep(5000), name="deep")
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(ready)
    await asyncio.sleep(1000)


threading.stack_size(512 << 20)
thread = threading.Thread(target=lambda: asyncio.run(main()))
thread.start()
thread.join()
"""
)

# Until its input ends; then it says how many tasks there were, and that each did what it should.
BUSY = (
    HEAD
    + """
async def numbers(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i


async def deep(n):
    return n + await deep(n - 1) if n else sum([i async for i in numbers(3)])


async def main():
    ends = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), ends.set())).start()
    ready()
    wrong = right = 0
    while not ends.is_set():
        results = await asyncio.gather(*[deep(i % 20) for i in range(100)])
        good = [i % 20 * (i % 20 + 1) // 2 + 3 for i in range(100)]
        wrong += results != good
        right += results == good
    print(wrong, right > 0, flush=True)


asyncio.run(main())
"""
)

# Each of its tasks runs again and again.
TURNS = (
    HEAD
    + """
async def turn(i):
    await asyncio.sleep(0)
    return sum(range(i * 10))


async def turns(i):
    while True:
        await turn(i)


async def main():
    asyncio.get_running_loop().call_soon(ready)
    await asyncio.gather(*[turns(i) for i in range(100)])


asyncio.run(main())
"""
)


def dump(environment, process, *options):
    result = run(environment, "dump", "--json", *options, process.pid)
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


def tasks(found):
    return {thread["thread_name"]: thread for thread in found if thread["task"]}


def dump_of(environment, process, count):
    """Once there are so many tasks."""
    found = dump(environment, process)
    return found if len(tasks(found)) == count else None


def chain(task):
    return [frame["name"].rpartition(".")[2] for frame in task["frames"]]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """What there is of KINDS: the dump with its variables, and as text."""
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "control").mkdir(mode=0o700)
    environment = dict(os.environ, CATPROBE_DIR=str(folder / "control"), LC_ALL="C.UTF-8")
    with program(folder, environment, KINDS) as process:
        yield dump(environment, process, "--locals"), run(environment, "dump", process.pid).stdout


def test_await_chains(kinds):
    found = tasks(kinds[0])
    leaf = ["sleep", "leaf"]
    assert {name: chain(found[name]) for name in NAMES} == {
        "leaf": leaf,
        "nested": leaf + ["middle", "nested"],
        "gathers": ["<2 tasks>", "gathers"],
        "iterates": leaf + ["numbers", "iterates"],
        "next_one": leaf + ["numbers", "next_one"],
        "closes": leaf + ["stubborn", "closes"],
        "awaitable": leaf + ["__await__", "awaitable"],
        "old_fashioned": leaf + ["old", "old_fashioned"],
        "future": ["future"],
        "own class": leaf,
        "\u732b": leaf,
        "to begin": ["leaf"],
    }


def test_a_task_that_is_awaited_goes_on(kinds):
    found = tasks(kinds[0])
    leaf = ["sleep", "leaf"]
    to = leaf + ["middle", "<task awaited>"]
    chains = {name: [one for one in chain(found[name]) if one not in OWN] for name in AWAITS}
    expected = {
        "directly": to + ["directly"],
        "shields": to + ["shields"],
        "waits": to + ["waits"],
        "waits_for": to + ["waits_for"],
        "gathers_one": to + ["gathers_one"],
        "groups": leaf + ["<task awaited>", "groups"],
        "groups_two": ["<2 tasks>", "groups_two"],
        "unnamed": leaf + ["<task>", "unnamed"],
    }
    assert chains == {name: expected[name] for name in AWAITS}


def test_tasks_that_await_each_other(kinds):
    found = tasks(kinds[0])
    assert chain(found["first"]) == ["<task first>", "rounds", "<task second>", "rounds"]
    assert chain(found["second"]) == ["<task second>", "rounds", "<task first>", "rounds"]


def test_variables_through_a_task(kinds):
    frames = tasks(kinds[0])["directly"]["frames"]
    assert frames[2]["locals"] == [{"name": "here", "repr": "'mouse'"}]
    assert "locals" not in frames[3] and frames[4]["locals"][0]["name"] == "task"


def test_those_without_a_name_have_that_of_asyncio(kinds):
    unnamed = {name: chain(task) for name, task in tasks(kinds[0]).items() if name.startswith("Task-")}
    assert unnamed.pop("Task-1") == ["sleep", "main"]
    assert len(unnamed) == 3  # of gather() and unnamed()
    assert all(one == ["sleep", "leaf"] for one in unnamed.values())


def test_one_that_is_done_is_not_shown(kinds):
    assert "done" not in tasks(kinds[0]) and "done" not in kinds[1]


def test_the_line_where_each_waits(kinds):
    frame = tasks(kinds[0])["nested"]["frames"][1]
    assert (frame["short_filename"], frame["line"]) == ("program.py", LEAF)


def test_variables(kinds):
    frame = tasks(kinds[0])["nested"]["frames"][2]
    assert frame["locals"] == [{"name": "here", "repr": "'mouse'"}]


def test_the_thread_of_a_task(kinds):
    main = next(thread for thread in kinds[0] if thread["thread_name"] == "MainThread")
    assert {task["loop_thread_id"] for task in tasks(kinds[0]).values()} == {main["thread_id"]}


def test_as_text(kinds):
    threads = kinds[1].split("\n\n")
    assert 'MainThread"' in threads[1]
    below = threads[2:]
    assert all(re.match(r"  (Task|\d+ tasks) \(waits?\)", one) for one in below), below
    nested = next(one for one in below if '"nested"' in one).splitlines()
    assert nested[0] == '  Task (waits): "nested"'
    assert [line.split("(")[0] for line in nested[1:]] == [
        "      sleep ",
        "      leaf ",
        "      middle ",
        "      nested ",
    ]
    equal = next(one for one in below if '"own class"' in one)
    assert (
        re.match(r"  {} tasks \(wait\): ".format(9 if HAS_GROUPS else 6), equal)
        and '"leaf"' in equal
        and '"\u732b"' in equal
    )


def test_several_event_loops(environment, tmp_path):
    with program(tmp_path, environment, LOOPS) as process:
        found = until(lambda: dump_of(environment, process, 3))
        text = run(environment, "dump", process.pid).stdout
    loops = {task: one["loop_thread_id"] for task, one in tasks(found).items()}
    threads = {one["thread_id"]: one for one in found if not one["task"]}
    assert loops["of one"] != loops["of other"]
    for name in ("of one", "of other"):
        assert "run_forever" in chain(threads[loops[name]])
        assert text.index('"{}"'.format(name)) < text.index('"of none"')


def test_a_thousand(environment, tmp_path):
    with program(tmp_path, environment, MANY) as process:
        found = tasks(dump(environment, process))
        text = run(environment, "dump", process.pid).stdout
    assert set(found) == {"cat-%d" % i for i in range(1000)} | {"Task-1"}
    assert re.search(r"(?m)^  1000 tasks \(wait\): ", text)


def test_a_chain_is_cut_where_it_is_outermost(environment, tmp_path):
    with program(tmp_path, environment, DEEP) as process:
        frames = tasks(dump(environment, process))["deep"]["frames"]
    assert [frame["name"] for frame in frames[:2]] == ["sleep", "deep"]
    assert len(frames) == 4096 + 1 and frames[-1]["name"] == "<more frames>"


def test_tasks_that_come_and_go(environment, tmp_path):
    seen = set()
    with program(tmp_path, environment, BUSY) as process:
        for _ in range(50):
            for task in tasks(dump(environment, process, "--locals")).values():
                seen.update(chain(task))
        assert process.poll() is None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "0 True\n"
        assert process.wait() == 0
    assert {"main", "deep", "numbers", "<100 tasks>"} <= seen
    assert seen <= {"main", "deep", "numbers", "<listcomp>", "sleep", "__sleep0", "<100 tasks>", "<task>"}


def test_tasks_that_run_again_and_again(environment, tmp_path):
    with program(tmp_path, environment, TURNS) as process:
        found = [len(tasks(dump(environment, process))) for _ in range(10)]
    assert sum(count == 101 for count in found) >= 8, found


def test_record_and_top_do_not_sample_tasks(environment, tmp_path):
    with program(tmp_path, environment, MANY) as process:
        out = tmp_path / "out.txt"
        result = run(environment, "record", "--idle", "-d", "0.3", "-o", out, process.pid)
        assert result.returncode == 0, result
        recorded = out.read_text()
        assert "run_forever" in recorded and "waits" not in recorded
        shown = run(environment, "top", "-iF", "--json", "--seconds", 1, process.pid).stdout
        assert "run_forever" in shown and "waits" not in shown
