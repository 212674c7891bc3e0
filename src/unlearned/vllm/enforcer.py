"""Prompt -> verdict -> what the engine reads in its place, for the process of vLLM that takes requests."""

from __future__ import annotations

import asyncio
import copy
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from unlearned.artifact.activation import check_model, enforcing
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import embeddings_record
from unlearned.artifact.loading import Loaded
from unlearned.envelope import INSTRUCTION
from unlearned.errors import ConfigError, UnlearnedError
from unlearned.prompts.client import prepended_as_letters
from unlearned.prompts.reader import TokenReader
from unlearned.server.gate import Gate
from unlearned.server.record import Log, RequestRecord
from unlearned.server.refusals import unchecked
from unlearned.server.store import ArtifactStore, Enforced
from unlearned.substitution.bank import Bank
from unlearned.substitution.pieces import Pieces
from unlearned.substitution.substitution import Substitution
from unlearned.types import Prompt, PromptInput, Verdict, messages_only, text_only
from unlearned.unlearners.base import Unlearner
from unlearned.unlearners.eco import ECO
from unlearned.unlearners.instruction import Instruction
from unlearned.vllm.chat import Chat
from unlearned.vllm.settings import Settings
from unlearned.vllm.table import EmbeddingTable

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

GIVEN = "unlearned"
"""Key under which a rendered prompt carries what is known about it beside its tokens."""

RECORD: ContextVar[RequestRecord | None] = ContextVar("unlearned_record", default=None)
"""The request that is being served, where the surface runs it."""


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What is known about a rendered prompt."""

    chat: Chat | None = None
    length: int | None = None
    """How many of its tokens are the prompt; what follows was generated (beams). None = all."""

    said: dict[str, Substitution] = field(default_factory=dict)
    """Under `GIVEN`, what has to be turned back in the answers of a beam search, once a step of it was checked."""


@dataclass(frozen=True, slots=True, eq=False)
class CheckedPrompt:
    """A prompt that may go to the engine."""

    own: tuple[int, ...]
    """The ids that were sent."""

    input: PromptInput
    """T tokens that the engine reads: those that were sent, with a soft prompt or an instruction if there is one."""

    digest: str
    """Digest of the artifacts under which it was checked."""

    rewords: bool = False
    """Whether an instruction is in force, so that the engine may read other tokens in the place of those sent."""

    embeddings: Tensor | None = None
    """(T, D) rows of the whole prompt where some are not those of its tokens."""

    def is_token(self, length: int) -> list[bool]:
        """(length,) False where the engine reads a row of `embeddings` and not its own."""
        mask = [True] * length
        if self.input.positions is not None:
            for position in self.input.positions.tolist():
                mask[position] = False
        return mask


@dataclass(frozen=True, slots=True, eq=False)
class TablePreparer:
    """What unlearners ask of the engine's model to prepare its prompts; used from any thread."""

    table: EmbeddingTable
    bank: Bank
    tokenizer: PreTrainedTokenizerBase
    """Used by nobody else."""

    _lock: threading.Lock = field(default_factory=threading.Lock)

    def embed(self, token_ids: Sequence[int]) -> Tensor:
        """(T, D) the model's embeddings of T token ids."""
        return self.table.embed(token_ids)

    def prepend(self, prompt: Prompt, words: str) -> Prompt:
        """A located prompt with words in front of the first message of a user; see `prepended_as_letters`."""
        with self._lock:  # fast tokenizers refuse to be used by two threads at once
            return prepended_as_letters(self.tokenizer, prompt, words)


