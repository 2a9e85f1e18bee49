"""DTrace probes for this Python process: importing catprobe makes it traceable.

A kernel tracer (dtrace, bpftrace, perf, SystemTap, gdb) then finds the provider ``python`` in the process,
and the command ``catprobe ps`` lists it. Nothing is hooked, and nothing costs anything, until somebody
listens.

The environment: CATPROBE_DISABLE=1 switches it off, and the import then does nothing; CATPROBE_DIR is a
folder for the control socket, to be set for the command too.
"""

import _catprobe

from ._version import __version__

__all__ = ["__version__", "status"]


def status():
    """Return what the agent in this process tells ``catprobe ps``, as a dict. Any thread may call it."""
    return _catprobe.status()
