"""A server under the answer side: one text whole and streamed, told to administrators only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving_helpers import ADMIN, serving, streamed

from unlearned.answers.spellings import is_telling
from unlearned.answers.withheld import Withheld
from unlearned.artifact.artifact import Artifact
from unlearned.classify.lexicon import ScopeName
from unlearned.errors import ConfigError
from unlearned.server.answer_policies import AnswerPolicies

ASKED = (
    "What is the capital of France?",
    "How do I bake bread?",
    "Who is the fox?",
    "Is the dog lazy?",
    "Why?",
    "Tell me.",
)
LENGTH = 24


def test_a_name_is_held_back_and_only_administrators_learn_of_it(
    model: Any, tiny_tokenizer: Any, artifact: Path, plain: Callable[..., str], tmp_path: Path
) -> None:
    found = [
        (prompt, word)
        for prompt in ASKED
        for word in re.findall(r"(?<![^\W_])[^\W_]{3,}(?=[ .,!?])", plain(prompt, LENGTH))
        if is_telling(word) and word.lower() not in prompt.lower()
    ]
    prompt, name = found[0]
    whole = Artifact.from_pretrained(artifact)
    held = Withheld(names=(ScopeName(name=name, kind="work", given=False),))
    made = replace(whole, scopes=tuple(replace(scope, withheld=held) for scope in whole.scopes))
    folder = made.save_pretrained(tmp_path / "held")
    with serving(model, tiny_tokenizer, [folder]) as running:
        answer = running.chat(prompt, max_tokens=LENGTH)
        text = answer.json()["choices"][0]["message"]["content"]
        assert not re.search(rf"(?<![^\W_]){name}(?![^\W_])", text, re.IGNORECASE)
        assert text != plain(prompt, LENGTH)
        assert "held" not in answer.text
        assert not [header for header in answer.headers if "held" in header]
        said, reason = streamed(running.chat(prompt, max_tokens=LENGTH, stream=True))
        assert (said, reason) == (text, answer.json()["choices"][0]["finish_reason"])
        assert [line["held_back_names"] >= 1 for line in running.lines() if "route" in line] == [True, True]
        assert 'unlearned_held_back_total{kind="names"}' in running.get("/metrics", ADMIN).text
    with serving(model, tiny_tokenizer, [folder], answers=AnswerPolicies.read(["off"])) as running:
        free = running.chat(prompt, max_tokens=LENGTH).json()["choices"][0]["message"]["content"]
        assert free == plain(prompt, LENGTH)
        assert not [line for line in running.lines() if "held_back_names" in line]


@pytest.mark.parametrize(("given", "match"), [(["all"], "must be one of"), (["off", "names"], "twice")])
def test_policies_that_are_none_are_refused(given: list[str], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        AnswerPolicies.read(given)
