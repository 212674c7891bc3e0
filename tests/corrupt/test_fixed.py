"""Corruptions without chance, by values worked out by hand."""

from __future__ import annotations

import pytest
import torch

from unlearned.corrupt.functions import corruptions
from unlearned.errors import CorruptionError

ROWS = [[1.0, -5.0, 3.0, 0.5], [-2.0, 2.0, -2.0, 2.0]]  # the second has ties


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("zero_out_first_n", [[0.0, 0.0, 3.0, 0.5], [0.0, 0.0, -2.0, 2.0]]),
        ("zero_out_top_k", [[1.0, 0.0, 0.0, 0.5], [0.0, 0.0, -2.0, 2.0]]),
        ("flip_sign_first_n", [[-1.0, 5.0, 3.0, 0.5], [2.0, -2.0, -2.0, 2.0]]),
        ("flip_sign_top_k", [[1.0, 5.0, -3.0, 0.5], [2.0, -2.0, -2.0, 2.0]]),
    ],
)
def test_two_coordinates_of_each_token_are_zeroed_or_flipped(name: str, expected: list[list[float]]) -> None:
    assert corruptions.get(name).function(torch.tensor(ROWS), dims=2).tolist() == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("add_value_first_n", [[11.0, 5.0, 3.0, 0.5], [8.0, 12.0, -2.0, 2.0]]),
        ("sub_value_first_n", [[-9.0, -15.0, 3.0, 0.5], [-12.0, -8.0, -2.0, 2.0]]),
        ("add_value_least_k", [[1.0, 5.0, 3.0, 10.5], [8.0, 2.0, 8.0, 2.0]]),  # the lowest by sign, not by size
        ("sub_value_top_k", [[-9.0, -5.0, -7.0, 0.5], [-2.0, -8.0, -2.0, -8.0]]),
    ],
)
def test_ten_is_added_to_or_taken_from_two_coordinates_of_each_token(name: str, expected: list[list[float]]) -> None:
    assert corruptions.get(name).function(torch.tensor(ROWS), sigma=10.0, dims=2).tolist() == expected


@pytest.mark.parametrize(
    ("name", "arguments", "changed"),
    [
        ("zero_out_top_k", {}, 0),
        ("flip_sign_top_k", {}, 0),
        ("add_value_least_k", {"sigma": 1.0}, 1),
        ("sub_value_top_k", {"sigma": 1.0}, 0),
    ],
)
def test_of_equal_values_the_lower_coordinate_goes_first(name: str, arguments: dict[str, float], changed: int) -> None:
    ties = torch.tensor([[4.0, -4.0, 4.0, -4.0]])
    found = corruptions.get(name).function(ties, dims=1, **arguments)
    assert (found != ties)[0].nonzero().flatten().tolist() == [changed]


def test_zero_and_minus_zero_are_a_tie() -> None:
    zeros = torch.tensor([[0.0, -0.0]])
    assert corruptions.get("add_value_least_k").function(zeros, sigma=1.0, dims=1).tolist() == [[1.0, 0.0]]
    assert corruptions.get("sub_value_top_k").function(zeros.flip(1), sigma=1.0, dims=1).tolist() == [[-1.0, 0.0]]


def test_flipping_every_sign_is_negation_and_twice_is_nothing() -> None:
    rows = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    for name in ("flip_sign_first_n", "flip_sign_top_k"):
        flip = corruptions.get(name).function
        assert torch.equal(flip(rows, dims=6), -rows)
        assert torch.equal(flip(flip(rows, dims=4), dims=4), rows)


@pytest.mark.parametrize("name", ["add_value_first_n", "sub_value_first_n", "add_value_least_k", "sub_value_top_k"])
def test_a_value_that_overflows_with_a_changed_entry_is_refused_with_both_numbers(name: str) -> None:
    vectors = torch.full((1, 2), 60_000.0, dtype=torch.float16)
    function = corruptions.get(name).function
    assert function(vectors, sigma=5000.0, dims=2).isfinite().all()
    with pytest.raises(
        CorruptionError, match=r"Adding up to 6000 to embeddings of up to 60000 overflows torch.float16"
    ):
        function(vectors, sigma=6000.0, dims=2)


def test_an_entry_that_is_not_changed_cannot_overflow() -> None:
    vectors = torch.tensor([[1.0, 60_000.0]], dtype=torch.float16)
    assert corruptions.get("add_value_first_n").function(vectors, sigma=6000.0, dims=1)[0, 1] == 60_000
