"""The verbs for those who know no D."""

import json
import os
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from tracing import run, traced_server

ROW = re.compile(r"(?m)^(\S+) +(\S+) +(\d+)$")


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "cats.py"
    path.write_text(
        "import textwrap\n\n\ndef purr(n):\n    return n\n\n\ndef cat():\n"
        "    return [purr(n) for n in (1, 2, 3)]\n\n\nfor n in range(5):\n    cat()\ntextwrap.fill('a b c')\n"
    )
    return path


def rows(output):
    return {(file, function): int(count) for file, function, count in ROW.findall(output)}


def test_calls_counts(environment, program):
    result = run(environment, "calls", "--", sys.executable, program)
    found = rows(result.stdout)
    assert found["cats.py", "purr"] == 15 and found["cats.py", "cat"] == 5, result
    assert ("textwrap.py", "fill") in found
    assert (result.returncode, result.stdout.split()[:3]) == (0, ["FILE", "FUNCTION", "CALLS"])


@pytest.mark.parametrize(
    "options, expected",
    [
        (("--function", "p*r"), {("cats.py", "purr"): 15}),
        (("--file=cats.py", "--function=cat"), {("cats.py", "cat"): 5}),
    ],
)
def test_a_glob_chooses(environment, program, options, expected):
    result = run(environment, "calls", *(options + ("--", sys.executable, program)))
    assert rows(result.stdout) == expected, result


def test_mine_leaves_out_the_standard_library(environment, program):
    result = run(environment, "calls", "--mine", "--", sys.executable, program)
    found = rows(result.stdout)
    assert {file for file, _ in found} == {"cats.py"} and found["cats.py", "purr"] == 15, result


def test_flow_is_indented_by_depth(environment, program):
    result = run(environment, "flow", "--file", "cats.py", "--", sys.executable, program)
    flow = [
        re.sub(r"^.*?:\d+ +?(?=\s*(->|<-))", "", line)
        for line in result.stdout.splitlines()[1:]
        if ":" in line
    ]
    words = [line.strip() for line in flow]
    at = words.index("-> cat")
    assert words[at + 1 : at + 3] == ["-> purr", "<- purr"] or "-> <listcomp>" in words, result.stdout
    assert words.count("-> purr") == words.count("<- purr") == 15
    purr = next(line for line in flow if "-> purr" in line)
    assert len(purr) - len(purr.lstrip()) > len(flow[at]) - len(flow[at].lstrip())


def test_calltime_adds_up(environment, program):
    result = run(environment, "calltime", "--mine", "--", sys.executable, program)
    found = {
        row[1]: [int(number) for number in row[2:]]
        for row in re.findall(r"(?m)^(\S+) +(\S+) +(\d+) +(\d+) +(\d+)$", result.stdout)
    }
    assert found["purr"][0] == 15 and found["cat"][0] == 5, result
    assert found["cat"][2] >= found["cat"][1]


def test_calldist_draws(environment, program):
    result = run(environment, "calldist", "--function", "purr", "--", sys.executable, program)
    assert "cats.py, purr\n" in result.stdout and "------------- Distribution -------------" in result.stdout
    assert sum(map(int, re.findall(r"(?m)^ +\d+ \|@* +(\d+) *$", result.stdout))) == 15


def test_a_thread_has_a_column(environment, program):
    result = run(environment, "calls", "--thread", "--function", "purr", "--", sys.executable, program)
    assert re.search(r"(?m)^ *\d+ cats.py +purr +15$", result.stdout), result
    assert result.stdout.split()[0] == "THREAD"


@pytest.mark.parametrize(
    "verb, columns",
    [
        ("calls", ["calls"]),
        ("calltime", ["calls", "exclusive_us", "inclusive_us"]),
        ("calldist", ["buckets"]),
    ],
)
def test_json_is_one_document(environment, program, verb, columns):
    result = run(environment, verb, "--json", "--file", "cats.py", "--", sys.executable, program)
    document = json.loads(result.stdout)
    found = {row["function"]: row for row in document["functions"]}
    assert document["verb"] == verb and {"purr", "cat"} <= set(found)
    assert all(sorted(row) == sorted(["file", "function"] + columns) for row in found.values())
    assert found["purr"]["file"] == "cats.py"
    if verb == "calldist":
        assert sum(bucket["calls"] for bucket in found["purr"]["buckets"]) == 15
    else:
        assert (found["purr"]["calls"], found["cat"]["calls"]) == (15, 5)
    if verb == "calltime":
        assert found["cat"]["inclusive_us"] >= found["cat"]["exclusive_us"]


def test_json_has_the_thread_and_a_file(environment, program, tmp_path):
    path = tmp_path / "out.json"
    words = ("--json", "--thread", "--function", "purr", "-o", path, "--", sys.executable, program)
    assert run(environment, "calls", *words).stdout == ""
    (row,) = json.loads(path.read_text())["functions"]
    assert row["tid"] > 0 and row["calls"] == 15


@pytest.mark.parametrize("option", ["--svg", "--json"])
def test_an_older_file_is_kept_until_there_is_a_new_one(environment, program, tmp_path, option):
    out = tmp_path / "out"
    out.write_text("old")
    words = [option, out] if option == "--svg" else [option, "-o", out]
    result = run(environment, "calldist", *words + ["4194304"])
    assert "there is no process 4194304" in result.stderr and result.returncode == 1
    assert out.read_text() == "old" and os.listdir(str(tmp_path)).count("out") == 1
    result = run(environment, "calldist", *words + ["--", sys.executable, program])
    assert result.returncode == 0 and "purr" in out.read_text(), result


