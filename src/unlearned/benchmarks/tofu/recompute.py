"""A run's numbers computed anew from its items: needs no model and no data, and takes seconds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearned.benchmarks.step_cache import as_text
from unlearned.benchmarks.tofu.items import Evaluation, evaluation_from_json
from unlearned.benchmarks.tofu.results import EvaluatedModel, model_json, summary
from unlearned.benchmarks.tofu.run import RETAINED, START, STEPS
from unlearned.errors import DataError

TOLERANCE = 1e-6
"""Relative. The same items give the same numbers but for the order in which libraries add."""


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What came out."""

    numbers: int
    differences: tuple[str, ...]
    """Places in `results.json` whose number does not follow from the items, with both."""


def recompute(out: Path, results: Mapping[str, Any]) -> Recomputed:
    """Compute all scores and the summary from what was kept of each model, and compare them with what is written.

    Args:
        out: folder of the run.
        results: its `results.json`.

    Raises:
        DataError: items of a model are missing or cannot be read.
    """
    models = results["models"]
    kept = {model["name"]: _evaluation(out, model["name"]) for model in models}
    if START not in kept or RETAINED not in kept:
        raise DataError(f"{out} has no start or no retained model. Is this the folder of a finished run?")
    found = [
        model_json(
            EvaluatedModel(model["name"], model["unlearner"], model["seed"], kept[model["name"]], model["seconds"]),
            kept[START],
            kept[RETAINED],
        )
        for model in models
    ]
    anew: Any = json.loads(as_text({"models": found, "summary": summary(found)}))
    numbers, differences = 0, list[str]()
    for place, written, computed in _pairs({name: results.get(name) for name in anew}, anew, ""):
        numbers += 1
        if not _same(written, computed):
            differences.append(f"{place}: {_shown(written)} is written, {_shown(computed)} follows from the items")
    return Recomputed(numbers, tuple(differences))


def _evaluation(out: Path, name: str) -> Evaluation:
    file = out / STEPS / f"{name}.json"
    try:
        return evaluation_from_json(json.loads(file.read_text(encoding="utf-8"))["items"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"The items of {name} cannot be read: {file}: {error}.") from error


def _pairs(written: Any, computed: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """Every value of both, with its place; where one is missing, None stands for it."""
    if isinstance(computed, dict) and isinstance(written, dict):
        for name in {**computed, **written}:
            yield from _pairs(written.get(name), computed.get(name), f"{place}.{name}".lstrip("."))
    elif isinstance(computed, list) and isinstance(written, list) and len(computed) == len(written):
        for number, (one, other) in enumerate(zip(written, computed, strict=True)):
            named = other.get("name") or other.get("id") if isinstance(other, dict) else None
            yield from _pairs(one, other, f"{place}[{number if named is None else named}]")
    else:
        yield place, written, computed


def _same(written: Any, computed: Any) -> bool:
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (written, computed))
    if numbers:
        if math.isnan(written) or math.isnan(computed):
            return math.isnan(written) and math.isnan(computed)
        return math.isclose(written, computed, rel_tol=TOLERANCE, abs_tol=1e-9)
    return bool(written == computed)


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:40]
