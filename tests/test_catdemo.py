"""The cat server, as a person at the command line or in the REPL meets it."""

import os
import re
import signal
import subprocess
import sys

import pytest

ENV = dict(os.environ, PYTHONUNBUFFERED="1")
ROUND = re.compile(r"(?:\*+\+)+")


def command(*options):
    return [sys.executable, "-m", "catdemo"] + list(options)


def run(args):
    pipe = subprocess.PIPE
    return subprocess.run(args, stdout=pipe, stderr=pipe, universal_newlines=True, timeout=60, env=ENV)


def serve(*options):
    """What a run of so many requests printed."""
    done = run(command(*options))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def depths(output):
    """The depth of each search, round by round."""
    return [[len(stars) for stars in line[:-1].split("+")] for line in ROUND.findall(output)]


def test_it_says_its_pid_at_the_start_and_after_each_round():
    with subprocess.Popen(
        command("--requests", "20", "--speed", "1000"),
        stdout=subprocess.PIPE,
        universal_newlines=True,
        env=ENV,
    ) as server:
        lines = server.stdout.read().splitlines()
    assert re.match(r"PID {}\b".format(server.pid), lines[0])
    rest = lines[1:]
    assert all(ROUND.fullmatch(line) for line in rest[0::2])
    assert all(line == "PID {} is waiting.".format(server.pid) for line in rest[1::2])
    assert len(rest[0::2]) == len(rest[1::2]) >= 3


def test_rounds_of_4_to_8_requests_and_searches_of_depth_1_to_12():
    rounds = depths(serve("--requests", "600", "--speed", "100000"))
    assert sum(map(len, rounds)) == 600
    assert {len(searches) for searches in rounds[:-1]} == {4, 5, 6, 7, 8}
    assert {depth for searches in rounds for depth in searches} == set(range(1, 13))


def test_a_seed_gives_the_same_requests_at_any_speed():
    def requests(seed, speed):
        return depths(serve("--requests", "30", "--seed", seed, "--speed", speed))

    assert requests("7", "1000") == requests("7", "1e6")
    assert requests("7", "1000") != requests("8", "1000")


def test_without_a_seed_each_run_is_another():
    assert depths(serve("--requests", "30", "--speed", "1000")) != depths(
        serve("--requests", "30", "--speed", "1000")
    )


def test_a_video_takes_a_tenth_to_four_tenths_of_a_second():
    program = """if True:
        import catdemo, catdemo.demo as demo
        naps = []
        demo.time.sleep = naps.append
        for _ in range(500):
            catdemo.new_cat_video()
        assert 0.1 <= min(naps) < 0.12 and 0.38 < max(naps) <= 0.4, (min(naps), max(naps))
        naps.clear()
        catdemo.new_cat_video(10)
        assert 0.01 <= naps[0] <= 0.04, naps
    """
    done = run([sys.executable, "-c", program])
    assert (done.returncode, done.stderr) == (0, "")


def test_go_takes_what_the_command_line_takes():
    done = run([sys.executable, "-c", "import catdemo; catdemo.go(requests=9, speed=1000, seed=3)"])
    assert (done.returncode, done.stderr) == (0, "")
    assert depths(done.stdout) == depths(serve("--requests", "9", "--speed", "1000", "--seed", "3"))


def test_it_calls_go_find_and_new_cat_video_in_demo_py():
    program = """if True:
        import sys, os, catdemo
        calls = []
        sys.setprofile(lambda frame, event, arg: calls.append(
            (os.path.basename(frame.f_code.co_filename), frame.f_code.co_name)) if event == "call" else None)
        catdemo.go(requests=1, speed=1000, seed=1)
        sys.setprofile(None)
        names = [name for file, name in calls if file == "demo.py"]
        assert names[0] == "go" and names[-1] == "new_cat_video" and set(names[1:-1]) == {"find"}, names
    """
    done = run([sys.executable, "-c", program])
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_it_makes_the_process_traceable():
    done = run([sys.executable, "-c", "import catdemo, sys; assert 'catprobe' in sys.modules"])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "start", [["-m", "catdemo"], ["-c", "import catdemo; catdemo.go()"]], ids=["-m", "go()"]
)
def test_ctrl_c_ends_it_without_a_traceback(start):
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable] + start, stdout=pipe, stderr=pipe, universal_newlines=True, env=ENV
    ) as server:
        assert server.stdout.readline().startswith("PID {}".format(server.pid))
        server.send_signal(signal.SIGINT)
        rest, errors = server.communicate(timeout=60)
    assert (server.returncode, errors) == (0, "")
    assert rest.endswith("\nNo more cat videos today.\n")


@pytest.mark.parametrize(
    "options, complaint",
    [
        (["--speed", "0"], "--speed"),
        (["--speed", "-2"], "--speed"),
        (["--speed", "fast"], "--speed"),
        (["--speed", "nan"], "--speed"),
        (["--speed", "inf"], "--speed"),
        (["--requests", "0"], "--requests"),
        (["--requests", "1.5"], "--requests"),
        (["--seed", "cat"], "--seed"),
        (["--cats"], "--cats"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_option_is_one_line(options, complaint):
    done = run(command(*options))
    assert done.returncode == 2 and done.stdout == ""
    usage, _, error = done.stderr.rstrip("\n").rpartition("\n")
    assert usage.startswith("usage: ")
    assert error.startswith("python -m catdemo: error: ") and complaint in error
