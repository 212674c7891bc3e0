"""Noise corruptions: which coordinates, how much, and always the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from cases import every
from unlearned.corrupt.functions import corruptions
from unlearned.corrupt.noise import rand_noise_first_n, rand_noise_rand_n, rand_noise_top_k, set_rand_noise_first_n
from unlearned.errors import CorruptionError

EACH = pytest.mark.parametrize("name", [name for name in corruptions.names() if "noise" in name])


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def _vectors(n: int = 5, d: int = 8, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(1)).to(dtype)


def _apply(name: str, vectors: Tensor, sigma: float, dims: int, seed: int = 0) -> Tensor:
    return corruptions.get(name).function(vectors, sigma=sigma, dims=dims, generator=_rng(seed))


def test_first_n_adds_sigma_times_the_generators_normal_numbers_to_the_first_dims() -> None:
    vectors = torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.0, 4.0]])
    noise = _rng().standard_normal((2, 2))  # token by token, dimension by dimension
    expected = [
        [1.0 + 0.5 * noise[0, 0], 2.0 + 0.5 * noise[0, 1], 3.0],
        [-1.0 + 0.5 * noise[1, 0], 0.0 + 0.5 * noise[1, 1], 4.0],
    ]
    found = rand_noise_first_n(vectors, sigma=0.5, dims=2, generator=_rng())
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_set_puts_the_noise_in_the_place_of_the_first_dims() -> None:
    noise = _rng().standard_normal((2, 2))
    found = set_rand_noise_first_n(torch.full((2, 3), 1e6), sigma=0.5, dims=2, generator=_rng())
    np.testing.assert_allclose(found.numpy(), np.c_[0.5 * noise, [1e6, 1e6]], rtol=1e-6)


def test_top_k_adds_noise_to_the_largest_absolute_values_of_each_token_the_largest_first() -> None:
    vectors = torch.tensor([[1.0, -5.0, 3.0], [4.0, 4.0, -4.0]])  # ties: the lower coordinate
    noise = _rng().standard_normal((2, 2))
    expected = [
        [1.0, -5.0 + 0.5 * noise[0, 0], 3.0 + 0.5 * noise[0, 1]],
        [4.0 + 0.5 * noise[1, 0], 4.0 + 0.5 * noise[1, 1], -4.0],
    ]
    found = rand_noise_top_k(vectors, sigma=0.5, dims=2, generator=_rng())
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_rand_n_disturbs_one_set_of_coordinates_shared_by_all_tokens() -> None:
    changed = rand_noise_rand_n(torch.zeros(50, 100), sigma=1.0, dims=7, generator=_rng()) != 0
    assert (changed == changed[0]).all()
    assert changed[0].sum() == 7


def test_rand_n_draws_every_coordinate_equally_often() -> None:
    calls, width, dims = 4000, 8, 3
    generator = _rng()
    times = torch.zeros(width)
    for _ in range(calls):
        times += (rand_noise_rand_n(torch.zeros(1, width), sigma=1.0, dims=dims, generator=generator) != 0)[0]
    share = dims / width
    assert ((times / calls - share).abs() < 5 * np.sqrt(share * (1 - share) / calls)).all()


@EACH
def test_the_noise_has_the_asked_standard_deviation_and_no_bias(name: str) -> None:
    noise = _apply(name, torch.zeros(200, 500), sigma=0.3, dims=500)
    assert abs(float(noise.std()) - 0.3) < 5 * 0.3 / np.sqrt(2 * noise.numel())
    assert abs(float(noise.mean())) < 5 * 0.3 / np.sqrt(noise.numel())
    assert abs(float((noise.abs() < 0.3).float().mean()) - 0.6827) < 5 * 0.4654 / np.sqrt(noise.numel())  # is normal
    assert abs(float((noise[:, 0] * noise[:, 1]).mean())) < 5 * 0.09 / np.sqrt(200)  # coordinates are independent
    assert abs(float((noise[0] * noise[1]).mean())) < 5 * 0.09 / np.sqrt(500)  # and so are tokens


def test_zero_strength_sets_zeros_where_noise_would_replace() -> None:
    found = set_rand_noise_first_n(_vectors(), sigma=0.0, dims=3, generator=_rng())
    assert torch.equal(found[:, :3], torch.zeros(5, 3))
    assert torch.equal(found[:, 3:], _vectors()[:, 3:])


@EACH
def test_the_noise_is_rounded_once_and_the_same_in_every_precision(name: str) -> None:
    vectors = _vectors(dtype=torch.bfloat16)
    low = _apply(name, vectors, sigma=0.7, dims=5)
    assert torch.equal(low, _apply(name, vectors.double(), sigma=0.7, dims=5).to(torch.bfloat16))


@EACH
@every(
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
        (torch.float16, float("nan"), False),
    ],
)
def test_noise_that_would_overflow_the_dtype_is_refused(
    name: str, dtype: torch.dtype, sigma: float, fits: bool
) -> None:
    vectors = _vectors(dtype=dtype)
    if fits:
        assert torch.isfinite(_apply(name, vectors, sigma=sigma, dims=8)).all()
    else:
        with pytest.raises(CorruptionError, match=f"sigma={sigma:g}".replace("+", r"\+") + f" overflows {dtype}"):
            _apply(name, vectors, sigma=sigma, dims=8)


@pytest.mark.parametrize("name", ["rand_noise_first_n", "rand_noise_rand_n", "rand_noise_top_k"])
def test_noise_that_overflows_together_with_the_vector_is_refused(name: str) -> None:
    with pytest.raises(CorruptionError, match=r"to embeddings of up to 65504 overflows torch.float16"):
        _apply(name, torch.full((9, 8), 65504.0, dtype=torch.float16), sigma=1e4, dims=8)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rand_noise_first_n", [1.159295466006233, -3.7741885208017214, 3.0]),
        ("rand_noise_rand_n", [1.0, -0.6734881181169108, 4.204809097949315]),
        ("rand_noise_top_k", [1.0, -3.7741885208017214, 3.159295466006233]),
        ("set_rand_noise_first_n", [0.15929546600623282, -1.7741885208017214, 3.0]),
    ],
)
def test_the_noise_of_this_version_is_that_of_every_later_one(name: str, expected: list[float]) -> None:
    # An artifact must corrupt the same way after an upgrade, of numpy too.
    vectors = torch.tensor([[1.0, -2.0, 3.0]], dtype=torch.float64)
    assert _apply(name, vectors, sigma=1.0, dims=2)[0].tolist() == pytest.approx(expected, rel=1e-12)
