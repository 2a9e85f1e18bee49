"""The one way in which tests wait: for a condition, with a deadline for the slowest of machines."""

import time

SECONDS = 30


def until(condition, what="", seconds=SECONDS):
    """The first true value of the condition; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "not within {} s: {}".format(seconds, what or condition)
        time.sleep(0.005)
