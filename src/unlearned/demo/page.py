"""The demo's results as one HTML file without external requests."""

from __future__ import annotations

from importlib.resources import files

from unlearned.artifact import Artifact
from unlearned.demo.run import DemoResult
from unlearned.extras import require
from unlearned.plots import score_distribution, strength_trace


def demo_page(result: DemoResult) -> str:
    """Render the page."""
    jinja2 = require("jinja2", extra="report", purpose="The report")
    package = files("unlearned")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    harmless = [*result.of("close retain"), *result.of("general")]
    tables = [
        (
            f"Held-out questions about {concept.name}",
            "Not used for fitting. Marked: what was found in scope. A dot: the answer holds a fact.",
            result.of("held-out forget", concept.name),
        )
        for concept in result.concepts
    ]
    tables.append(("Close questions that must stay", "Not used for fitting.", result.of("close retain")))
    tables.append(("Unrelated prompts", "Not used for fitting.", result.of("general")))
    page: str = environment.from_string(package.joinpath("demo/page.html").read_text(encoding="utf-8")).render(
        css=package.joinpath("report/page.css").read_text(encoding="utf-8"),
        result=result,
        failures=result.failures(),
        unflagged=result.untouched(),
        harmless=len(harmless),
        false_alarms=sum(c.unlearned.flagged for c in harmless),
        scopes=[_scope(result, artifact) for artifact in result.artifacts],
        tables=tables,
        detection=detection_rows(result),
    )
    return page


def detection_rows(result: DemoResult) -> list[tuple[str, int, int]]:
    """(kind of prompt, flagged, all)."""
    groups = [(f"held-out forget: {c.name}", result.of("held-out forget", c.name)) for c in result.concepts]
    groups += [("close retain", result.of("close retain")), ("general", result.of("general"))]
    return [(name, sum(row.unlearned.flagged for row in rows), len(rows)) for name, rows in groups]


def _scope(result: DemoResult, artifact: Artifact) -> dict[str, object]:
    scope = artifact.scopes[0]
    corruption, record = scope.corruption, artifact.strengths[scope.name]
    assert corruption is not None, "the demo learns a strength for every scope"
    has_strength = corruption.strength is not None
    chosen = corruption.strength if corruption.strength is not None else float(corruption.dims or 0)
    label = f"strength of {corruption.function}, in standard deviations of the embeddings"
    trace = [(evaluation.parameter, evaluation.value) for evaluation in record.trace]
    return {
        "name": scope.name,
        "scores": score_distribution(*result.scores(scope.name)),
        "trace": strength_trace(trace, chosen, label if has_strength else f"dims of {corruption.function}"),
        "evaluations": len(record.trace),
    }
