"""The bench: whom it measures, and what it compares with what. Its figures are no test's business."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))
import ways  # noqa: E402

import bench  # noqa: E402

pytestmark = pytest.mark.once

PEERS = [
    "cProfile",
    "sys.setprofile",
    "VizTracer",
    "trace0",
    "pyusdt",
    "py-spy",
    "bpftrace",
    "DTrace",
    "sampler",
]


def test_each_peer_is_measured_or_named_with_a_reason():
    for peer in PEERS:
        assert [way for way in ways.WAYS if peer in way], peer
    reasons = ways.absent()
    assert set(reasons) <= set(ways.NEEDS) <= set(ways.WAYS)
    assert all(isinstance(reason, str) and len(reason) > 10 for reason in reasons.values())


@pytest.fixture
def measured(monkeypatch):
    """What is measured instead of a process: [(way, workload, after, place)]."""
    calls = []

    def measure(way, workload, after=False, place=ways.HOST):
        calls.append((way, workload, after, place))
        if way == "VizTracer":
            raise subprocess.CalledProcessError(1, way)
        seconds = {ways.UNTRACED: 1, "cProfile": 5, ways.SAMPLER: 3}[way]
        slower = 2 if place == ways.CONTAINER else 1
        return dict({"armed": seconds * slower, "memory": 7}, **({"after": seconds} if after else {}))

    monkeypatch.setattr(bench, "measure", measure)
    monkeypatch.setattr(ways, "HAS_SAMPLER", False)
    return calls


def test_a_ratio_is_to_the_untraced_run_of_the_same_interpreter(measured):
    medians, untraced = bench.ratios(["cProfile", ways.SAMPLER], ["fib"], 1)
    assert medians == {("cProfile", "fib", "armed"): 5, (ways.SAMPLER, "fib", "armed"): 3}
    assert untraced == {"fib": 1}
    assert {call[3] for call in measured if call[0] == ways.SAMPLER} == {ways.CONTAINER}


def test_one_that_fails_does_not_keep_the_others_from_being_measured(measured):
    medians, _ = bench.ratios(["VizTracer", "cProfile"], ["fib", "mix"], 2, after=["fib"])
    assert set(medians) == {
        ("cProfile", "fib", "armed"),
        ("cProfile", "fib", "after"),
        ("cProfile", "mix", "armed"),
    }


def test_the_first_workload_has_the_rounds_and_the_others_a_third(measured, monkeypatch, capsys):
    monkeypatch.setattr(ways, "WAYS", dict.fromkeys([ways.UNTRACED, "cProfile", "VizTracer"]))
    monkeypatch.setattr(ways, "absent", dict)
    bench.print_table(["fib", "mix"], 3)
    calls = [call[:2] for call in measured]
    assert (calls.count(("cProfile", "fib")), calls.count(("cProfile", "mix"))) == (3, 1)
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    cells = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}
    assert cells["cProfile"] == ["5.00", "5.00", "5.00"]
    assert cells["VizTracer"] == ["failed"] * 3
