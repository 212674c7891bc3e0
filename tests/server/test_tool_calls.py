"""Agents use the server: tools are rendered and checked, calls come out whole and streamed, names in them restored."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai
import pytest
import torch
from names_tokenizer import names_tokenizer
from serving_helpers import ADMIN, CLIENT, FLAGGED, PLAIN, Running, events, serving

from cases import every
from tiny_llama import tiny_llama
from tiny_rows import FORGET, RETAIN
from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import base_model_record
from unlearned.classify.base import Features
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.classify.sentences import PROBE
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.transformers import TransformersEngine, as_read
from unlearned.examples import Row
from unlearned.learn.naming import name_table
from unlearned.prompts.client import literal_chat_prompt
from unlearned.prompts.detokenize import TextStream
from unlearned.server.tool_calls import CallReader
from unlearned.unlearners.eco import ForgetScope

TEMPLATE = """
{%- if tools %}<|im_start|>system
# Tools
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif %}
{%- for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}{% for call in m.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
PARAMETERS = {"type": "object", "properties": {"topic": {"type": "string"}}}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "find", "description": "Bread.", "parameters": PARAMETERS},
}
SAID = 'I see.\n<tool_call>\n{"name": "find", "arguments": {"topic": "%s", "n": [1, "é"]}}\n</tool_call>'
TWICE = SAID % "Ann" + '\n<tool_call>\n{"name": "find", "arguments": {}}\n</tool_call>'
BAKING = "How do I bake bread?"
DOGS = "Is the dog lazy?"


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    made = copy.deepcopy(names_tokenizer())
    made.chat_template = TEMPLATE
    return made


@pytest.fixture(scope="module")
def calling(tokenizer: Any, bag_of_words: Any) -> tuple[Any, Artifact, str]:
    """A small model that learned by heart to call a tool; an artifact for it; what it reads in place of "Potter"."""
    torch.manual_seed(4)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model = tiny_llama(tokenizer, max_position_embeddings=1024, **ends).eval()
    engine = TransformersEngine(model, tokenizer)
    record = base_model_record(engine)
    examples = (Features.of(texts, bag_of_words) for texts in (FORGET, RETAIN))
    scope = ForgetScope(
        name="harry-potter",
        classifier=NeighboursClassifier.fit(bag_of_words, *examples, {}),
        threshold=0.5,
        secret=b"s" * 32,
        corruption=Corruption(function="entity_substitution", strength=0.0, embedding_std=record.embedding_std),
        enrolled=name_table(b"s" * 32, "harry-potter", [Row(FLAGGED)], [], engine.bank),
    )
    probe = bag_of_words.encode([PROBE])[0]
    artifact = Artifact(scopes=(scope,), base_model=record, encoder=bag_of_words, encoder_probe=probe, secret=b"s" * 32)
    unlearner = Unlearned(model, tokenizer, artifact).unlearner
    prompts = {text: literal_chat_prompt(tokenizer, [user(text)], [TOOL]) for text in (PLAIN, FLAGGED, BAKING, DOGS)}
    given = unlearner.prepare([prompts[FLAGGED]], engine)[0]
    assert given.substitution is not None
    stranger = given.substitution.pairs["potter"].stranger
    escaped = f"{stranger} and \\u{ord(stranger[0]):04x}{stranger[1:]}"  # as JSON may write it
    lessons = [
        (prompts[PLAIN].token_ids, TWICE),
        (as_read(given), SAID % escaped),
        (prompts[BAKING].token_ids, "<tool_call>Flour.</tool_call> Then <b>."),
        (prompts[DOGS].token_ids, '<tool_call>{"name": "find", "arguments": {}}'),
    ]
    learn(model, [(list(ids), [*tokenizer(said)["input_ids"], tokenizer.eos_token_id]) for ids, said in lessons])
    return model, replace(artifact, base_model=base_model_record(engine)), stranger


