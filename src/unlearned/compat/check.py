"""The checks that a model type has to pass: does the injection do exactly what it says, in every way to generate?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from unlearned.compat.runs import PLAIN, CompatRun, TinyBatch, TinySubject
from unlearned.compat.tiny import tiny_model
from unlearned.engines.self_check import self_check
from unlearned.errors import UnlearnedError, UnsupportedModelError

Outcome = Literal["ok", "n/a upstream", "fail"]
Status = Literal["pass", "partial", "fail", "not built"]

ROUNDING = 1e-5  # between the same rows beside other ones: expert batches and kernels change shape
SAME = 1e-4  # between the injection and its reference
P = tuple(PLAIN)
ROWS = (P[:5], P[5:12], P[12:21])  # L = 9, above the sliding window of 8
TWO = TinyBatch(ROWS, flagged=1, positions=(2, 4))
ALL = TinyBatch(ROWS, flagged=1, positions=tuple(range(7)))
ONE = TinyBatch((P[:1], P[1:2], P[2:3]), flagged=1, positions=(0,))
UNPADDED = TinyBatch((P[:7], P[7:14], P[14:21]), flagged=1, positions=tuple(range(7)))
ALONE = TinyBatch(ROWS[1:2], flagged=0, positions=tuple(range(7)))
CORE = ("two positions", "all positions", "one token")  # where a fault of upstream makes the support partial


@dataclass(frozen=True, slots=True)
class CompatCheck:
    """One question and its answer."""

    name: str
    outcome: Outcome
    detail: str = ""
    raised: bool = False
    """An error in place of an answer: nothing came out."""


@dataclass(frozen=True, slots=True)
class TypeResult:
    """What was found for one model type."""

    model_type: str
    status: Status
    cause: str = ""
    """One line; empty if everything passed."""

    checks: tuple[CompatCheck, ...] = ()
    seconds: float = 0.0

    @property
    def unsafe(self) -> bool:
        """Whether the self-check lets the model through, and yet an answer came out that is not what it should be."""
        passed = any(check.name == "self-check" and check.outcome == "ok" for check in self.checks)
        return passed and any(check.outcome == "fail" and not check.raised for check in self.checks)


def check_type(model_type: str) -> TypeResult:
    """Build a tiny random model of a type and check it. Never raises for what the model does."""
    started = time.perf_counter()
    try:
        model = tiny_model(model_type)
        _plain_forward(model)
    except Exception as error:
        return TypeResult(model_type, "not built", _line(error), seconds=time.perf_counter() - started)
    return check_model(model_type, model, started)


def check_model(name: str, model: nn.Module, started: float | None = None) -> TypeResult:
    """Check a model that was built before, PEFT-wrapped or not. Its embedding table is changed in place."""
    started = time.perf_counter() if started is None else started
    try:
        checks = _all_checks(TinySubject(model))
    except UnsupportedModelError as error:
        checks = [CompatCheck("embedding module", "fail", _line(error), raised=True)]
    status, cause = _verdict(checks)
    return TypeResult(name, status, cause, tuple(checks), time.perf_counter() - started)


def _all_checks(subject: TinySubject) -> list[CompatCheck]:
    core = [
        _generation(subject, "two positions", TWO),
        _generation(subject, "all positions", ALL),
        _generation(subject, "one token", ONE),
    ]
    if any(check.outcome == "n/a upstream" for check in core[:2]):
        core += [_generation(subject, "unpadded", UNPADDED), _generation(subject, "alone", ALONE)]
    return [
        *core,
        _generation(subject, "no cache", TWO, use_cache=False),
        _generation(subject, "one token, no cache", ONE, use_cache=False),
        _generation(subject, "beams", TWO, num_beams=2),
        _generation(subject, "samples", TWO, do_sample=True, num_return_sequences=2),
        _generation(subject, "chunked prefill", TWO, prefill_chunk_size=4),
        _generation(subject, "static cache", TWO, cache_implementation="static"),
        _generation(subject, "prompt lookup", ALONE, prompt_lookup_num_tokens=2),
        _leak(subject, "leak, two positions", TWO),
        _leak(subject, "leak, all positions", ALL),
        _prompt_only(subject),
        _clean_afterwards(subject),
        _self_checked(subject),
    ]


def _verdict(checks: Sequence[CompatCheck]) -> tuple[Status, str]:
    if failed := [check for check in checks if check.outcome == "fail"]:
        return "fail", f"{failed[0].name}: {failed[0].detail}"
    if upstream := [check for check in checks if check.outcome == "n/a upstream" and check.name in CORE]:
        return "partial", f"{upstream[0].name}: {upstream[0].detail}"
    return "pass", ""


def _generation(subject: TinySubject, name: str, batch: TinyBatch, **generation: Any) -> CompatCheck:
    """Injected = reference, flagged row changed, other rows as in the plain run."""
    try:
        plain, reference = subject.plain(batch, **generation), subject.reference(batch, **generation)
    except Exception as error:
        return CompatCheck(name, "n/a upstream", f"the original model raises {_line(error)}")
    try:
        injected = subject.injected(batch, **generation)
    except Exception as error:
        if _raises_elsewhere(subject, batch, type(error), generation):
            return CompatCheck(name, "n/a upstream", f"the original model raises {_line(error)}")
        return CompatCheck(name, "fail", _line(error), raised=True)
    moved = _distance(injected, plain, _others(batch))
    wrong = _distance(injected, reference)
    if not wrong <= SAME:
        problem = f"differs from the reference by {wrong:.1e}"
    elif not moved <= ROUNDING:
        problem = f"unflagged rows move by {moved:.1e}"
    elif not _distance(injected, plain, [batch.flagged]) > 0.0:
        problem = "the flagged row does not change"
    else:
        return CompatCheck(name, "ok", "" if wrong == moved == 0.0 else f"up to rounding ({max(wrong, moved):.0e})")
    fault = _upstream_fault(subject, batch, plain, reference, generation)
    return CompatCheck(name, "n/a upstream", fault) if fault else CompatCheck(name, "fail", problem)


def _upstream_fault(
    subject: TinySubject, batch: TinyBatch, plain: CompatRun, reference: CompatRun, generation: dict[str, Any]
) -> str | None:
    """What is wrong with the original model itself in this mode, if anything is."""
    if not bool(torch.isfinite(plain.logits).all()):
        return "the original model gives logits that are not finite"
    if not _distance(subject.reference(batch, **generation), subject.reference(batch, **generation)) <= ROUNDING:
        return "two equal calls of the original model differ"
    subject.plain(batch, **generation)
    if not _distance(subject.reference(batch, **generation), subject.reference(batch, **generation)) <= ROUNDING:
        return "the original model remembers its previous call"
    if not _distance(plain, reference, _others(batch)) <= ROUNDING:
        return "the original model mixes the rows of a batch"
    # Guesses come from the prompt's ids, and must not decide anything.
    if "prompt_lookup_num_tokens" in generation and not (
        _distance(subject.plain(batch), plain) <= SAME and _distance(subject.reference(batch), reference) <= SAME
    ):
        return "the original model answers otherwise than without it"
    if _distance(plain, reference, [batch.flagged]) == 0.0:
        return "the original model ignores the tokens of this prompt"
    return None


def _raises_elsewhere(
    subject: TinySubject, batch: TinyBatch, kind: type[Exception], generation: dict[str, Any]
) -> bool:
    """Whether the original model raises the same for other words, as blt does for some words in assisted decoding."""
    for shift in range(8):
        try:
            subject.plain(batch.with_tokens(P[shift : shift + len(batch.positions)]), **generation)
        except kind as error:
            return not isinstance(error, UnlearnedError)
        except Exception:
            return False
    return False


def _leak(subject: TinySubject, name: str, batch: TinyBatch) -> CompatCheck:
    """Other words under the same vectors: nothing may move, by not one bit."""
    renamed = batch.with_tokens(P[-len(batch.positions) :])
    try:
        distance = _distance(subject.injected(batch), subject.injected(renamed), [batch.flagged])
        if distance == 0.0:
            return CompatCheck(name, "ok")
        if _distance(subject.injected(batch), subject.injected(batch)) > 0.0:
            return CompatCheck(name, "n/a upstream", "two equal calls differ")
    except Exception as error:
        return CompatCheck(name, "fail", _line(error), raised=True)
    return CompatCheck(name, "fail", f"corrupted token ids still move the logits by {distance:.1e}")


def _prompt_only(subject: TinySubject) -> CompatCheck:
    """The vectors enter with the prompt: once with a cache, again whenever the model reads the prompt again."""
    name = "decode untouched"
    try:
        run = subject.injected(TWO)
    except Exception as error:
        return CompatCheck(name, "fail", _line(error), raised=True)
    reads = sum(size >= max(map(len, TWO.rows)) for size in run.forwards)
    if run.injections != reads:
        return CompatCheck(
            name, "fail", f"{run.injections} injections, but {reads} of {len(run.forwards)} forwards read the prompt"
        )
    return CompatCheck(name, "ok", "" if reads == 1 else f"no cache by default: the prompt is read {reads} times")


def _clean_afterwards(subject: TinySubject) -> CompatCheck:
    """Our hooks go, also after an error inside forward; somebody else's stays and fires."""
    name = "nothing left behind"
    before, fired = subject.hook_count(), []
    foreign = subject.embedding.register_forward_hook(lambda *_: fired.append(1))
    try:
        subject.injected(TWO)
        if not fired:
            return CompatCheck(name, "fail", "a foreign hook on the embedding did not fire")
        if subject.hook_count() != before + 1:
            return CompatCheck(name, "fail", f"{subject.hook_count() - before - 1} hooks left after a run")
        breaking = subject.embedding.register_forward_hook(_break)
        try:
            subject.injected(TWO)
            return CompatCheck(name, "fail", "an error inside forward was swallowed")
        except _BrokenError:
            pass
        finally:
            breaking.remove()
        if subject.hook_count() != before + 1:
            return CompatCheck(name, "fail", f"{subject.hook_count() - before - 1} hooks left after an error")
    except Exception as error:
        return CompatCheck(name, "fail", _line(error), raised=True)
    finally:
        foreign.remove()
    return CompatCheck(name, "ok")


