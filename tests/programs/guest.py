"""For programs under test that run both traced and untraced: arms the probes, if there are any."""

import os
import sys
import time

import semaphores

PROBES = (
    "function-entry function-return line c-function-entry exception-raise"
    " gc-start import-find-load-start thread-exit"
)


def traced():
    return "_catprobe" in sys.modules


assert traced() == (os.environ["GUEST_TRACED"] == "1")


def status():
    return sys.modules["_catprobe"].status()


def wait(condition, seconds=30):
    """Runs Python until the condition holds; an error if it does not in time."""
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, status()
        time.sleep(0.002)


def arm(probes=PROBES):
    """Return when the probes are armed, if the program is traced."""
    if traced():
        probes = probes.split()
        semaphores.write("self", dict.fromkeys(probes, 1))
        wait(lambda: {status()["probes"][probe]["state"] for probe in probes} == {"armed"})


def disarm():
    if traced():
        semaphores.write("self", dict.fromkeys(semaphores.addresses(), 0))
        wait(lambda: {probe["state"] for probe in status()["probes"].values()} <= {"idle", "unavailable"})


def reachable():
    """Return when the agent of this very process answers on its socket, if the program is traced."""
    if traced():
        folder, prefix = os.environ["CATPROBE_DIR"], "{}-".format(os.getpid())

        def listens():  # whose first act is to make the folder
            names = os.listdir(folder) if os.path.isdir(folder) else []
            return status()["agent"] == "ok" and any(name.startswith(prefix) for name in names)

        wait(listens)
