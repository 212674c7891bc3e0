"""The run behind `unlearned bench probes`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.record import RECORD
from unlearned.benchmarks.asking import Asking, Rows
from unlearned.benchmarks.benchmark import RETAINED, Benchmark, Models, Other, Start, Work, sha256_of
from unlearned.benchmarks.probes.ask import ask
from unlearned.benchmarks.probes.config import ProbesConfig
from unlearned.benchmarks.probes.data import Question, load_questions
from unlearned.benchmarks.probes.spec import RELEARNING, SPEC
from unlearned.benchmarks.results import ModelResults
from unlearned.benchmarks.runner import runs
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.systems import Corrupted, System
from unlearned.models import load_model


@dataclass(frozen=True, slots=True)
class ProbesData:
    """Everything that one run needs."""

    questions: Sequence[Question]
    sha256: str
    artifacts: Mapping[str, Artifact]
    """Name of a folder -> what lies in it."""


class Probes(Benchmark[ProbesData]):
    """Start model, retained model and given artifacts are looked into, and asked to repeat and to relearn."""

    spec = SPEC
    shards = False  # a probe learns from the other questions

    def __init__(self, config: ProbesConfig) -> None:
        self.config = config

    def packages(self) -> Sequence[tuple[str, str, str]]:
        return (("sklearn", "logistic", "A linear probe"), ("rouge_score", "metrics", "The repeat test"))

    def load(self) -> ProbesData:
        config = self.config
        questions, sha256 = load_questions(config.data, split=config.split, where=config.where, limit=config.limit)
        return ProbesData(questions, sha256, {path.name: Artifact.from_pretrained(path) for path in config.artifacts})

    def sha256(self, data: ProbesData) -> Mapping[str, str]:
        return {self.config.data: data.sha256}

    def rows(self, data: ProbesData) -> Mapping[str, Sequence[Question]]:
        return {"questions": data.questions}

    def models(self, data: ProbesData, work: Work) -> Models:
        adapter, start = self.config.retained_adapter, partial(load_model, self.config.model)
        if adapter is None:
            return Models(start=start)
        retained = partial(load_model, replace(self.config.model, adapter=adapter))
        return Models(start=start, retained=retained, sha256={RETAINED: sha256_of(_adapter_files(adapter))})

    def decides(self, data: ProbesData) -> Mapping[str, Any]:
        return {"ask": asdict(self.config.ask)}

    def ask(self, system: System, rows: Rows, asking: Asking[ProbesData]) -> Sequence[Item]:
        return ask(system, [question for _, question in rows["questions"]], self.config.ask, asking.report)

    def others(self, data: ProbesData, start: Start) -> Sequence[Other]:
        def corrupted(name: str) -> System:
            return Corrupted(name, Unlearned(start.model, start.tokenizer, data.artifacts[name]))

        hashes = {path.name: hashlib.sha256((path / RECORD).read_bytes()).hexdigest() for path in self.config.artifacts}
        return [
            Other(name=name, make=partial(corrupted, name), settings={"artifact": sha256})
            for name, sha256 in hashes.items()
        ]

    def compared(self, models: Sequence[ModelResults]) -> Sequence[ModelResults]:
        start, *others = models
        return [start, *(replace(one, items=_compared(one.items, start.items)) for one in others)]

    def about(self, data: ProbesData) -> Mapping[str, Any]:
        return {"questions": len(data.questions)}


run_probes = runs(Probes)


def _compared(items: Sequence[Item], start: Sequence[Item]) -> tuple[Item, ...]:
    """A model's items, with whether its answers without facts differ from the start model's."""
    before = {item["id"]: item["said_without"] for item in start if item["set"] == RELEARNING}
    return tuple(
        {**item, "answer_changed": float(item["said_without"] != before[item["id"]])}
        if item["set"] == RELEARNING
        else item
        for item in items
    )


def _adapter_files(adapter: str) -> list[str]:
    folder = Path(adapter)
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    return [adapter, *(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)]
