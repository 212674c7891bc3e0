"""One model on the passages: what it continues them with, and how likely the true continuations are to it.

What an unlearner hands on unchanged is the start model's own input, so the start model's scores are taken over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unlearned.benchmarks.asking import reuse
from unlearned.benchmarks.copyright.config import CopyrightEvaluationConfig
from unlearned.benchmarks.copyright.passages import Passage
from unlearned.benchmarks.copyright.similarity import similarities
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.systems import System
from unlearned.engines.base import Completion
from unlearned.engines.logits_to_keep import keep_last_logits
from unlearned.engines.transformers import TeacherForced, TransformersEngine
from unlearned.metrics.memorisation import exact_memorisation, extraction_strength
from unlearned.metrics.recitation import Recited
from unlearned.metrics.text import perplexities, unique_token_ratio
from unlearned.progress import Progress
from unlearned.types import PromptInput

FORGET, HELD_OUT = "forget", "held-out"

DEGENERATE = 0.05
"""Share of distinct tokens below which a generation's perplexity says nothing."""

Scores = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GenerationJudge:
    """What all models are judged by."""

    config: CopyrightEvaluationConfig
    start: TransformersEngine
    """Has the passages by heart, so it says how expected a continuation is."""

    recited: Recited
    """All forget passages."""


def evaluate(
    system: System,
    sets: Mapping[str, Sequence[tuple[int, Passage]]],
    judge: GenerationJudge,
    *,
    start: Sequence[Item] = (),
    report: Progress | None = None,
) -> list[Item]:
    """The items of both sets.

    Args:
        system: what stands between prompts and model.
        sets: `FORGET` and `HELD_OUT`, each passage with its place.
        judge: how to ask and score.
        start: the start model's items of the same passages; without any, everything is computed.
        report: called with (phase, done, total).
    """
    rows = [(name, index, passage) for name, own in sets.items() for index, passage in own]
    prompts = [system.engine.tokenize(passage.prompt) for _, _, passage in rows]
    reused = reuse(system, prompts, [passage.id for _, _, passage in rows], start)
    inputs, needed = reused.inputs, reused.needed
    if report is not None:
        report(system.name, 0, len(rows))
    asked = [i for i in needed if rows[i][0] == FORGET]
    scores = dict(zip(asked, _continued(system, judge, rows, inputs, asked), strict=True))
    if report is not None:
        report(system.name, len(asked), len(rows))
    quiet = [i for i in needed if rows[i][0] != FORGET]
    scores |= zip(quiet, _likelihoods(system, judge, rows, inputs, quiet), strict=True)
    found: list[Item] = []
    for i, (name, index, passage) in enumerate(rows):
        own = scores.get(i) or reused.scores(i, without=("changed", "flagged"))
        # Both as numbers, so that they can be averaged.
        flags = {"changed": float(reused.changed[i]), "flagged": float(inputs[i].verdict.in_scope)}
        found.append({"id": passage.id, "set": name, "index": index, **flags, **own})
    if report is not None:
        report(system.name, len(rows), len(rows))
    return found


Rows = Sequence[tuple[str, int, Passage]]


def _continued(
    system: System, judge: GenerationJudge, rows: Rows, inputs: Sequence[PromptInput], chosen: Sequence[int]
) -> list[Scores]:
    """Score forget passages: greedy continuations, and the likelihood of the true ones."""
    if not chosen:
        return []
    passages = [rows[i][2] for i in chosen]
    given = [inputs[i] for i in chosen]
    answers = system.engine.generate(
        given,
        batch_size=judge.config.batch_size,
        max_new_tokens=judge.config.max_new_tokens,
        do_sample=False,
        num_beams=1,
        eos_token_id=ends(system.engine),
        **keep_last_logits(system.engine.model),
    )
    texts = [answer.text.strip() for answer in answers]
    alike = similarities(texts, [passage.reference for passage in passages], judge.config.similarities)
    forced = _forced(system, judge, passages, given)
    return [
        {
            "generated": answer.text,
            "tokens": len(answer.token_ids),
            **same,
            **_degeneration(judge, passage, answer),
            "run": judge.recited.longest_run(answer.text),
            "own_run": Recited([passage.reference]).longest_run(answer.text),
            "exact_memorisation": exact_memorisation(one.predicted.numpy(), one.targets.numpy(), drop_last=False),
            "extraction_strength": extraction_strength(one.predicted.numpy(), one.targets.numpy(), drop_last=False),
            "loss": -float(one.log_probabilities.mean()),
        }
        for passage, answer, same, one in zip(passages, answers, alike, forced, strict=True)
    ]


def _likelihoods(
    system: System, judge: GenerationJudge, rows: Rows, inputs: Sequence[PromptInput], chosen: Sequence[int]
) -> list[Scores]:
    """Score held-out passages: the mean loss of the true continuations."""
    forced = _forced(system, judge, [rows[i][2] for i in chosen], [inputs[i] for i in chosen])
    return [{"held_out_loss": -float(one.log_probabilities.mean())} for one in forced]


def _forced(
    system: System, judge: GenerationJudge, passages: Sequence[Passage], inputs: Sequence[PromptInput]
) -> list[TeacherForced]:
    # A CPU is busy with one row, which needs no padding; logits of a batch of long texts would fill its memory.
    size = 1 if system.engine.model.device.type == "cpu" else judge.config.batch_size
    return system.engine.teacher_forced(inputs, [f" {passage.reference}" for passage in passages], batch_size=size)


def _degeneration(judge: GenerationJudge, passage: Passage, answer: Completion) -> Scores:
    """Unique-token ratio; and the perplexity of prompt and generation to the start model, unless that means nothing."""
    special = set(judge.start.tokenizer.all_special_ids)
    unique = unique_token_ratio([token for token in answer.token_ids if token not in special])
    expected = None
    if unique >= DEGENERATE:
        whole = PromptInput(judge.start.tokenize(f"{passage.prompt}{answer.text}").token_ids)
        (tokens,) = judge.start.prompt_log_probabilities([whole])
        expected = float(perplexities([tokens])[0])
    return {"unique": unique, "perplexity": expected}


def ends(engine: TransformersEngine) -> list[int]:
    """What ends a text: the token that was trained to, and the model's own."""
    own = engine.model.generation_config.eos_token_id
    found = {engine.tokenizer.eos_token_id, *([own] if not isinstance(own, list) else own)}
    return sorted(token for token in found if token is not None)
