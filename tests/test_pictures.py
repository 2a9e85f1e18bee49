"""The pictures of docs/images, which `make pictures` made: those shown are there, and need nothing else."""

import re
import xml.etree.ElementTree
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
IMAGES = CHECKOUT / "docs" / "images"

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not IMAGES.exists(), reason="needs a checkout: docs/ is not installed"),
]


@pytest.mark.parametrize("page", ["README.md", "toolkit/README.md", "docs/architecture.md"])
def test_the_pictures_of_a_page_are_there(page):
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (CHECKOUT / page).read_text())
    assert all((CHECKOUT / page).parent.joinpath(path).is_file() for path in shown)
    assert shown or page != "README.md"


@pytest.mark.parametrize("path", sorted(IMAGES.glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_is_complete_in_itself(path):
    text = path.read_text()
    assert xml.etree.ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert re.findall(r"(?:href|src|url)\s*[=(]\s*[\"']?(https?:[^\"')]*)", text) == []


def test_the_flame_graph_does_not_tell_where_it_was_taken():
    shown = re.findall(r"<title>[^<]*\(([^<]*)demo\.py:", (IMAGES / "flamegraph.svg").read_text())
    assert set(shown) == {"/srv/cats/catdemo/"}


def test_the_histogram_is_that_of_the_talk():
    text = "".join(xml.etree.ElementTree.parse(str(IMAGES / "calldist.svg")).getroot().itertext())
    assert re.search(r"demo\.py,\s+func,\s+new_cat_video", text.replace("\xa0", " "))
