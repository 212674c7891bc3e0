"""Evaluations that outlive a crash."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path

import pytest
from curves import Curve

from unlearned.errors import DataError
from unlearned.learn.ledger import Ledger
from unlearned.learn.objective import Evaluation

FULL = Evaluation(
    0.1 + 0.2,
    0.5,
    -0.5,
    error=1e-3,
    penalty=0.25,
    values={"likelihood": -2.5, "rouge": 1 / 3},
    degenerate=0.125,
    perplexity=9.75,
    seconds=0.01,
    per_item=0.7,
)


def _same(one: Evaluation, other: Evaluation) -> bool:
    return all(
        a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))
        for a, b in ((getattr(one, f.name), getattr(other, f.name)) for f in fields(Evaluation))
    )


def test_evaluations_come_back_bit_for_bit_and_by_candidate(tmp_path: Path) -> None:
    path = tmp_path / "new/strength.jsonl"
    sparse = Evaluation(2.0, 1.0, 1.0)  # its per_item and perplexity are NaN
    first = Ledger(path, "f")
    first.add("noise on spans", [FULL])
    first.add("zero on spans", [sparse])
    first.add("noise on spans", [sparse])
    again = Ledger(path, "f")
    assert again.known("noise on spans").keys() == {FULL.parameter, 2.0}
    assert _same(again.known("noise on spans")[FULL.parameter], FULL)
    assert _same(again.known("zero on spans")[2.0], sparse)
    assert again.known("another") == {}


def test_every_evaluation_is_on_disk_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "strength.jsonl"
    ledger = Ledger(path, "f")
    for count in range(3):
        assert len(path.read_text().splitlines()) == 1 + count
        ledger.add("c", Curve(lambda x: x)([float(count)]))


@pytest.mark.parametrize("cut", [1, 2, 30, -1])
def test_a_last_line_that_was_cut_short_is_dropped_and_the_file_mended(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "strength.jsonl"
    Ledger(path, "f").add("c", Curve(lambda x: x)([1.0, 2.0, 3.0]))
    *whole, last = path.read_text().splitlines(keepends=True)
    path.write_text("".join(whole) + last[: cut if cut > 0 else len(last) - 2])
    again = Ledger(path, "f")
    assert sorted(again.known("c")) == [1.0, 2.0]
    again.add("c", Curve(lambda x: x)([4.0]))
    assert sorted(Ledger(path, "f").known("c")) == [1.0, 2.0, 4.0]
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_last_line_without_its_line_end_is_kept_and_not_glued_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "strength.jsonl"
    Ledger(path, "f").add("c", Curve(lambda x: x)([1.0]))
    path.write_text(path.read_text().rstrip("\n"))
    Ledger(path, "f").add("c", Curve(lambda x: x)([2.0]))
    assert sorted(Ledger(path, "f").known("c")) == [1.0, 2.0]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"{}", b"[1]\n", b"\xff\xfe", b'{"fingerprint": "other"}\n{"candidate": "c"}\n', b"no json"],
)
def test_another_fingerprint_or_file_is_started_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "strength.jsonl"
    path.write_bytes(content)
    assert Ledger(path, "f").known("c") == {}
    assert path.read_text() == '{"fingerprint": "f"}\n'


def test_an_evaluation_with_other_fields_is_not_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "strength.jsonl"
    Ledger(path, "f").add("c", [FULL])
    path.write_text(path.read_text() + '{"candidate": "c", "parameter": 5.0, "distance": 0.1}\n')
    assert sorted(Ledger(path, "f").known("c")) == [FULL.parameter]


def test_what_is_known_cannot_be_changed_from_outside(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "strength.jsonl", "f")
    ledger.add("c", [FULL])
    ledger.known("c").clear()
    assert len(ledger.known("c")) == 1


def test_without_a_path_nothing_is_written_but_all_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ledger = Ledger(None, "f")
    ledger.add("c", [FULL])
    assert ledger.known("c") == {FULL.parameter: FULL}
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"Cannot write .*file/strength\.jsonl: "):
        Ledger(tmp_path / "file/strength.jsonl", "f")
