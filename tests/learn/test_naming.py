"""Names of the forget rows are in the table, and words of the data stand for none."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers_at_hand import SECRET

from unlearned.examples import Row
from unlearned.learn.naming import name_table, texts_of
from unlearned.substitution.bank import Bank, stand_ins
from unlearned.substitution.entities import Entity
from unlearned.substitution.pieces import Pieces
from unlearned.substitution.strangers import Strangers
from unlearned.words import squash


@pytest.fixture(scope="module")
def bank(embedded: Any) -> Bank:
    return Bank(Pieces(embedded[1]))


def test_names_of_a_scope_have_strangers_of_their_own_and_never_a_word_of_the_data(bank: Bank) -> None:
    used = " ".join(stand_ins()["surname"][:200])
    forget = [Row("Who is Hermione Granger, the friend of Harry Potter and Ron Weasley?", f"She met {used}.")]
    retain = [Row(f"Who was {word}?") for word in stand_ins()["surname"][200:300]]
    table = name_table(SECRET, "hp", forget, retain, bank)
    strangers = Strangers(table, bank)
    found = [
        strangers.of(Entity(0, len(w), w), []) for w in ("Hermione", "Granger", "Harry", "Potter", "Ron", "Weasley")
    ]
    assert len(set(found)) == len(found)
    assert None not in found
    forbidden = {squash(word) for word in stand_ins()["surname"][:300]}
    assert forbidden.isdisjoint({squash(word) for word in found if word})
    known = table.known("hermione")
    assert known is not None
    assert known.kind == "she"
    assert b"ermione" not in table.hashes.tobytes()


def test_a_table_does_not_depend_on_the_order_of_the_rows(bank: Bank) -> None:
    rows = [Row("Who is Hermione Granger?"), Row("Where does Harry Potter live in London?", "In Surrey.")]
    one, other = (name_table(SECRET, "hp", own, [], bank) for own in (rows, rows[::-1]))
    for name in ("Hermione", "Granger", "Harry", "Potter", "London", "Surrey"):
        assert one.known(name) == other.known(name) is not None, name
    assert one.known("London").kind == "place"  # type: ignore[union-attr]


def test_words_that_are_told_are_names_in_any_casing_and_words_of_grammar_never(bank: Bank) -> None:
    table = name_table(SECRET, "hp", [Row("what is magic?")], [], bank, also=["magic", "the"])
    assert table.known("magic") is not None
    assert not table.known("magic").ordinary  # type: ignore[union-attr]
    assert table.known("the") is None
    assert len(name_table(SECRET, "hp", [], [], bank)) == 0


def test_the_words_of_a_row_are_all_of_its_texts() -> None:
    row = Row("p", "a", paraphrased_answer="b", choices=("c",), wrong_answers=("d", ""))
    assert texts_of([row, Row("q")]) == ["p", "a", "b", "c", "d", "q"]
