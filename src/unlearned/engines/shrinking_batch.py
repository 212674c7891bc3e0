"""Greedy answers for measuring: rows that have ended leave the batch, where `model.generate` runs them to its end.

Answers differ in length, so half of what `generate` computes for a batch is padding behind finished rows.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import Any

import torch

from unlearned.engines.base import Completion
from unlearned.engines.caches import cache_name, returned_cache
from unlearned.engines.injection import inner_model
from unlearned.engines.logits_to_keep import keep_last_logits
from unlearned.engines.prefix import is_plain
from unlearned.engines.restoring import restored
from unlearned.engines.transformers import TransformersEngine
from unlearned.types import PromptInput

FEWER = 0.8
"""Share of the rows at which those that have ended leave: leaving copies the caches of all others."""

LEAST = 2
"""Rows; one alone takes other routines, whose last bits differ from those of a batch."""

CHANGES_GREEDY = {
    "repetition_penalty": (None, 1.0),
    "no_repeat_ngram_size": (None, 0),
    "min_length": (None, 0),
    "min_new_tokens": (None, 0),
    "guidance_scale": (None, 1, 1.0),
    **dict.fromkeys(
        (
            *("bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "sequence_bias", "forced_bos_token_id"),
            *("forced_eos_token_id", "exponential_decay_length_penalty", "watermarking_config"),
            *("prefix_allowed_tokens_fn", "stop_strings"),
        ),
        (None,),
    ),
}
"""Generation settings of a model, and their values under which a greedy answer is the likeliest token at each step."""


@torch.inference_mode()
def greedy_answers(
    engine: TransformersEngine, inputs: Sequence[PromptInput], *, ends: Collection[int], max_new_tokens: int
) -> list[Completion]:
    """The answers that `engine.generate` gives to this one batch without sampling.

    Args:
        engine: runs the model. Where a model keeps more than plain attention caches, or has settings that change what
            is likeliest, its `generate` answers.
        inputs: the prompts; those in scope corrupted.
        ends: tokens that end an answer.
        max_new_tokens: longest answer.

    Raises:
        InjectionError: the corrupted embeddings did not reach the model; nothing is returned.
    """
    answers = _by_hand(engine, inputs, set(ends), max_new_tokens)
    if answers is not None:
        return answers
    return engine.generate(
        inputs,
        batch_size=max(1, len(inputs)),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        eos_token_id=sorted(ends),
        **keep_last_logits(engine.model),
    )


def _by_hand(
    engine: TransformersEngine, inputs: Sequence[PromptInput], ends: set[int], max_new_tokens: int
) -> list[Completion] | None:
    model = engine.model
    inner = inner_model(model)
    name = cache_name(inner)
    own = model.generation_config
    plain = all(getattr(own, name, allowed[0]) in allowed for name, allowed in CHANGES_GREEDY.items())
    if (
        not plain
        or len(inputs) < LEAST
        or any(prompt.answer is not None or prompt.guard is not None for prompt in inputs)
        or name is None
        or not _takes_positions(type(inner).forward)
    ):
        return None
    ids, mask, first = engine.left_padded(inputs)
    last = keep_last_logits(model)
    with engine.injecting(ids, inputs, first):
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        found = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, **last)
    caches = returned_cache(found)
    if not is_plain(caches, ids.shape[1]):
        return None
    rows = list(range(len(inputs)))
    answers: list[list[int]] = [[] for _ in rows]
    ended = [False] * len(rows)
    for step in range(1, max_new_tokens + 1):
        chosen = found.logits[:, -1].argmax(-1)
        for row, token in zip(rows, chosen.tolist(), strict=True):
            if not ended[row]:
                answers[row].append(token)
                ended[row] = token in ends
        alive = [place for place, row in enumerate(rows) if not ended[row]]
        if not alive or step == max_new_tokens:
            break
        if LEAST <= len(alive) <= FEWER * len(rows):
            kept = torch.tensor(alive, device=ids.device)
            caches.batch_select_indices(kept)
            rows, mask, chosen = [rows[place] for place in alive], mask[kept], chosen[kept]
        mask = torch.cat([mask, mask.new_ones((len(rows), 1))], dim=1)
        found = model(
            input_ids=chosen[:, None],
            attention_mask=mask,
            position_ids=mask.sum(-1, keepdim=True) - 1,
            use_cache=True,
            **{name: caches},
            **last,
        )
    texts = engine.tokenizer.batch_decode(answers, skip_special_tokens=True)
    said = [Completion(str(text), tuple(answer)) for text, answer in zip(texts, answers, strict=True)]
    return [restored(one, prompt.substitution, engine.tokenizer) for one, prompt in zip(said, inputs, strict=True)]


@cache
def _takes_positions(forward: Callable[..., Any]) -> bool:
    return "position_ids" in inspect.signature(forward).parameters