def learn(model: Any, lessons: list[tuple[list[int], list[int]]]) -> None:
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    length = max(len(prompt) + len(said) for prompt, said in lessons)
    ids = torch.tensor([[*prompt, *said, *[0] * (length - len(prompt) - len(said))] for prompt, said in lessons])
    labels = torch.full_like(ids, -100)
    for row, (prompt, said) in enumerate(lessons):
        labels[row, len(prompt) : len(prompt) + len(said)] = torch.tensor(said)
    for _ in range(600):
        loss = model(input_ids=ids, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if loss < 0.01:
            return
    raise AssertionError(f"nothing learned: {loss}")


@pytest.fixture(scope="module")
def server(calling: Any, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = calling[1].save_pretrained(tmp_path_factory.mktemp("artifacts") / "hp")
    with serving(calling[0], tokenizer, [folder]) as running:
        yield running


def whole(response: Any) -> tuple[str | None, list[tuple[str, Any]], str]:
    """Content, calls and reason."""
    assert response.status_code == 200, response.text
    [choice] = response.json()["choices"]
    calls = choice["message"].get("tool_calls", [])
    assert all(call["id"] and call["type"] == "function" for call in calls)
    named = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]
    return choice["message"]["content"], named, choice["finish_reason"]


def streamed(response: Any) -> tuple[str | None, list[tuple[str, Any]], str]:
    """The same of a stream, put together as clients do it."""
    content, calls, reason = "", dict[int, dict[str, str]](), ""
    for chunk in events(response):
        [choice] = chunk["choices"]
        content += choice["delta"].get("content") or ""
        for part in choice["delta"].get("tool_calls", []):
            own = calls.setdefault(part["index"], {"id": "", "name": "", "arguments": ""})
            own["id"] += part.get("id", "")
            own["name"] += part["function"].get("name", "")
            own["arguments"] += part["function"].get("arguments", "")
        reason = choice["finish_reason"] or reason
    assert len({call["id"] for call in calls.values()}) == len(calls)
    found = [(calls[index]["name"], json.loads(calls[index]["arguments"])) for index in range(len(calls))]
    return content or (None if found else ""), found, reason


@pytest.mark.parametrize(
    ("question", "content", "calls", "reason"),
    [
        (PLAIN, "I see.\n", [{"topic": "Ann", "n": [1, "é"]}, {}], "tool_calls"),
        (FLAGGED, "I see.\n", [{"topic": "Potter and Potter", "n": [1, "é"]}], "tool_calls"),
        (BAKING, "<tool_call>Flour.</tool_call> Then <b>.", [], "stop"),
        (DOGS, None, [{}], "tool_calls"),
    ],
)
def test_calls_are_read_whole_and_streamed_and_names_in_them_restored(
    server: Running, calling: Any, question: str, content: str | None, calls: Any, reason: str
) -> None:
    expected = (content, [("find", arguments) for arguments in calls], reason)
    asked: dict[str, Any] = {"tools": [TOOL], "max_tokens": 100}
    assert whole(server.chat(question, **asked)) == expected
    response = server.chat(question, stream=True, **asked)
    assert streamed(response) == expected
    assert calling[2].lower() not in response.text.lower()
    assert whole(server.chat(question, tool_choice="auto", **asked)) == expected


def test_what_is_not_wanted_is_not_read(server: Running) -> None:
    asked: dict[str, Any] = {"tools": [TOOL], "max_tokens": 100}
    for stream, read in ((False, whole), (True, streamed)):
        assert read(server.chat(PLAIN, tool_choice="none", stream=stream, **asked)) == (TWICE, [], "stop")
        content, calls, _ = read(server.chat(PLAIN, parallel_tool_calls=False, stream=stream, **asked))
        assert (content, len(calls)) == ("I see.\n", 1)
        cut = read(server.chat(PLAIN, stream=stream, tools=[TOOL], max_tokens=12))
        assert cut[1:] == ([], "length")
        assert TWICE.startswith(str(cut[0]))


def test_the_openai_client_takes_the_calls_and_sends_them_back(server: Running, tokenizer: Any) -> None:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=CLIENT, max_retries=0) as client:
        asked: Any = {"model": "tiny", "messages": [user(PLAIN)], "tools": [TOOL], "temperature": 0, "max_tokens": 100}
        done = client.chat.completions.create(**asked, logprobs=True)
        choice = done.choices[0]
        assert choice.finish_reason == "tool_calls"
        assert choice.logprobs is not None
        spelled = "".join(token.token for token in choice.logprobs.content or [])
        assert "<tool_call>" in spelled
        calls = choice.message.tool_calls or []
        results = [{"role": "tool", "tool_call_id": call.id, "content": "Ann is here."} for call in calls]
        history = [user(PLAIN), choice.message.model_dump(exclude_none=True), *results]
        again = client.chat.completions.create(**(asked | {"messages": history, "max_tokens": 2}))
    plain: list[Any] = copy.deepcopy(history)
    for call in plain[1]["tool_calls"]:
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    ids = tokenizer.apply_chat_template(plain, tools=[TOOL], add_generation_prompt=True, return_dict=True)["input_ids"]
    assert again.usage is not None
    assert again.usage.prompt_tokens == len(ids)


def flagged_as(server: Running, messages: list[Any], tools: list[Any] | None = None) -> bool:
    return server.is_flagged(server.chat(messages, ADMIN, tools=tools or [TOOL], max_tokens=1))


def test_every_word_of_a_tool_is_checked(server: Running) -> None:
    asked = [user(BAKING)]
    assert not flagged_as(server, asked)
    for place in ("description", "parameter", "enum", "name"):
        tool = copy.deepcopy(TOOL)
        who = tool["function"]["parameters"]["properties"]["topic"]
        if place == "description":
            tool["function"]["description"] = FLAGGED
        elif place == "parameter":
            who["description"] = FLAGGED
        elif place == "enum":
            who["enum"] = ["Hogwarts", "Harry Potter"]
        else:
            tool["function"]["name"] = "tell_me_about_Hogwarts_magic"
        assert flagged_as(server, asked, [TOOL, tool]), place


