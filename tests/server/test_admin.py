"""Checks without an answer, in the words of who asks; errors in OpenAI's form, without words of anybody."""

from __future__ import annotations

from typing import Any

import pytest
from serving_helpers import ADMIN, bearer
from starlette.testclient import TestClient

from unlearned.server.admin import shown
from unlearned.server.service import Service
from unlearned.types import Exempted, Span, Verdict, messages_only, text_only

ASKED = "Who is Harry Potter?"
PLAIN = "What is the capital of France?"


def post(client: TestClient, body: Any) -> Any:
    return client.post("/v1/unlearned/checks", json=body, headers=bearer(ADMIN))


def test_checks_answer_without_generating(client: TestClient, service: Service) -> None:
    done = post(client, {"input": [PLAIN, f"{PLAIN} {ASKED}"]}).json()
    assert [result["flagged"] for result in done["results"]] == [False, True]
    [span] = done["results"][1]["spans"]
    assert (span["text"], span["scope"]) == (ASKED, "harry-potter")
    assert done["artifacts"] == service.gate.store.current.digest
    messages = [{"role": "user", "content": text} for text in ("Who is Harry", "Potter?")]
    [result] = post(client, {"messages": messages}).json()["results"]
    own = [messages[span["message"]]["content"][span["start"] : span["end"]] for span in result["spans"]]
    assert own == [span["text"] for span in result["spans"]] == ["Who is Harry", "Potter?"]
    assert post(client, {"input": ASKED}).json()["results"][0]["scope"] == "harry-potter"
    assert service.batcher.batches == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"input": ""},
        {"input": []},
        {"input": ["a", ""]},
        {"input": "a", "messages": [{"role": "user", "content": "a"}]},
        {"messages": []},
        {"input": "a", "x": 1},
        {"input": "\ud800"},
    ],
)
def test_what_is_not_one_text_or_one_conversation_is_refused(client: TestClient, wrong: Any) -> None:
    import json

    headers = {**bearer(ADMIN), "Content-Type": "application/json"}
    response = client.post("/v1/unlearned/checks", content=json.dumps(wrong), headers=headers)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")


def test_the_words_of_calls_of_tools_are_checked_with_their_message(client: TestClient) -> None:
    call = {"function": {"name": "look_up", "arguments": '{"who": "Harry Potter"}'}}
    messages = [{"role": "assistant", "tool_calls": [call]}, {"role": "user", "content": "Tell me."}]
    [result] = post(client, {"messages": messages}).json()["results"]
    assert result["flagged"]
    assert {span["message"] for span in result["spans"]} == {0}
    assert "Potter" in " ".join(span["text"] for span in result["spans"])


def test_places_of_a_verdict_are_characters_of_what_was_given() -> None:
    text = "🦊 Häuser. Who is Harry Potter?"
    start = text.index("Who")
    verdict = Verdict((Span(start, len(text), "potter", 0.87654321),), 0.9, ("ja",), (Exempted("bread", 2),))
    told = shown(verdict, text_only(text), text)
    assert told == {
        "flagged": True,
        "scope": "potter",
        "score": 0.9,
        "spans": [
            {
                "start": start,
                "end": len(text),
                "scope": "potter",
                "score": 0.876543,
                "reason": "content",
                "text": "Who is Harry Potter?",
            }
        ],
        "languages": ["ja"],
        "exempted_by": [{"scope": "bread", "example": 2}],
    }
    given = [{"role": "user", "content": "Who is Harry"}, {"role": "user", "content": "Potter?"}]
    prompt = messages_only([(one["role"], one["content"]) for one in given])
    across = Verdict((Span(7, len(prompt.text), "potter", 0.9),), 0.9)
    spans = shown(across, prompt, given)["spans"]
    assert [(span["message"], span["text"]) for span in spans] == [(0, "Harry"), (1, "Potter?")]


def test_a_server_that_is_not_ready_says_so_and_is_alive(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.gate, "engine_alive", lambda: False)
    assert client.get("/health").status_code == 200
    response = client.get("/ready")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "not_ready")


def test_an_error_of_the_server_s_own_says_nothing_of_what_it_was(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: Any, **more: Any) -> Any:
        raise RuntimeError("Who is Harry Potter?")

    monkeypatch.setattr(service.gate, "metrics_text", fails)
    response = client.get("/metrics", headers=bearer(ADMIN))
    assert response.status_code == 500
    assert response.json()["error"]["type"] == "server_error"
    assert "Potter" not in response.text
    assert "Potter" not in service.gate.log.file.getvalue()  # type: ignore[union-attr]


def test_a_path_that_is_not_there_and_a_wrong_method_answer_in_openais_form(client: TestClient) -> None:
    for method, path, status in (("GET", "/v1/engines", 404), ("DELETE", "/health", 405), ("GET", "/docs", 404)):
        response = client.request(method, path)
        assert response.status_code == status
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}
