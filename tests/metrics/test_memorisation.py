from __future__ import annotations

import numpy as np
import pytest

from oracles import metrics as oracle
from unlearned.errors import DataError
from unlearned.metrics.memorisation import exact_memorisation, extraction_strength

TARGETS = (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("predicted", "strength", "in_reference", "exact"),
    [
        ((1, 2, 3, 4), 1, 1, 1),
        ((9, 2, 3, 4), 0.75, 0.75, 0.75),
        ((1, 2, 9, 4), 0.25, 0.25, 0.75),
        ((1, 2, 3, 9), 0, 0.25, 0.75),
    ],
)
def test_the_small_examples(predicted: tuple[int, ...], strength: float, in_reference: float, exact: float) -> None:
    assert extraction_strength(predicted, TARGETS, drop_last=False) == strength
    assert extraction_strength(predicted, TARGETS, drop_last=False, ref_compat=True) == in_reference
    assert exact_memorisation(predicted, TARGETS, drop_last=False) == exact


def test_the_end_of_sequence_is_dropped_by_default() -> None:
    assert extraction_strength((9, 2, 3, 4, 7), (*TARGETS, 0)) == 0.75
    assert exact_memorisation((9, 2, 3, 4, 7), (*TARGETS, 0)) == 0.75
    assert exact_memorisation((9, 2, 3, 4, 7), (*TARGETS, 0), drop_last=False) == 0.6


def test_extraction_strength_tries_every_prefix() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        length = int(generator.integers(1, 7))
        targets, predicted = generator.integers(0, 2, size=(2, length)).tolist()
        expected = oracle.extraction_strength(predicted, targets)
        assert extraction_strength(predicted, targets, drop_last=False) == pytest.approx(expected)


@pytest.mark.parametrize("function", [exact_memorisation, extraction_strength])
def test_a_text_without_targets_is_an_error(function: object) -> None:
    with pytest.raises(DataError, match="No target token is left"):
        function((1,), (1,))  # type: ignore[operator]
    with pytest.raises(DataError, match="both must be"):
        function((1, 2), (1, 2, 3))  # type: ignore[operator]
