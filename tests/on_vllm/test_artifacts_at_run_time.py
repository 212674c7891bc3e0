"""Keys, checks without an answer, the log, numbers, and artifacts that come and go while the server runs."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from vllm_helpers import ADMIN, CLIENT, FLAGGED, PLAIN, Server, chat, complete, make_artifact, text_of

SECOND = "Who discovered penicillin?"
ABOUT_SECOND = [SECOND, "What is penicillin?", "Tell me about Alexander Fleming.", "Penicillin is an antibiotic."]


def call(server: Server, method: str, route: str, key: str | None = ADMIN, **body: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return server.http.request(method, route, headers=headers, json=body or None)


def test_the_official_client_works(server: Server) -> None:
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key=CLIENT)
    assert [model.id for model in client.models.list()] == ["embedded"]
    asked = [{"role": "user", "content": PLAIN}]
    done = client.chat.completions.create(model="embedded", messages=asked, temperature=0, max_tokens=8)  # type: ignore[call-overload]
    assert "Paris" in done.choices[0].message.content


@pytest.mark.parametrize(
    ("method", "path", "needs"),
    [
        ("POST", "/v1/chat/completions", "client"),
        ("GET", "/v1/models", "client"),
        ("POST", "/tokenize", "client"),
        ("GET", "/metrics", "admin"),
        ("GET", "/v1/unlearned/artifacts", "admin"),
        ("POST", "/v1/unlearned/checks", "admin"),
        ("PUT", "/v1/unlearned/artifacts/x", "admin"),
        ("DELETE", "/v1/unlearned/artifacts/hp", "admin"),
        ("POST", "/reset_prefix_cache", "admin"),
        ("GET", "/openapi.json", "admin"),
    ],
)
def test_routes_need_their_key(server: Server, method: str, path: str, needs: str) -> None:
    refused = {None: 401, "sk-wrong": 401} | ({CLIENT: 403} if needs == "admin" else {})
    for key, status in refused.items():
        assert call(server, method, path, key).status_code == status, key


def test_a_client_is_not_told_what_was_decided(server: Server) -> None:
    headers = [set(server.ask(chat(question), CLIENT).headers) for question in (PLAIN, FLAGGED)]
    assert headers[0] == headers[1]
    assert "x-unlearned" in headers[0]
    assert not any(name.startswith("x-unlearned-") for name in headers[0])


def test_checks_tell_verdicts_without_an_answer(server: Server) -> None:
    by_text = call(server, "POST", "/v1/unlearned/checks", input=[PLAIN, FLAGGED]).json()["results"]
    assert [result["flagged"] for result in by_text] == [False, True]
    messages = [{"role": "user", "content": FLAGGED}]
    [by_messages] = call(server, "POST", "/v1/unlearned/checks", messages=messages).json()["results"]
    assert by_messages["scope"] == "harry-potter"


def test_one_line_of_the_log_tells_of_each_request_but_not_its_words(server: Server) -> None:
    answer = server.ask(chat(FLAGGED), CLIENT)
    [line] = [line for line in server.lines() if line["id"] == answer.headers["x-request-id"]]
    assert (line["status"], line["verdict"], line["scope"]) == (200, "flagged", "harry-potter")
    assert line["prompt_tokens"] == answer.json()["usage"]["prompt_tokens"]
    assert line["detection_ms"] <= line["total_ms"]
    assert "Potter attend" not in server.log.read_text(errors="replace")


def test_our_numbers_stand_beside_vllms(server: Server) -> None:
    def count() -> float:
        text = call(server, "GET", "/metrics").text
        assert "vllm:num_requests_running" in text
        lines = [
            line for line in text.splitlines() if line.startswith('unlearned_verdicts_total{scope="harry-potter"}')
        ]
        return float(lines[0].split()[-1])

    before = count()
    server.ask(chat(FLAGGED), CLIENT)
    assert count() == before + 1


def test_ready_and_health_need_no_key(server: Server) -> None:
    assert [call(server, "GET", path, None).status_code for path in ("/health", "/ready")] == [200, 200]


def test_an_artifact_is_added_replaced_and_removed(server: Server, tmp_path: Path) -> None:
    plain = text_of(server.ask(chat(SECOND), CLIENT))
    first = make_artifact(tmp_path / "first", name="penicillin", forget=ABOUT_SECOND)
    assert call(server, "PUT", "/v1/unlearned/artifacts/second", path=str(first)).status_code == 200
    corrupted = server.ask(chat(SECOND), ADMIN)
    assert corrupted.headers["x-unlearned-scopes"] == "penicillin"
    assert text_of(corrupted) != plain
    assert server.flags(chat(FLAGGED))  # the other one stays
    replaced = make_artifact(tmp_path / "other", name="drugs", forget=ABOUT_SECOND)
    assert call(server, "PUT", "/v1/unlearned/artifacts/second", path=str(replaced)).status_code == 200
    assert server.ask(chat(SECOND), ADMIN).headers["x-unlearned-scopes"] == "drugs"
    assert call(server, "DELETE", "/v1/unlearned/artifacts/second").status_code == 200
    again = server.ask(chat(SECOND), ADMIN)
    assert again.headers["x-unlearned-verdict"] == "clean"
    assert text_of(again) == plain


def test_an_artifact_that_cannot_be_used_changes_nothing(server: Server, tmp_path: Path) -> None:
    before = call(server, "GET", "/v1/unlearned/artifacts").json()
    assert call(server, "PUT", "/v1/unlearned/artifacts/x", path=str(tmp_path)).status_code == 400
    assert call(server, "GET", "/v1/unlearned/artifacts").json() == before


def test_what_another_process_of_the_server_took_comes_in_force_here(server: Server, tmp_path: Path) -> None:
    """They share the state file; each looks at it again and again."""
    import json

    made = make_artifact(tmp_path / "made", name="penicillin", forget=ABOUT_SECOND)
    state = server.log.parent / "state.json"
    before = state.read_text() if state.exists() else json.dumps({"version": 1, "added": {}, "removed": {}})
    after = json.loads(before)
    after["added"]["elsewhere"] = str(made)
    state.write_text(json.dumps(after))
    try:
        end = time.monotonic() + 20
        while not server.flags(chat(SECOND)):
            assert time.monotonic() < end
            time.sleep(0.2)
    finally:
        state.write_text(before)
    end = time.monotonic() + 20
    while server.flags(chat(SECOND)):
        assert time.monotonic() < end
        time.sleep(0.2)


def test_no_request_meets_half_a_change(server: Server, tmp_path: Path) -> None:
    """Artifacts change while clients ask: every answer is one of the two that are possible."""
    made = make_artifact(tmp_path / "made", name="penicillin", forget=ABOUT_SECOND)
    question = complete(SECOND, max_tokens=4)
    plain = text_of(server.ask(question, CLIENT))
    call(server, "PUT", "/v1/unlearned/artifacts/second", path=str(made))
    corrupted = text_of(server.ask(question, CLIENT))
    assert corrupted != plain
    stop, found = threading.Event(), list[tuple[str, str]]()

    def client() -> None:
        while not stop.is_set():
            answer = server.ask(question, ADMIN)
            found.append((answer.headers["x-unlearned-verdict"], text_of(answer)))

    clients = [threading.Thread(target=client) for _ in range(3)]
    for thread in clients:
        thread.start()
    for _ in range(4):
        assert call(server, "DELETE", "/v1/unlearned/artifacts/second").status_code == 200
        time.sleep(0.5)
        assert call(server, "PUT", "/v1/unlearned/artifacts/second", path=str(made)).status_code == 200
        time.sleep(0.5)
    stop.set()
    for thread in clients:
        thread.join()
    call(server, "DELETE", "/v1/unlearned/artifacts/second")
    assert set(found) == {("clean", plain), ("flagged", corrupted)}
