"""`semantic` moves towards a neighbour in the bank, `adversarial` along a stored direction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from oracles.corruptions import neighbours
from unlearned.corrupt.corruption import Corruption, keyed_generator
from unlearned.corrupt.substitutes import NEAREST, adversarial, semantic
from unlearned.errors import ConfigError, CorruptionError

FAR = [[0.0, 1.0], [-1.0, 0.0]]


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def _bank(rows: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array(rows, dtype=np.float32)


def _targets(vector: Tensor, bank: Any, draws: int = 600) -> set[tuple[float, ...]]:
    """Every vector that stands in for `vector`, in so many draws."""
    found = semantic(vector.repeat(draws, 1), sigma=1.0, bank=bank, generator=_rng())
    return {tuple(row) for row in found.tolist()}


@pytest.mark.parametrize(("sigma", "expected"), [(0.0, [4.0, 8.0]), (0.25, [5.0, 6.0]), (1.0, [8.0, 0.0])])
def test_semantic_goes_a_share_of_the_way_to_the_other_vector(sigma: float, expected: list[float]) -> None:
    found = semantic(torch.tensor([[4.0, 8.0]]), sigma=sigma, bank=_bank([[8.0, 0.0]]), generator=_rng())
    assert found.tolist() == [expected]


def test_at_full_strength_each_token_becomes_one_of_its_nearest_by_cosine_and_each_of_them_is_drawn() -> None:
    bank = np.random.default_rng(0).standard_normal((100, 6)).astype(np.float32)
    bank *= np.random.default_rng(1).uniform(0.1, 10, (100, 1)).astype(np.float32)  # length does not count
    vector = torch.randn(6, generator=torch.Generator().manual_seed(0))
    near = neighbours(vector.tolist(), bank.tolist())
    assert len(near) == NEAREST
    assert _targets(vector, bank) == {tuple(bank[j].tolist()) for j in near}


def test_the_neighbours_are_drawn_equally_often_and_each_token_has_its_own() -> None:
    bank = np.c_[np.ones(NEAREST), np.arange(NEAREST)].astype(np.float32)
    found = semantic(torch.tensor([[1.0, -1.0]]).repeat(4000, 1), sigma=1.0, bank=bank, generator=_rng())
    times = np.bincount(found[:, 1].numpy().astype(int), minlength=NEAREST)
    assert np.abs(times - 250).max() < 5 * np.sqrt(250)


def test_of_equally_near_vectors_the_lower_index_counts_as_nearer() -> None:
    near = [[1.0 * i, 3.0 * i] for i in range(1, 3 * NEAREST)]  # parallel; in floating point their cosines differ
    assert _targets(torch.tensor([2.0, 1.0]), _bank(FAR + near)) == {tuple(row) for row in near[:NEAREST]}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_tokens_own_vector_is_never_the_target_whatever_the_precision(dtype: torch.dtype) -> None:
    own = torch.tensor([0.1, 0.7])
    bank = torch.stack([own, own, torch.tensor([1.0, 1.0]), own]).numpy()
    assert _targets(own.to(dtype), bank) == {(1.0, 1.0)}


def test_a_zero_vector_is_as_near_to_all() -> None:
    assert _targets(torch.zeros(2), _bank([[0.0, 0.0], *FAR])) == {tuple(row) for row in FAR}


def test_a_bank_of_nothing_but_the_token_is_refused() -> None:
    vectors = torch.tensor([[1.0, 2.0]])
    with pytest.raises(CorruptionError, match="no vector but the token's own"):
        semantic(vectors, sigma=0.5, bank=_bank([[1.0, 2.0]]), generator=_rng())


@pytest.mark.parametrize("sigma", [-0.1, 1.1, float("nan")])
def test_semantic_refuses_what_is_no_share(sigma: float) -> None:
    with pytest.raises(CorruptionError, match=r"sigma=.* must lie in 0..1"):
        semantic(torch.ones(1, 2), sigma=sigma, bank=_bank(FAR), generator=_rng())


def test_semantic_of_this_version_is_that_of_every_later_one() -> None:
    bank = _bank([[1.0, float(i)] for i in range(NEAREST)])
    found = semantic(torch.tensor([[1.0, -1.0]]).repeat(6, 1), sigma=1.0, bank=bank, generator=_rng())
    assert found[:, 1].tolist() == [0.0, 3.0, 1.0, 9.0, 8.0, 4.0]


def test_adversarial_steps_along_the_direction() -> None:
    found = adversarial(torch.tensor([[1.0, 2.0], [0.0, -1.0]]), sigma=0.5, direction=_bank([0.6, -0.8]))
    step = np.sqrt(2) * 0.5 * np.array([0.6, -0.8])
    np.testing.assert_allclose(found.numpy(), np.array([[1.0, 2.0], [0.0, -1.0]]) + step, rtol=1e-6)


def test_the_step_is_as_large_as_noise_of_that_sigma() -> None:
    direction = np.random.default_rng(0).standard_normal(300).astype(np.float32)
    change = adversarial(torch.zeros(4, 300), sigma=0.2, direction=direction / np.linalg.norm(direction))
    torch.testing.assert_close(change.square().mean(dim=1).sqrt(), torch.full((4,), 0.2))


def test_arrays_of_another_model_are_refused_with_both_widths() -> None:
    with pytest.raises(CorruptionError, match="bank is 2 wide, but the embeddings have 3 coordinates"):
        semantic(torch.ones(1, 3), sigma=0.5, bank=_bank(FAR), generator=_rng())
    with pytest.raises(CorruptionError, match="direction is 2 wide, but the embeddings have 3 coordinates"):
        adversarial(torch.ones(1, 3), sigma=0.5, direction=_bank([1.0, 0.0]))


@pytest.mark.parametrize("function", ["semantic", "adversarial"])
def test_arrays_read_from_a_file_may_be_read_only(function: str) -> None:
    stored = {"semantic": {"bank": _bank(FAR)}, "adversarial": {"direction": _bank([1.0, 0.0])}}[function]
    for array in stored.values():
        array.flags.writeable = False
    corruption = Corruption(function=function, strength=0.5, stored=stored)
    found = corruption.apply(torch.tensor([[3.0, 4.0]]), keyed_generator(b"k", "s", [1]))
    assert torch.isfinite(found).all()


def test_a_step_out_of_the_dtype_is_refused() -> None:
    vectors = torch.full((1, 2), 65504.0, dtype=torch.float16)
    with pytest.raises(CorruptionError, match=r"overflows torch.float16"):
        semantic(vectors, sigma=1.0, bank=_bank([[-1e9, 1.0]]), generator=_rng())
    with pytest.raises(CorruptionError, match=r"overflows torch.float16"):
        adversarial(vectors, sigma=100.0, direction=_bank([1.0, 0.0]))


@pytest.mark.parametrize(
    ("function", "stored", "message"),
    [
        ("semantic", {}, "needs the stored array bank: learn it with `unlearned fit --corruption semantic`"),
        ("adversarial", {}, "stored array direction: learn it with `unlearned fit --corruption adversarial`"),
        ("semantic", {"direction": [1.0]}, "needs the stored array bank"),
        ("semantic", {"bank": FAR, "direction": [1.0]}, "uses no stored array direction"),
        ("rand_noise_first_n", {"bank": FAR}, "uses no stored array bank"),
        ("semantic", {"bank": [1.0, 2.0]}, r"bank has the shape \(2,\)"),
        ("semantic", {"bank": np.zeros((0, 4))}, r"bank has the shape \(0, 4\)"),
        ("semantic", {"bank": [[1.0, float("nan")]]}, "bank of semantic holds NaN or infinite"),
        ("adversarial", {"direction": [float("inf"), 0.0]}, "direction of adversarial holds NaN or infinite"),
        ("adversarial", {"direction": [[1.0, 0.0]]}, r"direction has the shape \(1, 2\)"),
        ("adversarial", {"direction": [0.6, 0.7]}, "direction has the length 0.92"),
        ("adversarial", {"direction": [0.0, 0.0]}, "direction has the length 0:"),
        ("adversarial", {"direction": [1.002, 0.0]}, "direction has the length 1.002"),
    ],
)
def test_stored_arrays_that_do_not_fit_the_function_are_refused(
    function: str, stored: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Corruption(function=function, strength=0.5, stored={name: _bank(array) for name, array in stored.items()})


def test_a_direction_that_is_nearly_of_unit_length_is_accepted() -> None:
    Corruption(function="adversarial", strength=0.5, stored={"direction": _bank([1.0005, 0.0])})
