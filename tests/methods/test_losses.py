"""Every loss against a value worked out by hand or, naively, in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from unlearned.methods.base import Method
from unlearned.methods.data import Batch
from unlearned.methods.losses import cross_entropy, kl_from_reference, nll_mean, nll_sum, preference
from unlearned.methods.registry import make_method
from unlearned.methods.rmu import direction, squared_error
from unlearned.methods.ssd import dampen, importances
from unlearned.methods.step import Step

VOCABULARY, LAYERS, WIDTH = 7, 4, 5


class Fixed:
    """A model whose outputs for given ids were written down before."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.table = torch.randn(50, VOCABULARY, generator=generator, dtype=torch.float64)
        self.states = torch.randn(50, LAYERS, WIDTH, generator=generator, dtype=torch.float64)

    def __call__(self, input_ids: Tensor, **_: Any) -> Any:
        position = torch.arange(input_ids.shape[1]) * 7
        rows = (input_ids + position) % 50
        return SimpleNamespace(
            logits=self.table[rows], hidden_states=[self.states[rows][:, :, layer] for layer in range(LAYERS)]
        )

    @contextmanager
    def active(self, model: Any) -> Iterator[Any]:
        yield self


def batch(*rows: tuple[list[int], list[int]]) -> Batch:
    """(prompt, target) pairs, padded with a token that is also a target: only the mask may tell."""
    length = max(len(prompt) + len(target) for prompt, target in rows)
    gaps = [length - len(prompt) - len(target) for prompt, target in rows]
    return Batch(
        torch.tensor([[*p, *t, *[1] * g] for (p, t), g in zip(rows, gaps, strict=True)]),
        torch.tensor([[1] * (length - g) + [0] * g for g in gaps]),
        torch.tensor([[-100] * len(p) + t + [-100] * g for (p, t), g in zip(rows, gaps, strict=True)]),
    )


F = batch(([2, 3], [4, 5, 1]), ([6], [2, 1]))
R = batch(([5], [3, 1]), ([2, 2], [6, 1]), ([4, 3, 2], [5, 5, 1]))
I = batch(([2, 3], [6, 6, 6, 1]), ([6], [3, 1]))  # noqa: E741
BATCHES = {"forget": F, "retain": R, "refused": I, "mismatched": I, "random": I, "shuffled": I}
NOW, BEFORE = Fixed(1), Fixed(2)


def terms(method: str | Method, epoch: int = 0, **settings: Any) -> dict[str, float]:
    made = make_method(method, settings) if isinstance(method, str) else method
    step = Step(NOW, BATCHES, BEFORE, epoch=epoch)  # type: ignore[arg-type]
    return {name: float(term) for name, term in made.terms(step).items()}


def total(method: str, epoch: int = 0, **settings: Any) -> float:
    return sum(terms(method, epoch, **settings).values())


# The oracle: plain loops over tokens, one softmax at a time.
def log_softmax(scores: list[float]) -> list[float]:
    top = max(scores)
    norm = math.log(sum(math.exp(score - top) for score in scores)) + top
    return [score - norm for score in scores]


def losses(model: Fixed, data: Batch) -> list[list[float]]:
    """Per sequence, the loss of each of its targets."""
    logits = model(data.input_ids).logits.tolist()
    return [
        [-log_softmax(logits[b][t - 1])[label] for t, label in enumerate(row) if label != -100]
        for b, row in enumerate(data.labels.tolist())
    ]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def sums(model: Fixed, data: Batch) -> list[float]:
    return [sum(row) for row in losses(model, data)]


def ce(data: Batch, model: Fixed = NOW) -> float:
    return mean([loss for row in losses(model, data) for loss in row])


def divergences(data: Batch, kind: str, temperature: float = 1.0) -> list[float]:
    now, before = NOW(data.input_ids).logits.tolist(), BEFORE(data.input_ids).logits.tolist()
    found = []
    for b, (seen, labels) in enumerate(zip(data.attention_mask.tolist(), data.labels.tolist(), strict=True)):
        for t in range(len(seen)):
            predicts = t + 1 < len(labels) and labels[t + 1] != -100
            if kind == "all" or (kind == "attention" and seen[t]) or (kind == "labels" and predicts):
                p = log_softmax([z / temperature for z in before[b][t]])
                q = log_softmax([z / temperature for z in now[b][t]])
                found.append(sum(math.exp(a) * (a - c) for a, c in zip(p, q, strict=True)))
    return found


