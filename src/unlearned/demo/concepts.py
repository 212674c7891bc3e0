"""The prompts that ship with the demo."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

from unlearned.check.facts import FactQuestion
from unlearned.examples import Row

CONCEPTS = ("harry-potter", "star-wars")


@dataclass(frozen=True)
class Concept:
    """One thing to forget. Nothing of the held-out prompts is used for fitting."""

    name: str

    @cached_property
    def forget(self) -> list[Row]:
        return [Row(row["prompt"], row["answer"]) for row in _read(f"{self.name}.forget")]

    @cached_property
    def retain(self) -> list[Row]:
        return [Row(row["prompt"], row.get("answer")) for row in _read(f"{self.name}.retain")]

    @cached_property
    def held_out(self) -> list[FactQuestion]:
        rows = _read(f"{self.name}.heldout")
        return [FactQuestion(row["prompt"], tuple(tuple(fact) for fact in row["facts"])) for row in rows]

    @cached_property
    def retain_held_out(self) -> list[str]:
        return [row["prompt"] for row in _read(f"{self.name}.retain_heldout")]


def general_prompts() -> list[str]:
    """Prompts that have nothing to do with any concept."""
    return [row["prompt"] for row in _read("general")]


def _read(name: str) -> list[dict[str, Any]]:
    text = files("unlearned").joinpath(f"demo/data/{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line]
