"""`Unlearned`: the user's model, answering as if it had never seen what the artifacts name."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from unlearned.artifact.activation import check_model, enforcing, name_of, scopes_of
from unlearned.artifact.fingerprint import base_model_record
from unlearned.artifact.loading import Given, Loaded, flatten
from unlearned.batches import ANSWER, by_length
from unlearned.engines.self_check import self_check
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, ContextError, DataError, UnlearnedError
from unlearned.prompts.context import check_context
from unlearned.prompts.own_words import in_own_words
from unlearned.prompts.truncation import Side, Truncated, both, truncated
from unlearned.types import Message, Prompt, PromptInput, Verdict
from unlearned.unlearners.base import Unlearner
from unlearned.unlearners.eco import ECO
from unlearned.unlearners.instruction import Instruction
from unlearned.unlearners.spul import SPUL
from unlearned.unlearners.together import BehindSoftPrompt

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
        given: artifacts of any kind, one by one, as folders, or as `load` returns them; without any, prompts simply
            pass. Any number of artifacts of scopes stand together, also with one soft prompt, which is put before every
            prompt, so that none passes untouched. An instruction stands alone.
        soft_prompt: the old way to give a soft prompt.
        instruction: the old way to give an instruction.

    Raises:
        ConfigError: these do not stand together.
        UnsupportedModelError: a corruption would not reach this model reliably.
        ArtifactMismatchError: an artifact or a soft prompt was made for another embedding size or text encoder.

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
        *given: Given,
        soft_prompt: SPUL | None = None,
        instruction: Instruction | None = None,
    ) -> None:
        for name, old in (("soft_prompt", soft_prompt), ("instruction", instruction)):
            if old is not None:
                given = (*given, [old])
                warnings.warn(
                    f"Unlearned(model, tokenizer, {name}=x) is now Unlearned(model, tokenizer, x); the old form goes "
                    "with the next minor release.",
                    DeprecationWarning,
                    stacklevel=2,
                )
        self.engine = TransformersEngine(model, tokenizer)
        self_check(model, self.engine.substitute_id, _plain_ids(self.engine))
        self._base_model = base_model_record(self.engine)
        self._lock = threading.Lock()
        self._artifacts: tuple[Loaded, ...] = ()
        self._enforced: Unlearner = ECO([])
        loaded = flatten(given)
        self._activate(loaded, new=loaded)

    def __repr__(self) -> str:
        front = ", ".join(map(name_of, self._artifacts)) or "nothing enforced"
        return f"Unlearned({self._base_model.id}, {front})"

    @property
    def artifacts(self) -> tuple[Loaded, ...]:
        """The artifacts of any kind that are enforced now."""
        return self._artifacts

    @property
    def enforced(self) -> Unlearner:
        """All that is enforced now, as one unlearner."""
        return self._enforced

    @property
    def unlearner(self) -> ECO:
        """The scopes whose prompts are corrupted; none where there is only a soft prompt or an instruction."""
        enforced = self._enforced
        if isinstance(enforced, BehindSoftPrompt):
            return enforced.eco
        return enforced if isinstance(enforced, ECO) else ECO([])

    def add(self, *given: Given) -> None:
        """Enforce more artifacts from the next call on.

        If one of them is refused, nothing changes.

        Args:
            given: artifacts of any kind, folders, or what `load` returns.

        Raises:
            ConfigError: they do not stand together.
            ArtifactMismatchError: an artifact was made for another embedding size or text encoder.

        Examples:
            >>> llm.add("artifacts/star-wars")
        """
        with self._lock:
            loaded = flatten(given)
            self._activate([*self._artifacts, *loaded], new=loaded)

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
            kept = [artifact for artifact in self._artifacts if scope not in scopes_of(artifact)]
            if len(kept) == len(self._artifacts):
                known = ", ".join(sorted(name for artifact in kept for name in scopes_of(artifact))) or "none"
                raise UnlearnedError(f"No active artifact has the scope {scope!r}. Active scopes: {known}.")
            self._activate(kept, new=())

    def replace(self, *given: Given) -> None:
        """Enforce exactly these artifacts from the next call on, in one step; of the others, of whatever kind, none.

        If one of them is refused, nothing changes.

        Args:
            given: artifacts of any kind, folders, or what `load` returns. None at all: every prompt passes.

        Raises:
            ConfigError: they do not stand together.
            ArtifactMismatchError: an artifact was made for another embedding size or text encoder.
        """
        with self._lock:
            loaded = flatten(given)
            self._activate(loaded, new=[artifact for artifact in loaded if artifact not in self._artifacts])

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
        verdicts = self._enforced.classify(tokenized)
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
        return self._enforced.prepare(tokenized, self.engine)

    def _fitting(
        self, prompts: Sequence[Prompt], truncate: Side | None, generation: Mapping[str, Any]
    ) -> tuple[list[PromptInput], list[Verdict]]:
        """What the engine runs, and the verdicts in characters of the whole prompts; long ones cut if wanted."""
        enforced = self._enforced  # once: another set may come in force meanwhile
        if truncate is None:
            inputs = enforced.prepare(prompts, self.engine)
            return inputs, [given.verdict for given in inputs]
        if truncate not in get_args(Side):
            raise ConfigError(f"truncate={truncate!r}: must be one of {', '.join(get_args(Side))}.")
        if not isinstance(enforced, ECO):
            raise ConfigError("Prompts with an instruction or a soft prompt in front of them are not truncated.")
        inputs = enforced.prepare(prompts, self.engine)
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
        left = enforced.classify([cut.prompt for cut in cuts.values()])
        for (index, cut), verdict in zip(cuts.items(), left, strict=True):
            read, verdicts[index] = both(verdicts[index], verdict, cut)
            inputs[index] = enforced.corrupt(cut.prompt, read, self.engine)
        return inputs, verdicts

    def _activate(self, artifacts: Sequence[Loaded], *, new: Sequence[Loaded]) -> None:
        enforced = enforcing(artifacts)
        for artifact in new:
            check_model(artifact, self._base_model, stacklevel=3)
        # The unlearner last, in one assignment: a call that runs now keeps the set it started with.
        self._artifacts, self._enforced = tuple(artifacts), enforced


def _checked(prompts: Sequence[str | Sequence[Message]]) -> Sequence[str | Sequence[Message]]:
    if isinstance(prompts, str):
        raise DataError("Got one text where a list of prompts is expected. Put it in a list: [prompt].")
    return prompts


def _plain_ids(engine: TransformersEngine) -> list[int]:
    """A few ordinary tokens for the self-check."""
    ids = engine.tokenizer("one two three four five six seven", add_special_tokens=False)["input_ids"]
    return list(dict.fromkeys([*ids, engine.substitute_id]))
