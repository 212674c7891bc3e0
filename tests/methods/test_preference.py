"""Refusals are learned in place of answers, or preferred to them."""

from __future__ import annotations

import pytest
from losses_by_hand import EXPECTED, I, R, ce, close, terms, total

from unlearned.methods.registry import make_method


@pytest.mark.parametrize("name", ["po", "rl", "dpo"])
def test_the_loss_is_the_formula(name: str) -> None:
    assert total(name) == close(EXPECTED[name]())


def test_one_mean_over_the_tokens_of_both_is_not_two_means() -> None:
    assert total("po", po_sum=True) == close(ce(I) + ce(R))
    assert total("po") != close(ce(I) + ce(R))
    assert set(terms("po")) == set(terms("po", po_sum=True)) == {"refusal", "retain"}


def test_each_sees_what_it_compares() -> None:
    for name, settings, sees in (
        ("po", {}, ("refused", "retain")),
        ("rl", {}, ("refused",)),
        ("dpo", {}, ("forget", "refused")),
        ("dpo", {"retain_weight": 1}, ("forget", "refused", "retain")),
    ):
        assert make_method(name, settings).sees == sees
    assert [make_method(name).needs_reference for name in ("po", "rl", "dpo")] == [False, False, True]
