"""Building: the generator, the source distribution, the wheel, what is said when something is missing."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT / "probes"))
import generate  # noqa: E402

STRICT = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"]


def run(*command, check=True, timeout=300, **options):
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=timeout,
        **options,
    )
    assert not check or done.returncode == 0, done.stdout
    return done.stdout if check else done


def version():
    scope = {}
    exec((CHECKOUT / "src/catprobe/_version.py").read_text(encoding="utf-8"), scope)
    return scope["__version__"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the checkout without what was built in it."""
    copy = tmp_path_factory.mktemp("copy") / "catprobe"
    unwanted = shutil.ignore_patterns(
        ".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", ".*_cache"
    )
    shutil.copytree(str(CHECKOUT), str(copy), ignore=unwanted)
    return copy


@pytest.fixture(scope="module")
def sdist(checkout):
    run(sys.executable, "setup.py", "-q", "sdist", cwd=str(checkout))
    return next((checkout / "dist").glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """The wheel that is built from the source distribution alone."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, sdist)
    return next(folder.glob("*.whl"))


def test_installed_under_its_name_and_version():
    shown = run(sys.executable, "-m", "pip", "--disable-pip-version-check", "show", "catprobe")
    assert re.search("^Name: catprobe$", shown, re.MULTILINE)
    assert re.search("^Version: {}$".format(re.escape(version())), shown, re.MULTILINE)


@pytest.mark.once
def test_sdist_has_the_sources_and_nothing_built(sdist):
    with tarfile.open(str(sdist)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = [
        "setup.py",
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "probes/python.d",
        "probes/usdt.h",
        "tests/forky",
    ]
    wanted += [str(path.relative_to(CHECKOUT)) for path in CHECKOUT.glob("src/**/*.[ch]")]
    wanted += [str(path.relative_to(CHECKOUT)) for path in CHECKOUT.glob("d_demo/*.*")]
    assert not set(wanted) - names
    assert not [name for name in names if name.startswith("build/") or name.endswith((".so", ".o", ".pyc"))]


@pytest.mark.once
def test_wheel_has_packages_scripts_and_extension(wheel):
    assert wheel.name.startswith("catprobe-{}-".format(version()))
    names = zipfile.ZipFile(str(wheel)).namelist()
    for folder in ("d_demo", "toolkit"):
        for path in list(CHECKOUT.glob(folder + "/*.d")) + list(CHECKOUT.glob(folder + "/*.bt")):
            assert "catprobe/scripts/{}/{}".format(folder, path.name) in names
    for name in ("catprobe/__main__.py", "catprobe/autoload/sitecustomize.py", "catdemo/demo.py"):
        assert name in names
    assert [name for name in names if re.match(r"_catprobe\..*\.?so$", name)]
    assert {name.split("/")[0].split(".")[0].split("-")[0] for name in names} == {
        "catprobe",
        "catdemo",
        "_catprobe",
    }


@pytest.mark.once
def test_the_command_is_built_as_one_static_file():
    run("make", "-s", "PYTHON=" + sys.executable, "build/catprobe", cwd=CHECKOUT)
    command = CHECKOUT / "build" / "catprobe"
    assert run("ldd", command, check=False).returncode == 1
    assert run(command, "--version") == "catprobe {}\n".format(version())


@pytest.mark.once
def test_wheel_installs_in_a_fresh_environment(wheel, tmp_path):
    venv.create(str(tmp_path / "venv"), with_pip=True)
    python = tmp_path / "venv/bin/python"
    run(python, "-m", "pip", "install", "-q", "--no-index", wheel)
    imported = run(python, "-c", "import catprobe, catdemo; print(catprobe.__file__)", cwd=str(CHECKOUT))
    assert imported.startswith(str(tmp_path))
    run(tmp_path / "venv/bin/catprobe", "--help", cwd=str(tmp_path))


def build_extension(checkout, folder, prefix=(), **environment):
    # The user's own CPATH may well lead to a Python.h; that is not what is tested.
    inherited = {name: value for name, value in os.environ.items() if name not in ("CPATH", "C_INCLUDE_PATH")}
    words = [
        *prefix,
        sys.executable,
        "setup.py",
        "-q",
        "build_ext",
        "--build-temp",
        folder,
        "--build-lib",
        folder,
    ]
    return run(*words, check=False, cwd=str(checkout), env=dict(inherited, **environment))


@pytest.mark.once
def test_missing_compiler_is_one_line(checkout, tmp_path):
    done = build_extension(checkout, tmp_path, CC="/nonexistent/cc")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout
    last = done.stdout.splitlines()[-1]
    assert re.match(
        "catprobe cannot be built: there is no C compiler /nonexistent/cc; please run: .*gcc", last
    )


@pytest.mark.once
def test_missing_header_is_one_line(checkout, tmp_path, root):
    include = sysconfig.get_path("include")
    hide = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs "$0" && exec "$@"', include]
    done = build_extension(checkout, tmp_path, prefix=hide)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout
    last = done.stdout.splitlines()[-1]
    assert re.match(
        "catprobe cannot be built: there is no Python.h in {}; please run: .*python".format(include), last
    )


@pytest.mark.once
def test_without_usdt_everything_builds_and_there_are_no_notes(checkout, tmp_path):
    done = build_extension(checkout, tmp_path, CATPROBE_NO_USDT="1")
    assert done.returncode == 0, done.stdout
    extension = next(tmp_path.glob("_catprobe*.so"))
    assert "stapsdt" not in run("readelf", "-n", extension)
    run(
        sys.executable,
        "-c",
        "import _catprobe",
        cwd=str(tmp_path),
        env=dict(os.environ, PYTHONPATH=str(tmp_path)),
    )


@pytest.mark.once
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_sites_compile_without_usdt(compiler, tmp_path):
    generate.write(str(tmp_path))
    run(compiler, *STRICT, "-DCATPROBE_NO_USDT", "-c", tmp_path / "sites.c", "-o", tmp_path / "sites.o")
    assert ".note.stapsdt" not in run("readelf", "-SW", tmp_path / "sites.o")


@pytest.mark.once
def test_sites_compile_with_the_header_of_dtrace(forky, tmp_path):
    # How macOS, FreeBSD and illumos have their sites; here DTrace for Linux makes the header.
    generate.write(str(tmp_path))
    steps = """
        set -e
        cd "$0"
        dtrace -h -s "$1" -o python_provider.h
        shift
        gcc -DPROBES_BY_DTRACE -idirafter "$(echo /usr/lib/*/dtrace/include)" "$@" -c sites.c -o sites.o
    """
    done = forky.run(["bash", "-c", steps, forky.path(tmp_path), forky.path(generate.PROVIDER)] + STRICT)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "sites.o").read_bytes()
    for (
        probe
    ) in generate.parse():  # DTrace's own notes: one of the site, one of the question whether it is enabled
        assert written.count("\0python\0{}\0".format(probe.note).encode()) == 2


@pytest.mark.once
def test_documentation_of_probes_is_current():
    committed = (CHECKOUT / "docs/probes.md").read_text(encoding="utf-8")
    assert committed == generate.documentation(generate.parse()), "run: make docs"


def test_generator_leaves_what_is_right_alone(tmp_path):
    generate.write(str(tmp_path))
    for path in tmp_path.iterdir():
        os.utime(str(path), (1, 1))
    (tmp_path / "sites.h").write_text("old")
    generate.write(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir() if path.stat().st_mtime != 1} == {"sites.h"}
    assert "python_line" in (tmp_path / "sites.h").read_text()


@pytest.mark.parametrize(
    "text, line, message",
    [
        ("", 1, "expected 'provider', found 'the end of the file'"),
        ("provider python {\n};", 2, "the provider has no probes"),
        ("provider python {\n\n probe a(int x);\n};", 3, "probe a has no comment above it"),
        (
            "provider python {\n /* A. */\n probe a(int);\n};",
            3,
            "expected the type and the name of an argument",
        ),
        (
            "provider python {\n /* A. */\n probe a(size_t n);\n};",
            3,
            "type 'size_t' is neither a pointer nor one of",
        ),
        ("provider python {\n /* A. */\n probe a(int x) };", 3, "expected ';', found '}'"),
        ("provider python {\n /* A. */\n probe a(int x;\n", 3, "expected ',' or ')', found ';'"),
        ("provider python {\n /* A. */ probe a();\n /* B. */ probe a();\n};", 3, "probe a is declared twice"),
        ("provider python {\n /* A.\n", 2, "this comment has no end"),
        ("provider python {\n @\n", 2, "unexpected character '@'"),
        (
            "provider python {\n /* A. */ probe a();\n",
            3,
            "expected 'probe' or '}', found 'the end of the file'",
        ),
    ],
)
def test_malformed_provider_is_one_clear_line(tmp_path, text, line, message):
    path = tmp_path / "bad.d"
    path.write_text(text)
    with pytest.raises(generate.Malformed) as raised:
        generate.parse(str(path))
    assert str(raised.value).startswith("{}:{}: {}".format(path, line, message))


def test_probe_without_arguments_compiles(tmp_path):
    path = tmp_path / "small.d"
    path.write_text('provider python {\n /* Only a "mark". */\n probe mark();\n};\n')
    generate.write(str(tmp_path), generate.parse(str(path)))
    for name in ("sites.c", "probes.c"):
        folders = ["-I", tmp_path, "-I", CHECKOUT / "probes"]
        run("cc", *STRICT, *folders, "-c", tmp_path / name, "-o", tmp_path / "out.o")
