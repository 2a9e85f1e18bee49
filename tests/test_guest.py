"""Living in someone else's process: what a traced program can notice of its agent, idle or armed."""

import os
import re
import resource
import shutil
import time
from pathlib import Path

import pytest
import semaphores
from guests import guests_fixture  # noqa: F401 (a fixture)
from waiting import until

NOBODY = 54323  # a user without name, folder or process
ALONE = 54324  # and one for whom no other test runs anything

# Waits for the end of stdin, in Python.
LOOP = """
    import os, select, sys
    print("ready", flush=True)
    while not select.select([0], [], [], 0.01)[0]:
        pass
"""


# ---- Time ----


def test_armed_and_gone_within_200_ms(guests):
    """The quickest three of ten tries, at ten moments between two looks of the agent: the machine has other
    things to do, and may be late for most of them."""
    probes = ["function-entry", "function-return"]
    armed, gone = [], []
    with guests.running(LOOP) as process:
        guests.listed(process.pid)
        for i in range(10):
            time.sleep(0.0065 * i)
            armed.append(guests.attach(process.pid, probes))
            gone.append(guests.detach(process.pid, probes))
    assert sorted(armed)[2] < 0.2, armed
    assert sorted(gone)[2] < 0.2, gone


def test_an_idle_agent_costs_nothing(guests):
    """Less than 0.1% of a core; no hook in any place that can be seen from Python."""
    source = """
        import gc, importlib._bootstrap, os, sys, time

        def state():
            places = [gc.callbacks, importlib._bootstrap._find_and_load, sys.gettrace(), sys.getprofile()]
            if hasattr(sys, "monitoring"):
                places += [sys.monitoring.get_tool(i) for i in range(6)]
            return repr(places)

        def spent():
            total = 0
            for thread in os.listdir("/proc/self/task"):
                if int(thread) != os.getpid():
                    with open("/proc/self/task/{}/schedstat".format(thread)) as file:
                        total += int(file.read().split()[0])
            return total

        if guest.traced():
            guest.reachable()
            assert {(probe["engine"], probe["state"]) for probe in guest.status()["probes"].values()} <= {
                ("-", "idle"), ("-", "unavailable")}
            counts = []  # until one is cheap enough, as others use the machine too
            while not counts or min(counts) > 1e9 / 1000:
                assert len(counts) < 6, counts
                before = spent()
                time.sleep(1)
                counts.append(spent() - before)
        idle = state()
        guest.arm()
        guest.disarm()
        assert state() == idle
        print(idle)
    """
    assert guests.same(source)[::2] == (0, "")


def test_full_speed_when_the_tracer_has_left(guests):
    source = """
        import time

        def f(n):
            return n and f(n - 1)

        def best():
            times = []
            for _ in range(60):
                start = time.perf_counter()
                f(400)
                times.append(time.perf_counter() - start)
            return min(times)

        ratios = []
        while not ratios or min(ratios) > 1.1:  # others use the machine too
            before = best()
            guest.arm()
            best()
            guest.disarm()
            ratios.append(best() / before)
            assert len(ratios) < 6, ratios
    """
    assert guests.run(source) == (0, "", "")


def test_memory(guests):
    """Under 2 MB of address space for the import, and no malloc arena (64 MB) when hooks come and go."""
    source = """
        import os, re, sys

        def size():
            with open("/proc/self/status") as file:
                return int(re.search(r"VmSize:\\s+(\\d+)", file.read()).group(1))

        path = list(sys.path)
        before = size()
        import _catprobe
        while _catprobe.status()["agent"] != "ok":
            pass
        assert size() - before < 2048, size() - before
        imported = size()
        for _ in range(2):
            guest.arm()
            guest.disarm()
        assert size() - imported < 2048, size() - imported
    """
    # Not by the environment, as what is measured is the import.
    assert guests.run(source, traced=False) == (0, "", "")


