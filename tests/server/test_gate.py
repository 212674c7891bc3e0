"""Nobody asks without the right to."""

from __future__ import annotations

from typing import Any

from serving_helpers import ADMIN, CLIENT, PLAIN, Running


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def test_keys_are_needed_and_compared_as_a_whole(server: Running) -> None:
    for key in (None, "x", "sk-clien", "sk-client2", "SK-CLIENT", "sk-cliënt"):
        headers = {} if key is None else {"Authorization": f"Bearer {key}".encode()}
        assert server.http.get("/v1/models", headers=headers).status_code == 401
        response = server.http.post("/v1/chat/completions", json={"messages": [user(PLAIN)]}, headers=headers)
        assert response.status_code == 401
    assert server.http.get("/v1/models", headers={"Authorization": CLIENT}).status_code == 401
    assert server.get("/v1/models", CLIENT).status_code == server.get("/v1/models", ADMIN).status_code == 200
    for path in ("/v1/unlearned/artifacts", "/metrics"):
        assert server.get(path, CLIENT).status_code == 403  # a valid key without the right
        assert server.get(path, "sk-wrong").status_code == 401
        assert server.get(path, ADMIN).status_code == 200
    assert server.post("/v1/unlearned/checks", {"input": PLAIN}, CLIENT).status_code == 403
    for path in ("/health", "/ready"):
        assert server.get(path, None).status_code == 200
