"""The parts below the routes: stop strings, decoding, drawing, joining, batching."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import numpy as np
import pytest
import torch

from cases import every
from unlearned.engines.per_request import PerRequestEngine
from unlearned.engines.sampling import RowSampler, RowSettings
from unlearned.errors import ConfigError, PromptError
from unlearned.prompts.client import ids_prompt
from unlearned.prompts.detokenize import BROKEN, TextStream, token_bytes
from unlearned.server.answers import Piece, RequestAnswer
from unlearned.server.batcher import Batcher
from unlearned.server.config import ServeConfig
from unlearned.server.stop_strings import StopStrings
from unlearned.types import PromptInput


@every("seed", range(20))
def test_stop_strings_cut_where_a_search_of_the_whole_text_would(seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choices("ab", k=60))
    stop = "".join(rng.choices("ab", k=rng.randint(1, 9)))
    watch, out, stopped = StopStrings([stop]), "", False
    for start in range(0, 60, 3):
        piece, stopped = watch.feed(text[start : start + 3])
        out += piece
        assert stop not in out
        if stopped:
            break
    if not stopped:
        out += watch.finish()
    assert out == text.partition(stop)[0]
    assert stopped == (stop in text)


def test_of_several_stop_strings_the_first_to_be_complete_ends_it() -> None:
    watch = StopStrings(["abcd", "bc"])
    assert watch.feed("xab") == ("x", False)
    assert watch.feed("c") == ("a", True)


@every("seed", range(20))
def test_pieces_of_text_add_up_to_the_decoded_whole(tiny_tokenizer: Any, seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choices(["Häuser ", "日本語", "🦉", "bread ", "\n", "é"], k=12))
    ids = tiny_tokenizer(text)["input_ids"]
    if seed % 2:  # any tokens at all, among them bytes that are no characters
        ids = [rng.randrange(len(tiny_tokenizer)) for _ in range(60)]
    stream = TextStream(tiny_tokenizer)
    pieces = [stream.push(token) for token in ids]
    assert not any(piece.endswith(BROKEN) for piece in pieces)
    assert "".join(pieces) + stream.finish() == tiny_tokenizer.decode(ids, skip_special_tokens=True)


def test_bytes_of_tokens_add_up_to_the_text(tiny_tokenizer: Any) -> None:
    text = "Häuser 日本語 🦉 bread"
    assert b"".join(token_bytes(tiny_tokenizer, token) for token in tiny_tokenizer(text)["input_ids"]) == text.encode()


def test_every_token_of_given_ids_knows_its_characters(tiny_tokenizer: Any) -> None:
    text = "Häuser 日本語 🦉 bread"
    ids = tiny_tokenizer(text)["input_ids"]
    prompt = ids_prompt(tiny_tokenizer, ids, vocabulary=len(tiny_tokenizer))
    assert prompt.text == text
    assert prompt.token_ids == tuple(ids)
    owl = text.index("🦉")
    tokens = np.flatnonzero(prompt.tokens_overlapping(owl, owl + 1))
    assert b"".join(token_bytes(tiny_tokenizer, ids[place]) for place in tokens).strip() == "🦉".encode()
    with pytest.raises(PromptError, match="no token 400"):
        ids_prompt(tiny_tokenizer, [400], vocabulary=len(tiny_tokenizer))


def drawn(settings: RowSettings, logits: torch.Tensor, count: int) -> list[int]:
    sampler = RowSampler([settings])
    return [int(sampler(logits[None], [True]).argmax()) for _ in range(count)]


def test_draws_follow_the_probabilities() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    found = drawn(RowSettings(max_new_tokens=1, temperature=1.0, seed=1), logits, 4000)
    shares = [found.count(token) / 4000 for token in range(4)]
    assert shares == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)
    found = drawn(RowSettings(max_new_tokens=1, temperature=0.5, seed=1), logits, 4000)
    squares = [p**2 / (0.25 + 0.09 + 0.0225 + 0.0025) for p in (0.5, 0.3, 0.15, 0.05)]
    assert [found.count(token) / 4000 for token in range(4)] == pytest.approx(squares, abs=0.03)


@pytest.mark.parametrize(
    ("more", "possible"),
    [({"top_p": 0.8}, {0, 1}), ({"top_p": 0.81}, {0, 1, 2}), ({"top_k": 1}, {0}), ({"top_p": 0.01}, {0})],
)
def test_top_p_and_top_k_leave_out_the_tail(more: Any, possible: set[int]) -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    assert set(drawn(RowSettings(max_new_tokens=1, temperature=1.0, seed=1, **more), logits, 500)) == possible


def test_a_rows_draws_do_not_depend_on_its_neighbours_and_greedy_rows_are_not_touched() -> None:
    own = RowSettings(max_new_tokens=1, temperature=1.0, top_p=0.9, seed=5)
    others = [RowSettings(max_new_tokens=1), RowSettings(max_new_tokens=1, temperature=2.0, seed=1)]
    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    alone, together = RowSampler([own]), RowSampler([others[0], own, others[1]])
    for _ in range(20):
        found = together(logits, [True, True, True])
        assert torch.equal(found[0], logits[0])
        assert int(alone(logits[1:2], [True]).argmax()) == int(found[1].argmax())
    assert RowSampler([others[0]])(logits[:1], [True]) is not None
    assert RowSampler(others[:1])(logits, [True]).data_ptr() == logits.data_ptr()


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"top_p": 0}, {"top_k": 0}, {"temperature": float("nan")}])
def test_settings_of_a_row_that_make_no_sense_are_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        RowSettings(**({"max_new_tokens": 1} | wrong))


def test_rows_that_wait_share_a_batch_up_to_the_limit_of_tokens(model: Any, tiny_tokenizer: Any) -> None:
    sizes: list[int] = []

    class Watched(PerRequestEngine):
        def continue_rows(self, rows: Any) -> None:
            sizes.append(len(rows))
            super().continue_rows(rows)

    done = threading.Semaphore(0)

    def sink(piece: Piece) -> None:
        if piece.finish_reason or piece.error:
            done.release()

    def answer(index: int, tokens: int = 4) -> RequestAnswer:
        settings = RowSettings(max_new_tokens=tokens)
        prompt = PromptInput((5, 6, 7, 8))
        return RequestAnswer(index, prompt, settings, ends=frozenset(), stops=(), tokenizer=tiny_tokenizer, sink=sink)

    batcher = Batcher(Watched(model, tiny_tokenizer), ServeConfig(max_batch=4, max_batch_tokens=24, patience_ms=50))
    try:
        batcher.submit([answer(index) for index in range(7)])
        for _ in range(7):
            assert done.acquire(timeout=20)
        assert sizes == [3, 3, 1]  # 8 tokens each, 24 at once
        batcher.submit([answer(0, 60)])  # larger than the limit: alone
        assert done.acquire(timeout=20)
        cancelled = answer(1)
        cancelled.cancel()
        batcher.submit([cancelled, answer(2)])
        assert done.acquire(timeout=20)
        assert sizes == [3, 3, 1, 1, 1]
        assert cancelled.count == 0
    finally:
        batcher.close()
    assert not batcher.alive()


def test_what_waits_when_the_server_stops_is_refused_and_what_runs_is_cut_off(model: Any, tiny_tokenizer: Any) -> None:
    errors: list[Exception] = []

    def sink(piece: Piece) -> None:
        if piece.error:
            errors.append(piece.error)

    def answer() -> RequestAnswer:
        settings = RowSettings(max_new_tokens=5000)
        prompt = PromptInput((5, 6, 7, 8))
        return RequestAnswer(0, prompt, settings, ends=frozenset(), stops=(), tokenizer=tiny_tokenizer, sink=sink)

    batcher = Batcher(PerRequestEngine(model, tiny_tokenizer), ServeConfig(max_batch=1))
    running = answer()
    batcher.submit([running, answer()])
    while not running.count:
        time.sleep(0.01)
    batcher.close()
    assert [str(error) for error in errors] == ["The server is stopping."] * 2
    assert running.count < 5000


def test_rows_whose_check_has_begun_are_waited_for_and_later_ones_are_not(model: Any, tiny_tokenizer: Any) -> None:
    sizes: list[int] = []
    done = threading.Semaphore(0)

    class Watched(PerRequestEngine):
        def continue_rows(self, rows: Any) -> None:
            sizes.append(len(rows))
            super().continue_rows(rows)

    def answer() -> RequestAnswer:
        def sink(piece: Piece) -> None:
            if piece.finish_reason:
                done.release()

        settings = RowSettings(max_new_tokens=2)
        prompt = PromptInput((5, 6, 7, 8))
        return RequestAnswer(0, prompt, settings, ends=frozenset(), stops=(), tokenizer=tiny_tokenizer, sink=sink)

    batcher = Batcher(Watched(model, tiny_tokenizer), ServeConfig(gather_ms=5000))
    try:
        early, late = batcher.coming(1), batcher.coming(1)
        early.__enter__()
        batcher.submit([answer()])
        time.sleep(0.2)
        assert not sizes  # the other one is being checked
        late.__enter__()  # its check begins when the first has waited for a while
        batcher.submit([answer()])
        early.__exit__(None, None, None)
        for _ in range(2):
            assert done.acquire(timeout=3)
        assert sizes == [2]
        late.__exit__(None, None, None)
    finally:
        batcher.close()
