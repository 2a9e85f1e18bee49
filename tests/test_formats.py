"""The formats of recorded profiles: unit tests in C, and each read back by a reader that others wrote."""

import base64
import json
import shutil
import subprocess
import sys

import plain
import pytest

pytestmark = pytest.mark.once

READERS = plain.CHECKOUT / "build" / "readers" / "node_modules"

# What the formats are made of; the other files of the room are of the screens.
SOURCES = ["numbering", "profile", "escape", "formats", "protobuf", "gzip"]
SOURCES += ["collapsed", "flamegraph", "html", "speedscope", "pprof", "perfetto"]

# As tests/unit/formats_test.c makes it: function -> samples with it on the stack.
SAMPLES = {"main": 118, "busy": 80, "rest": 30, "<time.sleep>": 10, "<lambda>": 1, "naïve_猫": 1}
ALL = 118
PERIOD = 10000000
ODD_FILE = '/srv/app/"quoted" & <tagged>.py'

DECODE_PPROF = """
const {Profile} = require('pprof-format');
const read = require('zlib').gunzipSync(require('fs').readFileSync(process.argv[1]));
const plainly = (key, value) => typeof value === 'bigint' ? Number(value) : value;
const profile = Profile.decode(read);
process.stdout.write(JSON.stringify({strings: profile.stringTable.strings, samples: profile.sample,
    locations: profile.location, functions: profile.function, types: profile.sampleType,
    period: profile.period}, plainly));
"""


def build_unit_test(folder, options=()):
    """tests/unit/formats_test.c, which also writes the profile that it has made by hand."""
    sources = ["src/viewer/{}.c".format(name) for name in SOURCES]
    sources += ["src/consumer/text.c", plain.generated() / "pages.c"]
    plain.build(folder / "formats_test", sources + ["tests/unit/formats_test.c"], options)
    return folder / "formats_test"


def installed(module, least=(3, 10)):
    """A module of tests/requirements-readers.txt."""
    if sys.version_info < least:
        pytest.skip("needs CPython {}.{} for {}".format(least[0], least[1], module))
    return pytest.importorskip(module, reason="{} is not installed: make readers".format(module))


def program(name):
    path = shutil.which(name)
    if not path:
        pytest.skip("{} is not installed: make readers".format(name))
    return path


