"""Learning to refuse: IDK answers as targets (PO), without a retain set (RL), and as the preferred ones (DPO).

Source: TOFU, arXiv:2401.06121, section 4 (PO); DPO, arXiv:2305.18290, with NPO's factor 2/beta (arXiv:2404.05868).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from unlearned.methods.base import Method, Preference, Recipe
from unlearned.methods.data import Stream
from unlearned.methods.losses import is_target, nll_sum, preference, token_nll
from unlearned.methods.step import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class IDK(Method):
    """PO: fine-tuning on refusals of forget prompts, together with the retain set."""

    summary: ClassVar[str] = "fine-tuning on refusals and the retain set (preference optimisation, IDK)"
    paper: ClassVar[str] = "TOFU, arXiv:2401.06121"
    formula: ClassVar[str] = "CE(I + R), one mean over the tokens of both"

    po_sum: bool = False
    """CE(I) + CE(R) instead, two means, as the ECO paper writes it."""

    @property
    def sees(self) -> tuple[Stream, ...]:
        return ("refused", "retain")

    def terms(self, step: Step) -> dict[str, Tensor]:
        if self.po_sum:
            return {"refusal": step.ce("refused"), "retain": step.ce("retain")}
        targets = sum(is_target(step.labels(stream)).sum() for stream in self.sees)
        losses = {stream: token_nll(step.logits(stream), step.labels(stream)).sum() for stream in self.sees}
        return {"refusal": losses["refused"] / targets, "retain": losses["retain"] / targets}


@dataclass(frozen=True, kw_only=True, slots=True)
class RandomLabels(Method):
    """RL: fine-tuning on generic answers to forget prompts alone. Nothing holds the rest where it is."""

    summary: ClassVar[str] = "fine-tuning on refusals or generic labels alone (random labels)"
    paper: ClassVar[str] = "baseline of SPUL, arXiv:2406.12038"
    formula: ClassVar[str] = "CE(I)"

    @property
    def sees(self) -> tuple[Stream, ...]:
        return ("refused",)

    def terms(self, step: Step) -> dict[str, Tensor]:
        return {"refusal": step.ce("refused")}


@dataclass(frozen=True, kw_only=True, slots=True)
class DPO(Preference):
    """Refusals preferred to the forget answers."""

    summary: ClassVar[str] = "direct preference optimisation, refusal over answer"
    paper: ClassVar[str] = "DPO, arXiv:2305.18290"
    formula: ClassVar[str] = "-(2/beta) mean logsigm(beta [D(F) - D(I)]), D = NLL - NLL0"
    recipe: ClassVar[Recipe] = Recipe(epochs=10, warmup=0.1)

    @property
    def forget_sees(self) -> tuple[Stream, ...]:
        return ("forget", "refused")

    @property
    def needs_reference(self) -> bool:
        return True

    def forget_loss(self, step: Step) -> Tensor:
        lost, won = (self._moved(step, stream) for stream in ("forget", "refused"))
        return preference(lost - won, self.beta)

    def _moved(self, step: Step, stream: str) -> Tensor:
        """(B,) how much less likely than in the start model each answer is."""
        labels = step.labels(stream)
        before = nll_sum(step.reference_logits(stream), labels)
        return nll_sum(step.logits(stream), labels) - before
