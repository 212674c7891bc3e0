"""A text that is scored, as the system would have to say it, and log-probabilities at the text's own tokens.

The push-forward: the shown answer is a rewriting of the model's, so p(system shows A) = p(model says A with strangers
in place of the words). Where strangers take as many tokens as the words, values go over one to one; elsewhere each
token of the text gets what was added up to its end, so that sums are those of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unlearned.substitution.substitution import Replacement, Substitution, replaced

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Continuation:
    """A text to be scored."""

    token_ids: tuple[int, ...]
    """(n,) what the model reads."""

    ends: tuple[int, ...] | None = None
    """(m,) per token of the text, how many of `token_ids` are read by its end; None: m = n, one to one."""

    @property
    def count(self) -> int:
        """m, the tokens of the text."""
        return len(self.token_ids if self.ends is None else self.ends)

    def at_text(self, values: Tensor) -> Tensor:
        """(n,) log-probabilities of `token_ids` -> (m,) of the text's own tokens."""
        if self.ends is None:
            return values
        sums = torch.cat([values.new_zeros(1), values.cumsum(0)])
        read = sums[torch.tensor(self.ends, device=values.device, dtype=torch.long)]
        return torch.diff(read, prepend=values.new_zeros(1))


def continuation(tokenizer: PreTrainedTokenizerBase, text: str, substitution: Substitution | None) -> Continuation:
    """Tokenise a text that is scored; with strangers in it where its prompt has them."""
    if not text:
        return Continuation(())
    pieces = substitution.away(text) if substitution is not None else []
    if not pieces:
        return Continuation(tuple(tokenizer(text, add_special_tokens=False)["input_ids"]))
    own = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    read = tokenizer(replaced(text, pieces), add_special_tokens=False, return_offsets_mapping=True)
    ids = tuple(read["input_ids"])
    if len(ids) == len(own["input_ids"]):
        return Continuation(ids)
    return Continuation(ids, _ends(own["offset_mapping"], read["offset_mapping"], pieces))


def _ends(
    own: Sequence[tuple[int, int]], read: Sequence[tuple[int, int]], pieces: Sequence[Replacement]
) -> tuple[int, ...]:
    """Per token of the text, how many tokens of the rewritten one end where it does, or before."""
    found, reached = [], 0
    for _, end in own:
        place = _moved(end, pieces)
        while reached < len(read) and read[reached][1] <= place:
            reached += 1
        found.append(reached)
    if found:
        found[-1] = len(read)
    return tuple(found)


def _moved(place: int, pieces: Sequence[Replacement]) -> int:
    """Where a character of the text stands in the rewritten one; inside a word, as far from its beginning."""
    shift = 0
    for piece in pieces:
        if place >= piece.end:
            shift += len(piece.text) - (piece.end - piece.start)
        elif place > piece.start:
            return piece.start + shift + min(place - piece.start, len(piece.text))
    return place + shift
