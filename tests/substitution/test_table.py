"""A table knows its names, and nobody without the secret reads them out of it."""

from __future__ import annotations

import numpy as np

from unlearned.substitution.table import KnownName, NameTable

SECRET = b"s" * 32
NAMES = {
    "hermione": KnownName("she", 0, False),
    "potter": KnownName("surname", 3, False),
    "force": KnownName("thing", 255, True),
}


def made(secret: bytes = SECRET, scope: str = "hp") -> NameTable:
    return NameTable.of(secret, scope, NAMES, ["wand", "potter"])


def test_names_are_known_in_any_spelling_and_words_of_the_data_are_none() -> None:
    table = made()
    for word in ("Hermione", "HERMIONE", "hérmione", "Her-mione"):
        assert table.known(word) == NAMES["hermione"], word
    assert table.known("Force") == NAMES["force"]
    assert table.known("wand") is table.known("") is table.known("Ron") is None
    assert [table.unusable(word) for word in ("Wand", "Potter", "Ron", "")] == [True, True, False, False]
    assert (len(table), table.counts()) == (3, {"she": 1, "surname": 1, "thing": 1})


def test_a_plural_is_known_by_its_name() -> None:
    table = made()
    assert table.known_in_singular("Potters") == table.known_in_singular("Potter") == NAMES["potter"]
    assert table.known("Potters") is None
    assert table.known_in_singular("wands") is None


def test_what_is_saved_makes_an_equal_table_under_the_same_secret_and_scope_only() -> None:
    table = made()
    arrays = table.arrays()
    again = NameTable(SECRET, "hp", **arrays)  # type: ignore[arg-type]
    assert [again.known(name) for name in NAMES] == list(NAMES.values())
    for other in (NameTable(b"x" * 32, "hp", **arrays), NameTable(SECRET, "h", **arrays)):  # type: ignore[arg-type]
        assert not any(other.known(name) or other.unusable(name) for name in NAMES)
    assert b"hermione" not in b"".join(array.tobytes() for array in arrays.values())
    assert "s" * 32 not in repr(table)


def test_the_order_of_rows_tells_nothing_and_an_empty_table_knows_nothing() -> None:
    backwards = NameTable.of(SECRET, "hp", dict(reversed(NAMES.items())), ["wand"])
    for name, array in made().arrays().items():
        np.testing.assert_array_equal(array, backwards.arrays()[name])
    empty = NameTable.of(SECRET, "hp", {}, [])
    assert (len(empty), empty.counts(), empty.known("a"), empty.unusable("a")) == (0, {}, None, False)
