"""The run behind `unlearned bench answers`: prompts that never name the subject, and what their answers say of it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearned.answers.guard import Bans
from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import base_model_record
from unlearned.benchmarks.step_cache import once
from unlearned.benchmarks.versions import FITTING, versions
from unlearned.check.facts import Facts, holds
from unlearned.demo.concepts import CONCEPTS, Concept, general_prompts
from unlearned.engines.base import Completion
from unlearned.examples import evenly
from unlearned.learn.config import FitConfig
from unlearned.learn.fit import fit
from unlearned.learn.fluency import is_degenerate
from unlearned.progress import Progress, Tell
from unlearned.server.answer_policies import AnswerPolicies

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

VERSION = 1
"""Version of what is asked and counted; see `unlearned.benchmarks.versions`."""


LIKELY = 1.5
"""Factor of the perplexity within which an answer that went back is fluent."""


@dataclass(frozen=True, slots=True)
class Indirect:
    """A prompt that leads to a scope and does not name it."""

    scope: str
    kind: str
    """listing, superlative, who else, quiz, role play, completion, multi-hop or other language."""

    prompt: str


@dataclass(frozen=True, slots=True)
class AnswersRow:
    """One model on one scope's prompts, all answers counted."""

    model: str
    """original, unlearned (its prompts are checked), guarded (names and quotes are held back in its answers, too), or
    content (its answers' clauses are read as well)."""

    scope: str
    answers: int
    named: int
    """Answers with a name of the scope that the prompt does not hold."""

    told: int
    """Answers with a fact of it that the prompt does not hold."""

    changed: int
    """Answers to general prompts that are not the original model's, token for token."""

    general: int
    tokens_per_second: float
    """Speed of the answers to the general prompts, made in batches; to be compared within one run."""

    back: int = 0
    """Answers that went back: they differ from those of the model that only checks prompts, drawn alike."""

    fluent: int = 0
    """Of these, the ones that read like the others: no loop, and for the original model no more than `LIKELY` times as
    perplexing as the answer without going back."""


def indirect_prompts() -> list[Indirect]:
    """The packaged prompts."""
    text = files("unlearned").joinpath("benchmarks/answers/data/indirect.jsonl").read_text(encoding="utf-8")
    return [Indirect(**json.loads(line)) for line in text.splitlines() if line]


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswersConfig:
    """What is asked."""

    scopes: tuple[str, ...] = CONCEPTS
    """Scopes of the demo."""

    prompts: int | None = None
    """Most prompts of each scope, evenly spread; None = all."""

    general: int = 100
    """General prompts at most."""

    samples: int = 0
    """Answers at temperature 1 to each prompt; 0 = one greedy answer."""

    max_new_tokens: int = 96
    """Longest answer."""

    content: bool = False
    """Let a model answer as well whose clauses are read."""


def measure_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    config: AnswersConfig,
    kept: Path,
    *,
    on_progress: Progress | None = None,
    tell: Tell | None = None,
) -> list[AnswersRow]:
    """Fit the demo's scopes, and let the original, the unlearned and the guarded model answer.

    Args:
        model: the original model.
        tokenizer: its tokenizer.
        config: what is asked.
        kept: folder of finished parts, with all answers: an interrupted run goes on with them.
        on_progress: called with (phase, done, total).
        tell: is told why something that was kept is not used.
    """
    report = on_progress or (lambda phase, done, total: None)
    run = _Run(Unlearned(model, tokenizer), config, kept, report, tell or (lambda line: None))
    return [row for scope in config.scopes for row in run.rows_of(Concept(scope))]


