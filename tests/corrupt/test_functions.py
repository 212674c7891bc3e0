"""What every corruption function does alike: agreement with a naive oracle, edge cases, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cases import every
from oracles import corruptions as oracles
from unlearned.corrupt.functions import CorruptionFunction, corruptions
from unlearned.errors import CorruptionError, UnknownNameError

WIDTH = 8
BANK = np.random.default_rng(3).standard_normal((40, WIDTH)).astype(np.float32)
DIRECTION = BANK[0] / np.linalg.norm(BANK[0])
LOW_PRECISION = [torch.float32, torch.bfloat16, torch.float16]
NAMES = corruptions.names()
WITH_DIMS = [name for name in NAMES if corruptions.get(name).takes_dims]
WITH_SIGMA = [name for name in NAMES if corruptions.get(name).takes_sigma]

EACH = pytest.mark.parametrize("name", NAMES)
EACH_WITH_DIMS = pytest.mark.parametrize("name", WITH_DIMS)
EVERY_DTYPE = every("dtype", LOW_PRECISION)


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def _vectors(n: int = 5, dtype: torch.dtype = torch.float32, d: int = WIDTH) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(1)).to(dtype)


def _arguments(name: str, dims: int = 3, sigma: float = 0.75, seed: int = 0) -> dict[str, Any]:
    values = {"sigma": sigma, "dims": dims, "generator": _rng(seed), "bank": BANK, "direction": DIRECTION}
    return {key: values[key] for key in corruptions.get(name).parameters}


def _apply(name: str, vectors: Tensor, dims: int = 3, sigma: float = 0.75, seed: int = 0) -> Tensor:
    return corruptions.get(name).function(vectors, **_arguments(name, dims, sigma, seed))


def _bits(x: Tensor) -> list[int]:
    return x.contiguous().view(torch.uint8).flatten().tolist()


@EACH
@EVERY_DTYPE
@every("n", [0, 1, 2, 12])
@every("dims", [0, 1, 3, WIDTH])
def test_every_function_agrees_with_the_naive_oracle(name: str, dtype: torch.dtype, n: int, dims: int) -> None:
    vectors = (_vectors(n, dtype) * 4).round().div(4)  # with ties
    arguments = _arguments(name, dims)
    if "bank" in arguments:
        arguments["bank"] = torch.from_numpy(BANK).to(dtype).tolist()
    if "direction" in arguments:
        arguments["direction"] = DIRECTION.tolist()  # float64
    expected = getattr(oracles, name)(vectors.tolist(), **arguments)
    found = _apply(name, vectors, dims)
    assert found.dtype == dtype
    assert torch.equal(found, torch.tensor(expected, dtype=torch.float64).reshape(n, WIDTH).to(dtype))


@EACH
@every("dtype", [*LOW_PRECISION, torch.float64])
def test_the_argument_is_not_written_to_and_the_result_is_a_new_tensor(name: str, dtype: torch.dtype) -> None:
    vectors = _vectors(dtype=dtype)
    before = vectors.clone()
    found = _apply(name, vectors)
    assert _bits(found) != _bits(before)
    found.fill_(99.0)
    assert _bits(vectors) == _bits(before)


@EACH
def test_the_key_decides_and_nothing_else(name: str) -> None:
    vectors = _vectors()
    found = _apply(name, vectors, seed=1)
    torch.manual_seed(7)
    assert torch.equal(found, _apply(name, vectors, seed=1))
    takes_chance = corruptions.get(name).takes_generator
    assert takes_chance == any(not torch.equal(found, _apply(name, vectors, seed=s)) for s in range(2, 6))


@every("name", NAMES)
def test_non_contiguous_vectors_are_fine(name: str) -> None:
    wide = _vectors(WIDTH)
    assert torch.equal(_apply(name, wide.T), _apply(name, wide.T.contiguous()))


@EACH_WITH_DIMS
@every("n", [0, 1, 5])
@EVERY_DTYPE
def test_no_dims_means_no_change_and_a_new_tensor(name: str, n: int, dtype: torch.dtype) -> None:
    vectors = _vectors(n, dtype)
    found = _apply(name, vectors, dims=0)
    assert _bits(found) == _bits(vectors)
    assert n == 0 or found.data_ptr() != vectors.data_ptr()


@EACH_WITH_DIMS
@EVERY_DTYPE
@every("dims", [1, 3, WIDTH])
def test_so_many_coordinates_of_each_token_change_and_the_others_keep_every_bit(
    name: str, dtype: torch.dtype, dims: int
) -> None:
    vectors = _vectors(dtype=dtype)
    assert ((_apply(name, vectors, dims, sigma=5.0) != vectors).sum(dim=1) == dims).all()


@EACH_WITH_DIMS
@every("dims", [-1, 9, 10_000])
@every("n", [0, 5])
def test_dims_outside_the_embedding_width_are_refused(name: str, dims: int, n: int) -> None:
    with pytest.raises(CorruptionError, match=f"dims={dims}, but the embeddings have 8 coordinates"):
        _apply(name, _vectors(n), dims)


@every("name", NAMES)
@every("dims", [0, WIDTH])
def test_an_empty_selection_stays_empty(name: str, dims: int) -> None:
    found = _apply(name, torch.zeros(0, WIDTH, dtype=torch.bfloat16), dims)
    assert (found.shape, found.dtype) == ((0, WIDTH), torch.bfloat16)


@EACH
@every("shape", [(), (WIDTH,), (2, 3, WIDTH)])
def test_anything_but_the_vectors_of_one_prompt_is_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(CorruptionError, match=r"Expected the vectors of one prompt, \(N, D\)"):
        _apply(name, torch.zeros(shape), dims=1)


@pytest.mark.parametrize("name", sorted(set(WITH_SIGMA) - {"set_rand_noise_first_n"}))
@every("dtype", [*LOW_PRECISION, torch.float64])
def test_zero_strength_changes_no_bit_not_even_the_sign_of_zero(name: str, dtype: torch.dtype) -> None:
    vectors = torch.cat([_vectors(dtype=dtype), torch.full((2, WIDTH), -0.0, dtype=dtype), _vectors(1, dtype) * 0])
    assert _bits(_apply(name, vectors, dims=WIDTH, sigma=0.0)) == _bits(vectors)


@pytest.mark.parametrize("name", WITH_SIGMA)
def test_a_strength_that_is_no_number_is_refused(name: str) -> None:
    with pytest.raises(CorruptionError, match=r"nan"):
        _apply(name, _vectors(), sigma=float("nan"))


@pytest.mark.parametrize("name", [name for name in WITH_SIGMA if name != "semantic"])
@every(("sigma", "fits"), [(1e4, True), (6.6e4, False), (float("inf"), False)])
def test_a_strength_that_would_overflow_float16_is_refused(name: str, sigma: float, fits: bool) -> None:
    vectors = _vectors(dtype=torch.float16)
    if fits:
        assert torch.isfinite(_apply(name, vectors, sigma=sigma)).all()
    else:
        with pytest.raises(CorruptionError, match=r"overflows torch.float16. Load the model in bfloat16 or lower"):
            _apply(name, vectors, sigma=sigma)


def test_every_function_of_the_paper_and_three_more_are_registered_with_what_they_take() -> None:
    noise = ("sigma", "dims", "generator")
    assert {name: corruptions.get(name).parameters for name in NAMES} == {
        "entity_substitution": noise,
        "rand_noise_first_n": noise,
        "rand_noise_rand_n": noise,
        "rand_noise_top_k": noise,
        "set_rand_noise_first_n": noise,
        "zero_out_first_n": ("dims",),
        "zero_out_top_k": ("dims",),
        "flip_sign_first_n": ("dims",),
        "flip_sign_top_k": ("dims",),
        "add_value_first_n": ("sigma", "dims"),
        "sub_value_first_n": ("sigma", "dims"),
        "add_value_least_k": ("sigma", "dims"),
        "sub_value_top_k": ("sigma", "dims"),
        "shuffle": ("generator",),
        "reverse_order": (),
        "semantic": ("sigma", "bank", "generator"),
        "adversarial": ("sigma", "direction"),
    }
    assert [name for name in NAMES if not corruptions.get(name).relative] == ["semantic"]


@every("name", NAMES)
def test_every_name_is_that_of_its_function(name: str) -> None:
    assert corruptions.get(name).function.__name__ == name


@pytest.mark.parametrize(
    ("name", "learned", "stored", "takes"),
    [
        ("rand_noise_first_n", "sigma", (), (True, True, True)),
        ("zero_out_top_k", "dims", (), (False, True, False)),
        ("shuffle", None, (), (False, False, True)),
        ("reverse_order", None, (), (False, False, False)),
        ("semantic", "sigma", ("bank",), (True, False, True)),
        ("adversarial", "sigma", ("direction",), (True, False, False)),
    ],
)
def test_what_a_function_takes_follows_from_its_signature(
    name: str, learned: str | None, stored: tuple[str, ...], takes: tuple[bool, ...]
) -> None:
    part = corruptions.get(name)
    assert part.parameter == learned
    assert part.stored == stored
    assert (part.takes_sigma, part.takes_dims, part.takes_generator) == takes


def test_a_new_function_says_by_its_arguments_what_it_takes() -> None:
    def pull(vectors: Tensor, *, sigma: float, centre: Any) -> Tensor:
        return vectors + sigma * centre

    part = CorruptionFunction(pull)
    assert (part.parameter, part.stored, part.takes_dims, part.relative) == ("sigma", ("centre",), False, True)


def test_an_unknown_function_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(
        UnknownNameError, match=r"Unknown corruption 'rand_nose_first_n'. Did you mean 'rand_noise_first_n'"
    ):
        corruptions.get("rand_nose_first_n")
