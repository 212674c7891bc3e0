"""Forget prompts are asked again in other spellings, and each is judged as the prompt that it is of."""

from __future__ import annotations

import numpy as np

from unlearned.classify.lexicon import Lexicon, ScopeName
from unlearned.learn.spellings import CASES, MOST, spelling_scores, spellings
from unlearned.names.garbling import GARBLINGS

FORGET = ["Who is Thomas Alva Edison?", "What did Thomas Alva Edison invent?", "Name the wizard of Menlo Park."]
LEXICON = Lexicon([ScopeName(name="Thomas Alva Edison", aliases=("the wizard of Menlo Park",))])


def test_a_name_stands_in_another_form_in_each_prompt_and_the_rest_stays() -> None:
    found = [one for one in spellings(FORGET, LEXICON) if one.kind.startswith("name: ")]
    assert {one.prompt for one in found} == {0, 1, 2}
    assert all("Thomas Alva Edison" not in one.text for one in found)
    for one in found:
        assert one.text.startswith(("Who is ", "What did ", "Name ")), one
    by_kind: dict[str, list[str]] = {}
    for one in found:
        by_kind.setdefault(one.kind, []).append(one.text)
    assert all(len(set(texts)) == len(texts) for texts in by_kind.values())
    assert any("Edison, Thomas" in text for text in by_kind["name: last name first"])


def test_every_way_of_writing_is_tried_on_at_most_so_many_prompts() -> None:
    many = [f"Who is the {n}th wizard?" for n in range(50)]
    found = spellings(many, Lexicon())
    for kind in CASES | GARBLINGS:
        own = [one for one in found if one.kind == kind]
        assert 0 < len(own) <= MOST, kind
        assert len({one.prompt for one in own}) == len(own)
    assert {one.kind for one in found} == set(CASES | GARBLINGS)
    upper = next(one for one in found if one.kind == "capitals")
    assert upper.text == many[upper.prompt].upper()
    assert spellings([], LEXICON) == []


def test_scores_are_sorted_by_the_kind_of_spelling() -> None:
    asked = spellings(FORGET, LEXICON)
    scores = spelling_scores(FORGET, LEXICON, lambda own: np.arange(len(own), dtype=np.float32))
    assert sum(len(own) for own in scores.values()) == len(asked)
    for kind, own in scores.items():
        assert [asked[int(n)].kind for n in own] == [kind] * len(own)
