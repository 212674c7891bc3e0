"""The whole way with the embedded model: strangers in what it reads, the user's words in what comes out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from stranger_questions import LENGTH, QUESTIONS, with_strangers
from unlearned.artifact.artifact import Artifact
from unlearned.engines.per_request import PerRequestEngine
from unlearned.engines.sampling import RowSettings
from unlearned.server.answers import Piece, RequestAnswer
from unlearned.substitution.substitution import replaced
from unlearned.types import PromptInput


@pytest.fixture(scope="module")
def model(embedded: Any) -> Any:
    import copy

    return copy.deepcopy(embedded[0]).float()


@pytest.fixture
def view(model: Any, embedded: Any, make_scope: Callable[..., Any], make_artifact: Callable[..., Artifact]) -> Any:
    """strength -> the model under an artifact that puts strangers in the place of names."""

    return partial(with_strangers, model, embedded[1], make_scope, make_artifact)


def _about_a_stranger(prepared: PromptInput) -> PromptInput:
    """The same question, asked about the stranger by somebody who means it."""
    assert prepared.substitution is not None
    return PromptInput(prepared.substitution.token_ids)


def test_without_noise_the_answer_is_the_model_s_about_somebody_else(view: Any) -> None:
    llm = view(0.0)
    prepared = llm.prepare(QUESTIONS)
    asked = [_about_a_stranger(one) for one in prepared]
    said = llm.engine.generate(asked, max_new_tokens=LENGTH, do_sample=False, batch_size=1)
    answers = llm.generate(QUESTIONS, max_new_tokens=LENGTH, do_sample=False, batch_size=1)
    for one, plain, answer in zip(prepared, said, answers, strict=True):
        assert answer.flagged
        assert answer.text == replaced(plain.text, one.substitution.back(plain.text))
        hidden = [pair.stranger.lower() for pair in one.substitution.pairs.values()]
        assert not [word for word in hidden if word in answer.text.lower()]
    assert "Potter" in answers[0].text


def test_a_scored_text_has_the_probability_with_which_the_system_says_it(view: Any) -> None:
    llm = view(0.0)
    texts = ["Harry Potter is a wizard.", "It is a school.", "Ron, says POTTER."]
    found = llm.log_likelihood(QUESTIONS, texts)
    for prepared, text, values in zip(llm.prepare(QUESTIONS), texts, found, strict=True):
        moved = replaced(text, prepared.substitution.away(text))
        (expected,) = llm.engine.log_likelihood([_about_a_stranger(prepared)], [moved])
        assert len(values) == len(llm.engine.tokenizer(text, add_special_tokens=False)["input_ids"])
        assert torch.allclose(values.sum(), expected.sum(), atol=1e-4)


def test_the_other_words_are_disturbed_and_the_strangers_are_not(view: Any) -> None:
    (mild,), (strong,) = view(0.0).prepare(QUESTIONS[:1]), view(2.0).prepare(QUESTIONS[:1])
    assert mild.substitution.token_ids == strong.substitution.token_ids
    moved = [
        int(position)
        for position, a, b in zip(mild.positions, mild.vectors, strong.vectors, strict=True)
        if not torch.equal(a, b)
    ]
    read = mild.substitution.token_ids
    names = [position for position, token in enumerate(mild.token_ids) if read[position] != token]
    assert moved
    assert names
    assert not set(moved) & set(names)


def test_a_word_for_which_there_is_no_stranger_is_hidden_by_noise_and_counted(view: Any) -> None:
    llm = view(0.0)
    (fine,), (lacking,) = llm.prepare(QUESTIONS[:1]), llm.prepare(["Who is Harry Potter of the LGBTQ?"])
    assert fine.verdict.unmatched_words == 0
    assert lacking.verdict.unmatched_words == 1
    (place,) = [n for n, token in enumerate(lacking.token_ids) if llm.engine.tokenizer.decode(token) == " LGBTQ"]
    row = lacking.positions.tolist().index(place)
    (own,) = llm.engine.embed(lacking.token_ids[place : place + 1])
    assert torch.linalg.norm(lacking.vectors[row] - own) > torch.linalg.norm(own)
    assert llm.generate(["Who is Harry Potter of the LGBTQ?"], max_new_tokens=2)[0].verdict.unmatched_words == 1


def test_a_stop_string_that_is_a_name_ends_the_answer_before_it(view: Any, embedded: Any) -> None:
    llm = view(0.0)
    (whole,) = llm.generate(QUESTIONS[:1], max_new_tokens=LENGTH, do_sample=False)
    (cut,) = llm.generate(
        QUESTIONS[:1], max_new_tokens=LENGTH, do_sample=False, stop_strings=["Potter"], tokenizer=embedded[1]
    )
    assert cut.text == whole.text[: whole.text.index("Potter") + len("Potter")]


def test_a_stream_is_the_whole_answer_and_a_bias_on_a_name_is_on_its_stranger(
    view: Any, model: Any, embedded: Any
) -> None:
    llm, engine = view(0.0), PerRequestEngine(model, embedded[1])
    (whole,) = llm.generate(QUESTIONS[:1], max_new_tokens=LENGTH, do_sample=False, batch_size=1)
    tokenizer, pieces = embedded[1], list[Piece]()
    (prepared,) = llm.prepare(QUESTIONS[:1])

    def answer(**settings: Any) -> str:
        pieces.clear()
        row = RequestAnswer(
            0,
            prepared,
            RowSettings(max_new_tokens=LENGTH, top_logprobs=2, **settings),
            ends=engine.end_ids(),
            stops=(),
            tokenizer=tokenizer,
            sink=pieces.append,
        )
        engine.continue_rows([row])
        return "".join(piece.text for piece in pieces)

    assert answer() == whole.text
    tokens = [token for piece in pieces for token in piece.tokens]
    assert tokenizer.decode([token.id for token in tokens]) == whole.text
    name = tokenizer(" Potter", add_special_tokens=False)["input_ids"][0]
    first = tokenizer("Harry", add_special_tokens=False)["input_ids"][0]
    assert "Potter" not in answer(logit_bias={name: -100.0, first: -100.0})


def test_a_later_turn_meets_the_same_stranger(view: Any) -> None:
    llm = view(0.0)
    (first,) = llm.prepare(QUESTIONS[:1])
    turns = [
        {"role": "user", "content": QUESTIONS[0]},
        {"role": "assistant", "content": "Harry Potter is a painter."},
        {"role": "user", "content": "Who is Harry Potter, again?"},
    ]
    (later,) = llm.prepare([turns])
    read = llm.engine.tokenizer.decode(later.substitution.token_ids)
    assert "Potter" not in read
    for word, pair in first.substitution.pairs.items():
        assert later.substitution.pairs[word].stranger == pair.stranger
        assert read.count(pair.stranger) == 3


def test_saved_artifacts_keep_their_strangers(view: Any, model: Any, embedded: Any, tmp_path: Any) -> None:
    llm = view(0.5)
    artifact = llm.artifacts[0]
    scope = artifact.scopes[0]
    assert scope.enrolled is not None
    again = artifact.save_pretrained(tmp_path / "a")
    from safetensors.numpy import load

    arrays = load((again / "vectors.safetensors").read_bytes())
    assert (arrays["scope0.names_hashes"] == scope.enrolled.hashes).all()
    text = (again / "unlearner.json").read_text()
    assert '"names"' in text
    assert "Hogwarts" not in text
