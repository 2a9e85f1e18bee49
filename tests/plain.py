"""Plain C builds, without Python: the command as the static binary has it, and the tests in C.

Each file is compiled once for all tests and interpreters; build/objects keeps the result until it changes.
"""

import functools
import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
OBJECTS = CHECKOUT / "build" / "objects"
ROOMS = ("program", "dlang", "engine", "consumer", "viewer", "command")
WARNINGS = ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]


def compiler():
    return shlex.split(os.environ.get("CC", "cc"))


def flags():
    """What every file of the command is compiled with."""
    macros = ["-DCATPROBE_STATIC", '-DCATPROBE_VERSION="test"']
    return WARNINGS + ["-D_GNU_SOURCE", "-Isrc", "-I" + str(generated())] + macros


@functools.lru_cache(maxsize=None)
def generated():
    """A folder with the C that is made by programs: the probes, the verbs, the pages."""
    folder = CHECKOUT / "build" / "plain"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=str(folder.parent)) as new:
        for program in (
            "probes/generate.py",
            "src/command/verbs/embed.py",
            "src/viewer/pages/embed_pages.py",
        ):
            subprocess.run([sys.executable, program, new], cwd=str(CHECKOUT), check=True)
        for path in Path(new).iterdir():
            path.replace(folder / path.name)  # others may be reading it
    return folder


@functools.lru_cache(maxsize=None)
def identity():
    """Of the compiler: that of another machine or container has the same name."""
    return subprocess.check_output(compiler() + ["--version"])


def digest(*parts):
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def compiled(words, headers, source):
    """The object file of a source; as it was kept, if nothing has changed."""
    path = CHECKOUT / source
    folder = OBJECTS / digest(identity(), repr(words).encode(), str(path).encode())
    output = folder / "{}-{}.o".format(path.stem, digest(headers, path.read_bytes()))
    if not output.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / "{}.o".format(os.getpid())  # others may be at it too
        subprocess.run(words + ["-c", str(source), "-o", str(unfinished)], cwd=str(CHECKOUT), check=True)
        for old in folder.glob(path.stem + "-*.o"):
            old.unlink()
        unfinished.rename(output)
    return output


def build(output, sources, options=(), kind=()):
    """A program, or by its kind a library; all of it is compiled with the options."""
    words = compiler() + flags() + list(options)
    headers = [
        path for folder in ("src", "build/plain", "tests/unit") for path in CHECKOUT.glob(folder + "/**/*.h")
    ]
    content = b"".join(path.read_bytes() for path in sorted(headers))
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        objects = list(threads.map(functools.partial(compiled, words, content), sources))
    words = compiler() + list(options) + list(kind) + ["-o", str(output)] + [str(path) for path in objects]
    subprocess.run(words + ["-pthread", "-lm"], cwd=str(CHECKOUT), check=True)


@functools.lru_cache(maxsize=None)
def sanitizers():
    """The options for them; skips the test where the compiler has none."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "empty.c"
        source.write_text("int main(void) { return 0; }\n")
        words = compiler() + SANITIZERS + [str(source), "-o", str(source.with_suffix(""))]
        done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode:
        pytest.skip("needs the sanitizers: tests/packages test")
    return SANITIZERS


def unit_test(folder, name, rooms, sanitized):
    """Runs tests/unit/NAME.c with the rooms that it is about: ("", 0) if all is well."""
    test = Path(str(folder)) / name
    build(test, room_sources(*rooms) + ["tests/unit/{}.c".format(name)], sanitizers() if sanitized else ())
    done = subprocess.run([str(test)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.decode("utf-8", "replace"), done.returncode


def room_sources(*rooms):
    return [path for room in rooms for path in sorted(CHECKOUT.glob("src/{}/*.c".format(room)))]


def agent_sources():
    """What of the agent the command uses too."""
    return [CHECKOUT / "src/agent" / name for name in ("control.c", "notes.c")]


def command_sources():
    return (
        room_sources(*ROOMS)
        + agent_sources()
        + [generated() / name for name in ("probes.c", "verbs.c", "pages.c")]
    )
