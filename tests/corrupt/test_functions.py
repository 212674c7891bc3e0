"""Both corruption functions: values, edge cases, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from oracles.corruptions import zero_out_top_k as naive_zero_out_top_k
from unlearned.corrupt.functions import corruptions, rand_noise_first_n, zero_out_top_k
from unlearned.errors import CorruptionError, UnknownNameError


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def _vectors(n: int = 5, d: int = 8, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(1)).to(dtype)


def _bits(x: Tensor) -> list[int]:
    return x.contiguous().view(torch.uint8).flatten().tolist()


def test_rand_noise_adds_sigma_times_the_generators_normal_numbers_to_the_first_dims() -> None:
    vectors = torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.0, 4.0]])
    noise = _rng().standard_normal((2, 2))  # token by token, dimension by dimension
    found = rand_noise_first_n(vectors, sigma=0.5, dims=2, generator=_rng())
    expected = [
        [1.0 + 0.5 * noise[0, 0], 2.0 + 0.5 * noise[0, 1], 3.0],
        [-1.0 + 0.5 * noise[1, 0], 0.0 + 0.5 * noise[1, 1], 4.0],
    ]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_rand_noise_has_the_asked_standard_deviation_and_no_bias() -> None:
    clean = torch.zeros(200, 500)
    noise = rand_noise_first_n(clean, sigma=0.3, dims=500, generator=_rng())
    assert abs(float(noise.std()) - 0.3) < 5 * 0.3 / np.sqrt(2 * noise.numel())
    assert abs(float(noise.mean())) < 5 * 0.3 / np.sqrt(noise.numel())
    assert abs(float((noise[:, 0] * noise[:, 1]).mean())) < 5 * 0.09 / np.sqrt(200)  # coordinates are independent
    assert abs(float((noise[0] * noise[1]).mean())) < 5 * 0.09 / np.sqrt(500)  # and so are tokens


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("dims", [0, 1, 3, 8])
def test_rand_noise_leaves_the_other_coordinates_bit_identical(dtype: torch.dtype, dims: int) -> None:
    vectors = _vectors(dtype=dtype)
    found = rand_noise_first_n(vectors, sigma=2.0, dims=dims, generator=_rng())
    assert found.dtype == dtype
    assert found.shape == vectors.shape
    assert _bits(found[:, dims:]) == _bits(vectors[:, dims:])
    assert (found[:, :dims] != vectors[:, :dims]).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_zero_strength_changes_no_bit(dtype: torch.dtype) -> None:
    vectors = _vectors(dtype=dtype)
    assert _bits(rand_noise_first_n(vectors, sigma=0.0, dims=8, generator=_rng())) == _bits(vectors)


def test_rand_noise_is_rounded_once_whatever_the_dtype() -> None:
    vectors = _vectors(dtype=torch.bfloat16)
    noise = torch.from_numpy(0.7 * _rng().standard_normal((5, 8)))
    found = rand_noise_first_n(vectors, sigma=0.7, dims=8, generator=_rng())
    assert torch.equal(found, (vectors.double() + noise).to(torch.bfloat16))


def test_the_same_generator_key_gives_the_same_noise_in_every_precision() -> None:
    vectors = _vectors(dtype=torch.bfloat16)
    low = rand_noise_first_n(vectors, sigma=1.0, dims=8, generator=_rng())
    high = rand_noise_first_n(vectors.float(), sigma=1.0, dims=8, generator=_rng())
    assert torch.equal(low, high.to(torch.bfloat16))


@pytest.mark.parametrize(
    ("dtype", "sigma", "fits"),
    [
        (torch.float16, 1.0e4, True),
        (torch.float16, 1.1e4, False),
        (torch.bfloat16, 1e6, True),
        (torch.bfloat16, 5e37, True),
        (torch.bfloat16, 6e37, False),
        (torch.float32, 6e37, False),
        (torch.float64, 1e300, True),
        (torch.float16, float("inf"), False),
    ],
)
def test_noise_that_would_overflow_the_dtype_is_refused(dtype: torch.dtype, sigma: float, fits: bool) -> None:
    vectors = _vectors(dtype=dtype)
    if fits:
        assert torch.isfinite(rand_noise_first_n(vectors, sigma=sigma, dims=8, generator=_rng())).all()
    else:
        with pytest.raises(CorruptionError, match=f"sigma=.*overflows {dtype}"):
            rand_noise_first_n(vectors, sigma=sigma, dims=8, generator=_rng())


def test_a_strength_that_is_no_number_is_refused() -> None:
    with pytest.raises(CorruptionError, match="sigma=nan"):
        rand_noise_first_n(_vectors(), sigma=float("nan"), dims=8, generator=_rng())


def test_zero_out_top_k_zeroes_the_largest_absolute_values_of_each_token() -> None:
    vectors = torch.tensor([[1.0, -5.0, 3.0, 0.5], [0.1, 0.2, -0.3, 0.4], [-9.0, 1.0, 2.0, 8.0]])
    expected = [[1.0, 0.0, 0.0, 0.5], [0.1, 0.2, 0.0, 0.0], [0.0, 1.0, 2.0, 0.0]]
    assert torch.equal(zero_out_top_k(vectors, dims=2), torch.tensor(expected))


def test_of_equal_absolute_values_the_lower_coordinate_goes_first() -> None:
    vectors = torch.tensor([[2.0, -2.0, 2.0, 1.0], [0.0, 0.0, 3.0, -3.0]])
    assert zero_out_top_k(vectors, dims=2).tolist() == [[0.0, 0.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    assert zero_out_top_k(vectors, dims=1).tolist() == [[0.0, -2.0, 2.0, 1.0], [0.0, 0.0, 0.0, -3.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("dims", [0, 1, 5, 8])
def test_zero_out_top_k_agrees_with_the_naive_oracle(dtype: torch.dtype, dims: int) -> None:
    vectors = (_vectors(20) * 4).round().div(4).to(dtype)  # with ties
    found = zero_out_top_k(vectors, dims=dims)
    assert found.dtype == dtype
    assert found.tolist() == naive_zero_out_top_k(vectors.tolist(), dims)


def _apply(name: str, vectors: Tensor, dims: int) -> Tensor:
    if name == "zero_out_top_k":
        return zero_out_top_k(vectors, dims=dims)
    return rand_noise_first_n(vectors, sigma=3.0, dims=dims, generator=_rng())


BOTH = pytest.mark.parametrize("name", ["rand_noise_first_n", "zero_out_top_k"])


@BOTH
def test_the_argument_is_not_written_to(name: str) -> None:
    vectors = _vectors()
    before = vectors.clone()
    _apply(name, vectors, 8)
    assert torch.equal(vectors, before)


@BOTH
def test_no_dims_means_no_change_and_a_new_tensor(name: str) -> None:
    vectors = _vectors()
    found = _apply(name, vectors, 0)
    assert _bits(found) == _bits(vectors)
    found[0, 0] = 99.0
    assert vectors[0, 0] != 99.0


@BOTH
@pytest.mark.parametrize("dims", [-1, 9, 10_000])
def test_dims_outside_the_embedding_width_are_refused(name: str, dims: int) -> None:
    with pytest.raises(CorruptionError, match=f"dims={dims}, but the embeddings have 8 coordinates"):
        _apply(name, _vectors(), dims)


@BOTH
@pytest.mark.parametrize("dims", [0, 8])
def test_an_empty_selection_stays_empty(name: str, dims: int) -> None:
    assert _apply(name, torch.zeros(0, 8), dims).shape == (0, 8)


@BOTH
@pytest.mark.parametrize("shape", [(8,), (2, 3, 8)])
def test_anything_but_the_vectors_of_one_prompt_is_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(CorruptionError, match=r"Expected the vectors of one prompt, \(N, D\)"):
        _apply(name, torch.zeros(shape), 1)


@BOTH
def test_non_contiguous_vectors_are_fine(name: str) -> None:
    wide = _vectors(8, 8)
    assert torch.equal(_apply(name, wide.T, 4), _apply(name, wide.T.contiguous(), 4))


def test_both_functions_are_registered_with_what_they_take() -> None:
    assert corruptions.names() == ["rand_noise_first_n", "zero_out_top_k"]
    assert corruptions.get("rand_noise_first_n").takes_sigma
    assert not corruptions.get("zero_out_top_k").takes_sigma
    with pytest.raises(
        UnknownNameError, match=r"Unknown corruption 'rand_nose_first_n'. Did you mean 'rand_noise_first_n'"
    ):
        corruptions.get("rand_nose_first_n")
