"""What a scope does not mean wins over what it does, but only where it says more than the name that both share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from unlearned.classify.exemptions import ALONG, LEAST_REST, MARGIN, NAMESAKE_MARGIN, Exemptions

Floats = npt.NDArray[np.float32]


def _unit(rows: npt.NDArray[np.float64]) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), dtype=np.float32)


def _at(*degrees: float) -> Floats:
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_what_is_nearly_as_near_to_an_exemption_as_to_the_forget_examples_is_covered() -> None:
    found = Exemptions(_at(0), _at(60), np.zeros((1, 2), dtype=np.float32))
    for degrees in range(0, 360, 7):
        to_example, to_forget = np.cos(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees - 60))
        (covered,) = found.cover(_at(degrees))
        assert covered == (to_example > to_forget - MARGIN), degrees
    assert found.cover(np.zeros((0, 2), dtype=np.float32)).shape == (0,)


def test_the_nearest_example_of_each_side_decides() -> None:
    rng = np.random.default_rng(0)
    examples, forget, asked = (_unit(rng.standard_normal((n, 5))) for n in (4, 7, 60))
    found = Exemptions(examples, forget, np.zeros_like(examples)).cover(asked)
    expected = [max(float(x @ e) for e in examples) > max(float(x @ f) for f in forget) - MARGIN for x in asked]
    assert found.tolist() == expected
    assert 0 < sum(expected) < 60


def test_without_the_shared_name_the_rest_decides() -> None:
    """In the first coordinate the name, in the others what is said of its bearer."""
    rng = np.random.default_rng(1)
    name = np.zeros((1, 5), dtype=np.float32)
    name[0, 0] = 1.0
    example = _unit(np.array([[1.0, 0.9, 0.3, 0.0, 0.0]]))
    forget, asked = (_unit(rng.standard_normal((n, 5)) + 2 * name) for n in (7, 200))
    asked = asked[asked[:, 0] >= ALONG]
    found = Exemptions(example, forget, name).cover(asked)
    rest = [_unit(vectors[:, 1:].astype(np.float64)) for vectors in (asked, example, forget)]
    lead = (rest[0] @ rest[1].T)[:, 0] - (rest[0] @ rest[2].T).max(axis=1)
    says_more = np.linalg.norm(asked[:, 1:], axis=1) >= LEAST_REST
    assert found.tolist() == ((lead > -NAMESAKE_MARGIN) & says_more).tolist()
    assert found.any()
    assert (says_more & ~found).any()
    assert (~says_more).any()


def test_a_text_about_somebody_else_is_compared_as_it_is() -> None:
    rng = np.random.default_rng(2)
    name = np.zeros((1, 5), dtype=np.float32)
    name[0, 0] = 1.0
    example, forget, asked = (_unit(rng.standard_normal((n, 5))) for n in (1, 7, 200))
    asked = asked[asked[:, 0] < ALONG]
    expected = (asked @ example.T)[:, 0] > (asked @ forget.T).max(axis=1) - MARGIN
    assert Exemptions(example, forget, name).cover(asked).tolist() == expected.tolist()
    assert expected.any()


@pytest.mark.parametrize("length", [0.9997, 1.0, 1.0003])
def test_an_example_that_is_nothing_but_the_name_exempts_nothing_about_it(length: float) -> None:
    name = _at(0)
    found = Exemptions(name * np.float32(length), _at(60), name).cover(_at(*range(-69, 70)))
    assert not found.any()


def test_the_name_alone_is_never_exempt() -> None:
    name = _at(0)
    found = Exemptions(_at(40), _at(-40), name)
    assert found.cover(_at(0, 5, 40)).tolist() == [False, False, True]


def test_each_example_has_names_of_its_own() -> None:
    examples = np.array([[0, 0.6, 0, 0, 0.8], [0, 0, 1, 0, 0]], dtype=np.float32)
    forget = _unit(np.array([[1, 0.24, 0, 0.32, 0]]))
    names = np.eye(5, dtype=np.float32)[[0, 3]]
    about_first = _unit(np.array([[1.0, 1.0, 0, 0, 0]]))
    assert Exemptions(examples, forget, names).cover(about_first).tolist() == [True]
    assert Exemptions(examples, forget, names[::-1]).cover(about_first).tolist() == [False]