class _BrokenError(Exception):
    pass


def _break(*_: Any) -> None:
    raise _BrokenError


def _self_checked(subject: TinySubject) -> CompatCheck:
    try:
        self_check(subject.model, subject.substitute, list(PLAIN))
    except Exception as error:
        return CompatCheck("self-check", "fail", _line(error), raised=True)
    return CompatCheck("self-check", "ok")


@torch.inference_mode()
def _plain_forward(model: Any) -> None:
    """Raises whatever keeps this model from answering a text prompt."""
    ids = torch.tensor([P[:5]])
    model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=2, do_sample=False, pad_token_id=0
    )


def _others(batch: TinyBatch) -> list[int]:
    return [row for row in range(len(batch.rows)) if row != batch.flagged]


def _distance(one: CompatRun, other: CompatRun, rows: Sequence[int] | None = None) -> float:
    """The largest difference of logits; infinite if a token differs."""
    chosen = list(range(len(one.tokens)) if rows is None else rows)
    if not chosen:
        return 0.0
    if not torch.equal(one.tokens[chosen], other.tokens[chosen]):
        return float("inf")
    a, b = one.logits[chosen], other.logits[chosen]
    return float(torch.where(a == b, 0.0, (a - b).abs()).max())  # equal infinities differ by nothing; NaN stays NaN


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200]
