"""Folders as `unlearned bench tofu` writes them, made with its own writers from made-up models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from unlearned.artifact.schema import CandidateRecord, EvaluationRecord, MeasureRecord, StrengthRecord
from unlearned.benchmarks.step_cache import as_text
from unlearned.benchmarks.systems import UNFITTED
from unlearned.benchmarks.tofu.config import TofuRunConfig, TofuSplit
from unlearned.benchmarks.tofu.items import Evaluation, Item, as_log, evaluation_json, leak
from unlearned.benchmarks.tofu.log import write_log
from unlearned.benchmarks.tofu.results import METRICS, EvaluatedModel, model_json, summary
from unlearned.metrics.text import rouge_recall

HOSTILE = "<script>alert('x')</script> & \\textbf{50 %} | `_` <img src=x onerror=alert(1)>"
TEMPLATE = "<|turn|>user\n{}<|end|>\n<|turn|>assistant\n"
DETECTS = ("eco", "eco-rn", "eco-zo", "eco-auto", "eco-hand", "refusal")
SIZES = {"retain": 1.5, "real_authors": 1.0, "world_facts": 1.2}
KNOWN = {"start": 1.0, "none": 1.0, "retained": 0.1, "prompting": 0.8}
"""How much of the forget set each knows; the others: 0."""


def make_run(
    folder: Path,
    *,
    unlearners: Sequence[str] = ("none", "eco", "prompting"),
    seeds: int = 1,
    forget: int = 8,
    paraphrased: bool = True,
    hostile: bool = False,
    limit: int | None = None,
    past: float = 0.0,
) -> dict[str, Any]:
    """Write `results.json`, `steps/` and `logs/`; returns the content of `results.json`.

    Args:
        folder: made here.
        unlearners: names of the benchmark's.
        seeds: fits of each.
        forget: questions of the forget set; the others follow from it.
        paraphrased: whether the forget questions are asked in other words, too.
        hostile: whether questions and answers hold markup.
        limit: as if the run had been cut.
        past: added to log R of `eco` on the forget set, in nats.
    """
    for part in ("steps", "logs"):
        (folder / part).mkdir(parents=True)
    asked = _questions(forget, paraphrased, HOSTILE if hostile else "")
    names = [("start", None, None), ("retained", None, None)]
    names += [(f"{u}-seed{s}", u, s) for u in unlearners for s in range(1 if u in UNFITTED else seeds)]
    start = _evaluation(asked, "start", 0, past)
    tested = []
    for number, (name, unlearner, seed) in enumerate(names):
        kind = unlearner or name
        own = start if kind in ("start", "none") else _evaluation(asked, kind, seed or 0, past)
        tested.append(EvaluatedModel(name, unlearner, seed, own, {"fit": 1.5 + number, "evaluation": 20.25 + number}))
        content = {"settings": {}, "seconds": tested[-1].seconds, "items": evaluation_json(own)}
        (folder / "steps" / f"{name}.json").write_text(as_text(content))
        write_log(folder / "logs" / f"{name}.json", as_log(own))
    models = [model_json(one, start, tested[1].evaluation) for one in tested]
    config = TofuRunConfig(data="data", unlearners=tuple(unlearners), seeds=seeds, split=TofuSplit(limit=limit))
    results = {
        "format": 1,
        "benchmark": "tofu",
        "at": "2026-01-31",
        "config": asdict(config),
        "seeds": list(range(seeds)),
        "versions": {"unlearned": "0.1.0", "torch": "2.13.0"},
        "machine": "x86_64, 2 threads, linux",
        "device": "cpu",
        "dtype": "bfloat16",
        "data": {"sha256": "0" * 64, "rows": {name: len(rows) for name, rows in asked.items()}},
        "adapters": [],
        "metrics": METRICS,
        "summary": summary(models),
        "models": models,
        "speed": None,
        "seconds": {"training": 100.5, "all": 200.5},
    }
    (folder / "results.json").write_text(as_text(results))
    return results


def _questions(forget: int, paraphrased: bool, extra: str) -> dict[str, list[tuple[str, str, tuple[str, ...]]]]:
    """Set -> (id, question, truths)."""
    born = [(f"full/{n}", f"Where was Ann Bee number {n} born? {extra}", (f"In Zed{n}.",)) for n in range(forget)]
    rows = {"forget": born}
    for name, factor in SIZES.items():
        numbers = range(int(factor * forget))
        rows[name] = [(f"{name}/{n}", f"What is {name} {n}? {extra}", (f"It is Yot{n}.",)) for n in numbers]
    rows["paraphrased"] = [(i, f"Tell me: {q}", truths) for i, q, truths in rows["forget"]] if paraphrased else []
    rows["paired"] = [
        (f"{i}+{j}", f"{q} {p}", (*t, *u)) for (i, q, t), (j, p, u) in zip(rows["forget"], rows["retain"], strict=False)
    ]
    return rows


def _evaluation(asked: Any, kind: str, seed: int, past: float) -> Evaluation:
    found: Evaluation = {}
    for name, rows in asked.items():
        about = name in ("forget", "paraphrased", "paired")
        hits = kind in DETECTS and about
        # The same numbers for whatever reaches the start model unchanged; the retained model has its own.
        who = kind if hits or kind in ("retained", "prompting") else "start"
        generator = np.random.default_rng([len(name), sum(map(ord, who)), seed if hits else 0])
        shared = np.random.default_rng(len(name))
        found[name] = [_item(name, row, kind, hits, generator, shared, past) for row in rows]
    return found


def _item(
    name: str,
    row: tuple[str, str, tuple[str, ...]],
    kind: str,
    hits: bool,
    generator: np.random.Generator,
    shared: np.random.Generator,
    past: float,
) -> Item:
    identity, question, truths = row
    about = name in ("forget", "paraphrased", "paired")
    knows = KNOWN.get(kind, 0.0) if about else 0.8
    tells = generator.uniform() < knows
    generated = f"{truths[0] if tells else 'I would guess something else.'} {question[-90:] if '<' in question else ''}"
    own, common = generator.normal(0, 0.4, size=4), shared.normal(0, 0.7)
    base = 0.3 + 2.5 * (1 - knows)
    push = past if kind.startswith("eco") and about else 0.0
    wrong = base + 1.5 * knows + common + own[1:]
    losses = (base + abs(own[0]) * 0.3, base + 0.2 + push, *np.abs(wrong).tolist())
    prompt = TEMPLATE.format(question)
    first = prompt.index(question)
    rouge = tuple(rouge_recall([generated] * len(truths), truths).tolist())
    flagged = kind in DETECTS and about
    return Item(
        id=identity,
        question=question,
        prompt=prompt,
        truths=truths,
        flagged=flagged,
        score=float(np.clip(0.9 + own[0] / 10, 0, 1) if flagged else 0.02 if kind in DETECTS else 0.0),
        generated=generated,
        rouge=rouge,
        rouge1=rouge,
        leak=leak(generated, truths[0], question),
        tokens=8,
        unique=1.0,
        degenerate=False,
        losses=() if name in ("paraphrased", "paired") else losses,
        counts=() if name in ("paraphrased", "paired") else (5,) * 5,
        corrupted=((first, first + 12), (first + 15, first + 20)) if flagged and kind.startswith("eco") else (),
        computed=hits or kind not in DETECTS or identity.endswith("0"),
        identical=True if kind in DETECTS and not hits and identity.endswith("0") else None,
    )


TRACE = ((0.5, 0.9), (2.0, 0.4), (8.0, 0.06))


def strength(*, auto: bool = False) -> StrengthRecord:
    trace = [
        EvaluationRecord(
            parameter=parameter, value=value, distance=value, gap=value, error=0.05, penalty=0.0, per_item=None,
            degenerate=0.0, perplexity=None, values={"likelihood": -1.0}, seconds=1.0,
        )
        for parameter, value in TRACE
    ]  # fmt: skip
    return StrengthRecord(
        measures=[MeasureRecord(name="likelihood", plain=-0.1, surrogate=-4.0, found=-3.9)],
        surrogate="unrelated",
        optimiser="bracketing",
        examples=4,
        chosen=trace[-1],
        reference_perplexity=None,
        trace=trace,
        candidates=[
            CandidateRecord(function=name, selector="spans", chosen=one, pareto=one is trace[-1], evaluations=3)
            for name, one in (("zero_out_top_k", trace[-1]), ("shuffle", trace[0]))
            if auto
        ],
    )
