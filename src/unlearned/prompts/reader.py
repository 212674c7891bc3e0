"""Token ids -> Prompt: whose words they are is told by the rendered conversation, else by special tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from unlearned.errors import PromptError
from unlearned.prompts.detokenize import BROKEN, BYTE
from unlearned.prompts.segments import told_by_special_tokens, without
from unlearned.prompts.tokenize import special_ids
from unlearned.types import Prompt, Segment

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Split = Callable[[str], Sequence[Segment] | None]
"""A rendered prompt -> whose words are where, or None where that cannot be told."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Tokens `[first, last)` that are all special or all not, and their characters `[start, end)`."""

    special: bool
    first: int
    last: int
    start: int
    end: int


class TokenReader:
    """Reads prompts with a tokenizer of its own; used from any thread.

    Args:
        tokenizer: a fast tokenizer that nobody else uses.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not tokenizer.is_fast:
            raise PromptError(
                f"{type(tokenizer).__name__} gives no character offsets, so flagged words cannot be found among tokens."
                " Use the fast tokenizer of this model."
            )
        self.tokenizer = tokenizer
        self.special = special_ids(tokenizer)
        self._lock = threading.Lock()  # fast tokenizers refuse to be used by two threads at once

    def read(self, token_ids: Sequence[int], split: Split | None = None) -> Prompt:
        """A prompt to be classified: its text and segments, without the places of its tokens.

        Args:
            token_ids: (T,) as the model gets them. What they say counts, whatever text came with them.
            split: whose words are where, if the prompt is a rendered conversation.
        """
        ids = tuple(int(token) for token in token_ids)
        with self._lock:
            text, runs = self._runs(ids)
        found = split(text) if split is not None else None
        special = [(run.start, run.end) for run in runs if run.special and run.start < run.end]
        segments = told_by_special_tokens(text, special) if found is None else found
        nowhere = np.zeros((len(ids), 2), dtype=np.int64)
        is_special = np.fromiter((token in self.special for token in ids), dtype=np.bool_, count=len(ids))
        return Prompt(text, ids, nowhere, is_special, tuple(without(segments, special)))

    def located(self, prompt: Prompt) -> Prompt:
        """Add the characters of each token to a prompt; only flagged ones need them."""
        offsets = np.zeros((len(prompt.token_ids), 2), dtype=np.int64)
        with self._lock:
            text, runs = self._runs(prompt.token_ids)
            for run in runs:
                if run.special:
                    offsets[run.first : run.last] = (run.start, run.start)
                else:
                    own = self._offsets(prompt.token_ids[run.first : run.last], text[run.start : run.end])
                    offsets[run.first : run.last] = own + run.start
        return replace(prompt, offsets=offsets)

    def _runs(self, ids: tuple[int, ...]) -> tuple[str, list[_Run]]:
        text, runs, place = "", list[_Run](), 0
        for special, group in groupby(ids, key=lambda token: token in self.special):
            own = list(group)
            start = len(text)
            text += self._text(own, special=special)
            runs.append(_Run(special, place, place + len(own), start, len(text)))
            place += len(own)
        return text, runs

    def _text(self, ids: list[int], *, special: bool) -> str:
        if special:  # as they are spelled: some decoders put spaces between them
            return "".join(str(token or "") for token in self.tokenizer.convert_ids_to_tokens(ids))
        text = self._decoded(ids)
        if BROKEN not in text:
            return text
        # One stray byte makes decoders give up the letters that are spelled byte by byte beside it.
        names = [str(name or "") for name in self.tokenizer.convert_ids_to_tokens(ids)]
        if not any(map(BYTE.fullmatch, names)):
            return text
        parts = []
        for is_byte, group in groupby(range(len(ids)), key=lambda place: BYTE.fullmatch(names[place]) is not None):
            own = list(group)
            if is_byte:
                parts.append(bytes(int(names[place][3:5], 16) for place in own).decode(errors="ignore"))
            else:
                parts.append(self._decoded([ids[place] for place in own]))
        return "".join(parts)

    def _decoded(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _offsets(self, ids: tuple[int, ...], text: str) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        """(n, 2) characters of each of n tokens that say `text`."""
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        if tuple(encoded["input_ids"]) == ids:
            return np.asarray(encoded["offset_mapping"], dtype=np.int64).reshape(-1, 2)
        found, offsets = decoded(self.tokenizer, ids)
        if found == text:
            return np.asarray(offsets, dtype=np.int64)
        # Nothing tells which token brought which character: each stands for all of them, so that none is missed.
        return np.tile(np.array([0, len(text)], dtype=np.int64), (len(ids), 1))


def decoded(tokenizer: PreTrainedTokenizerBase, ids: tuple[int, ...]) -> tuple[str, Any]:
    """Text of all ids, and (T, 2) the characters of each; tokens that share a character all get it."""
    text, starts, ends = "", [], []
    before, cut, waiting = 0, 0, 0  # as in TextStream, but keeping track of who brought which characters
    for place in range(len(ids)):
        waiting += 1
        known = _text(tokenizer, ids[before:cut])
        both = _text(tokenizer, ids[before : place + 1])
        if both.endswith(BROKEN) and place + 1 < len(ids) and waiting < 8:
            continue
        new = both[len(known) :]
        starts += [len(text)] * waiting
        text += new
        ends += [len(text)] * waiting
        before, cut, waiting = cut, place + 1, 0
    return text, np.array([starts, ends], dtype=np.int64).T.reshape(-1, 2)


def _text(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=False)) if ids else ""
