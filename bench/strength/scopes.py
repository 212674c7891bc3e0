"""The forget scopes of this benchmark, which the embedded model knows something of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import base_model_record
from unlearned.demo.concepts import CONCEPTS, Concept
from unlearned.engines.transformers import TransformersEngine
from unlearned.examples import Row, as_rows
from unlearned.learn.config import FitConfig, StrengthConfig
from unlearned.learn.fit import fit_detector
from unlearned.learn.strength_problem import StrengthProblem, prepare_problem
from unlearned.unlearners.eco import ForgetScope

SOLAR_SYSTEM = "solar-system"
NAMES = (*CONCEPTS, SOLAR_SYSTEM)
DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True, eq=False)
class BenchScope:
    """A scope with its detector; the strength is what is measured."""

    name: str
    forget: Sequence[Row]
    retain: Sequence[Row]
    detector: Artifact

    @property
    def scope(self) -> ForgetScope:
        return self.detector.scopes[0]

    def problem(self, engine: TransformersEngine, config: StrengthConfig) -> StrengthProblem:
        """What the strength is learned on, under this config."""
        return prepare_problem(
            engine, base_model_record(engine), self.scope, self.forget, self.retain, config, lambda *_: None
        )


def bench_scope(name: str) -> BenchScope:
    """One of `NAMES`, fitted with seed 0."""
    if name == SOLAR_SYSTEM:
        forget, retain = _read(f"{name}.forget"), _read(f"{name}.retain")
    else:
        forget, retain = Concept(name).forget, Concept(name).retain
    return BenchScope(name, forget, retain, fit_detector(forget, retain, scope=name, config=FitConfig(seed=0)))


def _read(name: str) -> list[Row]:
    text = (DATA / f"{name}.jsonl").read_text(encoding="utf-8")
    return as_rows([json.loads(line) for line in text.splitlines() if line], name=name)