# ---- Who else is in the process ----


def test_nothing_is_different_in_sys_threading_and_gc(guests):
    source = """
        import atexit, faulthandler, gc, os, signal, sys, threading, warnings

        def look():
            mask = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))
            handlers = [signal.getsignal(number) for number in signal.Signals]
            frames = list(sys._current_frames()) == [threading.get_ident()]
            print(threading.active_count(), [thread.name for thread in threading.enumerate()], frames)
            print(mask, handlers, sys.flags, warnings.filters, gc.get_threshold(), len(gc.callbacks))
            print(sys.getrecursionlimit(), sys.getswitchinterval(), sys.gettrace(), sys.getprofile())
            print(sorted(name for name in sys.modules if "catprobe" not in name and name not in quiet))
            print(sorted(os.listdir("/proc/self/fd")), sys.path[1:], sys.meta_path, sys.path_hooks)

        quiet = sys.argv[1].split()
        look()
    """
    # sitecustomize is what catprobe run needs; where the program has none it is not in sys.modules either.
    assert guests.same(source, ["sitecustomize"])[::2] == (0, "")


def test_an_exception_for_the_main_thread_hits_the_main_thread(guests):
    source = """
        import ctypes, threading, time

        def f():
            pass

        guest.arm()
        for _ in range(3):
            try:
                assert ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(threading.main_thread().ident), ctypes.py_object(KeyError)) == 1
                deadline = time.time() + 5
                while time.time() < deadline:
                    f()
            except KeyError:
                print("here")
    """
    assert guests.same(source) == (0, "here\n" * 3, "")


@pytest.mark.parametrize("armed", [False, True], ids=["idle", "armed"])
def test_faulthandler_and_tracemalloc(guests, armed):
    source = """
        import faulthandler, sys, tracemalloc
        faulthandler.enable()
        tracemalloc.start(5)
        if "armed" in sys.argv:
            guest.arm()

        def f():
            faulthandler.dump_traceback(all_threads=True)
            return [bytearray(1000) for _ in range(10)]

        kept = f()
        assert tracemalloc.get_object_traceback(kept[0])[-1].filename == __file__
        faulthandler._sigsegv()
    """
    untraced, traced = (guests.run(source, ["armed"] * armed, traced) for traced in (False, True))
    # The list of extension modules, from 3.10 on, and the C stack, from 3.14 on, have what is there of ours.
    ours = r"\nExtension modules: _catprobe \(total: 1\)\n|\nCurrent thread's C stack trace (.|\n)*"
    without = [re.sub(ours, "", result[2]) for result in (untraced, traced)]
    assert without[0] == without[1]
    assert untraced[0] == traced[0] == -11


@pytest.mark.parametrize("armed", [False, True], ids=["idle", "armed"])
def test_trace_and_profile_functions_of_the_program(guests, armed):
    source = """
        import cProfile, io, pdb, pstats, sys, threading

        def f(n):
            if n == 3:
                return n
            return f(n + 1)

        if "armed" in sys.argv:
            guest.arm()
        for install in (sys.settrace, sys.setprofile):
            events = []
            install(lambda frame, event, _: events.append((event, frame.f_code.co_name, frame.f_lineno)))
            f(0)
            install(None)
            print([event for event in events if event[1] == "f"])
        lines = []

        def tracer(frame, event, argument):
            lines.append((event, frame.f_lineno))
            return tracer

        sys.settrace(tracer)
        f(0)
        sys.settrace(None)
        print(lines)
        profile = cProfile.Profile()
        profile.runcall(f, 0)
        print(sorted((entry.code.co_name, entry.callcount) for entry in profile.getstats()
            if not isinstance(entry.code, str)))
        out = io.StringIO()
        commands = io.StringIO("b f\\nc\\np n\\nc\\np n\\ncl 1\\nc\\n")
        debugger = pdb.Pdb(stdin=commands, stdout=out, nosigint=True)
        debugger.use_rawinput = False
        debugger.runcall(f, 0)
        print(out.getvalue())
    """
    assert guests.same(source, ["armed"] * armed)[::2] == (0, "")


