"""What the routes for prompts take and refuse; what their answers say is in `test_chat` and `test_completions`."""

from __future__ import annotations

from typing import Any

import pytest
from serving_helpers import ADMIN, CLIENT, bearer
from starlette.testclient import TestClient

from unlearned.server.service import Service

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]


def post(client: TestClient, path: str, body: Any, key: str = CLIENT) -> Any:
    return client.post(path, json=body, headers=bearer(key))


def test_the_model_is_listed_with_its_context_and_no_other_one_is(client: TestClient) -> None:
    listed = client.get("/v1/models", headers=bearer(CLIENT)).json()
    assert [(one["id"], one["max_model_len"]) for one in listed["data"]] == [("tiny", 512)]
    assert client.get("/v1/models/tiny", headers=bearer(CLIENT)).json()["id"] == "tiny"
    for name in ("gpt-4", "tiny/other", "Tiny"):
        response = client.get(f"/v1/models/{name}", headers=bearer(CLIENT))
        assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        (CHAT, {"messages": MESSAGES, "model": "other"}, 404, "model"),
        (CHAT, {"messages": MESSAGES, "top_logprobs": 2}, 400, "top_logprobs"),
        (CHAT, {"messages": MESSAGES, "n": 17}, 400, "n"),
        (CHAT, {"messages": MESSAGES, "max_tokens": 0}, 400, None),
        (CHAT, {"messages": []}, 400, "messages"),
        (COMPLETIONS, {"prompt": "a", "model": "other"}, 404, "model"),
        (COMPLETIONS, {"prompt": "a", "best_of": 2}, 400, "best_of"),
        (COMPLETIONS, {"prompt": []}, 400, "prompt"),
        (COMPLETIONS, {"prompt": "a", "max_tokens": 0}, 400, "max_tokens"),
        (COMPLETIONS, {"prompt": "a", "suffix": "b"}, 400, "suffix"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_field(
    client: TestClient, service: Service, path: str, body: Any, status: int, param: str | None
) -> None:
    before = service.batcher.batches
    response = post(client, path, body)
    assert (response.status_code, response.json()["error"]["param"]) == (status, param)
    assert service.batcher.batches == before


def test_scores_of_marked_text_are_for_administrators(client: TestClient) -> None:
    body = {"prompt": "The fox", "unlearned": {"scored_from": 3}, "echo": True, "logprobs": 1, "max_tokens": 0}
    assert post(client, COMPLETIONS, body).status_code == 403
    done = post(client, COMPLETIONS, body, ADMIN).json()
    assert done["unlearned"] == {"scored_from": [3]}
    assert done["choices"][0]["text"] == "The fox"


def test_an_answer_of_no_tokens_only_repeats_the_prompt(client: TestClient) -> None:
    done = post(client, COMPLETIONS, {"prompt": ["a", "b"], "echo": True, "max_tokens": 0}).json()
    assert [choice["text"] for choice in done["choices"]] == ["a", "b"]
    assert done["usage"]["completion_tokens"] == 0


def test_a_stream_says_what_the_whole_answer_says(client: TestClient) -> None:
    import json

    body = {"messages": MESSAGES, "temperature": 0, "max_tokens": 6}
    whole = post(client, CHAT, body).json()
    response = post(client, CHAT, {**body, "stream": True, "stream_options": {"include_usage": True}})
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    said = "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])
    assert said == whole["choices"][0]["message"]["content"]
    assert chunks[-1]["usage"] == whole["usage"]
    assert response.headers["x-unlearned"] == "checked"


def test_an_engine_that_fails_answers_503_and_says_nothing_else(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(rows: Any) -> None:
        raise RuntimeError("What is the capital of France?")

    with monkeypatch.context() as patch:
        patch.setattr(service.engine, "continue_rows", fails)
        for stream in (False, True):
            response = post(client, CHAT, {"messages": MESSAGES, "stream": stream})
            assert (response.status_code, response.json()["error"]["code"]) == (503, "engine_failed")
            assert "capital" not in response.text
    assert post(client, CHAT, {"messages": MESSAGES, "max_tokens": 1}).status_code == 200
