"""What a benchmark is told while it asks a system, and how much of the start model's results still holds for it.

What a system hands on unchanged is the start model's own input, so the start model's scores are taken over. Where whole
batches are computed, one drawn batch without any change is computed as well, and compared bit for bit.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.systems import System
from unlearned.engines.transformers import TransformersEngine
from unlearned.progress import Progress
from unlearned.types import Prompt, PromptInput

Data = TypeVar("Data")

Rows = Mapping[str, Sequence[tuple[int, Any]]]
"""Set -> rows that are asked, each with its place in the whole set."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Asking(Generic[Data]):
    """What stands beside the system that is asked."""

    data: Data
    start: TransformersEngine
    """Runs the start model, which also judges how fluent answers are."""

    before: Sequence[Item]
    """The start model's items; empty while it is asked itself."""

    report: Progress


@dataclass(frozen=True, slots=True, eq=False)
class Reuse:
    """N prompts as a system hands them on, and which of them have to be computed."""

    inputs: Sequence[PromptInput]
    changed: Sequence[bool]
    needed: Sequence[int]
    """Places of prompts whose scores are not the start model's."""

    _ids: Sequence[str]
    _known: Mapping[str, Item]

    def scores(self, place: int, without: Sequence[str]) -> dict[str, Any]:
        """The start model's scores of a prompt that is not needed, without what each system has of its own."""
        return {name: value for name, value in self._known[self._ids[place]].items() if name not in without}


def reuse(system: System, prompts: Sequence[Prompt], ids: Sequence[str], before: Sequence[Item]) -> Reuse:
    """Prepare prompts, and find the start model's items that hold for them.

    Args:
        system: under test; with weights of its own, nothing holds.
        prompts: N.
        ids: (N,) of their items.
        before: the start model's items.
    """
    known = {} if system.own_weights else {item["id"]: item for item in before}
    inputs = system.prepare(prompts)
    changed = [is_changed(prompt, given) for prompt, given in zip(prompts, inputs, strict=True)]
    needed = [place for place, own in enumerate(ids) if changed[place] or own not in known]
    return Reuse(inputs, changed, needed, ids, known)


def is_changed(prompt: Prompt, given: PromptInput) -> bool:
    """Whether the model reads something else than the prompt."""
    return given.corrupted or given.token_ids != prompt.token_ids


def drawn(batches: Sequence[Sequence[int]], is_free: Callable[[int], bool], most: int, seed: str) -> set[int]:
    """Unchanged rows of one drawn batch, to be computed anew; single rows would pull all other batches after them.

    Args:
        batches: places of the rows that share one.
        is_free: whether the row at a place is unchanged.
        most: rows; 0 = none.
        seed: of the draw.
    """
    usable = [free for batch in batches if (free := [place for place in batch if is_free(place)])]
    return set(random.Random(seed).choice(usable)[:most]) if usable and most else set()
