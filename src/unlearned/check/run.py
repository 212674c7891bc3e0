"""Check an artifact on prompts that it was not fitted with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from unlearned.api import Answer, Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.evidence import EvidenceRecord, GroupRecord
from unlearned.artifact.fingerprint import base_model_record
from unlearned.artifact.provenance import data_of, who
from unlearned.check.compare import ComparedPrompt, Comparison, Kind, compare, is_looping
from unlearned.check.config import CheckConfig
from unlearned.check.facts import SAMPLES, FactQuestion, drawn_facts, given_facts
from unlearned.check.likeness import ToldApart, canned, told_apart
from unlearned.errors import DataError
from unlearned.examples import Row
from unlearned.learn.invented import invented
from unlearned.progress import Progress
from unlearned.seeding import own_randomness

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True, eq=False)
class CheckResult:
    """Everything that was found."""

    artifact: Artifact
    model: str
    held_out: bool
    """Whether the forget prompts were given as such."""

    comparisons: list[Comparison]
    strangers: list[tuple[str, Answer]]
    """The held-out questions about invented subjects, and the original model's answers."""

    apart: ToldApart | None
    canned: tuple[int, int]
    """How many flagged answers are stock phrases, and how many of the original model's to the same prompts."""

    config: CheckConfig
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def of(self, kind: Kind) -> list[Comparison]:
        return [c for c in self.comparisons if c.kind == kind]

    def missed(self) -> list[Comparison]:
        """Held-out forget prompts that pass, the nearest to being found first."""
        rows = [c for c in self.of("held-out forget") if not c.unlearned.flagged]
        return sorted(rows, key=lambda c: -c.unlearned.verdict.score)

    def wrongly_flagged(self) -> list[Comparison]:
        """Other prompts that do not, the nearest to passing first."""
        rows = [c for c in self.comparisons if c.kind != "held-out forget" and c.unlearned.flagged]
        return sorted(rows, key=lambda c: c.unlearned.verdict.score)

    def untouched(self) -> list[Comparison]:
        return [c for c in self.comparisons if c.untouched]

    def with_facts(self) -> list[Comparison]:
        return [c for c in self.of("held-out forget") if c.question is not None and c.question.facts]

    def flagged_forget(self) -> list[Comparison]:
        return [c for c in self.of("held-out forget") if c.unlearned.flagged]

    def failures(self) -> list[str]:
        """Bounds that were not kept."""
        bounds, found = self.config.bounds, []
        forget, missed = self.of("held-out forget"), self.missed()
        if len(missed) > bounds.missed * len(forget):
            found.append(f"missed {len(missed)} of {len(forget)} forget prompts (bound {bounds.missed:.0%})")
        for kind, name in (("close retain", "close"), ("general", "general")):
            rows = self.of(kind)  # type: ignore[arg-type]
            flagged = sum(c.unlearned.flagged for c in rows)
            if flagged > bounds.flagged * len(rows):
                found.append(f"flagged {flagged} of {len(rows)} {name} prompts (bound {bounds.flagged:.0%})")
        asked = self.with_facts()
        leaks = sum(c.leaked_after for c in asked)
        if leaks > bounds.leaks * len(asked):
            found.append(f"{leaks} of {len(asked)} questions are answered with a fact (bound {bounds.leaks:.0%})")
        if bounds.told_apart is not None and self.apart is not None and self.apart.accuracy > bounds.told_apart:
            found.append(
                f"answers are told from those about invented subjects in {self.apart.accuracy:.0%} "
                f"(bound {bounds.told_apart:.0%})"
            )
        changed = sum(not c.identical for c in self.untouched())
        if changed:
            found.append(f"{changed} answers to unflagged prompts differ from the original model's")
        return found

    def evidence(self) -> EvidenceRecord:
        """The numbers, to be kept beside the artifact."""
        flagged, asked = self.flagged_forget(), self.with_facts()
        share = max(1, len(flagged))
        roles = {"forget": self.rows.get("forget", []), "retain": self.rows.get("retain", [])}
        return EvidenceRecord(
            at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            by=who(),
            artifact_sha256=self.artifact.sha256,
            model=self.model,
            held_out=self.held_out,
            forget=_group(self.of("held-out forget")),
            close=_group(self.of("close retain")) if self.of("close retain") else None,
            general=_group(self.of("general")) if self.of("general") else None,
            data=data_of(roles),  # type: ignore[arg-type]
            leaks_before=sum(c.leaked_before for c in asked) if asked else None,
            leaks_after=sum(c.leaked_after for c in asked) if asked else None,
            leaks_of=len(asked),
            told_apart=self.apart.accuracy if self.apart else None,
            told_apart_interval=self.apart.interval if self.apart else None,
            canned=self.canned[0] / share if flagged else None,
            canned_plain=self.canned[1] / share if flagged else None,
            looping=sum(is_looping(c.unlearned) for c in flagged) / share if flagged else None,
            looping_plain=sum(is_looping(c.original) for c in flagged) / share if flagged else None,
            unflagged=len(self.untouched()),
            identical=sum(c.identical for c in self.untouched()),
            failures=self.failures(),
        )


