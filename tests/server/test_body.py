"""A request's body: in time, in size, and one plain JSON object."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
from serving_helpers import CLIENT, PLAIN, Running, bearer, serving

from unlearned.server.body import parsed
from unlearned.server.refusals import RefusalError

JSON = {"Content-Type": "application/json", **bearer(CLIENT)}


def test_a_body_that_is_too_large_is_refused_announced_or_not(model: Any, tiny_tokenizer: Any) -> None:
    with serving(model, tiny_tokenizer, max_body_bytes=1000) as running:
        big = json.dumps({"messages": [{"role": "user", "content": "a" * 2000}]}).encode()
        assert running.http.post("/v1/chat/completions", content=big, headers=JSON).status_code == 413
        pieces = (big[start : start + 100] for start in range(0, len(big), 100))
        assert running.http.post("/v1/chat/completions", content=pieces, headers=JSON).status_code == 413
        assert running.chat(PLAIN).status_code == 200


def test_a_body_that_comes_too_slowly_is_refused_and_blocks_nobody(model: Any, tiny_tokenizer: Any) -> None:
    with serving(model, tiny_tokenizer, read_timeout=0.3) as running:
        connection = http.client.HTTPConnection("127.0.0.1", int(running.url.rpartition(":")[2]), timeout=10)
        connection.putrequest("POST", "/v1/chat/completions")
        for name, value in {**JSON, "Content-Length": "100"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(b"{")
        assert running.chat(PLAIN).status_code == 200
        response = connection.getresponse()
        assert response.status == 408
        assert json.loads(response.read())["error"]["type"] == "invalid_request_error"
        connection.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b'"text"',
        b"\xff\xfe",
        b'{"seed": NaN}',
        b'{"seed": Infinity}',
        b'{"seed": ' + b"9" * 5000 + b"}",
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b"[" * 100_000,
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"messages": [], "messages": [1]}',
    ],
)
def test_what_is_no_plain_json_object_is_refused(server: Running, raw: bytes) -> None:
    response = server.http.post("/v1/chat/completions", content=raw, headers=JSON)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["code"] == "invalid_json"


def test_json_may_be_as_deep_as_allowed() -> None:
    assert parsed(b'{"a": {"b": [1]}}', 3) == {"a": {"b": [1]}}
    with pytest.raises(RefusalError, match="more than 2 levels"):
        parsed(b'{"a": {"b": [1]}}', 2)


def test_only_json_is_read(server: Running) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""):
        headers = {"Content-Type": kind, **bearer(CLIENT)}
        assert server.http.post("/v1/chat/completions", content=b"{}", headers=headers).status_code == 415
    headers = {"Content-Type": "Application/JSON; charset=utf-8", **bearer(CLIENT)}
    assert server.http.post("/v1/chat/completions", content=b"{}", headers=headers).status_code == 400
