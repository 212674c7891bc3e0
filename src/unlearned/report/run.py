"""What a report is made of: one run of `unlearned bench tofu` as values. `read.py` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from unlearned.metrics.estimate import Estimate

SETS = {
    "forget": "forget",
    "paraphrased": "reworded forget",
    "paired": "pairs of forget and retain",
    "retain": "retain",
    "real_authors": "real authors",
    "world_facts": "world facts",
}
"""Set -> what it is called; in the order of the tables."""

FITTED_ON = ("forget", "retain")
"""Sets whose questions the detector was fitted with."""

HARMLESS = ("retain", "real_authors", "world_facts")
"""Sets of which nothing should be flagged."""

AUTHORS = {"forget01": 2, "forget05": 10, "forget10": 20}
"""Split -> authors that are forgotten, of 200."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemScore:
    """What `results.json` has of one question and model."""

    id: str
    flagged: bool
    score: float
    leak: float
    computed: bool
    log_ratio: float | None
    """log R, where the set has a truth ratio."""

    over_forgotten: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedAnswer:
    """The texts of one question and model."""

    id: str
    question: str
    truths: tuple[str, ...]
    generated: str
    leak: float
    flagged: bool
    prompt: str
    """With the template around the question."""

    corrupted: tuple[tuple[int, int], ...] | None
    """Characters of `prompt`; None where an older version did not record them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """One model of a run: start, retained, or an unlearner with one seed."""

    name: str
    unlearner: str | None
    seed: int | None
    values: Mapping[str, Estimate]
    """Measure -> its value with the error and interval over questions; a measure that does not exist is left out.
    The names are those of `scores`, `forget_leak`, `paraphrased_leak_rate`, `paired_retain_rouge`, ..."""

    log10_quality: float | None
    """log10 of the forget quality; None where p is below the smallest double, or there is no test."""

    wilcoxon: float | None
    """p of the paired test that log R is not shifted against the retained model."""

    flagged: Mapping[str, tuple[int, int]]
    """Set -> (flagged, questions)."""

    unchanged: Mapping[str, int]
    """prompts, computed_again, differing."""

    seconds: Mapping[str, float]
    items: Mapping[str, tuple[ItemScore, ...]]

    @property
    def label(self) -> str:
        return self.unlearner or self.name


@dataclass(frozen=True, slots=True)
class Verified:
    """What was computed anew, and what of it came out."""

    numbers: int
    """Numbers of the results that were computed again from the run's items."""

    differing: int
    held: int
    """Items of the sample that came out as recorded."""

    sample: int
    """Items that were computed anew with the models."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedRun:
    """One run."""

    name: str
    """Name of its folder."""

    folder: Path
    model: str
    split: str
    authors: int | None
    forget_authors: int
    limit: int | None
    ds_size: int | None
    seeds: tuple[int, ...]
    trained: bool
    """False: the adapters of start and retained model were given."""

    at: str
    """Day of the run, in UTC; empty where that was not recorded."""

    machine: str
    device: str
    dtype: str
    versions: Mapping[str, str]
    rows: Mapping[str, int]
    """Set -> questions."""

    metrics: Mapping[str, str]
    """Measure -> its definition."""

    seconds: Mapping[str, float]
    speed: Mapping[str, float] | None
    verified: Verified | None
    """What the last `bench verify` of these very results did."""

    models: tuple[Model, ...]

    @property
    def start(self) -> Model:
        return self._named("start")

    @property
    def retained(self) -> Model:
        return self._named("retained")

    @property
    def unlearned(self) -> tuple[Model, ...]:
        return tuple(model for model in self.models if model.unlearner is not None)

    def _named(self, name: str) -> Model:
        return next(model for model in self.models if model.name == name)
