"""The names of audit events, by a hook in Python and by the probe."""

import json
import sys

import record

hook = []
listening = False


def listen(name, _):
    if listening:
        hook.append(name)


def body():
    global listening
    listening = True
    exec(compile("1", "<audited>", "exec"))
    sys.audit("catprobe.test", 1, 2)
    open("/dev/null").close()
    sys._getframe()
    listening = False


sys.addaudithook(listen)
record.start("audit")
status = record.status("audit")["state"]
record.stop()
heard = [event[2] for event in record.heard(["audit"], body)]
record.start("gc-start")
sys.audit("catprobe.test")
after = [event for event in record.stop() if event[0] == "audit"]
print(json.dumps({"heard": heard, "hook": hook, "after": after, "status": status}))
