"""What is finished is not repeated, unless what it depends on has changed; and then it is told why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unlearned.benchmarks.step_cache import finished, keep, once, outdated

SETTINGS = {"version": 1, "batch": 16, "data": {"forget": "abc"}}


def test_a_part_is_made_once_and_anew_for_other_settings(tmp_path: Path) -> None:
    file, made, told = tmp_path / "step.json", list[int](), list[str]()

    def make() -> dict[str, Any]:
        made.append(1)
        return {"items": [{"text": "Zoé"}], "n": len(made)}

    for settings, count in ((SETTINGS, 1), (SETTINGS, 1), (SETTINGS | {"batch": 8}, 2), (SETTINGS, 3)):
        assert once(file, settings, make, told.append, "it is made anew")["n"] == count
    assert told == ["it is made anew: other batch (16, now 8)", "it is made anew: other batch (8, now 16)"]
    assert finished(file, SETTINGS) == {"items": [{"text": "Zoé"}], "n": 3}


def test_what_has_changed_is_named_with_its_place_and_short_values(tmp_path: Path) -> None:
    file = tmp_path / "step.json"
    keep(file, SETTINGS, {})
    for settings, why in (
        (SETTINGS, None),
        (SETTINGS | {"data": {"forget": "xyz"}}, "other data.forget"),
        (SETTINGS | {"new": None, "limit": 5}, "other limit (None, now 5)"),
        ({}, "other batch (16, now None), data, version (1, now None)"),
        (dict.fromkeys("abcd", 1) | SETTINGS, "other a (None, now 1), b (None, now 1), c (None, now 1) and 1 more"),
    ):
        assert outdated(file, settings) == why
    keep(file, {"code": "abc"}, {})
    assert "earlier release" in str(outdated(file, SETTINGS))


def test_a_file_that_cannot_be_read_is_as_none(tmp_path: Path) -> None:
    for content in (b"", b"[]", b"{", b"\xff"):
        (tmp_path / "step.json").write_bytes(content)
        assert finished(tmp_path / "step.json", {}) is outdated(tmp_path / "step.json", {}) is None
    assert finished(tmp_path / "none.json", {}) is None
