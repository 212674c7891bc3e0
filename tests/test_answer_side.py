"""The answer side with the embedded model: what nobody asked for is not said, whole and streamed; all else stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from unlearned.answers.quotes import QuoteFilter, runs, words
from unlearned.answers.withheld import DEFAULT, AnswerPolicy, Withheld
from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import base_model_record
from unlearned.classify.lexicon import ScopeName
from unlearned.classify.windows import clauses
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.per_request import PerRequestEngine
from unlearned.engines.sampling import RowSettings
from unlearned.engines.transformers import TransformersEngine
from unlearned.examples import Row
from unlearned.learn.naming import name_table
from unlearned.server.answer_policies import AnswerPolicies
from unlearned.server.answers import Piece, RequestAnswer

CAPITAL = "What is the capital of France? Answer in one sentence."
OTHER = "Write one sentence about bread."
LENGTH = 20
GREEDY: dict[str, Any] = {"max_new_tokens": LENGTH, "do_sample": False}


@pytest.fixture(scope="module")
def plain(embedded: Any) -> list[Any]:
    return Unlearned(*embedded).generate([CAPITAL, OTHER], batch_size=1, **GREEDY)


@pytest.fixture
def view(embedded: Any, make_scope: Callable[..., Any], make_artifact: Callable[..., Artifact]) -> Any:
    """What is held back -> the model under an artifact that flags nothing here, but for what is said about."""

    def make(*names: str, quotes: QuoteFilter | None = None, policy: AnswerPolicy = DEFAULT, **more: Any) -> Unlearned:
        record = base_model_record(TransformersEngine(*embedded))
        own = tuple(ScopeName(name=name, kind="work", given=False) for name in names)
        held = Withheld(names=own, quotes=quotes, policy=policy)
        scope = make_scope(withheld=held, **more)
        return Unlearned(*embedded, replace(make_artifact(scope), base_model=record))

    return make


def by_strangers(embedded: Any, question: str, *others: str) -> dict[str, Any]:
    """Settings of a scope in which strangers stand for whom a question names."""
    engine = TransformersEngine(*embedded)
    std = base_model_record(engine).embedding_std
    return {
        "forget": [question, *others],
        "corruption": Corruption(function="entity_substitution", strength=0.0, embedding_std=std),
        "enrolled": name_table(b"s" * 32, "harry-potter", [Row(question)], [], engine.bank),
    }


def rows_of(llm: Unlearned, prompt: str, **settings: Any) -> list[Piece]:
    """The pieces of one answer, as the server streams it."""
    engine = PerRequestEngine(llm.engine.model, llm.engine.tokenizer)
    pieces: list[Piece] = []
    (prepared,) = llm.prepare([prompt])
    row = RequestAnswer(
        0,
        prepared,
        RowSettings(max_new_tokens=LENGTH, **settings),
        ends=engine.end_ids(),
        stops=(),
        tokenizer=engine.tokenizer,
        sink=pieces.append,
    )
    engine.continue_rows([row])
    return pieces


def test_a_name_that_nobody_wrote_is_not_said_and_all_ways_to_an_answer_say_the_same(view: Any, plain: Any) -> None:
    assert "Paris" in plain[0].text
    llm = view("Paris")
    answer, other = llm.generate([CAPITAL, OTHER], batch_size=1, **GREEDY)
    assert "paris" not in answer.text.lower()
    assert answer.text.strip()
    assert other.text == plain[1].text
    assert other.token_ids == plain[1].token_ids
    assert "".join(llm.stream(CAPITAL, max_new_tokens=LENGTH)) == answer.text
    pieces = rows_of(llm, CAPITAL, top_logprobs=5)
    assert "".join(piece.text for piece in pieces) == answer.text
    tokens = [token for piece in pieces for token in piece.tokens]
    assert len(tokens) == len([n for n in answer.token_ids if n not in llm.engine.tokenizer.all_special_ids])
    said = {llm.engine.tokenizer.decode([other]).strip().lower() for token in tokens for other, _ in token.top}
    assert "paris" not in said
    assert pieces[-1].finish_reason in ("stop", "length")


def test_a_name_in_the_conversation_is_free(view: Any, plain: Any) -> None:
    llm = view("Paris")
    asked = f"{CAPITAL} Is it Paris?"
    (free,) = llm.generate([asked], **GREEDY)
    (own,) = Unlearned(llm.engine.model, llm.engine.tokenizer).generate([asked], **GREEDY)
    assert free.text == own.text
    assert "Paris" in free.text


def test_no_torso_stays_of_a_name_of_several_words_nor_at_the_length_limit(view: Any, plain: Any) -> None:
    said = plain[0].text.split()
    place = next(n for n, word in enumerate(said) if word.startswith("Paris"))
    name = " ".join(said[place - 1 : place + 1]).strip(".,")  # "is Paris"
    llm = view(name)
    (answer,) = llm.generate([CAPITAL], **GREEDY)
    assert name.lower() not in answer.text.lower()
    ids = plain[0].token_ids
    before = next(n for n in range(len(ids)) if "Paris" in llm.engine.tokenizer.decode(ids[: n + 1]))
    for most in (before, before + 1):  # where the plain answer would end within the name, and with it
        (short,) = llm.generate([CAPITAL], max_new_tokens=most, do_sample=False)
        assert answer.text.startswith(short.text)
        assert "".join(llm.stream(CAPITAL, max_new_tokens=most)) == short.text


def test_no_more_than_the_stated_number_of_words_of_a_text_come_out(view: Any, plain: Any) -> None:
    text = plain[1].text
    quotes = QuoteFilter.of(b"s" * 32, [text], bound=4)
    assert quotes is not None
    llm = view(quotes=quotes)
    (answer,) = llm.generate([OTHER], **GREEDY)
    assert not set(runs(words(answer.text), 5)) & set(runs(words(text), 5))
    assert set(runs(words(answer.text), 4)) & set(runs(words(text), 4))
    assert "".join(llm.stream(OTHER, max_new_tokens=LENGTH)) == answer.text
    (free,) = llm.generate([f"{OTHER} Such as: {text}"], **GREEDY)
    (own,) = Unlearned(llm.engine.model, llm.engine.tokenizer).generate([f"{OTHER} Such as: {text}"], **GREEDY)
    assert free.text == own.text


def test_a_clause_that_tells_of_a_scope_is_begun_anew_and_then_left_out(view: Any, plain: Any) -> None:
    told = plain[0].text.split(".")[0] + "."  # "The capital of France is Paris."
    scope = {"forget": [told], "retain": [CAPITAL, OTHER, plain[1].text], "threshold": 0.9}
    llm = view(policy="names+quotes+content", **scope)
    answer, other = llm.generate([CAPITAL, OTHER], batch_size=1, **GREEDY)
    assert not answer.flagged
    assert other.token_ids == plain[1].token_ids
    assert told not in answer.text
    content = llm.artifacts[0].unlearner().bans.content
    before = ""
    for start, end in clauses(answer.text, 0, len(answer.text)):
        clause = answer.text[start:end]
        assert not content.read(clause, asked=CAPITAL, before=before).result()
        before = clause
    assert "".join(llm.stream(CAPITAL, max_new_tokens=LENGTH)) == answer.text
    pieces = rows_of(llm, CAPITAL)
    assert "".join(piece.text for piece in pieces) == answer.text
    assert pieces[-1].finish_reason in ("stop", "length")


def test_content_is_read_as_the_model_says_it_where_the_user_asked_about_the_scope(view: Any, embedded: Any) -> None:
    """The answer is about a stranger: that the user's word comes back makes it no content of the scope."""
    question = "Who is Harry Potter?"
    substituting = by_strangers(embedded, question, "Harry Potter is a wizard.")
    (free,) = view(**substituting).generate([question], **GREEDY)
    (read,) = view(policy="names+quotes+content", **substituting).generate([question], **GREEDY)
    assert free.flagged
    assert read.text == free.text


