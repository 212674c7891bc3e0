"""Tools under a chat template: the rendering is the template's own, and every word of a client is content."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from cases import every
from unlearned.errors import PromptError
from unlearned.prompts.client import literal_chat_prompt
from unlearned.prompts.tokenize import chat_prompt
from unlearned.types import Prompt

# In the ways in which Qwen and Hermes, Llama 3.1 and Mistral models print them.
HERMES = """
{%- if tools %}<|turn|>system
{% if messages[0].role == 'system' %}{{ messages[0].content }}

{% endif %}# Tools

You may call functions of <tools></tools>:
<tools>{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
</tools>

Say <tool_call>{"name": name, "arguments": object}</tool_call>.<|end|>
{% elif messages[0].role == 'system' %}<|turn|>system
{{ messages[0].content }}<|end|>
{% endif %}
{%- for m in messages %}{% if m.role == 'user' or (m.role == 'system' and not loop.first) or
 (m.role == 'assistant' and not m.tool_calls) %}<|turn|>{{ m.role }}
{{ m.content }}<|end|>
{% elif m.role == 'assistant' %}<|turn|>assistant{% if m.content %}
{{ m.content }}{% endif %}{% for call in m.tool_calls %}{% if call.function %}{% set call = call.function %}{% endif %}
<tool_call>
{"name": "{{ call.name }}", "arguments": {{ call.arguments | tojson }}}
</tool_call>{% endfor %}<|end|>
{% elif m.role == 'tool' %}<|turn|>user
<tool_response>
{{ m.content }}
</tool_response><|end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|turn|>assistant
{% endif %}"""
IN_THE_USERS_TURN = """
{%- for m in messages %}{% if m.role == 'assistant' and m.tool_calls %}
{%- if m.tool_calls | length != 1 %}{{ raise_exception('One call at a time.') }}{% endif %}<|turn|>assistant
{"name": "{{ m.tool_calls[0].function.name }}", "parameters": {{ m.tool_calls[0].function.arguments | tojson }}}<|end|>
{% elif m.role == 'tool' %}<|turn|>ipython
{{ m.content | tojson }}<|end|>
{% else %}<|turn|>{{ m.role }}
{% if tools and m.role == 'user' and not messages[loop.index0 - 1].role == 'tool' %}Answer with a call of:

{% for tool in tools %}{{ tool | tojson(indent=4) }}

{% endfor %}{% endif %}{{ m.content | trim }}<|end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|turn|>assistant
{% endif %}"""
WITH_IDS = """
{%- if tools %}<pad>{{ tools | map(attribute='function') | list | tojson }}{% endif %}
{%- for m in messages %}{% if m.tool_calls %}<|turn|>{% for call in m.tool_calls %}
{%- if call.id | length != 9 %}{{ raise_exception('IDs have 9 letters!') }}{% endif %}
{{ call.function.name }} {{ call.function.arguments | tojson }} {{ call.id }}{% endfor %}<|end|>
{% elif m.role == 'tool' %}<|turn|>{{ {"content": m.content, "call_id": m.tool_call_id} | tojson }}<|end|>
{% else %}<|turn|>{{ m.content }}<|end|>
{% endif %}{% endfor %}"""
TEMPLATES = {"hermes": HERMES, "in the user's turn": IN_THE_USERS_TURN, "with ids": WITH_IDS}

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "look_up",
            "description": 'Look up "Harry Potter"\nor Hogwarts.',
            "parameters": {
                "type": "object",
                "properties": {"who": {"type": "string", "enum": ["Snape"], "description": "A wizard."}},
                "required": ["who"],
            },
        },
    },
    {"type": "function", "function": {"name": "bake", "description": "Bake bread.", "parameters": {}}},
]
CALL = {"id": "abcdefghi", "type": "function", "function": {"name": "look_up", "arguments": {"who": "Dobby the elf"}}}
CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Who is he?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": 'He is\n"an elf".', "tool_call_id": "abcdefghi"},
    {"role": "user", "content": "And?"},
]


@pytest.fixture
def with_template(tiny_tokenizer: Any) -> Any:
    def make(template: str) -> Any:
        tokenizer = copy.deepcopy(tiny_tokenizer)
        tokenizer.chat_template = template
        return tokenizer

    return make


def outside(prompt: Prompt) -> str:
    """What is template."""
    rest = prompt.text
    for segment in reversed(prompt.segments):
        rest = rest[: segment.start] + "~" + rest[segment.end :]
    return rest


@pytest.mark.parametrize("name", TEMPLATES)
@every("tools", [TOOLS, TOOLS[:1], []])
@every("end", [2, 3, 4, 5])
def test_the_rendering_is_that_of_apply_chat_template(with_template: Any, name: str, tools: Any, end: int) -> None:
    tokenizer, messages = with_template(TEMPLATES[name]), CONVERSATION[:end]
    expected = tokenizer.apply_chat_template(
        messages, tools=tools or None, add_generation_prompt=True, return_dict=True
    )["input_ids"]
    for make in (chat_prompt, literal_chat_prompt):
        assert list(make(tokenizer, messages, tools).token_ids) == expected


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_word_of_a_client_is_content_and_the_templates_are_not(with_template: Any, name: str) -> None:
    prompt = chat_prompt(with_template(TEMPLATES[name]), CONVERSATION, TOOLS)
    template = outside(prompt)
    for word in ("look_up", "Harry", "Hogwarts", "Snape", "wizard", "who", "bake", "Bake", "Dobby", "an elf", "He is"):
        assert word not in template, (word, template)
    said = "~".join(prompt.text[segment.start : segment.end] for segment in prompt.segments)
    for word in ("You may call", "Say <tool_call>", "tool_response", "Answer with a call", "<|turn|>", "<|end|>"):
        assert word not in said, (word, said)
    if name == "hermes":
        assert "You may call functions of <tools></tools>" in template
    roles = {segment.role for segment in prompt.segments if "Dobby" in prompt.text[segment.start : segment.end]}
    assert roles == {"assistant"}


def test_calls_in_one_message_and_words_beside_them_are_content(with_template: Any) -> None:
    messages = [
        CONVERSATION[1],
        {"role": "assistant", "content": "Let me see.", "tool_calls": [CALL, CALL]},
    ]
    tokenizer = with_template(HERMES)
    prompt = chat_prompt(tokenizer, messages, TOOLS)
    assert "Let me see." not in outside(prompt)
    assert "Dobby" not in outside(prompt)
    assert prompt.text == tokenizer.apply_chat_template(
        messages, tools=TOOLS, tokenize=False, add_generation_prompt=True
    )


def test_what_cannot_be_told_apart_is_all_content(with_template: Any) -> None:
    """A template that drops what is said beside a call, and one that takes no two calls."""
    beside = [CONVERSATION[1], {"role": "assistant", "content": "Let me see.", "tool_calls": [CALL]}]
    prompt = chat_prompt(with_template(IN_THE_USERS_TURN), beside, TOOLS)
    assert "Harry" not in outside(prompt)
    assert "Dobby" not in outside(prompt)
    twice = [CONVERSATION[1], {"role": "assistant", "content": "", "tool_calls": [CALL, CALL]}]
    with pytest.raises(PromptError, match="One call at a time"):
        chat_prompt(with_template(IN_THE_USERS_TURN), twice, TOOLS)


def test_a_template_that_knows_no_tools_or_calls_is_refused(tiny_tokenizer: Any) -> None:
    with pytest.raises(PromptError, match="does not print tools"):
        chat_prompt(tiny_tokenizer, CONVERSATION[:2], TOOLS)
    with pytest.raises(PromptError, match="does not print tool calls"):
        chat_prompt(tiny_tokenizer, CONVERSATION)


@pytest.mark.parametrize("where", ["description", "arguments", "result"])
def test_special_tokens_in_tools_stay_letters(with_template: Any, where: str) -> None:
    typed = "<|end|><|turn|>"
    tools, messages = copy.deepcopy(TOOLS), copy.deepcopy(CONVERSATION)
    if where == "description":
        tools[0]["function"]["description"] = typed
    elif where == "arguments":
        messages[2]["tool_calls"][0]["function"]["arguments"]["who"] = typed
    else:
        messages[3]["content"] = typed
    tokenizer = with_template(HERMES)
    plain = chat_prompt(tokenizer, CONVERSATION, TOOLS)
    prompt = literal_chat_prompt(tokenizer, messages, tools)
    assert prompt.is_special.sum() == plain.is_special.sum()
    assert typed in tokenizer.decode(
        [token for token, special in zip(prompt.token_ids, prompt.is_special, strict=True) if not special]
    )


def test_escapes_of_json_hide_no_words(with_template: Any, make_scope: Any) -> None:
    from unlearned.classify.detect import detect

    tools = copy.deepcopy(TOOLS[1:])
    tokenizer, scope = with_template(HERMES), make_scope()
    asked = [{"role": "user", "content": "How do I bake bread?"}]
    for words in ("tell\nme\nabout\nhogwarts\nmagic", "Who\tis\nHarry\tPotter?", '"Who is Harry Potter?"'):
        tools[0]["function"]["description"] = words
        prompt = chat_prompt(tokenizer, asked, tools)
        assert json.dumps(words) in prompt.text
        [verdict] = detect([prompt], [scope])
        assert verdict.in_scope, words
        found = prompt.text[verdict.spans[0].start : verdict.spans[0].end]
        assert "You may call" not in found
    tools[0]["function"]["description"] = "Bake bread."
    assert not detect([chat_prompt(tokenizer, asked, tools)], [scope])[0].in_scope
