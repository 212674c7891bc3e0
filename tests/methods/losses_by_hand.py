"""Losses worked out by hand: plain loops over tokens, one softmax at a time, of a model whose outputs are fixed."""

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
from unlearned.methods.registry import make_method
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
