"""What a corruption is learned on; everything that does not depend on the corruption, worked out once."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

from unlearned.artifact.schema import BaseModelRecord
from unlearned.engines.base import Completion
from unlearned.engines.logits_to_keep import keep_last_logits
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import FitError, FitWarning
from unlearned.examples import Row, background_prompts, evenly
from unlearned.learn.config import StrengthConfig
from unlearned.learn.default_corruption import may_substitute
from unlearned.learn.distinctive import distinctive_words
from unlearned.learn.fluency import FluencyGuard, fluency, recites
from unlearned.learn.forget_prompts import plain
from unlearned.learn.invented import invented
from unlearned.learn.measures import Facts, Likelihood, MeasureInputs, choice_prompt, measures
from unlearned.learn.objective import GuardedAnswers, ObjectiveTerm
from unlearned.learn.surrogate import surrogate_values
from unlearned.progress import Progress
from unlearned.types import Prompt, PromptInput
from unlearned.unlearners.eco import ForgetScope

WITH_FACTS = 0.25
"""Share of the answers that must have facts, for these to be what is measured."""


@dataclass(frozen=True, slots=True, eq=False)
class StrengthProblem:
    """What a corruption is learned on; everything that does not depend on it."""

    engine: TransformersEngine
    base_model: BaseModelRecord
    config: StrengthConfig
    prompts: Sequence[Prompt]
    rows: Sequence[Row]
    targets: Sequence[ObjectiveTerm]
    answers: GuardedAnswers | None
    guard: FluencyGuard | None


def prepare_problem(
    engine: TransformersEngine,
    base_model: BaseModelRecord,
    scope: ForgetScope,
    forget: Sequence[Row],
    retain: Sequence[Row],
    config: StrengthConfig,
    report: Progress,
) -> StrengthProblem:
    """Rows, answers, plain values, surrogate values and the reference of fluency: once for all candidates."""
    by_facts = not config.objectives and may_substitute(config.corruption)
    given = evenly(forget, min(config.max_examples, config.facts_examples) if by_facts else config.max_examples)
    rows = with_answers(engine, given, config, report)
    prompts = [engine.tokenize(choice_prompt(row)) for row in rows]
    originals = plain(prompts)
    materials = MeasureInputs(engine, scope.classifier.encoder, rows, config.batch_size)
    names = config.objectives or ((Facts.name,) if by_facts else (Likelihood.name,))
    if Facts.name in names:
        materials = replace(materials, said=_said(engine, prompts, rows, given, config))
        if by_facts and not _telling(materials):
            names = (Likelihood.name,)
    makers = [measures.get(name) for name in names]
    made = [make(materials) for make in makers]
    reads_all = any(measure.generates for measure in made)
    few = evenly(range(len(rows)), config.fluency_examples)
    answers = GuardedAnswers(engine, range(len(rows)) if reads_all else few, config.answer_tokens, config.batch_size)

    def texts(inputs: Sequence[PromptInput]) -> list[str]:
        return [answer.text for answer in answers([inputs])[0]]

    report("surrogate", 0, 1)
    unrelated = [row.prompt for row in retain] or background_prompts()
    targets = []
    for make, measure in zip(makers, made, strict=True):
        v_hat = surrogate_values(make, materials, config.surrogate, unrelated, texts)
        plain_values = measure([originals], [materials.said or texts(originals)] if measure.generates else [])[0]
        targets.append(ObjectiveTerm(measure, plain_values, v_hat))
    guard = None
    if config.fluency and not _recites(engine, scope.name, prompts, rows, config):
        guard = FluencyGuard(fluency(engine, [_reference(replace(answers, chosen=few), rows)])[0], few)
    report("surrogate", 1, 1)
    _warn_if_unknown(scope.name, targets)
    needed = answers if reads_all or guard is not None else None
    return StrengthProblem(engine, base_model, config, prompts, rows, targets, needed, guard)


def _said(
    engine: TransformersEngine,
    prompts: Sequence[Prompt],
    rows: Sequence[Row],
    given: Sequence[Row],
    config: StrengthConfig,
) -> list[str]:
    """(N,) the original model's own answers; those of rows that came without an answer are known already."""
    known = {row.prompt for row in given if row.answer is None}
    asked = [n for n, row in enumerate(rows) if row.prompt not in known]
    found = GuardedAnswers(engine, asked, config.answer_tokens, config.batch_size)([plain(prompts)])[0] if asked else []
    said = [row.answer or "" for row in rows]
    for n, answer in zip(asked, found, strict=True):
        said[n] = answer.text
    return said


def _telling(materials: MeasureInputs) -> bool:
    """Whether what the original model says has enough facts to tell knowing from not knowing."""
    bank, pairs = materials.engine.bank, zip(materials.rows, materials.said, strict=True)
    return sum(bool(distinctive_words(said, row.prompt, bank)) for row, said in pairs) >= WITH_FACTS * len(
        materials.rows
    )


def _reference(answers: GuardedAnswers, rows: Sequence[Row]) -> list[Completion]:
    """The original model's answers about invented subjects."""
    prompts = [answers.engine.tokenize(choice_prompt(row)) for row in invented(rows, answers.engine.bank, seed=0)]
    return answers([plain(prompts)])[0]


def with_answers(
    engine: TransformersEngine, rows: Sequence[Row], config: StrengthConfig, report: Progress
) -> list[Row]:
    """Rows with answers: where there is none, the original model's own; rows that it says nothing to are left out."""
    missing = [index for index, row in enumerate(rows) if row.answer is None]
    filled = list(rows)
    if missing:
        report("answers", 0, 1)
        generated = engine.generate(
            plain([engine.tokenize(choice_prompt(rows[index])) for index in missing]),
            max_new_tokens=config.answer_tokens,
            do_sample=False,
            batch_size=config.batch_size,
            **keep_last_logits(engine.model),
        )
        for index, completion in zip(missing, generated, strict=True):
            filled[index] = replace(rows[index], answer=completion.text.strip() or None)
        report("answers", 1, 1)
    answered = [row for row in filled if row.answer]
    if not answered:
        raise FitError("None of the forget rows has an answer, and the model gives none. Add answers to the file.")
    return answered


def _recites(
    engine: TransformersEngine, scope: str, prompts: Sequence[Prompt], rows: Sequence[Row], config: StrengthConfig
) -> bool:
    scores = engine.log_likelihood(plain(prompts), [row.answer or "" for row in rows], batch_size=config.batch_size)
    found = recites([tokens.numpy() for tokens in scores])
    if found:
        warnings.warn(
            f"The model recites the answers of {scope!r} word for word, so it is no judge of fluency: the guard of "
            "fluency is off. Look at the answers, or say --no-fluency (fluency=False).",
            FitWarning,
            stacklevel=_outside(),
        )
    return found


def _warn_if_unknown(scope: str, targets: Sequence[ObjectiveTerm]) -> None:
    for target in targets:
        before, expected = float(target.plain.mean()), float(target.surrogate.mean())
        known = expected - before if target.measure.name == "truth_ratio" else before - expected
        if target.measure.name != "refusal" and known < target.measure.least_gap:
            warnings.warn(
                f"By {target.measure.name!r} the model knows the answers of {scope!r} no better than a model that "
                f"never saw them would ({before:.2f} against {expected:.2f}). Check the answers.",
                FitWarning,
                stacklevel=_outside(),
            )


def _outside() -> int:
    """The stack level, seen from the caller, of the code that called this package: `fit` or `add_strength`."""
    level, frame = 0, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "unlearned":
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    return level + 1