@dataclass(frozen=True, eq=False)
class _Run:
    """One run; each part of it is kept."""

    original: Unlearned
    config: AnswersConfig
    kept: Path
    report: Progress
    tell: Tell

    def rows_of(self, concept: Concept) -> list[AnswersRow]:
        """Every model on one scope."""
        asked = evenly([one.prompt for one in indirect_prompts() if one.scope == concept.name], self.config.prompts)
        facts: Facts = tuple(dict.fromkeys(fact for question in concept.held_out for fact in question.facts))
        artifact = self._artifact(concept)
        bans = artifact.unlearner().bans
        variants: dict[str, Artifact | None] = {
            "original": None,
            "unlearned": without_answers(artifact),
            "guarded": artifact,
            **({"content": reading_content(artifact)} if self.config.content else {}),
        }
        rows, first = [], list[dict[str, str]]()
        for done, (name, own) in enumerate(variants.items()):
            self.report(f"answers, {concept.name}", done, len(variants))
            settings = {"max_new_tokens": self.config.max_new_tokens, "artifact": artifact.sha256 if own else None}
            asking = settings | {"asked": asked, "samples": self.config.samples}
            said = self._part(f"{concept.name}-{name}", asking, partial(self._asked, own, asked))
            first = said["items"] if name == "unlearned" else first
            pairs = [(a, b) for a, b in zip(said["items"], first, strict=True) if a != b] if own else []
            fluent = self._part(f"{concept.name}-{name}-fluent", asking, partial(self._fluent, pairs)) if pairs else {}
            general = self._answered(f"{concept.name}-{name}-general", settings, own) if own else self._plain
            rows.append(
                AnswersRow(
                    model=name,
                    scope=concept.name,
                    **_counts([(one["prompt"], one["answer"]) for one in said["items"]], bans, facts),
                    changed=sum(a != b for a, b in zip(general["ids"], self._plain["ids"], strict=True)),
                    general=len(general["ids"]),
                    tokens_per_second=round(general["tokens_per_second"], 2),
                    back=len(pairs),
                    fluent=sum(fluent.get("fluent", ())),
                )
            )
        self.report(f"answers, {concept.name}", len(variants), len(variants))
        return rows

    @cached_property
    def _prompts(self) -> list[str]:
        return evenly(general_prompts(), self.config.general)

    @cached_property
    def _plain(self) -> dict[str, Any]:
        return self._answered("general", {"max_new_tokens": self.config.max_new_tokens}, None)

    @cached_property
    def _common(self) -> dict[str, Any]:
        engine = self.original.engine
        return {
            "version": VERSION,
            "stages": versions(*FITTING),
            "model": [base_model_record(engine).embedding_sha256, str(engine.model.dtype)],
        }

    def _answered(self, name: str, settings: dict[str, Any], artifact: Artifact | None) -> dict[str, Any]:
        return self._part(name, settings | {"general": self._prompts}, partial(self._general, artifact))

    def _part(self, name: str, settings: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return once(self.kept / f"{name}.json", self._common | settings, make, self.tell, f"{name} is made anew")

    def _artifact(self, concept: Concept) -> Artifact:
        """The artifact of one scope of the demo; fitted once."""
        folder, engine = self.kept / f"{concept.name}.artifact", self.original.engine

        def made() -> dict[str, Any]:
            config = FitConfig(seed=0, checkpoints=self.kept / f"{concept.name}.unfinished")
            fitted = fit(
                engine.model, engine.tokenizer, concept.forget, concept.retain,
                scope=concept.name, config=config, on_progress=self.report,
            )  # fmt: skip
            fitted.save_pretrained(folder, keep_previous=True)
            return {"artifact": folder.name}

        self._part(f"{concept.name}-fit", {}, made)
        return Artifact.from_pretrained(folder)

    def _view(self, artifact: Artifact | None) -> Unlearned:
        engine = self.original.engine
        return self.original if artifact is None else Unlearned(engine.model, engine.tokenizer, artifact)

    def _asked(self, artifact: Artifact | None, asked: Sequence[str]) -> dict[str, Any]:
        """All answers to the indirect prompts."""
        view, samples = self._view(artifact), self.config.samples
        sampling = {"do_sample": True, "temperature": 1.0, "num_return_sequences": samples} if samples else {}
        return {
            "items": [
                {"prompt": prompt, "answer": answer.text}
                for n, prompt in enumerate(asked)
                for answer in view.generate([prompt], **{**self._greedy, **_seeded(n, sampling)})
            ]
        }

    def _general(self, artifact: Artifact | None) -> dict[str, Any]:
        """The answers to general prompts, as token ids, and tokens per second."""
        view = self._view(artifact)
        view.generate(self._prompts[:1], **self._greedy)  # what is loaded on first use
        start = time.perf_counter()
        ids = [list(answer.token_ids) for answer in view.generate(self._prompts, **self._greedy)]
        return {"ids": ids, "tokens_per_second": sum(map(len, ids)) / (time.perf_counter() - start)}

    def _fluent(self, pairs: Sequence[tuple[dict[str, str], dict[str, str]]]) -> dict[str, Any]:
        """Which of the answers read as well as the others; empty ones do not."""
        ids = [self.original.engine.tokenizer(a["answer"], add_special_tokens=False).input_ids for a, _ in pairs]
        loops = [is_degenerate(Completion(a["answer"], tuple(own))) for (a, _), own in zip(pairs, ids, strict=True)]
        ours, theirs = (self._perplexities([pair[side] for pair in pairs]) for side in (0, 1))
        likely = [a <= LIKELY * b for a, b in zip(ours, theirs, strict=True)]
        return {"fluent": [near and not loop for near, loop in zip(likely, loops, strict=True)]}

    def _perplexities(self, said: Sequence[dict[str, str]]) -> list[float]:
        """To the original model; infinite for an empty answer."""
        scores = self.original.log_likelihood([one["prompt"] for one in said], [one["answer"] for one in said])
        return [math.exp(-float(own.mean())) if len(own) else math.inf for own in scores]

    @property
    def _greedy(self) -> dict[str, Any]:
        return {"max_new_tokens": self.config.max_new_tokens, "do_sample": False}


def _counts(said: Sequence[tuple[str, str]], bans: Bans, facts: Facts) -> dict[str, int]:
    return {
        "answers": len(said),
        "named": sum(named(bans, prompt, text) for prompt, text in said),
        "told": sum(told(facts, prompt, text) for prompt, text in said),
    }


def without_answers(artifact: Artifact) -> Artifact:
    """The artifact with nothing held back in answers."""
    return replace(artifact, scopes=tuple(replace(scope, withheld=None) for scope in artifact.scopes))


def reading_content(artifact: Artifact) -> Artifact:
    """The artifact, set to read the clauses of answers."""
    (read,) = AnswerPolicies.read(["names+quotes+content"]).applied([artifact])
    return read


def named(bans: Bans, prompt: str, answer: str) -> bool:
    """Whether the answer says a name that the prompt does not."""
    return bool(bans.unasked_names(prompt, answer))


def told(facts: Facts, prompt: str, answer: str) -> bool:
    """Whether the answer says a fact of which the prompt says nothing."""
    return any(holds(answer, alias) and not holds(prompt, alias) for fact in facts for alias in fact)


def _seeded(seed: int, sampling: dict[str, Any]) -> dict[str, Any]:
    """The settings, with the draws of this prompt its own: the same whatever was drawn before."""
    if sampling:
        import torch

        torch.manual_seed(seed)
    return sampling


def as_markdown(rows: Sequence[AnswersRow]) -> str:
    """The rows as a table."""
    lines = [
        "| model | scope | answers with a name | with a fact | went back, of these fluent | general answers changed "
        "| their tokens per second |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.model} | {row.scope} | {row.named}/{row.answers} | {row.told}/{row.answers} | "
        f"{row.back}, {row.fluent} | {row.changed}/{row.general} | {row.tokens_per_second} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
