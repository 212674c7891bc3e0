"""What a benchmark says of itself: data, models, what a system is asked, what unlearners are fitted with.

How the items that come of it become values, its `Spec` says. `runner.run` does everything else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from unlearned.benchmarks.asking import Asking, Rows
from unlearned.benchmarks.models import Load, adapter_sha256, with_adapter
from unlearned.benchmarks.results import ModelResults
from unlearned.benchmarks.spec import Item, Spec
from unlearned.benchmarks.systems import FitInputs, System
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError
from unlearned.progress import Progress, Tell

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

START, RETAINED = "start", "retained"

Data = TypeVar("Data")


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """Where trainings are kept, and who is told about them."""

    cache: Path | None = None
    """None = beside the embedded model."""

    report: Progress
    tell: Tell


@dataclass(frozen=True, kw_only=True, slots=True)
class Models:
    """The models that unlearning begins with and is compared with."""

    start: Load
    """Gives a fresh start model, whose weights may be changed."""

    retained: Load | None = None
    """Gives a model that never saw what is to be forgotten."""

    sha256: Mapping[str, str] = field(default_factory=dict)
    """`START`, `RETAINED` -> hash of what it is made of, where the start model's weights do not tell it."""


def with_adapters(base: Load, start: Path, retained: Path) -> Models:
    """Both are the base model with an adapter of its own."""
    return Models(
        start=partial(with_adapter, base, start),
        retained=partial(with_adapter, base, retained),
        sha256={START: adapter_sha256(start), RETAINED: adapter_sha256(retained)},
    )


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """The start model, which everything that acts on prompts shares."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    engine: TransformersEngine
    fresh: Load
    """Gives another one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Other:
    """A system that is given, and not fitted here."""

    name: str
    make: Callable[[], System]
    settings: Mapping[str, Any]
    """What decides its items, as JSON has it."""


class Benchmark(Protocol[Data]):
    """One benchmark with its settings: all that its folder gives. Subclasses are made with a configuration."""

    spec: Spec
    """Its name, version, measures, and how items become values."""

    config: Any
    """A dataclass; it is written down with the results. What it names as `unlearners` is fitted with its `seeds`."""

    shards: bool = True
    """Whether a part of the rows can be asked alone."""

    def load(self) -> Data:
        """Read everything that a run needs; raises before anything takes long."""
        ...

    def sha256(self, data: Data) -> Mapping[str, str]:
        """File or set -> SHA-256 of what was read; here of what is asked."""
        return {name: sha256_of(rows) for name, rows in self.rows(data).items()}

    def rows(self, data: Data) -> Mapping[str, Sequence[Any]]:
        """Set -> what is asked, in an order that shards divide; each row's `repr` says all about it."""
        ...

    def models(self, data: Data, work: Work) -> Models:
        """Start and retained model; they are trained here if they have to be."""
        ...

    def ask(self, system: System, rows: Rows, asking: Asking[Data]) -> Sequence[Item]:
        """A system's items."""
        ...

    def fit_inputs(self, data: Data, start: Start) -> FitInputs:
        """What the systems that `config.unlearners` names are made of."""
        raise ConfigError(f"{self.spec.title}: nothing is fitted here.")

    def others(self, data: Data, start: Start) -> Sequence[Other]:
        """Systems that are not fitted here."""
        return ()

    def decides(self, data: Data) -> Mapping[str, Any]:
        """What else decides the items of given rows, as JSON has it."""
        return {}

    def compared(self, models: Sequence[ModelResults]) -> Sequence[ModelResults]:
        """All models, with what only a comparison tells about their items."""
        return models

    def about(self, data: Data) -> Mapping[str, Any]:
        """What else the results say, as JSON has it."""
        return {}

    def packages(self) -> Sequence[tuple[str, str, str]]:
        """Optional packages: (module, extra, what needs it)."""
        return ()


def sha256_of(values: Any) -> str:
    """SHA-256 of values whose `repr` says all about them: renaming a class of rows changes it."""
    return hashlib.sha256(repr(values).encode()).hexdigest()
