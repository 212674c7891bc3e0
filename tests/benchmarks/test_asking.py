"""What a system hands on unchanged has the start model's scores; one drawn batch is computed anew."""

from __future__ import annotations

from typing import Any

import torch

from unlearned.benchmarks.asking import drawn, is_changed, reuse
from unlearned.types import Prompt, PromptInput, text_only


class Rewording:
    """Puts a token in front of prompts that begin with an A."""

    def __init__(self, *, own_weights: bool = False) -> None:
        self.own_weights = own_weights

    def prepare(self, prompts: list[Prompt]) -> list[PromptInput]:
        return [PromptInput((9, *p.token_ids) if p.text.startswith("A") else p.token_ids) for p in prompts]


def prompt(text: str) -> Prompt:
    from dataclasses import replace

    return replace(text_only(text), token_ids=tuple(map(ord, text)))


def test_only_what_was_changed_or_is_not_known_is_needed() -> None:
    prompts = [prompt(text) for text in ("A1", "b", "c")]
    before = [{"id": "0", "score": 1.0, "seconds": 3}, {"id": "1", "score": 0.5, "seconds": 4}]
    system: Any = Rewording()
    found = reuse(system, prompts, ["0", "1", "2"], before)
    assert (list(found.changed), list(found.needed)) == ([True, False, False], [0, 2])
    assert found.scores(1, ("seconds",)) == {"id": "1", "score": 0.5}
    assert reuse(Rewording(own_weights=True), prompts, ["0", "1", "2"], before).needed == [0, 1, 2]  # type: ignore[arg-type]
    assert reuse(system, prompts, ["0", "1", "2"], []).needed == [0, 1, 2]
    assert reuse(system, [], [], before).needed == []


def test_a_prompt_is_changed_by_its_tokens_or_by_its_vectors() -> None:
    plain = prompt("b")
    assert not is_changed(plain, PromptInput(plain.token_ids))
    assert is_changed(plain, PromptInput((9, *plain.token_ids)))
    assert is_changed(plain, PromptInput(plain.token_ids, positions=torch.tensor([0]), vectors=torch.zeros(1, 2)))


def test_one_batch_is_drawn_by_its_seed_and_only_what_is_free_in_it() -> None:
    batches = [[0, 1], [2, 3, 4], [5]]
    free = {1, 3, 4}
    found = drawn(batches, lambda place: place in free, 10, "seed")
    assert found in ({1}, {3, 4})
    assert found == drawn(batches, lambda place: place in free, 10, "seed")
    assert {frozenset(drawn(batches, lambda place: place in free, 10, f"{n}")) for n in range(20)} == {
        frozenset({1}),
        frozenset({3, 4}),
    }
    assert len(drawn(batches, lambda place: True, 1, "seed")) == 1
    assert drawn(batches, lambda place: False, 10, "seed") == drawn(batches, lambda place: True, 0, "seed") == set()
