"""Fixtures: root, the tracers of this machine, the container of tests/forky. And --no-skips, for CI."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent

# Reasons for which a test may be skipped under --no-skips: what this interpreter, processor or kernel is not.
ALLOWED_SKIPS = [
    r"(needs|only on|not on) CPython ",
    r"(needs|only on|not on) (x86-64|aarch64|macOS|Linux)\b",
    r"podman runs no container here: ",
]

LINES_OF_A_RERUN = 40

# Ignored where the tests run in the background or under nohup; what they start would inherit that.
USUAL_SIGNALS = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}


def pytest_addoption(parser):
    parser.addoption("--no-skips", action="store_true", help="fail if a test is skipped that need not be")


def pytest_configure(config):
    config.addinivalue_line("markers", "once: the same on every interpreter; `make test-all` leaves it out")
    for number, usual in USUAL_SIGNALS.items():
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)
    if config.getoption("--no-skips"):
        config.pluginmanager.register(NoSkips(), "no-skips")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    """Why tests were run again, which pytest-rerunfailures keeps to itself: --reruns."""
    for number, report in enumerate(terminalreporter.stats.get("rerun", [])):
        if not number:
            terminalreporter.section("run again")
        terminalreporter.section(report.nodeid, "_")
        for line in report.longreprtext.splitlines()[-LINES_OF_A_RERUN:]:
            terminalreporter.line(line)


class NoSkips:
    """Collects what was skipped without an allowed reason, and lets the run fail for it."""

    def __init__(self):
        self.lines = []

    def note(self, report):
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        reason = re.sub("^Skipped: ", "", str(report.longrepr[2]))
        if not any(re.match(allowed, reason) for allowed in ALLOWED_SKIPS):
            self.lines.append("{}: {}".format(report.nodeid, reason))

    pytest_runtest_logreport = pytest_collectreport = note

    def pytest_sessionfinish(self, session, exitstatus):
        if self.lines and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        if self.lines:
            terminalreporter.section("skipped, which --no-skips forbids")
            for line in self.lines:
                terminalreporter.line(line)


@pytest.fixture
def environment(tmp_path):
    """The environment of a target and of who traces it, with a folder of their own for control sockets."""
    folder = tmp_path / "control"
    folder.mkdir(mode=0o700)
    kept = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    return dict(kept, CATPROBE_DIR=str(folder), LC_ALL="C.UTF-8")


@pytest.fixture(scope="session")
def root():
    """Skips the test unless it runs as root."""
    if os.geteuid() != 0:
        pytest.skip("needs root")


class Forky:
    """The container directory of tests/forky: the newest DTrace, bpftrace and CPythons."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, args, timeout=60, **options):
        """Runs a command inside, where the machine's own root is /host; output and errors come as text."""
        return self._call("run", args, timeout, options)

    def dtrace(self, args, timeout=60, **options):
        """Runs its dtrace on the machine's own root, so that -p and -c mean programs of this machine."""
        return self._call("host", args, timeout, options)

    def path(self, path):
        """Where a file of this machine is inside."""
        return "/host" + str(Path(path).resolve())

    def command(self, verb, args):
        """The whole command line, for a test that wants a Popen."""
        return [str(CHECKOUT / "tests" / "forky"), verb, self.folder] + [str(arg) for arg in args]

    def _call(self, verb, args, timeout, options):
        options = dict({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}, **options)
        command = self.command(verb, args)
        return subprocess.run(command, timeout=timeout, universal_newlines=True, **options)


@pytest.fixture(scope="session")
def forky(root):
    folder = os.environ.get("CATPROBE_FORKY", "/var/tmp/catprobe-forky")
    if not os.path.isdir(folder):
        pytest.skip("there is no container in {}: make forky".format(folder))
    return Forky(folder)


def mount_kernel_filesystems():
    for kind, folder in (("tracefs", "/sys/kernel/tracing"), ("debugfs", "/sys/kernel/debug")):
        if not os.path.ismount(folder):
            subprocess.run(["mount", "-t", kind, kind, folder], check=True)


def tracer(name):
    """The path of a tracer of this machine, ready to be run."""
    path = shutil.which(name)
    if not path:
        pytest.skip("{} is not installed: tests/packages test".format(name))
    mount_kernel_filesystems()
    return path


@pytest.fixture(scope="session")
def bpftrace(root):
    return tracer("bpftrace")


@pytest.fixture(scope="session")
def perf(root):
    return tracer("perf")
