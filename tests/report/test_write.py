"""The files of a report, as a browser and a user meet them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from made_run import HOSTILE
from typer.testing import CliRunner

from commands import run
from unlearned.cli.main import app
from unlearned.errors import DataError
from unlearned.report.read import read_run
from unlearned.report.tables import main_table, set_table
from unlearned.report.write import write_report

VOID = {"meta", "br", "link", "img", "input"}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page(HTMLParser):
    """Tags, attributes and text; balanced or not."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data if self.open and self.open[-1] != "style" else ""

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def full(run_folder: Any) -> Path:
    folder: Path = run_folder(
        unlearners=("none", "eco", "eco-hand", "prompting", "refusal"), seeds=2, forget=12, past=1.0
    )
    return folder


def test_the_page_needs_nothing_from_elsewhere_and_is_well_formed(full: Path) -> None:
    text = write_report(full).html.read_text(encoding="utf-8")
    page = Page(text)
    assert not page.unbalanced
    assert not page.open
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "base", "image"}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href", "action", "srcset", "poster"):
                assert str(value).startswith("#"), (tag, name, value)
            assert "//" not in str(value), (tag, name, value)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    assert "@import" not in style[1]
    assert "url(" not in style[1]
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    assert not re.search(r"/home/|/root/|/tmp/", text)


def test_the_page_has_every_part(full: Path) -> None:
    page = Page(write_report(full).html.read_text(encoding="utf-8"))
    labels = [attributes["aria-label"] for attributes in page.of("svg")]
    assert labels.count("Forget quality against model utility") == 1
    assert sum(str(label).startswith("Distributions of truth ratios") for label in labels) == 4  # all but none
    assert sum(str(label).startswith("Truth ratios question by question") for label in labels) == 4
    assert [label for label in labels if "Detector" in str(label)] == [
        "Detector scores, seed 0",
        "Detector scores, seed 1",
    ]
    assert sum(str(label).startswith("strength") for label in labels) == 1  # eco-hand has none to show
    assert [attributes.get("id") for attributes in page.of("table")] == ["main", "sets", "flags", "time"]
    for heading in ("What came out", "Detection", "Strengths", "Answers", "Time", "What this does not prove"):
        assert heading in page.text
    assert "eco-hand: seed 0: rand_noise_first_n 8 on spans, by hand" in page.text
    assert page.of("mark")
    assert "calibrated by min FPR+FNR: 1 of 8 missed" in page.text
    assert page.of("meta")[1] == {"name": "viewport", "content": "width=device-width, initial-scale=1"}


def test_the_page_s_numbers_are_those_of_the_results(full: Path) -> None:
    text = write_report(full).html.read_text(encoding="utf-8")
    run = read_run(full)
    for table in (main_table([run]), set_table([run])):
        part = re.search(rf'id="{table.name}".*?</table>', text, re.DOTALL)
        assert part is not None
        shown = re.findall(r'<data value="([^"]+)">([^<]+)</data>', part[0])
        cells = [cell for section in table.sections for row in section.rows for cell in row.cells]
        assert [(float(value), label) for value, label in shown] == [
            (cell.value, cell.text) for cell in cells if cell.value is not None
        ]
    written = json.loads((full / "results.json").read_text())["summary"]
    main = re.search(r'id="main".*?</table>', text, re.DOTALL)
    assert main is not None
    values = {float(value) for value in re.findall(r'<data value="([^"]+)">', main[0])}
    for line in written:
        for name in ("model_utility", "forget_quality", "forget_rouge", "leak_rate", "retain_half_rouge"):
            assert any(value == pytest.approx(line[name], rel=1e-12) for value in values), (line["name"], name)


def test_hostile_texts_and_names_stay_text(run_folder: Any) -> None:
    folder = run_folder("<b>|a_b & c", hostile=True)
    other = run_folder("other")
    written = write_report(folder, [other])
    page = Page(written.html.read_text(encoding="utf-8"))
    assert not page.of("script")
    assert not page.of("img")
    assert not page.unbalanced
    assert HOSTILE in " ".join(page.text.split())
    assert "<b>|a_b & c" in page.text
    latex = written.latex.read_text(encoding="utf-8")
    assert r"\emph{<b>|a\_b \& c}" in latex
    assert r"*\<b\>\|a\_b & c*" in written.markdown.read_text(encoding="utf-8")


