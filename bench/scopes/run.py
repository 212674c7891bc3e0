"""Measure decisions with 1, 10, 100, 1,000 scopes in force: invented people, one artifact each."""

from __future__ import annotations

import platform
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from unlearned.artifact.loading import load
from unlearned.benchmarks.pairs import PairedRatio, in_turn, seconds
from unlearned.classify.base import Features, TextEncoder
from unlearned.classify.borders import detect_in_conversations
from unlearned.classify.detect import forget_asked
from unlearned.classify.kernel import KernelClassifier
from unlearned.classify.lexicon import Lexicon, ScopeName
from unlearned.classify.scope import Scope
from unlearned.classify.scope_set import ScopeSet
from unlearned.classify.sentences import sentence_encoder
from unlearned.examples import background_prompts
from unlearned.learn.first_bar import HIGHEST
from unlearned.learn.fit import fit_detector
from unlearned.names.parts import given_names
from unlearned.progress import Progress
from unlearned.types import Prompt, messages_only, text_only

COUNTS = (1, 10, 100, 1000)
FORMS = (
    "Who is {}?", "Where was {} born?", "What books did {} write?", "Which awards did {} win?", "Is {} married?",
    "What do the parents of {} do?", "When was {} born?", "Tell me about the life of {}.", "Where did {} study?",
    "What genre does {} write in?", "What inspired {} to write?", "How did {} become famous?",
)  # fmt: skip
THRESHOLD = 0.3
"""About what a calibration chooses; the bar of the first passes is the highest that one may choose."""

PROMPTS, TURNS, LOADED = 20, 20, 20


@dataclass(frozen=True, slots=True)
class Cost:
    """Of decisions with some scopes in force, against one."""

    scopes: int
    ready_seconds: float
    """Once, at the start and whenever the set changes: what is worked out for all scopes together."""

    others: PairedRatio
    """Milliseconds for a short prompt about nobody of them."""

    own: PairedRatio
    """The same about one of them."""

    turn: PairedRatio
    """Milliseconds for turn 20 of a chat about nobody, whose earlier turns were checked."""


@dataclass(frozen=True, slots=True)
class ScopesReport:
    """What `measure_scopes` found."""

    machine: str
    distinct: int
    """Classifiers that differ; further scopes share them, under names of their own."""

    costs: tuple[Cost, ...]
    load_ms: float
    """Per artifact that is read from its folder, checked against its hashes."""

    peak_memory_mb: float


def measure_scopes(
    counts: Sequence[int] = COUNTS,
    *,
    distinct: int = 60,
    repeats: int = 20,
    on_progress: Progress | None = None,
) -> ScopesReport:
    """Fit classifiers for invented people and time decisions under more and more of them."""
    report = on_progress or (lambda phase, done, total: None)
    encoder = sentence_encoder()
    load_ms = _load_ms(LOADED if max(counts) >= LOADED else 2)
    scopes = _people(max(counts), min(distinct, max(counts)), encoder, report)
    one = ScopeSet(scopes[:1])
    one.ready()
    costs = []
    for done, count in enumerate(counts):
        report("scopes", done, len(counts))
        many, start = ScopeSet(scopes[:count]), time.perf_counter()
        many.ready()
        ready = time.perf_counter() - start
        own = [f"{FORMS[n % len(FORMS)].format(scopes[0].name)} ({n})" for n in range(PROMPTS)]
        costs.append(
            Cost(
                count,
                ready,
                _ratio(_prompts(background_prompts()[:PROMPTS]), many, one, repeats),
                _ratio(_prompts(own), many, one, repeats),
                _turn(many, one, repeats),
            )
        )
    report("scopes", len(counts), len(counts))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return ScopesReport(platform.processor() or platform.machine(), distinct, tuple(costs), load_ms, peak)


def _people(count: int, distinct: int, encoder: TextEncoder, report: Progress) -> list[Scope]:
    given = [word.capitalize() for word in sorted(given_names())]
    names = [f"{given[n % len(given)]} {given[(7 * n + n // len(given) + 1) % len(given)]}son" for n in range(count)]
    others = Features.of(background_prompts(), encoder)
    classifiers = []
    for n, name in enumerate(names[:distinct]):
        report("classifiers", n, distinct)
        own = Features.of([form.format(name) for form in FORMS], encoder)
        classifiers.append(KernelClassifier.fit(encoder, own, others, {}).with_bar(HIGHEST))
    report("classifiers", distinct, distinct)
    return [
        Scope(
            name=name,
            classifier=classifiers[n % distinct],
            threshold=THRESHOLD,
            lexicon=Lexicon([ScopeName(name=name)], [word.lower() for word in name.split()]),
        )
        for n, name in enumerate(names)
    ]


def _load_ms(count: int) -> float:
    """Of artifacts that differ in nothing but their folder."""
    name = "Anna Berg"
    with TemporaryDirectory() as place:
        first = Path(place) / "0"
        fit_detector([form.format(name) for form in FORMS], scope=name).save_pretrained(first)
        folders = [first, *(shutil.copytree(first, Path(place) / str(n)) for n in range(1, count))]
        return 1000 * seconds(lambda: load(*folders)) / count


def _prompts(texts: Sequence[str]) -> list[Prompt]:
    return [text_only(text) for text in texts]


def _ratio(prompts: Sequence[Prompt], many: ScopeSet, one: ScopeSet, repeats: int) -> PairedRatio:
    def ms(scopes: ScopeSet) -> Callable[[], float]:
        def run() -> float:
            forget_asked()
            return 1000 * seconds(lambda: [detect_in_conversations([p], scopes) for p in prompts]) / len(prompts)

        return run

    return in_turn(ms(many), ms(one), repeats)


def _turn(many: ScopeSet, one: ScopeSet, repeats: int) -> PairedRatio:
    texts = background_prompts()
    said = [(("user", "assistant")[n % 2], texts[n]) for n in range(2 * TURNS - 1)]
    before, last = messages_only(said[:-2]), messages_only(said)

    def ms(scopes: ScopeSet) -> Callable[[], float]:
        def run() -> float:
            forget_asked()
            detect_in_conversations([before], scopes)
            return 1000 * seconds(lambda: detect_in_conversations([last], scopes))

        return run

    return in_turn(ms(many), ms(one), repeats)
