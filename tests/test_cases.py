"""Many cases in one test: all of them run, and a failure says which."""

from __future__ import annotations

import inspect

import pytest

from cases import every


def test_every_combination_runs_and_each_that_fails_is_named() -> None:
    seen = []

    @every("width", [1, pytest.param(2, id="two wide")])
    @every("name, sign", [("a", -1), ("b", 1)])
    def check(fixture: list[object], name: str, width: int, sign: int) -> None:
        fixture.append((width, name, sign))
        assert width * sign > -2, "too small"
        if name == "b":
            with pytest.raises(ZeroDivisionError):
                _ = 1 / (width - 1)

    assert list(inspect.signature(check).parameters) == ["fixture"], "pytest gives it the others otherwise"
    with pytest.raises(AssertionError) as caught:
        check(fixture=seen)
    assert seen == [(1, "a", -1), (1, "b", 1), (2, "a", -1), (2, "b", 1)]
    first, *lines = str(caught.value).splitlines()
    assert first == "2 of 4 cases fail"
    assert any(line.startswith("two wide, name='a', sign=-1: too small") for line in lines)
    assert any(line.startswith("two wide, name='b', sign=1: DID NOT RAISE") for line in lines)
    assert isinstance(caught.value.__cause__, AssertionError), "the first error, with its own traceback"


def test_where_no_case_fails_nothing_is_raised_and_a_skip_is_one() -> None:
    @every("n", range(3))
    def passes(n: int) -> None:
        assert n < 3

    @every("n", range(3))
    def skips(n: int) -> None:
        pytest.skip("not here")

    passes()
    with pytest.raises(pytest.skip.Exception, match="not here"):
        skips()


def test_names_that_the_test_does_not_have_and_no_cases_are_refused() -> None:
    def check(n: int) -> None: ...

    with pytest.raises(AssertionError, match="check has no argument"):
        every("m", [1])(check)
    with pytest.raises(AssertionError, match="no cases"):
        every("n", [])
