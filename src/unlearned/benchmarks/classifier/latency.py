"""Row on what a decision costs, against what reading the same words costs the encoder anyway."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from unlearned.benchmarks.classifier.bench import Bench, Fitted, Remembering
from unlearned.benchmarks.classifier.carriers import filler
from unlearned.benchmarks.classifier.results import Ratio, Row
from unlearned.classify.base import TextEncoder
from unlearned.classify.borders import detect_in_conversations
from unlearned.classify.kept import VECTORS
from unlearned.classify.sentences import SentenceEncoder
from unlearned.classify.windows import windows
from unlearned.stages import Prompt, text_only

PROMPTS, LONG_PAIRS, SHORT_PAIRS = 16, 5, 30
LONG_TOKENS, TOKENS_PER_WORD = 10_000, 1.3


def latency(bench: Bench) -> Row:
    """Short prompts one by one, in and out of scope; and one of 10,000 tokens."""
    scope = bench.tofu("10")
    assert isinstance(scope.classifier, Remembering)
    scope = replace(scope, classifier=scope.classifier.inner)  # nothing is remembered here
    short = [*bench.some(bench.data.forget("10"), PROMPTS // 2), *bench.some(bench.data.elsewhere(), PROMPTS // 2)]
    phrases, words = bench.data.reviews("train"), int(LONG_TOKENS / TOKENS_PER_WORD)
    long = " ".join(filler(phrases, words, bench.rng("latency")))
    encoder, pairs = scope.classifier.encoder, (SHORT_PAIRS, LONG_PAIRS) if bench.limit is None else (2, 2)
    places = windows(long, 0, len(long))
    bench.report("latency", 0, 2)
    ratios = [
        _paired(
            bench, "one short prompt", "the encoder's forward pass", 1.3, len(short), pairs[0],
            _decisions(scope, [text_only(text) for text in short]), _forwards(encoder, short),
        )
    ]  # fmt: skip
    bench.report("latency", 1, 2)
    ratios.append(
        _paired(
            bench, "a prompt of 10,000 tokens", f"the encoder on its {len(places)} windows", 1.2, 1, pairs[1],
            _decisions(scope, [text_only(long)]), lambda: encoder.encode([long[start:end] for start, end in places]),
        )
    )  # fmt: skip
    bench.report("latency", 2, 2)
    return Row(ratios=ratios)


def _decisions(scope: Fitted, prompts: Sequence[Prompt]) -> Callable[[], Any]:
    def run() -> None:
        VECTORS.clear()  # texts that nobody has asked before
        for prompt in prompts:
            detect_in_conversations([prompt], [scope])

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


def _paired(
    bench: Bench,
    name: str,
    baseline: str,
    target: float,
    prompts: int,
    pairs: int,
    ours: Callable[[], Any],
    theirs: Callable[[], Any],
) -> Ratio:
    """Measure in turn, so that a drift of the machine meets both; the first pair only warms up."""
    times = []
    for turn in range(pairs + 1):
        if turn % 2:
            mine, other = _milliseconds(ours), _milliseconds(theirs)
        else:
            other, mine = _milliseconds(theirs), _milliseconds(ours)
        times.append((mine / prompts, other / prompts))
    low, median, high = statistics.quantiles([mine / other for mine, other in times[1:]], n=4)
    decision, base = (statistics.median(values) for values in zip(*times[1:], strict=True))
    return Ratio(
        "latency", name, bench.kind, baseline, median, (low, high), decision, base, target, bool(median <= target)
    )


def _milliseconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)
