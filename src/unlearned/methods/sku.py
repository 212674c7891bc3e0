"""Learn to be harmful, then walk the other way.

Source: SKU (Liu et al. 2024), arXiv:2402.10058: stage 1 (guided distortion, random disassociation, preservation
divergence), stage 2 (negation). Departure: the divergence, which is maximised and unbounded, is capped. Two
settings are published: weights 2.5, 2.5, 1 with a learning rate of 2e-4 (the README's run) and 0.5, 1, 1 with 2e-5 (the
script's defaults). The defaults here are the weights of the first with the rate of the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from unlearned.errors import ConfigError
from unlearned.methods.base import Method, Recipe, not_negative, positive
from unlearned.methods.data import Stream
from unlearned.methods.losses import KLMask, nll_mean
from unlearned.methods.step import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class SKU(Method):
    """Two stages in one run: the record's history is that of the harmful model."""

    summary: ClassVar[str] = "learn the harmful behaviour, then subtract it"
    paper: ClassVar[str] = "SKU, arXiv:2402.10058"
    formula: ClassVar[str] = (
        "start - s (bad - start); bad: w1 CE(F) + w2 mean NLL_mean(F prompt, other F answers) - w3 KL0(R)"
    )
    recipe: ClassVar[Recipe] = Recipe(learning_rate=2e-5, batch_size=2, max_steps=1000, warmup=0.0)

    distortion_weight: float = 2.5
    """w1."""

    disassociation_weight: float = 2.5
    """w2."""

    divergence_weight: float = 1.0
    """w3."""

    max_divergence: float = 10.0
    """Nats at which the divergence stops counting; without a bound it outgrows everything else."""

    answers: int = 5
    """Other forget answers per forget prompt."""

    scale: float = 1.0
    """s of the second stage."""

    kl_mask: KLMask = "attention"

    def __post_init__(self) -> None:
        not_negative(self, "distortion_weight", "disassociation_weight", "divergence_weight")
        positive(self, "max_divergence", "scale")
        if self.answers < 1:
            raise ConfigError(f"answers={self.answers}: at least one other answer per prompt is needed.")

    @property
    def sees(self) -> tuple[Stream, ...]:
        return ("forget", "shuffled", "retain")

    @property
    def needs_reference(self) -> bool:
        return True

    @property
    def negation(self) -> float | None:
        return self.scale

    def terms(self, step: Step) -> dict[str, Tensor]:
        divergence = step.kl("retain", self.kl_mask).clamp(max=self.max_divergence)
        other = nll_mean(step.logits("shuffled"), step.labels("shuffled")).mean()
        return {
            "distortion": self.distortion_weight * step.ce("forget"),
            "disassociation": self.disassociation_weight * other,
            "divergence": -self.divergence_weight * divergence,
        }