def logsigm(value: float) -> float:
    return -math.log1p(math.exp(-value))


def naive_npo(beta: float = 0.1) -> float:
    delta = [a - b for a, b in zip(sums(NOW, F), sums(BEFORE, F), strict=True)]
    return -(2 / beta) * mean([logsigm(beta * d) for d in delta])


def naive_llmu_parts() -> tuple[float, float, float]:
    return mean([mean(r) for r in losses(NOW, F)]), mean([mean(r) for r in losses(NOW, I)]), kl()


def kl(kind: str = "attention") -> float:
    return mean(divergences(R, kind))


def close(value: float) -> Any:
    return pytest.approx(value, rel=1e-6)


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


EXPECTED = {
    "ft": lambda: ce(R),
    "ga": lambda: -ce(F),
    "gd": lambda: -ce(F) + ce(R),
    "kl": lambda: -ce(F) + kl(),
    "po": lambda: mean([loss for data in (I, R) for row in losses(NOW, data) for loss in row]),
    "rl": lambda: ce(I),
    "dpo": lambda: (
        -20
        * mean(
            [
                logsigm(0.1 * ((a - b) - (c - d)))
                for a, b, c, d in zip(sums(NOW, F), sums(BEFORE, F), sums(NOW, I), sums(BEFORE, I), strict=True)
            ]
        )
    ),
    "npo": naive_npo,
    "npo-gd": lambda: naive_npo() + ce(R),
    "npo-kl": lambda: naive_npo() + kl(),
    "simnpo": lambda: 0.125 * -(2 / 4.5) * mean([logsigm(4.5 * mean(row)) for row in losses(NOW, F)]) + ce(R),
    "mismatch": lambda: ce(R) + ce(I),
    "llmu": lambda: -0.5 * naive_llmu_parts()[0] + naive_llmu_parts()[1] + naive_llmu_parts()[2],
    "scrub": lambda: -16 * mean(divergences(F, "labels", 4.0)),
    "sku": lambda: 2.5 * ce(F) + 2.5 * mean([mean(row) for row in losses(NOW, I)]) - kl(),
    "task-vector": lambda: ce(F),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_loss_is_the_formula(name: str) -> None:
    assert total(name) == close(EXPECTED[name]())


def test_coefficients_and_variants() -> None:
    assert total("gd", forget_weight=0.5, retain_weight=3) == close(-0.5 * ce(F) + 3 * ce(R))
    assert total("kl", kl_mask="all", kl_weight=2) == close(-ce(F) + 2 * kl("all"))
    assert total("po", po_sum=True) == close(ce(I) + ce(R))
    assert total("po") != close(ce(I) + ce(R))
    assert total("simnpo", delta=0.2, beta=2.0, forget_weight=1.0) == close(
        -mean([logsigm(2 * (mean(row) - 0.2)) for row in losses(NOW, F)]) + ce(R)
    )
    assert total("llmu", bad_weight=0.1, random_weight=0, normal_weight=2) == close(
        -0.1 * naive_llmu_parts()[0] + 2 * kl()
    )
    assert total("npo", beta=0.5) == close(naive_npo(0.5))


def test_scrub_takes_turns() -> None:
    kd = 16 * mean(divergences(R, "labels", 4.0))
    for epoch in (1, 3, 4, 5, 6):
        assert total("scrub", epoch, alpha=0.2) == close(0.2 * kd + ce(R))
    assert total("scrub", 2) == total("scrub", 0) < 0
    assert [e for e in range(13) if make_method("scrub", {"max_epochs": 3}).maximises(e)] == [0, 2, 4]  # type: ignore[attr-defined]


def test_sku_caps_the_divergence_that_it_maximises() -> None:
    assert kl() > 0.1
    assert terms("sku", max_divergence=0.1)["divergence"] == pytest.approx(-0.1)


def test_undial_lowers_the_right_token_at_target_positions_only() -> None:
    now, before = NOW(F.input_ids).logits.tolist(), BEFORE(F.input_ids).logits.tolist()
    found = []
    for b, row in enumerate(F.labels.tolist()):
        for t, label in enumerate(row):
            if label != -100:
                teacher = [z - 3.0 * (v == label) for v, z in enumerate(before[b][t - 1])]
                q = [math.exp(value) for value in log_softmax(teacher)]
                found.append(-sum(a * c for a, c in zip(q, log_softmax(now[b][t - 1]), strict=True)))
    assert total("undial", beta=3.0) == close(mean(found))


def test_rmu_steers_masked_activations() -> None:
    u = direction(WIDTH, seed=0)
    assert float(u.norm()) == pytest.approx(1)
    assert bool((u >= 0).all())
    goal = [20.0 * float(value) for value in u]
    forget, kept = [], []
    for b, seen in enumerate(F.attention_mask.tolist()):
        states = NOW(F.input_ids).hidden_states[2][b].tolist()  # output of layer 1: the embeddings come first
        forget += [
            mean([(h - g) ** 2 for h, g in zip(states[t], goal, strict=True)]) for t in range(len(seen)) if seen[t]
        ]
    for b, seen in enumerate(R.attention_mask.tolist()):
        now, before = (model(R.input_ids).hidden_states[2][b].tolist() for model in (NOW, BEFORE))
        kept += [
            mean([(h - g) ** 2 for h, g in zip(now[t], before[t], strict=True)]) for t in range(len(seen)) if seen[t]
        ]
    assert terms("rmu", layer=1) == {"forget": close(mean(forget)), "retain": close(100 * mean(kept))}


def test_squared_error_leaves_padding_out() -> None:
    hidden = torch.tensor([[[1.0, 3.0], [100.0, 100.0]]])
    assert float(squared_error(hidden, torch.zeros(2), torch.tensor([[True, False]]))) == 5.0


def test_the_worked_numbers_of_ssd() -> None:
    weight = torch.tensor([1.0, -2.0, 3.0])
    chosen = dampen(weight, torch.tensor([2.0, 1.0, 0.5]), torch.tensor([0.1, 0.5, 0.01]), 10.0, 1.0)
    assert weight.tolist() == pytest.approx([0.05, -2.0, 0.06])
    assert chosen == 2


def test_dampening_never_strengthens_a_weight() -> None:
    weight = torch.tensor([2.0])
    dampen(weight, torch.tensor([1.0]), torch.tensor([0.9]), 1.0, 5.0)
    assert weight.tolist() == [2.0]


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


class Tilted(torch.nn.Module):
    """Logits that are twice one vector of weights, for every token."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(weight)
        self.unused = torch.nn.Parameter(torch.zeros(2))

    def forward(self, input_ids: Tensor, **_: Any) -> Any:
        return SimpleNamespace(logits=(2 * self.weight).expand(*input_ids.shape, -1))


def test_importances_are_mean_squares_of_single_gradients_in_float32() -> None:
    """Of a softmax, the gradient is known: the mean over targets of p - onehot, here times two."""
    start = torch.tensor([0.5, -1.0, 2.0]).bfloat16()
    model = Tilted(start)
    rows = [[0, 1], [2], [1, 1]]
    batches = [batch(([0], targets)) for targets in rows]
    weights = dict(model.named_parameters())
    found = importances(model, weights, iter(batches))
    p = (2 * start.double()).softmax(0)
    singles = [2 * (p - torch.nn.functional.one_hot(torch.tensor(r), 3).double().mean(0)) for r in rows]
    expected = torch.stack([single**2 for single in singles]).mean(0)
    assert found["weight"].dtype == torch.float32
    # Each gradient comes in the weights' bfloat16; a sum in bfloat16 would lose small ones beside large ones.
    assert torch.allclose(found["weight"].double(), expected, rtol=2e-2)
    assert not found["unused"].any()
    many = importances(model, weights, [batches[0]] * 1000)
    one = importances(model, weights, [batches[0]])
    assert torch.allclose(many["weight"], one["weight"], rtol=1e-4)
    assert all(weight.grad is None for weight in model.parameters())
