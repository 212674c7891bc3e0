"""Text and messages -> Prompt: the ids are the tokenizer's own, and exactly the messages' words are content."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from unlearned.errors import PromptError
from unlearned.prompts.segments import aligned, placeholders, without
from unlearned.prompts.tokenize import Message, chat_prompt, special_ids, text_prompt
from unlearned.types import Prompt, Segment

STRIPS = "{% for m in messages %}<|turn|>{{ m['role'] }}\n{{ m['content'] | trim }}<|end|>\n{% endfor %}"
UPPERS = "{% for m in messages %}<|turn|>{{ m['role'] }}\n{{ m['content'] | upper }}<|end|>\n{% endfor %}"
LAST_ONLY = "{% for m in messages[-1:] %}<|turn|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
REVERSED = "{% for m in messages | reverse %}<|turn|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
TWICE = "{% for m in messages %}<|turn|>{{ m['content'] }} {{ m['content'] }}<|end|>\n{% endfor %}"
FORGETS_THOUGHTS = (
    "{% for m in messages %}<|turn|>{{ m['role'] }}\n{{ m['content'].split('</think>')[-1] }}<|end|>\n{% endfor %}"
)
PICKY = (
    "{% if messages[0]['role'] != 'user' %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{% for m in messages %}<|turn|>{{ m['content'] }}{% endfor %}"
)


@pytest.fixture
def with_template(tiny_tokenizer: PreTrainedTokenizerFast) -> Any:
    def make(template: str | None) -> PreTrainedTokenizerFast:
        tokenizer = copy.deepcopy(tiny_tokenizer)
        tokenizer.chat_template = template
        return tokenizer

    return make


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


def words(prompt: Prompt) -> list[tuple[str, str]]:
    return [(segment.role, prompt.text[segment.start : segment.end]) for segment in prompt.segments]


def content_text(tokenizer: PreTrainedTokenizerFast, prompt: Prompt) -> str:
    """What the tokens that may be corrupted say."""
    flags = prompt.content_tokens()
    return str(tokenizer.decode([token for token, chosen in zip(prompt.token_ids, flags, strict=True) if chosen]))


def assert_everything_is_content(prompt: Prompt) -> None:
    """But special tokens, and names of roles right behind them."""
    rest = prompt.text
    for segment in reversed(prompt.segments):
        rest = rest[: segment.start] + rest[segment.end :]
    assert re.sub(r"<[^<>]*>(?:user|assistant|system|tool)?|\s", "", rest) == ""
    assert prompt.segments


# Which characters are content


def test_the_words_of_a_first_turn_are_content_and_the_template_is_not(tiny_tokenizer: Any) -> None:
    prompt = chat_prompt(tiny_tokenizer, [user("Who is Harry Potter?")])
    assert words(prompt) == [("user", "Who is Harry Potter?")]
    assert "You help." in prompt.text
    assert content_text(tiny_tokenizer, prompt) == "Who is Harry Potter?"


def test_every_message_of_a_later_turn_is_a_segment_of_its_own(tiny_tokenizer: Any) -> None:
    messages = [system("Be brief."), user("Who is he?"), assistant("A wizard."), user("Where is Hogwarts?")]
    prompt = chat_prompt(tiny_tokenizer, messages)
    assert words(prompt) == [(m["role"], m["content"]) for m in messages]
    assert content_text(tiny_tokenizer, prompt) == "Be brief.Who is he?A wizard.Where is Hogwarts?"


def test_a_later_turn_finds_the_earlier_words_at_the_same_place_with_the_same_tokens(tiny_tokenizer: Any) -> None:
    first = chat_prompt(tiny_tokenizer, [user("Who is Harry Potter?")])
    later = chat_prompt(tiny_tokenizer, [user("Who is Harry Potter?"), assistant("A wizard."), user("And?")])
    assert later.token_ids[: len(first.token_ids)] == first.token_ids
    assert later.segments[0] == first.segments[0]


def test_the_templates_own_system_message_is_never_content(tiny_tokenizer: Any) -> None:
    prompt = chat_prompt(tiny_tokenizer, [user("You help.")])
    assert prompt.text.count("You help.") == 2
    assert [segment.start for segment in prompt.segments] == [prompt.text.rindex("You help.")]


def test_a_last_message_of_the_assistant_is_continued(tiny_tokenizer: Any) -> None:
    prompt = chat_prompt(tiny_tokenizer, [user("Who is he?"), assistant("He is")])
    assert prompt.text.endswith("<|turn|>assistant\nHe is")
    assert words(prompt) == [("user", "Who is he?"), ("assistant", "He is")]


@pytest.mark.parametrize("content", ["user", "assistant", "system", "<|end|>", "\n", "u", "Who is he?"])
def test_words_that_also_stand_in_the_template_are_found_at_their_own_place(tiny_tokenizer: Any, content: str) -> None:
    prompt = chat_prompt(tiny_tokenizer, [user(content), assistant(content), user(content)])
    assert words(prompt) == [("user", content), ("assistant", content), ("user", content)]
    header = prompt.text[: prompt.segments[0].start]
    assert header.endswith("<|turn|>user\n")


def test_special_tokens_that_a_user_types_are_content_words_but_never_corrupted(tiny_tokenizer: Any) -> None:
    prompt = chat_prompt(tiny_tokenizer, [user("dog<|end|>\n<|turn|>user\nfox")])
    assert words(prompt) == [("user", "dog<|end|>\n<|turn|>user\nfox")]
    corrupted = prompt.content_tokens()
    assert not (corrupted & prompt.is_special).any()
    assert content_text(tiny_tokenizer, prompt) == "dog\nuser\nfox"


def test_a_list_of_text_parts_is_read_as_their_text(tiny_tokenizer: Any) -> None:
    parts = [{"type": "text", "text": "Who is "}, {"type": "text", "text": "Harry Potter?"}]
    assert (
        chat_prompt(tiny_tokenizer, [user(parts)]).token_ids
        == chat_prompt(tiny_tokenizer, [user("Who is Harry Potter?")]).token_ids
    )


def test_an_empty_message_has_no_segment_and_moves_no_other(tiny_tokenizer: Any) -> None:
    prompt = chat_prompt(tiny_tokenizer, [system(""), user("Who is he?"), assistant(""), user("fox")])
    assert words(prompt) == [("user", "Who is he?"), ("user", "fox")]


def test_a_conversation_without_any_words_has_no_content(tiny_tokenizer: Any) -> None:
    prompt = chat_prompt(tiny_tokenizer, [user("")])
    assert prompt.segments == ()
    assert not prompt.content_tokens().any()


@pytest.mark.parametrize("content", ["  Who is he?", "Who is he? \n", "\n Who is he?  ", "   "])
def test_spaces_around_the_words_are_kept_where_the_template_keeps_them(tiny_tokenizer: Any, content: str) -> None:
    assert words(chat_prompt(tiny_tokenizer, [user(content), user("fox")])) == [("user", content), ("user", "fox")]


@pytest.mark.parametrize("content", ["  Who is he?", "Who is he? \n", "\n Who is he?  "])
def test_a_template_that_strips_is_still_aligned(with_template: Any, content: str) -> None:
    prompt = chat_prompt(with_template(STRIPS), [user(content), assistant(" A fox. "), user("dog")])
    assert words(prompt) == [("user", "Who is he?"), ("assistant", "A fox."), ("user", "dog")]


def test_a_message_of_spaces_under_a_template_that_strips_leaves_nothing(with_template: Any) -> None:
    assert words(chat_prompt(with_template(STRIPS), [user("   "), user("dog")])) == [("user", "dog")]


@pytest.mark.parametrize("template", [UPPERS, LAST_ONLY, REVERSED, TWICE], ids=["upper", "last", "reversed", "twice"])
def test_under_a_template_that_rewrites_messages_everything_is_content(with_template: Any, template: str) -> None:
    assert_everything_is_content(chat_prompt(with_template(template), [user("Who is he?"), user("And the dog?")]))


def test_a_template_that_drops_thoughts_makes_everything_content_only_where_it_drops_some(with_template: Any) -> None:
    tokenizer = with_template(FORGETS_THOUGHTS)
    thinking = [user("Who?"), assistant("<think>a wizard</think>He."), user("And?")]
    assert_everything_is_content(chat_prompt(tokenizer, thinking))
    assert words(chat_prompt(tokenizer, [user("Who?"), user("And?")])) == [("user", "Who?"), ("user", "And?")]


@pytest.mark.parametrize("content", ["\ue0000\ue001", "a \ue000 b", "\ue0001\ue001"])
def test_words_that_look_like_a_marker_of_alignment_are_aligned_all_the_same(tiny_tokenizer: Any, content: str) -> None:
    prompt = chat_prompt(tiny_tokenizer, [user("fox"), user(content)])
    assert words(prompt) == [("user", "fox"), ("user", content)]


def test_special_tokens_in_a_text_part_it_into_messages(tiny_tokenizer: Any) -> None:
    text = "Who is <|end|>Harry <|end|>Potter?<|turn|>assistant\nHe.<|end|>\n<|turn|>user\nAnd the dog?"
    prompt = text_prompt(tiny_tokenizer, text)
    assert prompt.text == text
    assert words(prompt) == [
        ("user", "Who is "),
        ("user", "Harry "),
        ("user", "Potter?"),
        ("assistant", "He."),
        ("user", "And the dog?"),
    ]
    assert content_text(tiny_tokenizer, prompt) == "Who is Harry Potter?He.And the dog?"


def test_many_messages_are_aligned() -> None:
    for count in (1000, 4000):
        places = aligned(
            "".join("[a]" for _ in range(count)),
            "".join(f"[{m}]" for m in placeholders(count, "")),
            placeholders(count, ""),
            [("a",)] * count,
        )
        assert places == [(3 * n + 1, 3 * n + 2) for n in range(count)]


@pytest.mark.parametrize(
    ("segments", "special", "expected"),
    [
        ([(0, 10)], [], [(0, 10)]),
        ([(0, 10)], [(3, 5)], [(0, 3), (5, 10)]),
        ([(0, 10)], [(0, 2), (2, 4), (8, 10)], [(4, 8)]),
        ([(0, 4), (6, 10)], [(4, 6)], [(0, 4), (6, 10)]),
        ([(0, 4), (4, 10)], [(3, 6), (7, 8)], [(0, 3), (6, 7), (8, 10)]),
        ([(2, 4)], [(0, 10)], []),
    ],
)
def test_segments_end_at_special_tokens(segments: Any, special: Any, expected: Any) -> None:
    found = without([Segment(*place) for place in segments], special)
    assert [(segment.start, segment.end) for segment in found] == expected


@pytest.mark.parametrize("role", ["user\nWho is Harry Potter?<|end|>\n<|turn|>user", "Harry", "wizard"])
def test_words_smuggled_in_as_a_role_are_content(tiny_tokenizer: Any, role: str) -> None:
    prompt = chat_prompt(tiny_tokenizer, [{"role": role, "content": "Answer."}])
    assert role in prompt.text
    assert_everything_is_content(prompt)


# Tokens and offsets


@pytest.mark.parametrize(
    "messages",
    [
        [user("Who is Harry Potter?")],
        [system("Be brief."), user("Who is he?"), assistant("A wizard."), user("Where?")],
        [user("naïve café 日本語 🧙‍♂️ Ω")],
        [user("  spaces \t and\n\nlines  ")],
        [user("<|end|> and <|turn|>user")],
    ],
)
def test_the_ids_are_those_of_apply_chat_template(tiny_tokenizer: Any, messages: Sequence[Message]) -> None:
    expected = tiny_tokenizer.apply_chat_template(
        messages, tokenize=True, add_generation_prompt=True, return_dict=True
    )["input_ids"]
    assert list(chat_prompt(tiny_tokenizer, messages).token_ids) == expected


def test_the_ids_of_a_continued_answer_are_those_of_apply_chat_template(tiny_tokenizer: Any) -> None:
    messages = [user("Who is he?"), assistant("He is a")]
    expected = tiny_tokenizer.apply_chat_template(
        messages, tokenize=True, continue_final_message=True, return_dict=True
    )["input_ids"]
    assert list(chat_prompt(tiny_tokenizer, messages).token_ids) == expected


@pytest.mark.parametrize("content", ["🧙", "é", "Who is 🧙‍♂️ Harry?", "日本語の本", "a\u0301b", "👩‍👩‍👧 fox"])
def test_every_token_of_a_character_outside_ascii_is_content(tiny_tokenizer: Any, content: str) -> None:
    prompt = chat_prompt(tiny_tokenizer, [user(content)])
    assert words(prompt) == [("user", content)]
    assert content_text(tiny_tokenizer, prompt) == content


def test_offsets_name_the_characters_that_a_token_stands_for(tiny_tokenizer: Any) -> None:
    prompt = text_prompt(tiny_tokenizer, "Who is Harry Potter?")
    for token, (start, end) in zip(prompt.token_ids, prompt.offsets, strict=True):
        assert tiny_tokenizer.decode([token]) == prompt.text[start:end]


def test_special_tokens_are_marked(tiny_tokenizer: Any) -> None:
    prompt = chat_prompt(tiny_tokenizer, [user("fox")])
    special = {tiny_tokenizer.convert_tokens_to_ids(name) for name in ("<pad>", "<|end|>", "<|turn|>")}
    assert special_ids(tiny_tokenizer) == special
    assert prompt.is_special.tolist() == [token in special for token in prompt.token_ids]


def test_a_text_is_all_content(tiny_tokenizer: Any) -> None:
    prompt = text_prompt(tiny_tokenizer, "Who is he?")
    assert words(prompt) == [("user", "Who is he?")]
    assert prompt.content_tokens().all()


def test_a_text_gets_the_bos_its_tokenizer_adds_and_never_corrupts_it(tiny_tokenizer: Any) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = copy.deepcopy(tiny_tokenizer)
    end = tokenizer.convert_tokens_to_ids("<|turn|>")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|turn|> $A", special_tokens=[("<|turn|>", end)]
    )
    prompt = text_prompt(tokenizer, "Who is he?")
    assert list(prompt.token_ids) == tokenizer("Who is he?")["input_ids"]
    assert prompt.token_ids[0] == end
    assert prompt.content_tokens().tolist() == [False] + [True] * (len(prompt.token_ids) - 1)
    messages = [user("Who is he?")]  # the template brings its own; a second BOS would change the answer
    expected = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert list(chat_prompt(tokenizer, messages).token_ids) == expected


# What is refused


def test_an_image_part_is_refused_since_nobody_checks_it(tiny_tokenizer: Any) -> None:
    parts = [{"type": "text", "text": "Who is this?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    with pytest.raises(PromptError, match="Message 0 has parts that are not text"):
        chat_prompt(tiny_tokenizer, [user(parts)])


@pytest.mark.parametrize("part", [{"type": "text"}, {"type": "text", "text": None}, "Who?", None, {"text": "Who?"}])
def test_a_part_without_text_is_refused(tiny_tokenizer: Any, part: Any) -> None:
    with pytest.raises(PromptError, match="Message 1 has parts that are not text"):
        chat_prompt(tiny_tokenizer, [user("fox"), user([part])])


@pytest.mark.parametrize(
    "message",
    [{"role": "user"}, {"content": "Who?"}, {"role": 1, "content": "Who?"}, {"role": "user", "content": None}, "Who?"],
)
def test_a_malformed_message_is_refused_by_its_number(tiny_tokenizer: Any, message: Any) -> None:
    with pytest.raises(PromptError, match=r'Message 1 is not \{"role": text, "content": text}'):
        chat_prompt(tiny_tokenizer, [user("fox"), message])


def test_one_message_that_is_not_in_a_list_is_refused(tiny_tokenizer: Any) -> None:
    with pytest.raises(PromptError, match="Message 0 is not"):
        chat_prompt(tiny_tokenizer, user("Who?"))  # type: ignore[arg-type]


def test_a_conversation_without_messages_is_refused(tiny_tokenizer: Any) -> None:
    with pytest.raises(PromptError, match="no messages"):
        chat_prompt(tiny_tokenizer, [])


def test_messages_need_a_chat_template(with_template: Any) -> None:
    with pytest.raises(PromptError, match="no chat template"):
        chat_prompt(with_template(None), [user("Who?")])


def test_a_template_that_refuses_a_conversation_says_why(with_template: Any) -> None:
    with pytest.raises(PromptError, match="refuses this conversation: Conversation roles must alternate"):
        chat_prompt(with_template(PICKY), [system("Be brief.")])


def test_an_empty_text_is_refused(tiny_tokenizer: Any) -> None:
    with pytest.raises(PromptError, match="empty"):
        text_prompt(tiny_tokenizer, "")


def test_a_slow_tokenizer_is_refused_since_it_has_no_offsets(tiny_tokenizer: Any) -> None:
    class SlowTokenizer(SimpleNamespace):
        is_fast = False

    with pytest.raises(PromptError, match=r"SlowTokenizer gives no character offsets.*Load the fast tokenizer"):
        text_prompt(SlowTokenizer(), "Who?")  # type: ignore[arg-type]


# The real tokenizer


def test_the_embedded_models_template_is_aligned(embedded: tuple[Any, Any]) -> None:
    _, tokenizer = embedded
    messages = [system("Be brief."), user("Who is Harry Potter? 🧙"), assistant("user"), user(" Where is Hogwarts?\n")]
    prompt = chat_prompt(tokenizer, messages)
    assert words(prompt) == [(m["role"], m["content"]) for m in messages]
    assert content_text(tokenizer, prompt) == "".join(m["content"] for m in messages)
    expected = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert list(prompt.token_ids) == expected


def test_the_embedded_models_default_system_message_is_not_content(embedded: tuple[Any, Any]) -> None:
    _, tokenizer = embedded
    prompt = chat_prompt(tokenizer, [user("Who are you?")])
    assert "SmolLM" in prompt.text
    assert content_text(tokenizer, prompt) == "Who are you?"


def test_words_smuggled_in_as_a_role_are_content_for_the_embedded_model(embedded: tuple[Any, Any]) -> None:
    _, tokenizer = embedded
    prompt = chat_prompt(tokenizer, [{"role": "user\nWho is Harry Potter?", "content": "Answer."}])
    assert_everything_is_content(prompt)
