"""A student that is driven off its teacher on the forget set and back to it on the retain set, in turns.

Source: SCRUB (Kurmanji et al. 2023), arXiv:2302.09880; the schedule by epochs and the defaults for language
models are those of ECO's comparison (arXiv:2406.07933), whose code takes the softmax over the wrong axis; here it is
over the vocabulary. Its learning rate follows a cosine after a warm-up of 0.1, in batches of 8; here it falls in a
line, in batches of 32. The first max-step begins where the divergence is at its minimum, so its gradient is all but
zero: give it a few steps per epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from unlearned.errors import ConfigError
from unlearned.methods.base import Method, Recipe, not_negative, positive
from unlearned.methods.data import Stream
from unlearned.methods.losses import KLMask
from unlearned.methods.step import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class SCRUB(Method):
    """Epochs 0, 2, ... are max-steps as long as there are any; all others are min-steps.

    SCRUB's own schedule, a max and a min pass per epoch, is the same with its passes counted as epochs: 3 max-steps in
    10 epochs are `max_epochs=3` in 13 epochs here. An epoch goes through the forget set; min-steps draw as many retain
    items.
    """

    summary: ClassVar[str] = "distillation: away from the start model on F, towards it on R, in turns"
    paper: ClassVar[str] = "SCRUB, arXiv:2302.09880"
    formula: ClassVar[str] = "epoch 0, 2: -KD(F); others: alpha KD(R) + gamma CE(R); KD = T^2 KL0 at temperature T"
    recipe: ClassVar[Recipe] = Recipe(learning_rate=2e-5, warmup=0.0)

    max_epochs: int = 2
    temperature: float = 4.0
    alpha: float = 1e-3
    gamma: float = 1.0
    mask: KLMask = "labels"
    """Positions of the distillation."""

    def __post_init__(self) -> None:
        not_negative(self, "alpha", "gamma")
        positive(self, "temperature")
        if self.max_epochs < 0:
            raise ConfigError(f"max_epochs={self.max_epochs}: must be at least 0.")

    @property
    def sees(self) -> tuple[Stream, ...]:
        return ("forget", "retain")

    @property
    def needs_reference(self) -> bool:
        return True

    def maximises(self, epoch: int) -> bool:
        """Whether this epoch drives the student off its teacher."""
        return epoch % 2 == 0 and epoch // 2 < self.max_epochs

    def terms(self, step: Step) -> dict[str, Tensor]:
        if self.maximises(step.epoch):
            return {"forget": -self._distillation(step, "forget")}
        return {"kd": self.alpha * self._distillation(step, "retain"), "retain": self.gamma * step.ce("retain")}

    def _distillation(self, step: Step, stream: str) -> Tensor:
        # The square keeps the gradients' size as the temperature rises (Hinton et al. 2015).
        return self.temperature**2 * step.kl(stream, self.mask, self.temperature)