class Enforcer:
    """Checks and corrupts the prompts of one engine.

    Args:
        settings: what is enforced.
        table: the model's input embeddings.
        tokenizer: its fast tokenizer, used by nobody else.
        model_id: the model's name, for messages.
        log: where lines go.
        check: raises `ConfigError` for an artifact that this engine cannot be served with.

    Raises:
        ArtifactError: an artifact cannot be used with this model.
    """

    def __init__(
        self,
        settings: Settings,
        table: EmbeddingTable,
        tokenizer: PreTrainedTokenizerBase,
        *,
        model_id: str,
        log: Log | None = None,
        check: Callable[[Loaded], None] = lambda _: None,
    ) -> None:
        self._check = check
        self.settings, self.table, self.reader = settings, table, TokenReader(tokenizer)
        self._base_model = embeddings_record(table.embed, table.rows, tokenizer, model_id)
        self._preparer = TablePreparer(table, Bank(Pieces(copy.deepcopy(tokenizer))), copy.deepcopy(tokenizer))
        self._known: tuple[Loaded, ...] = ()
        log, config = log or Log(), settings.serve_config()
        self._config = config
        store: ArtifactStore[Unlearner] = ArtifactStore(self._activate, settings.sources(), log.event)
        self.gate = Gate(config, store, log=log)
        self.gate.tell_protection()
        store.current.unlearner.classify([text_only("Good morning, and welcome.")])  # load what is loaded on first use
        if settings.artifact_dir or settings.state:
            threading.Thread(target=_watch, args=(weakref.ref(self),), name="unlearned-artifacts", daemon=True).start()

    @classmethod
    def for_engine(cls, settings: Settings, vllm_config: Any) -> Enforcer:
        """Make the enforcer for what vLLM is about to run; raises `ConfigError` where it cannot be enforced there."""
        from functools import partial

        from transformers import AutoTokenizer

        from unlearned.vllm.combinations import check_artifact, check_combination, check_fixed_answers

        check_combination(vllm_config)
        if settings.on_flag:
            check_fixed_answers(vllm_config)
        model = vllm_config.model_config
        tokenizer = AutoTokenizer.from_pretrained(
            model.tokenizer, revision=model.tokenizer_revision, trust_remote_code=model.trust_remote_code
        )
        check = partial(check_artifact, vllm_config)
        return cls(settings, open_table(model), tokenizer, model_id=str(model.model), check=check)

    @property
    def end(self) -> int | None:
        """The token that ends an answer."""
        found: int | None = self.reader.tokenizer.eos_token_id
        return found

    def said(self, answer: str) -> tuple[int, ...]:
        """The tokens of a fixed answer, remembered."""
        return self._preparer.bank.pieces.ids(answer)

    def _activate(self, artifacts: Sequence[Loaded]) -> Unlearner:
        enforced = self._config.answers.applied(self._config.on_flag.applied(artifacts))
        for artifact in artifacts:
            self._check(artifact)
        unlearner = _hiding_what_is_refused(enforcing(enforced))
        for artifact, own in zip(artifacts, enforced, strict=True):
            if artifact not in self._known:
                check_model(own, self._base_model, stacklevel=2)
        scopes = [scope for own in enforced if isinstance(own, Artifact) for scope in own.scopes]
        if reading := [scope.name for scope in scopes if scope.withheld and scope.withheld.reads_content]:
            raise ConfigError(
                f"The scope {reading[0]!r} wants the content of answers read, which vLLM cannot do. Serve it on "
                f"transformers, or with --unlearned-answers {reading[0]}=names+quotes."
            )
        self._known = tuple(artifacts)
        return unlearner

    async def check(self, token_ids: Sequence[int], given: Given) -> CheckedPrompt:
        """Check and prepare one prompt without holding up the event loop.

        Raises:
            RefusalError: 503; it could not be checked.
        """
        start = time.perf_counter()
        enforced = self.gate.store.current  # once: another set may come in force meanwhile
        prompt = await asyncio.to_thread(self._read, token_ids, given)
        [verdict] = await self.gate.screener.check([prompt], enforced)
        checked = (
            await asyncio.to_thread(self._prepared, prompt, verdict, enforced)
            if verdict.in_scope or enforced.unlearner.lengthens
            else self._prepared(prompt, verdict, enforced)
        )
        self._note(prompt, checked, given, time.perf_counter() - start)
        return checked

    def check_now(self, token_ids: Sequence[int], given: Given) -> CheckedPrompt:
        """Check a prompt for a caller without an event loop."""
        enforced = self.gate.store.current
        prompt = self._read(token_ids, given)
        [verdict] = self.gate.screener.check_now([prompt], enforced)
        return self._prepared(prompt, verdict, enforced)

    def check_ahead(self, prompts: Sequence[tuple[Sequence[int], Given]]) -> None:
        """Have the verdicts of many prompts found together, so that `check_now` remembers them."""
        self.gate.screener.check_now([self._read(*prompt) for prompt in prompts], self.gate.store.current)

    async def holds(self, token_ids: Sequence[int], given: Given, words: str) -> bool:
        """Whether words that a request makes the model say behind its prompt are in scope.

        Raises:
            RefusalError: 503; they could not be checked.
        """
        prompt = await asyncio.to_thread(self._followed_by, token_ids, given, words)
        [verdict] = await self.gate.screener.check([prompt], self.gate.store.current)
        return _reaches_last(verdict, prompt)

    def holds_now(self, token_ids: Sequence[int], given: Given, words: str) -> bool:
        """Check forced words for a caller without an event loop; see `holds`."""
        prompt = self._followed_by(token_ids, given, words)
        [verdict] = self.gate.screener.check_now([prompt], self.gate.store.current)
        return _reaches_last(verdict, prompt)

    def _followed_by(self, token_ids: Sequence[int], given: Given, words: str) -> Prompt:
        """The prompt's words and these: a question may begin in the one and end in the other."""
        prompt = self._read(token_ids, given)
        said = [(segment.role, prompt.text[segment.start : segment.end]) for segment in prompt.segments]
        return replace(messages_only([*said, ("user", words)]), owner=prompt.owner)

    def _read(self, token_ids: Sequence[int], given: Given) -> Prompt:
        ids = token_ids if given.length is None else token_ids[: given.length]
        prompt = self.reader.read(ids, given.chat.split if given.chat is not None else None)
        record = RECORD.get()
        return prompt if record is None or record.key is None else replace(prompt, owner=record.key)

    def _prepared(self, prompt: Prompt, verdict: Verdict, enforced: Enforced[Unlearner]) -> CheckedPrompt:
        unlearner = enforced.unlearner
        if verdict.in_scope or unlearner.lengthens:
            prompt = self.reader.located(prompt)
        try:
            [found] = unlearner.prepared([prompt], [verdict], self._preparer)
        except UnlearnedError as error:
            raise unchecked("The prompt could not be prepared.", "detection_failed") from error
        embeddings = None
        if found.vectors is not None:
            embeddings = self.table.embed(found.token_ids).clone()
            embeddings[found.positions] = found.vectors.to(embeddings.dtype)
        rewords = unlearner.method == INSTRUCTION
        return CheckedPrompt(prompt.token_ids, found, enforced.digest, rewords, embeddings)

    def _note(self, prompt: Prompt, checked: CheckedPrompt, given: Given, seconds: float) -> None:
        """Facts for the log and the administrator."""
        record = RECORD.get()
        if record is None:
            return
        verdict = checked.input.verdict
        known = record.verdicts or ()
        # A later step of a beam; what is found is remembered, so it is the same object.
        if given.length is not None and any(v is verdict or (v.spans and v.spans is verdict.spans) for v in known):
            return
        record.verdicts = [*(record.verdicts or ()), checked.input.verdict]
        record.artifacts = checked.digest
        record.prompt_tokens = (record.prompt_tokens or 0) + len(prompt.token_ids)
        record.timings["detection"] = max(seconds, record.timings.get("detection", 0.0))
        if self.gate.config.log_prompts:
            record.prompts = [*(record.prompts or ()), prompt.text]


