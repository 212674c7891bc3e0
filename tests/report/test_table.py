"""A column says what is best in it."""

from __future__ import annotations

from unlearned.report.table import SIGNS, Column


def test_a_heading_has_the_sign_of_what_is_best_and_no_blank_without() -> None:
    assert [Column("leak", better=better).heading for better in SIGNS] == ["leak ↑", "leak ↓", "leak ≈R", "leak"]
    assert Column("").heading == ""
