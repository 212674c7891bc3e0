"""One model on TOFU: losses and greedy answers on the four sets, on paraphrased questions and on paired ones.

What an unlearner hands on unchanged is the start model's own input, so the start model's numbers are taken over; which
ones were computed anew all the same, and whether those are identical, is recorded with every item.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from unlearned.benchmarks.asking import drawn
from unlearned.benchmarks.systems import System
from unlearned.benchmarks.tofu.config import EvaluationConfig
from unlearned.benchmarks.tofu.items import Evaluation, Item, made_item
from unlearned.benchmarks.tofu.prepared import PreparedQuestion, ask
from unlearned.benchmarks.tofu.prompts import format_of
from unlearned.benchmarks.tofu.questions import TofuQuestion
from unlearned.benchmarks.tofu.scoring import Losses, Scored, Scorer, together
from unlearned.engines.base import Completion
from unlearned.engines.shrinking_batch import greedy_answers
from unlearned.engines.transformers import TransformersEngine
from unlearned.progress import Progress
from unlearned.types import Prompt, PromptInput


def evaluate(
    system: System,
    scorer: Scorer,
    asked: Mapping[str, Sequence[TofuQuestion]],
    config: EvaluationConfig,
    *,
    start: Evaluation | None = None,
    on_progress: Progress | None = None,
) -> Evaluation:
    """Ask one model everything.

    Args:
        system: what stands between questions and model.
        scorer: of the engine that runs the model.
        asked: sets of questions.
        config: how.
        start: the start model's evaluation of the same questions; None computes everything.
        on_progress: called with (phase, done, total).
    """
    report = on_progress or (lambda phase, done, total: None)
    total = sum(map(len, asked.values()))
    found: Evaluation = {}
    for name, rows in asked.items():
        report(system.name, sum(map(len, found.values())), total)
        prepared = ask(system, [row.text for row in rows])
        if start is None:
            found[name] = evaluate_set(prepared, rows, scorer, config)
            continue
        needed = {index for index, one in enumerate(prepared) if one.changed} | _drawn(prepared, config, name)
        found[name] = evaluate_set(prepared, rows, scorer, config, needed=needed, reference=start[name])
    report(system.name, total, total)
    return found


def evaluate_set(
    prepared: Sequence[PreparedQuestion],
    rows: Sequence[TofuQuestion],
    scorer: Scorer,
    config: EvaluationConfig,
    *,
    needed: Iterable[int] | None = None,
    reference: Sequence[Item] | None = None,
) -> list[Item]:
    """The items of one set.

    Whole batches are computed, so that every number comes from the same batch as in any other run.

    Args:
        prepared: the questions as the model gets them.
        rows: the questions.
        scorer: of the engine.
        config: how.
        needed: rows that have to be computed; None = all. Those that share a batch with one are computed with it.
        reference: items of the start model, taken over for all others.
    """
    wanted = set(range(len(rows)) if needed is None else needed)
    written: dict[int, Completion] = {}
    losses: dict[int, Losses] = {}
    for batch in _passes(prepared, wanted):
        written |= _generate(batch, scorer.engine, config)
        if rows and rows[0].answers:
            losses |= _score(batch, rows, scorer)
    items = []
    for index, (one, row) in enumerate(zip(prepared, rows, strict=True)):
        before = None if reference is None else reference[index]
        if index in written:
            # Answers and losses have batches of their own: a row may have been run in one of the two only.
            item = made_item(one, row, written[index], losses.get(index) or _losses_of(before))
        else:
            assert before is not None, "a row is either computed or taken over"
            scored, verdict = losses.get(index) or _losses_of(before), one.input.verdict
            item = replace(
                before,
                flagged=verdict.in_scope,
                score=float(verdict.score),
                losses=scored.means,
                counts=scored.tokens,
                computed=index in losses,
                identical=None,
            )
        if before is not None and item.computed and not one.changed:
            same = (item.generated, item.losses) == (before.generated, before.losses)
            item = replace(item, identical=same)
        items.append(item)
    return items


def _drawn(prepared: Sequence[PreparedQuestion], config: EvaluationConfig, name: str) -> set[int]:
    """Unchanged rows of one random batch."""
    groups = together([len(one.plain.token_ids) for one in prepared], config.batch_size)
    return drawn(groups, lambda index: not prepared[index].changed, config.recheck, f"{config.seed} {name}")


def _losses_of(item: Item | None) -> Losses:
    return Losses((), ()) if item is None else Losses(item.losses, item.counts)


@dataclass(frozen=True, slots=True, eq=False)
class _Pass:
    """Rows that are batched together."""

    indices: list[int]
    prompts: list[Prompt]
    inputs: list[PromptInput]
    wanted: set[int]
    """Those of `indices` whose batches are run."""

    kept: set[int]
    """Those of `indices` whose results count."""

    fixed: Mapping[int, str] = field(default_factory=dict)
    """Index -> answer that is given without the model."""

    shared: int | None = None
    """How many tokens an instruction makes all prompts begin with."""


def _passes(prepared: Sequence[PreparedQuestion], wanted: set[int]) -> Iterator[_Pass]:
    """First what has the start model's tokens, in the start model's batches, then what is worded otherwise.

    In the first pass the plain question stands in for one that is worded otherwise: batches of the same shapes, so that
    the other numbers in them can be identical to the start model's to the last bit.
    """
    reworded = {index for index, one in enumerate(prepared) if one.reworded or one.answer is not None}
    everything = range(len(prepared))
    if wanted - reworded:
        yield _Pass(
            list(everything),
            [one.plain for one in prepared],
            [PromptInput(one.plain.token_ids) if i in reworded else one.input for i, one in enumerate(prepared)],
            wanted - reworded,
            set(everything) - reworded,
        )
    if wanted & reworded:
        chosen = sorted(reworded)
        yield _Pass(
            chosen,
            [prepared[index].prompt for index in chosen],
            [prepared[index].input for index in chosen],
            wanted & reworded,
            reworded,
            {index: answer for index in chosen if (answer := prepared[index].answer) is not None},
            _common([prepared[index].input for index in chosen]),
        )


def _common(inputs: Sequence[PromptInput]) -> int | None:
    """How many leading tokens these prompts share; None where that is not known to be safe."""
    if any(given.corrupted for given in inputs):
        return None
    low, high = min(given.token_ids for given in inputs), max(given.token_ids for given in inputs)
    same = [a == b for a, b in zip(low, high, strict=False)]  # rows between these two share what the two share
    shortest = min(len(given.token_ids) for given in inputs)
    return min([*(i for i, equal in enumerate(same) if not equal), shortest - 1])


def _generate(run: _Pass, engine: TransformersEngine, config: EvaluationConfig) -> dict[int, Completion]:
    """Index -> answer, of all batches that hold a wanted row."""
    written = {
        index: Completion(text, tuple(engine.tokenizer(text, add_special_tokens=False)["input_ids"]))
        for index, text in run.fixed.items()
    }
    asking = [place for place, index in enumerate(run.indices) if index not in written]
    for group in together([len(run.inputs[place].token_ids) for place in asking], config.batch_size):
        places = [asking[number] for number in group]
        if not run.wanted & {run.indices[place] for place in places}:
            continue
        asked = [run.inputs[place] for place in places]
        answers = greedy_answers(engine, asked, ends=_ends(engine), max_new_tokens=config.max_new_tokens)
        written |= zip((run.indices[place] for place in places), answers, strict=True)
    return {index: answer for index, answer in written.items() if index in run.kept}


def _score(run: _Pass, rows: Sequence[TofuQuestion], scorer: Scorer) -> dict[int, Losses]:
    """Index -> losses of its answers, of all batches that hold a wanted row."""
    form = format_of(scorer.engine.tokenizer)
    targets = [[form.target(answer) for answer in rows[index].answers] for index in run.indices]
    scored = [
        # Real authors and world facts have no paraphrase: the answer is scored once.
        Scored(prompt, given, tuple(dict.fromkeys(texts)))
        for prompt, given, texts in zip(run.prompts, run.inputs, targets, strict=True)
    ]
    groups = [group for group in scorer.groups(scored) if run.wanted & {run.indices[place] for place in group}]
    found = {}
    for place, losses in scorer.score(scored, groups, shared=run.shared).items():
        order = [scored[place].targets.index(text) for text in targets[place]]
        if run.indices[place] in run.kept:
            found[run.indices[place]] = Losses(
                tuple(losses.means[number] for number in order), tuple(losses.tokens[number] for number in order)
            )
    return found


def _ends(engine: TransformersEngine) -> list[int]:
    """What ends an answer: the token that was trained to, and the model's own."""
    own = engine.model.generation_config.eos_token_id
    ids = engine.tokenizer(format_of(engine.tokenizer).end, add_special_tokens=False)["input_ids"]
    return sorted({ids[-1], *([] if own is None else own if isinstance(own, list) else [own])})
