"""What an artifact was fitted with is found by its command, and only if it is still the same."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from unlearned.artifact.provenance import data_of
from unlearned.check.set_aside import EVERY, _split, own_files, without_some
from unlearned.errors import DataError
from unlearned.examples import Row, read_rows


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for role, texts in (("forget", ["Who is Ada?", "Who is Bea?"]), ("retain", ["What is tea?"])):
        found[role] = tmp_path / f"{role} rows.jsonl"
        found[role].write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts))
    return found


def record(files: dict[str, Path], command: str | None) -> Any:
    data = data_of({role: read_rows(file) for role, file in files.items()})  # type: ignore[misc]
    return SimpleNamespace(made=[SimpleNamespace(command=command, data=data)])


def test_files_are_those_of_the_command_however_its_options_are_written(files: dict[str, Path]) -> None:
    forget, retain = files["forget"], files["retain"]
    for command in (
        f"unlearned fit --forget '{forget}' --retain '{retain}' --scope x",
        f"unlearned fit '--forget={forget}' '--retain={retain}'",
        f"unlearned fit --scope x --retain '{retain}' --forget '{forget}'",
    ):
        found = own_files(record(files, command))
        assert [row.prompt for row in found["forget"]] == ["Who is Ada?", "Who is Bea?"], command
        assert [row.prompt for row in found["retain"]] == ["What is tea?"], command


def test_what_is_not_recorded_is_gone_or_was_changed_is_refused(files: dict[str, Path]) -> None:
    for command in (None, "unlearned fit", "unlearned fit --forget", f"unlearned fit --retain '{files['retain']}'"):
        with pytest.raises(DataError):
            own_files(record(files, command))
    known = record(files, f"unlearned fit --forget '{files['forget']}'")
    files["forget"].write_text('{"prompt": "Who else?"}\n')
    with pytest.raises(DataError, match=r"forget rows\.jsonl"):
        own_files(known)
    files["forget"].unlink()
    with pytest.raises(DataError, match=r"forget rows\.jsonl"):
        own_files(known)


def test_one_of_so_many_is_set_aside_and_none_of_too_few() -> None:
    rows = [Row(f"{n}") for n in range(2 * EVERY + 1)]
    stays, aside = _split(rows)
    assert aside == rows[::EVERY]
    assert sorted(stays + aside, key=lambda row: int(row.prompt)) == rows
    assert _split(rows[: EVERY - 1]) == (rows[: EVERY - 1], [])
    assert len(_split(rows[:EVERY])[1]) == 1
    assert _split([]) == ([], [])


def test_too_few_prompts_and_several_scopes_are_refused(make_artifact: Any, make_scope: Any) -> None:
    rows = {"forget": [Row("Who?")]}
    with pytest.raises(DataError, match="--forget"):
        without_some(make_artifact(), rows, lambda *_: None)
    two = make_artifact(make_scope("a"), make_scope("b"))
    with pytest.raises(DataError, match="--forget"):
        without_some(two, {"forget": [Row(f"{n}") for n in range(9)]}, lambda *_: None)
