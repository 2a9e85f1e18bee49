"""prog_stap.c of tests/golden/python in Python: makes the calls whose probes that one fires, in the same file
and lines, once its standard input is at its end; when it has to wait for that it says so.

    func_abc.py [rounds [milliseconds between them]]

No other function in Python is called or returns meanwhile. While it waits it runs Python now and then, as the
hooks are installed by the program's own threads.
"""

import ast
import os
import select
import sys
import time

import catprobe  # noqa: F401

# A function that calls itself a module: those start at line 0 since Python 3.11.
SOURCE = """def module():
    global func_a, func_b, func_c
    def func_c():
        sleep(0.001)
        sleep(0)


    def func_b():
        sleep(0.002), func_c()

        return


    def func_a():
        sleep(0.003), func_b(), func_c()

        return

    for _ in range(rounds): func_a(), delay and sleep(delay)
    rounds
"""


def module(**variables):
    tree = ast.parse(SOURCE)
    tree.body[0].name = "<module>"
    exec(compile(tree, "/home/u/func_abc.py", "exec"), variables)
    return variables["<module>"]


def main(rounds=2, delay=0):
    called = module(sleep=time.sleep, rounds=int(rounds), delay=int(delay) / 1000)
    with open("/proc/self/comm", "w") as name:
        name.write("prog_stap")
    if not select.select([0], [], [], 0)[0]:
        os.write(1, b"prog waits\n")
    while not select.select([0], [], [], 0.01)[0]:
        pass
    called()
    os.write(1, b"prog done\n")
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
