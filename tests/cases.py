"""Many cases in one test: for grids and seeds of which nobody runs a single case."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import pytest
from _pytest.mark import ParameterSet

SHOWN = 10

Test = Callable[..., None]


def every(names: str | tuple[str, ...], cases: Iterable[Any]) -> Callable[[Test], Test]:
    """Run a test for every case, as `pytest.mark.parametrize` would, but as one test.

    All cases run. If some fail, the message names each of them and says what is wrong; the first error is the cause.
    Several in a row give every combination. Fixtures are made once for all cases.

    Args:
        names: of the arguments that a case sets, as a tuple or with commas between them.
        cases: values of the only argument, or tuples of the values of all. `pytest.param` gives a case a name.
    """
    arguments = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    own = [_case(case, arguments) for case in cases]
    assert own, "no cases"

    def looped(test: Test) -> Test:
        inner, function = getattr(test, "every_case", ([("", {})], test))
        told = [(", ".join(filter(None, (a, b))), {**x, **y}) for a, x in own for b, y in inner]

        @wraps(function)
        def run(**fixtures: Any) -> None:
            failed: list[tuple[str, BaseException]] = []
            for name, values in told:
                try:
                    function(**fixtures, **values)
                except (Exception, pytest.fail.Exception) as error:
                    failed.append((name, error))
            if failed:
                lines = [f"{name}: {error or type(error).__name__}" for name, error in failed[:SHOWN]]
                more = [f"and {len(failed) - SHOWN} more"] * (len(failed) > SHOWN)
                message = [f"{len(failed)} of {len(told)} cases fail", *lines, *more]
                raise AssertionError("\n".join(message)) from failed[0][1]

        set_here = set(arguments).union(*(values for _, values in inner))
        parameters = inspect.signature(function).parameters
        assert set_here <= set(parameters), f"{function.__name__} has no argument {set_here - set(parameters)}"
        run.every_case = (told, function)  # type: ignore[attr-defined]
        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [parameter for name, parameter in parameters.items() if name not in set_here]
        )
        return run

    return looped


def _case(case: Any, arguments: list[str]) -> tuple[str, dict[str, Any]]:
    """Its name and its arguments."""
    name = None
    if isinstance(case, ParameterSet):
        name, case = case.id, case.values if len(arguments) > 1 else case.values[0]
    values = dict(zip(arguments, case, strict=True)) if len(arguments) > 1 else {arguments[0]: case}
    return name or ", ".join(f"{key}={_shown(value)}" for key, value in values.items()), values


def _shown(value: Any) -> str:
    text = getattr(value, "__name__", None) or repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