# ---- Signals ----


@pytest.mark.parametrize("armed", [False, True], ids=["idle", "armed"])
def test_signals_arrive_where_they_did(guests, armed):
    source = """
        import faulthandler, os, select, signal, subprocess, sys, threading, time

        if "armed" in sys.argv:
            guest.arm()
        heard = []

        def handler(number, frame):
            heard.append((number, threading.current_thread() is threading.main_thread()))

        def expect(*numbers):
            deadline = time.time() + 5
            while len(heard) < len(numbers) and time.time() < deadline:
                time.sleep(0.001)
            assert heard == [(number, True) for number in numbers], heard
            del heard[:]

        for name in "USR1 USR2 CHLD ALRM PROF TERM".split():
            number = getattr(signal, "SIG" + name)
            signal.signal(number, handler)
            os.kill(os.getpid(), number)
            expect(number)
        subprocess.Popen(["true"]).wait()
        expect(signal.SIGCHLD)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        expect(signal.SIGALRM)
        signal.setitimer(signal.ITIMER_PROF, 0.02)
        deadline = time.time() + 5
        while not heard and time.time() < deadline:
            pass
        expect(signal.SIGPROF)

        # Blocked in the program's thread, a signal waits for sigwait: nobody else takes it.
        numbers = {signal.SIGUSR1, signal.SIGUSR2}
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        for number in sorted(numbers):
            os.kill(os.getpid(), number)
            assert signal.sigwait(numbers) == number
        os.kill(os.getpid(), signal.SIGUSR1)
        assert signal.sigtimedwait(numbers, 5).si_pid == os.getpid()
        os.kill(os.getpid(), signal.SIGUSR2)
        assert signal.sigpending() == {signal.SIGUSR2}
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
        expect(signal.SIGUSR2)

        # A call that waits in C is interrupted in the main thread.
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert select.select([reader], [], [], 5)[0]
        expect(signal.SIGUSR1)
        signal.set_wakeup_fd(-1)
        faulthandler.dump_traceback_later(0.05, file=open(os.devnull, "w"))
        time.sleep(0.1)
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            time.sleep(5)
        except KeyboardInterrupt:
            print("interrupted")
    """
    assert guests.same(source, ["armed"] * armed) == (0, "interrupted\n", "")


def test_the_agent_blocks_every_signal(guests):
    source = """
        import os, re, signal
        guest.reachable()
        if guest.traced():
            (thread,) = [thread for thread in os.listdir("/proc/self/task") if int(thread) != os.getpid()]
            with open("/proc/self/task/{}/status".format(thread)) as file:
                text = file.read()
            assert re.search("Name:\\tcatprobe", text)
            blocked = int(re.search("SigBlk:\\t(.*)", text).group(1), 16)
            left = {number for number in range(1, 65) if not blocked >> number - 1 & 1}
            assert left <= {signal.SIGKILL, signal.SIGSTOP, 32, 33, 34}, left  # 32 - 34: the C library's own
    """
    assert guests.same(source) == (0, "", "")


# ---- Little to live on ----


def limited(**limits):
    def set_limits():
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, "RLIMIT_" + name), (value, value))

    return set_limits


WORK = """
    import threading

    def f(n):
        return sum(i for i in range(n))

    print(f(1000))
    if guest.traced():
        guest.wait(lambda: guest.status()["agent"] != "not running")
        print(guest.status()["agent"])
"""


