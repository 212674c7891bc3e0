"""A check as one HTML file without external requests."""

from __future__ import annotations

from importlib.resources import files

from unlearned.artifact.evidence import EvidenceRecord
from unlearned.check.run import CheckResult
from unlearned.extras import require


def check_page(result: CheckResult, evidence: EvidenceRecord) -> str:
    """Render the page."""
    jinja2 = require("jinja2", extra="report", purpose="The page of a check")
    package = files("unlearned")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    missed, wrong = result.missed(), result.wrongly_flagged()
    lists = [
        ("Missed", "Forget prompts that pass, the nearest to being found first. Fit with more like these.", missed),
        ("Wrongly flagged", "The nearest to passing first. Add such prompts to --retain, or to --exempt.", wrong),
    ]
    tables = [
        (
            "Forget prompts",
            "Marked: what was found in scope. A dot: the answer holds a fact.",
            result.of("held-out forget"),
        ),
        ("Close prompts that must stay", "Marked: what was found in scope.", result.of("close retain")),
        ("General prompts", "Marked: what was found in scope.", result.of("general")),
    ]
    template = package.joinpath("check/page.html").read_text(encoding="utf-8")
    page: str = environment.from_string(template).render(
        css=package.joinpath("report/page.css").read_text(encoding="utf-8"),
        name=result.artifact.name,
        evidence=evidence,
        lists=[item for item in lists if item[2]],
        tables=[item for item in tables if item[2]],
        strangers=result.strangers,
        config=result.config,
    )
    return page
