"""The compiler of D alone: by its unit tests in C, and by programs whose errors were recorded from DTrace.

tests/golden/compile-errors has programs given by -n, each behind "## ", with what DTrace 2.0.7 said under
-e -x errtags; nothing when it took the program; script-errors has what it said of scripts. Each program that
compiles must pass the verifier.
"""

import re
import subprocess

import plain
import pytest

pytestmark = pytest.mark.once
LANGUAGE = plain.CHECKOUT / "tests" / "golden" / "language"


def run(words, **options):
    words = [str(word) for word in words]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    return done.returncode, done.stdout.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def compiler(tmp_path_factory):
    output = tmp_path_factory.mktemp("compiler") / "dlang_compile"
    sources = plain.room_sources("program", "dlang") + ["tests/unit/dlang_compile.c"]
    plain.build(output, sources, plain.sanitizers())
    return output


def recorded_errors(name):
    text = (plain.CHECKOUT / "tests" / "golden" / name).read_text()
    for part in re.split("^## ", text, flags=re.M)[1:]:
        program, _, message = part.partition("\n")
        yield program, message


@pytest.mark.parametrize("sanitized", [False, True], ids=["plain", "sanitized"])
def test_unit(tmp_path, sanitized):
    assert plain.unit_test(tmp_path, "dlang_test", ["program", "dlang"], sanitized) == ("", 0)


def test_errors_have_the_words_of_dtrace(compiler):
    differences = []
    for program, message in recorded_errors("compile-errors"):
        status, text = run([compiler, "-q", "-t", "-n", program])
        expected = "dtrace: invalid probe specifier {}: {}".format(program, message) if message else ""
        if (status, text) != (1 if message else 0, expected):
            differences.append((program, expected, status, text))
    assert differences == []


def test_errors_of_scripts_have_the_words_of_dtrace(compiler, tmp_path):
    differences = []
    for program, message in recorded_errors("script-errors"):
        (tmp_path / "x.d").write_text(program + "\n")
        status, text = run([compiler, "-q", "-t", "-s", "x.d"], cwd=str(tmp_path))
        expected = "dtrace: failed to compile script x.d: {}".format(message)
        if (status, text) != (1, expected):
            differences.append((program, expected, status, text))
    assert differences == []


def test_recorded_programs_compile_to_what_the_verifier_takes(compiler):
    programs = sorted(LANGUAGE.glob("*.d"))
    assert len(programs) > 300
    for program in programs:
        status, text = run([compiler, "-s", program.name, "1", "2"], cwd=str(LANGUAGE))
        assert status in (0, 1), (program.name, text)
