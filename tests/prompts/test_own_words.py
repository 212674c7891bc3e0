"""Spans of a rendered prompt, as places in what the user passed; with templates that rewrite what they print, too."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest

from unlearned.prompts.own_words import in_own_words
from unlearned.prompts.tokenize import Message, chat_prompt, text_prompt
from unlearned.types import Prompt, Span, Verdict

TALK: list[Message] = [
    {"role": "user", "content": "user"},
    {"role": "assistant", "content": "You?"},
    {"role": "user", "content": "  Who is the user?\n"},
    {"role": "user", "content": "user"},
]


def flagged(prompt: Prompt, *words: str) -> Verdict:
    """Each of these words flagged, where they stand behind the one before."""
    spans, cursor = [], 0
    for word in words:
        start = prompt.text.index(word, cursor)
        cursor = start + len(word)
        spans.append(Span(start, cursor, "hp", 0.9))
    return Verdict(tuple(spans), 0.9)


def found(verdict: Verdict, given: str | Sequence[Message]) -> list[tuple[int | None, str]]:
    contents = [given] if isinstance(given, str) else [str(message["content"]) for message in given]
    return [(span.message, contents[span.message or 0][span.start : span.end]) for span in verdict.spans]


def test_a_text_under_a_template(tiny_tokenizer: Any) -> None:
    text = "Say turn. Who is Harry Potter?"
    prompt = chat_prompt(tiny_tokenizer, [{"role": "user", "content": text}])
    assert prompt.text != text
    own = in_own_words(flagged(prompt, "Who is Harry Potter?"), prompt, text)
    assert found(own, text) == [(None, "Who is Harry Potter?")]
    assert own.score == 0.9


def test_a_text_without_one_is_where_it_was(tiny_tokenizer: Any) -> None:
    prompt = text_prompt(tiny_tokenizer, "Who is it?")
    verdict = flagged(prompt, "is it")
    assert in_own_words(verdict, prompt, "Who is it?") is verdict


def test_messages_that_repeat_each_other_and_the_names_of_roles(tiny_tokenizer: Any) -> None:
    prompt = chat_prompt(tiny_tokenizer, TALK)
    for place, segment in enumerate(prompt.segments):
        verdict = Verdict((Span(segment.start, segment.end, "hp", 0.9),), 0.9)
        [(message, words)] = found(in_own_words(verdict, prompt, TALK), TALK)
        assert (message, words) == (place, prompt.text[segment.start : segment.end])
    last = prompt.segments[-1]
    across = Verdict((Span(prompt.segments[2].start + 4, last.end, "hp", 0.9),), 0.9)
    assert [message for message, _ in found(in_own_words(across, prompt, TALK), TALK)] == [2, 3]


@pytest.mark.parametrize(
    ("print_as", "words"),
    [
        ("message.content | trim", "Who is the user?"),  # what is around the words goes
        ("'Asked: ' + message.content", "Who is the user?"),  # the template speaks inside a message's turn
    ],
)
def test_templates_that_print_more_or_less_than_a_message(tiny_tokenizer: Any, print_as: str, words: str) -> None:
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.chat_template = (
        "{% for message in messages %}<|turn|>{{ message.role }}\n{{ " + print_as + " }}{% endfor %}<|turn|>assistant\n"
    )
    prompt = chat_prompt(tokenizer, TALK)
    assert found(in_own_words(flagged(prompt, words), prompt, TALK), TALK) == [(2, words)]


def test_words_that_a_template_rewrites_are_the_whole_message(tiny_tokenizer: Any) -> None:
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.chat_template = (
        "{% for message in messages %}<|turn|>{{ message.role }}\n{{ message.content | upper }}{% endfor %}"
    )
    for given in ("Who is it?", [{"role": "user", "content": "Who is it?"}]):
        messages = [{"role": "user", "content": given}] if isinstance(given, str) else given
        prompt = chat_prompt(tokenizer, messages)
        own = in_own_words(flagged(prompt, "WHO", "IT"), prompt, given)
        assert own.in_scope
        assert [words for _, words in found(own, given)] == ["Who is it?"]  # both spans
