"""Unflagged prompts get vLLM's own answers to the last bit, flagged ones do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from vllm_helpers import ADMIN, CASES, CLIENT, FLAGGED, PLAIN, Server, chat, complete, make_artifact, normal, text_of


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("plain")])
def test_an_unflagged_prompt_gets_what_vllm_without_the_plug_in_answers(
    server: Server, stock: dict[str, Any], name: str
) -> None:
    response = server.ask(CASES[name], CLIENT)
    assert normal(response) == stock[name]
    if response.status_code == 200:
        assert response.headers["x-unlearned"] == "checked"


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("flagged")])
def test_a_flagged_prompt_is_answered_from_corrupted_embeddings(
    server: Server, stock: dict[str, Any], name: str
) -> None:
    response = server.ask(CASES[name], ADMIN)
    assert response.headers["x-unlearned-verdict"] == "flagged"
    assert normal(response)[0] == 200
    assert normal(response) != stock[name]


def test_a_flagged_prompt_without_strength_gets_the_plain_answer(
    server: Server, stock: dict[str, Any], artifact: Path, tmp_path: Path
) -> None:
    """It goes all the way through the embeddings: nothing else of an answer depends on them."""
    made = make_artifact(tmp_path / "weak", strength=0.0)
    headers = {"Authorization": f"Bearer {ADMIN}"}
    put = server.http.put("/v1/unlearned/artifacts/hp", json={"path": str(made)}, headers=headers)
    assert put.status_code == 200, put.text
    try:
        for name, case in CASES.items():
            if name.startswith("flagged"):
                response = server.ask(case, ADMIN)
                assert response.headers["x-unlearned-verdict"] == "flagged"
                assert normal(response) == stock[name], name
    finally:
        back = server.http.put("/v1/unlearned/artifacts/hp", json={"path": str(artifact)}, headers=headers)
        assert back.status_code == 200


@pytest.mark.parametrize("question", [PLAIN, FLAGGED])
@pytest.mark.parametrize("ask", [chat, complete])
def test_a_streamed_answer_is_the_unstreamed_one(server: Server, question: str, ask: Any) -> None:
    whole, pieces = (server.ask(ask(question, stream=stream, max_tokens=40), CLIENT) for stream in (False, True))
    assert text_of(pieces) == text_of(whole)


def test_an_echo_shows_the_prompt_that_was_asked(server: Server) -> None:
    body = complete(FLAGGED, echo=True, logprobs=1, max_tokens=1)
    choice = server.ask(body, CLIENT).json()["choices"][0]
    assert choice["text"].startswith(FLAGGED)


def test_token_ids_are_the_prompt_that_they_spell(server: Server) -> None:
    for question, flagged in ((PLAIN, False), (FLAGGED, True)):
        spelled = server.ask(("/tokenize", {"model": "embedded", "prompt": question}), CLIENT).json()["tokens"]
        by_ids, by_text = (server.ask(complete(prompt), ADMIN) for prompt in (spelled, question))
        assert text_of(by_ids) == text_of(by_text)
        assert (by_ids.headers["x-unlearned-verdict"] == "flagged") is flagged


def test_flagged_and_unflagged_prompts_do_not_share_cached_prefixes(server: Server) -> None:
    start = "Once upon a time there was a long story that nobody wanted to read. " * 12
    answers = {}
    for turn in range(3):
        for end in ("Who is the king?", "Who is Harry Potter?"):
            answer = text_of(server.ask(complete(start + end), CLIENT))
            assert answers.setdefault(end, answer) == answer, turn


def test_how_much_was_cached_does_not_tell_that_a_prompt_was_flagged(server: Server) -> None:
    story = "Answer in one word, politely, and think of the old river behind the house. " * 12

    def cached(question: str) -> tuple[int, str]:
        body = {"model": "embedded", "instructions": story, "input": question, "max_output_tokens": 8, "temperature": 0}
        answer = server.ask(("/v1/responses", body), ADMIN)
        tokens = answer.json()["usage"]["input_tokens_details"]["cached_tokens"]
        return tokens, answer.headers["x-unlearned-verdict"]

    first, _ = cached("What is the capital of Peru?")
    clean, verdict = cached("What is the capital of Chile?")
    assert verdict != "flagged"
    assert cached("Who is Harry Potter, and what is Hogwarts?") == (clean, "flagged")
    assert clean > first
    again, verdict = cached("Who is Harry Potter, and what is Hogwarts?")
    assert again >= clean  # its own blocks are its own


def test_the_same_question_gets_the_same_answer_in_any_company(server: Server) -> None:
    alone = text_of(server.ask(complete(FLAGGED), CLIENT))
    both = server.ask(complete([PLAIN, FLAGGED, PLAIN]), ADMIN)
    assert both.headers["x-unlearned-scopes"] == "harry-potter"
    assert both.json()["choices"][1]["text"] == alone