def test_no_thread_to_be_had(guests, root):
    """RLIMIT_NPROC, which root does not mind: another user's child, the last task allowed, runs untraced."""
    source = """
        import ctypes, os, resource
        guest.reachable()
        os.setuid({})
        resource.setrlimit(resource.RLIMIT_NPROC, (3, 3))  # this thread, its agent, the child
        pid = ctypes.PyDLL(None).fork()
        if not pid:
            guest.wait(lambda: guest.status()["agent"] not in ("not running", "ok"))
            print(guest.status()["agent"], len(os.listdir("/proc/self/task")), flush=True)
            os._exit(7)
        assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 7
    """.format(ALONE)
    reason = "no thread could be made: Resource temporarily unavailable; raise ulimit -u or pids.max"
    assert guests.run(source) == (0, reason + " 1\n", "")


@pytest.mark.parametrize(
    "limits",
    [{"NOFILE": 16}, {"AS": 400 << 20}, {"STACK": resource.RLIM_INFINITY}, {"STACK": 256 << 10}],
    ids=["16 descriptors", "tight memory", "unlimited stack", "small stack"],
)
def test_limits(guests, limits):
    source = WORK + '        guest.arm("function-entry")\n        guest.reachable()\n'
    assert guests.run(source, preexec_fn=limited(**limits)) == (0, "499500\nok\n", "")


def test_a_program_that_has_used_up_its_descriptors(guests):
    source = """
        import os, select, sys
        kept = []
        try:
            while True:
                kept.append(os.open("/", os.O_RDONLY))
        except OSError:
            print(len(kept), flush=True)
        while not select.select([0], [], [], 0.01)[0]:
            pass
    """
    with guests.running(source, preexec_fn=limited(NOFILE=64)) as process:
        assert int(process.ready) > 50
        if separate_descriptors():
            guests.listed(process.pid)
    assert (process.returncode, process.err) == (0, "")


def separate_descriptors():
    """Does this kernel give a thread descriptors of its own?"""
    return tuple(int(number) for number in os.uname().release.split("-")[0].split(".")[:2]) >= (5, 9)


def test_switched_off(guests):
    source = """
        import os, _catprobe
        assert _catprobe.status()["agent"] == "not running"
        assert len(os.listdir("/proc/self/task")) == 1
        assert not os.path.exists(os.environ["CATPROBE_DIR"])
    """
    assert guests.run(source, traced=False, env={"CATPROBE_DISABLE": "1"}) == (0, "", "")


UNSHARE = """
    import ctypes, os
    libc = ctypes.CDLL(None, use_errno=True)
    guest.reachable()
    print(libc.unshare(0x10000000), os.strerror(ctypes.get_errno()))
"""


@pytest.mark.once
def test_a_user_namespace_needs_the_agent_switched_off(guests):
    """As docs/limitations.md says."""
    if guests.run(UNSHARE, traced=False)[1] != "0 Success\n":
        pytest.skip("needs Linux with user namespaces for this user")
    assert guests.run(UNSHARE) == (0, "-1 Invalid argument\n", "")
    assert guests.run(UNSHARE, traced=False, env={"CATPROBE_DISABLE": "1"}) == (0, "0 Success\n", "")


# ---- A program that hangs ----

HANGS = {
    "with the GIL held": "ctypes.PyDLL(None).read(0, ctypes.create_string_buffer(1), 1)",
    "with the GIL released": "os.read(0, 1)",
}


@pytest.mark.parametrize("way", sorted(HANGS))
def test_a_hanging_process_answers_and_is_armed_when_it_goes_on(guests, way):
    source = """
        import ctypes, os, select
        guest.reachable()
        print("ready", flush=True)
        {}
        print("goes on", flush=True)
        while not select.select([0], [], [], 0.01)[0]:
            pass
    """.format(HANGS[way])
    with guests.running(source) as process:
        semaphores.write(process.pid, {"function-entry": 1, "line": 1})
        waiting = until(lambda: "problem" in guests.status(process.pid) and guests.status(process.pid))
        assert re.match("hooks wait for Python code to run: none has for \\d s$", waiting["problem"])
        assert waiting["probes"]["line"][:3] == ["-", "idle", "1"]
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "goes on\n"
        until(lambda: guests.status(process.pid)["probes"]["line"][1] == "armed")
        assert "problem" not in guests.status(process.pid)
    assert (process.returncode, process.err) == (0, "")


