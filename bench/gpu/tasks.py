"""What is measured: each task does the same in two ways, which are timed in turn.

Each way ends with values on the CPU, so nothing is still under way on the device when its time is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.classify.sentences import sentence_encoder
from unlearned.demo.concepts import Concept, general_prompts
from unlearned.types import text_only
from unlearned.unlearners.eco import ECO

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BATCHES = {1: 4, 16: 16}
"""Batch size -> prompts."""

FLAGGED = {"0 %": 0, "25 %": 4}
"""Share of flagged prompts -> one flagged prompt in so many; 0 = none."""

Found = Sequence[Sequence[Any]]
"""What came out for each prompt: the tokens of its answer, or whether it is flagged."""


@dataclass(frozen=True, slots=True)
class Task:
    """One measure."""

    measure: str
    baseline: str
    unit: str
    value: Callable[[float], float]
    """Seconds -> the value in `unit`."""

    ours: Callable[[], Found]
    plain: Callable[[], Found]
    prompts: int
    flagged: int
    compared: Sequence[int]
    """Places of the prompts for which both should find the same."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """Prompts that a detector passes, and prompts that it flags."""

    clean: list[str]
    flagged: list[str]
    lengths: dict[str, int]
    """In tokens."""

    @classmethod
    def of(cls, detector: Artifact, tokenizer: PreTrainedTokenizerBase, concept: Concept) -> Prompts:
        asked = [*general_prompts(), *(question.prompt for question in concept.held_out)]
        verdicts = detector.unlearner().classify([text_only(prompt) for prompt in asked])
        found: dict[bool, list[str]] = {False: [], True: []}
        for prompt, verdict in zip(asked, verdicts, strict=True):
            found[verdict.in_scope].append(prompt)
        return cls(found[False], found[True], {prompt: len(tokenizer(prompt)["input_ids"]) for prompt in asked})

    def mixed(self, count: int, every: int) -> list[str]:
        """So many prompts, one in `every` of them flagged (0 = none); the longest first, as in the engine's batches."""
        flagged = self.flagged[: count // every] if every else []
        return sorted([*flagged, *self.clean[: count - len(flagged)]], key=lambda prompt: -self.lengths[prompt])


def detection_tasks(detector: Artifact, prompts: Prompts, device: torch.device) -> list[Task]:
    """Milliseconds per prompt from text to verdict: the encoder on the device against the encoder on the CPU."""
    on_cpu, [scope] = detector.unlearner(), detector.scopes
    moved = sentence_encoder(scope.classifier.encoder.name, str(device))
    classifier = type(scope.classifier).from_state(*scope.classifier.state(), moved)
    on_device = ECO([replace(scope, classifier=classifier)])
    texts = prompts.mixed(16, every=4)

    def task(batch: int) -> Task:
        groups = [[text_only(text) for text in texts[start : start + batch]] for start in range(0, len(texts), batch)]

        def verdicts(unlearner: ECO) -> Found:
            return [[verdict.in_scope] for group in groups for verdict in unlearner.classify(group)]

        return Task(
            measure=f"detection, batch {batch}, encoder on {device}",
            baseline="encoder on cpu",
            unit="ms",
            value=lambda seconds: 1000 * seconds / len(texts),
            ours=lambda: verdicts(on_device),
            plain=lambda: verdicts(on_cpu),
            prompts=len(texts),
            flagged=len(texts) // 4,
            compared=range(len(texts)),
        )

    return [task(batch) for batch in BATCHES]


def model_tasks(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, llm: Unlearned, prompts: Prompts, new_tokens: int
) -> list[Task]:
    """Throughput and the time to a first token, from texts to texts, against the original model on the same batches."""

    def task(measure: str, chosen: list[str], batch: int, tokens: int, unit: str) -> Task:
        settings: dict[str, Any] = {"max_new_tokens": tokens, "min_new_tokens": tokens, "do_sample": False}
        groups = [chosen[start : start + batch] for start in range(0, len(chosen), batch)]

        def ours() -> Found:
            done = [answer for group in groups for answer in llm.generate(group, batch_size=batch, **settings)]
            assert all(
                answer.flagged == (prompt in prompts.flagged) for answer, prompt in zip(done, chosen, strict=True)
            )
            return [answer.token_ids for answer in done]

        def value(seconds: float) -> float:
            return len(chosen) * tokens / seconds if unit == "tokens/s" else 1000 * seconds / len(chosen)

        unflagged = [place for place, prompt in enumerate(chosen) if prompt in prompts.clean]
        return Task(
            measure=measure,
            baseline="model.generate",
            unit=unit,
            value=value,
            ours=ours,
            plain=lambda: [ids for group in groups for ids in _plain_answers(model, tokenizer, group, settings)],
            prompts=len(chosen),
            flagged=len(chosen) - len(unflagged),
            compared=unflagged,
        )

    throughput = [
        task(f"throughput, batch {batch}, {share} flagged", prompts.mixed(count, every), batch, new_tokens, "tokens/s")
        for batch, count in BATCHES.items()
        for share, every in FLAGGED.items()
    ]
    first = [
        task(f"first token, {kind}", prompts.mixed(BATCHES[1], every), 1, 1, "ms")
        for kind, every in (("unflagged", 0), ("flagged", 1))
    ]
    return throughput + first


@torch.inference_mode()
def _plain_answers(model: Any, tokenizer: Any, prompts: Sequence[str], settings: dict[str, Any]) -> list[list[int]]:
    """The new tokens of what a user without this library writes."""
    inputs = tokenizer.apply_chat_template(
        [[{"role": "user", "content": prompt}] for prompt in prompts],
        add_generation_prompt=True,
        padding=True,
        return_tensors="pt",
        return_dict=True,
        tokenizer_kwargs={"padding_side": "left"},
    ).to(model.device)
    new: list[list[int]] = model.generate(**inputs, **settings)[:, inputs["input_ids"].shape[1] :].tolist()
    tokenizer.batch_decode(new, skip_special_tokens=True)  # ours gives texts, too
    return new