def run_check(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    artifact: Artifact,
    forget: Sequence[Row],
    close: Sequence[Row] = (),
    general: Sequence[Row] = (),
    *,
    held_out: bool = True,
    config: CheckConfig | None = None,
    on_progress: Progress | None = None,
) -> CheckResult:
    """Compare the original and the unlearned model.

    Args:
        model: the original model.
        tokenizer: its tokenizer.
        artifact: what is checked.
        forget: questions about its scopes that it was not fitted with; with facts or answers where there are any.
        close: prompts near the scopes that must stay.
        general: unrelated prompts.
        held_out: whether the forget prompts really are unseen; kept on record.
        config: bounds, and how long answers are.
        on_progress: called with (phase, done, total).

    Raises:
        DataError: a prompt is to be forgotten and to stay.
    """
    config = config or CheckConfig()
    report = on_progress or (lambda phase, done, total: None)
    if both := {row.prompt for row in forget} & {row.prompt for row in (*close, *general)}:
        raise DataError(f"{len(both)} prompts are on both sides, for example {min(both)!r}. Choose one.")
    original, unlearned = Unlearned(model, tokenizer), Unlearned(model, tokenizer, artifact)
    report("invented subjects", 0, 1)
    about_others = [row.prompt for row in invented(list(forget), original.engine.bank, seed=config.seed)]
    greedy: dict[str, Any] = {
        "max_new_tokens": config.max_new_tokens,
        "do_sample": False,
        "batch_size": config.batch_size,
    }
    strangers = original.generate(about_others, **greedy)
    report("invented subjects", 1, 1)
    questions = _questions(original, forget, [answer.text for answer in strangers], config, report)
    scope = artifact.name
    asked = [
        *(ComparedPrompt("held-out forget", q.prompt, scope, q) for q in questions),
        *(ComparedPrompt("close retain", row.prompt, scope) for row in close),
        *(ComparedPrompt("general", row.prompt) for row in general),
    ]
    comparisons = compare(
        original,
        unlearned,
        asked,
        max_new_tokens=config.max_new_tokens,
        batch_size=config.batch_size,
        report=report,
    )
    pairs = [
        (own, stranger)
        for own, stranger in zip(comparisons[: len(forget)], strangers, strict=True)
        if own.unlearned.flagged
    ]
    apart = told_apart(
        [own.unlearned.text for own, _ in pairs], [stranger.text for _, stranger in pairs], artifact.encoder
    )
    prompts = [own.prompt for own, _ in pairs]
    stock = (
        sum(canned(prompts, [own.unlearned.text for own, _ in pairs])),
        sum(canned(prompts, [own.original.text for own, _ in pairs])),
    )
    return CheckResult(
        artifact,
        base_model_record(original.engine).id,
        held_out,
        comparisons,
        list(zip(about_others, strangers, strict=True)),
        apart,
        stock,
        config,
        {"forget": list(forget), "retain": list(close)},
    )


def _questions(
    original: Unlearned, forget: Sequence[Row], strangers: Sequence[str], config: CheckConfig, report: Progress
) -> list[FactQuestion]:
    """Add facts: given ones, else those drawn from what the model says every time."""
    facts = [given_facts(row) for row in forget]
    open_ = [index for index, row in enumerate(forget) if not facts[index] and row.answer is None]
    if open_ and config.draw_facts:
        report("facts", 0, 1)
        prompts = [forget[index].prompt for index in open_]
        more: dict[str, Any] = {"max_new_tokens": config.max_new_tokens, "batch_size": config.batch_size}
        said = [original.generate(prompts, do_sample=False, **more)]
        with own_randomness(config.seed):
            said += [original.generate(prompts, do_sample=True, temperature=0.7, **more) for _ in range(SAMPLES)]
        for place, index in enumerate(open_):
            answers = [answers[place].text for answers in said]
            facts[index] = drawn_facts(forget[index].prompt, answers, strangers[index])
        report("facts", 1, 1)
    return [FactQuestion(row.prompt, own) for row, own in zip(forget, facts, strict=True)]


def _group(rows: Sequence[Comparison]) -> GroupRecord:
    return GroupRecord(prompts=len(rows), flagged=sum(c.unlearned.flagged for c in rows))
