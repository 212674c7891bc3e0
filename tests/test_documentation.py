"""The documentation: its links hold, its Python parses, its notebook runs, and every public name has an example."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import unlearned
from cases import every

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("CARD.md")],
    key=lambda path: path.as_posix(),
)
EVERY_PAGE = every("page", [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in PAGES])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


def anchors(text: str) -> set[str]:
    """Of its headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@EVERY_PAGE
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        found = page.parent / path if path else page
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found.read_text(encoding="utf-8")), target


@EVERY_PAGE
def test_python_on_a_page_parses(page: Path) -> None:
    for language, source in FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            ast.parse(source)


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        assert f": {page.relative_to(ROOT / 'docs').as_posix()}\n" in nav + "\n", page
    for card in (ROOT / "src/unlearned/benchmarks").glob("*/CARD.md"):
        assert f": benchmarks/{card.parent.name}.md\n" in nav, card


@pytest.mark.parametrize("name", unlearned.__all__)
def test_every_public_name_has_a_summary_and_an_example_that_parses(name: str) -> None:
    text = inspect.getdoc(getattr(unlearned, name)) or ""
    summary, blank = text.splitlines()[:2]
    assert summary.endswith((".", ":")), summary
    assert not blank
    assert "Examples:" in text
    source = "\n".join(re.findall(r"^\s*(?:>>>|\.\.\.) ?(.*)$", text, re.MULTILINE))
    assert source
    ast.parse(source)


def cells() -> Iterator[tuple[str, str]]:
    notebook: dict[str, Any] = json.loads((ROOT / "examples/quickstart.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    for cell in notebook["cells"]:
        yield cell["cell_type"], "".join(cell["source"])


def test_the_notebook_has_no_outputs_of_some_machine() -> None:
    notebook = json.loads((ROOT / "examples/quickstart.ipynb").read_text(encoding="utf-8"))
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert not any(cell.get("outputs") for cell in notebook["cells"])


@pytest.mark.slow
@pytest.mark.timeout(1800)  # it fits: half a minute on a quiet machine, and more on a busy one
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.symlink(ROOT / "examples", tmp_path / "examples", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    for kind, source in cells():
        if kind == "code":
            exec(compile(source, "quickstart.ipynb", "exec"), space)
    assert (tmp_path / "artifacts" / "hp" / "unlearner.json").is_file()


def test_the_citation_is_of_this_release() -> None:
    assert f"\nversion: {unlearned.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