def test_dark_and_light_have_the_same_colours_to_draw_with(full: Path) -> None:
    text = write_report(full).html.read_text(encoding="utf-8")
    light, dark = (set(re.findall(r"--\w+(?=:)", rule)) for rule in re.findall(r":root \{(.*?)\}", text))
    assert light == dark
    assert set(re.findall(r"var\((--\w+)\)", text)) <= light
    assert "@media (prefers-color-scheme: dark)" in text
    drawings = " ".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert "#000000" not in drawings  # would vanish on dark ground
    assert "var(--soft)" in drawings


def test_other_runs_come_as_sections_and_marks(full: Path, run_folder: Any) -> None:
    other = run_folder("elsewhere", forget=8)
    (other / "steps/start.json").unlink()  # only the results of other runs are read
    written = write_report(full, [other])
    assert [section.title for section in written.main.sections] == ["run", "elsewhere"]
    page = written.html.read_text(encoding="utf-8")
    assert "elsewhere" in page
    plot = re.search(r'<svg[^>]*aria-label="Forget quality.*?</svg>', page, re.DOTALL)
    assert plot is not None
    assert "elsewhere" in plot[0]
    assert "elsewhere" in written.markdown.read_text(encoding="utf-8")


def test_every_wide_table_scrolls_in_a_frame_that_shows_it(full: Path) -> None:
    """At 390 px: a table in a frame of its own, whose edges have a shadow as long as there is more to scroll to."""
    text = write_report(full).html.read_text(encoding="utf-8")
    tables = re.findall(r'(<div class="wide"[^>]*>)?<table class="scores"', text)
    assert tables
    assert all('tabindex="0"' in frame and "aria-label" in frame for frame in tables)
    rule = re.search(r"\.wide \{(.*?)\}", text)
    assert rule is not None
    assert "overflow-x: auto" in rule[1]
    assert [rule[1].count(how) for how in ("no-repeat local", "no-repeat scroll")] == [2, 2]  # covers, shadows


def test_runs_of_one_name_are_told_apart(run_folder: Any) -> None:
    first, second = run_folder("a/run"), run_folder("b/run")
    titles = [section.title for section in write_report(first, [second]).main.sections]
    assert titles == [str(first), str(second)]


def test_a_report_without_artifacts_and_marks_says_so(run_folder: Any) -> None:
    folder = run_folder()
    shutil.rmtree(folder / "artifacts")
    step = folder / "steps/eco-seed0.json"
    data = json.loads(step.read_text())
    for items in data["items"].values():
        for item in items:
            del item["corrupted"]
    step.write_text(json.dumps(data))
    page = Page(write_report(folder).html.read_text(encoding="utf-8"))
    assert "nothing is marked" in page.text
    assert "No artifacts" in page.text
    assert not page.of("mark")


def test_only_start_and_retained_make_a_report(run_folder: Any) -> None:
    page = Page(write_report(run_folder(unlearners=())).html.read_text(encoding="utf-8"))
    assert "No unlearner was run." in page.text
    assert "Answers" not in page.text
    assert len(page.of("svg")) == 1


def test_a_p_value_of_zero_is_drawn(run_folder: Any) -> None:
    folder = run_folder()
    file = folder / "results.json"
    data = json.loads(file.read_text())
    data["models"][3]["scores"] |= {"forget_quality": 0.0, "log10_forget_quality": None}
    file.write_text(json.dumps(data))
    assert "<svg" in write_report(folder).html.read_text(encoding="utf-8")


def test_the_same_run_gives_the_same_files(full: Path, tmp_path: Path) -> None:
    first = write_report(full, out=tmp_path / "one.html")
    again = write_report(full, out=tmp_path / "two.html")
    assert (first.markdown.name, first.latex.name) == ("one.md", "one.tex")
    for a, b in ((first.html, again.html), (first.markdown, again.markdown), (first.latex, again.latex)):
        assert a.read_bytes() == b.read_bytes()


