"""Four interpreters with a GIL each make code objects with many names at once, traced."""

import json
import threading

import record

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

SCRIPT = """
for i in range(1500):
    text = "def function_{0}():\\n    return {0}\\nfunction_{0}()".format(i)
    exec(compile(text, "file_{}.py".format(i), "exec"), {})
"""
run = getattr(interpreters, "exec", None) or interpreters.run_string

made = [interpreters.create() for _ in range(4)]
record.start(*record.FUNCTIONS)
threads = [threading.Thread(target=run, args=(one, SCRIPT)) for one in made]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
events = record.stop()
for one in made:
    interpreters.destroy(one)
print(json.dumps({"events": len(events)}))
