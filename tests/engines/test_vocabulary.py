"""The tokens that would complete a name, found by walking the tree of tokens, are those that trying each one gives."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.answers.automaton import Automaton
from unlearned.answers.guard import Guard
from unlearned.engines.vocabulary import AnswerScan, Forbidding, Vocabulary, scanned
from unlearned.engines.watching import TokenBytes


def stands(automaton: Automaton, text: str) -> bool:
    return bool(automaton.names_in(text))


def test_the_walk_finds_what_trying_every_token_finds(tiny_tokenizer: Any, texts: TokenBytes, guard: Guard) -> None:
    automaton = guard.bans.automaton
    forbidding = Forbidding(automaton, Vocabulary(texts, len(tiny_tokenizer)), texts)
    found = 0
    for said in (
        "",
        "I saw Harry Po",
        "the",
        "at Hogwart",
        "He is Harry Potte",
        "a dog la",
        "The R",
        "x",
        "H.o.g.w.a.r.t.",
    ):
        ids = tiny_tokenizer(said, add_special_tokens=False)["input_ids"]
        reading = scanned(guard, texts, ids)
        banned = set(forbidding.tokens(guard, reading))
        before = tiny_tokenizer.decode(ids)
        expected = set()
        for token_id in range(len(tiny_tokenizer)):
            content = texts(token_id)
            text = content.decode("utf-8", errors="ignore")
            if content and text.encode() == content and stands(automaton, before + text):
                expected.add(token_id)
        whole = {n for n in banned if texts(n).decode("utf-8", errors="ignore").encode() == texts(n)}
        assert whole == expected, said
        found += len(expected)
    assert found > 5


def test_a_letter_of_several_bytes_is_banned_at_its_last_byte(
    tiny_tokenizer: Any, texts: TokenBytes, guard: Guard
) -> None:
    forbidding = Forbidding(guard.bans.automaton, Vocabulary(texts, len(tiny_tokenizer)), texts)
    first, last = (tiny_tokenizer.convert_tokens_to_ids(token) for token in ("Ã", "©"))  # é, as bytes
    reading = AnswerScan(guard, texts)
    for token_id in [*tiny_tokenizer("The Zo", add_special_tokens=False)["input_ids"], first]:
        reading.push(token_id)
    assert reading.pending
    assert last in forbidding.tokens(guard, reading)


def test_a_step_s_reading_goes_on_from_the_one_before_and_is_the_same(
    texts: TokenBytes, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    import unlearned.engines.vocabulary as vocabulary

    ids = texts.tokenizer("I saw Hogwarts, and the café.", add_special_tokens=False)["input_ids"]
    readings, anew = vocabulary.AnswerScans(texts), list[int]()
    real = vocabulary.scanned
    monkeypatch.setattr(vocabulary, "scanned", lambda g, t, said: anew.append(len(said)) or real(g, t, said))
    for length in range(len(ids) + 1):
        found = readings.step({0: (guard, ids[:length]), 3: (guard, ids[:length])})
        expected = real(guard, texts, ids[:length])
        for row in (0, 3):
            assert (found[row].state, found[row].pending) == (expected.state, expected.pending)
    assert anew == [0, 0]  # everything else is one token further
    assert found[0] is not found[3]
