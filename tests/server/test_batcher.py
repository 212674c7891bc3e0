"""Answers that wait share forward passes: up to the limits, in order, and what stops is told."""

from __future__ import annotations

import threading
import time
from typing import Any

from unlearned.engines.per_request import PerRequestEngine
from unlearned.engines.sampling import RowSettings
from unlearned.server.answers import Piece, RequestAnswer
from unlearned.server.batcher import Batcher
from unlearned.server.config import ServeConfig
from unlearned.types import PromptInput


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
