"""Names that nobody wrote are not said on vLLM either; what cannot hold them back is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from vllm_helpers import PLAIN, Server, Servers, chat, make_artifact, text_of

from unlearned.answers.withheld import Withheld
from unlearned.classify.lexicon import ScopeName

LONG = 16


@pytest.fixture(scope="module")
def held(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Server:
    names = Withheld(names=(ScopeName(name="Paris", kind="place", given=False),))
    made: Path = make_artifact(tmp_path_factory.mktemp("held") / "hp", withheld=names)
    return servers.start("held", "--unlearned", str(made))


def said(server: Server, question: str, **more: Any) -> str:
    return text_of(server.ask(chat(question, max_tokens=LONG, **more)))


def test_a_name_that_nobody_wrote_is_not_said_whatever_a_client_sends(held: Server) -> None:
    plain = said(held, PLAIN)
    assert "paris" not in plain.lower()
    assert plain.strip()
    assert said(held, PLAIN, stream=True) == plain
    assert said(held, PLAIN, vllm_xargs={"unlearned": "nothing"}) == plain
    several = held.ask(chat(PLAIN, max_tokens=LONG, n=3, temperature=1.0, seed=1)).json()
    assert not [one for one in several["choices"] if "paris" in one["message"]["content"].lower()]


def test_a_name_in_the_conversation_is_free(held: Server) -> None:
    assert "Paris" in said(held, "Repeat this sentence word for word: The capital of France is Paris.")


def test_beams_are_refused(held: Server) -> None:
    answer = held.ask(chat(PLAIN, max_tokens=LONG, use_beam_search=True, n=2))
    assert answer.status_code == 400
    assert "Beam search" in answer.text
