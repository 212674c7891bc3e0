"""Old options are told what they are called now, and libraries are quiet only meanwhile."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from unlearned.cli.options import GROUP_OF, all_artifacts, names, quiet
from unlearned.settings import GROUPS


def test_folders_of_old_options_come_last_and_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    found = all_artifacts([Path("a")], Path("soft"), Path("said"))
    assert found == [Path("a"), Path("soft"), Path("said")]
    lines = capsys.readouterr().err.splitlines()
    assert ["--artifact soft" in lines[0], "--artifact said" in lines[1]] == [True, True]
    assert all_artifacts(None, None, None) == []
    assert capsys.readouterr().err == ""


def test_names_are_separated_by_commas() -> None:
    assert names(" a, b ,,c") == ("a", "b", "c")
    assert names("") == names(" , ") == ()


def test_libraries_are_as_loud_as_before_afterwards_also_after_an_error() -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()

    def fails() -> None:
        with quiet():
            warnings.warn("of a library", FutureWarning, stacklevel=1)
            assert logging.get_verbosity() == logging.ERROR
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_every_option_stands_in_one_group_of_the_help() -> None:
    options = [option for own in GROUP_OF.values() for option in own.split()]
    assert len(set(options)) == len(options)
    assert set(GROUP_OF) <= set(GROUPS)
