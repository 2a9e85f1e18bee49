"""fork() in a traceable process, in Python and C: no warning, both sides traceable, no descriptor touched."""

import os
import sys

import pytest
from guests import guests_fixture  # noqa: F401 (a fixture)
from waiting import until


@pytest.mark.parametrize("armed", [False, True], ids=["idle", "armed"])
@pytest.mark.parametrize("way", ["main", "worker"])
def test_os_fork_warns_of_no_thread_and_both_sides_are_back(guests, way, armed):
    source = """
        import concurrent.futures.thread, logging, os, random, sys, threading

        def child(depth):
            guest.reachable()
            if depth:
                fork(depth - 1)
            os._exit(7)

        def fork(depth):
            pid = os.fork()
            if not pid:
                child(depth)
            assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 7
            guest.reachable()

        def forks():
            for i in range(3):
                fork(depth=2)

        if "armed" in sys.argv:
            guest.arm()
        if "worker" in sys.argv:  # main waits in C
            thread = threading.Thread(target=forks)
            thread.start()
            thread.join()
        else:
            forks()
    """
    flags = ["-W", "always"]
    if way == "worker" and sys.version_info >= (3, 12):  # two threads: the program's own warning
        flags = ["-W", "ignore"]
    assert guests.same(source, [way, "armed" if armed else "idle"], flags=flags) == (0, "", "")


def test_handlers_of_os_fork_that_run_python_do_not_bring_the_agent_back_early(guests):
    source = """
        import os, time

        def python():
            for i in range(1000):
                str(i)
            time.sleep(0.001)

        for i in range(5):
            os.register_at_fork(before=python, after_in_parent=python, after_in_child=python)
        for i in range(10):
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)
        print("done")
    """
    if sys.version_info < (3, 7):
        pytest.skip("needs CPython 3.7 for os.register_at_fork")
    assert guests.same(source, flags=["-W", "always"]) == (0, "done\n", "")


@pytest.mark.parametrize("armed", [False, True], ids=["idle", "armed"])
def test_two_hundred_forks(guests, armed):
    source = """
        import os, sys

        if "armed" in sys.argv:
            guest.arm()
        descriptors = len(os.listdir("/proc/self/fd"))
        for i in range(200):
            pid = os.fork()
            if not pid:
                os._exit(i % 100)
            assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == i % 100
        guest.reachable()
        assert len(os.listdir("/proc/self/fd")) == descriptors
        print("done")
    """
    assert guests.same(source, ["armed"] * armed, flags=["-W", "always"]) == (0, "done\n", "")


