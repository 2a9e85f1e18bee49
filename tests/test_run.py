"""catprobe run, import catprobe: the program and its children can be traced, and nothing else is changed."""

import glob
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CATPROBE = [sys.executable, "-m", "catprobe"]
OURS = {"catprobe", "catprobe._version", "_catprobe", "atexit", "gc"}  # the last two are built in

TRACED = "import sys; print('catprobe' in sys.modules)"

# The agent's thread makes the socket, a moment after the import; where none is made, half a second is enough.
LISTENING = """
import os, time
for i in range(50 if 'catprobe' in sys.modules else 5):
    listening = os.listdir(os.environ['CATPROBE_DIR']) != []
    if listening:
        break
    time.sleep(0.1)
print(listening)
"""


@pytest.fixture
def environment(tmp_path):
    """Nothing of pytest's own, and a folder for control sockets."""
    names = ("PATH", "HOME", "LD_LIBRARY_PATH")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    folder = tmp_path / "sockets"
    folder.mkdir(mode=0o700)
    return dict(kept, CATPROBE_DIR=str(folder))


def call(words, environment, **options):
    return subprocess.run(
        [str(word) for word in words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=60,
        **options,
    )


def output(words, environment, **options):
    """What a program prints that ends well and has nothing to complain about."""
    result = call(words, environment, **options)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


@pytest.fixture
def run(environment):
    """Calls catprobe run."""
    return lambda *words, **options: call(CATPROBE + ["run"] + list(words), environment, **options)


# What is run.


def test_a_program_is_traced(run):
    assert run(sys.executable, "-c", TRACED).stdout == "True\n"
    assert run("--", sys.executable, "-c", TRACED).stdout == "True\n"


def test_code_is_run_by_this_python(run):
    assert run("-c", TRACED + "; print(sys.executable, sys.argv)", "-c", "x").stdout == (
        "True\n{} ['-c', '-c', 'x']\n".format(sys.executable)
    )


def test_a_module_is_run_by_this_python(run, tmp_path):
    (tmp_path / "some_module.py").write_text(TRACED + "; print(__name__, sys.argv[1:])")
    assert run("-m", "some_module", "--", "-v", cwd=str(tmp_path)).stdout == "True\n__main__ ['--', '-v']\n"


def test_a_script_is_run_by_this_python(run, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(TRACED + "; print(sys.argv)")
    assert run("script.py", "a b", cwd=str(tmp_path)).stdout == "True\n['script.py', 'a b']\n"
    assert run(script).stdout == "True\n[{!r}]\n".format(str(script))


def test_a_script_that_is_executable_chooses_its_own(run, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("#!/bin/sh\necho shell\n")
    script.chmod(0o755)
    assert run(script).stdout == "shell\n"


def test_python_children_are_traced(run):
    child = "import subprocess, sys; subprocess.call([sys.executable, '-c', {!r}])".format(TRACED)
    assert run("-c", child).stdout == "True\n"
    assert run("sh", "-c", '"$0" -c "$1"', sys.executable, TRACED).stdout == "True\n"


def test_a_virtual_environment_without_catprobe_is_traced(run, environment, tmp_path):
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    code = TRACED + "; print(sys.path)"
    untraced = output([venv / "bin" / "python", "-c", code], environment)
    assert untraced.startswith("False\n")
    assert run(venv / "bin" / "python", "-c", code).stdout == untraced.replace("False", "True")


def test_ps_lists_it_while_it_runs(environment):
    words = CATPROBE + ["run", "-c", "import sys" + LISTENING + "sys.stdout.flush(); sys.stdin.read()"]
    process = subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"True\n"
    listed = output(CATPROBE + ["ps"], environment).splitlines()
    row = next(line.split() for line in listed if line.split()[0] == str(process.pid))
    assert row[1] == ".".join(map(str, sys.version_info[:3]))
    probes = output(CATPROBE + ["-l", "-p", str(process.pid)], environment)
    assert "python{} ".format(process.pid) in probes and " function-entry\n" in probes
    process.communicate(b"")
    assert os.listdir(environment["CATPROBE_DIR"]) == []


@pytest.mark.parametrize("value, traced", [("1", False), ("yes", False), ("0", True), ("", True)])
def test_catprobe_disable_turns_it_off(run, environment, value, traced):
    environment["CATPROBE_DISABLE"] = value
    result = run("-c", TRACED + LISTENING)
    assert result.stdout == "{}\n{}\n".format(traced, traced)


def test_import_with_catprobe_disable_starts_nothing(environment):
    environment["CATPROBE_DISABLE"] = "1"
    code = (
        "import catprobe, os; print(os.listdir(os.environ['CATPROBE_DIR']), os.listdir('/proc/self/task') == "
    )
    assert output([sys.executable, "-c", code + "[str(os.getpid())])"], environment) == "[] True\n"


# The program gets what it got before.


def test_the_process_stays_the_same(environment):
    process = subprocess.Popen(
        CATPROBE + ["run", "sh", "-c", "echo $$"], env=environment, stdout=subprocess.PIPE
    )
    assert process.communicate()[0] == b"%d\n" % process.pid


@pytest.mark.parametrize("status", [0, 1, 3, 255])
def test_the_exit_status_is_the_programs(run, status):
    assert run("-c", "raise SystemExit({})".format(status)).returncode == status


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGPIPE, signal.SIGINT])
def test_death_by_a_signal_is_the_programs(run, number):
    assert run("sh", "-c", "kill -{} $$".format(int(number))).returncode == -number


def test_standard_streams_are_the_programs(run):
    result = run("sh", "-c", "cat; echo error >&2", input="from stdin")
    assert (result.stdout, result.stderr) == ("from stdin", "error\n")


def test_the_signals_are_the_same(run, environment):
    def sets(text):  # without the two that the C library has for itself
        return {line.split()[0]: int(line.split()[1], 16) & ~(3 << 31) for line in text.splitlines()}

    words = ["grep", "^Sig[BIC]", "/proc/self/status"]
    assert sets(run(*words).stdout) == sets(output(words, environment))


def test_the_open_files_are_the_same(run, environment):
    code = 'for i in /proc/self/fd/*; do echo "$i"; done; umask; ulimit -a; pwd'
    assert run("sh", "-c", code).stdout == output(["sh", "-c", code], environment)


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C"}, {"LC_CTYPE": "C"}, {"LC_CTYPE": "C.UTF-8"}])
def test_the_environment_is_the_same_but_for_pythonpath(run, environment, locale):
    environment.update(locale)
    untraced = output(["env"], environment).splitlines()
    traced = run("env").stdout.splitlines()
    assert [line for line in traced if not line.startswith("PYTHONPATH=")] == untraced
    assert len(traced) == len(untraced) + 1


def test_pythonpath_is_kept_behind_ours_and_ours_is_there_once(run, environment):
    environment["PYTHONPATH"] = "/one:/two"
    code = "import os; print(os.environ['PYTHONPATH'])"
    first, _, rest = run("-c", code).stdout.rstrip("\n").partition(":")
    assert first.endswith("/catprobe/autoload") and rest == "/one:/two"
    twice = run(*CATPROBE + ["run", "-c", code]).stdout.rstrip("\n")
    assert twice == first + ":" + rest


def test_a_program_that_is_no_python_leaves_no_socket(run, environment):
    assert run("ls", environment["CATPROBE_DIR"]).stdout == ""


STATE = """
import json, sys
print(json.dumps([
    sys.path,
    [sys.flags[i] for i in range(len(sys.flags))],
    sorted(sys.modules),
    getattr(sys.modules.get("sitecustomize"), "__file__", None),
    getattr(sys.modules.get("sitecustomize"), "MARK", None),
    sorted(name for name in sys.path_importer_cache if name not in sys.path and "catprobe" not in name),
    sys.argv,
]))
"""

SITECUSTOMIZES = {
    "none": None,
    "one": "MARK = 1",
    "one that looks": "import sys; MARK = [sys.path[:], __spec__.name, sys.modules[__name__].__file__]",
    "one that raises": "raise ValueError('no')",
    "one that misses a module": "import no_such_module",
    "one that exits": "raise SystemExit(3)",
    "one that does not compile": "def",
}


@pytest.mark.parametrize("kind", sorted(SITECUSTOMIZES))
def test_a_sitecustomize_runs_as_untraced(environment, tmp_path, kind):
    own = tmp_path / "own"
    own.mkdir()
    if SITECUSTOMIZES[kind] is not None:
        (own / "sitecustomize.py").write_text(SITECUSTOMIZES[kind])
    environment.update(PYTHONPATH=str(own), PYTHONDONTWRITEBYTECODE="1")
    untraced = call([sys.executable, "-c", STATE, "argument"], environment)
    # -I, lest it runs in the command's own Python too.
    words = [sys.executable, "-I", "-m", "catprobe", "run", sys.executable, "-c", STATE, "argument"]
    traced = call(words, environment)
    assert traced.returncode == untraced.returncode
    if "Fatal" in untraced.stderr:  # with a traceback, in which we are
        assert traced.stderr.splitlines()[0] == untraced.stderr.splitlines()[0]
    else:
        assert traced.stderr == untraced.stderr
    if untraced.stdout == "":
        assert traced.stdout == ""
    else:
        state = json.loads(traced.stdout)
        assert set(state[2]) >= OURS
        state[2] = sorted(set(state[2]) - OURS)
        expected = json.loads(untraced.stdout)
        expected[2] = sorted(set(expected[2]) - OURS)
        assert state == expected


def other_interpreters():
    paths = glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin/python")) + glob.glob("/usr/bin/python3")
    return sorted(path for path in paths if os.path.realpath(path) != os.path.realpath(sys.executable))


@pytest.mark.once
def test_every_other_interpreter_runs_as_untraced(run, environment):
    code = "import sys; sys.stdout.write(str([sys.path, sys.argv, 'sitecustomize' in sys.modules]))"
    for path in other_interpreters() or [sys.executable]:
        assert run(path, "-c", code, "x").stdout == output([path, "-c", code, "x"], environment), path
        assert run(path, "-c", code, "x").stderr == "", path


# What can go wrong.


def test_a_program_that_is_not_there(run):
    result = run("no-such-program", "x")
    assert (result.returncode, result.stdout) == (127, "")
    assert result.stderr == "catprobe: no-such-program: No such file or directory\n"


def test_a_program_that_cannot_be_run(run, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("text")
    result = run(plain)
    assert (result.returncode, result.stdout) == (126, "")
    assert result.stderr == "catprobe: {}: Permission denied\n".format(plain)


@pytest.mark.parametrize(
    "words, text",
    [((), "run what?"), (("--",), "run what?"), (("-Q", "x"), "unknown option -Q"), (("-m",), "-m needs")],
)
def test_a_wrong_command_line_is_one_line(run, words, text):
    result = run(*words)
    assert (result.returncode, result.stdout) == (2, "")
    assert text in result.stderr and result.stderr.count("\n") == 1


# The package.


def test_scripts_are_where_the_command_says(environment):
    folder = Path(output(CATPROBE + ["--scripts"], environment).rstrip("\n"))
    assert (folder / "d_demo" / "a_py_flowinfo.d").is_file()


def test_the_version_is_the_packages(environment):
    code = "import catprobe; print('catprobe', catprobe.__version__)"
    assert output(CATPROBE + ["--version"], environment) == output([sys.executable, "-c", code], environment)


def test_the_console_script_is_the_command(environment):
    script = Path(sys.executable).parent / "catprobe"
    assert output([script, "--help"], environment) == output(CATPROBE + ["--help"], environment)


def test_the_command_is_not_a_target_of_its_own(environment):
    listed = call(CATPROBE + ["ps"], environment).stdout
    assert " ps\n" not in listed
    assert os.listdir(environment["CATPROBE_DIR"]) == []


def test_import_brings_no_other_module(environment):
    code = "import sys, atexit, gc; old = set(sys.modules); import catprobe; print(*set(sys.modules) - old)"
    assert set(output([sys.executable, "-c", code], environment).split()) == OURS - {"atexit", "gc"}


def test_status_tells_what_ps_tells(environment):
    code = "import catprobe, json, os; print(json.dumps([os.getpid(), catprobe.status()]))"
    pid, status = json.loads(output([sys.executable, "-c", code], environment))
    assert int(status["pid"]) == pid
    assert status["version"] == ".".join(map(str, sys.version_info[:3]))
    assert status["agent"] == "ok"


SUBINTERPRETER = """
code = "import catprobe, sys; sys.stdout.write(str(catprobe.status() != {}))"
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import catprobe
for i in range(3):
    number = interpreters.create()
    failed = interpreters.run_string(number, code)
    assert failed is None, failed
    interpreters.destroy(number)
"""


@pytest.mark.skipif(sys.version_info < (3, 8), reason="needs CPython 3.8 for _xxsubinterpreters")
def test_sub_interpreters_can_import_it(environment):
    assert output([sys.executable, "-W", "ignore", "-c", SUBINTERPRETER], environment) == "TrueTrueTrue"
