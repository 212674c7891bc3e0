"""Which rows share a forward pass: as many as are asked for, but never many short ones with a long one.

Every row of a batch is padded to the longest. Bounding rows alone lets one prompt of 2,000 tokens make fifteen short
ones cost 2,000 tokens each; so what a batch may waste is bounded, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WASTE = 1.5
"""A row joins a batch while padded tokens are at most so many times the useful ones."""

FORWARD = 64
"""Tokens; padding up to so many costs less than another forward pass."""

ANSWER = 256
"""Tokens; padding up to so many costs less than another batch of answers, with a pass for every new token."""


def by_length(lengths: Sequence[int], most: int, *, free: float = FORWARD) -> list[list[int]]:
    """Batches of rows of similar length, longest first, so that memory runs out at once or never.

    Args:
        lengths: of N rows, in tokens (or characters).
        most: rows of a batch.
        free: padding that is allowed in any case, in the same unit.

    Returns:
        Every index once. The same lengths always give the same batches.
    """
    return in_order(sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)), lengths, most, free=free)


def in_order(order: Iterable[int], lengths: Sequence[int], most: int, *, free: float = FORWARD) -> list[list[int]]:
    """The rows in this order, cut into batches."""
    batches: list[list[int]] = []
    for index in order:
        if batches and len(batches[-1]) < most and fits(lengths[index], [lengths[n] for n in batches[-1]], free=free):
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def fits(length: int, others: Sequence[int], *, free: float = FORWARD) -> bool:
    """Whether a row of this length may join these."""
    padded = max([length, *others]) * (len(others) + 1)
    useful = length + sum(others)
    return padded <= WASTE * useful or padded - useful <= free
