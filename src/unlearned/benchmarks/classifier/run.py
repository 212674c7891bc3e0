"""Run the rows of the benchmark, each once: finished rows are kept and not measured again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unlearned.benchmarks.classifier import attacks, exams, latency, meanings, scopes
from unlearned.benchmarks.classifier.bench import Bench
from unlearned.benchmarks.classifier.config import BenchmarkConfig
from unlearned.benchmarks.classifier.results import DetectionResults, RowResult, write_found
from unlearned.benchmarks.classifier.sets import Data
from unlearned.benchmarks.step_cache import once
from unlearned.benchmarks.versions import versions
from unlearned.errors import DataError
from unlearned.progress import Progress, Tell

ROWS: dict[str, Callable[[Bench], RowResult]] = {
    "paraphrases": scopes.paraphrases,
    "halves": scopes.halves,
    "named-halves": partial(scopes.halves, row="named-halves", named=True),
    "follow-ups": meanings.follow_ups,
    "homonyms": meanings.namesakes,
    "translations": meanings.in_other_languages,
    "typos": attacks.typos,
    "garbled": attacks.garbled,
    "disguises": attacks.disguises,
    "frames": attacks.frames,
    "mixed": attacks.mixed,
    "hidden": attacks.in_long_texts,
    "latency": latency.latency,
    "elsewhere": scopes.elsewhere,
    "mmlu": exams.subsets,
}
VERSION = 1
"""Version of the rows; see `unlearned.benchmarks.versions`."""


def measure_classifiers(
    data: Data,
    out: Path,
    config: BenchmarkConfig,
    *,
    on_progress: Progress | None = None,
    tell: Tell | None = None,
    on_row: Callable[[], object] | None = None,
) -> list[RowResult]:
    """Measure, and write `results.json` into the folder `out`, anew after every row.

    Args:
        data: TOFU, MMLU and SST-2.
        out: made if it is not there. `out/rows` keeps finished rows; one is measured again if settings, data or
            a version have changed.
        config: what is measured.
        on_progress: called with (phase, done, total).
        tell: called with lines about why kept rows are not used.
        on_row: called whenever `results.json` has another row.

    Raises:
        DataError: a data set is missing, or `out` cannot be written.
    """
    report, tell = on_progress or (lambda phase, done, total: None), tell or (lambda line: None)
    kept = out / "rows"
    try:
        kept.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"Cannot make the folder {kept}: {error.strerror}.") from error
    common = {
        "version": VERSION,
        "stages": versions("detection", "fitting"),
        "data": data.sha256(),
        "encoder": config.encoder,
        "limit": config.limit,
        "seed": config.seed,
    }
    rows = []
    for kind in dict.fromkeys(config.classifiers):
        bench = Bench(
            data,
            kind=kind,
            encoder=config.encoder,
            seed=config.seed,
            limit=config.limit,
            checkpoints=out / "training",
            report=report,
        )
        for name in config.rows_of(kind):
            settings = {**common, "classifier": kind, "row": name}
            file, measure = kept / f"{kind}.{name}.json", partial(_measured, name, bench)
            rows.append(RowResult.from_json(once(file, settings, measure, tell, f"{name} of {kind} is measured anew")))
            _write(out, common, rows)
            if on_row is not None:
                on_row()
    return rows


def _measured(name: str, bench: Bench) -> dict[str, Any]:
    """One row, and the seconds that it took."""
    start = time.perf_counter()
    row = ROWS[name](bench)
    return {"seconds": round(time.perf_counter() - start, 1), **row.as_json()}


def _write(out: Path, common: dict[str, Any], rows: Sequence[RowResult]) -> None:
    """Everything so far: an interrupted run leaves what it has."""
    joint = RowResult(
        *([item for row in rows for item in getattr(row, kind)] for kind in ("measures", "ratios", "curves"))
    )
    found = DetectionResults(
        at=datetime.now(timezone.utc).date().isoformat(),
        settings=common,
        versions={name: version(name) for name in ("torch", "transformers", "sentence-transformers", "numpy")},
        row=joint,
    )
    write_found(out, found)
