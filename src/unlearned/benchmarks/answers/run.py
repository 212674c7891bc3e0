"""The run behind `unlearned bench answers`: prompts that never name the subject, and what their answers say of it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from unlearned.answers.guard import Bans
from unlearned.api import Answer, Unlearned
from unlearned.check.facts import Facts, holds
from unlearned.demo.concepts import CONCEPTS, Concept, general_prompts
from unlearned.examples import evenly
from unlearned.learn.config import FitConfig
from unlearned.learn.fit import fit
from unlearned.progress import Progress
from unlearned.server.answer_policies import AnswerPolicies

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from unlearned.artifact.artifact import Artifact


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
    """Of the answers to general prompts, those that are not the original model's, token for token."""

    general: int
    tokens_per_second: float
    """Of the answers to the general prompts, made in batches; to be compared within one run."""


def indirect_prompts() -> list[Indirect]:
    """The packaged prompts."""
    text = files("unlearned").joinpath("benchmarks/answers/data/indirect.jsonl").read_text(encoding="utf-8")
    return [Indirect(**json.loads(line)) for line in text.splitlines() if line]


def measure_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    scopes: Sequence[str] = CONCEPTS,
    prompts: int | None = None,
    general: int = 100,
    samples: int = 0,
    max_new_tokens: int = 96,
    content: bool = False,
    on_progress: Progress | None = None,
) -> list[AnswersRow]:
    """Fit the demo's scopes, and let the original, the unlearned and the guarded model answer.

    Args:
        model: the original model.
        tokenizer: its tokenizer.
        scopes: of the demo's.
        prompts: of each scope at most, evenly spread; None = all.
        general: general prompts at most.
        samples: answers at temperature 1 to each prompt; 0 = one greedy answer.
        max_new_tokens: of every answer.
        content: let a model answer as well whose clauses are read.
        on_progress: called with (phase, done, total).
    """
    report = on_progress or (lambda phase, done, total: None)
    rows = []
    original = Unlearned(model, tokenizer)
    asked_generally = evenly(general_prompts(), general)
    settings: dict[str, Any] = {"max_new_tokens": max_new_tokens, "do_sample": False}
    plain, plain_speed = _timed(original, asked_generally, settings)
    for scope in scopes:
        data = Concept(scope)
        artifact = fit(
            model, tokenizer, data.forget, data.retain, scope=scope, config=FitConfig(seed=0), on_progress=report
        )
        bans = artifact.unlearner().bans
        facts: Facts = tuple(dict.fromkeys(fact for question in data.held_out for fact in question.facts))
        asked = evenly([one.prompt for one in indirect_prompts() if one.scope == scope], prompts)
        views = {
            "original": original,
            "unlearned": Unlearned(model, tokenizer, without_answers(artifact)),
            "guarded": Unlearned(model, tokenizer, artifact),
            **({"content": Unlearned(model, tokenizer, reading_content(artifact))} if content else {}),
        }
        for done, (name, view) in enumerate(views.items()):
            report(f"answers, {scope}", done, len(views))
            sampling: dict[str, Any] = (
                {"do_sample": True, "temperature": 1.0, "num_return_sequences": samples} if samples else {}
            )
            found = [
                (prompt, answer.text)
                for n, prompt in enumerate(asked)
                for answer in view.generate([prompt], **{**settings, **_seeded(n, sampling)})
            ]
            said, speed = (plain, plain_speed) if view is original else _timed(view, asked_generally, settings)
            rows.append(
                AnswersRow(
                    model=name,
                    scope=scope,
                    answers=len(found),
                    named=sum(named(bans, prompt, text) for prompt, text in found),
                    told=sum(told(facts, prompt, text) for prompt, text in found),
                    changed=sum(one.token_ids != other.token_ids for one, other in zip(plain, said, strict=True)),
                    general=len(plain),
                    tokens_per_second=round(speed, 2),
                )
            )
        report(f"answers, {scope}", len(views), len(views))
    return rows


def without_answers(artifact: Artifact) -> Artifact:
    """The same artifact with nothing held back in answers."""
    return replace(artifact, scopes=tuple(replace(scope, withheld=None) for scope in artifact.scopes))


def reading_content(artifact: Artifact) -> Artifact:
    """The same artifact, under which the clauses of answers are read."""
    (read,) = AnswerPolicies.read(["names+quotes+content"]).applied([artifact])
    return read


def _timed(view: Unlearned, prompts: Sequence[str], settings: dict[str, Any]) -> tuple[list[Answer], float]:
    """Answers, and tokens per second."""
    view.generate(prompts[:1], **settings)  # what is loaded on first use
    start = time.perf_counter()
    answers = view.generate(prompts, **settings)
    return answers, sum(len(answer.token_ids) for answer in answers) / (time.perf_counter() - start)


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
        "| model | scope | answers with a name | with a fact | general answers changed | their tokens per second |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.model} | {row.scope} | {row.named}/{row.answers} | {row.told}/{row.answers} | "
        f"{row.changed}/{row.general} | {row.tokens_per_second} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
