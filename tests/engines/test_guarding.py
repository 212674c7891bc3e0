"""`generate` under guards: an answer says no name that its prompt does not hold, and others stay as they were."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from tiny_llama import tiny_llama
from unlearned.answers.guard import Bans, Guard
from unlearned.answers.spellings import is_telling
from unlearned.answers.withheld import Withheld
from unlearned.classify.lexicon import ScopeName
from unlearned.engines.guarding import goes_back
from unlearned.engines.transformers import TransformersEngine
from unlearned.types import PromptInput

MOST = 24


@pytest.fixture(scope="module")
def engine(tiny_tokenizer: Any) -> TransformersEngine:
    torch.manual_seed(2)
    return TransformersEngine(tiny_llama(tiny_tokenizer, initializer_range=0.3).eval(), tiny_tokenizer)


@pytest.fixture(scope="module")
def said(engine: TransformersEngine) -> tuple[PromptInput, str, str]:
    """A prompt, the plain answer to it, and a word of that which tells a name."""
    for text in ("The fox", "Who is the fox?", "Is the dog lazy?", "Why?", "Tell me.", "How do I bake bread?"):
        given = PromptInput(engine.tokenize(text, chat=False).token_ids)
        [answer] = engine.generate([given], max_new_tokens=MOST, do_sample=False)
        for word in re.findall(r"(?<![^\W_])[^\W_]{3,}(?=[ .,!?])", answer.text):
            if is_telling(word) and word.lower() not in text.lower():
                return given, answer.text, word
    pytest.fail("no answer of this model says a word")


def guarded(given: PromptInput, *names: str) -> PromptInput:
    bans = Bans([Withheld(names=tuple(ScopeName(name=name, kind="work", given=False) for name in names))])
    return PromptInput(given.token_ids, guard=Guard(bans))


def says(text: str, name: str) -> bool:
    return re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text, re.IGNORECASE) is not None


def test_a_name_is_gone_back_from_and_what_stood_before_it_stays(
    engine: TransformersEngine, said: tuple[PromptInput, str, str]
) -> None:
    given, plain, name = said
    assert says(plain, name)
    one = guarded(given, name)
    [answer] = engine.generate([one], max_new_tokens=MOST, do_sample=False)
    assert not says(answer.text, name)
    assert answer.text.startswith(plain[: re.search(re.escape(name), plain).start()].rstrip())  # type: ignore[union-attr]
    assert len(answer.token_ids) <= MOST
    assert one.guard is not None
    assert one.guard.held["names"] >= 1


def test_an_answer_that_says_no_name_and_rows_without_a_guard_stay_as_they_were(
    engine: TransformersEngine, said: tuple[PromptInput, str, str]
) -> None:
    given, plain, name = said
    batch = [given, guarded(given, "Xqvzzk"), guarded(given, name)]
    answers = engine.generate(batch, max_new_tokens=MOST, do_sample=False)
    assert [answer.text == plain for answer in answers] == [True, True, False]


@pytest.mark.parametrize("more", [{"num_beams": 2}, {"num_beams": 3, "num_return_sequences": 2}])
def test_beams_cannot_go_back_and_say_no_name_either(
    engine: TransformersEngine, said: tuple[PromptInput, str, str], more: dict[str, Any]
) -> None:
    given, _, name = said
    answers = engine.generate([guarded(given, name)], max_new_tokens=MOST, do_sample=False, **more)
    assert not any(says(answer.text, name) for answer in answers)


def test_several_answers_to_one_prompt_are_all_guarded(
    engine: TransformersEngine, said: tuple[PromptInput, str, str]
) -> None:
    given, _, name = said
    torch.manual_seed(0)
    answers = engine.generate([guarded(given, name)] * 2, max_new_tokens=MOST, do_sample=True, num_return_sequences=3)
    assert len(answers) == 6
    assert not any(says(answer.text, name) for answer in answers)


def test_answers_can_be_taken_up_again_without_beams_and_drafts_only() -> None:
    for settings, can in (
        ({}, True),
        ({"num_beams": 1, "prompt_lookup_num_tokens": None}, True),
        ({"num_beams": None}, True),
        ({"num_beams": 2}, False),
        ({"prompt_lookup_num_tokens": 3}, False),
        ({"assistant_model": object()}, False),
        ({"assistant_early_exit": 2}, False),
    ):
        assert goes_back(settings) is can, settings
