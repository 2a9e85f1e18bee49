"""The USDT sites: what readelf, gdb and perf read in the extension, and in other builds of them."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT / "probes"))
import generate  # noqa: E402

PROBES = generate.parse()
NOTES = [probe.note for probe in PROBES]
SIZES = {probe.note: [argument.operand_size for argument in probe.arguments] for probe in PROBES}
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"]


def run(*command, **options):
    options = dict({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}, **options)
    done = subprocess.run([str(word) for word in command], universal_newlines=True, timeout=60, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def notes(file):
    """The notes of the provider python, as readelf tells them: (name, base, semaphore, operands)."""
    found = re.findall(
        r"Provider: python\n\s+Name: (\S+)\n"
        r"\s+Location: (\S+), Base: (\S+), Semaphore: (\S+)\n"
        r"\s+Arguments: (.*)",
        run("readelf", "-n", file),
    )
    assert all(int(location, 16) for _, location, _, _, _ in found)
    return [(name, int(base, 16), int(mark, 16), words.split()) for name, _, base, mark, words in found]


def sections(file):
    """Section -> (type, address, size, flags)."""
    lines = re.findall(
        r"^ *\[ *\d+\] (\S+) +(\S+) +([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+) [0-9a-f]+ +([A-Z]*)",
        run("readelf", "-SW", file),
        re.MULTILINE,
    )
    return {
        name: (kind, int(address, 16), int(size, 16), flags) for name, kind, address, size, flags in lines
    }


def check(file):
    """One note for each probe, operands in registers, base and semaphores where tracers want them."""
    found = notes(file)
    assert sorted(name for name, _, _, _ in found) == sorted(NOTES)
    kind, start, size, flags = sections(file)[".probes"]
    assert (kind, size) == ("PROGBITS", 2 * len(NOTES))
    assert "W" in flags and "A" in flags
    assert sorted(mark for _, _, mark, _ in found) == list(range(start, start + size, 2))
    assert {base for _, base, _, _ in found} == {sections(file)[".stapsdt.base"][1]}
    for name, _, _, operands in found:
        assert [int(operand.split("@")[0]) for operand in operands] == SIZES[name]
        for operand in operands:
            assert re.match(r"-?[48]@(%[a-z0-9]+|x\d+)$", operand), operand


@pytest.fixture(scope="module")
def extension():
    """The path of the installed extension."""
    return importlib.util.find_spec("_catprobe").origin


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A folder with the generated C, and with fire.c, which passes every site."""
    folder = tmp_path_factory.mktemp("sources")
    generate.write(str(folder))
    calls = "".join("    {}({});\n".format(p.function, ", ".join("0" for _ in p.arguments)) for p in PROBES)
    (folder / "fire.c").write_text(
        '#include "sites.h"\n'
        '__attribute__((visibility("default"))) unsigned fire(void);\n'
        "unsigned fire(void) {\n" + calls + "    return probe_tracers(PROBE_LINE);\n}\n"
    )
    return folder


def need(program):
    if not shutil.which(program):
        pytest.skip("{} is not installed: tests/packages test".format(program))


def test_extension_has_one_note_for_each_probe(extension):
    need("readelf")
    check(extension)


def test_strip_keeps_notes(extension, tmp_path):
    need("strip")
    run("strip", "--strip-unneeded", "-o", tmp_path / "stripped.so", extension)
    check(tmp_path / "stripped.so")


@pytest.mark.once
@pytest.mark.parametrize(
    "command",
    [
        "gcc -O0",
        "gcc -O2",
        "gcc -O2 -mno-red-zone -Wl,--strip-all",
        "gcc -O3 -ffunction-sections -fdata-sections -Wl,--gc-sections",
        "gcc -O2 -flto",
        "gcc -O3 -flto -ffunction-sections -Wl,--gc-sections",
        "clang -O0",
        "clang -O2",
        "clang -O2 -mno-red-zone -Wl,--strip-all",
        "clang -O3 -ffunction-sections -fdata-sections -Wl,--gc-sections",
    ],
)
def test_every_build_keeps_notes(sources, tmp_path, command):
    compiler = command.split()[0]
    need(compiler)
    files = [sources / name for name in ("fire.c", "sites.c", "probes.c")]
    folders = ["-I", sources, "-I", CHECKOUT / "probes"]
    run(*command.split(), "-shared", "-fPIC", *STRICT, *folders, *files, "-o", tmp_path / "sites.so")
    check(tmp_path / "sites.so")


@pytest.mark.once
def test_aarch64_operands_are_x_registers(sources):
    need("clang")
    text = run(
        *["clang", "--target=aarch64-linux-gnu", "-ffreestanding", "-O2", "-S", "-o", "-", *STRICT],
        *["-I", sources, "-I", CHECKOUT / "probes", sources / "sites.c"],
    )
    operands = re.findall(r'\.ascii\s+"((?:-?\d@x\d+ ?)+)"', text)
    expected = [" ".join("{}@x{}".format(size, i) for i, size in enumerate(SIZES[note])) for note in NOTES]
    assert operands == expected


def test_gdb_lists_probes(extension):
    need("gdb")
    listed = run("gdb", "-nx", "-batch", "-ex", "info probes stap python", extension)
    rows = re.findall(r"^stap +python +(\S+) +0x\w+ +(0x\w+)", listed, re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(NOTES)
    assert all(int(semaphore, 16) for _, semaphore in rows)


def test_perf_takes_probe(extension, perf, tmp_path):
    # A copy: perf knows a file by its path and build id, and somebody may be tracing the installed one.
    library = tmp_path / "sites.so"
    shutil.copy(extension, str(library))
    cached = [perf, "--buildid-dir", tmp_path / "cache"]
    run(*cached, "buildid-cache", "--add", library)
    listed = run(*cached, "list", "sdt")
    assert sorted(re.findall(r"sdt_python:(\w+)", listed)) == sorted(NOTES)
    probe = "sdt_python:thread__exit"
    run(*cached, "probe", "--add", probe)
    try:
        assert "with arg1 arg2" in run(*cached, "probe", "--list", probe)
    finally:
        run(*cached, "probe", "--del", probe)
