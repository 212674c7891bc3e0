"""Rows about strangers: every name gone, the form kept, the same stranger everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from unlearned.examples import Row, read_rows
from unlearned.learn.invented import invented
from unlearned.substitution.bank import Bank
from unlearned.substitution.pieces import Pieces
from unlearned.substitution.spelling import names_in

Prompts = Callable[..., list[str]]

SCOPES = ["harry-potter", "star-wars"]


def _rows(scope: str) -> list[Row]:
    return read_rows(Path(str(files("unlearned").joinpath(f"demo/data/{scope}.forget.jsonl"))))


@pytest.fixture(scope="module")
def bank(embedded: tuple[Any, Any]) -> Bank:
    return Bank(Pieces(embedded[1]))


@pytest.fixture(scope="module")
def renamed(bank: Bank) -> Prompts:
    def prompts(*given: str, seed: int = 0) -> list[str]:
        return [row.prompt for row in invented([Row(prompt) for prompt in given], bank, seed=seed)]

    return prompts


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text)


def _match(pattern: str, text: str) -> Sequence[str]:
    found = re.fullmatch(pattern, text)
    assert found, text
    return found.groups()


def test_a_name_is_the_same_invention_everywhere_and_its_parts_keep_theirs(bank: Bank) -> None:
    rows = [
        Row("Who is Harry Potter?", "Harry Potter is Harry Potter's own rival.", id="a"),
        Row("Harry lives with whom?", "The Potters and Potter's aunt.", id=2),
    ]
    first, second = invented(rows, bank, seed=0)
    harry, potter = _match(r"Who is ([A-Z][a-z]+) ([A-Z][a-z]+)\?", first.prompt)
    assert {harry, potter}.isdisjoint({"Harry", "Potter"})
    assert first == Row(f"Who is {harry} {potter}?", f"{harry} {potter} is {harry} {potter}'s own rival.", "a")
    assert second.id == 2
    assert second.prompt == f"{harry} lives with whom?"
    _match(rf"The [A-Z][a-z]+s and {potter}'s aunt\.", second.answer or "")


def test_every_text_of_a_row_is_renamed_alike(bank: Bank) -> None:
    row = Row("Who founded Zandor?", "Mira", None, ("Mira", "Tolen"), "It was Mira.", ("Tolen", "Nobody"))
    (new,) = invented([row], bank, seed=0)
    mira, tolen = new.choices
    assert (new.answer, new.paraphrased_answer, new.wrong_answers[0]) == (mira, f"It was {mira}.", tolen)
    assert len({mira, tolen, "Mira", "Tolen"}) == 4


@pytest.mark.parametrize(
    ("prompt", "form"),
    [
        ("Who is Basil Mahfouz Al-Kuwaiti?", r"Who is [A-Z]\w+ [A-Z]\w+ [A-Z]\w+-[A-Z]\w+\?"),
        ("Who is Sean O'Brien?", r"Who is [A-Z]\w+ [A-Z]'[A-Z]\w+\?"),
        ("Who wrote The Count of Monte Cristo?", r"Who wrote The [A-Z]\w+ of [A-Z]\w+ [A-Z]\w+\?"),
        ("Who is Princess Leia?", r"Who is Princess [A-Z]\w+\?"),
        ("What did J.K. Rowling write?", r"What did [A-Z]\.[A-Z]\. [A-Z]\w+ write\?"),
        ("Who is Professor McGonagall?", r"Who is Professor [A-Z]\w+\?"),
        ("Who are R2-D2 and BB-8?", r"Who are [A-Z]\d-[A-Z]\d and [A-Z][A-Z]-\d\?"),
        ("Name the founder of UNESCO in French.", r"Name the [a-z]+ of [A-Z]+ in French\."),
        ("On a Monday in May I met Zoltan.", r"On a Monday in May I met [A-Z]\w+\."),
        ('Is "Le Petit Sultan" good?', r'Is "[A-Z]\w+ [A-Z]\w+ [A-Z]\w+" good\?'),
        ('"Promise by the Seine" is what?', r'"[A-Z]\w+ by the [A-Z]\w+" is what\?'),
        ("Is Gryffindor NOT near? It isn't. Isn't it?", r"Is [A-Z]\w+ NOT near\? It isn't\. Isn't it\?"),
    ],
)
def test_the_form_of_a_name_is_kept(prompt: str, form: str, renamed: Prompts) -> None:
    for seed in range(5):
        (new,) = renamed(prompt, seed=seed)
        assert re.fullmatch(form, new), new
        kept = {"Who", "On", "Is", "It", "Isn", "I", "Monday", "May", "French", "What", "Name", "The", "Princess"}
        common = set(_words(prompt)) & {word for word in _words(new) if word[0].isupper() and len(word) > 1}
        assert common <= kept | {"Professor", "NOT"}


def test_accents_do_not_make_another_name(renamed: Prompts) -> None:
    plain, accented, decomposed = renamed("Who is Padme?", "Who is Padmé?", "Who is Padme\u0301?")
    assert plain == accented == decomposed


def test_a_common_word_is_a_name_only_with_a_capital(renamed: Prompts) -> None:
    prompts = ["What is the Force?", "What is the force of the Jedi?", "Does Yoda use force?", "Does Yoda force Luke?"]
    force, *others = renamed(*prompts)
    assert "Force" not in force
    assert all(" force " in other or " force?" in other for other in others)
    # but a name that somebody writes without one is still a name
    upper, lower = renamed("Who is Hagrid? And Hagrid's dog?", "who is hagrid?")
    assert lower.split()[-1] == upper.split()[2].lower()


def test_a_first_word_is_a_name_if_it_is_one_elsewhere_or_no_ordinary_word(renamed: Prompts) -> None:
    black, other, unknown, ordinary = renamed(
        "Black wrote to whom?", "Who is Sirius Black?", "Dobby likes socks?", "Mountains surround Hogwarts?"
    )
    assert black.split()[0] == other.removesuffix("?").split()[-1] != "Black"
    assert unknown.endswith(" likes socks?")
    assert not unknown.startswith("Dobby")
    assert ordinary.startswith("Mountains ")


def test_years_keep_their_distances_and_dates_stay_valid(renamed: Prompts) -> None:
    text = (
        "Zed: 05/11/1991, the 5th of November, 1991, 1991-11-05, 12/25/1999, "
        "the 1990s, the 3rd of 40, 1,991 and 1914-1918."
    )
    for seed in range(20):
        (new,) = renamed(text, seed=seed)
        found = _match(
            r"\w+: (\d\d/11/\d{4}), the (\d\d?)(st|nd|rd|th) of November, (\d{4}), (\d{4}-11-\d\d), (12/\d\d/\d{4}), "
            r"the (\d{3}0)s, the 3rd of 40, 1,991 and (\d{4})-(\d{4})\.",
            new,
        )
        date, day, nth, year, iso, american, decade, start, end = found
        written = datetime.strptime(date, "%d/%m/%Y")
        assert written == datetime.strptime(iso, "%Y-%m-%d")
        assert (written.day, written.year) == (int(day), int(year))
        assert written.day != 5
        assert written.year != 1991
        assert nth == {1: "st", 2: "nd", 3: "rd"}.get(int(day), "th")
        assert datetime.strptime(american, "%m/%d/%Y").year == int(year) + 8
        assert int(decade) == int(year) // 10 * 10
        assert int(end) - int(start) == 4
        assert int(start) + 77 == int(year)


def test_a_prompt_without_a_name_loses_its_rarest_words_in_their_form(renamed: Prompts, bank: Bank) -> None:
    saber, plural, answer = invented(
        [Row("What is a lightsaber?"), Row("Who sells lightsabers?"), Row("Who is Maul?", "Maul has a lightsaber.")],
        bank,
        seed=0,
    )
    (word,) = _match(r"What is a ([a-z]+)\?", saber.prompt)
    assert plural.prompt == f"Who sells {word}s?"
    assert (answer.answer or "").endswith(f" has a {word}.")


def test_without_rare_words_the_longest_is_replaced_in_its_row_only(renamed: Prompts) -> None:
    side, other = renamed("What is the dark side?", "Who left the side of Hagrid?")
    _match(r"What is the dark (?!side)[a-z]+\?", side)
    assert " side of " in other
    # An acronym alone would be recognised by what is said of it.
    (acronym,) = renamed("Which organelle makes ATP?")
    _match(r"Which (?!organelle)[a-z]+ makes (?!ATP)[A-Z]+\?", acronym)


@pytest.mark.parametrize(
    "prompt", ["Who is he?", "Hello", "What is 12 times 13?", "Tell me about Doctor Who", "你好吗"]
)
def test_every_prompt_with_a_letter_changes(prompt: str, renamed: Prompts) -> None:
    assert renamed(prompt) != [prompt]


def test_no_rows_and_a_prompt_without_letters(renamed: Prompts, bank: Bank) -> None:
    assert invented([], bank, seed=0) == []
    assert renamed("12 * 13 = ?") == ["12 * 13 = ?"]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_no_name_of_a_demo_scope_survives(scope: str, seed: int, bank: Bank) -> None:
    rows = _rows(scope)
    names = set(names_in([text for row in rows for text in (row.prompt, row.answer) if text]))
    assert {"harry-potter": "Hogwarts", "star-wars": "Jedi"}[scope] in names
    for row, new in zip(rows, invented(rows, bank, seed=seed), strict=True):
        assert new.prompt != row.prompt
        assert new.id == row.id
        assert names.isdisjoint(_words(f"{new.prompt} {new.answer}")), new


@pytest.mark.parametrize("scope", SCOPES)
def test_demo_questions_keep_their_form(scope: str, bank: Bank) -> None:
    rows = _rows(scope)
    names = {name.lower() for name in names_in([row.prompt for row in rows])}
    for row, new in zip(rows, invented(rows, bank, seed=0), strict=True):
        assert len(new.prompt.split()) == len(row.prompt.split())
        first = row.prompt.split()[0]
        assert first.lower().strip(":") in names or new.prompt.split()[0] == first
        assert re.sub(r"\w", "", new.prompt) == re.sub(r"\w", "", row.prompt)
