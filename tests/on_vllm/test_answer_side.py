"""Names and quotes that nobody asked for, on vLLM: the answers are those of transformers, whole and streamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from vllm_helpers import ADMIN, PLAIN, Server, Servers, chat, make_artifact, run_script, text_of

from unlearned.answers.guard import Bans
from unlearned.answers.quotes import QuoteFilter
from unlearned.answers.withheld import Withheld
from unlearned.classify.lexicon import ScopeName

LONG = 40
NAMES = ("Paris", "Jupiter", "George Washington", "Romeo and Juliet", "United States", "photosynthesis")
QUOTED = "The sky appears blue because of a phenomenon called Rayleigh scattering, which is the scattering of light."
QUESTIONS = [
    PLAIN,
    "Which city has the Eiffel Tower, and which river flows through it?",
    "What is the largest planet in our solar system?",
    "Who was the first president of the USA?",
    "Name a famous play by Shakespeare.",
    "How do plants make food from sunlight? Answer in two sentences.",
    "Why is the sky blue?",
    "Write a sentence about bread.",
]


@pytest.fixture(scope="module")
def withheld(plain_model: Any) -> Withheld:
    """Names that the model says unasked, and what it says of the sky."""
    from unlearned.api import Unlearned

    (sky,) = Unlearned(*plain_model).generate([QUESTIONS[6]], max_new_tokens=LONG, do_sample=False)
    names = tuple(ScopeName(name=name, kind="place", given=False) for name in NAMES)
    quotes = QuoteFilter.of(b"s" * 32, [sky.text, QUOTED])
    return Withheld(names=names, quotes=quotes)


@pytest.fixture(scope="module")
def made(withheld: Withheld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_artifact(tmp_path_factory.mktemp("held") / "hp", withheld=withheld)


@pytest.fixture(scope="module")
def held(servers: Servers, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Server:
    keys = tmp_path_factory.mktemp("keys") / "admin"
    keys.write_text(ADMIN)
    return servers.start("held", "--unlearned", str(made), "--unlearned-admin-key-file", str(keys))


def said(server: Server, question: str, **more: Any) -> str:
    return text_of(server.ask(chat(question, **{"max_tokens": LONG, **more}), ADMIN))


@pytest.mark.parametrize("longest", [LONG, 6])  # with 6, "The capital of France is Paris" ends with a name
def test_answers_are_those_of_transformers_whole_and_streamed(
    held: Server, made: Path, plain_model: Any, withheld: Withheld, longest: int
) -> None:
    from unlearned.api import Unlearned
    from unlearned.artifact.artifact import Artifact

    setting = {"max_new_tokens": longest, "do_sample": False, "batch_size": 1}
    own = Unlearned(*plain_model, Artifact.from_pretrained(made)).generate(QUESTIONS, **setting)
    free = Unlearned(*plain_model).generate(QUESTIONS, **setting)
    bans = Bans([withheld])
    changed = 0
    for question, answer, plain in zip(QUESTIONS, own, free, strict=True):
        assert not bans.unasked(question, answer.text)
        for stream in (False, True):
            assert said(held, question, max_tokens=longest, stream=stream) == answer.text, question
        assert (answer.text != plain.text) == bans.unasked(question, plain.text) or longest < LONG
        changed += answer.text != plain.text
    assert changed >= (4 if longest == LONG else 1)


def test_a_client_cannot_change_what_is_held_back(held: Server, withheld: Withheld) -> None:
    plain = said(held, PLAIN)
    assert said(held, PLAIN, vllm_xargs={"unlearned": "nothing"}) == plain
    several = held.ask(chat(PLAIN, max_tokens=LONG, n=3, temperature=1.0, seed=1), ADMIN).json()
    bans = Bans([withheld])
    texts = [one["message"]["content"] for one in several["choices"]]
    assert len(texts) == 3
    assert not [text for text in texts if bans.unasked(PLAIN, text)]


def test_counts_log_probabilities_and_the_log_are_of_what_was_said(held: Server) -> None:
    body = held.ask(chat(PLAIN, max_tokens=LONG, logprobs=True, top_logprobs=3), ADMIN).json()
    (choice,) = body["choices"]
    content = choice["logprobs"]["content"]
    shown = b"".join(bytes(token["bytes"]) for token in content).decode()
    assert choice["message"]["content"] in shown
    assert body["usage"]["completion_tokens"] == len(content)
    assert "paris" not in "".join(other["token"] for token in content for other in token["top_logprobs"]).lower()
    assert held.lines()[-1]["held_back_names"] >= 1
    assert "unlearned_held_back_total" in held.http.get("/metrics", headers={"Authorization": f"Bearer {ADMIN}"}).text


def test_a_name_in_the_conversation_is_free(held: Server) -> None:
    assert "Paris" in said(held, "Repeat this sentence word for word: The capital of France is Paris.")


def test_an_answer_under_a_grammar_says_no_name_either(held: Server) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "string", "maxLength": 12}}, "required": ["answer"]}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    assert "paris" not in said(held, PLAIN, response_format=form).lower()


def test_beams_are_refused(held: Server) -> None:
    answer = held.ask(chat(PLAIN, max_tokens=LONG, use_beam_search=True, n=2), ADMIN)
    assert answer.status_code == 400
    assert "Beam search" in answer.text


def test_answers_from_python_go_back_too(servers: Servers, made: Path, plain_model: Any) -> None:
    from unlearned.api import Unlearned
    from unlearned.artifact.artifact import Artifact

    servers.stop()
    llm = Unlearned(*plain_model, Artifact.from_pretrained(made))
    expected = llm.generate(QUESTIONS, max_new_tokens=LONG, do_sample=False, batch_size=1)
    assert run_script("chats", made, QUESTIONS) == [answer.text for answer in expected]
