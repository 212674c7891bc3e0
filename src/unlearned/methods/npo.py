"""Negative preference optimisation, and its variant without a reference.

Source: NPO (Zhang et al. 2024), arXiv:2404.05868, eq. 3 and section 5; SimNPO (Fan et al. 2024), arXiv:2410.07163.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from unlearned.methods.base import Preference, Recipe
from unlearned.methods.losses import nll_mean, nll_sum, preference
from unlearned.methods.step import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class NPO(Preference):
    """Ascent that slows down where an answer has become unlikely compared with the start model."""

    summary: ClassVar[str] = "negative preference optimisation"
    paper: ClassVar[str] = "NPO, arXiv:2404.05868"
    formula: ClassVar[str] = "-(2/beta) mean logsigm(beta [NLL(F) - NLL0(F)])"
    recipe: ClassVar[Recipe] = Recipe(epochs=10, warmup=0.1)

    @property
    def needs_reference(self) -> bool:
        return True

    def forget_loss(self, step: Step) -> Tensor:
        # Sums over an answer's tokens, not means, and log-probabilities, not logits.
        labels = step.labels("forget")
        before = nll_sum(step.reference_logits("forget"), labels)
        return preference(nll_sum(step.logits("forget"), labels) - before, self.beta)


@dataclass(frozen=True, kw_only=True, slots=True)
class NPORetain(NPO):
    """NPO with cross-entropy on the retain set."""

    summary: ClassVar[str] = "NPO with cross-entropy on the retain set"
    formula: ClassVar[str] = "NPO + CE(R)"
    retain_weight: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class NPOKL(NPO):
    """NPO, held to the start model on the retain set."""

    summary: ClassVar[str] = "NPO, held to the start model on the retain set"
    formula: ClassVar[str] = "NPO + KL0(R)"
    kl_weight: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SimNPO(Preference):
    """NPO per token and without a reference: long answers are not unlearned faster than short ones."""

    summary: ClassVar[str] = "NPO without a reference, per token"
    paper: ClassVar[str] = "SimNPO, arXiv:2410.07163"
    formula: ClassVar[str] = "-(2/beta) mean logsigm(beta [NLL_mean(F) - delta]) + CE(R)"
    recipe: ClassVar[Recipe] = Recipe(epochs=10, warmup=0.1)

    forget_weight: float = 0.125
    retain_weight: float = 1.0
    beta: float = 4.5
    delta: float = 0.0
    """Margin, in nats per token."""

    def forget_loss(self, step: Step) -> Tensor:
        return preference(nll_mean(step.logits("forget"), step.labels("forget")) - self.delta, self.beta)