@pytest.mark.parametrize("where", ["main", "worker"])
def test_hooks_come_whichever_thread_runs_python(guests, where):
    source = """
        import select, sys, threading

        def step():
            return select.select([0], [], [], 0.01)[0]

        def loop():
            print("ready", flush=True)
            while not step():
                pass

        if sys.argv[1] == "main":
            loop()
        else:
            thread = threading.Thread(target=loop)
            thread.start()
            thread.join()
    """
    with guests.running(source, [where]) as process:
        guests.listed(process.pid)
        for probes in (["function-entry"], ["line", "gc-start"]):
            guests.attach(process.pid, probes)
            guests.detach(process.pid, probes)


def test_a_recursion_limit_is_where_it_was_while_hooks_come_and_go(guests):
    source = """
        import sys
        sys.setrecursionlimit(300)
        deepest = set()

        def f(n):
            try:
                return f(n + 1)
            except RecursionError:
                return n

        def depth():
            return f(0)

        def reaches(state):
            deepest.add(depth())
            return not guest.traced() or guest.status()["probes"]["gc-start"]["state"] == state

        for count, state in [(1, "armed"), (0, "idle")] * 2:
            if guest.traced():
                guest.semaphores.write("self", {"gc-start": count})
            guest.wait(lambda: reaches(state))
        print(len(deepest))
    """
    assert guests.same(source) == (0, "1\n", "")


# ---- Other users ----

BECOME = """
    import os, select, sys
    guest.reachable()
    os.setgroups([])
    {}
    print("ready", flush=True)
    while not select.select([0], [], [], 0.01)[0]:
        pass
"""


@pytest.mark.parametrize(
    "call", ["os.setuid({})", "os.seteuid({})", "os.setresuid({0}, {0}, {0})", "os.setreuid(-1, {})"]
)
def test_the_socket_follows_the_user(guests, root, call):
    """A server drops its privileges: its socket then belongs to the new user, in the new user's folder."""
    with guests.running(BECOME.format(call.format(NOBODY))) as process:
        check_user(guests, process.pid)
    assert (process.returncode, process.err) == (0, "")


def check_user(guests, pid):
    folder = Path("/tmp/catprobe-{}".format(NOBODY))
    path = until(lambda: next(iter(folder.glob("{}-*.sock".format(pid))), None))
    assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (NOBODY, 0o700)
    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (NOBODY, 0o600)
    assert guests.ask(path)["uid"] == str(NOBODY)


def test_the_socket_follows_the_user_in_a_worker(guests, root):
    source = """
        import os, select, sys
        pid = os.fork()
        if pid:
            print(pid, flush=True)
            os._exit(os.waitpid(pid, 0)[1])
        guest.reachable()
        os.setuid({})
        while not select.select([0], [], [], 0.01)[0]:
            pass
    """
    with guests.running(source.format(NOBODY)) as process:
        check_user(guests, int(process.ready))
    assert (process.returncode, process.err) == (0, "")


def test_a_socket_that_was_removed_is_made_again(guests):
    """Some clean /tmp of what is old."""
    with guests.running(LOOP) as process:
        guests.listed(process.pid)
        shutil.rmtree(str(guests.sockets))
        guests.listed(process.pid)
    assert (process.returncode, process.err) == (0, "")


def test_seteuid_and_back(guests, root):
    source = """
        import os, time
        for _ in range(3):
            os.seteuid({0})
            guest.wait(lambda: guest.status()["uid"] == "{0}" and guest.status()["agent"] == "ok")
            os.seteuid(0)
            guest.reachable()
    """.format(NOBODY)
    assert guests.run(source) == (0, "", "")
