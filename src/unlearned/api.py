"""`Unlearned`: the user's model, answering as if it had never seen what the artifacts name."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from unlearned.artifact.artifact import Artifact, Given, combined, flatten
from unlearned.artifact.fingerprint import base_model_record, check_base_model
from unlearned.artifact.schema import BaseModelRecord
from unlearned.batches import ANSWER, by_length
from unlearned.engines.context import check_context
from unlearned.engines.own_words import in_own_words
from unlearned.engines.self_check import self_check
from unlearned.engines.tokenize import Message
from unlearned.engines.transformers import TransformersEngine
from unlearned.engines.truncation import Side, Truncated, both, truncated
from unlearned.errors import ArtifactMismatchError, ConfigError, ContextError, DataError, UnlearnedError
from unlearned.stages import Prompt, PromptInput, Verdict
from unlearned.unlearners.eco import ECO, LEARN_IT
from unlearned.unlearners.instruction import Instruction
from unlearned.unlearners.spul import SPUL

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


STRETCH = 16
"""Batches of prompts that are checked and ordered by length together."""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """One answer, and what was decided about its prompt."""

    text: str
    token_ids: tuple[int, ...]
    """New tokens only."""

    prompt: Prompt
    verdict: Verdict
    """Its spans are characters of the text that was passed, or of the messages that they name."""

    @property
    def flagged(self) -> bool:
        return self.verdict.in_scope

    def __repr__(self) -> str:
        return f"Answer({self.text!r}, flagged={self.flagged}, scope={self.verdict.scope!r})"


class Unlearned:
    """A view of a model under some artifacts. The model stays the user's own object, unchanged.

    Several views of one model can exist, and be used from several threads, at the same time.

    Args:
        model: a causal language model of transformers, PEFT-wrapped or not, in eval mode.
        tokenizer: its fast tokenizer.
        artifacts: any number, one by one, as folders, or as `load` returns them. Without any, prompts simply pass.
        soft_prompt: stands in front of every prompt, so that none passes untouched.
        instruction: words in front of prompts, or a fixed answer to some; not together with anything else.

    Raises:
        ConfigError: `instruction` is not alone.
        UnsupportedModelError: a corruption would not reach this model reliably.
        ArtifactMismatchError: an artifact or the soft prompt was made for another embedding size or text encoder.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *artifacts: Given,
        soft_prompt: SPUL | None = None,
        instruction: Instruction | None = None,
    ) -> None:
        self.engine = TransformersEngine(model, tokenizer)
        self_check(model, self.engine.substitute_id, _plain_ids(self.engine))
        self._base_model = base_model_record(self.engine)
        self._lock = threading.Lock()
        self._artifacts: tuple[Artifact, ...] = ()
        self._unlearner = ECO([])
        given = flatten(artifacts)
        if instruction is not None and (given or soft_prompt is not None):
            raise ConfigError("An instruction stands alone: leave out artifacts and the soft prompt, or use those.")
        self._activate(given, new=given)
        self._soft_prompt, self._instruction = soft_prompt, instruction
        if soft_prompt is not None and (base := soft_prompt.record.get("base_model")) is not None:
            harm = "It may do anything. Train it on this model."
            self._check_base("The soft prompt", BaseModelRecord.model_validate(base), harm, stacklevel=3)

    def __repr__(self) -> str:
        front = [repr(artifact.name) for artifact in self._artifacts]
        front += ["a soft prompt"] if self._soft_prompt is not None else []
        front += [f"instruction {self._instruction.kind}"] if self._instruction is not None else []
        return f"Unlearned({self._base_model.id}, {', '.join(front) or 'nothing enforced'})"

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        return self._artifacts

    @property
    def unlearner(self) -> ECO:
        """What is enforced now: the scopes of all active artifacts."""
        return self._unlearner

    def add(self, *artifacts: Given) -> None:
        """Enforce more artifacts from the next call on; a refused one leaves all as it was."""
        with self._lock:
            given = flatten(artifacts)
            self._stands_alone(given)
            self._activate([*self._artifacts, *given], new=given)

    def remove(self, scope: str) -> None:
        """Stop enforcing the artifact that holds this scope, from the next call on."""
        with self._lock:
            kept = [artifact for artifact in self._artifacts if scope not in {s.name for s in artifact.scopes}]
            if len(kept) == len(self._artifacts):
                known = ", ".join(s.name for s in self._unlearner.scopes) or "none"
                raise UnlearnedError(f"No active artifact has the scope {scope!r}. Active scopes: {known}.")
            self._activate(kept, new=())

    def replace(self, *artifacts: Given) -> None:
        """Enforce exactly these from the next call on, in one step; a refused set leaves all as it was."""
        with self._lock:
            given = flatten(artifacts)
            self._stands_alone(given)
            self._activate(given, new=[artifact for artifact in given if artifact not in self._artifacts])

    def classify(self, prompts: Sequence[str | Sequence[Message]], *, chat: bool | None = None) -> list[Verdict]:
        """Verdicts without generating; spans are characters of each text, or of the messages that they name."""
        tokenized = [self.engine.tokenize(prompt, chat=chat) for prompt in _checked(prompts)]
        verdicts = (self._instruction or self._unlearner).classify(tokenized)
        return [in_own_words(*one) for one in zip(verdicts, tokenized, prompts, strict=True)]

    def generate(
        self,
        prompts: Sequence[str | Sequence[Message]],
        *,
        chat: bool | None = None,
        truncate: Side | None = None,
        **generation: Any,
    ) -> list[Answer]:
        """Answer a list of prompts.

        Args:
            prompts: texts or conversations.
            chat: whether a text becomes a user's message under the chat template; None = if there is a template.
            truncate: which words are left out of prompts that do not fit with their answer; None: those are refused.
                What is left out is checked all the same, and so is what is left.
            generation: arguments of `model.generate` (`max_new_tokens`, `do_sample`, ...), and `batch_size`.

        Returns:
            Answers in the prompts' order; with `num_return_sequences=n`, n in a row for each prompt.

        Raises:
            ContextError: a prompt does not fit into the model's context with its answer, and `truncate` is None.
            DetectionError: detection failed, and nothing was generated.
        """
        tokenized = [self.engine.tokenize(prompt, chat=chat) for prompt in _checked(prompts)]
        inputs, verdicts = self._fitting(tokenized, truncate, generation)
        completions = self.engine.generate(inputs, **generation)
        copies = len(completions) // len(inputs) if inputs else 0
        verdicts = [
            in_own_words(verdict, prompt, given)
            for verdict, prompt, given in zip(verdicts, tokenized, prompts, strict=True)
        ]
        return [
            Answer(done.text, done.token_ids, tokenized[index // copies], verdicts[index // copies])
            for index, done in enumerate(completions)
        ]

    def generate_each(
        self,
        prompts: Sequence[str | Sequence[Message]],
        *,
        chat: bool | None = None,
        truncate: Side | None = None,
        batch_size: int = 16,
        **generation: Any,
    ) -> Iterator[tuple[int, list[Answer]]]:
        """The same, batch by batch as they are done: a prompt's place, and its answers.

        Long lists are taken up in stretches, so the first answers do not wait for the last prompt's check. That all
        fit into the model's context is seen at the beginning.
        """
        whole = _checked(prompts)
        if truncate is None:
            lengths = [len(self.engine.tokenize(prompt, chat=chat).token_ids) for prompt in whole]
            answer = self.engine.longest_answer(generation)
            check_context(lengths, [answer] * len(lengths), self.engine.context)  # before the first hour, not after it
        for start in range(0, len(whole), STRETCH * batch_size):
            tokenized = [self.engine.tokenize(p, chat=chat) for p in whole[start : start + STRETCH * batch_size]]
            try:
                inputs, verdicts = self._fitting(tokenized, truncate, generation)
            except ContextError as error:
                raise error.at(start + error.index) from error
            for batch in by_length([len(given.token_ids) for given in inputs], batch_size, free=ANSWER):
                done = self.engine.generate([inputs[n] for n in batch], batch_size=batch_size, **generation)
                copies = len(done) // len(batch)
                for row, n in enumerate(batch):
                    verdict = in_own_words(verdicts[n], tokenized[n], whole[start + n])
                    answers = done[row * copies : (row + 1) * copies]
                    yield start + n, [Answer(a.text, a.token_ids, tokenized[n], verdict) for a in answers]

    def chat(self, messages: Sequence[Message], **generation: Any) -> Answer:
        """Answer one conversation. Each message keeps its own verdict; old ones stay corrupted in later turns."""
        return self.generate([messages], **generation)[0]

    def stream(
        self,
        prompt: str | Sequence[Message],
        *,
        chat: bool | None = None,
        max_new_tokens: int = 256,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int | None = None,
    ) -> Iterator[str]:
        """Answer one prompt piece by piece, cut only between whole characters; together, they are the whole answer.

        Args:
            prompt: a text or a conversation.
            chat: as for `generate`.
            max_new_tokens: longest answer.
            temperature: 0 = greedy.
            top_p: sample from the most probable tokens that together reach this probability.
            seed: of the sampling; None = another one every time.

        Raises:
            DetectionError: detection failed, and nothing was generated.
        """
        from unlearned.engines.sampling import RowSettings
        from unlearned.engines.streaming import stream

        [given] = self.prepare([prompt], chat=chat)
        settings = RowSettings(max_new_tokens=max_new_tokens, temperature=temperature, top_p=top_p, seed=seed)
        return stream(self.engine, given, settings)

    def log_likelihood(
        self, prompts: Sequence[str | Sequence[Message]], continuations: Sequence[str], *, chat: bool | None = None
    ) -> list[Tensor]:
        """Per prompt, the log-probability of each token of its continuation; only prompt tokens are corrupted.

        A prompt that an instruction refuses is read by the model all the same, behind an instruction to refuse.
        """
        return self.engine.log_likelihood(self.prepare(prompts, chat=chat), continuations)

    def prepare(self, prompts: Sequence[str | Sequence[Message]], *, chat: bool | None = None) -> list[PromptInput]:
        """What the engine would be given for these prompts; spans are characters of the rendered prompt."""
        tokenized = [self.engine.tokenize(prompt, chat=chat) for prompt in _checked(prompts)]
        return self._inputs(tokenized)

    def _fitting(
        self, prompts: Sequence[Prompt], truncate: Side | None, generation: Mapping[str, Any]
    ) -> tuple[list[PromptInput], list[Verdict]]:
        """What the engine runs, and the verdicts in characters of the whole prompts; long ones cut if wanted."""
        if truncate is None:
            inputs = self._inputs(prompts)
            return inputs, [given.verdict for given in inputs]
        if truncate not in get_args(Side):
            raise ConfigError(f"truncate={truncate!r}: must be one of {', '.join(get_args(Side))}.")
        if self._instruction is not None or self._soft_prompt is not None:
            raise ConfigError("Prompts with an instruction or a soft prompt in front of them are not truncated.")
        inputs = self._inputs(prompts)
        verdicts = [given.verdict for given in inputs]
        answer, context = self.engine.longest_answer(generation), self.engine.context
        cuts: dict[int, Truncated] = {}
        for index, (prompt, given) in enumerate(zip(prompts, inputs, strict=True)):
            if context is None or given.answer is not None or len(prompt.token_ids) + answer <= context:
                continue
            try:
                cuts[index] = truncated(prompt, context - answer, truncate, answer=answer, context=context)
            except ContextError as error:
                raise error.at(index) from error
        left = self._unlearner.classify([cut.prompt for cut in cuts.values()])
        for (index, cut), verdict in zip(cuts.items(), left, strict=True):
            read, verdicts[index] = both(verdicts[index], verdict, cut)
            inputs[index] = self._unlearner.corrupt(cut.prompt, read, self.engine)
        return inputs, verdicts

    def _inputs(self, prompts: Sequence[Prompt]) -> list[PromptInput]:
        if self._instruction is not None:
            return self._instruction.prepare(prompts, self.engine)
        inputs = self._unlearner.prepare(prompts, self.engine)
        return inputs if self._soft_prompt is None else self._soft_prompt.in_front(inputs, self.engine)

    def _stands_alone(self, artifacts: Sequence[Artifact]) -> None:
        if artifacts and self._instruction is not None:
            raise ConfigError("An instruction stands alone: make another view of the model for artifacts.")

    def _activate(self, artifacts: Sequence[Artifact], *, new: Sequence[Artifact]) -> None:
        for artifact in new:
            self._check_model(artifact)
        unlearner = combined(artifacts)
        # The unlearner last, in one assignment: a call that runs now keeps the set it started with.
        self._artifacts, self._unlearner = tuple(artifacts), unlearner

    def _check_model(self, artifact: Artifact) -> None:
        if artifact.base_model is None and all(scope.answer is not None for scope in artifact.scopes):
            return  # nothing is corrupted
        if artifact.base_model is None:
            raise ArtifactMismatchError(f"The artifact {artifact.name!r} can only classify so far. {LEARN_IT}")
        self._check_base(
            f"The artifact {artifact.name!r}",
            artifact.base_model,
            "Detection holds; the strength may be wrong. Fit again to be sure.",
            stacklevel=5,
        )

    def _check_base(self, name: str, made_for: BaseModelRecord, harm: str, *, stacklevel: int) -> None:
        check_base_model(name, made_for, self._base_model, harm, stacklevel=stacklevel + 1)


def _checked(prompts: Sequence[str | Sequence[Message]]) -> Sequence[str | Sequence[Message]]:
    if isinstance(prompts, str):
        raise DataError("Got one text where a list of prompts is expected. Put it in a list: [prompt].")
    return prompts


def _plain_ids(engine: TransformersEngine) -> list[int]:
    """A few ordinary tokens for the self-check."""
    ids = engine.tokenizer("one two three four five six seven", add_special_tokens=False)["input_ids"]
    return list(dict.fromkeys([*ids, engine.substitute_id]))
