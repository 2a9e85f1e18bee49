"""Cat videos as a service: the server of a hot new startup, simulated, for a tracer to look into."""

import os
import random
import time

dice = random.Random()


def go(requests=None, speed=1.0, seed=None):
    """Serve personalised cat videos for ever, or for so many requests; `speed` times as fast."""
    dice.seed(seed)
    try:
        print("PID {} serves cat videos, Ctrl-C stops it.".format(os.getpid()), flush=True)
        while requests is None or requests > 0:
            time.sleep(1 / speed)
            visitors = dice.randint(4, 8)
            if requests is not None:
                visitors = min(visitors, requests)
                requests -= visitors
            for _ in range(visitors):
                find(dice.randint(1, 12), speed)
            print("\nPID {} is waiting.".format(os.getpid()), flush=True)
    except KeyboardInterrupt:
        print("\nNo more cat videos today.")


def find(depth, speed=1.0):
    """Search the web, link by link, for just the right cat video."""
    print("*", end="", flush=True)
    if depth > 1:
        find(depth - 1, speed)
    else:
        new_cat_video(speed)


def new_cat_video(speed=1.0):
    """Personalise a cat video, which is hard work."""
    time.sleep(dice.uniform(0.1, 0.4) / speed)
    print("+", end="", flush=True)
