"""Imports catprobe in every Python that `catprobe run` starts, and leaves no other trace.

The folder of this file stands first in PYTHONPATH, so that site finds it in place of the program's own
sitecustomize, which runs afterwards. It must do no harm in any interpreter that a program may start, so it is
valid in Python 2 too.
"""

import os
import sys


def _leave_path(folder):
    while folder in sys.path:
        sys.path.remove(folder)
    sys.path_importer_cache.pop(folder, None)


def _has_extension(folder):
    """Whether the extension that lies in this folder is for this interpreter."""
    import _imp

    stem = os.path.join(folder, "_catprobe")
    return any(os.path.exists(stem + suffix) for suffix in _imp.extension_suffixes())


def _import_catprobe(folder):
    """Import catprobe from this folder, though it need not be on the path of the program.

    An interpreter for which the folder has no extension may have a catprobe of its own.
    """
    if not _has_extension(folder):
        import catprobe  # noqa: F401

        return
    known = folder in sys.path_importer_cache
    sys.path.insert(0, folder)
    try:
        import catprobe  # noqa: F401
    finally:
        sys.path.remove(folder)
        if not known and folder not in sys.path:
            sys.path_importer_cache.pop(folder, None)


def _hold(number):
    """Wait until the command that started this program has armed what it traces."""
    import _catprobe

    _catprobe.hold(number)


_folder = os.path.dirname(os.path.abspath(__file__))
_leave_path(_folder)
_number = os.environ.pop("CATPROBE_HOLD", None)
if os.environ.get("CATPROBE_DISABLE", "") in ("", "0"):
    try:  # noqa: SIM105 - contextlib would be one more module in sys.modules
        _import_catprobe(os.path.dirname(os.path.dirname(_folder)))
        if _number is not None:
            _hold(int(_number))
    except Exception:
        pass  # the program runs untraced, and `catprobe ps` does not list it

# The next sitecustomize on the path, and whatever it raises, as if this one had not been there; without one,
# the ImportError is what site expects.
del sys.modules[__name__]
import sitecustomize  # noqa: E402, F401
