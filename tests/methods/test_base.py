"""A method's terms are those that its weights ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from losses_by_hand import BATCHES, BEFORE, NOW, R, ce, close, kl
from torch import Tensor

from unlearned.errors import ConfigError
from unlearned.methods.base import ForgetMethod, Method, Preference, not_negative, positive
from unlearned.methods.step import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class Nothing(ForgetMethod):
    """A forget loss of 2."""

    summary: ClassVar[str] = "nothing"

    def forget_loss(self, step: Step) -> Tensor:
        return step.ce("forget") * 0 + 2


def terms(**settings: Any) -> dict[str, float]:
    step = Step(NOW, BATCHES, BEFORE)  # type: ignore[arg-type]
    return {name: float(term) for name, term in Nothing(**settings).terms(step).items()}


def test_each_term_has_its_weight_and_those_of_weight_0_are_not_computed() -> None:
    assert terms() == {"forget": 2.0}
    assert terms(forget_weight=3.0, retain_weight=0.5, kl_weight=2.0) == {
        "forget": 6.0,
        "retain": close(0.5 * ce(R)),
        "kl": close(2 * kl()),
    }


def test_what_is_read_and_compared_follows_from_the_weights() -> None:
    for settings, sees, needs in (
        ({}, ("forget",), False),
        ({"retain_weight": 1.0}, ("forget", "retain"), False),
        ({"kl_weight": 1.0}, ("forget", "retain"), True),
    ):
        made = Nothing(**settings)
        assert (made.sees, made.needs_reference) == (sees, needs)
    plain = Nothing()
    assert plain.trainable("anything")
    assert plain.stop({}) is plain.negation is None
    plain.check(None)


def test_what_a_method_does_not_say_is_asked_for() -> None:
    made = Method()
    for asked in (lambda: made.sees, lambda: made.terms(None), lambda: made.edit(None, [], [])):  # type: ignore[arg-type]
        with pytest.raises(NotImplementedError):
            asked()


def test_borders_of_settings() -> None:
    for value in (0.0, 1.0):
        not_negative(Nothing(forget_weight=value), "forget_weight")
    positive(Preference(beta=1e-9), "beta")
    for wrong in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ConfigError, match="beta"):
            Preference(beta=wrong)
    for wrong in (-1.0, float("inf"), float("nan")):
        with pytest.raises(ConfigError, match="kl_weight"):
            Nothing(kl_weight=wrong)
