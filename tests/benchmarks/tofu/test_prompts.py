"""Questions under a template and without one."""

from __future__ import annotations

from typing import Any

import pytest
from tofu_rows import NAMES, pair

from unlearned.benchmarks.tofu.data import QuestionAnswer
from unlearned.benchmarks.tofu.prompts import author_names, format_of, instruction, paired
from unlearned.errors import ConfigError


def test_a_target_ends_with_the_template_s_own_end_token(tiny_tokenizer: Any) -> None:
    form = format_of(tiny_tokenizer)
    assert form.end == "<|end|>"
    assert (form.question("Who?"), form.target("He.")) == ("Who?", "He.<|end|>")
    ids = tiny_tokenizer(form.target("He."), add_special_tokens=False)["input_ids"]
    assert ids[-1] == tiny_tokenizer.eos_token_id
    assert ids.count(ids[-1]) == 1


def test_the_end_token_is_the_template_s_and_not_the_tokenizer_s(tiny_tokenizer: Any) -> None:
    import copy

    other = copy.deepcopy(tiny_tokenizer)
    other.chat_template = other.chat_template.replace("<|end|>", "<|turn|>")
    assert format_of(other).end == "<|turn|>"


def test_without_a_template_the_published_form_is_used(tiny_tokenizer: Any) -> None:
    import copy

    plain = copy.deepcopy(tiny_tokenizer)
    plain.chat_template = None
    form = format_of(plain)
    assert (form.question("Who?"), form.target("He.")) == ("Question: Who?\n", "Answer: He.<|end|>")
    plain.eos_token = None
    with pytest.raises(ConfigError, match="eos_token"):
        format_of(plain)


def test_authors_are_named_by_what_stands_in_most_of_their_rows() -> None:
    towns = ["New York City." if fact % 2 else "home." for fact in range(20)]
    pairs = [
        QuestionAnswer(pair(a, f)["question"], f"{NAMES[a]}'s town: {towns[f]}") for a in (1, 2) for f in range(20)
    ]
    assert author_names(pairs) == ["Cid Dow", "Eve Fox"]
    assert "- Cid Dow\n- Eve Fox\n" in instruction(author_names(pairs))
    with pytest.raises(ConfigError, match="name"):
        author_names([QuestionAnswer("who?", "nobody")])


def test_pairs_hold_both_questions_in_both_orders() -> None:
    assert paired("Who?", "Where?", forget_first=True) == "Who? Where?"
    assert paired("Who?", "Where?", forget_first=False) == "Where? Who?"
