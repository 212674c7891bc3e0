"""Row on what a decision costs, against what reading the same words costs the encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from unlearned.benchmarks.classifier.bench import Bench, CachedClassifier, Fitted
from unlearned.benchmarks.classifier.carriers import filler
from unlearned.benchmarks.classifier.pasted_texts import PASTED_TEXTS, tokens_of
from unlearned.benchmarks.classifier.results import RowResult, TimeRatio
from unlearned.benchmarks.pairs import in_turn, seconds
from unlearned.classify.base import TextEncoder
from unlearned.classify.borders import detect_in_conversations
from unlearned.classify.detect import forget_asked
from unlearned.classify.scope_set import ScopeSet
from unlearned.classify.sentences import SentenceEncoder
from unlearned.classify.windows import windows
from unlearned.types import Prompt, text_only

PROMPTS, LONG_PAIRS, SHORT_PAIRS = 16, 5, 30
LONG_TOKENS, TOKENS_PER_WORD = 10_000, 1.3


def latency(bench: Bench) -> RowResult:
    """Short prompts one by one, in and out of scope; one of 10,000 tokens; and what machines write, against prose."""
    scope = bench.tofu("10")
    assert isinstance(scope.classifier, CachedClassifier)
    scope = replace(scope, classifier=scope.classifier.inner)  # nothing is remembered here
    own, others = (bench.some(texts, PROMPTS // 2) for texts in (bench.data.forget("10"), bench.data.elsewhere()))
    phrases, words = bench.data.reviews("train"), int(LONG_TOKENS / TOKENS_PER_WORD)
    long = " ".join(filler(phrases, words, bench.rng("latency")))
    encoder, pairs = scope.classifier.encoder, (SHORT_PAIRS, LONG_PAIRS) if bench.limit is None else (2, 2)
    places = windows(long, 0, len(long))
    machine = {kind: write(bench.rng("latency", kind)) for kind, write in PASTED_TEXTS.items()}
    tokens = dict(zip((long, *machine.values()), tokens_of((long, *machine.values())), strict=True))
    steps = 3 + len(machine)
    bench.report("latency", 0, steps)
    ratios = [
        _paired(
            bench, f"one short prompt, {where}", "the encoder's forward pass", target, pairs[0],
            (len(some), _decisions(scope, [text_only(text) for text in some])), (len(some), _forwards(encoder, some)),
        )
        for where, target, some in (("in scope", 1.15, own), ("about others", 0.3, others))
    ]  # fmt: skip
    bench.report("latency", 2, steps)
    ratios.append(
        _paired(
            bench, "a prompt of 10,000 tokens", f"the encoder on its {len(places)} windows", 0.25, pairs[1],
            (1, _decisions(scope, [text_only(long)])),
            (1, lambda: encoder.encode([long[start:end] for start, end in places])),
        )
    )  # fmt: skip
    for number, (kind, text) in enumerate(machine.items(), start=3):
        bench.report("latency", number, steps)
        ratios.append(
            _paired(
                bench, f"1,000 tokens of {kind}", "1,000 tokens of prose", 1.5, pairs[1],
                (tokens[text] / 1000, _decisions(scope, [text_only(text)])),
                (tokens[long] / 1000, _decisions(scope, [text_only(long)])),
            )
        )  # fmt: skip
    bench.report("latency", steps, steps)
    return RowResult(ratios=ratios)


def _decisions(scope: Fitted, prompts: Sequence[Prompt]) -> Callable[[], Any]:
    scopes = ScopeSet([scope])

    def run() -> None:
        forget_asked()  # texts that nobody has asked before
        for prompt in prompts:
            detect_in_conversations([prompt], scopes)

    return run


def _forwards(encoder: TextEncoder, texts: Sequence[str]) -> Callable[[], Any]:
    """One pass per text, on ready-made input tensors; of an encoder without such a step, with its preparation."""
    if not isinstance(encoder, SentenceEncoder):
        return lambda: [encoder.encode([text]) for text in texts]
    model = encoder.model
    features = [model.preprocess([text]) for text in texts]

    @torch.inference_mode()
    def run() -> None:
        for feature in features:
            model(feature)

    return run


Timed = tuple[float, Callable[[], Any]]
"""Work, and how many of what is reported it does."""


def _paired(bench: Bench, name: str, baseline: str, target: float, pairs: int, ours: Timed, theirs: Timed) -> TimeRatio:
    """Milliseconds of both, in turn."""
    found = in_turn(lambda: 1000 * seconds(ours[1]) / ours[0], lambda: 1000 * seconds(theirs[1]) / theirs[0], pairs)
    return TimeRatio(
        "latency",
        name,
        bench.kind,
        baseline,
        found.median,
        (found.low, found.high),
        found.ours,
        found.theirs,
        target,
        bool(found.median <= target),
    )
