"""catprobe record: what it samples of programs whose shares are known, and what becomes of the file."""

import os
import re
import signal
import subprocess
import sys

import pytest
from tracing import command, run
from waiting import SECONDS, until

# Spends 60 percent in heavy, 20 in light, 20 waiting in rest.
SHARES = """
import sys
import time
import catprobe


def spin(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def heavy():
    spin(0.03)


def light():
    spin(0.01)


def rest():
    time.sleep(0.01)


def go():
    while True:
        heavy()
        light()
        rest()


print("ready", flush=True)
go()
"""


@pytest.fixture
def start(tmp_path, environment):
    """Starts a program that says when it is ready."""
    started = []

    def begin(source, name="shares.py"):
        path = tmp_path / name
        path.write_text(source, encoding="utf-8")
        process = subprocess.Popen([sys.executable, str(path)], env=environment, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def stacks(path):
    """Collapsed stacks: the functions of each, and its samples."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        stack, samples = line.rsplit(" ", 1)
        found.append(([re.sub(r" \(.*\)$", "", frame) for frame in stack.split(";")], int(samples)))
    return found


def shares(path):
    """Function -> the part of the samples that have it on the stack."""
    found = stacks(path)
    total = sum(samples for _, samples in found)
    names = {name for stack, _ in found for name in stack}
    return {name: sum(n for stack, n in found if name in stack) / total for name in names}


def test_shares_are_the_truth(environment, start, tmp_path):
    out = tmp_path / "out.txt"
    result = run(environment, "record", start(SHARES).pid, "-i", "-r", "500", "-d", "3", "-o", out)
    assert result.returncode == 0, result
    found = shares(out)
    assert found["heavy"] == pytest.approx(0.6, abs=0.1), found
    assert found["light"] == pytest.approx(0.2, abs=0.1), found
    assert found["rest"] == pytest.approx(0.2, abs=0.1), found
    assert re.search(r"wrote {}: \d+ samples in 3\.\d s".format(re.escape(str(out))), result.stderr), result


def test_threads_that_wait_are_left_out(environment, start, tmp_path):
    out = tmp_path / "out.txt"
    assert run(environment, "record", start(SHARES).pid, "-r", "500", "-d", "2", "-o", out).returncode == 0
    found = shares(out)
    assert found["heavy"] == pytest.approx(0.75, abs=0.1) and found.get("rest", 0) < 0.05, found


def test_threads_and_functions(environment, start, tmp_path):
    out = tmp_path / "out.txt"
    process = start(SHARES)
    assert run(environment, "record", process.pid, "-tF", "-d", "1", "-o", out).returncode == 0
    text = out.read_text()
    assert all(stack[0] == "MainThread" for stack, _ in stacks(out)), text
    assert set(re.findall(r"heavy \([^)]*shares\.py:(\d+)\)", text)) == {"13"}, text


def test_ctrl_c_ends_it(environment, start, tmp_path):
    out = tmp_path / "out.svg"
    words = command("record", start(SHARES).pid, "-o", out)
    recording = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, universal_newlines=True)
    assert "recording at 100 Hz, until Ctrl-C" in recording.stderr.readline()
    until(lambda: not out.exists())
    with pytest.raises(subprocess.TimeoutExpired):
        recording.wait(1)
    recording.send_signal(signal.SIGINT)
    errors = recording.communicate(timeout=SECONDS)[1]
    assert recording.returncode == 0 and "wrote" in errors, errors
    assert "<title>heavy (" in out.read_text()


def test_what_was_recorded_of_a_killed_process_is_written(environment, start, tmp_path):
    out = tmp_path / "out.txt"
    process = start(SHARES)
    words = command("record", process.pid, "-o", out)
    recording = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, universal_newlines=True)
    recording.stderr.readline()
    with pytest.raises(subprocess.TimeoutExpired):
        recording.wait(1)
    process.kill()
    errors = recording.communicate(timeout=SECONDS)[1]
    assert recording.returncode == 0 and "heavy" in shares(out), errors


def test_a_program_is_recorded_to_its_end(environment, tmp_path):
    out = tmp_path / "out.txt"
    code = "import sys; sum(n * n for n in range(10 ** 7)); sys.exit(3)"
    result = run(environment, "record", "-o", out, "--", sys.executable, "-c", code)
    assert result.returncode == 3, result
    assert "<genexpr>" in shares(out)


def test_a_generator_that_is_resumed_for_a_moment_has_its_share(environment, start, tmp_path):
    """Each resumption is shorter than a copy of the stack; together they are 0.63 to 0.72 of the time, by a
    signal handler in C that looks at what runs."""
    source = "print('ready', flush=True)\nwhile True:\n    sum(n * n for n in range(10 ** 5))\n"
    out = tmp_path / "out.txt"
    pid = start("import catprobe\n" + source).pid
    assert run(environment, "record", pid, "-r", "1000", "-d", "2", "-o", out).returncode == 0
    found = shares(out)
    assert found["<genexpr>"] > 0.5 and found["<module>"] > 0.99, found


def test_odd_names(environment, start, tmp_path):
    source = SHARES.replace("heavy", "næste").replace("        light()", "        (lambda: spin(0.01))()")
    process = start(source, 'a&b "<c>"\n.py')
    out = tmp_path / "out.txt"
    assert run(environment, "record", process.pid, "-d", "1", "-o", out).returncode == 0
    found = out.read_text(encoding="utf-8")
    assert 'a&b "<c>"\\x0a.py:' in found and "næste" in found and "<lambda>" in found


def test_nothing_recorded_leaves_no_file(environment, start, tmp_path):
    process = start("import catprobe\nimport time\nprint('ready', flush=True)\ntime.sleep(1000)\n")
    out = tmp_path / "out.svg"
    result = run(environment, "record", process.pid, "-r", "20", "-d", "300ms", "-o", out)
    assert result.returncode == 1 and not out.exists(), result
    assert "nothing to write" in result.stderr and "--idle" in result.stderr
    assert not [name for name in os.listdir(str(tmp_path)) if name.startswith(".catprobe")]


@pytest.fixture
def full_disk(root, tmp_path):
    """A folder in which little more than a short file has room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_the_old_file(environment, start, full_disk):
    out = full_disk / "out.svg"
    out.write_text("old")
    result = run(environment, "record", start(SHARES).pid, "-d", "1", "-o", out)
    assert "cannot write {}: No space left on device\n".format(out) in result.stderr, result
    assert result.returncode == 1 and out.read_text() == "old"
    assert os.listdir(str(full_disk)) == ["out.svg"]


def test_what_is_no_file_is_written_into(environment, start):
    result = run(environment, "record", start(SHARES).pid, "-d", "1", "-o", "/dev/stdout", "-f", "collapsed")
    assert result.returncode == 0 and "heavy" in result.stdout, result
    assert os.path.exists("/dev/stdout")


@pytest.mark.once
@pytest.mark.parametrize(
    "words, message",
    [
        (["-o", "x.svg"], "which process"),
        (["1"], "-o FILE says where to"),
        (["1", "-o", "x.png"], "which format"),
        (["1", "-o", "x", "-f", "gif"], "--format is one of svg, html"),
        (["1", "-o", "/nonexistent/x.svg"], "cannot write /nonexistent/x.svg: No such file or directory"),
        (["1", "-r", "0", "-o", "x.svg"], "-r takes"),
        (["1", "-d", "soon", "-o", "x.svg"], "-d takes"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(environment, tmp_path, words, message):
    result = run(environment, "record", *words, cwd=str(tmp_path))
    assert result.returncode in (1, 2) and message in result.stderr, result
    assert len(result.stderr.splitlines()) == 1 and not (tmp_path / "x.svg").exists()
