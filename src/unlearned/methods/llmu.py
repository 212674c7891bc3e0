"""Ascent on answers, random answers in their place, and the start model's behaviour on normal data.

Source: LLMU (Yao et al. 2023), arXiv:2310.10683; the same recipe on OPT with LoRA for harmful answers is
arXiv:2405.15152 (`--lora --lora-targets q_proj,v_proj --lora-rank 32 --lora-alpha 16`). Departures: masks begin exactly
where the answer does, padding never counts, random answers are drawn per item and not per batch, the divergence is KL
itself and not KL plus a constant, and the stop test is made in every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from unlearned.errors import ConfigError
from unlearned.methods.base import Method, Recipe, not_negative, positive
from unlearned.methods.data import Stream
from unlearned.methods.losses import KLMask, nll_mean
from unlearned.methods.step import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class LLMU(Method):
    """The retain set is the normal data, and the pool of random answers."""

    summary: ClassVar[str] = "ascent, random answers, and KL on normal data"
    paper: ClassVar[str] = "LLMU, arXiv:2310.10683"
    formula: ClassVar[str] = "-e1 mean NLL_mean(F) + e2 mean NLL_mean(F prompt, random answer) + e3 KL0(R)"
    recipe: ClassVar[Recipe] = Recipe(learning_rate=2e-6, batch_size=2, max_steps=1000, warmup=0.0)

    bad_weight: float = 0.5
    """e1; 0.1 in ECO's comparison."""

    random_weight: float = 1.0
    """e2."""

    normal_weight: float = 1.0
    """e3."""

    answers: int = 5
    """Random answers per forget prompt."""

    max_bad_loss: float = 100.0
    """Ends the training once the forget answers' loss is above it."""

    kl_mask: KLMask = "attention"

    def __post_init__(self) -> None:
        not_negative(self, "random_weight", "normal_weight")
        positive(self, "bad_weight", "max_bad_loss")
        if self.answers < 1:
            raise ConfigError(f"answers={self.answers}: at least one random answer per prompt is needed.")

    @property
    def sees(self) -> tuple[Stream, ...]:
        return ("forget", "random", "retain")

    @property
    def needs_reference(self) -> bool:
        return True

    def terms(self, step: Step) -> dict[str, Tensor]:
        normal = step.kl("retain", self.kl_mask)
        bad = nll_mean(step.logits("forget"), step.labels("forget")).mean()
        other = nll_mean(step.logits("random"), step.labels("random")).mean()
        return {
            "forget": -self.bad_weight * bad,
            "random": self.random_weight * other,
            "normal": self.normal_weight * normal,
        }

    def stop(self, terms: Mapping[str, float]) -> str | None:
        bad = -terms["forget"] / self.bad_weight
        if bad > self.max_bad_loss:
            return f"the loss of the forget answers, {bad:.1f}, is above max_bad_loss={self.max_bad_loss:g}."
        return None