def test_samples_and_beams_do_not_say_it_either(view: Any) -> None:
    llm = view("Paris")
    torch.manual_seed(0)
    samples = llm.generate([CAPITAL], do_sample=True, num_return_sequences=4, max_new_tokens=12)
    assert len(samples) == 4
    assert not [one for one in samples if "paris" in one.text.lower()]
    (beam,) = llm.generate([CAPITAL], num_beams=2, do_sample=False, max_new_tokens=10)
    assert "paris" not in beam.text.lower()
    one, again = (rows_of(llm, CAPITAL, temperature=1.0, seed=3) for _ in range(2))
    assert "".join(p.text for p in one) == "".join(p.text for p in again)
    assert "paris" not in "".join(p.text for p in one).lower()


def test_the_user_s_own_words_come_back_from_strangers_though_they_are_names(view: Any, embedded: Any) -> None:
    question = "Who is Harry Potter?"
    substituting = by_strangers(embedded, question, "Tell me about Hogwarts.")
    (free,) = view(**substituting).generate([question], **GREEDY)
    llm = view("Harry Potter", "Potter", **substituting)
    (held,) = llm.generate([question], **GREEDY)
    assert held.flagged
    assert "Potter" in free.text
    assert held.text == free.text
    assert "".join(llm.stream(question, max_new_tokens=LENGTH)) == free.text


def test_what_is_held_back_is_saved_with_the_artifact_and_a_policy_changes_it(
    view: Any, plain: Any, tmp_path: Path, bag_of_words: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unlearned.artifact.artifact.sentence_encoder", lambda name: bag_of_words)
    quotes = QuoteFilter.of(b"s" * 32, [plain[1].text], bound=4)
    (artifact,) = view("Paris", quotes=quotes).artifacts
    folder = artifact.save_pretrained(tmp_path / "held")
    assert b"Paris" not in (folder / "vectors.safetensors").read_bytes()
    read = Artifact.from_pretrained(folder)
    (scope,) = read.scopes
    assert scope.withheld is not None
    assert [name.name for name in scope.withheld.names] == ["Paris"]
    assert scope.withheld.holds == "names+quotes"
    text = words(plain[1].text)
    assert tuple(text[:5]) in scope.withheld.quotes
    for policy, names, known in (("off", False, False), ("names", True, False), ("names+quotes", True, True)):
        (changed,) = AnswerPolicies.read([f"harry-potter={policy}"]).applied([read])
        bans = changed.unlearner().bans
        assert (len(bans.automaton) > 0, bool(bans.quotes)) == (names, known)
