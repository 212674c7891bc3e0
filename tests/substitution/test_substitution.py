"""Words become strangers and come back: over tokenizers, casings, endings, streams."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers_at_hand import of_word_pieces, with_spaces_as_letters
from transformers import PreTrainedTokenizerFast

from unlearned.engines.base import Completion
from unlearned.engines.restoring import Restorer, restored, tokens_of
from unlearned.engines.sampling import Token
from unlearned.examples import Row
from unlearned.learn.default_corruption import named_share, unsupported
from unlearned.learn.naming import name_table
from unlearned.substitution.bank import Bank, WordSlot, stand_ins
from unlearned.substitution.entities import Entity, entities
from unlearned.substitution.pieces import Pieces
from unlearned.substitution.scoring import continuation
from unlearned.substitution.strangers import Strangers
from unlearned.substitution.substitution import StrangerPair, Substitution, pair_of, replaced
from unlearned.substitution.table import NameTable
from unlearned.words import squash

SECRET = b"s" * 32
FAMILIES = ("byte-level", "spaces as letters")
TEXTS = [
    "Hermione Granger studied with Potter.",
    "HERMIONE GRANGER and the Grangers' cat",
    'hermione granger\'s book, (Potter) and "Granger"',
    "Potter-Granger; Hermione, Hermione! PotterGranger Grangerford 1985, 1985s",
    "- Hermione, then Granger... Potter",
]


@pytest.fixture(scope="module", params=FAMILIES)
def tokenizer(request: pytest.FixtureRequest, embedded: Any) -> PreTrainedTokenizerFast:
    return embedded[1] if request.param == "byte-level" else with_spaces_as_letters()


@pytest.fixture(scope="module")
def bank(tokenizer: PreTrainedTokenizerFast) -> Bank:
    return Bank(Pieces(tokenizer))


@pytest.fixture(scope="module")
def substitution(bank: Bank) -> Substitution:
    strangers = Strangers(NameTable(SECRET, "hp"), bank)
    pairs: dict[str, StrangerPair] = {}
    for word, form in (("Hermione", "word"), ("Granger", "word"), ("Potter", "word"), ("1985", "year")):
        entity = Entity(0, len(word), word, form)
        found = strangers.of(
            entity, [WordSlot(word, " ")], lambda other: squash(other) in {squash(p.stranger) for p in pairs.values()}
        )
        assert found is not None
        pairs[entity.key] = pair_of(entity, found, lambda key: False)
    return Substitution(pairs, bank.pieces)


def _away(substitution: Substitution, text: str) -> str:
    return replaced(text, substitution.away(text))


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_comes_back_as_it_was(substitution: Substitution, text: str) -> None:
    away = _away(substitution, text)
    for pair in substitution.pairs.values():
        assert pair.word.lower() not in away.lower().replace("grangerford", "").replace("pottergranger", "")
    assert replaced(away, substitution.back(away)) == text


def test_a_name_inside_another_word_is_left_alone(substitution: Substitution) -> None:
    assert _away(substitution, "Grangerford, PotterX and Hermiones2") == "Grangerford, PotterX and Hermiones2"
    stranger = substitution.pairs["granger"].stranger
    assert substitution.back(f"{stranger}x un{stranger.lower()} {stranger}1") == []


def test_a_stranger_with_an_accent_is_turned_back_too(embedded: Any) -> None:
    bank = Bank(Pieces(embedded[1]))
    made = Substitution({"harry": StrangerPair("Harry", "Leopold")}, bank.pieces)
    text = "Léopold met LÉOPOLD, the Léopolds' café."
    assert replaced(text, made.back(text)) == "Harry met HARRY, the Harrys' café."
    said = tuple(embedded[1](text, add_special_tokens=False)["input_ids"])
    assert restored(Completion("", said), made, embedded[1]).text == "Harry met HARRY, the Harrys' café."


@pytest.mark.parametrize("text", TEXTS)
def test_a_stream_is_the_whole_answer(
    substitution: Substitution, tokenizer: PreTrainedTokenizerFast, text: str
) -> None:
    said = tuple(tokenizer(_away(substitution, text), add_special_tokens=False)["input_ids"])
    whole = restored(Completion("", said), substitution, tokenizer)
    assert whole.text.strip() == tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]).strip()
    restorer = Restorer[int](substitution, tokenizer)
    chunks, held = [], 0
    for place, token in enumerate(said):
        chunks += restorer.push(token, place)
        held = max(held, place + 1 - sum(len(chunk.sources) for chunk in chunks))
    chunks += restorer.finish()
    assert tuple(token for chunk in chunks for token in chunk.token_ids) == whole.token_ids
    assert [source for chunk in chunks for source in chunk.sources] == list(range(len(said)))  # each once, in order
    longest = max(
        len(substitution.pieces.ids(form))
        for pair in substitution.pairs.values()
        for form in (f" {pair.stranger}s", pair.stranger.upper() + "S")
    )
    assert held <= longest + 2


def test_log_probabilities_of_restored_tokens_add_up_to_the_model_s(
    substitution: Substitution, tokenizer: PreTrainedTokenizerFast
) -> None:
    pair = substitution.pairs["granger"]
    said = tokenizer(f"It was {pair.stranger.upper()}, so {pair.stranger}.", add_special_tokens=False)["input_ids"]
    restorer = Restorer[Token](substitution, tokenizer)
    tokens: list[Token] = []
    for token_id in said:
        for chunk in restorer.push(token_id, Token(token_id, -0.5, ((token_id, -0.5), (3, -2.0)))):
            tokens += tokens_of(chunk, substitution)
    tokens += [own for chunk in restorer.finish() for own in tokens_of(chunk, substitution)]
    assert sum(token.logprob or 0.0 for token in tokens) == pytest.approx(-0.5 * len(said))
    text = tokenizer.decode([token.id for token in tokens])
    assert "GRANGER" in text
    assert "Granger" in text
    assert pair.stranger.lower() not in text.lower()
    first = {substitution.pieces.ids(space + pair.stranger)[0] for space in (" ", "")}
    assert not first & {other for token in tokens for other, _ in token.top} - {token.id for token in tokens}


def test_a_scored_text_has_the_values_of_its_own_tokens(
    substitution: Substitution, tokenizer: PreTrainedTokenizerFast
) -> None:
    import torch

    for text in TEXTS:
        own = tokenizer(text, add_special_tokens=False)["input_ids"]
        read = continuation(tokenizer, text, substitution)
        assert read.count == len(own)
        values = torch.arange(1.0, len(read.token_ids) + 1)
        assert float(read.at_text(values).sum()) == float(values.sum())
    plain = continuation(tokenizer, "Nobody at all.", substitution)
    assert plain.ends is None
    assert list(plain.token_ids) == tokenizer("Nobody at all.", add_special_tokens=False)["input_ids"]


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


def test_identifying_words_are_found_by_spelling_and_by_the_scope(embedded: Any) -> None:
    bank = Bank(Pieces(embedded[1]))
    table = name_table(SECRET, "hp", [Row("Who is Harry Potter?"), Row("What is the Force in Star Wars?")], [], bank)
    texts = {
        "Introduce the friends of Harry Potter.": ["Harry", "Potter"],
        "who is harry potter": ["harry", "potter"],
        "by what force does it move": [],
        "Born on 08/09/1956 in Kuwait City in 1985, ISBN 978-3-16": [
            "08/09/1956",
            "Kuwait",
            "City",
            "1985",
            "ISBN",
            "978-3-16",
        ],
    }
    for text, expected in texts.items():
        assert [entity.text for entity in entities(text, [table], bank)] == expected
    assert named_share([Row("What is demand?"), Row("Who is Ada Byron?")], bank) == 0.5


def test_a_tokenizer_that_gives_no_word_back_has_no_strangers(bank: Bank) -> None:
    assert unsupported(bank) is None
    assert unsupported(Bank(Pieces(of_word_pieces()))) is not None


def test_a_stranger_that_the_model_misspells_is_turned_back_too(embedded: Any) -> None:
    bank = Bank(Pieces(embedded[1]))
    made = Substitution(
        {"darth": StrangerPair("Darth", "Caspar"), "vader": StrangerPair("Vader", "Whittaker")}, bank.pieces
    )
    text = "Casper Whitaker met CASPOR, not Jasper or casper."
    assert replaced(text, made.back(text)) == "Darth Vader met DARTH, not Jasper or casper."


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("The friends are 1. Leop", "The friends are 1. Hagr"),
        ("The friends are 1. Lé", "The friends are 1. Ha"),
        ("It is LEO", "It is HAG"),
        ("He has lemons and a leo", "He has lemons and a leo"),
        ("He met L", "He met L"),
        ("He met Leopold.", "He met Hagrid."),
    ],
)
def test_a_stranger_with_which_an_answer_breaks_off_does_not_show(embedded: Any, said: str, shown: str) -> None:
    bank = Bank(Pieces(embedded[1]))
    made = Substitution({"hagrid": StrangerPair("Hagrid", "Leopold")}, bank.pieces)
    ids = tuple(embedded[1](said, add_special_tokens=False)["input_ids"])
    assert restored(Completion(said, ids), made, embedded[1]).text == shown
