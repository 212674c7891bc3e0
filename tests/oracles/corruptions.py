"""Corruption functions, entry by entry."""

from __future__ import annotations


def zero_out_top_k(rows: list[list[float]], k: int) -> list[list[float]]:
    result = []
    for row in rows:
        row = list(row)
        zeroed: set[int] = set()
        for _ in range(k):
            left = [j for j in range(len(row)) if j not in zeroed]
            zeroed.add(max(left, key=lambda j: (abs(row[j]), -j)))
        result.append([0.0 if j in zeroed else x for j, x in enumerate(row)])
    return result
