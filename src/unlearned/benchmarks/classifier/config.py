"""What the benchmark of classifiers can be told. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from unlearned.embedded import MINILM
from unlearned.errors import ConfigError
from unlearned.learn.config import CLASSIFIERS
from unlearned.settings import DATA, DETECTION, check_bounds, setting

BESIDE = ("paraphrases", "halves", "elsewhere", "latency")
"""Rows of the classifiers that are put beside the default one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkConfig:
    """What is measured."""

    classifiers: tuple[str, ...] = setting(
        ("kernel",), f"Kinds, side by side: {','.join(CLASSIFIERS)}.", group=DETECTION
    )
    rows: tuple[str, ...] | None = setting(
        None,
        f"Only these rows, separated by commas; default: all of the classifier kernel, {', '.join(BESIDE)} of others.",
        group=DATA,
    )
    encoder: str = setting(
        MINILM,
        "Sentence encoder (of the kind encoder: what it is trained from): hub id or folder.",
        group=DETECTION,
    )
    limit: int | None = setting(
        None,
        "Most prompts of every set, to try it out; the numbers then only show that everything runs.",
        min=2,
        group=DATA,
    )
    seed: int = setting(0, "Of everything that is drawn.", group=DATA)

    def __post_init__(self) -> None:
        from unlearned.benchmarks.classifier.run import ROWS
        from unlearned.classify.base import classifiers

        for name in self.classifiers:
            classifiers.get(name)
        if unknown := [name for name in self.rows or () if name not in ROWS]:
            raise ConfigError(f"There is no row {unknown[0]!r}. The rows are: {', '.join(ROWS)}.")
        check_bounds(self)

    def rows_of(self, classifier: str) -> tuple[str, ...]:
        from unlearned.benchmarks.classifier.bench import DEFAULT
        from unlearned.benchmarks.classifier.run import ROWS

        if self.rows is not None:
            return self.rows
        return tuple(ROWS) if classifier == DEFAULT else BESIDE
