"""A word has one stranger, whoever asks and wherever it stands."""

from __future__ import annotations

from tokenizers_at_hand import SECRET

from unlearned.substitution.bank import Bank, WordSlot
from unlearned.substitution.entities import Entity
from unlearned.substitution.strangers import Strangers
from unlearned.substitution.table import NameTable
from unlearned.words import squash


def test_a_word_meets_the_same_stranger_everywhere_and_takes_as_many_tokens(bank: Bank) -> None:
    strangers = Strangers(NameTable(SECRET, "hp"), bank)
    for word in ("Hermione", "Voldemort", "Ron", "Abilov", "Dumbledore", "Li"):
        found = {strangers.of(Entity(0, len(word), word), [WordSlot(word, before)]) for before in (" ", "")}
        assert len(found) == 1
        assert None not in found
        (stranger,) = found
        assert len(bank.pieces.ids(f" {stranger}")) == len(bank.pieces.ids(f" {word}"))
        assert Strangers(NameTable(SECRET, "hp"), bank).of(Entity(0, len(word), word), []) == stranger
        assert squash(stranger)[:3] != squash(word)[:3]
    others = {Strangers(NameTable(bytes([key]) * 32, "hp"), bank).of(Entity(0, 8, "Hermione"), []) for key in range(20)}
    assert len(others) > 10  # another secret, another stranger


def stranger(strangers: Strangers, text: str, form: str = "word", *places: WordSlot) -> str | None:
    return strangers.of(Entity(0, len(text), text, form), places)


def test_years_move_by_one_distance_and_dates_stay_dates(bank: Bank) -> None:
    strangers = Strangers(NameTable(SECRET, "hp"), bank)
    moved = {year: stranger(strangers, year, "year") for year in ("1985", "1991", "2004")}
    distances = {int(found or 0) - int(year) for year, found in moved.items()}
    assert len(distances) == 1
    assert distances.pop() in {-10, -20, -30, -40, -50}
    found = stranger(strangers, "08/09/1956", "date")
    assert found is not None
    day, month, year = found.split("/")
    assert found != "08/09/1956"
    assert (1 <= int(day) <= 31, 1 <= int(month) <= 12, len(year)) == (True, True, 4)
    assert stranger(strangers, "J", "initial") not in (None, "J")
    assert stranger(strangers, "8th", "day") not in (None, "8th")


def test_what_takes_another_number_of_tokens_is_no_stranger(bank: Bank) -> None:
    strangers = Strangers(NameTable(SECRET, "hp"), bank)
    assert stranger(strangers, "1985", "year", WordSlot("1985", " ", count=1000)) is None
    assert stranger(strangers, "Hermione", "word", WordSlot("Hermione", " ", count=1000)) is None


def test_a_plural_is_the_plural_of_the_name_s_stranger(bank: Bank) -> None:
    from unlearned.substitution.table import KnownName

    table = NameTable.of(SECRET, "hp", {"potter": KnownName("surname", 0, False)}, [])
    strangers = Strangers(table, bank)
    one, many = stranger(strangers, "Potter"), stranger(strangers, "Potters")
    assert one is not None
    assert many == f"{one}s"
