"""What the rows share: fitted scopes, batched detection, limits, progress."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from unlearned.benchmarks.classifier.sets import Data
from unlearned.classify.base import Features, Floats, PromptClassifier
from unlearned.classify.borders import detect_in_conversations
from unlearned.classify.cached_encoder import CachedEncoder
from unlearned.classify.scope import Scope
from unlearned.embedded import MINILM
from unlearned.examples import Row, evenly
from unlearned.forgetting.subject import as_subject
from unlearned.learn.classifier import fit_classifier, scope_lexicon
from unlearned.learn.config import ClassifierConfig
from unlearned.learn.intents import intents_of
from unlearned.progress import Progress
from unlearned.types import Prompt, Verdict

DEFAULT = ClassifierConfig().classifier
"""The kind that all rows measure; the others are put beside it in the most telling ones."""

BATCH_CHARACTERS = 150_000
"""Characters of prompts in one `detect` call: some thousand windows, whose kernel takes about 100 MB."""

MOST_CACHED = 300_000
"""Vectors: 500 MB for an encoder of 384 dimensions. MMLU, in both forms, has about half as many windows."""

RETAIN_PER_FORGET = 5
"""Retain prompts that a run with a limit fits, for each of its forget prompts."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class CachedClassifier:
    """A classifier as it is, on a cached encoder. Only for detection."""

    inner: PromptClassifier
    encoder: CachedEncoder

    @property
    def least_threshold(self) -> float:
        return self.inner.least_threshold

    def predict_proba(self, features: Features) -> Floats:
        return self.inner.predict_proba(features)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fitted(Scope):
    """A forget scope without a corruption."""

    forget: tuple[str, ...]
    """The prompts that it was fitted on."""


@dataclass(eq=False)
class Bench:
    """One run of the benchmark, for one kind of classifier at a time."""

    data: Data
    kind: str = DEFAULT
    encoder: str = MINILM
    seed: int = 0
    limit: int | None = None
    """Most prompts of every set, fitted and evaluated; None = all."""

    checkpoints: Path | None = None
    """Where a kind that is trained keeps its checkpoints."""

    report: Progress = lambda phase, done, total: None
    _fitted: dict[tuple[str, str], Fitted] = field(default_factory=dict)
    _encoders: dict[int, CachedEncoder] = field(default_factory=dict)

    @property
    def reduced(self) -> bool:
        """Whether smaller sets do, because another kind than the default is only put beside it."""
        return self.kind != DEFAULT

    def some(self, items: Sequence[Item], most: int | None = None) -> list[Item]:
        """The items, evenly thinned out to `most` and to the run's limit."""
        bounds = [bound for bound in (most, self.limit) if bound is not None]
        return evenly(items, min(bounds, default=None))

    def rng(self, *names: object) -> random.Random:
        """A generator of its own for everything that is drawn."""
        return random.Random(" ".join(map(str, (self.seed, *names))))

    def tofu(self, size: str) -> Fitted:
        """The scope forget01, forget05 or forget10, beside the retain split that belongs to it."""
        key = self.kind, size
        if key not in self._fitted:
            retain = evenly(self.data.retain(size), None if self.limit is None else RETAIN_PER_FORGET * self.limit)
            self._fitted[key] = self.fit(f"forget{size}", self.some(self.data.forget(size)), retain)
        return self._fitted[key]

    def fit(
        self,
        name: str,
        forget: Sequence[str],
        retain: Sequence[str],
        calibrate_by: str = "errors",
        names: Sequence[str] = (),
    ) -> Fitted:
        """Fit a scope on these prompts and the packaged background, with a user's settings.

        All are the defaults, but `calibrate_by` may be another method, and people may be given by their names.
        """
        checkpoints = self.checkpoints / name if self.checkpoints is not None and self.kind == "encoder" else None
        config = ClassifierConfig(
            classifier=self.kind,
            encoder=self.encoder,
            checkpoints=checkpoints,
            calibration=calibrate_by,
            names=as_subject(names).scope_names if names else (),
        )
        rows = [Row(text) for text in forget]
        classifier, calibration = fit_classifier(
            rows,
            [Row(text) for text in retain],
            config,
            lambda phase, done, total: self.report(f"fit {name}", done, total),
        )
        encoder = classifier.encoder
        cached = self._encoders.setdefault(id(encoder), CachedEncoder(encoder, MOST_CACHED))
        shared: PromptClassifier = CachedClassifier(classifier, cached)  # type: ignore[assignment]
        return Fitted(
            name=name,
            classifier=shared,
            threshold=calibration.threshold,
            forget=tuple(forget),
            intents=intents_of(rows, cached),
            short_penalty=calibration.short_penalty,
            lexicon=scope_lexicon(rows, [Row(text) for text in retain], config),
        )

    def verdicts(self, label: str, prompts: Sequence[Prompt], *scopes: Fitted) -> list[list[Verdict]]:
        """For each scope, alone, one verdict per prompt.

        Args:
            label: names the work in the progress report.
            prompts: any number of any length.
            scopes: those that share an encoder share its work.
        """
        found: list[list[Verdict]] = [[] for _ in scopes]
        for start, end in _batches([len(prompt.text) for prompt in prompts]):
            self.report(label, start, len(prompts))
            for own, scope in zip(found, scopes, strict=True):
                own += detect_in_conversations(prompts[start:end], [scope])
        self.report(label, len(prompts), len(prompts))
        return found

    def make_room(self) -> None:
        """Drop the vectors of earlier rows."""
        for encoder in self._encoders.values():
            encoder.known.clear()

    def flagged(self, label: str, prompts: Sequence[Prompt], scope: Fitted) -> list[bool]:
        """Whether each prompt is in scope."""
        return [verdict.in_scope for verdict in self.verdicts(label, prompts, scope)[0]]


def covered(text: str, place: tuple[int, int], verdict: Verdict) -> float:
    """Share of the place's characters that are flagged, spaces aside."""
    marks = marked(text, verdict)
    inside = [bool(marks[i]) for i in range(*place) if not text[i].isspace()]
    return sum(inside) / max(1, len(inside))


def spills(text: str, place: tuple[int, int], verdict: Verdict) -> bool:
    """Whether a letter or digit outside the place is flagged."""
    marks = marked(text, verdict)
    marks[place[0] : place[1]] = False
    return any(text[i].isalnum() for i in np.flatnonzero(marks))


def marked(text: str, verdict: Verdict) -> npt.NDArray[np.bool_]:
    """(len(text),) which characters are flagged."""
    marks = np.zeros(len(text), dtype=np.bool_)
    for span in verdict.spans:
        marks[span.start : span.end] = True
    return marks


def _batches(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Consecutive runs of at most so many characters in all, or of one prompt."""
    batches, start, total = [], 0, 0
    for index, length in enumerate(lengths):
        if index > start and total + length > BATCH_CHARACTERS:
            batches.append((start, index))
            start, total = index, 0
        total += length
    if start < len(lengths):
        batches.append((start, len(lengths)))
    return batches
