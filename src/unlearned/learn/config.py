"""How a corruption is learned: function, objective, effort."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from unlearned.corrupt.functions import SUBSTITUTION, corruptions
from unlearned.errors import ConfigError
from unlearned.learn.measures import measures
from unlearned.learn.optimisers import Trace, optimisers
from unlearned.learn.surrogate import Surrogate, checked_surrogate
from unlearned.select.positions import selectors

SELECTOR = "spans"
AUTO, BEST = "auto", "best"
AUTO_FUNCTIONS = (SUBSTITUTION, "rand_noise_first_n", "zero_out_top_k", "semantic", "adversarial")
AUTO_SELECTORS = ("spans", "attribution")
"""What "auto" chooses among; one function of every family that has a parameter."""

WITHOUT_NAMES = "rand_noise_first_n"
"""What serves a scope best whose prompts name nobody: there is nobody whom a stranger could stand for."""


@dataclass(frozen=True, kw_only=True)
class StrengthConfig:
    """How to learn a corruption."""

    selector: str | None = None
    """Which tokens of a flagged prompt are corrupted; None = as the detector says, or "spans"."""

    corruption: str = BEST
    """Corruption function; "best" = entity substitution where the prompts name somebody, else noise; "auto" = try
    several, and token selectors, too."""

    auto_functions: tuple[str, ...] = AUTO_FUNCTIONS
    """What "auto" tries."""

    dims: int | None = None
    """Coordinates that a function with a strength disturbs; None = all."""

    unit: Literal["embedding_std", "absolute"] = "embedding_std"
    """Of the strength: multiples of the embeddings' standard deviation, or absolute as in the paper."""

    strength: float | None = None
    """Do not learn: use this strength (for functions without one: this many dims)."""

    objectives: tuple[str, ...] = ()
    """What is measured: likelihood, facts, truth_ratio, accuracy, rouge, refusal. None = facts where strangers may
    stand for names and most answers have facts, else likelihood."""

    surrogate: Surrogate = "unrelated"
    """What a model without the knowledge would score: "unrelated" or "invented" (estimated), or a number."""

    fluency: bool = True
    """Whether answers have to stay fluent."""

    optimiser: str = "bracketing"
    """bracketing, finite_difference (the paper's) or tpe."""

    search: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the optimiser's own config."""

    max_examples: int = 40
    """Forget prompts, evenly spread over the set, that the strength is learned on."""

    facts_examples: int = 24
    """Of these, how many where it is learned from the facts of generated answers."""

    fluency_examples: int = 12
    """Of these, how many are answered to judge fluency; all are for objectives that read answers."""

    answer_tokens: int = 24
    """Length of those answers; and of the original model's own answer, where a forget row has none."""

    batch_size: int = 16
    """Prompts per forward pass."""

    def __post_init__(self) -> None:
        if self.corruption not in (AUTO, BEST):
            corruptions.get(self.corruption)
        if self.selector is not None:
            selectors.get(self.selector)
        for name in self.objectives:
            measures.get(name)
        object.__setattr__(self, "surrogate", checked_surrogate(self.surrogate))
        self.make_optimiser()
        if min(self.max_examples, self.fluency_examples, self.answer_tokens, self.batch_size) < 1:
            raise ConfigError("max_examples, fluency_examples, answer_tokens and batch_size must be at least 1.")
        if self.strength is not None and not 0 <= self.strength < float("inf"):
            raise ConfigError(f"strength={self.strength}: must be at least 0 and finite.")
        if self.strength is not None and self.corruption == AUTO:
            raise ConfigError("corruption='auto' chooses the strength, too. Leave the strength out.")
        share = self.corruption not in (AUTO, BEST) and not corruptions.get(self.corruption).relative
        if self.strength is not None and self.strength > 1 and share:
            raise ConfigError(f"strength={self.strength}: that of {self.corruption} is a share, at most 1.")
        if self.dims is not None and self.dims < 0:
            raise ConfigError(f"dims={self.dims}: must be at least 0, or None for all.")

    def make_optimiser(self) -> Callable[[Trace], None]:
        """The optimiser with its settings; raises `ConfigError` for one that it does not have."""
        try:
            return optimisers.get(self.optimiser)(**self.search)
        except TypeError as error:
            raise ConfigError(f"search={dict(self.search)}: {error}.") from error
