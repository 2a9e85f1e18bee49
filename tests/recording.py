"""Fixtures: the C extensions of the tests, built for this interpreter, and programs that run with them."""

import json
import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PROGRAMS = TESTS / "programs"

for folder in (TESTS.parent / "probes", PROGRAMS):
    sys.path.insert(0, str(folder))
import calls  # noqa: E402 F401 (for the tests)
import generate  # noqa: E402


def build(name, folder, sources=()):
    """Compile tests/NAME.c to the extension module NAME in a folder."""
    target = folder / (name + sysconfig.get_config_var("EXT_SUFFIX"))
    includes = [TESTS.parent / "src", TESTS.parent / "probes", folder, sysconfig.get_path("include")]
    subprocess.run(
        shlex.split(os.environ.get("CC", "cc"))
        + ["-std=gnu11", "-O1", "-fPIC", "-shared", "-pthread", "-o", str(target)]
        + ["-I{}".format(path) for path in includes]
        + [str(TESTS / (name + ".c"))]
        + [str(folder / source) for source in sources]
        + ["-ldl"],
        check=True,
    )


@pytest.fixture(scope="session")
def extensions(tmp_path_factory):
    """The folder of the built extensions, in sys.path."""
    folder = tmp_path_factory.mktemp("extensions")
    generate.write(str(folder))
    build("recorder", folder, ["probes.c"])
    build("evaluator", folder)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture
def record(extensions):
    """The module tests/programs/record.py; whatever the test does, nothing is recorded after it."""
    import record

    yield record
    record.stop()


@pytest.fixture
def program(extensions):
    """Runs tests/programs/NAME.py and returns the JSON that it printed. It must end well and be quiet."""

    def run(name, *arguments, **environment):
        path = os.pathsep.join([str(extensions), str(PROGRAMS)])
        done = subprocess.run(
            [sys.executable, str(PROGRAMS / (name + ".py"))] + [str(argument) for argument in arguments],
            env=dict(os.environ, PYTHONPATH=path, PYTHONFAULTHANDLER="1", **environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=120,
        )
        if done.returncode or done.stderr:
            pytest.fail("{} ended with {}:\n{}".format(name, done.returncode, done.stderr))
        return json.loads(done.stdout)

    return run


def needs(*version):
    return pytest.mark.skipif(
        sys.version_info < version, reason="needs CPython {}".format(".".join(map(str, version)))
    )
