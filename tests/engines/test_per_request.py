"""Rows of one batch go on as if each were alone, and each ends when its owner says so."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tiny_llama import tiny_llama
from unlearned.engines.per_request import PerRequestEngine
from unlearned.engines.sampling import RowSettings, Token
from unlearned.types import PromptInput


@pytest.fixture(scope="module")
def engine(tiny_tokenizer: Any) -> PerRequestEngine:
    torch.manual_seed(3)
    return PerRequestEngine(tiny_llama(tiny_tokenizer, initializer_range=0.3).eval(), tiny_tokenizer)


class Row:
    """Keeps what it gets; ends after `most` tokens, or once nobody wants it."""

    def __init__(self, prompt: PromptInput, most: int = 6, leave_after: int | None = None, **settings: Any) -> None:
        self.prompt = prompt
        self.settings = RowSettings(max_new_tokens=most, **settings)
        self.tokens: list[Token] = []
        self.ended = False
        self._leave_after = leave_after

    def receive(self, token: Token) -> bool:
        self.tokens.append(token)
        return len(self.tokens) >= self.settings.max_new_tokens

    def end(self) -> None:
        self.ended = True

    def wanted(self) -> bool:
        return self._leave_after is None or len(self.tokens) < self._leave_after

    @property
    def ids(self) -> list[int]:
        return [token.id for token in self.tokens]


def prompt(engine: PerRequestEngine, text: str) -> PromptInput:
    return PromptInput(engine.tokenize(text, chat=False).token_ids)


def corrupted(engine: PerRequestEngine, text: str) -> PromptInput:
    ids = engine.tokenize(text, chat=False).token_ids
    vectors = torch.randn(2, 32, generator=torch.Generator().manual_seed(0))
    return PromptInput(ids, positions=torch.tensor([0, 1]), vectors=vectors)


def test_greedy_rows_are_what_generate_gives_corrupted_or_not(engine: PerRequestEngine) -> None:
    inputs = [prompt(engine, "The fox"), corrupted(engine, "The fox jumps"), prompt(engine, "Who is the lazy dog?")]
    rows = [Row(one) for one in inputs]
    engine.continue_rows(rows)
    wanted = engine.generate(inputs, max_new_tokens=6, do_sample=False, eos_token_id=None, batch_size=1)
    assert [row.ids for row in rows] == [list(one.token_ids) for one in wanted]


def test_a_row_has_its_own_settings_beside_others(engine: PerRequestEngine) -> None:
    one = prompt(engine, "The fox")
    alone = Row(one, temperature=1.0, seed=5, top_logprobs=2)
    engine.continue_rows([alone])
    beside = Row(one, temperature=1.0, seed=5, top_logprobs=2)
    banned = Row(one, logit_bias={alone.ids[0]: -100.0})
    engine.continue_rows([Row(prompt(engine, "Who is the lazy dog?")), beside, banned])
    assert beside.ids == alone.ids
    assert alone.ids[0] not in banned.ids
    for token in beside.tokens:
        assert token.logprob is not None
        assert len(token.top) == 2
        assert token.top[0][1] >= token.top[1][1]
    assert all(token.logprob is None for token in banned.tokens)


def test_a_row_that_nobody_wants_any_more_gets_nothing_and_the_others_go_on(engine: PerRequestEngine) -> None:
    left, stays = Row(prompt(engine, "The fox"), leave_after=2), Row(prompt(engine, "The fox"))
    short = Row(prompt(engine, "The fox"), most=1)
    engine.continue_rows([left, stays, short])
    assert (len(left.tokens), len(stays.tokens), len(short.tokens)) == (2, 6, 1)


def test_no_rows_are_no_work(engine: PerRequestEngine) -> None:
    engine.continue_rows([])
    assert list(engine.score_prompts([], [])) == []


def test_scores_of_prompts_are_a_plain_forwards_whatever_their_batch(
    engine: PerRequestEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["The fox", "Who is the lazy dog?", "Bread", "The quick brown fox jumps over it"]
    inputs = [prompt(engine, text) for text in texts]
    width = engine.model.config.vocab_size
    for at_once in (2**27, width * 8, 1):
        monkeypatch.setattr("unlearned.engines.per_request.SCORED_AT_ONCE", at_once)
        found = dict(engine.score_prompts(inputs, [0, 1, 2, 3]))
        assert sorted(found) == [0, 1, 2, 3]
        for place, one in enumerate(inputs):
            tokens = found[place]
            assert [token.id for token in tokens] == list(one.token_ids)
            assert tokens[0].logprob is None
            logits = engine.model(input_ids=torch.tensor([one.token_ids])).logits[0].detach().log_softmax(-1)
            wanted = [float(logits[n, token]) for n, token in enumerate(one.token_ids[1:])]
            assert [token.logprob for token in tokens[1:]] == pytest.approx(wanted, abs=1e-4)
            assert {len(token.top) for token in tokens[1:]} <= {place}


def test_the_score_of_a_corrupted_prompt_is_not_that_of_its_words(engine: PerRequestEngine) -> None:
    (_, plain), (_, other) = sorted(
        engine.score_prompts([prompt(engine, "The fox jumps"), corrupted(engine, "The fox jumps")], [0, 0])
    )
    assert [token.id for token in plain] == [token.id for token in other]
    assert plain[-1].logprob != pytest.approx(other[-1].logprob, abs=1e-3)
