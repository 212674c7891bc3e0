"""Run the rows of the benchmark, each once: finished rows are kept and not measured again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unlearned.benchmarks.classifier import attacks, exams, latency, meanings, scopes
from unlearned.benchmarks.classifier.bench import Bench
from unlearned.benchmarks.classifier.config import BenchmarkConfig
from unlearned.benchmarks.classifier.plot import curves_plot
from unlearned.benchmarks.classifier.results import Row, report
from unlearned.benchmarks.classifier.sets import Data
from unlearned.benchmarks.step_cache import as_text, finished, keep
from unlearned.benchmarks.versions import versions
from unlearned.errors import DataError, MissingExtraError
from unlearned.files import write_text
from unlearned.progress import Progress

ROWS: dict[str, Callable[[Bench], Row]] = {
    "paraphrases": scopes.paraphrases,
    "halves": scopes.halves,
    "follow-ups": meanings.follow_ups,
    "homonyms": meanings.namesakes,
    "translations": meanings.in_other_languages,
    "typos": attacks.typos,
    "disguises": attacks.disguises,
    "frames": attacks.frames,
    "mixed": attacks.mixed,
    "hidden": attacks.in_long_texts,
    "latency": latency.latency,
    "elsewhere": scopes.elsewhere,
    "mmlu": exams.subsets,
}
VERSION = 1
"""Of the rows; see `unlearned.benchmarks.versions`."""


def measure_classifiers(
    data: Data, out: Path, config: BenchmarkConfig, *, on_progress: Progress | None = None
) -> list[Row]:
    """Measure, and write `results.json`, `results.md` and `curves.svg` into the folder `out`.

    Args:
        data: TOFU, MMLU and SST-2.
        out: made if it is not there. `out/rows` keeps finished rows; one is measured again if settings, data or
            a version have changed.
        config: what is measured.
        on_progress: called with (phase, done, total).

    Raises:
        DataError: a data set is missing, or `out` cannot be written.
    """
    report = on_progress or (lambda phase, done, total: None)
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
            file = kept / f"{kind}.{name}.json"
            kept_row = finished(file, settings)
            row = None if kept_row is None else Row.from_json(kept_row)
            if row is None:
                start = time.perf_counter()
                row = ROWS[name](bench)
                seconds = round(time.perf_counter() - start, 1)
                keep(file, settings, {"seconds": seconds, **row.as_json()})
            rows.append(row)
            _write(out, common, rows)
    return rows


def _write(out: Path, common: dict[str, Any], rows: Sequence[Row]) -> None:
    """Everything so far: an interrupted run leaves what it has."""
    versions = {name: version(name) for name in ("torch", "transformers", "sentence-transformers", "numpy")}
    joint = Row(*([item for row in rows for item in getattr(row, kind)] for kind in ("measures", "ratios", "curves")))
    at = datetime.now(timezone.utc).date().isoformat()
    found = {"at": at, "settings": common, "versions": versions, **joint.as_json()}
    write_text(out / "results.json", as_text(found))
    write_text(out / "results.md", report(rows, common, versions, at))
    if joint.curves:
        try:
            write_text(out / "curves.svg", curves_plot(joint.curves))
        except MissingExtraError:
            (out / "curves.svg").unlink(missing_ok=True)  # the points are in results.json
