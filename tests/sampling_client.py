"""A viewer of a process's stacks, as control.h and samples.h describe it, independent of the command."""

import array
import ctypes
import fcntl
import glob
import mmap
import os
import socket
import struct
import time

from waiting import SECONDS, until

IDLE, NATIVE = 1, 8
ON_CPU, HAS_GIL, WAITS_GIL = 1, 2, 4
SHAPE = (1 << 22, 1 << 16, 1 << 18, 1 << 13, 1 << 17, 0)
COUNTS = [
    "strings",
    "frames",
    "nodes",
    "threads",
    "locals",
    "written",
    "ticks",
    "ticks_missed",
    "torn",
    "retried",
    "lost",
    "spent",
    "cpu",
    "finished",
    "taken",
]
HEADER = "<4sI6Q"
SEALS, SHRINK_AND_GROW = 1033, 2 | 4


def align(offset):
    return (offset + 63) & ~63


class Viewer:
    def __init__(self, environment, pid, period, ticks=0, flags=IDLE):
        """Samples each `period` seconds."""
        strings, frames, nodes, threads, ring, _ = SHAPE
        self.strings = align(struct.calcsize(HEADER) + 8 * len(COUNTS))
        self.frames = align(self.strings + strings)
        self.nodes = align(self.frames + frames * 24)
        self.threads = align(self.nodes + nodes * 8)
        self.ring = align(self.threads + threads * 32)
        size = align(self.ring + ring * 24)
        libc = ctypes.CDLL(None, use_errno=True)
        fd = libc.memfd_create(b"samples", 3)
        os.ftruncate(fd, size)
        fcntl.fcntl(fd, SEALS, SHRINK_AND_GROW)
        self.memory = mmap.mmap(fd, size)
        header = struct.pack(HEADER, b"catS", 1, *SHAPE)
        self.memory[: len(header)] = header
        self.seen = 0
        request = "catprobe/3 sample pid={} period={} ticks={} flags={}\n".format(
            pid, int(period * 1e9), ticks, flags
        )
        name = os.path.join(environment["CATPROBE_DIR"], "{}-*.sock".format(pid))
        (path,) = until(lambda: glob.glob(name), "the agent's socket")
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(SECONDS)
        self.socket.connect(path)
        self.socket.sendmsg(
            [request.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        )
        os.close(fd)
        self.answer = self.socket.recv(4096).decode()
        assert self.answer == "catprobe/3 ok\n\n", self.answer

    def close(self):
        self.socket.close()
        self.memory.close()

    def count(self, name):
        return struct.unpack_from("<Q", self.memory, struct.calcsize(HEADER) + 8 * COUNTS.index(name))[0]

    def string(self, at):
        end = self.memory.find(b"\0", self.strings + at)
        return self.memory[self.strings + at : end].decode()

    def stack(self, node):
        """(function, line) of each frame, the innermost first."""
        frames = []
        while node:
            node, frame = struct.unpack_from("<2I", self.memory, self.nodes + 8 * node)
            function, _, _, line, _, _ = struct.unpack_from("<6I", self.memory, self.frames + 24 * frame)
            frames.append((self.string(function), line))
        return frames

    def thread(self, number):
        """Name, interpreter, whether it is the main one."""
        _, _, name, interpreter, _, _, main = struct.unpack_from(
            "<Q6I", self.memory, self.threads + 32 * number
        )
        return self.string(name), interpreter, bool(main)

    def read(self):
        """(thread, node, state) of each sample that has come."""
        written = self.count("written")
        while self.seen < written:
            at = self.ring + 24 * (self.seen % SHAPE[4])
            _, thread, node, state, _ = struct.unpack_from("<Q4I", self.memory, at)
            self.seen += 1
            yield thread, node, state & 7
        struct.pack_into("<Q", self.memory, struct.calcsize(HEADER) + 8 * COUNTS.index("taken"), self.seen)

    def all(self):
        """All samples until the ticks that were asked for are done."""
        samples = []
        deadline = time.monotonic() + 2 * SECONDS
        while not self.count("finished"):
            samples.extend(self.read())
            assert time.monotonic() < deadline, {name: self.count(name) for name in COUNTS}
            time.sleep(0.005)
        samples.extend(self.read())
        return samples
