"""A table of all corruption functions: what each does to forget answers, to fluency, and to the words themselves."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

import unlearned
from unlearned.check.facts import FactQuestion
from unlearned.corrupt.functions import corruptions
from unlearned.demo.concepts import CONCEPTS, Concept
from unlearned.engines.base import Completion
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import FitError
from unlearned.learn.config import WITHOUT_NAMES, FitConfig, StrengthConfig
from unlearned.learn.fit import fit_detector
from unlearned.learn.fluency import fluency, is_degenerate
from unlearned.learn.ledger import Ledger
from unlearned.learn.strength import learn_one
from unlearned.learn.strength_problem import prepare_problem
from unlearned.progress import Progress
from unlearned.report.formats import limits_as_markdown
from unlearned.types import Prompt, PromptInput, Span, Verdict
from unlearned.unlearners.eco import ECO, ForgetScope

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from unlearned.artifact.schema import BaseModelRecord

ANSWER_TOKENS = 48
REPEAT = "Repeat the following text word for word, and write nothing else: "
CONTENT = re.compile(r"[^\W_]{4,}")


@dataclass(frozen=True, slots=True)
class CorruptionRow:
    """One function on one scope, with the parameter that was learned for it. "none" is the original model."""

    function: str
    parameter: str
    evaluations: int
    distance: float
    """Distance of the mean answer likelihood from v_hat: 1 = remembers everything."""

    leaks: int
    """Answers to the held-out questions that hold a fact, all questions counting as in scope."""

    questions: int
    degenerate: int
    """Answers that are empty or repeat themselves."""

    perplexity: float
    """Perplexity of the other answers under the original model."""

    repeated: float
    """Share of a question's longer words that the model repeats when asked to."""

    example: str


def measure_corruptions(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    base_model: BaseModelRecord,
    *,
    concept: str = CONCEPTS[0],
    functions: Sequence[str] | None = None,
    on_progress: Progress | None = None,
) -> list[CorruptionRow]:
    """One row per registered function, after one for the original model."""
    report = on_progress or (lambda phase, done, total: None)
    engine, data = TransformersEngine(model, tokenizer), Concept(concept)
    detector = fit_detector(data.forget, data.retain, scope=concept, config=FitConfig(seed=0))
    scope, config = detector.scopes[0], StrengthConfig(corruption=WITHOUT_NAMES)
    problem = prepare_problem(engine, base_model, scope, data.forget, data.retain, config, report)
    names = functions or corruptions.names()
    rows = [_row(engine, data.held_out, None, "none", "", 0, 1.0)]
    for number, name in enumerate(names):
        report("functions", number, len(names))
        try:
            found = learn_one(problem, scope, name, Ledger(None, ""), name, lambda *_: None)
        except FitError as error:
            raise FitError(f"{name}: {error}") from error
        corruption, part = found.corruption, corruptions.get(name)
        shown = {"sigma": f"sigma {corruption.strength or 0:.3g}", "dims": f"dims {corruption.dims}", None: ""}
        rows.append(
            _row(
                engine,
                data.held_out,
                found.scope,
                name,
                shown[part.parameter],
                len(found.trace),
                found.chosen.distance,
            )
        )
    report("functions", len(names), len(names))
    return rows


def _row(
    engine: TransformersEngine,
    questions: Sequence[FactQuestion],
    scope: ForgetScope | None,
    name: str,
    parameter: str,
    evaluations: int,
    distance: float,
) -> CorruptionRow:
    eco = ECO([scope] if scope else [])

    def ask(prompt: Prompt, start: int) -> PromptInput:
        """All of the prompt from this character on is in scope."""
        if scope is None:
            return PromptInput(prompt.token_ids)
        span = Span(start, prompt.segments[-1].end, scope.name, 1.0)
        return eco.corrupt(prompt, Verdict((span,), 1.0), engine)

    asked = [engine.tokenize(question.prompt) for question in questions]
    answers = _answers(engine, [ask(prompt, prompt.segments[-1].start) for prompt in asked])
    repeat = [engine.tokenize(REPEAT + question.prompt) for question in questions]
    echoes = _answers(engine, [ask(prompt, prompt.segments[-1].start + len(REPEAT)) for prompt in repeat])
    [fluent] = fluency(engine, [answers])
    return CorruptionRow(
        function=name,
        parameter=parameter,
        evaluations=evaluations,
        distance=distance,
        leaks=sum(question.leaked_by(a.text) for question, a in zip(questions, answers, strict=True)),
        questions=len(questions),
        degenerate=sum(map(is_degenerate, answers)),
        perplexity=fluent.perplexity,
        repeated=_repeated([question.prompt for question in questions], echoes),
        example=answers[0].text.replace("\n", " ")[:100],
    )


