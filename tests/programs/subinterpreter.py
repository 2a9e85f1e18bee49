"""A function in a sub-interpreter made before the probes are armed, and in one made after."""

import json

import record

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

SCRIPT = "def inside():\n    return 1\ninside()"
run = getattr(interpreters, "exec", None) or interpreters.run_string


def inside(interpreter):
    events = record.heard(record.FUNCTIONS, run, interpreter, SCRIPT)
    return [(event[0], event[3]) for event in events if event[3] == "inside"]


before = interpreters.create()
result = {"before": inside(before)}
interpreters.destroy(before)
record.start(*record.FUNCTIONS)
after = interpreters.create()
record.start(*record.FUNCTIONS)  # looks for new interpreters, as the agent does ten times a second
run(after, SCRIPT)
result["after"] = [(event[0], event[3]) for event in record.stop() if event[3] == "inside"]
interpreters.destroy(after)
print(json.dumps(result))
