"""A long row beside short ones costs what the parts cost."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from cases import every
from tiny_llama import tiny_llama
from unlearned.batches import FORWARD, WASTE, by_length, fits, in_order
from unlearned.benchmarks.choices.scoring import LetterScorer, batches
from unlearned.benchmarks.probes.states import last_states
from unlearned.benchmarks.tofu.scoring import Scored, Scorer
from unlearned.engines.per_request import PerRequestEngine
from unlearned.engines.sampling import RowSettings
from unlearned.prompts.client import ids_prompt
from unlearned.types import PromptInput


@every("seed", range(40))
def test_every_row_is_in_one_batch_which_is_hardly_padded(seed: int) -> None:
    draw = random.Random(seed)
    lengths, most = [draw.randint(1, 3000) for _ in range(draw.randint(0, 60))], draw.randint(1, 16)
    found = by_length(lengths, most)
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    for batch in found:
        useful = sum(lengths[index] for index in batch)
        padded = max(lengths[index] for index in batch) * len(batch)
        assert len(batch) <= most
        assert padded <= WASTE * useful or padded - useful <= FORWARD
    assert [max(lengths[i] for i in batch) for batch in found] == sorted(
        (max(lengths[i] for i in batch) for batch in found), reverse=True
    )


@pytest.mark.parametrize("length", [1, 70, 3000])
def test_rows_of_one_length_fill_their_batches(length: int) -> None:
    same = [length] * 14
    assert len(by_length(same, 4)) == -(-len(same) // 4)
    assert in_order(range(len(same)), same, 99) == [list(range(len(same)))]
    assert fits(length, same)


SHORT, LONG = [list(range(3 + n, 15 + n)) for n in range(15)], [5 + n % 300 for n in range(2000)]


@pytest.fixture(scope="module")
def engine(tiny_tokenizer: Any) -> PerRequestEngine:
    torch.manual_seed(2)
    return PerRequestEngine(tiny_llama(tiny_tokenizer, max_position_embeddings=4096).eval(), tiny_tokenizer)


@contextmanager
def places(engine: PerRequestEngine) -> Iterator[list[int]]:
    """Places that pass through the model, padding included."""
    seen: list[int] = []
    hook = engine.embedding.register_forward_hook(lambda module, given, output: seen.append(given[0].numel()))
    try:
        yield seen
    finally:
        hook.remove()


def _generate(engine: PerRequestEngine, rows: list[list[int]]) -> None:
    engine.generate([PromptInput(tuple(row)) for row in rows], max_new_tokens=2, do_sample=False)


def _score(engine: PerRequestEngine, rows: list[list[int]]) -> None:
    engine.log_likelihood([PromptInput(tuple(row)) for row in rows], ["fox"] * len(rows))


def _teacher_forced(engine: PerRequestEngine, rows: list[list[int]]) -> None:
    engine.teacher_forced([PromptInput(tuple(row)) for row in rows], ["fox"] * len(rows))


def _next_token(engine: PerRequestEngine, rows: list[list[int]]) -> None:
    engine.next_token_scores([PromptInput(tuple(row)) for row in rows], [5, 6])


def _own(engine: PerRequestEngine, rows: list[list[int]]) -> None:
    engine.prompt_log_probabilities([PromptInput(tuple(row)) for row in rows])


def _echo(engine: PerRequestEngine, rows: list[list[int]]) -> None:
    found = dict(engine.score_prompts([PromptInput(tuple(row)) for row in rows], [0] * len(rows)))
    assert [[token.id for token in found[n]] for n in range(len(rows))] == rows


def _letters(engine: PerRequestEngine, rows: list[list[int]]) -> None:
    scorer = LetterScorer(engine, 2, leading_space=False)
    for batch in batches(rows, 16):
        scorer.score([PromptInput(tuple(rows[n])) for n in batch])


def _tofu(engine: PerRequestEngine, rows: list[list[int]]) -> None:
    prompts = [ids_prompt(engine.tokenizer, row, vocabulary=400) for row in rows]
    scored = [Scored(prompt, PromptInput(prompt.token_ids), (" fox",)) for prompt in prompts]
    Scorer(engine, questions=16).score(scored, shared=0)


def _states(engine: PerRequestEngine, rows: list[list[int]]) -> None:
    last_states(engine, [PromptInput(tuple(row)) for row in rows], batch_size=16)


WAYS = [_generate, _score, _teacher_forced, _next_token, _own, _echo, _letters, _tofu, _states]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.strip("_"))
def test_a_long_row_beside_short_ones_costs_what_the_parts_cost(
    engine: PerRequestEngine, way: Callable[[PerRequestEngine, list[list[int]]], None]
) -> None:
    with places(engine) as apart:
        way(engine, SHORT)
        way(engine, [LONG])
    with places(engine) as together:
        way(engine, [*SHORT[:7], LONG, *SHORT[7:]])
    assert sum(together) <= 1.5 * sum(apart)


def test_a_servers_batch_costs_what_its_parts_cost(engine: PerRequestEngine, tiny_tokenizer: Any) -> None:
    from unlearned.server.answers import Piece, RequestAnswer
    from unlearned.server.batcher import Batcher
    from unlearned.server.config import ServeConfig

    done: list[int] = []
    ended = threading.Semaphore(0)

    def sink(piece: Piece) -> None:
        if piece.finish_reason:
            done.append(piece.index)
            ended.release()

    rows = [SHORT[0], LONG, *SHORT[1:9], [*LONG, 7]]
    batcher = Batcher(engine, ServeConfig(patience_ms=0))
    try:
        with places(engine) as together:
            batcher.submit(
                [
                    RequestAnswer(
                        index, PromptInput(tuple(row)), RowSettings(max_new_tokens=2),
                        ends=frozenset(), stops=(), tokenizer=tiny_tokenizer, sink=sink,
                    )
                    for index, row in enumerate(rows)
                ]
            )  # fmt: skip
            for _ in rows:
                assert ended.acquire(timeout=60)
        assert sum(together) <= 1.5 * sum(map(len, rows)) + 4 * len(rows)
        assert batcher.batches == 2
        assert sorted(done[:9]) == [0, *range(2, 10)]  # nobody who may share the first batch waits for the long ones
    finally:
        batcher.close()