def _answers(engine: TransformersEngine, inputs: Sequence[PromptInput]) -> list[Completion]:
    return engine.generate(inputs, max_new_tokens=ANSWER_TOKENS, do_sample=False, batch_size=32)


def _repeated(texts: Sequence[str], echoes: Sequence[Completion]) -> float:
    found = total = 0
    for text, echo in zip(texts, echoes, strict=True):
        words = {word.lower() for word in CONTENT.findall(text)}
        found += len(words & {word.lower() for word in CONTENT.findall(echo.text)})
        total += len(words)
    return found / total


LIMITS = (
    "One scope and a few questions: a count of leaks moves by several from one set of questions to another.",
    "A low perplexity is no fluency by itself: stock phrases and loops have one, too. Read the answers.",
    "A parameter is learned for each function, so the rows differ in how far that went (distance left).",
)


def verdict(rows: Sequence[CorruptionRow]) -> str:
    """What came out, in one sentence."""
    own = [row for row in rows if row.function != "none"]
    clean = [row.function for row in own if not row.leaks and not row.degenerate]
    named = ", ".join(clean) if clean else "none"
    before = next((f"; before, {row.leaks} of {row.questions} leak" for row in rows if row.function == "none"), "")
    return f"{len(clean)} of {len(own)} functions leak nothing and give no empty or repeating answer ({named}){before}."


def report(rows: Sequence[CorruptionRow], *, model: str, scope: str, at: str) -> str:
    """Everything in Markdown: what was measured on what, the verdict, the table, and the limits."""
    questions = max((row.questions for row in rows), default=0)
    versions = f"unlearned {unlearned.__version__}, torch {torch.__version__}"
    head = (
        f"{model} on {platform.processor() or platform.machine()}; {questions} held-out questions about the demo's "
        f"scope {scope}, all taken as in scope, answered with {ANSWER_TOKENS} tokens. Made on {at}; {versions}."
    )
    title = "# What every corruption function does\n"
    return "\n".join([title, f"{head}\n", f"**{verdict(rows)}**\n", as_markdown(rows), limits_as_markdown(LIMITS)])


def leaks_plot(rows: Sequence[CorruptionRow]) -> str:
    """Leaks against perplexity as SVG, a shape for each function; what would cover another mark stands beside it.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    from unlearned.plots import LINE, MARKERS, SERIES, as_file, new_figure

    figure, axes = new_figure(height=5.0)
    met: dict[tuple[int, float], int] = {}
    for number, row in enumerate(rows):
        place = (row.leaks, round(row.perplexity, 1))
        before = met[place] = met.get(place, 0) + 1
        plain = row.function == "none"
        colour = LINE if plain else SERIES[number % len(SERIES)]
        axes.plot(
            [row.leaks + 0.25 * (before - 1)],
            [row.perplexity],
            marker="o" if plain else MARKERS[number % len(MARKERS)],
            markerfacecolor="none" if plain else colour,
            markeredgecolor=colour,
            linestyle="none",
            label=row.function,
        )
    axes.set_xlabel("answers that leak (a quarter to the right for each mark at the same place)")
    axes.set_ylabel("perplexity of the others")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, labelcolor=LINE, fontsize=7)
    return as_file(figure)


def as_markdown(rows: Sequence[CorruptionRow]) -> str:
    """The rows as a table."""
    head = "| function | parameter | evaluations | distance left | leaks | empty or repeating | perplexity | repeated |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            f"| {row.function} | {row.parameter} | {row.evaluations} | {row.distance:.0%} | "
            f"{row.leaks}/{row.questions} | {row.degenerate}/{row.questions} | {row.perplexity:.1f} | "
            f"{row.repeated:.0%} |"
        )
    return "\n".join(lines) + "\n"
