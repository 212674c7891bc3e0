"""What every engine must hold, against a model that is run without any of this project's code.

Subclass `EngineContract`, override the `subject` fixture, and pytest runs all of it on that engine.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from unlearned.engines.base import Engine
from unlearned.errors import ConfigError
from unlearned.types import PromptInput

NEW = 8  # tokens to generate
TEXTS = [
    "Who is Harry Potter?",
    "fox",
    "What is the capital of France? The capital of France is",
    "How do I bake bread?",
    "The quick brown fox jumps over the lazy dog, and then the dog jumps over the fox",
    "1234",
]
CONTINUATIONS = ["He is a wizard.", " jumps", "Paris.", "", "and then 1234567890", "5"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An engine, and the same model run by hand: one prompt at a time, greedily."""

    engine: Engine
    answer: Callable[[PromptInput, int], tuple[int, ...]]
    """(prompt, n) -> at most n new tokens; a corrupted prompt through another mechanism than the engine's."""

    score: Callable[[PromptInput, str], Tensor]
    """(prompt, continuation) -> (n,) log-probabilities, from the full logits of this row alone."""

    eos: int
    is_clean: Callable[[], bool]
    """Whether nothing that the engine put there is left on the model."""


def plain(engine: Engine, text: str) -> PromptInput:
    return PromptInput(engine.tokenize(text, chat=False).token_ids)


def flagged(engine: Engine, text: str, positions: Sequence[int] | None = None, seed: int = 0) -> PromptInput:
    """A prompt whose tokens (all, unless some are chosen) got vectors that no token has."""
    ids = engine.tokenize(text, chat=False).token_ids
    chosen = torch.arange(len(ids)) if positions is None else torch.tensor(sorted(p % len(ids) for p in positions))
    embeddings = engine.embed(ids)
    noise = torch.randn(len(chosen), embeddings.shape[1], generator=torch.Generator().manual_seed(seed))
    vectors = embeddings[chosen] + (4 * float(embeddings.float().std()) * noise).to(embeddings.dtype)
    return PromptInput(ids, positions=chosen, vectors=vectors)


def mixed(engine: Engine) -> list[PromptInput]:
    """Six prompts of different length, the second, third and fifth flagged (whole, in part, at both ends)."""
    choices = {1: None, 2: [1, 2], 4: [0, -1]}
    return [
        flagged(engine, text, choices[index], seed=index) if index in choices else plain(engine, text)
        for index, text in enumerate(TEXTS)
    ]


