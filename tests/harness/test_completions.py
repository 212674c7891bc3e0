"""lm-eval's requests say where what is scored begins, and a server that does not know it is refused."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("lm_eval")
pytest.importorskip("tenacity")

from lm_eval.models.openai_completions import LocalCompletionsAPI

from unlearned.errors import ConfigError
from unlearned.harness.completions import UnlearnedCompletions, _Tokens


def test_other_tokenizers_are_refused_before_anything_is_loaded() -> None:
    for wrong in ({"tokenized_requests": False}, {"tokenized_requests": "False"}, {"tokenizer_backend": "tiktoken"}):
        with pytest.raises(ConfigError):
            UnlearnedCompletions(base_url="http://127.0.0.1:1", **wrong)  # type: ignore[arg-type]


def test_each_row_says_how_long_its_context_is(monkeypatch: pytest.MonkeyPatch) -> None:
    own: Any = UnlearnedCompletions.__new__(UnlearnedCompletions)
    chunks = ([[1, 2, 3], [4, 5]], [2, 1], ["a", "b"])
    monkeypatch.setattr(LocalCompletionsAPI, "batch_loglikelihood_requests", lambda self, given: given)
    monkeypatch.setattr(LocalCompletionsAPI, "_create_payload", lambda self, messages, **more: {"prompt": messages})
    rows, lengths, keys = own.batch_loglikelihood_requests(chunks)
    assert (rows, lengths, keys) == chunks
    assert own._create_payload(rows)["unlearned"] == {"scored_from": [2, 1]}
    assert "unlearned" not in own._create_payload(rows, generate=True)
    assert _Tokens([1]).context_length == 0


def test_an_answer_that_does_not_repeat_the_mark_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalCompletionsAPI, "parse_logprobs", staticmethod(lambda outputs, *_, **__: [(-1.0, True)]))
    marked = {"unlearned": {"scored_from": [2]}}
    assert UnlearnedCompletions.parse_logprobs(marked) == UnlearnedCompletions.parse_logprobs([marked, marked])
    for wrong in ({}, {"unlearned": None}, {"unlearned": {}}, [marked, {}]):
        with pytest.raises(ConfigError):
            UnlearnedCompletions.parse_logprobs(wrong)  # type: ignore[arg-type]
