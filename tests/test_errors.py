"""Errors are of one family, and say one line."""

from __future__ import annotations

import inspect

from unlearned import errors
from unlearned.errors import ContextError, UnknownNameError, UnlearnedError, first_line


def test_every_error_is_of_the_family_and_every_warning_is_a_warning() -> None:
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if kind.__module__ == errors.__name__:
            assert issubclass(kind, UnlearnedError if name.endswith("Error") else UserWarning), name


def test_a_name_that_is_not_known_is_said_without_quotation_marks_around_it_all() -> None:
    assert str(UnknownNameError("There is no 'x'.")) == "There is no 'x'."


def test_a_prompt_that_is_too_long_is_found_by_its_number() -> None:
    error = ContextError("too long", 3)
    moved = error.at(7)
    assert (error.index, moved.index) == (3, 7)
    assert isinstance(moved, ContextError)


def test_the_first_line_of_another_librarys_error_is_enough() -> None:
    for text, said in {
        "one\ntwo": "one",
        "\n  one  \n": "one",
        "The reasons:\n  first\nsecond": "The reasons: first",
        "Ends:": "Ends:",
        "": "ValueError",
        " \n": "ValueError",
    }.items():
        assert first_line(ValueError(text)) == said, text
