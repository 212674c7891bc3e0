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
    """One answer, and what was decided about its prompt.

    `Unlearned.generate` returns these; nobody needs to make one.

    Examples:
        >>> [answer] = llm.generate(["Who founded Hogwarts?"], max_new_tokens=32)
        >>> answer.flagged, answer.verdict.scope
        (True, 'harry-potter')
        >>> print(answer.text)
    """

    text: str
    """What the user reads: new text only, with the user's words in place of strangers."""

    token_ids: tuple[int, ...]
    """New tokens only."""

    prompt: Prompt
    verdict: Verdict
    """Its spans are characters of the text that was passed, or of the messages that they name."""

    @property
    def flagged(self) -> bool:
        """Whether something of the prompt is in scope."""
        return self.verdict.in_scope

    def __repr__(self) -> str:
        return f"Answer({self.text!r}, flagged={self.flagged}, scope={self.verdict.scope!r})"


class Unlearned:
    """A view of a model under some artifacts. The model stays the user's own object, unchanged.

    Several views of one model can exist, and be used from several threads, at the same time.

    Args:
        model: a causal language model of transformers, PEFT-wrapped or not, in eval mode.
        tokenizer: the model's fast tokenizer.
        artifacts: any number, one by one, as folders, or as `load` returns them. Without any, prompts simply pass.
        soft_prompt: a trained soft prompt that is put before every prompt, so that none passes untouched.
        instruction: words before prompts, or a fixed answer to some. It cannot be combined with anything else.

    Raises:
        ConfigError: `instruction` is combined with artifacts or a soft prompt.
        UnsupportedModelError: a corruption would not reach this model reliably.
        ArtifactMismatchError: an artifact or the soft prompt was made for another embedding size or text encoder.

    Examples:
        >>> from unlearned import Unlearned, load, load_model
        >>> model, tokenizer = load_model("embedded")
        >>> llm = Unlearned(model, tokenizer, load("artifacts/hp"))
        >>> for answer in llm.generate(["Who is Harry Potter?", "What is the capital of France?"], max_new_tokens=32):
        ...     print(answer.flagged, answer.text)
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
        """The artifacts that are enforced now."""
        return self._artifacts

    @property
    def unlearner(self) -> ECO:
        """The scopes of all artifacts that are enforced now, as one unlearner."""
        return self._unlearner

    def add(self, *artifacts: Given) -> None:
        """Enforce more artifacts from the next call on.

        If one of them is refused, nothing changes.

        Args:
            artifacts: artifacts, folders, or what `load` returns.

        Raises:
            ConfigError: this view has an instruction.
            ArtifactMismatchError: an artifact was made for another embedding size or text encoder.

        Examples:
            >>> llm.add("artifacts/star-wars")
        """
        with self._lock:
            given = flatten(artifacts)
            self._stands_alone(given)
            self._activate([*self._artifacts, *given], new=given)

    def remove(self, scope: str) -> None:
        """Stop enforcing the artifact that holds this scope, from the next call on.

        Args:
            scope: name of a scope; the other scopes of its artifact go with it.

        Raises:
            UnlearnedError: no active artifact has this scope.

        Examples:
            >>> llm.remove("star-wars")
        """
        with self._lock:
            kept = [artifact for artifact in self._artifacts if scope not in {s.name for s in artifact.scopes}]
            if len(kept) == len(self._artifacts):
                known = ", ".join(s.name for s in self._unlearner.scopes) or "none"
                raise UnlearnedError(f"No active artifact has the scope {scope!r}. Active scopes: {known}.")
            self._activate(kept, new=())

    def replace(self, *artifacts: Given) -> None:
        """Enforce exactly these artifacts from the next call on, in one step.

        If one of them is refused, nothing changes.

        Args:
            artifacts: artifacts, folders, or what `load` returns. None at all: every prompt passes.

        Raises:
            ConfigError: this view has an instruction.
            ArtifactMismatchError: an artifact was made for another embedding size or text encoder.
        """
        with self._lock:
            given = flatten(artifacts)
            self._stands_alone(given)
            self._activate(given, new=[artifact for artifact in given if artifact not in self._artifacts])

    def classify(self, prompts: Sequence[str | Sequence[Message]], *, chat: bool | None = None) -> list[Verdict]:
        """Decide what is in scope, without generating.

        Args:
            prompts: texts or conversations.
            chat: whether a text becomes a user's message under the chat template; None = if there is a template.

        Returns:
            One verdict per prompt. Its spans are characters of the text, or of the messages that they name.

        Raises:
            DetectionError: detection failed.

        Examples:
            >>> question = "Name a river in France. Who is Hermione Granger?"
            >>> [verdict] = llm.classify([question])
            >>> [question[span.start : span.end] for span in verdict.spans]
            ['Who is Hermione Granger?']
        """
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
            prompts: texts or conversations. A conversation is a list of messages with `role` and `content`.
            chat: whether a text becomes a user's message under the chat template; None = if there is a template.
            truncate: which words are left out of a prompt that is too long: "left", "right" or "middle". None refuses
                such prompts. The whole prompt is checked before the cut, and what is left of it after.
            generation: arguments of `model.generate` (`max_new_tokens`, `do_sample`, ...), and `batch_size`.

        Returns:
            Answers in the prompts' order; with `num_return_sequences=n`, n in a row for each prompt.

        Raises:
            ContextError: a prompt does not fit into the model's context with its answer, and `truncate` is None.
            DetectionError: detection failed, and nothing was generated.

        Examples:
            >>> answers = llm.generate(["Who is Harry Potter?"], max_new_tokens=32, do_sample=False)
            >>> answers[0].flagged
            True
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
        """Answer a long list of prompts, and give each batch as soon as it is done.

        The list is worked off in stretches, so the first answers do not wait for the last prompt's check. Whether all
        prompts fit into the model's context is checked at the beginning.

        Args:
            prompts: as for `generate`.
            chat: as for `generate`.
            truncate: as for `generate`.
            batch_size: prompts that go through the model together.
            generation: arguments of `model.generate`.

        Yields:
            A prompt's place in the list, from 0, and its answers. Prompts of one stretch come ordered by length.

        Raises:
            ContextError: as for `generate`.
            DetectionError: detection of a stretch failed; nothing of it was generated.

        Examples:
            >>> for index, [answer] in llm.generate_each(questions, batch_size=32, max_new_tokens=64):
            ...     print(index, answer.text)
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
        """Answer one conversation.

        Each message is judged for itself, and one that was flagged stays corrupted in later turns.

        Args:
            messages: dictionaries with `role` and `content`, oldest first.
            generation: as for `generate`.

        Raises:
            ContextError: as for `generate`.
            DetectionError: as for `generate`.

        Examples:
            >>> llm.chat([{"role": "user", "content": "Tell me about Hogwarts."}], max_new_tokens=32).text
        """
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
        """Answer one prompt piece by piece. The pieces together are the whole answer.

        Args:
            prompt: a text or a conversation.
            chat: as for `generate`.
            max_new_tokens: longest answer, in tokens.
            temperature: 0 = greedy.
            top_p: sample from the most probable tokens that together reach this probability, in (0, 1].
            seed: of the sampling; None = another one every time.

        Returns:
            Pieces of text, cut only between whole characters.

        Raises:
            DetectionError: detection failed, and nothing was generated.

        Examples:
            >>> for piece in llm.stream("Who is Harry Potter?", max_new_tokens=32):
            ...     print(piece, end="")
        """
        from unlearned.engines.sampling import RowSettings
        from unlearned.engines.streaming import stream

        [given] = self.prepare([prompt], chat=chat)
        settings = RowSettings(max_new_tokens=max_new_tokens, temperature=temperature, top_p=top_p, seed=seed)
        return stream(self.engine, given, settings)

    def log_likelihood(
        self, prompts: Sequence[str | Sequence[Message]], continuations: Sequence[str], *, chat: bool | None = None
    ) -> list[Tensor]:
        """Score given continuations. Only tokens of the prompts are corrupted.

        A prompt that an instruction refuses is still read by the model, behind an instruction to refuse.

        Args:
            prompts: texts or conversations.
            continuations: one text per prompt.
            chat: as for `generate`.

        Returns:
            Per prompt, the natural log-probability of each token of its continuation, (n,) float32 on the CPU.

        Raises:
            DetectionError: detection failed, and nothing was scored.

        Examples:
            >>> [scores] = llm.log_likelihood(["The capital of France is"], [" Paris."], chat=False)
            >>> float(scores.sum())
        """
        return self.engine.log_likelihood(self.prepare(prompts, chat=chat), continuations)

    def prepare(self, prompts: Sequence[str | Sequence[Message]], *, chat: bool | None = None) -> list[PromptInput]:
        """What the engine would run for these prompts.

        Args:
            prompts: texts or conversations.
            chat: as for `generate`.

        Returns:
            One input per prompt: its token ids, and (K, D) vectors for the K corrupted positions. The verdict's spans
            are characters of the rendered prompt, chat template included.

        Raises:
            DetectionError: detection failed.
        """
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
