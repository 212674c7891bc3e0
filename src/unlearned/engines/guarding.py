"""`model.generate` under guards: rows that said a name or a quote are gone on with from before it.

What cannot go back (beams, speculative decoding) bans the token that would complete a name instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unlearned.engines.vocabulary import AnswerScans
from unlearned.engines.watching import Guarded, spare, without
from unlearned.types import PromptInput

if TYPE_CHECKING:
    from unlearned.engines.transformers import TransformersEngine

LIMIT = "max_new_tokens"

SPECULATIVE = ("assistant_model", "prompt_lookup_num_tokens", "assistant_early_exit")
"""Settings by which a batch takes several tokens at a step."""


@dataclass(slots=True, eq=False)
class Making:
    """One answer in the making."""

    prompt: PromptInput
    answer: Guarded[int]
    again: bool = False
    """Whether the answer went back, and has to be continued."""


class Watcher:
    """Logits processor and stopping criterion of one `generate`; touches nothing where nothing went back.

    Args:
        rows: of the batch.
        ends: tokens that end an answer.
        pad: the token behind an answer that was ended by something else; None = nothing else ends one.
    """

    def __init__(self, rows: Sequence[Making | None], ends: set[int], pad: int | None) -> None:
        self.rows, self.ends, self.pad = rows, ends, pad
        self._done = [row is None for row in rows]

    def ban(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(B, V) logits; what was banned where a row went back to is impossible."""
        rows = enumerate(self.rows)
        return without(scores, {n: row.answer.bans for n, row in rows if row is not None and not self._done[n]})

    def ended(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """(B,) bool: the rows that have ended or went back."""
        for place, token_id in enumerate(input_ids[:, -1].tolist()):
            row = self.rows[place]
            if row is None or self._done[place]:
                continue
            if token_id in self.ends:
                row.again = row.answer.finish((token_id, token_id))
                self._done[place] = True
            elif token_id == self.pad:
                row.again = row.answer.finish()
                self._done[place] = True
            else:
                row.again = row.answer.push(token_id, token_id)
                self._done[place] = row.again or row.answer.ended
        done = [ended and row is not None for ended, row in zip(self._done, self.rows, strict=True)]
        return torch.tensor(done, device=input_ids.device)

    def close(self) -> None:
        """The model has come to its end."""
        for place, row in enumerate(self.rows):
            if row is not None and not self._done[place]:
                row.again = row.answer.finish()


class NameBanningProcessor:
    """Logits processor that bans the token which would complete a name; for engines that cannot go back."""

    def __init__(self, engine: TransformersEngine, batch: Sequence[PromptInput], length: int, copies: int) -> None:
        self.engine, self.batch, self.length, self.copies = engine, batch, length, copies
        self._readings = AnswerScans(engine.token_bytes)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        rows = enumerate(input_ids[:, self.length :].tolist())
        said = {n: (guard, ids) for n, ids in rows if (guard := self.batch[n // self.copies].guard) is not None}
        readings = self._readings.step(said)
        forbidden = {n: self.engine.forbidding(guard.bans).tokens(guard, readings[n]) for n, (guard, _) in said.items()}
        return without(scores, forbidden)


def goes_back(setting: Mapping[str, Any]) -> bool:
    """Whether answers under these settings can be taken up from an earlier place."""
    beams = setting.get("num_beams") or 1
    return beams == 1 and not any(setting.get(name) for name in SPECULATIVE)


def generated(
    engine: TransformersEngine,
    batch: Sequence[PromptInput],
    generation: Mapping[str, Any],
    *,
    copies: int,
    most: int | None,
    ends: set[int],
) -> list[list[int]]:
    """The tokens of all answers to a batch, `copies` to each prompt in a row.

    Args:
        engine: runs the model.
        batch: prompts, some with a guard.
        generation: arguments of `generate`.
        copies: `num_return_sequences`.
        most: `max_new_tokens`; None where the length is limited otherwise.
        ends: tokens that end an answer.
    """
    drawn = bool(engine.setting("do_sample", generation))
    rows: list[Making | None] = []
    for prompt in (prompt for prompt in batch for _ in range(copies)):
        if prompt.guard is None:
            rows.append(None)
            continue
        limit = most if most is not None else 2**31
        answer = Guarded[int](prompt.guard, prompt.substitution, engine.token_bytes, limit, drawn=drawn)
        rows.append(Making(prompt, answer))
    found = _round(engine, batch, rows, generation, most, ends)
    settings = {**generation, "num_return_sequences": 1}
    while again := [row for row in rows if row is not None and row.again]:
        shortest = min(len(row.answer.tokens) for row in again)
        if least := generation.get("min_new_tokens"):
            settings["min_new_tokens"] = max(0, least - shortest)
        left = None if most is None else most - shortest
        _round(engine, [row.answer.behind(row.prompt) for row in again], again, settings, left, ends)
    return [plain[:most] if row is None else row.answer.token_ids for plain, row in zip(found, rows, strict=True)]


def _round(
    engine: TransformersEngine,
    batch: Sequence[PromptInput],
    rows: Sequence[Making | None],
    generation: Mapping[str, Any],
    most: int | None,
    ends: set[int],
) -> list[list[int]]:
    for row in rows:
        if row is not None:
            row.again = False
    stops = generation.get("stopping_criteria") or engine.setting("stop_strings", generation)
    watcher = Watcher(rows, ends, generation.get("pad_token_id", engine.pad_id) if stops else None)
    settings = {
        **generation,
        "logits_processor": [*(generation.get("logits_processor") or ()), watcher.ban],
        "stopping_criteria": [*(generation.get("stopping_criteria") or ()), watcher.ended],
    }
    if most is not None:
        longest = max(len(prompt.token_ids) for prompt in batch)
        settings[LIMIT] = most + spare(engine.context, longest + most)
    sequences = engine.run(batch, settings)
    watcher.close()
    return sequences
