"""Does a surrogate stand in for a model that really never saw the data? On TOFU's forget01, with such a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from unlearned.benchmarks.rows import json_rows
from unlearned.classify.sentences import sentence_encoder
from unlearned.engines.transformers import TransformersEngine
from unlearned.examples import Row, as_rows
from unlearned.learn.forget_prompts import plain
from unlearned.learn.measures import Doubles, MeasureInputs, measures
from unlearned.learn.surrogate import KINDS, Surrogate, surrogate_values
from unlearned.metrics.agreement import spearman
from unlearned.models import ModelOptions, load_model
from unlearned.progress import Progress

MEASURES = ("likelihood", "truth_ratio")
CONSTANTS = {"likelihood": -np.log(49152), "truth_ratio": 0.0}
"""What one would put without any estimate: every token equally likely; true and false equally likely."""


@dataclass(frozen=True, slots=True)
class SurrogateRow:
    """One surrogate of one measure against what the retained model scores."""

    measure: str
    surrogate: str
    mean: float
    retained_mean: float
    per_item_difference: float
    spearman: float | None
    """None for a constant."""


def measure_surrogates(
    options: ModelOptions, start: str, retained: str, tofu: Path, report: Progress
) -> list[SurrogateRow]:
    """Load the two adapters one after the other and compare.

    Args:
        options: the base model of both.
        start: adapter that saw the forget set.
        retained: adapter that saw all else that `start` saw.
        tofu: folder with forget01_perturbed.jsonl and retain99.jsonl.
        report: called with (phase, done, total).
    """
    rows = as_rows(json_rows(tofu / "forget01_perturbed.jsonl", ("question",)), name="forget01_perturbed")
    others = [str(row["question"]) for row in json_rows(tofu / "retain99.jsonl", ("question",))[-360::9]]
    report("surrogates", 0, 2)
    truth = {name: _plain(_engine(options, retained), name, rows) for name in MEASURES}
    report("surrogates", 1, 2)
    engine = _engine(options, start)
    found = []
    for name in MEASURES:
        materials = MeasureInputs(engine, sentence_encoder(), rows)
        estimates: dict[str, Doubles] = {"no surrogate: the start model": _plain(engine, name, rows)}
        kinds: list[tuple[str, Surrogate]] = [(kind, kind) for kind in KINDS]
        for label, kind in [*kinds, ("constant", float(CONSTANTS[name]))]:
            estimates[label] = surrogate_values(measures.get(name), materials, kind, others, lambda inputs: [])
        for label, values in estimates.items():
            rho = spearman(values, truth[name]).value if np.ptp(values) > 0 else None
            difference = float(np.abs(values - truth[name]).mean())
            found.append(SurrogateRow(name, label, float(values.mean()), float(truth[name].mean()), difference, rho))
    report("surrogates", 2, 2)
    return found


def _engine(options: ModelOptions, adapter: str) -> TransformersEngine:
    model, tokenizer = load_model(replace(options, adapter=adapter))
    merge = getattr(model, "merge_and_unload", None)
    return TransformersEngine(merge() if callable(merge) else model, tokenizer)


def _plain(engine: TransformersEngine, name: str, rows: list[Row]) -> Doubles:
    measure = measures.get(name)(MeasureInputs(engine, sentence_encoder(), rows))
    return np.asarray(measure([plain([engine.tokenize(row.prompt) for row in rows])], [])[0])
