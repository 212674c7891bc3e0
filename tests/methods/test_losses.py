"""Every loss against a value worked out by hand or, naively, in float64."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from losses_by_hand import (
    BATCHES,
    BEFORE,
    EXPECTED,
    NOW,
    VOCABULARY,
    F,
    R,
    ce,
    close,
    divergences,
    kl,
    losses,
    mean,
    sums,
)

from unlearned.methods.losses import cross_entropy, kl_from_reference, nll_mean, nll_sum, preference
from unlearned.methods.registry import BUILT_IN
from unlearned.methods.step import Step


def test_the_worked_numbers_of_npo_dpo_and_simnpo() -> None:
    now, before = torch.tensor([12.0, 20.0]).double(), torch.tensor([10.0, 25.0]).double()
    assert float(preference(now - before, 0.1)) == pytest.approx(15.7221585356, abs=1e-9)
    won = torch.tensor([8.0, 9.0]).double() - torch.tensor([11.0, 10.0]).double()
    dpo = float(preference((now - before) - won, 0.1))
    assert dpo == pytest.approx(13.8709223658, abs=1e-9)
    assert dpo * 0.1 / 2 == pytest.approx(0.6935461183, abs=1e-9)
    short = torch.tensor([0.3, 0.5], dtype=torch.float64)
    assert float(preference(short, 2.5)) == pytest.approx(0.2555200350, abs=1e-9)
    assert float(preference(short, 4.5)) == pytest.approx(0.0734922512, abs=1e-9)


def test_npo_becomes_gradient_ascent_as_beta_vanishes() -> None:
    margin, beta = torch.tensor([0.4, -1.0, 2.0]).double(), 1e-6
    expected = 2 * math.log(2) / beta - float(margin.mean())
    assert float(preference(margin, beta)) == pytest.approx(expected, abs=1e-4)


def test_likelihoods_of_targets() -> None:
    logits = NOW(F.input_ids).logits
    assert nll_sum(logits, F.labels).tolist() == close(sums(NOW, F))  # type: ignore[comparison-overlap]
    assert nll_mean(logits, F.labels).tolist() == close([mean(row) for row in losses(NOW, F)])  # type: ignore[arg-type]
    # Token-weighted: not the mean of the sequences' means.
    assert float(cross_entropy(logits, F.labels)) == close(ce(F))
    assert ce(F) != close(mean([mean(row) for row in losses(NOW, F)]))


def test_cross_entropy_is_a_causal_models_own_loss(tiny_model: Any) -> None:
    ids = torch.tensor([[5, 9, 11, 40, 60], [7, 30, 20, 10, 0]])
    labels = torch.tensor([[-100, -100, 11, 40, 60], [-100, 30, 20, 10, -100]])
    with torch.no_grad():
        output = tiny_model(input_ids=ids, labels=labels)
    assert float(cross_entropy(output.logits, labels)) == pytest.approx(float(output.loss), rel=1e-6)


@pytest.mark.parametrize("kind", ["attention", "labels", "all"])
def test_divergence_from_the_reference(kind: Any) -> None:
    step = Step(NOW, BATCHES, BEFORE)  # type: ignore[arg-type]
    assert float(step.kl("retain", kind)) == close(kl(kind))
    assert float(step.kl("retain", kind, temperature=3.0)) == close(mean(divergences(R, kind, 3.0)))


def test_the_divergence_of_an_unflattened_tensor_is_not_multiplied_by_its_length() -> None:
    p, q = BEFORE(R.input_ids).logits, NOW(R.input_ids).logits
    flat = torch.nn.functional.kl_div(
        q.log_softmax(-1).flatten(0, 1), p.log_softmax(-1).flatten(0, 1), log_target=True, reduction="batchmean"
    )
    whole = torch.ones(R.input_ids.shape, dtype=torch.bool)
    assert float(kl_from_reference(q, p, whole)) == pytest.approx(float(flat), rel=1e-9)


def test_every_method_with_a_formula_in_words_has_one_by_hand() -> None:
    others = {"undial", "rmu", "ssd"}  # in their own files
    assert set(EXPECTED) | others == set(BUILT_IN)


def test_logits_in_bfloat16_are_widened_before_the_softmax() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = (4 * torch.randn(2, 6, 500, generator=generator)).bfloat16()
    labels = torch.randint(0, 500, (2, 6), generator=generator)
    exact = cross_entropy(logits.double(), labels)
    assert float(cross_entropy(logits, labels)) == pytest.approx(float(exact), rel=1e-6)
    rough = torch.nn.functional.nll_loss(logits[:, :-1].log_softmax(-1).flatten(0, 1).float(), labels[:, 1:].flatten())
    assert abs(float(rough - exact)) > 1e-3  # what it would have been


def test_a_divergence_at_a_temperature_is_computed_in_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    q, p = (4 * torch.randn(2, 3, VOCABULARY, generator=generator).bfloat16() for _ in range(2))
    mask = torch.ones(2, 3, dtype=torch.bool)
    exact = float(kl_from_reference(q.double(), p.double(), mask, temperature=3.0))
    assert float(kl_from_reference(q, p, mask, temperature=3.0)) == pytest.approx(exact, rel=1e-6)
