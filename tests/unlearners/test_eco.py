"""ECO on the tiny model: what is corrupted, that the same words always meet the same corruption, and failing closed."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch

from unlearned.classify.exemptions import Exemptions
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, DetectionError, UnknownNameError, UnlearnedError
from unlearned.types import Prompt, PromptInput, Span, Verdict
from unlearned.unlearners.eco import ECO

QUESTION = "Who is Harry Potter?"


@pytest.fixture(scope="module")
def engine(tiny_model: Any, tiny_tokenizer: Any) -> TransformersEngine:
    return TransformersEngine(tiny_model, tiny_tokenizer)


def _one(eco: ECO, engine: TransformersEngine, prompt: Any) -> tuple[Prompt, PromptInput]:
    tokenized = engine.tokenize(prompt)
    return tokenized, eco.prepare([tokenized], engine)[0]


def _words(prompt: Prompt, prepared: PromptInput) -> list[str]:
    assert prepared.positions is not None
    return [prompt.text[slice(*prompt.offsets[position])] for position in prepared.positions.tolist()]


def _vectors_of(prompt: Prompt, prepared: PromptInput, text: str, occurrence: int = 0) -> torch.Tensor:
    """(K, D) the corrupted vectors of one occurrence of a text in the prompt."""
    start = -1
    for _ in range(occurrence + 1):
        start = prompt.text.index(text, start + 1)
    tokens = np.flatnonzero(prompt.tokens_overlapping(start, start + len(text)))
    assert prepared.positions is not None
    assert prepared.vectors is not None
    rows = {position: row for row, position in enumerate(prepared.positions.tolist())}
    return prepared.vectors[[rows[token] for token in tokens]]


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def test_an_unflagged_prompt_is_handed_on_without_positions(make_scope: Any, engine: TransformersEngine) -> None:
    prompt, prepared = _one(ECO([make_scope()]), engine, "How do I bake bread?")
    assert prepared.token_ids == prompt.token_ids
    assert prepared.positions is None
    assert prepared.vectors is None
    assert not prepared.verdict.in_scope


def test_without_scopes_everything_passes(engine: TransformersEngine) -> None:
    assert not _one(ECO([]), engine, QUESTION)[1].corrupted


def test_exactly_the_content_tokens_of_the_flagged_span_are_corrupted(
    make_scope: Any, engine: TransformersEngine
) -> None:
    text = "The quick brown fox. Who is Harry Potter? Thank you."
    prompt, prepared = _one(ECO([make_scope()]), engine, text)
    assert "".join(_words(prompt, prepared)).strip() == QUESTION
    assert prepared.token_ids == prompt.token_ids


@pytest.mark.parametrize("selector", ["spans", "all_but_last"])
def test_special_and_template_tokens_are_never_corrupted(
    make_scope: Any, engine: TransformersEngine, selector: str
) -> None:
    messages = [
        _turn("system", "You help."),
        _turn("user", QUESTION),
        _turn("assistant", "A wizard."),
        _turn("user", "So?"),
    ]
    prompt, prepared = _one(ECO([make_scope(selector=selector)]), engine, messages)
    assert prepared.positions is not None
    chosen = prepared.positions.numpy()
    assert prompt.content_tokens()[chosen].all()
    assert not prompt.is_special[chosen].any()
    assert not {"<|turn|>", "<|end|>", "user", "system", "assistant"} & {
        word.strip() for word in _words(prompt, prepared)
    }


def test_all_but_last_takes_all_content_except_the_final_token(make_scope: Any, engine: TransformersEngine) -> None:
    prompt, prepared = _one(ECO([make_scope(selector="all_but_last")]), engine, "Bake bread. Who is Harry Potter?")
    assert prepared.positions is not None
    assert prepared.positions.tolist() == np.flatnonzero(prompt.content_tokens())[:-1].tolist()
    assert _words(prompt, prepared)[-1].strip() == "Potter"


def test_positions_are_ascending_int64_and_vectors_have_the_models_width_and_dtype(
    make_scope: Any, engine: TransformersEngine
) -> None:
    _, prepared = _one(ECO([make_scope()]), engine, "What is Hogwarts? Bake bread. Who is Harry Potter?")
    assert prepared.positions is not None
    assert prepared.vectors is not None
    assert prepared.positions.dtype == torch.int64
    assert prepared.positions.tolist() == sorted(set(prepared.positions.tolist()))
    assert prepared.vectors.shape == (len(prepared.positions), 32)
    assert prepared.vectors.dtype == engine.model.dtype
    assert not prepared.vectors.requires_grad


def test_vectors_are_the_embeddings_plus_noise_of_the_asked_size(make_scope: Any, engine: TransformersEngine) -> None:
    scope = make_scope(corruption=Corruption(strength=50.0, embedding_std=0.02))
    prompt, prepared = _one(ECO([scope]), engine, QUESTION)
    assert prepared.positions is not None
    assert prepared.vectors is not None
    noise = prepared.vectors - engine.embed(prompt.token_ids)[prepared.positions]
    assert float(noise.std()) == pytest.approx(1.0, rel=0.2)


def test_zero_strength_gives_the_models_own_embeddings(make_scope: Any, engine: TransformersEngine) -> None:
    prompt, prepared = _one(ECO([make_scope(corruption=Corruption(strength=0.0))]), engine, QUESTION)
    assert prepared.positions is not None
    assert prepared.vectors is not None
    assert torch.equal(prepared.vectors, engine.embed(prompt.token_ids)[prepared.positions])


def test_preparing_changes_neither_the_models_embeddings_nor_its_hooks(
    make_scope: Any, engine: TransformersEngine
) -> None:
    before = engine.embedding.weight.clone()
    _one(ECO([make_scope()]), engine, QUESTION)
    assert torch.equal(engine.embedding.weight, before)
    assert not engine.embedding._forward_hooks
    assert not engine.model._forward_pre_hooks


def test_asking_twice_gives_bit_identical_vectors(make_scope: Any, engine: TransformersEngine) -> None:
    first = _one(ECO([make_scope()]), engine, QUESTION)[1].vectors
    second = _one(ECO([make_scope()]), engine, QUESTION)[1].vectors
    assert first is not None
    assert second is not None
    assert torch.equal(first, second)


def test_the_batch_does_not_change_a_prompts_corruption(make_scope: Any, engine: TransformersEngine) -> None:
    eco = ECO([make_scope()])
    prompts = [engine.tokenize(text) for text in ("What is Hogwarts?", "Bake bread.", QUESTION, "Hello. " + QUESTION)]
    together = eco.prepare(prompts, engine)
    for prompt, prepared in zip(prompts, together, strict=True):
        (alone,) = eco.prepare([prompt], engine)
        if alone.positions is None:
            assert prepared.positions is None
            continue
        assert alone.vectors is not None
        assert prepared.positions is not None
        assert prepared.vectors is not None
        assert torch.equal(prepared.positions, alone.positions)
        assert torch.equal(prepared.vectors, alone.vectors)


def test_a_later_turn_of_a_chat_keeps_the_corruption_of_the_first(make_scope: Any, engine: TransformersEngine) -> None:
    eco = ECO([make_scope()])
    first = [_turn("user", QUESTION)]
    later = [*first, _turn("assistant", "I do not know."), _turn("user", "How do I bake bread?")]
    again = [*later, _turn("assistant", "With flour."), _turn("user", QUESTION)]
    expected = _vectors_of(*_one(eco, engine, first), QUESTION)
    assert torch.equal(_vectors_of(*_one(eco, engine, later), QUESTION), expected)
    assert torch.equal(_vectors_of(*_one(eco, engine, again), QUESTION), expected)
    assert torch.equal(_vectors_of(*_one(eco, engine, again), QUESTION, occurrence=1), expected)


def test_the_same_words_far_apart_in_one_prompt_get_the_same_noise(make_scope: Any, engine: TransformersEngine) -> None:
    text = f"Bake bread.\n{QUESTION}\nBake bread.\n{QUESTION}\n"
    prompt, prepared = _one(ECO([make_scope()]), engine, text)
    assert torch.equal(_vectors_of(prompt, prepared, QUESTION), _vectors_of(prompt, prepared, QUESTION, 1))


@pytest.mark.parametrize("change", [{"secret": b"t" * 32}, {"name": "another"}])
def test_another_secret_or_scope_gives_other_vectors_at_the_same_places(
    make_scope: Any, engine: TransformersEngine, change: dict[str, Any]
) -> None:
    _, first = _one(ECO([make_scope()]), engine, QUESTION)
    _, second = _one(ECO([make_scope(**change)]), engine, QUESTION)
    assert first.positions is not None
    assert second.positions is not None
    assert first.vectors is not None
    assert second.vectors is not None
    assert torch.equal(first.positions, second.positions)
    assert (first.vectors != second.vectors).all()


def test_other_words_get_other_noise(make_scope: Any, engine: TransformersEngine) -> None:
    eco = ECO([make_scope(corruption=Corruption(strength=1e4, embedding_std=1.0))])  # noise only
    one = _one(eco, engine, "Who is Harry Potter?")[1].vectors
    other = _one(eco, engine, "Who is Harry Potter")[1].vectors
    assert one is not None
    assert other is not None
    assert abs(float(torch.corrcoef(torch.stack([one[:3].flatten(), other[:3].flatten()]))[0, 1])) < 0.4


def test_overlapping_scopes_give_the_same_result_in_any_order(make_scope: Any, engine: TransformersEngine) -> None:
    scopes = [
        make_scope("a", secret=b"a" * 32),
        make_scope("b", forget=["Hogwarts is a school of magic", "Who is Harry Potter?"], secret=b"b" * 32),
        make_scope("c", forget=["What is Hogwarts?"], secret=b"c" * 32, selector="all_but_last"),
    ]
    prompt = engine.tokenize("Who is Harry Potter? Bake bread. What is Hogwarts?")
    expected = ECO(scopes).prepare([prompt], engine)[0]
    assert expected.positions is not None
    assert expected.vectors is not None
    assert len({span.scope for span in expected.verdict.spans}) == 3
    for order in permutations(scopes):
        (found,) = ECO(order).prepare([prompt], engine)
        assert found.verdict == expected.verdict
        assert found.positions is not None
        assert found.vectors is not None
        assert torch.equal(found.positions, expected.positions)
        assert torch.equal(found.vectors, expected.vectors)


def test_where_two_scopes_claim_the_same_words_the_strongest_corrupts_them(
    make_scope: Any, engine: TransformersEngine
) -> None:
    strong, weak = make_scope("strong"), make_scope("weak")
    eco = ECO([weak, strong])
    prompt = engine.tokenize(QUESTION)
    segment = prompt.segments[0]
    verdict = Verdict(
        (Span(segment.start, segment.end, "strong", 0.9), Span(segment.start, segment.end, "weak", 0.8)), 0.9
    )
    both = eco.corrupt(prompt, verdict, engine)
    alone = ECO([strong]).corrupt(prompt, Verdict(verdict.spans[:1], 0.9), engine)
    assert both.vectors is not None
    assert alone.vectors is not None
    assert torch.equal(both.vectors, alone.vectors)


def test_stacked_scopes_corrupt_with_their_own_strength(make_scope: Any, engine: TransformersEngine) -> None:
    scopes = [
        make_scope("mild", forget=["Who is Harry Potter?"], corruption=Corruption(strength=1e-3)),
        make_scope("wild", forget=["What is Hogwarts?"], corruption=Corruption(strength=1e3)),
    ]
    prompt, prepared = _one(ECO(scopes), engine, "Who is Harry Potter?\nWhat is Hogwarts?")
    assert float(_vectors_of(prompt, prepared, QUESTION).std()) < 0.1
    assert float(_vectors_of(prompt, prepared, "What is Hogwarts?").std()) > 100


def test_a_flagged_prompt_without_content_tokens_fails_closed(make_scope: Any, engine: TransformersEngine) -> None:
    prompt = engine.tokenize([_turn("user", "Bake bread.")])
    template = Verdict((Span(0, prompt.segments[0].start, "harry-potter", 0.9),), 0.9)
    with pytest.raises(UnlearnedError, match=r"no content token. Nothing was generated"):
        ECO([make_scope()]).corrupt(prompt, template, engine)


def test_a_flagged_prompt_of_special_tokens_only_fails_closed(make_scope: Any, engine: TransformersEngine) -> None:
    prompt = engine.tokenize("<|end|><|turn|>", chat=False)
    flagged = Verdict((Span(0, len(prompt.text), "harry-potter", 0.9),), 0.9)
    with pytest.raises(UnlearnedError, match="no content token"):
        ECO([make_scope()]).corrupt(prompt, flagged, engine)


def test_a_flagged_prompt_of_a_scope_without_strength_fails_closed(make_scope: Any, engine: TransformersEngine) -> None:
    detector = replace(make_scope(), corruption=None)
    eco = ECO([detector])
    flagged, plain = (engine.tokenize(text) for text in (QUESTION, "Bake bread."))
    assert [verdict.in_scope for verdict in eco.classify([flagged, plain])] == [True, False]
    assert not eco.prepare([plain], engine)[0].corrupted
    with pytest.raises(
        UnlearnedError, match=r"'harry-potter' has no strength yet\. Learn it on this model: unlearned fit"
    ):
        eco.prepare([plain, flagged], engine)


def test_a_passage_in_a_language_that_is_not_read_is_corrupted_where_the_scope_says_so(
    make_scope: Any, engine: TransformersEngine
) -> None:
    text = "How do I bake bread? " + (foreign := "Quem escreveu os livros sobre a escola de magia?")
    for policy in ("pass", "corrupt"):
        prompt, prepared = _one(ECO([make_scope(other_languages=policy)]), engine, text)
        assert prepared.verdict.languages == ("pt",)
        assert prepared.corrupted == (policy == "corrupt")
    assert "".join(_words(prompt, prepared)).strip() == foreign


def test_what_is_exempt_is_not_corrupted(make_scope: Any, engine: TransformersEngine, bag_of_words: Any) -> None:
    namesake = "Harry Potter is a hockey coach."
    example, forget = (bag_of_words.encode([text]) for text in (namesake, QUESTION))
    exempt = Exemptions(example, forget, np.zeros_like(example))
    plain, spared = make_scope(), make_scope(exemptions=exempt)
    assert _one(ECO([plain]), engine, namesake)[1].corrupted
    assert not _one(ECO([spared]), engine, namesake)[1].corrupted
    assert _one(ECO([spared]), engine, QUESTION)[1].corrupted


def test_attribution_corrupts_fewer_words_than_the_span(make_scope: Any, engine: TransformersEngine) -> None:
    text = "Who is Harry Potter?"
    scope = make_scope(selector="attribution", forget=["Harry Potter"], retain=["Who is the fox?"], threshold=0.1)
    prompt, prepared = _one(ECO([scope]), engine, text)
    words = "".join(_words(prompt, prepared))
    assert "Potter" in words
    assert "Who" not in words


def test_a_scope_scores_texts_as_detection_reads_them(make_scope: Any) -> None:
    scope = make_scope()
    plain, disguised, other = scope.score([QUESTION, "Whо is **Harry** Pоtter?", "Bake bread."])
    assert plain == disguised > 0.5 > other
    assert scope.score([]).shape == (0,)


def test_a_classifier_that_fails_stops_the_whole_batch(
    make_scope: Any, engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = make_scope()

    def broken(features: Any) -> Any:
        raise MemoryError("none left")

    monkeypatch.setattr(scope.classifier, "predict_proba", broken)
    with pytest.raises(DetectionError, match="none left"):
        _one(ECO([scope]), engine, "Bake bread.")


def test_an_unknown_selector_is_refused_when_the_scope_is_made(make_scope: Any) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'all_but_last'"):
        make_scope(selector="all_but_lost")


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_threshold_that_would_flag_nothing_or_everything_by_mistake_is_refused(
    make_scope: Any, threshold: float
) -> None:
    with pytest.raises(ConfigError, match=f"threshold={threshold}"):
        make_scope(threshold=threshold)


def test_two_scopes_of_one_name_are_refused(make_scope: Any) -> None:
    with pytest.raises(UnlearnedError, match="each scope is enforced once"):
        ECO([make_scope("a"), make_scope("a", secret=b"t" * 32)])


def test_verdicts_alone_need_no_engine(make_scope: Any, engine: TransformersEngine) -> None:
    verdicts = ECO([make_scope()]).classify([engine.tokenize(QUESTION), engine.tokenize("Bake bread.")])
    assert [verdict.scope for verdict in verdicts] == ["harry-potter", None]
