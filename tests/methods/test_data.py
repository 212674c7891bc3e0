"""What a method gets to see: masks, end tokens, partners."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from unlearned.benchmarks.tofu.config import FinetuneConfig
from unlearned.benchmarks.tofu.data import QuestionAnswer
from unlearned.benchmarks.tofu.finetune import _examples
from unlearned.errors import ConfigError, DataError
from unlearned.examples import Row
from unlearned.methods.config import Form
from unlearned.methods.data import Encoder, Example, Streams, collate, padded

PAIRS = [("Who is Harry Potter?", "Harry Potter is a wizard."), ("What is Hogwarts?", "A school of magic.")]


@pytest.fixture
def encoder(tiny_tokenizer: Any) -> Encoder:
    return Encoder(tiny_tokenizer, Form(), 512)


@pytest.fixture
def plain(tiny_tokenizer: Any) -> Any:
    """The tokenizer without its chat template."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tiny_tokenizer.backend_tokenizer, pad_token="<|end|>", eos_token="<|end|>"
    )


def streams(encoder: Encoder, *wanted: Any, size: int = 6, **options: Any) -> Streams:
    forget = [encoder.pair(f"Forget {i}?", f"Answer {i}.") for i in range(size)]
    retain = [encoder.pair(f"Retain {i}?", f"Other {i}.") for i in range(size)]
    return Streams(wanted, forget, retain, encoder, **options)


def test_refusals_of_ones_own_take_the_place_of_the_packaged_ones(encoder: Encoder, tiny_tokenizer: Any) -> None:
    rows = streams(encoder, "refused", refused=("neutral", "unknown"))
    said = {tiny_tokenizer.decode(rows[index]["refused"][0].target) for index in range(6)}
    assert said == {"neutral<|end|>", "unknown<|end|>"}


def test_the_target_is_the_answer_and_one_end_token(encoder: Encoder, tiny_tokenizer: Any) -> None:
    example = encoder.pair(*PAIRS[0])
    assert tiny_tokenizer.decode(example.target) == "Harry Potter is a wizard.<|end|>"
    assert tiny_tokenizer.decode(example.prompt).endswith("Who is Harry Potter?<|end|>\n<|turn|>assistant\n")
    rows = padded([example], 0)
    assert rows["labels"][0, len(example.prompt) :].tolist() == list(example.target)
    assert set(rows["labels"][0, : len(example.prompt)].tolist()) == {-100}


def test_without_a_template_no_token_straddles_prompt_and_answer(plain: Any) -> None:
    """A prompt that ends in a space lets a BPE tokenizer swallow it with the answer's first word."""
    example = Encoder(plain, Form(prompt="{prompt} ", answer="{answer}"), 64).pair("Who is Harry?", "wizard")
    assert plain.decode(example.prompt) == "Who is Harry? "
    assert plain.decode(example.target) == "wizard<|end|>"


@pytest.mark.parametrize("chat", [True, False])
def test_examples_agree_with_the_fine_tuning_of_the_benchmark(
    chat: bool, tiny_model: Any, tiny_tokenizer: Any, plain: Any
) -> None:
    tokenizer = tiny_tokenizer if chat else plain
    theirs = _examples(
        tiny_model, tokenizer, [QuestionAnswer(question=q, answer=a) for q, a in PAIRS], FinetuneConfig()
    )
    ours = Encoder(tokenizer, Form(), 500).examples([Row(q, a) for q, a in PAIRS], "forget")
    assert [(e.prompt, e.target) for e in ours] == [(e.prompt, e.target) for e in theirs]


def test_an_end_token_that_is_also_the_pad_token_is_seen_and_learned(plain: Any) -> None:
    assert plain.pad_token_id == plain.eos_token_id
    encoder = Encoder(plain, Form(), 64)
    short, long = encoder.pair("A?", "B."), encoder.pair("Who is Harry Potter?", "A wizard of Hogwarts.")
    rows = padded([short, long], plain.pad_token_id)
    assert rows["attention_mask"].sum(1).tolist() == [len(short), len(long)]
    assert rows["labels"][0, len(short) - 1] == plain.eos_token_id  # the real end token
    assert set(rows["labels"][0, len(short) :].tolist()) == {-100}  # padding, of the same id


