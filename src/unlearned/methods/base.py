"""What a method is: the data it sees, its loss, and the settings both come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor

from unlearned.errors import ConfigError
from unlearned.methods.config import Schedule
from unlearned.methods.data import Stream
from unlearned.methods.losses import KLMask
from unlearned.methods.step import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How a method was trained where it was published, for all weights. A run can change each of these."""

    learning_rate: float = 1e-5
    epochs: float = 5
    batch_size: int = 32
    """Items per optimiser step."""

    schedule: Schedule = "linear"
    warmup: float = 0.2
    """Share of the steps; TOFU warms up for one epoch of five."""

    weight_decay: float = 0.01
    max_steps: int | None = None
    """In place of epochs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """Base of all methods. A method is a frozen dataclass: its fields are its settings.

    To add one, set the class variables, give `sees`, and write `terms`.
    """

    summary: ClassVar[str]
    """One line for the list of methods."""

    paper: ClassVar[str]
    """Source: paper and section."""

    formula: ClassVar[str]
    """The loss in one line."""

    recipe: ClassVar[Recipe] = Recipe()
    over: ClassVar[Literal["forget", "retain"]] = "forget"
    """The set that an epoch goes through."""

    trains: ClassVar[bool] = True
    """False: the weights are edited once (`edit`), without steps."""

    @property
    def sees(self) -> tuple[Stream, ...]:
        """The streams of data its loss reads."""
        raise NotImplementedError

    @property
    def needs_reference(self) -> bool:
        """Whether the loss compares with the start model."""
        return False

    @property
    def negation(self) -> float | None:
        """If set, the result is start - negation * (trained - start)."""
        return None

    def terms(self, step: Step) -> dict[str, Tensor]:
        """The loss as the sum of these scalars, each with its sign and coefficient; they are logged by name."""
        raise NotImplementedError

    def check(self, model: Any) -> None:
        """Raise `ConfigError` if this model cannot be trained so; called before anything else."""

    def trainable(self, name: str) -> bool:
        """Whether the weight of this name is trained."""
        return True

    def stop(self, terms: Mapping[str, float]) -> str | None:
        """A reason to end the training after this step, or None."""
        return None

    def edit(self, model: Any, forget: Any, retain: Any) -> dict[str, float]:
        """For methods that do not train: change the weights, given iterables of `Batch`; returns what to record."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgetMethod(Method):
    """A forget loss, and what keeps the rest: forget_weight * L + retain_weight * CE(R) + kl_weight * KL0(R)."""

    forget_weight: float = 1.0
    retain_weight: float = 0.0
    """Weight of the cross-entropy on the retain set."""

    kl_weight: float = 0.0
    """Weight of KL(start || current) on the retain set."""

    kl_mask: KLMask = "attention"
    """Positions of that divergence; `all`, padding included, is what published code computes."""

    def __post_init__(self) -> None:
        not_negative(self, "forget_weight", "retain_weight", "kl_weight")

    @property
    def forget_sees(self) -> tuple[Stream, ...]:
        return ("forget",)

    @property
    def sees(self) -> tuple[Stream, ...]:
        return (*self.forget_sees, *(("retain",) if self.retain_weight or self.kl_weight else ()))

    @property
    def needs_reference(self) -> bool:
        return self.kl_weight > 0

    def forget_loss(self, step: Step) -> Tensor:
        """L, without its coefficient."""
        raise NotImplementedError

    def terms(self, step: Step) -> dict[str, Tensor]:
        found = {"forget": self.forget_weight * self.forget_loss(step)}
        if self.retain_weight:
            found["retain"] = self.retain_weight * step.ce("retain")
        if self.kl_weight:
            found["kl"] = self.kl_weight * step.kl("retain", self.kl_mask)
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Preference(ForgetMethod):
    """Forget losses through `losses.preference`."""

    beta: float = 0.1
    """Towards 0 the gradient becomes that of the margin: gradient ascent, for NPO."""

    def __post_init__(self) -> None:
        ForgetMethod.__post_init__(self)
        positive(self, "beta")


def not_negative(method: Method, *names: str) -> None:
    """Raise `ConfigError` unless these settings are at least 0."""
    for name in names:
        if not 0 <= getattr(method, name) < float("inf"):
            raise ConfigError(f"{name}={getattr(method, name)}: must be at least 0.")


def positive(method: Method, *names: str) -> None:
    """Raise `ConfigError` unless these settings are above 0."""
    for name in names:
        if not 0 < getattr(method, name) < float("inf"):
            raise ConfigError(f"{name}={getattr(method, name)}: must be above 0.")
