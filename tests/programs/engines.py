"""What else may hook the interpreter, before and after the probes are armed; see test_engines.py."""

import json
import sys

import evaluator
import record


def traced_function(n):
    return n and traced_function(n - 1)


def names(events):
    return [(event[0], event[3]) for event in events if event[3] == "traced_function"]


def engine():
    return record.status("function-entry")["engine"]


def slot_taken_before():
    evaluator.take()
    record.start(*record.FUNCTIONS)
    traced_function(3)
    before = evaluator.calls()
    traced_function(3)
    yield "engine", engine()
    yield "problem", record.problem()
    yield "theirs", evaluator.calls() - before >= 4
    yield "ours", names(record.stop())
    yield "still theirs", evaluator.is_there()
    evaluator.give_back()
    record.start(*record.FUNCTIONS)
    traced_function(3)
    yield "engine afterwards", engine()
    yield "problem afterwards", record.problem()
    yield "ours afterwards", names(record.stop())
    yield "empty", evaluator.is_default()


def slot_taken_after():
    record.start(*record.FUNCTIONS)
    traced_function(3)
    evaluator.take()  # their "previous" is our evaluator
    traced_function(3)
    yield "theirs", evaluator.calls() >= 4
    record.start(*record.FUNCTIONS)  # as the agent does, again and again
    traced_function(3)
    yield "engine", engine()
    yield "ours", names(record.stop())
    before = evaluator.calls()
    traced_function(3)
    yield "theirs after", evaluator.calls() - before >= 4
    evaluator.give_back()  # puts our evaluator back, which nobody wants any more
    traced_function(3)
    yield "empty", evaluator.is_default()


def slot_is_given_back():
    for _ in range(3):
        record.start(*record.FUNCTIONS)
        yield "armed", not evaluator.is_default()
        record.stop()
        yield "empty", evaluator.is_default()


def tool_ids_in_use():
    evaluator.take()
    for tool in 1, 3, 4, 5:
        sys.monitoring.use_tool_id(tool, "theirs")
    heard = []
    sys.monitoring.register_callback(4, sys.monitoring.events.PY_START, lambda *_: heard.append(1))
    sys.monitoring.set_events(4, sys.monitoring.events.PY_START)
    record.start(*(record.FUNCTIONS + ["line"]))
    traced_function(3)
    yield "engine", engine()
    yield "problem", record.problem()
    yield "heard by them", len(heard) >= 4
    yield "ours", names(record.stop())
    yield "tools", [sys.monitoring.get_tool(tool) for tool in range(6)]
    sys.monitoring.free_tool_id(3)
    record.start(*(record.FUNCTIONS + ["line"]))
    traced_function(3)
    yield "tools then", [sys.monitoring.get_tool(tool) for tool in range(6)]
    yield "ours then", names([event for event in record.stop() if event[0] != "line"])
    yield "tools at last", [sys.monitoring.get_tool(tool) for tool in range(6)]


def perf_trampoline():
    try:
        sys.activate_stack_trampoline("perf")
    except ValueError as error:
        yield "unsupported", str(error)
        return
    record.start(*record.FUNCTIONS)
    traced_function(3)
    yield "engine", engine()
    yield "ours", names(record.stop())
    yield "active", sys.is_stack_trampoline_active()


print(json.dumps(list(globals()[sys.argv[1]]())))
