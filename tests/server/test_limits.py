"""What a client can do to the server: large, deep, slow, many, gone."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving_helpers import CLIENT, PLAIN, Running, bearer, serving

from commands import run
from unlearned.server.keys import Keys

JSON = {"Content-Type": "application/json", **bearer(CLIENT)}
ENDLESS: dict[str, Any] = {"max_tokens": 150, "logit_bias": {"1": -100}}


def test_paths_and_methods_that_are_not_there_answer_in_openais_form(server: Running) -> None:
    assert server.get("/v1/engines").status_code == 404
    assert server.get("/v1/chat/completions").status_code == 405
    assert server.get("/docs").status_code == server.get("/openapi.json").status_code == 404
    assert set(server.get("/v1/engines").json()["error"]) == {"message", "type", "param", "code"}


def test_a_full_queue_refuses_and_takes_again(model: Any, tiny_tokenizer: Any) -> None:
    with serving(model, tiny_tokenizer, max_queue=2, max_batch=1) as running:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: running.chat(PLAIN, **ENDLESS), range(8)))
        refused = [response for response in found if response.status_code == 429]
        assert refused
        assert {response.status_code for response in found} == {200, 429}
        assert refused[0].headers["retry-after"] == "2"
        assert refused[0].json()["error"]["code"] == "queue_full"
        assert running.chat(PLAIN).status_code == 200
        assert running.chat(PLAIN, n=3).status_code == 400  # would never fit


def test_a_client_that_leaves_is_cancelled_streamed_or_not(model: Any, tiny_tokenizer: Any) -> None:
    with serving(model, tiny_tokenizer, max_batch=1) as running:
        body = {"messages": [{"role": "user", "content": PLAIN}], "temperature": 0, **ENDLESS}
        start = time.perf_counter()
        running.chat(PLAIN, **ENDLESS)
        alone = time.perf_counter() - start
        for stream in (False, True):
            start = time.perf_counter()
            patience = httpx.Timeout(10, read=10 if stream else 0.1)  # who streams leaves after the first piece
            for _ in range(6):
                with httpx.Client(base_url=running.url, timeout=patience) as leaver:
                    if stream:
                        with leaver.stream(
                            "POST", "/v1/chat/completions", json=body | {"stream": True}, headers=JSON
                        ) as r:
                            next(r.iter_bytes())
                    else:
                        with pytest.raises(httpx.ReadTimeout):
                            leaver.post("/v1/chat/completions", json=body, headers=JSON)
            assert running.chat(PLAIN).status_code == 200
            assert time.perf_counter() - start < 5 * alone  # six whole answers would have taken longer
        cut = [line for line in running.lines() if line.get("completion_tokens", 150) < 150 and line.get("error")]
        assert len([line for line in running.lines() if line.get("status") == 499]) + len(cut) >= 6


def test_a_reader_that_does_not_read_blocks_nobody_and_is_dropped(model: Any, tiny_tokenizer: Any) -> None:
    with serving(model, tiny_tokenizer, write_timeout=0.5) as running:
        # More than the buffers between the two hold: with log-probabilities a token is about 3 kB.
        asked = {"messages": [{"role": "user", "content": PLAIN}], "stream": True, "n": 16, "logprobs": True}
        body = json.dumps({**asked, **ENDLESS, "top_logprobs": 20, "max_tokens": 200}).encode()
        with socket.socket() as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            lazy.connect(("127.0.0.1", int(running.url.rpartition(":")[2])))
            head = "".join(f"{name}: {value}\r\n" for name, value in {**JSON, "Content-Length": len(body)}.items())
            lazy.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() + body)
            until = time.monotonic() + 120  # on a busy machine
            while not any(line.get("stream") for line in running.lines()):
                assert running.chat(PLAIN).status_code == 200
                assert time.monotonic() < until
        line = next(line for line in running.lines() if line.get("stream"))
        assert line["error"].startswith("TimeoutError")


def test_the_command_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    other = socket.create_server(("127.0.0.1", 0))
    taken = other.getsockname()[1]
    (tmp_path / "keys").write_text("# none\n\n")
    for arguments, message in (
        (["--engine", "vllm"], "pip install 'unlearned[vllm]'"),
        (["--engine", "vllm", "--max-batch", "4"], "vLLM has --max-num-seqs"),
        (["--max-model-len", "4"], "There is no option --max-model-len"),
        (["--engine", "x"], "There is no engine 'x'"),
        (["--host", "0.0.0.0"], "--api-key-file"),
        (["--api-key-file", str(tmp_path / "keys")], "holds no key"),
        (["--port", str(taken)], f"Cannot listen on 127.0.0.1, port {taken}"),
    ):
        done = run("serve", *arguments, cwd=tmp_path, light=True)
        assert done.returncode == 1
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    other.close()


def test_each_key_has_its_own_rate(model: Any, tiny_tokenizer: Any) -> None:
    keys = Keys(("one", "two"))
    with serving(model, tiny_tokenizer, rate_limit=3, keys=keys) as running:
        assert [running.get("/v1/models", "one").status_code for _ in range(4)] == [200, 200, 200, 429]
        response = running.chat(PLAIN, "one")
        assert response.status_code == 429
        assert 0 < int(response.headers["retry-after"]) <= 60
        assert response.json()["error"]["type"] == "rate_limit_error"
        assert running.get("/v1/models", "two").status_code == 200
        for spelled in ("bearer one", "BEARER one", "Bearer   one"):  # no new client
            assert running.http.get("/v1/models", headers={"Authorization": spelled}).status_code == 429
