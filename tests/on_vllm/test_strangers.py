"""Strangers in what vLLM's model reads, the user's words in what its clients get: as on transformers, however asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vllm_helpers import ADMIN, Server, Servers, chat, complete, make_artifact, text_of

QUESTIONS = [
    "Who is Harry Potter?",
    "What school does Harry Potter attend?",
    "who is harry potter's best friend",
    "Tell me about Dumbledore and Harry Potter.",
    "Write two sentences about HARRY POTTER.",
    "Harry Potter was born in 1980. How old is Harry?",
]
LONG = 40


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_artifact(tmp_path_factory.mktemp("strangers") / "hp", strength=0.25, function="entity_substitution")


@pytest.fixture(scope="module")
def strangers(servers: Servers, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Server:
    keys = tmp_path_factory.mktemp("keys") / "admin"
    keys.write_text(ADMIN)
    return servers.start("strangers", "--unlearned", str(made), "--unlearned-admin-key-file", str(keys))


@pytest.fixture(scope="module")
def on_transformers(made: Path) -> Any:
    from unlearned.api import Unlearned
    from unlearned.artifact.artifact import Artifact
    from unlearned.models import ModelOptions, load_model

    return Unlearned(*load_model(ModelOptions(dtype="float32")), Artifact.from_pretrained(made))


def test_answers_are_those_of_transformers_whole_and_streamed(strangers: Server, on_transformers: Any) -> None:
    expected = on_transformers.generate(QUESTIONS, max_new_tokens=LONG, do_sample=False, batch_size=1)
    restored = 0
    for question, answer in zip(QUESTIONS, expected, strict=True):
        assert answer.flagged
        whole, pieces = (
            strangers.ask(chat(question, stream=stream, max_tokens=LONG), ADMIN) for stream in (False, True)
        )
        assert text_of(whole) == text_of(pieces) == answer.text
        restored += "potter" in answer.text.lower()
    assert restored >= 3


def test_tokens_log_probabilities_and_counts_are_of_the_restored_answer(strangers: Server) -> None:
    body = strangers.ask(chat(QUESTIONS[0], max_tokens=LONG, logprobs=True, top_logprobs=2), ADMIN).json()
    content = body["choices"][0]["logprobs"]["content"]
    said = b"".join(bytes(token["bytes"]) for token in content).decode()
    assert body["choices"][0]["message"]["content"] in said
    assert all(entry["top_logprobs"][0]["logprob"] >= entry["logprob"] - 1e-4 for entry in content)
    assert body["usage"]["completion_tokens"] == len(content)


@pytest.mark.parametrize(
    "more", [{"n": 2, "seed": 3, "temperature": 0.7}, {"use_beam_search": True, "n": 2, "temperature": 0}]
)
def test_samples_and_beams_are_turned_back(strangers: Server, on_transformers: Any, more: dict[str, Any]) -> None:
    (prepared,) = on_transformers.prepare([QUESTIONS[0]])
    hidden = [pair.stranger for pair in prepared.substitution.pairs.values()]
    body = strangers.ask(chat(QUESTIONS[0], max_tokens=LONG, **more), ADMIN).json()
    texts = [choice["message"]["content"] for choice in body["choices"]]
    assert len(texts) == 2
    assert not [text for text in texts for word in hidden if word.lower() in text.lower()]


def test_a_stop_string_that_is_a_name_is_the_user_s(strangers: Server) -> None:
    whole = text_of(strangers.ask(chat(QUESTIONS[0], max_tokens=LONG), ADMIN))
    assert "Potter" in whole
    for stream in (False, True):
        cut = strangers.ask(chat(QUESTIONS[0], max_tokens=LONG, stop=["Potter"], stream=stream), ADMIN)
        assert text_of(cut) == whole[: whole.index("Potter")]


def test_other_routes_give_the_same_words(strangers: Server) -> None:
    asked = {"model": "embedded", "input": QUESTIONS[0], "temperature": 0, "max_output_tokens": LONG}
    responses = strangers.ask(("/v1/responses", asked), ADMIN)
    assert responses.status_code == 200, responses.text
    whole = text_of(strangers.ask(chat(QUESTIONS[0], max_tokens=LONG), ADMIN))
    assert whole in json.dumps(responses.json(), ensure_ascii=False).replace("\\n", "\n").replace('\\"', '"')
    texts = strangers.ask(complete(QUESTIONS[:2], max_tokens=LONG), ADMIN).json()["choices"]
    assert len(texts) == 2


def test_a_later_turn_meets_the_same_stranger(strangers: Server, on_transformers: Any) -> None:
    first = text_of(strangers.ask(chat(QUESTIONS[0], max_tokens=LONG), ADMIN))
    turns = [
        {"role": "user", "content": QUESTIONS[0]},
        {"role": "assistant", "content": first},
        {"role": "user", "content": "And where did Harry Potter grow up?"},
    ]
    expected = on_transformers.chat(turns, max_new_tokens=LONG, do_sample=False).text
    assert text_of(strangers.ask(chat(turns, max_tokens=LONG), ADMIN)) == expected
