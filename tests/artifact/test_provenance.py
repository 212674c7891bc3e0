"""Rows are recognised as a set, and a step says who made it, when, with which settings."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from unlearned.artifact.provenance import BY, data_of, made, rows_sha256, who
from unlearned.examples import Row

ROWS = [Row("Who is Zoé?", "A baker."), Row("Why?")]


def test_order_repetitions_and_other_columns_do_not_count_and_words_do() -> None:
    own = rows_sha256(ROWS)
    assert own == rows_sha256([*ROWS[::-1], ROWS[0]])
    assert own == rows_sha256([Row("Who is Zoé?", "A baker.", facts=(("x",),)), Row("Why?")])
    others = [
        [],
        ROWS[:1],
        [ROWS[0], Row("Why?", "")],
        [ROWS[0], Row("why?")],
        [Row('Who", "is Zoé?', "A baker."), ROWS[1]],
    ]
    assert len({own, *(rows_sha256(other) for other in others)}) == 6


def test_the_hash_is_the_one_that_is_written_down() -> None:
    digests = sorted(
        hashlib.sha256(text.encode()).digest() for text in ('["Who is Zoé?", "A baker."]', '["Why?", null]')
    )
    assert rows_sha256(ROWS) == hashlib.sha256(b"".join(digests)).hexdigest()


def test_roles_without_rows_are_left_out() -> None:
    found = data_of({"forget": ROWS, "retain": [], "exempt": ROWS[:1]})
    assert [(one.role, one.rows) for one in found] == [("forget", 2), ("exempt", 1)]
    assert found[0].sha256 == rows_sha256(ROWS)


@dataclass
class Config:
    folder: Path = Path("x")
    names: tuple[str, ...] = ("a",)
    checkpoints: Path | None = Path("private")
    seed: int | None = 3


def test_a_step_keeps_settings_as_json_without_places_and_the_command_only_of_this_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(BY, "anna")
    for program, command in (
        ("/somewhere/bin/unlearned", "unlearned fit --scope 'a b'"),
        ("/x/unlearned/__main__.py", "unlearned fit --scope 'a b'"),
        ("/x/cli/main.py", "unlearned fit --scope 'a b'"),
        ("/x/other.py", None),
        ("/x/other/__main__.py", None),
    ):
        monkeypatch.setattr(sys, "argv", [program, "fit", "--scope", "a b"])
        step = made("detector", {"forget": ROWS}, Config(), seed=None)
        assert step.command == command, program
    assert step.options == {"folder": "x", "names": ["a"]}
    assert (step.by, step.seed, step.at[-6:]) == ("anna", None, "+00:00")


def test_nobody_is_named_where_that_was_wanted_or_cannot_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BY, "")
    assert who() is None
    monkeypatch.delenv(BY)

    def unknown() -> str:
        raise KeyError("no such user")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert who() is None
    monkeypatch.setattr("getpass.getuser", lambda: "bert")
    assert who() == "bert"
