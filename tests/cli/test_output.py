"""Results are kept as soon as they are there, whatever the terminal's encoding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from unlearned.cli.output import results
from unlearned.errors import DataError

INPUTS: list[tuple[Any, str]] = [(0, "one"), ("b", "two"), (2, "three")]


def _row(place: int, answer: str = "emoji 😀 漢字") -> dict[str, Any]:
    return {"id": INPUTS[place][0], "completion": answer}


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _stopped(out: Path, settings: Any, inputs: list[tuple[Any, str]], done: list[int]) -> list[int]:
    """A run that is interrupted after these rows -> what it found missing at its start."""
    missing: list[int] = []
    try:
        with results(out, settings, inputs) as found:
            missing = found.missing
            for place in done:
                found.put(place, _row(place))
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        return missing


def test_a_file_appears_whole_and_in_order_and_an_interrupted_run_is_taken_up(tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    assert _stopped(out, {"seed": 1}, INPUTS, [2, 0]) == [0, 1, 2]
    assert not out.exists()
    part = tmp_path / "answers.jsonl.part"
    with part.open("a", encoding="utf-8") as file:
        file.write('{"prompt": "two", "row": {"id": "b", "compl')  # a power cut
    with pytest.raises(DataError, match="other settings"), results(out, {"seed": 2}, INPUTS):
        pass
    with results(out, {"seed": 1}, INPUTS) as found:
        assert found.missing == [1]
        found.put(1, _row(1))
    assert _lines(out) == [_row(place) for place in range(3)]
    assert not part.exists()


def test_rows_whose_prompt_has_changed_are_done_again(tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    _stopped(out, {}, INPUTS, [0, 1])
    assert _stopped(out, {}, [(2, "three"), (0, "one"), ("b", "TWO")], []) == [0, 2]


def test_a_run_that_has_nothing_to_keep_leaves_nothing(tmp_path: Path) -> None:
    _stopped(tmp_path / "a.jsonl", {}, INPUTS, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8", "cp437"])
def test_a_terminal_of_any_encoding_gets_all_rows_in_order_also_after_an_interruption(encoding: str) -> None:
    code = (
        "from unlearned.cli.output import never_fail_on_a_character, results\n"
        "never_fail_on_a_character()\n"
        "inputs = [(0, 'one'), (1, 'two'), (2, 'three')]\n"
        "with results(None, {}, inputs) as found:\n"
        "    found.put(2, {'id': 2, 'completion': 'emoji \\U0001f600'})\n"
        "    found.put(0, {'id': 0, 'completion': '\\u6f22'})\n"
        "    print('answer \\U0001f600')\n"
        "    raise SystemExit(3)\n"
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert done.returncode == 3, done.stderr
    first, plain, last = done.stdout.decode(encoding).splitlines()
    assert [json.loads(first), json.loads(last)] == [
        {"id": 0, "completion": "漢"},
        {"id": 2, "completion": "emoji 😀"},
    ]
    assert plain.startswith("answer ")
