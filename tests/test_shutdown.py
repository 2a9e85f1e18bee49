"""The end of a traceable program, in whatever way, with hooks armed: as untraced, and nothing left behind."""

import os
import random
import shlex
import signal
import subprocess
import sys
import sysconfig
from contextlib import suppress

import pytest
from guests import TESTS, guests_fixture  # noqa: F401 (a fixture)
from waiting import until

# Threads that are there when the end comes: what they do -> the body of their loop.
BUSY = """
    import os, random, sys, threading, time

    def f(n):
        return [g(i) for i in range(n)]

    def g(i):
        try:
            raise ValueError(i)
        except ValueError:
            return str(i)

    def python():
        while True:
            f(5)

    def in_c():
        while True:
            time.sleep(0.001)
            sorted(range(2000))

    def deep():
        while True:
            d(50)

    def d(n):
        return n and d(n - 1)

    for target in (python, in_c, deep):
        threading.Thread(target=target, daemon=True).start()
    guest.arm()
    time.sleep(float(sys.argv[1]))
"""

ENDS = {
    "falls off the end": "",
    "sys.exit(3)": "sys.exit(3)",
    "sys.exit('text')": "sys.exit('text')",
    "os._exit(4)": "os._exit(4)",
    "unhandled exception": "1 / 0",
    "SIGTERM": "os.kill(os.getpid(), 15); time.sleep(10)",
    "SIGKILL": "os.kill(os.getpid(), 9)",
    "abort": "os.abort()",
    "C exit": "import ctypes; ctypes.CDLL(None).exit(5)",
    "atexit raises": "import atexit; atexit.register(lambda: 1 / 0)",
    "atexit runs Python": "import atexit; atexit.register(f, 1000); atexit.register(print, 'bye')",
    "atexit takes as long as the agent needs to look": "import atexit; atexit.register(time.sleep, 0.3)",
    "a __del__ at the end": "sys.kept = type('K', (), {'__del__': lambda self: f(10)})()",
    "a thread that is waited for": "threading.Thread(target=f, args=(2000,)).start()",
    "exit in a thread": "threading.Thread(target=os._exit, args=(6,)).start(); time.sleep(10)",
    "KeyboardInterrupt": "import _thread; _thread.interrupt_main(); time.sleep(10)",
}
LEAVES_SOCKET = {
    "os._exit(4)",
    "SIGTERM",
    "SIGKILL",
    "abort",
    "C exit",
    "exit in a thread",
}  # no chance to remove it


def core_less():
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@pytest.mark.parametrize("end", sorted(ENDS))
def test_status_and_output_are_as_untraced(guests, end):
    source = BUSY + "    " + ENDS[end] + "\n"
    expected = guests.run(source, ["0"], traced=False, preexec_fn=core_less)
    generator = random.Random(end)
    for _ in range(2):
        found = guests.run(source, [str(generator.uniform(0, 0.03))], preexec_fn=core_less)
        assert found == expected
        if end not in LEAVES_SOCKET:
            assert not guests.left()


def test_very_short_programs(guests):
    for _ in range(10):
        assert guests.run("") == (0, "", "")
        assert not guests.left()


def test_exit_in_the_course_of_a_status_request(guests):
    source = """
        import sys
        print("ready", flush=True)
        sys.stdin.read()
        sys.exit(3)
    """
    for _ in range(5):
        with guests.running(source) as process:
            path = until(lambda: guests.socket_of(process.pid))  # noqa: B023
            process.stdin.close()
            process.stdin = None
            while path.exists():
                with suppress(OSError, AssertionError):  # gone, or cut short
                    guests.ask(path)
        assert (process.returncode, process.out, process.err) == (3, "", "")


EXEC = """
    import os, select, sys, threading

    def become():
        os.execv(sys.executable, [sys.executable, __file__, "again"])

    if len(sys.argv) > 1 and sys.argv[1] != "again":
        guest.arm()
        print("first", flush=True)
        sys.stdin.readline()
        if sys.argv[1] == "main":
            become()
        thread = threading.Thread(target=become)
        thread.start()
        thread.join()
    print("second", flush=True)
    while not select.select([0], [], [], 0.01)[0]:
        pass
"""


@pytest.mark.parametrize("thread", ["main", "other"])
def test_exec_with_hooks_armed(guests, thread):
    with guests.running(EXEC, [thread]) as process:
        assert guests.listed(process.pid)["probes"]["function-entry"][1] == "armed"
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "second\n"
        assert guests.listed(process.pid)["probes"]["function-entry"][1] == "idle"
        assert len(guests.left()) == 1
        guests.attach(process.pid, ["function-entry"])
    assert (process.returncode, process.out, process.err) == (0, "", "")
    assert not guests.left()


def embedder(folder):
    """tests/programs/embed.c, linked with this interpreter's library."""
    variables = sysconfig.get_config_vars()
    library = "python{}{}".format(variables["VERSION"], getattr(sys, "abiflags", ""))
    place = variables["LIBDIR"]
    if not any(name.startswith("lib{}.so".format(library)) for name in os.listdir(place)):
        place = os.path.join(place, variables.get("MULTIARCH", ""))
        if not os.path.isdir(place) or not any(
            name.startswith("lib{}.so".format(library)) for name in os.listdir(place)
        ):
            pytest.skip("needs CPython with a shared library")
    program = str(folder / "embed")
    command = shlex.split(os.environ.get("CC", "cc")) + [str(TESTS / "programs" / "embed.c"), "-o", program]
    command += ["-I" + sysconfig.get_path("include"), "-L" + place, "-Wl,-rpath," + place, "-l" + library]
    subprocess.run(command, check=True)
    return program


def test_finalize_in_an_embedding_program(guests, tmp_path):
    """Py_Finalize and again Py_Initialize; the second interpreter is not traced, and takes no harm."""
    program = embedder(tmp_path)
    source = "import guest, sys\nguest.arm()\nprint(len(sys.modules) > 10, flush=True)\n"
    again = "import sys\nprint([str(i) for i in range(3)], flush=True)\n"
    results = []
    for traced in (False, True):
        environment = dict(guests.environment(traced), GUEST_TRACED=str(int(traced)))
        environment["PYTHONHOME"] = os.pathsep.join([sys.base_prefix, sys.base_exec_prefix])
        site = [path for path in sys.path if path.endswith("site-packages")]
        environment["PYTHONPATH"] = os.pathsep.join([environment["PYTHONPATH"]] + site)
        process = subprocess.run(
            [program, source, again],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=60,
        )
        results.append((process.returncode, process.stdout, process.stderr))
    assert results[0] == (0, "True\n['0', '1', '2']\n", "")
    assert results[1] == results[0]
    assert not guests.left()


def test_a_program_ended_by_a_signal_while_waiting_in_c(guests):
    source = """
        import sys
        guest.arm()
        print("ready", flush=True)
        sys.stdin.read()
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        with guests.running(source) as process:
            assert process.ready == "ready"
            process.send_signal(number)
        assert (
            process.returncode == -signal.SIGTERM
            if number == signal.SIGTERM
            else process.returncode in (1, -2, 130)
        )
