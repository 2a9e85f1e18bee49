"""A process that lists itself as traceable, and answers a request for a session as its argument says."""

import array
import os
import select
import socket
import sys
import threading
import time

with open("/proc/self/stat") as file:
    START = file.read().rsplit(")", 1)[1].split()[19]
PATH = os.path.join(os.environ["CATPROBE_DIR"], "{}-{}.sock".format(os.getpid(), START))
STATUS = (
    "catprobe/1 ok\npid {}\nversion 3.6.0\nimplementation cpython\nuid {}\nstart {}\nmodule m\nagent ok\n"
    "probe function-entry - idle 0 0 0\n\n"
).format(os.getpid(), os.geteuid(), START)
OPEN = b"catprobe/2 ok\nsession 1\nenablings 1\nwants function-entry\n\narmed\n"
AWAY = 0.6  # seconds


def listen():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(PATH + ".new")
    os.chmod(PATH + ".new", 0o600)
    listener.listen(8)
    os.rename(PATH + ".new", PATH)
    return listener


def flood(connection, text):
    connection.sendall(OPEN)
    while True:
        connection.sendall(text * 1000)


def says(text):
    def answer(connection):
        connection.sendall(text)
        connection.recv(1)

    return answer


ANSWERS = {
    "talks without end": lambda connection: flood(connection, b"problem x\n"),
    "a line without end": lambda connection: flood(connection, b"x"),
    "no answer": says(b""),
    "half an answer": says(b"catprobe/2 ok\nwants"),
    "no sense": says(bytes(range(1, 256)) * 20 + b"\n"),
    "gone for no reason": says(OPEN + b"gone\n"),
    "gone for an unknown reason": says(OPEN + b"gone fishing " + b"y" * 3000 + b"\n"),
    "control characters": says(OPEN + b"gone away \x1b]0;x\x07\n"),
    "refuses": says(b"catprobe/1 error trace: not today\n"),
    "closes": lambda connection: connection.sendall(OPEN),
    "away": says(OPEN),
}


def serve(connection):
    request = connection.recvmsg(4096, socket.CMSG_SPACE(2 * array.array("i").itemsize))[0]
    try:
        if b" status" in request:
            connection.sendall(STATUS.encode())
        else:
            ANSWERS[sys.argv[1]](connection)
    except OSError:
        pass
    connection.close()


listener = listen()
print("ready", flush=True)
while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
    thread = threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True)
    thread.start()
    if sys.argv[1] == "away":  # as an agent in the course of a fork or an exec: its socket is there, alone
        thread.join()
        listener.close()
        time.sleep(AWAY)
        listener = listen()
        serve(listener.accept()[0])
os.unlink(PATH)
