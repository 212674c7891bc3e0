"""A corruption's settings, and the key that makes its noise repeatable."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from unlearned.corrupt.corruption import Corruption, keyed_generator
from unlearned.errors import ConfigError, CorruptionError, UnknownNameError

SECRET = b"k" * 32


def _noise(secret: bytes = SECRET, scope: str = "scope", tokens: Any = (1, 2, 3)) -> list[float]:
    values: list[float] = keyed_generator(secret, scope, tokens).standard_normal(6).tolist()
    return values


def test_the_same_words_in_the_same_scope_of_the_same_artifact_meet_the_same_noise() -> None:
    assert _noise() == _noise() == _noise(tokens=[1, 2, 3]) == _noise(tokens=np.array([1, 2, 3]))


@pytest.mark.parametrize(
    "other",
    [
        {"secret": b"K" * 32},
        {"secret": SECRET[:-1] + b"l"},
        {"scope": "scopf"},
        {"scope": ""},
        {"tokens": (1, 2, 4)},
        {"tokens": (3, 2, 1)},
        {"tokens": (1, 2)},
        {"tokens": (1, 2, 3, 0)},
        {"tokens": (1, 2, 3 + 2**16)},
        {"tokens": ()},
    ],
)
def test_another_secret_scope_or_words_give_other_noise(other: dict[str, Any]) -> None:
    assert not set(_noise()) & set(_noise(**other))


def test_scope_and_tokens_cannot_run_into_each_other() -> None:
    assert _noise(scope="a", tokens=(0x62,)) != _noise(scope="ab", tokens=())


def test_many_keys_give_independent_standard_normal_numbers() -> None:
    draws = np.array([keyed_generator(SECRET, "s", [token]).standard_normal(4) for token in range(5000)])
    assert abs(draws.mean()) < 5 / np.sqrt(draws.size)
    assert abs(draws.std() - 1) < 5 / np.sqrt(2 * draws.size)
    assert np.abs(np.corrcoef(draws.T) - np.eye(4)).max() < 5 / np.sqrt(len(draws))
    assert abs(np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]) < 5 / np.sqrt(len(draws))  # neighbouring tokens


def test_the_noise_is_the_same_in_every_process_and_does_not_touch_the_global_generators() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1).item()
    torch.manual_seed(0)
    here = _noise()
    assert torch.rand(1).item() == expected
    code = (
        "from unlearned.corrupt.corruption import keyed_generator as k;"
        "print(k(b'k' * 32, 'scope', (1, 2, 3)).standard_normal(6).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(here)


def test_the_noise_of_this_version_is_that_of_every_later_one() -> None:
    # An artifact must corrupt the same way after an upgrade; these are the first numbers it gave.
    assert _noise()[:3] == [-0.3328115423953539, 0.42835422246246196, 0.15261708630759455]


def test_strength_is_in_standard_deviations_of_the_embeddings_unless_absolute() -> None:
    assert Corruption(strength=3.0, embedding_std=0.02).sigma == pytest.approx(0.06)
    assert Corruption(strength=3.0, embedding_std=0.02, unit="absolute").sigma == 3.0
    assert Corruption(function="zero_out_top_k", dims=2).sigma is None


@pytest.mark.parametrize("unit", ["absolute", "embedding_std"])
def test_a_share_is_the_same_in_every_unit(unit: Any) -> None:
    bank = np.ones((1, 4), dtype=np.float32)
    corruption = Corruption(function="semantic", strength=0.5, unit=unit, embedding_std=0.02, stored={"bank": bank})
    assert corruption.sigma == 0.5
    found = corruption.apply(torch.zeros(2, 4), keyed_generator(SECRET, "s", [1]))
    assert torch.equal(found, torch.full((2, 4), 0.5))


def test_a_step_is_in_standard_deviations_as_noise_is() -> None:
    corruption = Corruption(
        function="adversarial", strength=3.0, embedding_std=0.5, stored={"direction": np.eye(4, dtype=np.float32)[1]}
    )
    found = corruption.apply(torch.zeros(1, 4), keyed_generator(SECRET, "s", [1]))
    assert found.tolist() == [[0.0, 3.0, 0.0, 0.0]]  # 3 * 0.5 * sqrt(4)


def test_stored_arrays_are_not_part_of_equality_hash_or_text() -> None:
    one, other = (
        Corruption(function="semantic", strength=0.5, stored={"bank": np.full((2, 4), value, dtype=np.float32)})
        for value in (1.0, 2.0)
    )
    assert one == other
    assert hash(one) == hash(other)
    assert "bank" not in repr(one)
    assert replace(one, strength=0.25).stored is one.stored


@pytest.mark.parametrize("function", ["shuffle", "reverse_order"])
def test_a_change_of_order_takes_no_parameter(function: str) -> None:
    found = Corruption(function=function).apply(torch.tensor([[1.0], [2.0]]), keyed_generator(SECRET, "s", [1]))
    assert found.tolist() == [[2.0], [1.0]]
    for settings in ({"strength": 0.0}, {"strength": 1.0}, {"dims": 0}, {"dims": 3}):
        with pytest.raises(ConfigError, match=f"{function} has no parameter"):
            Corruption(function=function, **settings)


def test_applied_noise_has_the_asked_size_on_all_dimensions_by_default() -> None:
    corruption = Corruption(strength=4.0, embedding_std=0.05)
    noise = corruption.apply(torch.zeros(100, 300), keyed_generator(SECRET, "s", [1]))
    assert (noise != 0).all()
    assert float(noise.std()) == pytest.approx(0.2, rel=0.02)


def test_dims_limits_the_disturbed_coordinates() -> None:
    noise = Corruption(strength=1.0, dims=3).apply(torch.zeros(4, 8), keyed_generator(SECRET, "s", [1]))
    assert (noise[:, :3] != 0).all()
    assert (noise[:, 3:] == 0).all()


def test_zero_strength_leaves_every_bit_and_the_argument_alone() -> None:
    vectors = torch.randn(4, 8)
    before = vectors.clone()
    for corruption in (Corruption(strength=0.0), Corruption(strength=5.0, dims=0)):
        found = corruption.apply(vectors, keyed_generator(SECRET, "s", [1]))
        assert torch.equal(found.view(torch.int32), before.view(torch.int32))
    Corruption(strength=9.0).apply(vectors, keyed_generator(SECRET, "s", [1]))
    assert torch.equal(vectors, before)


def test_zero_out_takes_its_dims_or_everything() -> None:
    vectors = torch.tensor([[1.0, 3.0, -2.0]])
    generator = keyed_generator(SECRET, "s", [1])
    assert Corruption(function="zero_out_top_k", dims=1).apply(vectors, generator).tolist() == [[1.0, 0.0, -2.0]]
    assert Corruption(function="zero_out_top_k").apply(vectors, generator).tolist() == [[0.0, 0.0, 0.0]]


def test_more_dims_than_the_model_has_are_refused_when_applied() -> None:
    with pytest.raises(CorruptionError, match="dims=9"):
        Corruption(strength=1.0, dims=9).apply(torch.zeros(1, 8), keyed_generator(SECRET, "s", [1]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "needs a strength"),
        ({"strength": -1.0}, "at least 0, not -1.0"),
        ({"strength": float("nan")}, "nan"),
        ({"strength": float("inf")}, "inf"),
        ({"function": "zero_out_top_k", "strength": 1.0}, "has no strength; its parameter is `dims`"),
        ({"function": "add_value_first_n"}, "needs a strength"),
        ({"function": "semantic"}, "needs a strength of at least 0, not None"),
        ({"function": "semantic", "strength": -0.1}, "at least 0, not -0.1"),
        ({"function": "semantic", "strength": 1.01}, "at most 1, a share, not 1.01"),
        ({"function": "semantic", "strength": 0.5, "dims": 3}, "changes all coordinates. Leave dims=3 out"),
        ({"function": "adversarial", "strength": 0.5, "dims": 3}, "changes all coordinates. Leave dims=3 out"),
        ({"strength": 1.0, "dims": -1}, "dims=-1"),
        ({"strength": 1.0, "embedding_std": 0.0}, "embedding_std=0.0"),
        ({"strength": 1.0, "embedding_std": -1.0}, "embedding_std=-1.0"),
        ({"strength": 1.0, "embedding_std": float("nan")}, "embedding_std=nan"),
        ({"strength": 1.0, "embedding_std": float("inf")}, "embedding_std=inf"),
        ({"strength": 1.0, "unit": "metres"}, "unit='metres'"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_their_value(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Corruption(**settings)


def test_an_unknown_function_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'zero_out_top_k'"):
        Corruption(function="zero_out_topk")
