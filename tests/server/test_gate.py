"""Nobody asks without the right to, and what was asked is counted."""

from __future__ import annotations

import json
from typing import Any

from serving_helpers import ADMIN, CLIENT, PLAIN, bearer
from starlette.testclient import TestClient

from unlearned.server.gate import Gate
from unlearned.server.record import RequestRecord
from unlearned.server.service import Service
from unlearned.types import Span, Verdict

CHECKS, ARTIFACTS, METRICS = "/v1/unlearned/checks", "/v1/unlearned/artifacts", "/metrics"


def lines(service: Service) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.gate.log.file.getvalue().splitlines()]  # type: ignore[union-attr]


def test_keys_are_needed_and_compared_as_a_whole(client: TestClient) -> None:
    for key in (None, "x", "sk-clien", "sk-client2", "SK-CLIENT", "sk-cliënt"):
        headers = {} if key is None else {"Authorization": f"Bearer {key}".encode()}
        assert client.get("/v1/models", headers=headers).status_code == 401  # type: ignore[arg-type]
        body = {"messages": [{"role": "user", "content": PLAIN}]}
        response = client.post("/v1/chat/completions", json=body, headers=headers)  # type: ignore[arg-type]
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
    assert client.get("/v1/models", headers={"Authorization": CLIENT}).status_code == 401
    for key in (CLIENT, ADMIN):
        assert client.get("/v1/models", headers=bearer(key)).status_code == 200
    for path in (ARTIFACTS, METRICS):
        statuses = [client.get(path, headers=bearer(key)).status_code for key in (CLIENT, "sk-wrong", None, ADMIN)]
        assert statuses == [403, 401, 401, 200], path  # 403: a valid key without the right
    assert client.post(CHECKS, json={"input": PLAIN}, headers=bearer(CLIENT)).status_code == 403
    for path in ("/health", "/ready"):
        assert client.get(path).status_code == 200


def test_the_label_of_a_key_is_on_record_and_the_key_is_not(client: TestClient, service: Service) -> None:
    client.get("/v1/models", headers=bearer(CLIENT))
    assert lines(service)[-1]["key"] == "client-1"
    client.get("/v1/models", headers=bearer("sk-wrong"))
    assert "key" not in lines(service)[-1]
    assert "sk-" not in service.gate.log.file.getvalue()  # type: ignore[union-attr]


def test_without_an_administrators_key_reading_is_open_only_where_there_is_no_key_at_all(service: Service) -> None:
    from dataclasses import replace

    from unlearned.server.app import build_app
    from unlearned.server.keys import Keys

    own = service.gate.config
    for keys, key, read, changed in (
        (Keys(), None, 200, 403),
        (Keys((CLIENT,)), CLIENT, 403, 403),
        (Keys((), (ADMIN,)), None, 401, 401),
        (Keys((), (ADMIN,)), ADMIN, 200, 404),  # there is no such artifact
    ):
        service.gate.config = replace(own, keys=keys)
        try:
            client = TestClient(build_app(service))
            assert client.get(ARTIFACTS, headers=bearer(key)).status_code == read, keys
            assert client.delete(f"{ARTIFACTS}/none", headers=bearer(key)).status_code == changed, keys
        finally:
            service.gate.config = own


def test_verdicts_tokens_and_times_of_a_request_are_counted(service: Service) -> None:
    gate: Gate = service.gate
    before = gate.metrics_text().decode()
    verdicts = [Verdict(spans=(Span(0, 1, "potter", 0.9),)), Verdict(languages=("ja",))]
    record = RequestRecord("/v1/completions", status=200, verdicts=verdicts, prompt_tokens=5, completion_tokens=3)
    record.held["names"] += 2
    record.timings["first_token"] = 0.2
    gate.finished(record)
    after = gate.metrics_text().decode()
    for line in (
        'unlearned_verdicts_total{scope="potter"} 1.0',
        'unlearned_verdicts_total{scope="none"} 1.0',
        'unlearned_unread_prompts_total{language="ja"} 1.0',
        'unlearned_held_back_total{kind="names"} 2.0',
        'unlearned_tokens_total{kind="completion"} 3.0',
        "unlearned_first_token_seconds_count 1.0",
    ):
        assert line not in before
        assert line in after


def test_the_log_says_which_scope_is_protected_and_that_nothing_is(service: Service) -> None:
    service.gate.tell_protection()
    told = lines(service)[-1]
    assert (told["scope"], told["artifact"]) == ("harry-potter", "hp")
    store = service.gate.store
    own = store.current
    from dataclasses import replace

    store.current = replace(own, entries=())
    try:
        service.gate.tell_protection()
    finally:
        store.current = own
    assert "Nothing is protected" in lines(service)[-1]["event"]