def test_the_command_writes_three_files_and_prints_the_main_table(full: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(full)], catch_exceptions=False)
    assert done.exit_code == 0
    for name in ("report.html", "table.md", "table.tex"):
        assert f"Written: {full / name}" in done.stdout
        assert (full / name).stat().st_size > 500
    shown = main_table([read_run(full)]).sections[0].rows
    for row in shown:
        line = next(line for line in done.stdout.splitlines() if line.split()[:1] == [row.label])
        assert [cell.rstrip("!") for cell in line.split()[1:]] == [cell.text for cell in row.cells]


def test_the_command_compares_and_writes_where_it_is_told(run_folder: Any, tmp_path: Path) -> None:
    mine, other = run_folder("mine", forget=6), run_folder("other", forget=6)
    out = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["report", str(mine), "--compare", str(other), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert {"mine", "other"} <= set(done.stdout.split())
    assert sorted(file.name for file in tmp_path.glob("page.*")) == ["page.html", "page.md", "page.tex"]
    assert not (mine / "report.html").exists()
    assert not (other / "report.html").exists()


def test_what_was_chosen_among_is_named(run_folder: Any) -> None:
    page = Page(write_report(run_folder(unlearners=("eco-auto",), forget=6)).html.read_text(encoding="utf-8"))
    assert (
        "6 % of the gap remains (3 evaluations), chosen among 2 (not dominated: zero_out_top_k on spans 0.06)"
        in page.text
    )


def test_bad_input_is_one_line_and_status_1(tmp_path: Path) -> None:
    done = run("report", tmp_path, cwd=tmp_path, light=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "holds no results.json" in done.stderr


def test_a_place_that_cannot_be_written_is_named_before_the_work(full: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="in a folder that is there"):
        write_report(full, out=tmp_path / "nowhere" / "a.html")
    with pytest.raises(DataError, match=r"ends in \.html"):
        write_report(full, out=tmp_path / "a.md")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
@pytest.mark.parametrize("scheme", [0, 1], ids=["dark", "light"])
def test_a_browser_fits_the_page_on_a_phone(full: Path, tmp_path: Path, scheme: int) -> None:
    """Measured by the browser itself: no text is cut or pushes the page wider, and the ground is dark or light."""
    text = write_report(full).html.read_text(encoding="utf-8")
    probe = (
        "<script>addEventListener('load', () => { const d = document.documentElement; document.title = [innerWidth, "
        "d.scrollWidth, getComputedStyle(document.body).backgroundColor, document.querySelectorAll('svg').length, "
        "[...document.querySelectorAll('.wide')].filter(w => w.scrollWidth > w.clientWidth && "
        "getComputedStyle(w).backgroundImage.split('linear-gradient').length == 5).length].join('|') })</script>"
    )
    # Headless Chromium opens no window narrower than 500 pixels, so the phone is a frame.
    inner, outer = tmp_path / "inner.html", tmp_path / "outer.html"
    inner.write_text(text.replace("</head>", f"{probe}</head>"), encoding="utf-8")
    outer.write_text(
        "<body><iframe src='inner.html' style='width:390px;height:800px;border:0'></iframe><script>"
        "addEventListener('load', () => setTimeout(() => document.body.append(frames[0].document.title), 300))</script>"
    )
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--allow-file-access-from-files", f"--user-data-dir={tmp_path / 'profile'}",
        f"--blink-settings=preferredColorScheme={scheme}", "--virtual-time-budget=5000", "--dump-dom",
        outer.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r"(\d+)\|(\d+)\|(rgb\([^|]*)\|(\d+)\|(\d+)", done.stdout)
    assert found is not None, done.stderr[-500:]
    assert int(found[1]) == 390
    assert int(found[2]) <= 390
    assert found[3] == ("rgb(28, 25, 23)" if scheme == 0 else "rgb(255, 255, 255)")
    assert int(found[4]) == len(re.findall("<svg", text))
    assert int(found[5]) >= 1  # tables that scroll, with the shadows of their edges
