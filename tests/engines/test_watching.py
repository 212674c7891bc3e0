"""Answers under a guard: what is certain is given out, and what may not be said is gone back from."""

from __future__ import annotations

from typing import Any

from unlearned.answers.guard import Bans, Guard
from unlearned.answers.withheld import Withheld
from unlearned.classify.lexicon import ScopeName
from unlearned.engines.watching import Guarded, TokenBytes


def test_an_answer_goes_back_to_where_the_name_began_and_gives_out_only_what_is_certain(
    tiny_tokenizer: Any, texts: TokenBytes, guard: Guard
) -> None:
    answer: Guarded[str] = Guarded(guard.anew(), None, texts, 100)
    ids = tiny_tokenizer("I saw silver fox.", add_special_tokens=False)["input_ids"]
    given, back = "", None
    for place, token_id in enumerate(ids):
        went_back = answer.push(token_id, tiny_tokenizer.decode([token_id]))
        given += "".join(answer.new())
        if went_back:
            back = place
            break
    assert back is not None
    assert given.rstrip() == "I saw"
    said = tiny_tokenizer.decode([token_id for token_id, _ in answer.tokens])
    assert said == given
    assert answer.bans == {ids[len(answer.tokens)]}
    assert answer.guard.held == {"names": 1}
    for token_id in tiny_tokenizer(" a fox", add_special_tokens=False)["input_ids"]:
        assert not answer.push(token_id, tiny_tokenizer.decode([token_id]))
    assert not answer.finish()
    assert (given + "".join(answer.new())).split() == ["I", "saw", "a", "fox"]


def test_an_answer_that_always_comes_back_to_a_name_ends_where_it_is_clean(
    tiny_tokenizer: Any, texts: TokenBytes
) -> None:
    guard = Guard(
        Bans([Withheld(names=tuple(ScopeName(name=f"{a}{b}{a}x", given=False) for a in "bcdfgh" for b in "aeiou"))])
    )
    answer: Guarded[int] = Guarded(guard, None, texts, 1000)
    tried = 0
    while not answer.ended and tried < 5000:
        for a in "bcdfgh":
            for b in "aeiou":
                for token_id in tiny_tokenizer(f" {a}{b}{a}x.", add_special_tokens=False)["input_ids"]:
                    tried += 1
                    if answer.ended or answer.push(token_id, token_id):
                        break
    assert answer.ended
    assert not guard.bans.automaton.names_in(tiny_tokenizer.decode([n for n, _ in answer.tokens]))