def node_module(name):
    if not (READERS / name).is_dir():
        pytest.skip("npm's {} is not installed: make readers".format(name))
    return READERS / name


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The profile in each format: suffix -> path."""
    folder = tmp_path_factory.mktemp("formats")
    suffixes = ("svg", "html", "txt", "json", "pb.gz", "pftrace")
    paths = {suffix: folder / ("profile." + suffix) for suffix in suffixes}
    subprocess.run([str(build_unit_test(folder))] + [str(path) for path in paths.values()], check=True)
    return paths


@pytest.fixture(scope="module")
def browser():
    playwright = installed("playwright.sync_api")
    chromium = program("chromium")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_page(browser):
    """Opens a file in a page of its own; an error of its script fails the test."""
    errors, pages = [], []

    def open_file(path, fragment=""):
        page = browser.new_page(viewport={"width": 1200, "height": 700})
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "request", lambda request: errors.append(request.url) if request.url.startswith("http") else None
        )
        page.goto(path.as_uri() + fragment)
        pages.append(page)
        return page

    yield open_file
    for page in pages:
        page.close()
    assert errors == []


@pytest.mark.parametrize("sanitized", [False, True], ids=["plain", "sanitized"])
def test_unit(tmp_path, sanitized):
    test = build_unit_test(tmp_path, plain.sanitizers() if sanitized else ())
    done = subprocess.run([str(test)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (done.stdout.decode(), done.returncode) == ("", 0)


def test_the_svg_is_well_formed(files):
    done = subprocess.run(
        [program("xmllint"), "--noout", "--nonet", str(files["svg"])],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert (done.stdout.decode(), done.returncode) == ("", 0)


def width(frame):
    return frame.bounding_box()["width"]


def frame(page, label):
    return page.locator(".frame[data-label={}]".format(json.dumps(label)))


@pytest.mark.parametrize("kind", ["svg", "html"])
def test_a_browser_shows_the_frames(files, open_page, kind):
    page = open_page(files[kind])
    titles = page.locator(".frame title").all_text_contents()
    assert len(titles) == len(set(titles)) == 13
    assert "<lambda> ({}:40)\n1 samples, 0.85%".format(ODD_FILE) in titles
    assert "busy (/srv/app/app.py:20)\n80 samples, 67.80%" in titles
    assert any(title.startswith("]]></script><!-- (") for title in titles)
    assert any(title.startswith("line\\x0aend\n") for title in titles)
    assert width(frame(page, "busy (app.py:20)")) == pytest.approx(
        width(frame(page, "all")) * 80 / ALL, rel=0.01
    )
    assert page.locator(".python").count() == 11 and page.locator(".native").count() == 1


@pytest.mark.parametrize("kind", ["svg", "html"])
def test_a_frame_under_the_pointer_is_explained(files, open_page, kind):
    page = open_page(files[kind])
    frame(page, "rest (app.py:30)").hover()
    assert page.text_content(".details") == "rest (/srv/app/app.py:30): 30 samples, 25.42%"


@pytest.mark.parametrize("kind", ["svg", "html"])
def test_a_click_zooms_and_reset_goes_back(files, open_page, kind):
    page = open_page(files[kind])
    whole = width(frame(page, "all"))
    small = frame(page, "<time.sleep>")
    text_before = small.locator("text").text_content()
    frame(page, "rest (app.py:30)").click()
    assert width(frame(page, "rest (app.py:30)")) == pytest.approx(whole, rel=0.01)
    assert width(small) == pytest.approx(whole / 3, rel=0.01)
    assert not frame(page, "busy (app.py:20)").is_visible()
    assert "ancestor" in frame(page, "main (app.py:10)").get_attribute("class").split()
    assert "ancestor" not in frame(page, "rest (app.py:30)").get_attribute("class").split()
    page.get_by_text("reset").click()
    assert frame(page, "busy (app.py:20)").is_visible()
    assert small.locator("text").text_content() == text_before
    assert page.locator(".ancestor").count() == 0


@pytest.mark.parametrize("kind", ["svg", "html"])
def test_the_search_takes_a_regular_expression(files, open_page, kind):
    page = open_page(files[kind])
    page.fill(".tools input", "^(busy|main) ")
    assert page.text_content(".matched") == "matched 100.0%"  # a sample of both counts once
    page.fill(".tools input", "^(busy|<time)")
    assert page.locator(".match").count() == 2
    assert page.text_content(".matched") == "matched {:.1f}%".format(100 * 90 / ALL)
    page.fill(".tools input", "(")
    assert page.locator(".match").count() == 0 and "matched" not in page.text_content(".matched")
    page.keyboard.press("Escape")
    assert (
        page.locator(".tools input").evaluate("input => input.value") == ""
        and page.text_content(".matched") == ""
    )


@pytest.mark.parametrize("kind", ["svg", "html"])
def test_the_keyboard_is_enough(files, open_page, kind):
    page = open_page(files[kind])
    frame(page, "all").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.text_content(".details").startswith("busy (")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert not frame(page, "busy (app.py:20)").is_visible() and frame(page, "<time.sleep>").is_visible()
    page.keyboard.press("/")
    page.keyboard.type("sleep")
    assert page.text_content(".matched") == "matched {:.1f}%".format(100 * 10 / ALL)
    page.keyboard.press("Escape")
    assert frame(page, "busy (app.py:20)").is_visible()


def test_text_is_cut_to_its_frame(files, open_page):
    page = open_page(files["svg"])
    for size in (1200, 500):
        page.set_viewport_size({"width": size, "height": 500})
        overlong = page.evaluate(
            "Array.from(document.querySelectorAll('.frame')).filter(frame => frame.querySelector('text')"
            ".getComputedTextLength() > frame.getBoundingClientRect().width).length"
        )
        assert overlong == 0


def rows(page):
    """Of the table: function -> own %, total %."""
    cells = [row.split("\t") for row in page.locator("tbody").inner_text().splitlines()]
    return {row[4]: (float(row[0]), float(row[1])) for row in cells}


def test_the_page_has_a_table_and_a_filter(files, open_page):
    page = open_page(files["html"])
    found = rows(page)
    assert found["rest"] == (pytest.approx(100 * 20 / ALL, abs=0.01), pytest.approx(100 * 30 / ALL, abs=0.01))
    assert found["main"] == (0, 100) and "]]></script><!--" in found
    page.get_by_role("button", name="total %").click()
    assert page.locator("tbody tr").first.locator("td").nth(4).text_content() == "main"
    page.select_option("#thread", label='worker "<1>" (102)')
    assert rows(page) == {"busy": (100, 100), "main": (0, 100)}
    assert frame(page, "all").get_attribute("data-samples") == "20" and page.locator(".frame").count() == 3
    page.select_option("#thread", label="all")
    assert rows(page) == found and page.locator(".frame").count() == 13
    dark = "dark" in (page.get_attribute("body", "class") or "")
    page.click("#dark")
    assert ("dark" in page.get_attribute("body", "class").split()) != dark


def test_speedscope_has_its_schema(files):
    jsonschema = installed("jsonschema")
    schema = json.loads(
        (node_module("speedscope") / "dist" / "release" / "file-format-schema.json").read_text()
    )
    profile = json.loads(files["json"].read_text(encoding="utf-8"))
    jsonschema.validate(profile, schema)
    frames = profile["shared"]["frames"]
    assert {"name": "line\nend", "line": 44} in frames
    assert {"name": "<lambda>", "file": ODD_FILE, "line": 40} in frames
    first, second = profile["profiles"]
    assert (first["name"], sum(first["weights"])) == ("MainThread (101)", 98 * PERIOD)
    assert [[frames[number]["name"] for number in stack] for stack in second["samples"]] == [
        [],
        ["main", "busy"],
    ]
    assert second["weights"] == [500000000, 20 * PERIOD]


@pytest.mark.parametrize("kind, samples", [("json", "61%"), ("txt", "68%"), ("pb.gz", "68%")])
def test_speedscope_opens_it(files, open_page, tmp_path, kind, samples):
    script = tmp_path / "profile.js"  # as its own command does it
    content = base64.b64encode(files[kind].read_bytes()).decode()
    script.write_text(
        "speedscope.loadFileFromBase64({}, {})".format(json.dumps(files[kind].name), json.dumps(content))
    )
    index = node_module("speedscope") / "dist" / "release" / "index.html"
    page = open_page(index, "#localProfilePath={}".format(script))
    page.get_by_text("Sandwich").click()
    row = page.locator("tr", has_text="busy").first
    assert samples in row.inner_text(), row.inner_text()  # of the first thread, where it knows threads


def test_pprof_is_read(files):
    node_module("pprof-format")
    words = [program("node"), "-e", DECODE_PPROF, str(files["pb.gz"])]
    profile = json.loads(subprocess.check_output(words, cwd=str(READERS)).decode())
    strings = profile["strings"]
    functions = {function["id"]: function for function in profile["functions"]}
    locations = {location["id"]: location["line"][0] for location in profile["locations"]}
    found = {}
    for sample in profile["samples"]:
        names = {
            strings[functions[locations[number]["functionId"]]["name"]] for number in sample["locationId"]
        }
        assert sample["value"][1] == sample["value"][0] * PERIOD
        for name in names:
            found[name] = found.get(name, 0) + sample["value"][0]
    assert {name: found[name] for name in SAMPLES} == SAMPLES
    assert [strings[kind["type"]] for kind in profile["types"]] == ["samples", "time"]
    assert (strings[0], profile["period"]) == ("", PERIOD)
    names = {strings[function["filename"]] for function in functions.values()}
    assert ODD_FILE in names and "/srv/app/new\nline.py" in names
    labels = {
        strings[label["str"]] for sample in profile["samples"] for label in sample["label"] if label["str"]
    }
    assert labels == {"MainThread", 'worker "<1>"'}


def test_perfetto_is_read(files):
    perfetto = installed("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    trace = perfetto.Trace()
    trace.ParseFromString(files["pftrace"].read_bytes())
    interned = next(packet.interned_data for packet in trace.packet if packet.HasField("interned_data"))
    names = {entry.iid: entry.str.decode() for entry in interned.function_names}
    sources = {entry.iid: entry.str.decode() for entry in interned.source_paths}
    frames = {entry.iid: entry for entry in interned.frames}
    stacks = {entry.iid: [frames[number] for number in entry.frame_ids] for entry in interned.callstacks}
    found = {}
    times = {}
    for packet in trace.packet:
        if packet.HasField("perf_sample"):
            sample = packet.perf_sample
            stack = [names[place.function_name_id] for place in stacks[sample.callstack_iid]]
            assert stack[0] == "main" and sample.pid == 100
            for name in set(stack):
                found[name] = found.get(name, 0) + 1
            times.setdefault(sample.tid, []).append(packet.timestamp)
    assert {name: found[name] for name in SAMPLES} == SAMPLES
    assert times[102] == [5500000000 + n * PERIOD for n in range(20)] and len(times[101]) == 98
    busy = next(place for place in frames.values() if names[place.function_name_id] == "busy")
    assert (sources[busy.source_path_iid], busy.line_number) == ("/srv/app/app.py", 20)
    tree = next(packet.process_tree for packet in trace.packet if packet.HasField("process_tree"))
    assert {(thread.tid, thread.name) for thread in tree.threads} == {
        (101, "MainThread"),
        (102, 'worker "<1>"'),
    }
