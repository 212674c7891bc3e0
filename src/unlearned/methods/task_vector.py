"""Learn the forget set even better, and subtract what was learned.

Source: Ilharco et al. 2023, arXiv:2212.04089; as a baseline of unlearning in MUSE, arXiv:2407.06460.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from unlearned.methods.base import Method, Recipe, positive
from unlearned.methods.data import Stream
from unlearned.methods.step import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskVector(Method):
    """MUSE tries scales 1, 2, 4, 8, 16 and takes the smallest that forgets as much as a retrained model."""

    summary: ClassVar[str] = "fine-tuning on the forget set, negated"
    paper: ClassVar[str] = "task arithmetic, arXiv:2212.04089"
    formula: ClassVar[str] = "start - s (tuned - start); tuned: CE(F)"
    recipe: ClassVar[Recipe] = Recipe(epochs=10, schedule="cosine", warmup=0.0)

    scale: float = 1.0
    """s."""

    def __post_init__(self) -> None:
        positive(self, "scale")

    @property
    def sees(self) -> tuple[Stream, ...]:
        return ("forget",)

    @property
    def negation(self) -> float | None:
        return self.scale

    def terms(self, step: Step) -> dict[str, Tensor]:
        return {"forget": step.ce("forget")}
