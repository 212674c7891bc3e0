"""Self-distillation from the start model with the right token's logit lowered.

Source: UNDIAL (Dong et al. 2024), arXiv:2402.10052. Its code in open-unlearning also distils prompts and padding,
where it lowers a wrong token; here only target positions count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from unlearned.methods.base import ForgetMethod, Recipe, not_negative
from unlearned.methods.losses import is_target, precise
from unlearned.methods.step import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class UNDIAL(ForgetMethod):
    """Bounded, unlike ascent: the teacher is a proper distribution."""

    summary: ClassVar[str] = "self-distillation with the right token's logit lowered"
    paper: ClassVar[str] = "UNDIAL, arXiv:2402.10052"
    formula: ClassVar[str] = "CE(softmax(z0 - beta [v = target]), p) over target tokens of F"
    recipe: ClassVar[Recipe] = Recipe(learning_rate=1e-4, epochs=10, warmup=0.1)

    beta: float = 10.0
    """How far the right token's logit is lowered."""

    def __post_init__(self) -> None:
        ForgetMethod.__post_init__(self)
        not_negative(self, "beta")

    @property
    def needs_reference(self) -> bool:
        return True

    def forget_loss(self, step: Step) -> Tensor:
        labels = step.labels("forget")
        return distillation(step.logits("forget"), step.reference_logits("forget"), labels, self.beta)


def distillation(logits: Tensor, reference: Tensor, labels: Tensor, beta: float) -> Tensor:
    """Mean over target tokens of the cross-entropy from the lowered reference to the current model.

    Args:
        logits: (B, T, V).
        reference: (B, T, V).
        labels: (B, T), -100 where there is no target.
        beta: taken off the target's logit.
    """
    mask = is_target(labels)
    wanted = labels[:, 1:][mask][:, None]  # (N, 1)
    teacher = precise(reference[:, :-1][mask].detach())  # (N, V)
    teacher = teacher.scatter(1, wanted, teacher.gather(1, wanted) - beta).softmax(-1)
    current = precise(logits[:, :-1][mask]).log_softmax(-1)
    return -(teacher * current).sum(-1).mean()
