"""Corruption functions, entry by entry, in float64: lists of rows in, lists of rows out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

Rows = list[list[float]]
Rng = np.random.Generator


def _first(row: Sequence[float], k: int) -> list[int]:
    return list(range(k))


def _top(row: Sequence[float], k: int) -> list[int]:
    chosen: list[int] = []
    for _ in range(k):
        left = [j for j in range(len(row)) if j not in chosen]
        chosen.append(max(left, key=lambda j: (row[j], -j)))
    return chosen


def _top_abs(row: Sequence[float], k: int) -> list[int]:
    return _top([abs(x) for x in row], k)


def _least(row: Sequence[float], k: int) -> list[int]:
    return _top([-x for x in row], k)


def _changed(
    rows: Rows, k: int, choose: Callable[[Sequence[float], int], list[int]], effect: Callable[[float], float]
) -> Rows:
    result = []
    for row in rows:
        new = list(row)
        for j in choose(row, k):
            new[j] = effect(row[j])
        result.append(new)
    return result


def rand_noise_first_n(rows: Rows, sigma: float, dims: int, generator: Rng) -> Rows:
    return _changed(rows, dims, _first, lambda x: x + sigma * generator.standard_normal())


def rand_noise_rand_n(rows: Rows, sigma: float, dims: int, generator: Rng) -> Rows:
    width = len(rows[0]) if rows else 0
    chosen = generator.permutation(width).tolist()[:dims]
    return _changed(rows, dims, lambda row, k: chosen, lambda x: x + sigma * generator.standard_normal())


def rand_noise_top_k(rows: Rows, sigma: float, dims: int, generator: Rng) -> Rows:
    return _changed(rows, dims, _top_abs, lambda x: x + sigma * generator.standard_normal())


def set_rand_noise_first_n(rows: Rows, sigma: float, dims: int, generator: Rng) -> Rows:
    return _changed(rows, dims, _first, lambda x: sigma * generator.standard_normal())


def zero_out_first_n(rows: Rows, dims: int) -> Rows:
    return _changed(rows, dims, _first, lambda x: 0.0)


def zero_out_top_k(rows: Rows, dims: int) -> Rows:
    return _changed(rows, dims, _top_abs, lambda x: 0.0)


def flip_sign_first_n(rows: Rows, dims: int) -> Rows:
    return _changed(rows, dims, _first, lambda x: -x)


def flip_sign_top_k(rows: Rows, dims: int) -> Rows:
    return _changed(rows, dims, _top_abs, lambda x: -x)


def add_value_first_n(rows: Rows, sigma: float, dims: int) -> Rows:
    return _changed(rows, dims, _first, lambda x: x + sigma)


def sub_value_first_n(rows: Rows, sigma: float, dims: int) -> Rows:
    return _changed(rows, dims, _first, lambda x: x - sigma)


def add_value_least_k(rows: Rows, sigma: float, dims: int) -> Rows:
    return _changed(rows, dims, _least, lambda x: x + sigma)


def sub_value_top_k(rows: Rows, sigma: float, dims: int) -> Rows:
    return _changed(rows, dims, _top, lambda x: x - sigma)


def shuffle(rows: Rows, generator: Rng) -> Rows:
    if all(row == rows[0] for row in rows):
        return _nothing(rows)
    while True:
        shuffled = [rows[i] for i in generator.permutation(len(rows))]
        if shuffled != rows:
            return shuffled


def reverse_order(rows: Rows) -> Rows:
    reverse = [rows[len(rows) - 1 - i] for i in range(len(rows))]
    return _nothing(rows) if reverse == rows else reverse


def _nothing(rows: Rows) -> Rows:
    return [[0.0] * len(row) for row in rows]


def neighbours(row: Sequence[float], bank: Rows, nearest: int = 16) -> list[int]:
    def cosine(other: Sequence[float]) -> float:
        lengths = math.sqrt(sum(x * x for x in row)) * math.sqrt(sum(x * x for x in other))
        return round(sum(x * y for x, y in zip(row, other, strict=True)) / lengths, 9) if lengths else 0.0

    others = [j for j in range(len(bank)) if list(bank[j]) != list(row)]
    return sorted(others, key=lambda j: (-cosine(bank[j]), j))[:nearest]


def semantic(rows: Rows, sigma: float, bank: Rows, generator: Rng) -> Rows:
    result = []
    for row in rows:
        near = neighbours(row, bank)
        target = bank[near[math.floor(generator.random() * len(near))]]
        result.append([x + sigma * (v - x) for x, v in zip(row, target, strict=True)])
    return result


def adversarial(rows: Rows, sigma: float, direction: list[float]) -> Rows:
    return [[x + sigma * math.sqrt(len(row)) * u for x, u in zip(row, direction, strict=True)] for row in rows]


entity_substitution = rand_noise_first_n