@pytest.mark.parametrize("option", ["--svg", "--json"])
def test_a_file_that_cannot_be_made_is_told(environment, tmp_path, option):
    for path, why in (
        (tmp_path / "none" / "x", "No such file or directory"),
        ("/dev/full", "No space left on device"),
    ):
        words = ["--svg", path] if option == "--svg" else ["--json", "-o", path]
        result = run(environment, "calldist", *words + ["--", sys.executable, "-c", "def f(): pass\nf()"])
        assert result.returncode == 1
        told = [line for line in result.stderr.splitlines() if "cannot" in line]
        assert told == ["catprobe: cannot write {}: {}".format(path, why)], result


def test_json_of_flow_is_a_document_of_firings(environment, program):
    result = run(environment, "flow", "--json", "--function", "purr", "--", sys.executable, program)
    names = [firing["name"] for firing in json.loads(result.stdout)["dtrace"]["probes"]]
    assert names.count("function-entry") == names.count("function-return") == 15


SVG = "{http://www.w3.org/2000/svg}"


def test_calldist_draws_a_picture(environment, tmp_path):
    program, path = tmp_path / "cats.py", tmp_path / "times.svg"
    program.write_text(
        "import time\n\n\ndef purr(n):\n    time.sleep(n)\n\n\ndef escape():\n    return 1\n\n\n"
        "purr(0.02)\npurr(0.001)\npurr(0.001)\nescape()\n(lambda: 0)()\n"
    )
    result = run(environment, "calldist", "--svg", path, "--file", "cats.py", "--", sys.executable, program)
    assert (result.returncode, result.stdout) == (0, ""), result
    assert re.search(r"(?m)^catprobe: .*times\.svg: \d histograms$", result.stderr), result
    if shutil.which("xmllint"):
        subprocess.check_call(["xmllint", "--noout", str(path)])
    picture = ElementTree.parse(str(path)).getroot()
    assert picture.tag == SVG + "svg"
    names = [text.text for text in picture.iter(SVG + "text") if text.get("class") == "name"]
    assert "purr  cats.py" in names and "<lambda>  cats.py" in names
    titles = [title.text for title in picture.iter(SVG + "title")]
    slow = [title for title in titles if title.startswith("1 of 3 ")][-1]  # the others may be two bars, too
    assert re.search(r"took 16\.4 ms \S 32\.8 ms$", slow) or re.search(r"took 32\.8 ms \S 65\.5 ms$", slow)
    height = float(picture.get("height"))
    for bar in picture.iter(SVG + "rect"):
        if bar.get("class") == "bar":
            assert 0 <= float(bar.get("x")) + float(bar.get("width")) <= float(picture.get("width"))
            assert float(bar.get("y")) + float(bar.get("height")) <= height


@pytest.mark.once
@pytest.mark.parametrize(
    "words, said",
    [
        (("calls", "--svg", "x"), "calls draws nothing: --svg is calldist's"),
        (("calldist", "--svg", "x", "--json"), "--svg FILE is all that is written: neither --json nor -o "),
    ],
)
def test_where_a_picture_makes_no_sense(environment, words, said):
    result = run(environment, *words)
    assert (result.returncode, result.stdout) == (2, "") and said in result.stderr


@pytest.mark.once
@pytest.mark.parametrize("words", [("--svg", "/dev/full"), ("--json", "-o", "/dev/full")])
def test_a_full_disk_is_told(environment, program, words):
    result = run(environment, "calldist", *(words + ("--", sys.executable, program)))
    assert "catprobe: cannot write /dev/full: No space left on device\n" in result.stderr
    assert result.returncode == 1 and result.stderr.count("No space") == 1


def test_o_writes_a_file_anew(environment, program, tmp_path):
    path = tmp_path / "out"
    path.write_text("before\n")
    run(environment, "calls", "-o", path, "--function", "purr", "--", sys.executable, program)
    assert rows(path.read_text()) == {("cats.py", "purr"): 15} and "before" not in path.read_text()


def test_a_running_process_for_some_time(environment, tmp_path):
    with traced_server(tmp_path, environment, "calls", "-d", "1.5") as (target, trace):
        target.call()
        assert trace.wait() == 0
        assert rows(trace.output())["server.py", "leaf"] == 20


@pytest.mark.once
def test_a_program_that_is_no_python_is_told(environment):
    result = run(environment, "calls", "--", "sleep", "0.1")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "catprobe: sleep is not a Python program in which catprobe is installed\n"


@pytest.mark.once
@pytest.mark.parametrize("verb", ["flow", "calls", "calltime", "calldist"])
def test_a_process_or_program_that_is_not_there_is_told(environment, verb):
    gone = run(environment, verb, 2147483647)
    assert (gone.returncode, gone.stdout) == (1, "")
    assert gone.stderr == (
        "catprobe: there is no process 2147483647: `catprobe ps` lists those that can be traced\n"
    )
    missing = run(environment, verb, "--", "no-such-program")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == "catprobe: no-such-program: No such file or directory\n"
