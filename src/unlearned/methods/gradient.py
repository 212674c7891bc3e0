"""The gradient family: fine-tuning on what stays, gradient ascent, gradient difference, ascent with a KL term.

Source: TOFU (Maini et al. 2024), arXiv:2401.06121, section 4; signs as in its code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from unlearned.methods.base import ForgetMethod, Method
from unlearned.methods.data import Stream
from unlearned.methods.step import Step

TOFU = "TOFU, arXiv:2401.06121"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finetune(Method):
    """FT: learn the retain set further and hope that the rest fades."""

    summary: ClassVar[str] = "fine-tuning on the retain set"
    paper: ClassVar[str] = TOFU
    formula: ClassVar[str] = "CE(R)"
    over = "retain"

    @property
    def sees(self) -> tuple[Stream, ...]:
        return ("retain",)

    def terms(self, step: Step) -> dict[str, Tensor]:
        return {"retain": step.ce("retain")}


@dataclass(frozen=True, kw_only=True, slots=True)
class GradientAscent(ForgetMethod):
    """GA: make the forget answers less likely. Unbounded below: too long or too fast, and only gibberish is left."""

    summary: ClassVar[str] = "gradient ascent on the forget set"
    paper: ClassVar[str] = TOFU
    formula: ClassVar[str] = "-CE(F)"

    def forget_loss(self, step: Step) -> Tensor:
        return -step.ce("forget")


@dataclass(frozen=True, kw_only=True, slots=True)
class GradientDifference(GradientAscent):
    """GD (GradDiff): ascent on the forget set, descent on the retain set."""

    summary: ClassVar[str] = "gradient ascent on the forget set, descent on the retain set"
    formula: ClassVar[str] = "-CE(F) + CE(R)"
    retain_weight: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AscentKL(GradientAscent):
    """KL: ascent on the forget set, held to the start model on the retain set."""

    summary: ClassVar[str] = "gradient ascent, held to the start model on the retain set"
    formula: ClassVar[str] = "-CE(F) + KL0(R)"
    kl_weight: float = 1.0
