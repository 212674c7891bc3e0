"""Tokens that must not be said, in vLLM: a logits processor of its workers.

Where an answer went back, the token with which a name or a quote began is banned as the next one. Answers under a
grammar cannot go back: there, the token is banned that would complete a name, and the beginning of the name stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from vllm.v1.sample.logits_processor.builtin import process_dict_updates
from vllm.v1.sample.logits_processor.interface import BatchUpdate, LogitsProcessor

from unlearned.answers.guard import Bans, Guard
from unlearned.answers.withheld import Withheld
from unlearned.classify.lexicon import ScopeName
from unlearned.engines.vocabulary import AnswerScan, Forbidding, Vocabulary
from unlearned.engines.watching import TokenBytes

ARGUMENT = "unlearned"
"""Key of what may not be said, in the extra arguments of a request's sampling parameters; clients' own are dropped."""

PLACEHOLDER = -1
"""Id of a token that vLLM has not copied yet."""


FIRST = "first"


def first(banned: Collection[int]) -> dict[str, Any]:
    """What a worker must know where an answer went back: the tokens with which it must not go on."""
    return {FIRST: sorted(banned)}


def told(guard: Guard) -> dict[str, Any]:
    """What a worker must know to ban the tokens that would complete a name."""
    names = [[n.name, n.kind, list(n.aliases), n.given, n.alone] for n in guard.bans.names]
    return {"names": names, "free": sorted(guard.free_names), "beginning": guard.beginning}


@dataclass(slots=True)
class _Free:
    """The guard of a request, as far as a worker needs it."""

    bans: Bans
    free: frozenset[int]
    beginning: str

    def is_free_name(self, name: int, *, restored: bool) -> bool:
        return name in self.free


@dataclass(slots=True)
class _First:
    """A request whose first token must be another one."""

    banned: list[int]
    said: list[int]
    """Grows as vLLM goes on."""

    def tokens(self) -> list[int]:
        return [] if self.said else self.banned


@dataclass(slots=True)
class _Row:
    """A request in which no token may complete a name."""

    guard: Any
    forbidding: Forbidding
    reading: AnswerScan
    said: list[int]
    """Grows as vLLM goes on."""

    read: int = 0

    def tokens(self) -> list[int]:
        while self.read < len(self.said) and self.said[self.read] != PLACEHOLDER:
            self.reading.push(self.said[self.read])
            self.read += 1
        return self.forbidding.tokens(self.guard, self.reading)


class Banning(LogitsProcessor):  # type: ignore[misc]
    """Bans tokens, row by row."""

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        self._config = vllm_config.model_config
        self._rows: dict[int, _First | _Row] = {}
        self._known: dict[str, tuple[Bans, Forbidding]] = {}
        self._texts: TokenBytes | None = None
        self._vocabulary: Vocabulary | None = None

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Take up new requests, and forget those that have left."""
        process_dict_updates(self._rows, batch_update, self._row)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """(B, V) logits; untouched where nothing is banned."""
        for index, row in self._rows.items():
            if banned := row.tokens():
                logits[index, torch.tensor(banned, device=logits.device)] = float("-inf")
        return logits

    def _row(self, params: Any, prompt_ids: Sequence[int] | None, said: list[int]) -> _First | _Row | None:
        asked = (params.extra_args or {}).get(ARGUMENT)
        if not isinstance(asked, Mapping):
            return None
        if FIRST in asked:
            return _First(list(asked[FIRST]), said)
        bans, forbidding = self._of(asked["names"])
        guard: Any = _Free(bans, frozenset(asked["free"]), asked["beginning"])
        return _Row(guard, forbidding, AnswerScan(guard, self._token_bytes()), said)

    def _of(self, names: Sequence[Sequence[Any]]) -> tuple[Bans, Forbidding]:
        key = repr(names)
        if key not in self._known:
            if len(self._known) > 8:  # of artifacts that are not in force any more
                self._known.clear()
            own = [
                ScopeName(name=name, kind=kind, aliases=tuple(aliases), given=given, alone=alone)
                for name, kind, aliases, given, alone in names
            ]
            bans = Bans([Withheld(names=tuple(own))])
            self._known[key] = bans, Forbidding(bans.automaton, self._tokens(), self._token_bytes())
        return self._known[key]

    def _token_bytes(self) -> TokenBytes:
        if self._texts is None:
            from transformers import AutoTokenizer

            model = self._config
            self._texts = TokenBytes(
                AutoTokenizer.from_pretrained(
                    model.tokenizer, revision=model.tokenizer_revision, trust_remote_code=model.trust_remote_code
                )
            )
        return self._texts

    def _tokens(self) -> Vocabulary:
        if self._vocabulary is None:
            texts = self._token_bytes()
            self._vocabulary = Vocabulary(texts, min(len(texts.tokenizer), int(self._config.get_vocab_size())))
        return self._vocabulary
