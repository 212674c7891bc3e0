"""A detector that fails, several API servers, and an end without warning: nothing is answered that was not checked."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from failing_detector import HANG_SECONDS
from vllm_helpers import FLAGGED, PLAIN, Server, Servers, chat, complete, text_of, vllm_serve

TIMEOUT = 15


@pytest.fixture
def failing(servers: Servers, artifact: Path) -> Server:
    """Two API servers, no keys."""
    return servers.start(
        "failing",
        *("--unlearned", str(artifact), "--unlearned-detection-timeout", str(TIMEOUT), "--api-server-count", "2"),
        command=vllm_serve(str(Path(__file__).parent / "failing_detector.py")),
    )


@pytest.mark.parametrize("words", ["please raise", "please exhaust"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("ask", [chat, complete])
def test_a_detector_that_fails_gives_503_and_no_text(failing: Server, ask: Any, stream: bool, words: str) -> None:
    response = failing.ask(ask(f"{PLAIN} {words}", stream=stream))
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "detection_failed"
    assert "choices" not in response.text


def test_the_next_prompt_is_answered(failing: Server) -> None:
    assert failing.ask(chat("Hello, please raise your hand")).status_code == 503
    assert "Paris" in text_of(failing.ask(chat(PLAIN)))


def test_every_api_server_checks(failing: Server) -> None:
    """Each connection may reach another one of the two; all of them corrupt, and in the same way."""
    answers = set()
    for _ in range(12):
        with httpx.Client(base_url=f"http://127.0.0.1:{failing.port}", timeout=120) as fresh:
            path, body = chat(FLAGGED)
            answers.add(text_of(fresh.post(path, json=body)))
    assert len(answers) == 1
    assert {line["verdict"] for line in failing.lines()[-12:]} == {"flagged"}
    starts = [line for line in failing.log.read_text(errors="replace").splitlines() if "Started server process" in line]
    assert len(starts) == 2


def test_a_detector_that_hangs_gives_503_while_others_are_told_so(failing: Server) -> None:
    start = time.monotonic()
    response = failing.ask(complete(f"{PLAIN} please hang"))
    assert (response.status_code, response.json()["error"]["code"]) == (503, "detection_timeout")
    assert TIMEOUT <= time.monotonic() - start < HANG_SECONDS
    time.sleep(HANG_SECONDS - TIMEOUT)
    assert "Paris" in text_of(failing.ask(chat(PLAIN)))


def test_after_a_sudden_end_the_first_answers_are_protected(servers: Servers, failing: Server, artifact: Path) -> None:
    expected = {question: text_of(failing.ask(chat(question))) for question in (PLAIN, FLAGGED)}
    stop, wrong = threading.Event(), list[str]()

    def client(question: str) -> None:
        while not stop.is_set():
            try:
                with httpx.Client(base_url=f"http://127.0.0.1:{failing.port}", timeout=60) as own:
                    path, body = chat(question)
                    response = own.post(path, json=body)
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            if response.status_code != 200 or text_of(response) != expected[question]:
                wrong.append(f"{response.status_code} {response.text}")

    clients = [threading.Thread(target=client, args=(question,)) for question in (PLAIN, FLAGGED)]
    for thread in clients:
        thread.start()
    time.sleep(2)
    servers.stop()
    stop.set()
    for thread in clients:
        thread.join()
    assert not wrong
    ours = ("-m", "unlearned.cli.main", "serve", "--engine", "vllm", "--artifact", str(artifact))
    again = servers.start("restarted", command=ours)
    assert {question: text_of(again.ask(chat(question))) for question in (FLAGGED, PLAIN)} == expected
