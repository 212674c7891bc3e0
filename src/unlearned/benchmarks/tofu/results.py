"""What a run writes down of each model: scores with their errors, per-item scores, what was flagged and changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from unlearned.benchmarks.tofu.config import ScoreConfig
from unlearned.benchmarks.tofu.items import Evaluation, Item, as_log
from unlearned.benchmarks.tofu.log import NORMALISED, SETS, TofuLog
from unlearned.benchmarks.tofu.questions import PAIRED, PARAPHRASED
from unlearned.benchmarks.tofu.scores import score_log
from unlearned.metrics.agreement import over_forgotten
from unlearned.metrics.estimate import Estimate, mean
from unlearned.metrics.probability import normalised_probability, probability
from unlearned.metrics.truth_ratio import log_truth_ratio

LEAKED = 0.5
"""An answer that gives away so much of the true one counts as a leak."""

METRICS = {
    "model_utility": "tofu/model_utility: harmonic mean of nine",
    "forget_quality": "tofu/forget_quality: two-sample Kolmogorov-Smirnov of raw R, exact",
    "agreement_spearman": "paired with the retained model, of log R",
    "over_forgotten": "past the retained model's log R by more than the start model was away on the other side",
    "probability": "exp(-mean loss); of real authors and world facts relative to the wrong answers",
    "truth_ratio": "tofu/R: geometric mean over wrong answers",
    "rouge": "rouge_score rougeL recall, stemmed, of the greedy answer",
    "leak": "share of the true answer's words, without common ones and the question's, in the greedy answer",
    "facts": "share of the true answer's names, dates and codes, without the question's, in the greedy answer; of "
    "answers that have some",
    "leak_rate": f"share of answers with a leak of at least {LEAKED}",
    "degenerate": "share of answers that are empty or repeat themselves",
}


@dataclass(frozen=True, slots=True)
class EvaluatedModel:
    """One model that was evaluated."""

    name: str
    """Its log is `logs/<name>.json`."""

    unlearner: str | None
    """None for the start and the retained model."""

    seed: int | None
    evaluation: Evaluation
    seconds: Mapping[str, float]


def model_json(model: EvaluatedModel, start: Evaluation, retained: Evaluation) -> dict[str, Any]:
    """Everything that is reported of one model.

    Args:
        model: which one.
        start: the start model on the same questions.
        retained: the retained model on the same questions.
    """
    own = model.evaluation
    log, retained_log = as_log(own), as_log(retained)
    logs = [_log_ratios(one) for one in (as_log(start), log, retained_log)]
    over = over_forgotten(*logs) if model.unlearner else np.zeros(len(logs[0]), dtype=bool)
    return {
        "name": model.name,
        "unlearner": model.unlearner,
        "seed": model.seed,
        "scores": score_log(log, retained_log, ScoreConfig(ds_size=None)).as_json(),
        "over_forgotten": int(over.sum()),
        "generations": {name: _generations(own[name]) for name in ("forget", PARAPHRASED) if own[name]},
        "paired": _paired(own[PAIRED]),
        "flagged": {name: [sum(item.flagged for item in items), len(items)] for name, items in own.items()},
        "unchanged": _unchanged(own),
        "seconds": dict(model.seconds),
        "items": _items(own, log, over),
    }


def summary(models: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line per model, the seeds of an unlearner averaged."""
    names = dict.fromkeys(model["unlearner"] or model["name"] for model in models)
    lines = []
    for name in names:
        own = [model for model in models if (model["unlearner"] or model["name"]) == name]
        forget = [model["generations"]["forget"] for model in own]
        lines.append(
            {
                "name": name,
                "seeds": len(own),
                "model_utility": _average([model["scores"]["model_utility"] for model in own]),
                "forget_quality": _average([model["scores"]["forget_quality"] for model in own]),
                "spearman": _average([model["scores"]["agreement_spearman"] for model in own]),
                "over_forgotten": _average([model["over_forgotten"] for model in own]),
                "forget_rouge": _average([one["rouge"]["value"] for one in forget]),
                "leak": _average([one["leak"]["value"] for one in forget]),
                "leak_rate": _average([one["leak_rate"]["value"] for one in forget]),
                "facts": _average([one["facts"] and one["facts"]["value"] for one in forget]),
                "retain_half_rouge": _average([model["paired"]["retain_rouge"]["value"] for model in own]),
                "differing": sum(model["unchanged"]["differing"] for model in own),
            }
        )
    return lines


def _generations(items: Sequence[Item]) -> dict[str, Any]:
    leaks = np.array([item.leak for item in items])
    facts = [item.facts for item in items if item.facts is not None]
    return {
        "rouge": _estimate(mean([item.rouge[0] for item in items])),
        "facts": _estimate(mean(facts)) if facts else None,
        "leak": _estimate(mean(leaks)),
        "leak_rate": _estimate(mean(leaks >= LEAKED)),
        "degenerate": _estimate(mean([item.degenerate for item in items])),
        "unique": _estimate(mean([item.unique for item in items])),
    }


def _paired(items: Sequence[Item]) -> dict[str, Any]:
    return {
        "forget_rouge": _estimate(mean([item.rouge[0] for item in items])),
        "retain_rouge": _estimate(mean([item.rouge[1] for item in items])),
        "leak": _estimate(mean([item.leak for item in items])),
    }


def _unchanged(evaluation: Evaluation) -> dict[str, int]:
    """Prompts that reach the model as they are; of these, how many were computed anew, and how many then differ."""
    items = [item for items in evaluation.values() for item in items]
    again = [item for item in items if item.identical is not None]
    return {
        "prompts": sum(not item.computed for item in items) + len(again),
        "computed_again": len(again),
        "differing": sum(item.identical is False for item in again),
    }


def _items(evaluation: Evaluation, log: TofuLog, over: Any) -> dict[str, list[dict[str, Any]]]:
    """Per-item scores by set; texts are in the log and in `steps`."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, items in evaluation.items():
        rows[name] = [
            {
                "id": item.id,
                "flagged": item.flagged,
                "score": item.score,
                "rouge": list(item.rouge),
                "leak": item.leak,
                "facts": item.facts,
                "unique": item.unique,
                "degenerate": item.degenerate,
                "computed": item.computed,
            }
            for item in items
        ]
        if name not in SETS:
            continue
        own = getattr(log, name)
        likely = (
            normalised_probability(own.answer_losses, own.wrong_losses)
            if name in NORMALISED
            else probability(own.answer_losses)
        )
        ratios = log_truth_ratio(own.paraphrased_losses, own.wrong_losses)
        for number, row in enumerate(rows[name]):
            row |= {"probability": float(likely[number]), "log_truth_ratio": float(ratios[number])}
            if name == "forget":
                row["over_forgotten"] = bool(over[number])
    return rows


def _log_ratios(log: TofuLog) -> Any:
    return log_truth_ratio(log.forget.paraphrased_losses, log.forget.wrong_losses)


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return asdict(estimate)


def _average(values: Sequence[float | None]) -> float | None:
    """None where a value does not exist."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) and known else None
