"""People are found in reviews."""

from __future__ import annotations

import pytest
from sentiment_rows import PEOPLE, TRAIN

from unlearned.benchmarks.sentiment.people import choose_people, mentions, names_by_spelling
from unlearned.errors import DataError


def test_people_are_found_in_lower_case() -> None:
    found = names_by_spelling(["with jackie chan , kate is and john the james once", "mr. Woody Allen 's best", "film"])
    assert found == [{"jackie chan"}, {"woody allen"}, set()]


def test_a_review_mentions_people_by_full_name_or_surname_but_not_by_part_of_a_word() -> None:
    texts = ["chan kicks", "jackie chan's", "chance", "a woody place", "jackie , chan", "jackie"]
    assert mentions(["jackie chan"], texts) == {"jackie chan": (0, 1, 4)}


def test_some_people_are_chosen_by_a_seed_and_never_most_of_them() -> None:
    texts = [row["sentence"] for row in TRAIN]
    assert len(choose_people(texts, names_by_spelling, 0.1, 0)) == 1
    half = choose_people(texts, names_by_spelling, 0.9, 0)
    assert len(half) == 2
    assert half == choose_people(texts, names_by_spelling, 0.9, 0)
    assert {tuple(choose_people(texts, names_by_spelling, 0.1, seed)) for seed in range(40)} == {(n,) for n in PEOPLE}
    with pytest.raises(DataError, match="no two people"):
        choose_people(["a film"], names_by_spelling, 0.1, 0)
