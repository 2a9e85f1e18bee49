"""A real container, by podman: traced from outside, and from another container with a folder in common.

Its root is the directory of tests/forky, read-only, without a network, and with podman's own seccomp filter.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from test_unprivileged import (  # noqa: F401 (fixtures)
    REQUESTS,
    SEED,
    SERVER,
    as_user,
    binary,
    calls,
    trace_once,
    user,
    whole_flow,
)
from tracers import in_container, prescribed, with_depth

pytestmark = pytest.mark.once

VERSION = "3.14"
LIMITS = [
    "--ulimit",
    "nofile=1024:4096",
    "--ulimit",
    "nproc=1024:4096",
]  # podman's own may be more than we have
READ_ONLY = ["--read-only", "--read-only-tmpfs=false", "--tmpfs", "/tmp:rw,notmpcopyup,mode=1777"]


@pytest.fixture(scope="module")
def podman(forky):
    """podman(option..., command=words): the words that run a command in a container."""
    for program in ("podman", "runc"):
        if not shutil.which(program):
            pytest.skip("{} is not installed: tests/packages containers".format(program))
    runtime = ["podman", "--runtime", "runc", "--cgroup-manager=cgroupfs", "--storage-driver=vfs"]
    run = runtime + ["run", "--rm", "--network=none"] + LIMITS + READ_ONLY

    def words(*options, command):
        return run + list(options) + ["--rootfs", forky.folder] + [str(word) for word in command]

    tried = subprocess.run(
        words(command=["true"]), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
    )
    if tried.returncode:
        pytest.skip("podman runs no container here: {}".format(tried.stdout.decode().strip()))
    return words


@pytest.fixture(scope="module")
def interpreter(forky):
    return in_container(forky, VERSION)


@pytest.fixture(scope="module")
def events(interpreter):
    """What its seed prescribes."""
    return prescribed(interpreter, REQUESTS, SEED)


class Contained:
    """A cat server in a container, as this user."""

    def __init__(self, podman, interpreter, uid, *options):
        self.folder = tempfile.mkdtemp(prefix="catprobe-podman-")
        modules = ["-v", "{}:/mnt:ro".format(interpreter.modules), "-e", "PYTHONPATH=/mnt"]
        self.process = subprocess.Popen(
            podman(
                "--interactive",
                "--cidfile",
                str(Path(self.folder) / "id"),
                "--user",
                "{0}:{0}".format(uid),
                *(modules + list(options)),
                command=["python" + VERSION, "-c", SERVER],
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )

    def __enter__(self):
        assert self.process.stdout.readline() == "ready\n"
        inspected = ["podman", "inspect", "--format", "{{.State.Pid}}", self.id()]
        self.pid = int(subprocess.check_output(inspected).decode())
        return self

    def id(self):
        return (Path(self.folder) / "id").read_text()

    def __exit__(self, *failure):
        subprocess.run(["podman", "kill", self.id()], stdout=subprocess.DEVNULL, check=False)
        self.process.communicate()
        shutil.rmtree(self.folder)

    def serve(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@pytest.mark.parametrize("who", ["root", "the same user"])
def test_the_host_traces_it_by_the_pid_that_the_host_knows(podman, interpreter, user, binary, events, who):  # noqa: F811
    with Contained(podman, interpreter, user) as server:
        words = ([] if who == "root" else as_user(user)) + [binary, "-s", binary.parent / "a_py_flowinfo.d"]
        listed = subprocess.check_output([str(binary), "ps"]).decode()
        assert re.search(r"(?m)^ *{} +{}\.".format(server.pid, VERSION), listed), listed
        output = trace_once(server, words, "-p", server.pid)
    assert whole_flow(output) == list(with_depth(events))


def test_another_container_traces_it_by_a_folder_in_common(podman, interpreter, user, binary, events):  # noqa: F811
    shared = tempfile.mkdtemp(prefix="catprobe-shared-")
    shutil.copy(str(binary), shared)
    os.chown(shared, user, user)
    common = ["-v", shared + ":/srv", "-e", "CATPROBE_DIR=/srv"]
    program = 'BEGIN { printf("begin\\n"); } python*:demo.py::function-entry { @[probefunc] = count(); } '
    program += "python*:demo.py:go:function-return { exit(0); }"
    try:
        with Contained(podman, interpreter, user, *common) as server:
            options = ["--user", "{0}:{0}".format(user)] + common
            output = trace_once(server, podman(*options, command=["/srv/catprobe", "-qn", program]))
    finally:
        shutil.rmtree(shared)
    found = {name: int(count) for name, count in re.findall(r"(\w+) +(\d+)$", output, re.MULTILINE)}
    assert found == {func: count for (file, _, func), count in calls(events).items() if file == "demo.py"}
