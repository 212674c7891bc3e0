"""Truncation is a choice: words go, the template stays, and nothing passes by being cut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
import torch

from tiny_llama import tiny_llama
from unlearned.api import Unlearned
from unlearned.artifact.fingerprint import base_model_record
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, ContextError
from unlearned.prompts.tokenize import chat_prompt, text_prompt
from unlearned.prompts.truncation import Side, truncated
from unlearned.types import Prompt

SIDES = get_args(Side)
BREAD = "How do I bake bread? "


@pytest.fixture(scope="module")
def model(tiny_tokenizer: Any) -> Any:
    torch.manual_seed(0)
    return tiny_llama(tiny_tokenizer, initializer_range=0.3, max_position_embeddings=96).eval()


@pytest.fixture
def llm(model: Any, tiny_tokenizer: Any, make_artifact: Any) -> Unlearned:
    record = base_model_record(TransformersEngine(model, tiny_tokenizer))
    return Unlearned(model, tiny_tokenizer, replace(make_artifact(), base_model=record))


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def cut(prompt: Prompt, room: int, side: Side) -> Prompt:
    return truncated(prompt, room, side, answer=1, context=room + 1).prompt


def content(prompt: Prompt) -> str:
    return "".join(prompt.text[segment.start : segment.end] for segment in prompt.segments)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("room", [40, 60, 61])
def test_words_go_and_the_template_stays(tiny_tokenizer: Any, side: Side, room: int) -> None:
    words = "0123456789 The quick brown fox jumps. äöü 😀 " * 3
    prompt = chat_prompt(tiny_tokenizer, [*user("Be brief."), {"role": "assistant", "content": "Yes."}, *user(words)])
    left = cut(prompt, room, side)
    assert len(left.token_ids) <= room
    assert len(left.token_ids) >= room - 4  # a character of several tokens goes as a whole
    template = ~prompt.content_tokens()
    assert [t for t, own in zip(left.token_ids, ~left.content_tokens(), strict=True) if own] == [
        t for t, own in zip(prompt.token_ids, template, strict=True) if own
    ]
    for marker in ("<|turn|>user\n", "<|turn|>assistant\n", "You help."):
        assert left.text.count(marker) == prompt.text.count(marker)
    kept, whole = content(left), content(prompt)
    if side == "left":
        assert whole.endswith(kept)
    elif side == "right":
        assert whole.startswith(kept)
    else:
        assert any(whole.startswith(kept[:n]) and whole.endswith(kept[n:]) for n in range(1, len(kept)))
    for token, (start, end) in zip(left.token_ids, left.offsets.tolist(), strict=True):
        text = tiny_tokenizer.decode([token])
        assert "\ufffd" in text or left.text[start:end] == text


@pytest.mark.parametrize("side", SIDES)
def test_a_bare_text_keeps_its_first_special_token(side: Side) -> None:
    from transformers import AutoTokenizer

    from unlearned.embedded import embedded_model_folder

    tokenizer = AutoTokenizer.from_pretrained(embedded_model_folder())
    prompt = text_prompt(tokenizer, "<|im_start|>user\n" + "one two three four five six " * 9)
    left = cut(prompt, 12, side)
    assert left.token_ids[0] == prompt.token_ids[0]
    assert len(left.token_ids) == 12


def test_by_default_long_prompts_are_refused_and_truncated_ones_are_answered(llm: Unlearned) -> None:
    long, short = user(BREAD * 20), user(BREAD)
    with pytest.raises(ContextError, match="Prompt 1"):
        llm.generate([short, long], max_new_tokens=4)
    for side in SIDES:
        plain = llm.generate([short], max_new_tokens=4)[0]
        answers = llm.generate([short, long], truncate=side, max_new_tokens=4)
        assert answers[0].text == plain.text
        each = dict(llm.generate_each([short, long], truncate=side, max_new_tokens=4))
        assert [each[index][0].text for index in range(2)] == [answer.text for answer in answers]
    with pytest.raises(ContextError, match=r"Prompt 0: .*Nothing would be left.*answer\.$"):
        llm.generate([short, long], truncate="left", max_new_tokens=95)
    with pytest.raises(ContextError, match="Prompt 0"):
        list(llm.generate_each([short, long], truncate="left", max_new_tokens=95))
    with pytest.raises(ConfigError, match="left, right, middle"):
        llm.generate([short], truncate="top")  # type: ignore[arg-type]


def test_the_answer_is_that_of_the_words_that_are_left(llm: Unlearned, model: Any, tiny_tokenizer: Any) -> None:
    prompt = llm.engine.tokenize(BREAD * 20, chat=True)
    left = cut(prompt, 92, "right")
    ids = torch.tensor([left.token_ids])
    with torch.inference_mode():
        output = model.generate(input_ids=ids, max_new_tokens=4, do_sample=False)
    expected = tiny_tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)
    assert llm.generate([BREAD * 20], truncate="right", max_new_tokens=4, do_sample=False)[0].text == expected


def test_what_is_in_scope_stays_so_before_and_after_the_cut(llm: Unlearned) -> None:
    question = "Who is Harry Potter?"
    for side, text in (("right", question + " " + BREAD * 20), ("left", BREAD * 20 + question)):
        prompt = llm.engine.tokenize(text, chat=True)
        inputs, (verdict,) = llm._fitting([prompt], side, {"max_new_tokens": 4})  # type: ignore[arg-type]
        assert len(inputs[0].token_ids) <= 92
        assert inputs[0].positions is not None
        told = llm.engine.tokenizer.decode([inputs[0].token_ids[p] for p in inputs[0].positions.tolist()])
        assert "Harry Potter" in told
        assert "bread" not in told
        assert any(question in prompt.text[span.start : span.end] for span in verdict.spans)
    gone = llm.generate([question + " " + BREAD * 20], truncate="left", max_new_tokens=4)[0]
    assert gone.flagged, "what was asked for is told, though nothing of it was read"


def test_what_only_comes_together_by_the_cut_is_corrupted(llm: Unlearned) -> None:
    count = 0
    for behind in range(8):  # as many words behind as before, so that the middle is between them
        text = "What is Hog" + " bread" * 60 + "warts?" + " bread" * behind
        prompt = llm.engine.tokenize(text, chat=True)
        assert not llm.classify([text], chat=True)[0].in_scope
        least = int((~prompt.content_tokens()).sum())
        for room in range(least + 6, least + 30):
            if "What is Hogwarts?" in cut(prompt, room, "middle").text:
                llm.engine.context = room + 4
                (given,), (verdict,) = llm._fitting([prompt], "middle", {"max_new_tokens": 4})
                assert given.corrupted
                assert verdict.in_scope
                assert all(0 <= span.start < span.end <= len(prompt.text) for span in verdict.spans)
                count += 1
    assert count


def test_words_in_front_of_a_prompt_are_not_cut(model: Any, tiny_tokenizer: Any) -> None:
    from unlearned.unlearners.instruction import Instruction

    llm = Unlearned(model, tiny_tokenizer, Instruction(kind="prompting", text="Know nothing."))
    with pytest.raises(ConfigError, match="in front"):
        llm.generate([user(BREAD)], truncate="left", max_new_tokens=4)