class EngineContract:
    @pytest.fixture
    def subject(self) -> Subject:
        raise NotImplementedError("Override this fixture.")

    # Prompts that are out of scope

    def test_an_unflagged_prompt_alone_gets_the_plain_models_tokens(self, subject: Subject) -> None:
        for text in TEXTS:
            prompt = plain(subject.engine, text)
            [done] = subject.engine.generate([prompt], max_new_tokens=NEW)
            assert done.token_ids == subject.answer(prompt, NEW)

    def test_unflagged_prompts_beside_flagged_ones_get_the_plain_models_tokens(self, subject: Subject) -> None:
        inputs = mixed(subject.engine)
        completions = subject.engine.generate(inputs, max_new_tokens=NEW)
        for prompt, done in zip(inputs, completions, strict=True):
            if not prompt.corrupted:
                assert done.token_ids == subject.answer(prompt, NEW)

    # Prompts that are in scope

    def test_flagged_prompts_get_the_answers_of_the_corrupted_embeddings(self, subject: Subject) -> None:
        inputs = mixed(subject.engine)
        completions = subject.engine.generate(inputs, max_new_tokens=NEW)
        for prompt, done in zip(inputs, completions, strict=True):
            assert done.token_ids == subject.answer(prompt, NEW)

    def test_corruption_changes_the_answers(self, subject: Subject) -> None:
        for text in TEXTS:
            [done] = subject.engine.generate([flagged(subject.engine, text)], max_new_tokens=NEW)
            assert done.token_ids != subject.answer(plain(subject.engine, text), NEW), text

    @pytest.mark.parametrize("positions", [[0], [-1], [1], [0, 2, -1], None])
    def test_any_position_can_be_corrupted(self, subject: Subject, positions: list[int] | None) -> None:
        prompt = flagged(subject.engine, TEXTS[0], positions)
        [done] = subject.engine.generate([prompt], max_new_tokens=NEW)
        assert done.token_ids == subject.answer(prompt, NEW)

    def test_a_prompt_of_one_token_can_be_flagged(self, subject: Subject) -> None:
        one = flagged(subject.engine, "?")
        assert len(one.token_ids) == 1
        other = plain(subject.engine, "?")
        long = plain(subject.engine, TEXTS[2])
        for batch in ([one], [one, other], [other, one, long]):
            done = subject.engine.generate(batch, max_new_tokens=NEW)
            assert [d.token_ids for d in done] == [subject.answer(prompt, NEW) for prompt in batch]

    def test_a_vector_equal_to_the_embedding_changes_nothing(self, subject: Subject) -> None:
        ids = plain(subject.engine, TEXTS[0]).token_ids
        harmless = PromptInput(ids, positions=torch.arange(len(ids)), vectors=subject.engine.embed(ids))
        [done] = subject.engine.generate([harmless], max_new_tokens=NEW)
        assert done.token_ids == subject.answer(PromptInput(ids), NEW)

    # Batches

    def test_the_order_of_the_batch_changes_no_answer(self, subject: Subject) -> None:
        inputs = mixed(subject.engine)
        expected = [done.token_ids for done in subject.engine.generate(inputs, max_new_tokens=NEW)]
        for seed in range(4):
            order = random.Random(seed).sample(range(len(inputs)), len(inputs))
            done = subject.engine.generate([inputs[index] for index in order], max_new_tokens=NEW)
            assert [d.token_ids for d in done] == [expected[index] for index in order]

    def test_the_neighbours_in_the_batch_change_no_answer(self, subject: Subject) -> None:
        inputs = mixed(subject.engine)
        together = [done.token_ids for done in subject.engine.generate(inputs, max_new_tokens=NEW)]
        alone = [subject.engine.generate([prompt], max_new_tokens=NEW)[0].token_ids for prompt in inputs]
        assert together == alone

    def test_the_same_prompts_with_different_vectors_keep_their_own(self, subject: Subject) -> None:
        inputs = [flagged(subject.engine, TEXTS[0], seed=seed) for seed in range(4)]
        done = subject.engine.generate([*inputs, plain(subject.engine, TEXTS[0])], max_new_tokens=NEW)
        expected = [subject.answer(prompt, NEW) for prompt in inputs]
        assert [d.token_ids for d in done[:-1]] == expected
        assert len(set(expected)) > 1

    def test_asking_again_gives_the_same_answers(self, subject: Subject) -> None:
        inputs = mixed(subject.engine)
        assert subject.engine.generate(inputs, max_new_tokens=NEW) == subject.engine.generate(
            inputs, max_new_tokens=NEW
        )

    def test_no_prompts_give_no_answers(self, subject: Subject) -> None:
        assert subject.engine.generate([], max_new_tokens=NEW) == []
        assert subject.engine.log_likelihood([], []) == []

    # Completions

    def test_a_completion_holds_new_tokens_only_and_stops_at_the_end_of_sequence(self, subject: Subject) -> None:
        done = subject.engine.generate(mixed(subject.engine), max_new_tokens=40)
        assert any(subject.eos in d.token_ids for d in done), "this model never ends; give the contract another one"
        assert len({len(d.token_ids) for d in done}) > 1
        for completion in done:
            assert 0 < len(completion.token_ids) <= 40
            assert subject.eos not in completion.token_ids[:-1]
            if len(completion.token_ids) < 40:
                assert completion.token_ids[-1] == subject.eos

    @pytest.mark.parametrize(
        "argument",
        [
            "inputs",
            "input_ids",
            "inputs_embeds",
            "attention_mask",
            "cache",
            "past_key_values",
            "cache_params",
            "position_ids",
            "token_type_ids",
            "negative_prompt_ids",
            "decoder_input_ids",
            "encoder_outputs",
        ],
    )
    def test_an_argument_that_would_bring_unchecked_words_is_refused(self, subject: Subject, argument: str) -> None:
        with pytest.raises(ConfigError, match=f"'{argument}' would reach the model unchecked"):
            subject.engine.generate([plain(subject.engine, "fox")], **{argument: None})
        assert subject.is_clean()

    # Scores

    def test_scores_are_those_of_the_full_logits_row_by_row(self, subject: Subject) -> None:
        inputs = mixed(subject.engine)
        found = subject.engine.log_likelihood(inputs, CONTINUATIONS)
        for prompt, continuation, scores in zip(inputs, CONTINUATIONS, found, strict=True):
            expected = subject.score(prompt, continuation)
            assert scores.dtype == torch.float32
            assert scores.device.type == "cpu"
            torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-4)

    def test_scores_do_not_depend_on_the_batch(self, subject: Subject) -> None:
        inputs = mixed(subject.engine)
        together = subject.engine.log_likelihood(inputs, CONTINUATIONS)
        alone = [
            subject.engine.log_likelihood([prompt], [continuation])[0]
            for prompt, continuation in zip(inputs, CONTINUATIONS, strict=True)
        ]
        backwards = subject.engine.log_likelihood(inputs[::-1], CONTINUATIONS[::-1])[::-1]
        for scores, single, reversed_ in zip(together, alone, backwards, strict=True):
            torch.testing.assert_close(scores, single, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(scores, reversed_, rtol=1e-4, atol=1e-4)

    def test_corruption_changes_scores(self, subject: Subject) -> None:
        [before] = subject.engine.log_likelihood([plain(subject.engine, TEXTS[0])], ["He is a wizard."])
        [after] = subject.engine.log_likelihood([flagged(subject.engine, TEXTS[0])], ["He is a wizard."])
        assert float((before - after).abs().max()) > 0.01

    def test_the_continuation_is_never_corrupted_even_if_it_repeats_the_prompt(self, subject: Subject) -> None:
        prompt = flagged(subject.engine, TEXTS[0])
        [found] = subject.engine.log_likelihood([prompt], [TEXTS[0]])
        torch.testing.assert_close(found, subject.score(prompt, TEXTS[0]), rtol=1e-4, atol=1e-4)

    def test_a_continuation_of_a_one_token_prompt_is_scored(self, subject: Subject) -> None:
        for prompt in (plain(subject.engine, "?"), flagged(subject.engine, "?")):
            [found] = subject.engine.log_likelihood([prompt], ["fox"])
            torch.testing.assert_close(found, subject.score(prompt, "fox"), rtol=1e-4, atol=1e-4)

    def test_an_empty_continuation_has_no_scores(self, subject: Subject) -> None:
        prompts = [plain(subject.engine, "fox"), flagged(subject.engine, "fox")]
        assert [tuple(scores.shape) for scores in subject.engine.log_likelihood(prompts, ["", ""])] == [(0,), (0,)]

    def test_as_many_continuations_as_prompts_are_needed(self, subject: Subject) -> None:
        with pytest.raises(ValueError, match="zip"):
            subject.engine.log_likelihood([plain(subject.engine, "fox")], ["a", "b"])

    # Embeddings

    def test_embeddings_are_one_vector_per_token_whatever_stands_beside_it(self, subject: Subject) -> None:
        ids = plain(subject.engine, TEXTS[0]).token_ids
        embeddings = subject.engine.embed(ids)
        assert embeddings.shape[0] == len(ids)
        assert embeddings.dim() == 2
        assert embeddings.device.type == "cpu"
        assert not embeddings.requires_grad
        torch.testing.assert_close(embeddings, torch.cat([subject.engine.embed([token]) for token in ids]))

    # Afterwards

    def test_nothing_is_left_on_the_model(self, subject: Subject) -> None:
        inputs = mixed(subject.engine)
        subject.engine.generate(inputs, max_new_tokens=2)
        subject.engine.log_likelihood(inputs, CONTINUATIONS)
        subject.engine.embed(inputs[0].token_ids)
        assert subject.is_clean()
