"""Rows -> token ids -> the streams of sequences that a method asks for.

Prompt and target are tokenised apart, so no token straddles where the loss begins. The target is the answer and ONE end
token; a row set without answers is text, all of whose tokens but the first are targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from unlearned.errors import ConfigError, DataError
from unlearned.examples import Row
from unlearned.learn.refusals import refusals
from unlearned.methods.config import Form
from unlearned.methods.losses import IGNORED
from unlearned.prompts.tokenize import chat_prompt, special_ids, text_prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Stream = Literal["forget", "retain", "refused", "mismatched", "random", "shuffled"]
"""What a method can ask for, per item:

- forget, retain: the item itself, and a retain item drawn uniformly;
- refused: the forget prompt with one of the packaged refusals, or of other ones that are given;
- mismatched: the forget prompt with the answer of a retain item;
- random: the forget prompt with several answers of retain items;
- shuffled: the forget prompt with several answers of other forget items.
"""

_MARKER = "answerstandshere"


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and its target, as token ids."""

    prompt: tuple[int, ...]
    target: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.target)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Right-padded sequences, each (B, T) int64."""

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor
    """-100 where a token is no target: prompt and padding."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """Writes rows in a form and cuts them to so many tokens."""

    tokenizer: PreTrainedTokenizerBase
    form: Form
    max_tokens: int

    @property
    def chat(self) -> bool:
        template = bool(getattr(self.tokenizer, "chat_template", None))
        return template if self.form.chat is None else self.form.chat

    def examples(self, rows: Sequence[Row], name: str) -> list[Example]:
        """Rows as examples, with or without answers, but not both.

        Raises:
            DataError: there are no rows, only some have an answer, or nothing in them can be predicted.
            ConfigError: a prompt leaves no room for its answer.
        """
        if not rows:
            raise DataError(f"There are no {name} rows to train on.")
        answered = sum(row.answer is not None for row in rows)
        if answered not in (0, len(rows)):
            raise DataError(
                f"{answered} of {len(rows)} {name} rows have an answer. Give all of them one, or none: rows without "
                "answers are texts that count as a whole."
            )
        if not answered:
            found = [example for row in rows for example in self.text(row.prompt)]
            if not found:
                raise DataError(
                    f"The {name} texts have one token each, so there is nothing to predict. Give longer ones."
                )
            return found
        return [self.pair(row.prompt, str(row.answer), f"{name} row {index + 1}") for index, row in enumerate(rows)]

    def pair(self, prompt: str, answer: str, place: str = "the row") -> Example:
        if self.chat:
            ids = chat_prompt(self.tokenizer, [{"role": "user", "content": prompt}]).token_ids
        else:
            ids = text_prompt(self.tokenizer, self.form.prompt.replace("{prompt}", prompt)).token_ids
        if len(ids) >= self.max_tokens:
            raise ConfigError(f"max_tokens={self.max_tokens}: the prompt of {place} alone has {len(ids)}. Raise it.")
        return self.joined(ids, self.answer(answer))

    def answer(self, text: str) -> tuple[int, ...]:
        """Token ids of an answer, ended."""
        written = text if self.chat else self.form.answer.replace("{answer}", text)
        return self._ids(written + (end_token(self.tokenizer, chat=self.chat) if self.form.end else ""))

    def joined(self, prompt: tuple[int, ...], target: tuple[int, ...]) -> Example:
        """Cut to `max_tokens`; what is cut has no end token to learn."""
        return Example(prompt, target[: self.max_tokens - len(prompt)])

    def text(self, text: str) -> list[Example]:
        """A text in pieces of at most `max_tokens`; a piece of one token has nothing to predict and is left out."""
        ids = text_prompt(self.tokenizer, text).token_ids
        pieces = [ids[start : start + self.max_tokens] for start in range(0, len(ids), self.max_tokens)]
        return [Example(piece[:1], piece[1:]) for piece in pieces if len(piece) > 1]

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def end_token(tokenizer: PreTrainedTokenizerBase, *, chat: bool) -> str:
    """What ends an answer: the token that the chat template puts behind it, or the tokenizer's end of sequence.

    Raises:
        ConfigError: there is none.
    """
    end = tokenizer.eos_token
    if chat:
        talk = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _MARKER}]
        behind = str(tokenizer.apply_chat_template(talk, tokenize=False)).rpartition(_MARKER)[2]
        special = special_ids(tokenizer)
        ids = tokenizer(behind, add_special_tokens=False)["input_ids"]
        end = next((str(tokenizer.convert_ids_to_tokens(i)) for i in ids if i in special), end)
    if not end:
        raise ConfigError("The tokenizer has no token that ends an answer. Set its eos_token.")
    return str(end)


class Streams(torch.utils.data.Dataset[dict[str, list[Example]]]):
    """What a method sees, item by item.

    Partners are drawn by a generator of their own, keyed by seed, epoch, item and stream: another draw in every epoch,
    the same in every run, and nobody else's random numbers change.

    Args:
        wanted: the streams of the method.
        forget: examples of the forget set.
        retain: examples of the retain set; may be empty if no stream needs it.
        encoder: writes refusals.
        seed: of the draws.
        over: the set that an epoch goes through.
        answers: how many answers the streams `random` and `shuffled` hold per item.
        refused: what the stream `refused` answers; empty: the packaged refusals.
    """

    def __init__(
        self,
        wanted: Sequence[Stream],
        forget: Sequence[Example],
        retain: Sequence[Example],
        encoder: Encoder,
        *,
        seed: int = 0,
        over: Literal["forget", "retain"] = "forget",
        answers: int = 5,
        refused: Sequence[str] = (),
    ) -> None:
        if over == "forget" and "shuffled" in wanted and len(forget) < 2:
            raise DataError("The method pairs prompts with answers of other forget rows. Give at least two.")
        self.wanted, self.forget, self.retain, self.encoder = tuple(wanted), forget, retain, encoder
        self.seed, self.over, self.answers, self.epoch = seed, over, answers, 0
        self._refusals = [encoder.answer(line) for line in refused or refusals()] if "refused" in wanted else []

    def set_epoch(self, epoch: int) -> None:
        """Called when an epoch begins."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.forget if self.over == "forget" else self.retain)

    @property
    def longest(self) -> int:
        """Tokens of the longest example."""
        return max(map(len, [*self.forget, *self.retain]))

    def __getitem__(self, index: int) -> dict[str, list[Example]]:
        return {stream: self._draw(stream, index) for stream in self.wanted}

    def _draw(self, stream: Stream, index: int) -> list[Example]:
        generator = np.random.default_rng([self.seed, self.epoch, index, get_args(Stream).index(stream)])
        if stream == self.over:
            return [(self.forget if stream == "forget" else self.retain)[index]]
        if stream in ("forget", "retain"):
            pool = self.forget if stream == "forget" else self.retain
            return [pool[int(generator.integers(len(pool)))]]
        prompt = self.forget[index].prompt
        if stream == "refused":
            targets = [self._refusals[int(generator.integers(len(self._refusals)))]]
        elif stream == "shuffled":
            others = generator.integers(len(self.forget) - 1, size=self.answers)
            targets = [self.forget[other + (other >= index)].target for other in others]
        else:
            count = 1 if stream == "mismatched" else self.answers
            targets = [self.retain[i].target for i in generator.integers(len(self.retain), size=count)]
        return [self.encoder.joined(prompt, target) for target in targets]


def collate(items: Sequence[Mapping[str, Sequence[Example]]], pad_id: int) -> dict[str, dict[str, Tensor]]:
    """Items of `Streams` -> one padded batch per stream; dicts, so that the Trainer moves them to its device."""
    return {stream: padded([example for item in items for example in item[stream]], pad_id) for stream in items[0]}


def padded(examples: Sequence[Example], pad_id: int) -> dict[str, Tensor]:
    """Right-padded tensors (B, T). The mask comes from lengths: an end token that is also the pad token stays seen."""
    length = max(map(len, examples))
    rows: dict[str, list[list[Any]]] = {"input_ids": [], "attention_mask": [], "labels": []}
    for example in examples:
        gap = length - len(example)
        rows["input_ids"].append([*example.prompt, *example.target, *[pad_id] * gap])
        rows["attention_mask"].append([1] * len(example) + [0] * gap)
        rows["labels"].append([IGNORED] * len(example.prompt) + list(example.target) + [IGNORED] * gap)
    return {name: torch.tensor(values, dtype=torch.long) for name, values in rows.items()}
