"""Representation misdirection: forget activations are steered to one random direction, retain activations held.

Source: RMU (Li et al. 2024), arXiv:2403.03218, section 4. Its code averages over padding; here padding does not count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from unlearned.engines.injection import inner_model
from unlearned.errors import ConfigError
from unlearned.methods.base import Method, Recipe, not_negative
from unlearned.methods.data import Stream
from unlearned.methods.losses import KLMask, precise
from unlearned.methods.step import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class RMU(Method):
    """Trains the MLP output projections of three layers; every other weight stays."""

    summary: ClassVar[str] = "representation misdirection of one layer"
    paper: ClassVar[str] = "RMU, arXiv:2403.03218"
    formula: ClassVar[str] = "mean (h(F) - c u)^2 + alpha mean (h(R) - h0(R))^2, h: output of one layer"
    recipe: ClassVar[Recipe] = Recipe(
        learning_rate=5e-5, epochs=1, batch_size=4, schedule="constant", warmup=0.0, max_steps=80
    )

    layer: int = 7
    """Whose output is steered, counted from 0."""

    steering: float = 20.0
    """c; 6.5 in the published run on Zephyr-7B."""

    alpha: float = 100.0
    """Weight of the retain term; 1200 in the published run on Zephyr-7B."""

    trainable_pattern: str = r"\.({layers})\..*(down_proj|dense_4h_to_h|fc2|fc_out|mlp\.c_proj)"
    """Regular expression on weights' names; `{layers}` stands for the steered layer and the two before it."""

    mask: KLMask = "attention"
    """Positions that count."""

    def __post_init__(self) -> None:
        not_negative(self, "layer", "steering", "alpha")
        try:
            re.compile(self._pattern)
        except re.error as error:
            raise ConfigError(f"trainable_pattern={self.trainable_pattern!r}: {error}.") from error

    @property
    def sees(self) -> tuple[Stream, ...]:
        return ("forget", "retain")

    @property
    def needs_reference(self) -> bool:
        return True

    @property
    def _pattern(self) -> str:
        layers = "|".join(str(layer) for layer in range(max(0, self.layer - 2), self.layer + 1))
        return self.trainable_pattern.replace("{layers}", layers)

    def check(self, model: Any) -> None:
        layers = int(inner_model(model).config.get_text_config().num_hidden_layers)
        if self.layer > layers - 2:
            # After the last layer, transformers gives the normalised states, which are on another scale.
            raise ConfigError(
                f"layer={self.layer}: the model has {layers} layers, so it must lie in 0..{layers - 2}. "
                f"Use --set layer={max(0, layers // 4)}."
            )

    def trainable(self, name: str) -> bool:
        return re.search(self._pattern, name) is not None

    def terms(self, step: Step) -> dict[str, Tensor]:
        # The frozen side first: switching an adapter off and on must not touch a recorded graph.
        before = step.reference_hidden("retain", self.layer)
        kept = squared_error(step.hidden("retain", self.layer), before, step.mask("retain", self.mask))
        hidden = step.hidden("forget", self.layer)
        goal = self.steering * direction(hidden.shape[-1], step.seed).to(hidden)
        steered = squared_error(hidden, goal, step.mask("forget", self.mask))
        return {"forget": steered, "retain": self.alpha * kept}


def direction(width: int, seed: int) -> Tensor:
    """(D,) unit vector of uniform entries in [0, 1); the same in every step and after a resumption."""
    drawn = torch.rand(width, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=0)


def squared_error(hidden: Tensor, goal: Tensor, mask: Tensor) -> Tensor:
    """Mean over the positions in `mask` (B, T) and over dimensions; `goal` is (B, T, D) or (D,)."""
    return (precise(hidden) - precise(goal)).square().mean(-1)[mask].mean()
