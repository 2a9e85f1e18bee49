"""The command line of the cat server: python -m catdemo."""

import argparse
import math

from .demo import go


def count(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("there is nothing to serve in {} requests".format(number))
    return number


def factor(text):
    number = float(text)
    if not 0.001 <= number < math.inf:
        raise argparse.ArgumentTypeError("{} is not a number from 0.001 up".format(text))
    return number


def main():
    parser = argparse.ArgumentParser(
        prog="python -m catdemo", description="Serve personalised cat videos for ever."
    )
    parser.add_argument("--requests", metavar="N", type=count, help="end after N requests")
    parser.add_argument("--speed", metavar="X", type=factor, default=1.0, help="serve X times as fast")
    parser.add_argument(
        "--seed", metavar="S", type=int, help="the same requests each time for the same number S"
    )
    options = parser.parse_args()
    go(options.requests, options.speed, options.seed)


if __name__ == "__main__":
    main()
