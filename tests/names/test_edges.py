"""A passage that ends inside a name grows to the whole name."""

import pytest

from unlearned.names.edges import grown, grown_to_matches


@pytest.mark.parametrize(
    ("text", "inside", "whole"),
    [
        ("What did Anna Maria Berg write?", "Maria", "Anna Maria Berg"),
        ("What did Thomas A. Edison do?", "What did Thomas A.", "What did Thomas A. Edison"),
        ("Ask Anna. Who is Berg?", "Ask Anna", "Ask Anna"),
        ("WHO WAS ANNA MARIA BERG", "MARIA", "MARIA"),
    ],
)
def test_a_passage_that_ends_inside_a_name_grows_to_the_whole_name(text: str, inside: str, whole: str) -> None:
    start = text.index(inside)
    first, last = grown(text, start, start + len(inside), 0, len(text))
    assert text[first:last] == whole


def test_a_passage_takes_in_every_match_that_it_overlaps_and_no_neighbour() -> None:
    matches = [(0, 5), (10, 20), (20, 25), (40, 50)]
    for place, expected in {
        (12, 15): (10, 20),
        (4, 11): (0, 20),
        (19, 21): (10, 25),
        (5, 10): (5, 10),
        (25, 40): (25, 40),
        (30, 60): (30, 60),
        (0, 60): (0, 60),
        (60, 70): (60, 70),
    }.items():
        assert grown_to_matches(place, matches) == expected, place
    assert grown_to_matches((1, 2), []) == (1, 2)


def test_it_grows_over_a_few_words_within_its_limits_and_only_over_names() -> None:
    for text, inside, whole in (
        ("then he met and saw One Two Three Four Five Six Seven", "Seven", "Three Four Five Six Seven"),
        ("met Anna Berg", "erg", "Anna Berg"),
        ("met Anna, Berg", "Berg", "Berg"),
        ("met Anna\nBerg", "Berg", "Berg"),
        ("met Dr. Anna Berg", "Anna", "Dr. Anna Berg"),
        ("met Anna-Maria Berg", "Maria", "Anna-Maria Berg"),
        ("On Monday Anna left", "Anna", "Anna"),
        ("and I Anna", "Anna", "Anna"),
        ("met Zoé Émile", "Zoé", "Zoé Émile"),
        ("met B2B Anna", "Anna", "Anna"),
        ("... , !", ",", ","),
    ):
        start = text.index(inside)
        first, last = grown(text, start, start + len(inside), 0, len(text))
        assert text[first:last] == whole, text
    text = "met Anna Maria Berg"
    assert grown(text, 9, 14, 9, 14) == (9, 14)
    assert grown("", 0, 0, 0, 0) == (0, 0)
