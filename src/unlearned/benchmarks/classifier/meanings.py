"""Rows on what words refer to: pronouns, other languages, another person of the same name."""

from __future__ import annotations

from dataclasses import replace

from unlearned.benchmarks.classifier.bench import Bench
from unlearned.benchmarks.classifier.results import MEASURED, NONE, RowResult, Target, counted
from unlearned.benchmarks.classifier.sets import AUTHOR, homonyms, talks, translations
from unlearned.classify.exemptions import Exemptions
from unlearned.examples import Row as Example
from unlearned.learn.classifier import exemptions
from unlearned.types import Verdict, messages_only, text_only


def follow_ups(bench: Bench) -> RowResult:
    """The author is named in one turn and asked about, unnamed, in a later one; or something else is asked then."""
    measures = []
    for fragment, innocent, name, target in (
        (False, False, "follow-up questions missed", Target(5)),
        (False, True, "innocent follow-ups flagged", Target(1)),
        (True, False, "follow-ups without a verb missed", MEASURED),
        (True, True, "innocent questions without a verb flagged", MEASURED),
    ):
        chosen = bench.some([talk for talk in talks() if (talk.fragment, talk.innocent) == (fragment, innocent)])
        prompts = [messages_only(talk.turns) for talk in chosen]
        (verdicts,) = bench.verdicts("follow-ups", prompts, bench.tofu("10"))
        last = [prompt.segments[-1] for prompt in prompts]
        flagged = [
            any(span.start < own.end and span.end > own.start for span in verdict.spans)
            for own, verdict in zip(last, verdicts, strict=True)
        ]
        texts = [" | ".join(text for role, text in talk.turns if role == "user") for talk in chosen]
        wrong = [is_flagged == innocent for is_flagged in flagged]
        measures.append(counted("follow-ups", name, bench.kind, wrong, texts, target))
    return RowResult(measures)


def in_other_languages(bench: Bench) -> RowResult:
    """Questions of forget01 in five languages: found, or at least noticed as a language the encoder does not read."""
    scope, measures = bench.tofu("01"), []
    everything = translations()
    for language in sorted({translation.language for translation in everything}):
        texts = bench.some([t.question for t in everything if t.language == language])
        (verdicts,) = bench.verdicts("translations", [text_only(text) for text in texts], scope)
        for name, wrong, target in (
            ("not flagged as forget", [not _found(v) for v in verdicts], MEASURED),
            ("not noticed as another language", [not v.languages for v in verdicts], MEASURED),
            ("passed silently", [not _found(v) and not v.languages for v in verdicts], NONE),
        ):
            measures.append(counted("translations", f"{language}: {name}", bench.kind, wrong, texts, target))
    return RowResult(measures)


def namesakes(bench: Bench) -> RowResult:
    """Another person of the same name, once without and once with one "not this one" example; each person alone."""
    scope = bench.tofu("10")
    paraphrases = bench.data.paraphrases("10")
    before: list[bool] = []
    after: list[bool] = []
    missed: list[bool] = []
    texts: list[str] = []
    asked: list[str] = []
    for homonym in bench.some(homonyms()):
        prompts = [text_only(text) for text in homonym.prompts]
        exempting = replace(scope, exemptions=exempted(scope.forget, homonym.example, bench))
        before += bench.flagged("homonyms", prompts, scope)
        after += bench.flagged("homonyms", prompts, exempting)
        texts += homonym.prompts
        own = paraphrases[AUTHOR * homonym.author : AUTHOR * (homonym.author + 1)]
        missed += [not found for found in bench.flagged("homonyms", [text_only(text) for text in own], exempting)]
        asked += own
    return RowResult(
        [
            counted("homonyms", "another of the same name flagged, no example", bench.kind, before, texts),
            counted("homonyms", "the same with one example each", bench.kind, after, texts, Target(5)),
            counted("homonyms", "the author's paraphrased questions missed then", bench.kind, missed, asked),
        ]
    )


def exempted(forget: tuple[str, ...], example: str, bench: Bench) -> Exemptions | None:
    """What a scope with these forget prompts gets from one "not this one" example."""
    encoder = bench.tofu("10").classifier.encoder
    return exemptions([Example(example)], [Example(text) for text in forget], encoder)


def _found(verdict: Verdict) -> bool:
    return any(span.reason == "content" for span in verdict.spans)
