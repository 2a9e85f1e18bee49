# ruff: noqa: F811
"""Deep recursion behaves traced as it does untraced, and what could not be seen of it is counted."""

import sys

import pytest
from recording import extensions, needs, program  # noqa: F401 (fixtures)

DEEP = 40000


# Calls that untraced need no C frame from 3.11 on. Others have a limit of their own on 3.12 and 3.13.
WITHOUT_C = ["plain", "yield from", "await", "star", "__getitem__"]


def test_recursion_errors_come_at_the_depth_of_untraced_ones(program):
    untraced = program("recursion", "limits", "untraced")["result"]
    traced = program("recursion", "limits", "traced")["result"]
    assert len(traced) > 15
    if (3, 12) <= sys.version_info < (3, 14):  # recursion through C ends there no earlier, but may end later
        assert [kind for kind in untraced if traced[kind] < untraced[kind]] == []
        untraced, traced = ({kind: depths[kind] for kind in WITHOUT_C} for depths in (untraced, traced))
    if sys.version_info >= (3, 14):  # which miscounts these when it inlines them: 529 and 1083 for 1000
        untraced.update({kind: traced[kind] for kind in ("__init__", "__getitem__") if traced[kind] > 990})
    assert traced == untraced


@needs(3, 12)  # before, deep recursion through C ends the process
def test_no_recursion_runs_off_the_stack_where_the_limit_is_high(program):
    traced = program("recursion", "limits", "traced", 50000)["result"]
    assert len(traced) > 15
    assert all(traced[kind] > 49000 for kind in WITHOUT_C if kind in traced)


@needs(3, 11)
def test_a_very_deep_recursion_ends_as_it_does_untraced(program):
    untraced = program("recursion", "deep", "untraced", DEEP, 50000)
    traced = program("recursion", "deep", "traced", DEEP, 50000)
    assert traced["result"] == untraced["result"] == DEEP
    assert traced["again"] == 4  # the next session is as good as new
    if sys.version_info < (3, 12):
        assert traced["drops"] > 0
        assert 1000 < traced["entries"] == traced["returns"] < DEEP
    else:
        assert traced["drops"] == 0
        assert traced["engine"] == "monitoring"
        assert traced["entries"] == traced["returns"] == DEEP + 1


@pytest.mark.parametrize("depth", [1000, 5000])
def test_a_recursion_that_each_version_can_do(program, depth):
    traced = program("recursion", "deep", "traced", depth, 6000)
    assert traced["result"] == depth
    assert traced["entries"] == traced["returns"]
    assert traced["entries"] == depth + 1 or traced["drops"] > 0
    assert traced["entries"] >= 500


def test_a_recursion_in_a_thread_with_a_small_stack(program):
    depth = 150 if sys.version_info < (3, 11) else 900
    untraced = program("recursion", "deep", "untraced", depth, 1000, 256 << 10)
    traced = program("recursion", "deep", "traced", depth, 1000, 256 << 10)
    assert traced["result"] == untraced["result"] == depth
    assert traced["entries"] == traced["returns"] > 50
    assert traced["entries"] == depth + 1 or traced["drops"] > 0


@needs(3, 11)
def test_a_very_deep_recursion_in_a_thread_with_a_small_stack(program):
    untraced = program("recursion", "deep", "untraced", DEEP, 50000, 256 << 10)
    traced = program("recursion", "deep", "traced", DEEP, 50000, 256 << 10)
    assert traced["result"] == untraced["result"] == DEEP