def test_rows_without_answers_are_texts_in_pieces(encoder: Encoder) -> None:
    text = "The quick brown fox jumps over the lazy dog, and then 1234567890. " * 4
    whole = encoder.text(text)[0]
    assert len(whole.prompt) == 1
    pieces = Encoder(encoder.tokenizer, Form(), 16).examples([Row(text)], "forget")
    assert all(len(piece.prompt) == 1 and len(piece) <= 16 for piece in pieces)
    assert [token for piece in pieces for token in (*piece.prompt, *piece.target)][: len(whole)] == [
        *whole.prompt, *whole.target,
    ][: sum(map(len, pieces))]  # fmt: skip


def test_rows_with_and_without_answers_are_not_mixed(encoder: Encoder) -> None:
    with pytest.raises(DataError, match="1 of 2 forget rows have an answer"):
        encoder.examples([Row("a", "b"), Row("c")], "forget")
    with pytest.raises(DataError, match="no retain rows"):
        encoder.examples([], "retain")


def test_a_prompt_without_room_for_its_answer_is_refused(encoder: Encoder) -> None:
    with pytest.raises(ConfigError, match="the prompt of forget row 1 alone has"):
        Encoder(encoder.tokenizer, Form(), 8).examples([Row(*PAIRS[0])], "forget")
    cut = Encoder(encoder.tokenizer, Form(), len(encoder.pair(*PAIRS[0])) - 2).pair(*PAIRS[0])
    assert cut.target == encoder.pair(*PAIRS[0]).target[:-2]


def test_partners_differ_between_epochs_and_are_the_same_in_every_run(encoder: Encoder) -> None:
    def drawn(seed: int, epoch: int) -> list[tuple[int, ...]]:
        data = streams(encoder, "forget", "retain", seed=seed)
        data.set_epoch(epoch)
        return [data[i]["retain"][0].prompt for i in range(len(data))]

    assert drawn(0, 0) == drawn(0, 0)
    assert drawn(0, 0) != drawn(0, 1)
    assert drawn(0, 0) != drawn(1, 0)


def test_drawing_partners_leaves_every_global_generator_alone(encoder: Encoder) -> None:
    data = streams(encoder, "forget", "retain", "refused", "mismatched", "random", "shuffled")
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[union-attr]
    _ = data[0], data[3]
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[union-attr]


def test_another_stream_changes_nobody_elses_draw(encoder: Encoder) -> None:
    alone, beside = streams(encoder, "retain"), streams(encoder, "forget", "random", "retain")
    assert [alone[i]["retain"] for i in range(6)] == [beside[i]["retain"] for i in range(6)]


def test_partners_are_uniform(encoder: Encoder) -> None:
    data = streams(encoder, "retain", size=4)
    counts: Counter[tuple[int, ...]] = Counter()
    for epoch in range(500):
        data.set_epoch(epoch)
        counts.update(data[i]["retain"][0].prompt for i in range(4))
    assert len(counts) == 4
    assert all(abs(count - 500) < 100 for count in counts.values())  # 5 standard deviations


def test_streams_pair_forget_prompts_with_other_answers(encoder: Encoder, tiny_tokenizer: Any) -> None:
    data = streams(encoder, "forget", "refused", "mismatched", "random", "shuffled", answers=3)
    for index in range(len(data)):
        item = data[index]
        own = item["forget"][0]
        assert all(example.prompt == own.prompt for examples in item.values() for example in examples)
        assert own.target not in [example.target for example in item["shuffled"]]
        assert {example.target for example in item["shuffled"]} <= {e.target for e in data.forget}
        assert {example.target for example in item["random"]} <= {e.target for e in data.retain}
        assert item["mismatched"][0].target in {e.target for e in data.retain}
        assert [len(item[stream]) for stream in ("random", "shuffled")] == [3, 3]
        assert "Other" not in tiny_tokenizer.decode(item["refused"][0].target)


def test_an_epoch_can_go_through_the_retain_set(encoder: Encoder) -> None:
    data = streams(encoder, "retain", over="retain", size=5)
    assert [data[i]["retain"] for i in range(len(data))] == [[example] for example in data.retain]


def test_a_batch_holds_every_stream_padded_for_itself() -> None:
    items = [
        {"forget": [Example((1,), (2, 3))], "random": [Example((1,), (4,)), Example((1,), (5,))]},
        {"forget": [Example((1, 2), (2, 3))], "random": [Example((1,), (6,)), Example((1,), (7,))]},
    ]
    found = collate(items, pad_id=9)
    assert found["forget"]["input_ids"].tolist() == [[1, 2, 3, 9], [1, 2, 2, 3]]
    assert found["random"]["input_ids"].tolist() == [[1, 4], [1, 5], [1, 6], [1, 7]]
