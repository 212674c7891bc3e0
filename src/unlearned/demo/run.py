"""Fit two scopes, stack them, and compare the original model with the unlearned one on prompts neither has seen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unlearned.api import Unlearned
from unlearned.artifact import Artifact
from unlearned.artifact.fingerprint import base_model_record
from unlearned.check.compare import ComparedPrompt, Comparison, Kind, compare
from unlearned.classify.base import Floats
from unlearned.demo.concepts import CONCEPTS, Concept, general_prompts
from unlearned.learn.config import BEST, FitConfig
from unlearned.learn.fit import fit
from unlearned.progress import Progress

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MOST_LEAKS = 0.15
"""Share of the held-out questions that may still be answered with a fact; the original model answers most.

What the detector misses, 3 of 26 of one concept, is answered as by the original model, and whether that holds a fact
differs from one processor to the next."""


@dataclass(slots=True)
class DemoResult:
    """Everything the demo measured."""

    model: str
    concepts: list[Concept]
    artifacts: list[Artifact]
    comparisons: list[Comparison]
    folders: list[Path]
    seconds: dict[str, float] = field(default_factory=dict)

    def of(self, kind: Kind, concept: str | None = None) -> list[Comparison]:
        return [c for c in self.comparisons if c.kind == kind and concept in (None, c.concept)]

    def leaks(self, concept: str | None = None) -> tuple[int, int, int]:
        """(before, after, questions) over held-out forget questions."""
        rows = self.of("held-out forget", concept)
        return sum(c.leaked_before for c in rows), sum(c.leaked_after for c in rows), len(rows)

    def on_topic(self, concept: str | None = None) -> tuple[int, int]:
        """(answers on topic, answers) to flagged held-out forget questions."""
        rows = [row for row in self.of("held-out forget", concept) if row.unlearned.flagged]
        return sum(row.on_topic for row in rows), len(rows)

    def untouched(self) -> list[Comparison]:
        return [c for c in self.comparisons if c.untouched]

    def held_back(self) -> int:
        """Unflagged prompts whose original answer says a name, or quotes a text, of a scope."""
        return sum(c.held_back and not c.unlearned.flagged for c in self.comparisons)

    def failures(self) -> list[str]:
        """Why the unlearned state was not reached; empty if it was."""
        reasons = []
        for concept in self.concepts:
            _, after, count = self.leaks(concept.name)
            if after > MOST_LEAKS * count:
                reasons.append(f"{concept.name}: {after} of {count} held-out questions are still answered with a fact")
        changed = sum(not c.identical for c in self.untouched())
        if changed:
            reasons.append(f"{changed} answers to unflagged prompts differ from the original model's")
        if len(self.untouched()) < len(self.of("general")):
            reasons.append("unrelated prompts are flagged")
        return reasons

    def scores(self, concept: str) -> tuple[Floats, Floats, float]:
        """p(forget) of the held-out prompts that are about the concept and of those that are not, and the threshold."""
        scope = next(s for artifact in self.artifacts for s in artifact.scopes if s.name == concept)
        about = [c.unlearned.verdict.score for c in self.of("held-out forget", concept)]
        others = [c.unlearned.verdict.score for c in [*self.of("close retain"), *self.of("general")]]
        return np.array(about, dtype=np.float32), np.array(others, dtype=np.float32), scope.threshold


def run_demo(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    *,
    corruption: str = BEST,
    max_new_tokens: int = 48,
    on_progress: Progress | None = None,
) -> DemoResult:
    """Fit, save, reload, stack, and compare. Artifacts are written below `folder`."""
    # The demo shows the same numbers every time; real artifacts keep a secret.
    config = FitConfig(seed=0, corruption=corruption)
    report = on_progress or (lambda phase, done, total: None)
    clock = Clock()
    concepts = [Concept(name) for name in CONCEPTS]
    folders = []
    for concept in concepts:
        with clock(f"fit {concept.name}"):
            artifact = fit(
                model,
                tokenizer,
                concept.forget,
                concept.retain,
                scope=concept.name,
                config=config,
                on_progress=lambda phase, done, total, name=concept.name: report(f"{name}: {phase}", done, total),  # type: ignore[misc]
            )
        with clock("save and reload"):
            folders.append(artifact.save_pretrained(folder / concept.name))
    with clock("save and reload"):
        artifacts = tuple(Artifact.from_pretrained(folder) for folder in folders)
        unlearned, original = Unlearned(model, tokenizer, artifacts), Unlearned(model, tokenizer)
    asked = [
        *(ComparedPrompt("held-out forget", q.prompt, c.name, q) for c in concepts for q in c.held_out),
        *(ComparedPrompt("close retain", prompt, c.name) for c in concepts for prompt in c.retain_held_out),
        *(ComparedPrompt("general", prompt) for prompt in general_prompts()),
    ]
    with clock("detect"):
        unlearned.classify([one.prompt for one in asked])
    with clock("answers of both"):
        comparisons = compare(original, unlearned, asked, max_new_tokens=max_new_tokens, batch_size=32, report=report)
    return DemoResult(
        base_model_record(original.engine).id, concepts, list(artifacts), comparisons, folders, clock.seconds
    )


class Clock:
    """Seconds per phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time.perf_counter() - start