# Prints the pid of its child; both run Python until stdin ends, with which the child goes.
PARENT_AND_CHILD = """
    import os, select, sys

    def step():
        return select.select([0], [], [], 0.01)[0]

    pid = {fork}
    if pid:
        print(pid, flush=True)
    while not step():
        pass
    if not pid:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""
C_FORK = "__import__('ctypes').{}(None).fork()"
FORKS = {
    "os.fork": "os.fork()",
    "C with the GIL released": C_FORK.format("CDLL"),
    "C with the GIL held": C_FORK.format("PyDLL"),
}


@pytest.mark.parametrize("attached", [False, True], ids=["idle", "armed"])
@pytest.mark.parametrize("fork", sorted(FORKS))
def test_parent_and_child_are_listed_and_armed_each_by_itself(guests, fork, attached):
    source = PARENT_AND_CHILD.format(fork=FORKS[fork])
    if attached:
        source = source.replace("pid =", "guest.arm('function-entry')\n    pid =", 1)
    with guests.running(source) as parent:
        child = int(parent.ready)
        for pid in (parent.pid, child):
            assert guests.listed(pid)["agent"] == "ok"
            assert guests.status(pid)["probes"]["function-entry"][1] == ("armed" if attached else "idle")
        for pid in (parent.pid, child):
            guests.attach(pid, ["function-return", "gc-start"])
        guests.detach(child, ["function-return", "gc-start"])
        assert guests.status(parent.pid)["probes"]["function-return"][1] == "armed"
    assert (parent.returncode, parent.err) == (0, "")


@pytest.mark.parametrize("before", [False, True], ids=["child only", "before and after"])
def test_fork_in_c_that_tells_python(guests, before):
    """As uWSGI does, by PyOS_AfterFork_Child; since CPython 3.13 that needs the calls in the parent too."""
    if before and sys.version_info < (3, 7):
        pytest.skip("needs CPython 3.7 for PyOS_BeforeFork")
    if not before and sys.version_info >= (3, 13):
        pytest.skip("not on CPython 3.13 and later: PyOS_AfterFork_Child alone is a fatal error")
    source = """
        import ctypes, os, sys

        python, before = ctypes.pythonapi, "before" in sys.argv
        after = python.PyOS_AfterFork_Child if sys.version_info >= (3, 7) else python.PyOS_AfterFork
        for i in range(5):
            if before:
                python.PyOS_BeforeFork()
            pid = ctypes.PyDLL(None).fork()
            if not pid:
                after()
                guest.reachable()
                guest.arm()
                os._exit(9)
            if before:
                python.PyOS_AfterFork_Parent()
            assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 9
        guest.reachable()
    """
    assert guests.same(source, ["before"] * before) == (0, "", "")


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(guests, method):
    source = """
        import multiprocessing, os, sys

        def work(number):
            guest.reachable()
            if guest.traced():
                assert guest.status()["pid"] == str(os.getpid())
            guest.arm("function-entry line")
            return number * 2

        if __name__ == "__main__":
            context = multiprocessing.get_context(sys.argv[1])
            with context.Pool(2) as pool:
                print(pool.map(work, range(4)))
            process = context.Process(target=sys.exit, args=(3,))
            process.start()
            process.join()
            print(process.exitcode)
    """
    assert guests.same(source, [method]) == (0, "[0, 2, 4, 6]\n3\n", "")


def test_forkpty_preexec_fn_and_posix_spawn(guests):
    source = """
        import os, subprocess, sys, time

        def early():
            time.sleep(0)

        for armed in (False, True):
            if armed:
                guest.arm()
            pid, terminal = os.forkpty()
            if not pid:
                os.write(1, b"child")
                os._exit(5)
            assert os.read(terminal, 100) == b"child"
            assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 5
            os.close(terminal)
            for options in ({"preexec_fn": early}, {"close_fds": True}, {"start_new_session": True}):
                assert subprocess.check_output(["echo", "hello"], **options) == b"hello\\n"
            if hasattr(os, "posix_spawn"):
                pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 6"], os.environ)
                assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 6
        guest.reachable()
    """
    assert guests.same(source, flags=["-W", "always"]) == (0, "", "")


def test_a_daemon_has_a_new_agent_and_no_descriptor_of_its_own_is_touched(guests, tmp_path):
    """It reuses every number that was freed for a pipe with a byte in it, or for a socket where one waits."""
    source = """
        import os, resource, select, socket, sys, time

        limit = min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        report = sys.argv[1]
        for i in range(2):
            if os.fork():
                os._exit(0)
            os.setsid() if i == 0 else None
        os.closerange(3, 65536)
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        os.close(null)

        listener = socket.socket(socket.AF_UNIX)
        listener.bind(report + ".sock")
        listener.listen(5)
        client = socket.socket(socket.AF_UNIX)
        client.connect(report + ".sock")
        pipes = []
        while True:
            try:
                ends = os.pipe()
            except OSError:
                break
            os.write(ends[1], b"x")
            pipes.append(ends)
        # Room for what the test itself needs; listeners are known by a poll that says that somebody waits.
        for ends in pipes[:10]:
            for end in ends:
                os.close(end)
        pipes = pipes[10:]
        with open(report, "w") as file:
            file.write(str(os.getpid()))
        os.rename(report, report + ".pid")
        deadline = time.time() + 60
        while not os.path.exists(report + ".go") and time.time() < deadline:
            time.sleep(0.01)
        poll = select.poll()
        for ends in pipes:
            poll.register(ends[0], select.POLLIN)
        poll.register(listener, select.POLLIN)
        ready = len(poll.poll(0))
        bytes_left = [os.read(ends[0], 2) for ends in pipes]
        with open(report, "w") as file:
            print(ready == len(pipes) + 1, set(bytes_left) == {b"x"}, len(pipes) > 500, end="", file=file)
        os.rename(report, report + ".result")
    """
    report = str(tmp_path / "report")
    assert guests.run(source, [report]) == (0, "", "")

    def read(suffix):
        return os.path.exists(report + suffix) and open(report + suffix).read()

    pid = int(until(lambda: read(".pid")))
    for _ in range(3):
        assert guests.listed(pid)["agent"] == "ok"
    guests.attach(pid, ["function-entry"])
    open(report + ".go", "w").close()
    assert until(lambda: read(".result")) == "True True True"