def _hiding_what_is_refused(unlearner: Unlearner) -> Unlearner:
    """A refusal is its detector's scopes, each with the fixed answer: flagged words are hidden when scored."""
    if isinstance(unlearner, Instruction) and unlearner.kind == "refusal" and unlearner.detector is not None:
        return ECO([replace(scope, answer=unlearner.answer, withheld=None) for scope in unlearner.detector.scopes])
    return unlearner


def open_table(model_config: Any) -> EmbeddingTable:
    """The embeddings of the model that vLLM is configured for."""
    return EmbeddingTable.open(
        model_config.model,
        revision=model_config.revision,
        dtype=model_config.dtype,
        config=model_config.hf_text_config,
    )


def given_with(prompt: Mapping[str, Any]) -> Given:
    """What a rendered prompt carries."""
    found = prompt.get(GIVEN)
    return found if isinstance(found, Given) else Given()


def _reaches_last(verdict: Verdict, prompt: Prompt) -> bool:
    return any(span.end > prompt.segments[-1].start for span in verdict.spans)


def _watch(enforcer: weakref.ref[Enforcer]) -> None:
    """Look at the artifacts again and again, as long as somebody uses them."""
    while (alive := enforcer()) is not None:
        seconds = alive.gate.config.watch_seconds
        try:
            alive.gate.store.rescan()
        except Exception as error:  # the next look may go better; what is in force stays in force
            alive.gate.log.event(f"Looking at the artifacts failed: {type(error).__name__}: {error}")
        del alive
        time.sleep(seconds)
