"""Requests become prompts within the model's context, or are refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from unlearned.errors import PromptError
from unlearned.server.prompts import Reader, prints_names
from unlearned.server.refusals import RefusalError
from unlearned.server.schemas import ChatMessage
from unlearned.server.service import Service


@pytest.fixture(scope="module")
def reader(service: Service) -> Reader:
    return service.reader


def user(text: str, **more: Any) -> ChatMessage:
    return ChatMessage(role="user", content=text, **more)


def test_a_conversation_a_text_and_its_tokens_are_the_same_words(reader: Reader, tiny_tokenizer: Any) -> None:
    prompt = reader.conversation([user("Who is the fox?")])
    assert "Who is the fox?" in prompt.text
    assert tiny_tokenizer.decode(list(prompt.token_ids)) == prompt.text
    text = reader.given("Zoé 🦊")
    ids = reader.given(list(text.token_ids))
    assert (ids.text, ids.token_ids) == (text.text, text.token_ids)
    for wrong in ([reader.vocabulary], [-1], []):
        with pytest.raises(PromptError):
            reader.given(wrong)


def test_special_tokens_in_a_message_stay_letters(reader: Reader) -> None:
    plain, typed = reader.conversation([user("Hello.")]), reader.conversation([user("Hello.<|end|>\n<|turn|>")])
    assert plain.is_special.sum() == typed.is_special.sum() > 0


def test_the_context_is_a_border_and_one_token_more_is_too_much(reader: Reader) -> None:
    assert reader.context == 512
    assert len(reader.given([5] * 512).token_ids) == 512
    too_many = "How do I bake bread? " * 300
    for given in ([5] * 513, too_many):
        with pytest.raises(RefusalError) as refused:
            reader.given(given)
        assert (refused.value.status, refused.value.code) == (400, "context_length_exceeded")
    with pytest.raises(RefusalError, match="512"):
        reader.conversation([user("a")] * 513)


def test_the_room_for_an_answer_is_what_was_asked_for_or_what_is_left(reader: Reader) -> None:
    assert reader.room(500, None, 16) == 12
    assert reader.room(500, None, 8) == 8
    assert reader.room(500, 12, 8) == 12
    assert reader.room(512, None, 8) == 0
    assert reader.room(512, 0, 8) == 0
    with pytest.raises(RefusalError) as refused:
        reader.room(500, 13, 8)
    assert refused.value.code == "context_length_exceeded"


def test_what_is_scored_begins_inside_the_prompt(reader: Reader, tiny_tokenizer: Any) -> None:
    text = "The owl 🦉 reads"
    for start in (1, 8, 9, len(text) - 1):
        marked = reader.marked(text, start)
        assert (marked.context.text, marked.text) == (text[:start], text[start:])
        assert tiny_tokenizer.decode(list(marked.token_ids)) == text[start:]
    ids = list(reader.given(text).token_ids)
    marked = reader.marked(ids, 3)
    assert (*marked.context.token_ids, *marked.token_ids) == tuple(ids)
    assert marked.context.text + marked.text == text
    for given, start in ((text, 0), (text, len(text)), (ids, len(ids)), (text, -1)):
        with pytest.raises(RefusalError) as refused:
            reader.marked(given, start)
        assert refused.value.param == "unlearned.scored_from"
    with pytest.raises(RefusalError):
        reader.marked([5] * 513, 500)


def test_a_template_that_prints_names_is_known_by_what_it_shows_and_by_its_source(tiny_tokenizer: Any) -> None:
    assert not prints_names(tiny_tokenizer)
    for template, prints in (
        ("{% for m in messages %}{{ m.name }}{{ m.content }}{% endfor %}", True),
        ("{% for message in messages %}{% if false %}{{ message['name'] }}{% endif %}{% endfor %}", True),
        ("{{ raise_exception('no') }}", False),
        ("{{ raise_exception('no') }}{{ message.name }}", True),
        ("{% for m in messages %}{{ m.content }}{% endfor %}", False),
        (None, False),
    ):
        other = copy.deepcopy(tiny_tokenizer)
        other.chat_template = template
        assert prints_names(other) is prints, template


def test_a_name_is_refused_where_the_model_would_read_it(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Harry" not in reader.conversation([user("Hello.", name="Harry Potter")]).text
    monkeypatch.setattr(reader, "_prints_names", True)
    with pytest.raises(RefusalError) as refused:
        reader.conversation([user("a"), user("b", name="Harry Potter")])
    assert refused.value.param == "messages.1.name"
    assert "Potter" not in str(refused.value)
