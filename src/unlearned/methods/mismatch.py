"""Forget prompts with answers of other prompts: random mapping, random disassociation.

Source: the baseline "mismatch" of ECO's code (arXiv:2406.07933), after LLMU's random mismatch (arXiv:2310.10683). It
trains in batches of 8 and on a cosine with a warm-up of 0.1; here these are TOFU's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from unlearned.methods.base import Method, Recipe
from unlearned.methods.data import Stream
from unlearned.methods.step import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class Mismatch(Method):
    """RD: learn wrong answers to forget prompts, and the retain set."""

    summary: ClassVar[str] = "fine-tuning on forget prompts with answers of retain items"
    paper: ClassVar[str] = "ECO's baseline, arXiv:2406.07933"
    formula: ClassVar[str] = "CE(R) + CE(X), X: forget prompt, answer of a retain item"
    recipe: ClassVar[Recipe] = Recipe(learning_rate=2e-5)

    @property
    def sees(self) -> tuple[Stream, ...]:
        return ("retain", "mismatched")

    def terms(self, step: Step) -> dict[str, Tensor]:
        return {"mismatch": step.ce("mismatched"), "retain": step.ce("retain")}
