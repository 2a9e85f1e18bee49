"""What top and dump show, apart from where it comes from: see tests/unit/viewer_test.c."""

import subprocess
import unicodedata

import plain
import pytest

SOURCES = ["tests/unit/viewer_test.c", "src/consumer/text.c"] + [
    "src/viewer/{}.c".format(name) for name in ("figures", "place", "screen", "snapshot", "width")
]

pytestmark = pytest.mark.once


@pytest.mark.parametrize("sanitized", [False, True])
def test_unit(tmp_path, sanitized):
    plain.build(tmp_path / "viewer_test", SOURCES, plain.sanitizers() if sanitized else ())
    done = subprocess.run([str(tmp_path / "viewer_test")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (done.stdout.decode(), done.returncode) == ("", 0)


def width(character):
    """None where it is not assigned, or for others to say."""
    category = unicodedata.category(character)
    if category in ("Cn", "Co", "Cs", "Cc"):
        return None
    if (category in ("Mn", "Me", "Cf") and character != "\xad") or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def test_the_width_of_every_character(tmp_path):
    """As Unicode's properties have it; versions differ in some, of which neither is wrong."""
    plain.build(tmp_path / "viewer_test", SOURCES)
    widths = subprocess.check_output([str(tmp_path / "viewer_test"), "width"]).decode()
    assert len(widths) == 0x110000 - 0x20
    wrong = [
        "U+{:04X}".format(code)
        for code in range(0x20, 0x110000)
        if width(chr(code)) not in (None, int(widths[code - 0x20]))
    ]
    version = [int(part) for part in unicodedata.unidata_version.split(".")]
    allowed = 0 if version[:2] == [15, 1] else 200
    assert len(wrong) <= allowed, wrong
