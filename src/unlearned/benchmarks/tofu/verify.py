"""Do the numbers of a run hold? All are computed anew from its items, and some items from data, adapters, artifacts."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from unlearned.benchmarks.models import Load, adapter_sha256, with_adapter
from unlearned.benchmarks.step_cache import as_text
from unlearned.benchmarks.systems import Plain, System, make_system, own_model
from unlearned.benchmarks.tofu.config import TofuRunConfig
from unlearned.benchmarks.tofu.data import TofuData, load_tofu
from unlearned.benchmarks.tofu.evaluate import evaluate_set
from unlearned.benchmarks.tofu.items import Item
from unlearned.benchmarks.tofu.prepared import ask
from unlearned.benchmarks.tofu.questions import questions
from unlearned.benchmarks.tofu.recompute import Recomputed, recompute
from unlearned.benchmarks.tofu.run import (
    FORMAT,
    RESULTS,
    RETAINED,
    SECOND,
    STEPS,
    UNDER_STRANGERS,
    artifacts_of,
    materials_of,
    under_strangers,
)
from unlearned.benchmarks.tofu.scoring import Scorer
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, DataError
from unlearned.files import write_text
from unlearned.models import load_model
from unlearned.progress import Progress

VERIFIED = "verified.json"

TOLERANCE = 0.02
"""Difference allowed for a mean loss (nats), a ROUGE recall or a leak. One machine always gives the same bits; others
round otherwise."""


@dataclass(frozen=True, slots=True)
class RecomputedItem:
    """One item that was computed anew."""

    model: str
    set: str
    id: str
    recorded: dict[str, Any]
    found: dict[str, Any]
    largest_difference: float
    holds: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found."""

    recomputed: Recomputed
    """All numbers, from the items."""

    checks: tuple[RecomputedItem, ...]
    """Items, from the models."""

    @property
    def holds(self) -> bool:
        return not self.recomputed.differences and all(check.holds for check in self.checks)


def verify(
    out: Path,
    *,
    sample: int = 8,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    on_progress: Progress | None = None,
) -> Verification:
    """Compute a seeded sample of a run's items anew, and keep in `verified.json` how many held, for the report.

    Before that, every number is computed anew from the items; what came out is kept, too.

    Args:
        out: folder of the run.
        sample: items, over all its models and sets; 0 = none, and no model is loaded.
        seed: of the sample.
        tolerance: largest difference of a number.
        on_progress: called with (phase, done, total).

    Raises:
        DataError: the run cannot be read; data, adapters or the per-item scores are not those it was made with.
    """
    if sample < 0 or not tolerance >= 0:
        raise ConfigError("sample and tolerance must be at least 0.")
    report = on_progress or (lambda phase, done, total: None)
    results = _read(out / RESULTS)
    if results.get("format") != FORMAT or results.get("benchmark") != "tofu":
        raise DataError(f"{out / RESULTS} is not of a TOFU run in format {FORMAT}.")
    again = recompute(out, results)
    checks = _sampled(out, results, sample, seed, tolerance, report) if sample else []
    record = {
        "results_sha256": hashlib.sha256((out / RESULTS).read_bytes()).hexdigest(),
        "numbers": again.numbers,
        "differences": list(again.differences),
        "sample": len(checks),
        "held": sum(check.holds for check in checks),
        "seed": seed,
        "tolerance": tolerance,
    }
    write_text(out / VERIFIED, as_text(record))
    return Verification(again, tuple(checks))


def _sampled(
    out: Path, results: Mapping[str, Any], sample: int, seed: int, tolerance: float, report: Progress
) -> list[RecomputedItem]:
    """Items that are computed anew with the models."""
    config = TofuRunConfig.from_json(results["config"])
    data = load_tofu(config.data, config.split)
    if data.sha256 != results["data"]["sha256"]:
        raise DataError("The data is not that of the run: its hash differs. Give the same files.")
    adapters = [Path(adapter["folder"]) for adapter in results["adapters"]]
    for adapter, recorded in zip(adapters, results["adapters"], strict=True):
        if adapter_sha256(adapter) != recorded["sha256"]:
            raise DataError(f"The adapter {adapter} is not that of the run: its hash differs.")
    asked = questions(data, config.evaluation)
    places = [
        (model["name"], name, index)
        for model in results["models"]
        for name, items in model["items"].items()
        for index, item in enumerate(items)
        if item["computed"]
    ]
    drawn: dict[tuple[str, str], set[int]] = {}
    for model, name, index in random.Random(seed).sample(places, min(sample, len(places))):
        drawn.setdefault((model, name), set()).add(index)
    load: Load = partial(load_model, config.model)
    made: dict[str, System] = {}
    checks = []
    for number, ((model, name), indices) in enumerate(sorted(drawn.items())):
        report("verify", number, len(drawn))
        if model not in made:
            entry = next(one for one in results["models"] if one["name"] == model)
            made = {model: _made(entry, config, data, out, load, adapters)}  # one at a time: models are large
        system = made[model]
        recorded = [Item.from_json(item) for item in _read(out / STEPS / f"{model}.json")["items"][name]]
        entry_items = next(one for one in results["models"] if one["name"] == model)["items"][name]
        rows = asked[name]
        prepared = ask(system, [row.text for row in rows])
        scorer = Scorer(system.engine)
        found = evaluate_set(prepared, rows, scorer, config.evaluation, needed=indices, reference=recorded)
        checks += [_check(model, name, recorded[i], entry_items[i], found[i], tolerance) for i in sorted(indices)]
    report("verify", len(drawn), len(drawn))
    return checks


def _made(
    entry: Mapping[str, Any], config: TofuRunConfig, data: TofuData, out: Path, load: Load, adapters: list[Path]
) -> System:
    start = partial(with_adapter, load, adapters[0])
    if (name := entry["name"]) in (RETAINED, SECOND):
        place = adapters[1] if name == RETAINED else adapters[2]
        return own_model(name, partial(with_adapter, load, place))
    if name == UNDER_STRANGERS:
        return under_strangers(out, partial(with_adapter, load, adapters[1]))
    model = start()
    if entry["unlearner"] is None:
        return Plain(entry["name"], TransformersEngine(*model), own_weights=True)
    name, seed = entry["unlearner"], int(entry["seed"])
    materials = materials_of(config, data, model, start, name)
    return make_system(name, seed, artifacts_of(out, name, seed), materials, lambda phase, done, total: None)


def _check(
    model: str, name: str, recorded: Item, entry: Mapping[str, Any], found: Item, tolerance: float
) -> RecomputedItem:
    """Against the step's item, and against what `results.json` says of it."""
    before, after = _numbers(recorded), _numbers(found)
    differences = [abs(before[key] - after[key]) for key in before if key in after]
    written = {"rouge": list(recorded.rouge), "leak": recorded.leak, "flagged": recorded.flagged}
    same_entry = all(entry[key] == value for key, value in written.items()) and entry["id"] == recorded.id
    holds = before.keys() == after.keys() and max(differences) <= tolerance and recorded.flagged == found.flagged
    return RecomputedItem(model, name, recorded.id, before, after, max(differences), holds and same_entry)


def _numbers(item: Item) -> dict[str, float]:
    return {
        **{f"loss {number}": loss for number, loss in enumerate(item.losses)},
        **{f"rouge {number}": value for number, value in enumerate(item.rouge)},
        "leak": item.leak,
        "score": item.score,
    }


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot read {path}: {error}. Is this the folder of a finished run?") from error
