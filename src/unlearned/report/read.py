"""From a folder of `unlearned bench tofu` to values. Only this file of the report knows the folder's JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearned.errors import DataError
from unlearned.metrics.estimate import Estimate
from unlearned.models import EMBEDDED, EMBEDDED_ID
from unlearned.report.run import AUTHORS, HARMLESS, SETS, ItemScore, Model, ReportedAnswer, ReportedRun, Verified

if TYPE_CHECKING:
    from unlearned.artifact.schema import ScopeRecord

FORMAT = 1
"""Format of `results.json` that this report reads."""

_FORGET = ("rouge", "leak", "leak_rate", "facts", "degenerate")
_PAIRS = ("forget_rouge", "retain_rouge", "leak")


def read_run(folder: Path) -> ReportedRun:
    """Read `results.json`.

    Raises:
        DataError: there is none, it is of another format or benchmark, or something is missing in it.
    """
    file = folder / "results.json"
    if not file.is_file():
        raise DataError(f"{folder} holds no results.json: no finished run. Let `unlearned bench tofu` run to its end.")
    data = _json(file)
    if not isinstance(data, dict) or data.get("format") != FORMAT or data.get("benchmark") != "tofu":
        found = f"{data.get('benchmark')!r}, format {data.get('format')!r}" if isinstance(data, dict) else "no object"
        raise DataError(f"{file} is of {found}; the report reads 'tofu', format {FORMAT}. Run the benchmark again.")
    with _reading(file):
        return _run(folder, data)


def read_answers(run: ReportedRun) -> dict[str, dict[str, tuple[ReportedAnswer, ...]]]:
    """Texts of every model: model -> set -> answers, in the order of the model's items.

    Raises:
        DataError: a step is missing or is not the one that `results.json` was made from.
    """
    found = {}
    for model in run.models:
        file = run.folder / "steps" / f"{model.name}.json"
        if not file.is_file():
            raise DataError(f"{file} is missing: the answers of {model.name}. Copy the whole folder of the run.")
        data = _json(file)
        with _reading(file):
            own = {name: tuple(_answer(item) for item in items) for name, items in data["items"].items()}
        recorded = {name: [(item.id, item.leak) for item in items] for name, items in model.items.items()}
        if {name: [(item.id, item.leak) for item in items] for name, items in own.items()} != recorded:
            raise DataError(
                f"{file} does not fit results.json: the run was started again and has not ended. "
                "Let `unlearned bench tofu` run to its end."
            )
        found[model.name] = own
    return found


def read_scope(run: ReportedRun, seed: int, name: str) -> ScopeRecord | None:
    """What was fitted with a seed: `detector`, or an unlearner; None where it is not in the folder.

    Raises:
        ArtifactError: it is there and cannot be used.
    """
    from unlearned.artifact import read_record

    folder = run.folder / "artifacts" / f"seed{seed}" / name
    return read_record(folder).scopes[0] if (folder / "unlearner.json").is_file() else None


def _run(folder: Path, data: Mapping[str, Any]) -> ReportedRun:
    config = data["config"]
    split = config["split"]
    models = tuple(_model(model) for model in data["models"])
    if missing := {"start", "retained"} - {model.name for model in models}:
        raise KeyError(f"model {min(missing)}")
    return ReportedRun(
        name=folder.resolve().name,
        folder=folder,
        model=_model_name(config["model"]["model"]),
        split=split["split"],
        authors=split["authors"],
        forget_authors=split["forget_authors"] or AUTHORS[split["split"]],
        limit=split["limit"],
        ds_size=config["evaluation"]["ds_size"],
        seeds=tuple(data["seeds"]),
        trained=config["adapters"] is None,
        at=data.get("at", ""),
        machine=data["machine"],
        device=data["device"],
        dtype=data["dtype"],
        versions=dict(data["versions"]),
        rows={name: data["data"]["rows"].get(name, 0) for name in SETS},
        metrics=dict(data["metrics"]),
        seconds=dict(data["seconds"]),
        speed=None if data["speed"] is None else dict(data["speed"]),
        verified=_verified(folder),
        models=models,
    )


def _verified(folder: Path) -> Verified | None:
    file = folder / "verified.json"
    if not file.is_file():
        return None
    data = _json(file)
    with _reading(file):
        current = hashlib.sha256((folder / "results.json").read_bytes()).hexdigest()
        if data["results_sha256"] != current or "numbers" not in data:
            return None
        return Verified(data["numbers"], len(data["differences"]), data["held"], data["sample"])


def _model(data: Mapping[str, Any]) -> Model:
    scores = data["scores"]
    items = {name: tuple(_item(item) for item in rows) for name, rows in data["items"].items()}
    count = len(items["forget"])
    values = {
        name: Estimate(scores[name], error, _count(name, scores["counts"]), _pair(scores["intervals"][name]))
        for name, error in scores["standard_errors"].items()
        if scores[name] is not None
    }
    if scores["forget_quality"] is not None:
        for name in ("forget_quality", "ks_statistic"):
            values[name] = Estimate(scores[name], None, count, None)
    for part, own in data["generations"].items():
        known = [name for name in _FORGET if own.get(name) is not None]  # older runs have no facts
        values |= {f"{part}_{name}": _estimate(own[name]) for name in known if f"{part}_{name}" not in values}
    values |= {f"paired_{name}": _estimate(data["paired"][name]) for name in _PAIRS}
    if data["unlearner"] is not None:
        values["over_forgotten"] = Estimate(data["over_forgotten"] / count, None, count, None)
    return Model(
        name=data["name"],
        unlearner=data["unlearner"],
        seed=data["seed"],
        values=values,
        log10_quality=scores["log10_forget_quality"],
        wilcoxon=scores["agreement_wilcoxon_p"],
        flagged={name: (flagged, of) for name, (flagged, of) in data["flagged"].items()},
        unchanged=dict(data["unchanged"]),
        seconds=dict(data["seconds"]),
        items=items,
    )


def _item(data: Mapping[str, Any]) -> ItemScore:
    return ItemScore(
        id=data["id"],
        flagged=data["flagged"],
        score=data["score"],
        leak=data["leak"],
        computed=data["computed"],
        log_ratio=data.get("log_truth_ratio"),
        over_forgotten=data.get("over_forgotten", False),
    )


def _answer(data: Mapping[str, Any]) -> ReportedAnswer:
    spans = data.get("corrupted")
    return ReportedAnswer(
        id=data["id"],
        question=data["question"],
        truths=tuple(data["truths"]),
        generated=data["generated"],
        leak=data["leak"],
        flagged=data["flagged"],
        prompt=data["prompt"],
        corrupted=None if spans is None else tuple((start, end) for start, end in spans),
    )


def _estimate(data: Mapping[str, Any]) -> Estimate:
    return Estimate(data["value"], data["standard_error"], data["count"], _pair(data["interval"]))


def _pair(interval: Any) -> tuple[float, float] | None:
    return None if interval is None else (interval[0], interval[1])


def _count(name: str, counts: Mapping[str, int]) -> int:
    if name == "model_utility":
        return sum(counts[one] for one in HARMLESS)
    return next((counts[one] for one in HARMLESS if name.startswith(one)), counts["forget"])


def _model_name(given: str) -> str:
    """A hub id as it is; of a path only the last part, which others can make sense of."""
    if given == EMBEDDED:
        return EMBEDDED_ID
    return Path(given).name if given.startswith(("/", "~", ".")) or "\\" in given else given


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot read {file}: {error}. Run `unlearned bench tofu` again.") from error


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise DataError(
            f"{file} is not what this version writes ({type(error).__name__}: {error}). Run the benchmark again."
        ) from error