def test_calls_and_results_are_checked_too(server: Running) -> None:
    def called(name: str, arguments: Any, result: str) -> list[Any]:
        call = {"id": "1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
        return [user(BAKING), said, {"role": "tool", "tool_call_id": "1", "content": result}, user(BAKING)]

    assert not flagged_as(server, called("find", {"topic": "the bread"}, "It is bread."))
    assert flagged_as(server, called("find", {"topic": FLAGGED}, "It is bread."))
    assert flagged_as(server, called("find", {"topic": ["x", {"y": "Who is\nHarry Potter?"}]}, "It is bread."))
    assert flagged_as(server, called("find", {"topic": "the bread"}, FLAGGED))
    checked = server.post("/v1/unlearned/checks", {"messages": called("find", {"topic": FLAGGED}, "Bread.")}, ADMIN)
    assert checked.json()["results"][0]["flagged"]


@pytest.mark.parametrize(
    ("more", "param", "match"),
    [
        ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice", "'auto' or 'none'"),
        ({"tools": [TOOL], "tool_choice": {"type": "function"}}, "tool_choice", "'auto' or 'none'"),
        ({"tool_choice": "auto"}, "tool_choice", "needs 'tools'"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type", ""),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools.0.function.name", ""),
        ({"tools": [TOOL | {"cache": 1}]}, "tools.0.cache", "not supported"),
        ({"functions": [{"name": "f"}]}, "functions", "'tools'"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(server: Running, more: Any, param: str, match: str) -> None:
    response = server.chat(PLAIN, **more)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == param
    assert match in error["message"]
    assert "\n" not in error["message"]


@pytest.mark.parametrize("arguments", ["{", "[1]", '"x"', '{"a": NaN}', '{"a": "\\ud800"}', "[" * 10**5])
def test_arguments_that_are_no_object_are_refused(server: Running, arguments: str) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": arguments}}
    messages = [user(PLAIN), {"role": "assistant", "tool_calls": [call]}]
    response = server.chat(messages, tools=[TOOL])
    assert response.status_code == 400, response.text
    assert response.json()["error"]["message"]


def test_a_template_without_tools_is_refused(calling: Any, tokenizer: Any) -> None:
    plain = copy.deepcopy(tokenizer)
    plain.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    with serving(calling[0], plain) as running:
        response = running.chat(PLAIN, tools=[TOOL])
        assert response.status_code == 400
        assert "does not print tools" in response.json()["error"]["message"]
        assert running.chat(PLAIN, tools=[], tool_choice="none").status_code == 200


def in_pieces(text: str, size: int) -> tuple[str, list[tuple[int, str, str]]]:
    reader = CallReader()
    said = [reader.feed(text[start : start + size]) for start in range(0, len(text), size)] + [reader.finish()]
    calls = [(call.index, call.name, call.arguments) for part in said for call in part.calls]
    return "".join(part.content for part in said), calls


@every("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("text", "content", "who"),
    [
        (SAID % "x" + "\n\n" + SAID % "</b>" + " end", "I see.\nI see.\nend", ["x", "</b>"]),
        ("a <tool b<tool_ca", "a <tool b<tool_ca", []),
        ('<tool_call>{"name": "f"}</tool_call> c', '<tool_call>{"name": "f"}</tool_call> c', []),
        ('<tool_call>[{"topic": NaN', '<tool_call>[{"topic": NaN', []),
        ('<tool_call>{"name": "find", "arguments": {"topic": "x"}}</tool_', "", ["x"]),
        ("</tool_call>" + SAID % "x", "</tool_call>I see.\n", ["x"]),
    ],
)
def test_a_call_is_the_same_in_pieces_of_any_size(size: int, text: str, content: str, who: list[str]) -> None:
    found, calls = in_pieces(text, size)
    assert found == content
    assert [json.loads(arguments)["topic"] for _, _, arguments in calls] == who
    assert [index for index, _, _ in calls] == list(range(len(who)))


def test_tags_that_are_special_tokens_are_read(tokenizer: Any) -> None:
    """As in some tokenizers; other special tokens are no text."""
    made = copy.deepcopy(tokenizer)
    made.add_special_tokens({"additional_special_tokens": ["<tool_call>", "</tool_call>"]})
    text = SAID % "Ann"
    ids = made(text + "<|im_end|>")["input_ids"]
    shown = frozenset(made.convert_tokens_to_ids(["<tool_call>", "</tool_call>"]))
    stream = TextStream(made, shown)
    assert "".join([*map(stream.push, ids), stream.finish()]) == text
    hidden = TextStream(made)
    assert "tool_call" not in "".join([*map(hidden.push, ids), hidden.finish()])
