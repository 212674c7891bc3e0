"""The benchmarks whose results have the common form: what each of them measures, and by what name it is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from unlearned.metrics.estimate import Estimate
from unlearned.registry import Registry

Item = Mapping[str, Any]
"""JSON: `id`, `set`, `index` (its place in the set before it was split up), and the benchmark's scores."""

Values = Mapping[str, Mapping[str, Estimate]]
"""Set -> measure -> estimate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """One column of the tables."""

    title: str
    definition: str
    better: Literal["high", "low", "retained"] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """One benchmark."""

    name: str
    version: int
    """Raised by whoever changes what is asked or how it is scored; what was kept under another one is asked anew."""

    title: str
    measures: Mapping[str, Measure]
    aggregate: Callable[[Sequence[Item]], Values]
    """A model's items -> what they come to."""

    main: tuple[str, ...]
    """Sets of the main table; the others stand in a longer one."""

    limits: tuple[str, ...]
    """What the numbers do not show, in sentences."""


specs: Registry[Spec] = Registry("benchmark")
specs.register("sentiment", "unlearned.benchmarks.sentiment.scores:SPEC")
specs.register("harmful", "unlearned.benchmarks.harmful.scores:SPEC")
specs.register("news", "unlearned.benchmarks.copyright.spec:NEWS")
specs.register("book", "unlearned.benchmarks.copyright.spec:BOOK")
specs.register("eval", "unlearned.benchmarks.lm_eval:SPEC")
specs.register("mmlu", "unlearned.benchmarks.choices.spec:MMLU_SPEC")
specs.register("wmdp", "unlearned.benchmarks.choices.spec:WMDP_SPEC")
specs.register("probes", "unlearned.benchmarks.probes.spec:SPEC")
specs.register("muse", "unlearned.benchmarks.muse.spec:SPEC")
