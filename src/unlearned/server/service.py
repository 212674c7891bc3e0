"""The transformers engine behind the routes: prompts are read, checked, corrupted where flagged, and answered."""

from __future__ import annotations

import asyncio
import copy
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from unlearned.api import Unlearned
from unlearned.artifact.loading import Loaded
from unlearned.engines.per_request import PerRequestEngine
from unlearned.engines.sampling import RowSettings, Token
from unlearned.envelope import INSTRUCTION
from unlearned.errors import UnlearnedError
from unlearned.prompts.tokenize import special_ids
from unlearned.server.answers import Piece, RequestAnswer
from unlearned.server.batcher import Batcher, Scoring
from unlearned.server.config import ServeConfig
from unlearned.server.gate import Gate
from unlearned.server.lanes import SHORT
from unlearned.server.prompts import Reader
from unlearned.server.record import Log, RequestRecord
from unlearned.server.refusals import RefusalError, unchecked
from unlearned.server.replies import TokenTexts
from unlearned.server.schemas import Generating
from unlearned.server.scored import of_prompt
from unlearned.server.store import ArtifactStore, Sources
from unlearned.server.tool_calls import CLOSE, OPEN
from unlearned.types import Prompt, PromptInput
from unlearned.unlearners.base import Unlearner

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True, eq=False)
class CheckedRequest:
    """Prompts that may go to the engine."""

    prompts: tuple[Prompt, ...]
    inputs: tuple[PromptInput, ...]
    length: int | None = None
    """Tokens of all that was sent, where that is more than the prompts."""

    rewords: bool = False
    """Whether an instruction is in force, so that the model may read other tokens than the user's in their place."""

    @property
    def lengths(self) -> list[int]:
        """Tokens of the model's context that each prompt takes, with what stands in front of it."""
        pairs = zip(self.prompts, self.inputs, strict=True)
        return [len(own.token_ids if given.answer is not None else given.token_ids) for own, given in pairs]

    @property
    def tokens(self) -> int:
        """What a client has sent: of what stands in front of it nobody is told."""
        return sum(len(prompt.token_ids) for prompt in self.prompts) if self.length is None else self.length


class Service:
    """One model, its artifacts and its queue.

    Args:
        model: a causal language model of transformers.
        tokenizer: its fast tokenizer.
        sources: where artifacts come from.
        config: the server's settings.
        log: where lines go.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        sources: Sources,
        config: ServeConfig,
        log: Log | None = None,
    ) -> None:
        self.config = config
        self.view = Unlearned(model, tokenizer)
        self.engine = PerRequestEngine(model, tokenizer)
        self.reader = Reader(self.engine)
        # Fast tokenizers are for one thread at a time: the event loop and the engine's thread have copies of their own.
        self._teller: PreTrainedTokenizerBase = copy.deepcopy(tokenizer)
        self.token_texts = TokenTexts(self._teller)
        self._decoder: PreTrainedTokenizerBase = copy.deepcopy(tokenizer)
        self._ends = self.engine.end_ids()
        tags = {token_id for tag in (OPEN, CLOSE) if (token_id := tokenizer.get_vocab().get(tag)) is not None}
        self.call_tags = frozenset(tags & special_ids(tokenizer))
        """The tags around calls of tools, where they are special tokens."""

        self.batcher = Batcher(self.engine, config)
        log = log or Log()
        store: ArtifactStore[Unlearner] = ArtifactStore(self._activate, sources, log.event)
        self.gate = Gate(config, store, log=log, queue_depth=lambda: len(self.batcher), engine_alive=self.batcher.alive)

    def _activate(self, artifacts: Sequence[Loaded]) -> Unlearner:
        self.view.replace(self.config.answers.applied(self.config.on_flag.applied(artifacts)))
        return self.view.enforced

    def close(self) -> None:
        """End the threads; what was not answered fails."""
        self.batcher.close()
        self.gate.screener.close()

    async def check(self, read: Callable[[], Sequence[Prompt]], count: int, record: RequestRecord) -> CheckedRequest:
        """Read, check and corrupt the `count` prompts of one request.

        Raises:
            RefusalError: a prompt is malformed or too long (400), could not be checked (503), or too many wait (429).
        """
        with self.batcher.coming(count) as will_be_late:
            return await self._check(read, record, will_be_late)

    async def _check(
        self, read: Callable[[], Sequence[Prompt]], record: RequestRecord, will_be_late: Callable[[], None]
    ) -> CheckedRequest:
        owner = record.key or ""
        prompts = tuple(replace(prompt, owner=owner) for prompt in await asyncio.to_thread(read))
        if sum(len(prompt.text) for prompt in prompts) > SHORT:
            will_be_late()
        record.prompt_tokens = sum(len(prompt.token_ids) for prompt in prompts)
        if self.config.log_prompts:
            record.prompts = [prompt.text for prompt in prompts]
        before = record.since_start()
        enforced = self.gate.store.current  # once: another set may come in force meanwhile
        verdicts = await self.gate.screener.check(prompts, enforced)
        record.verdicts, record.artifacts = verdicts, enforced.digest

        try:
            inputs = await asyncio.to_thread(enforced.unlearner.prepared, prompts, verdicts, self.reader)
        except UnlearnedError as error:
            raise unchecked("The prompt could not be prepared.", "detection_failed") from error
        record.verdicts = [given.verdict for given in inputs]
        record.timings["detection"] = record.since_start() - before
        self.reader.check_fits(inputs)
        return CheckedRequest(prompts, tuple(inputs), rewords=enforced.unlearner.method == INSTRUCTION)

    def settings(self, asked: Generating, max_new_tokens: int, top_logprobs: int | None) -> RowSettings:
        """What a request says, else what the model's own generation settings say, else OpenAI's defaults."""
        own = self.engine.model.generation_config
        samples = bool(getattr(own, "do_sample", False))

        def default(name: str) -> Any:
            return getattr(own, name, None) if samples else None

        temperature = asked.temperature if asked.temperature is not None else self.config.default_temperature
        temperature = default("temperature") if temperature is None else temperature
        top_p = asked.top_p if asked.top_p is not None else default("top_p")
        return RowSettings(
            max_new_tokens=max_new_tokens,
            temperature=1.0 if temperature is None else temperature,
            top_p=1.0 if top_p is None else top_p,
            top_k=default("top_k") or None,
            seed=asked.seed,
            presence_penalty=asked.presence_penalty,
            frequency_penalty=asked.frequency_penalty,
            logit_bias=asked.biases(),
            top_logprobs=top_logprobs,
        )

    def answers(
        self,
        inputs: Sequence[PromptInput],
        settings: Sequence[RowSettings],
        asked: Generating,
        shown: frozenset[int] = frozenset(),
    ) -> RequestAnswers:
        """Queue `asked.n` answers to each prompt; raises `RefusalError` (429) if there is no room.

        Args:
            inputs: of the prompts.
            settings: as many.
            asked: the request.
            shown: special tokens whose text belongs to the answer.
        """
        copies = asked.n
        if copies > self.config.max_choices:
            raise RefusalError(400, f"n={copies}: this server gives at most {self.config.max_choices}.", param="n")
        answers = RequestAnswers()
        answers.rows = [
            RequestAnswer(
                place * copies + turn,
                prompt,
                own if own.seed is None else replace(own, seed=own.seed + turn),
                ends=self._ends,
                stops=asked.stops,
                tokenizer=self._decoder if prompt.answer is None else self._teller,
                sink=answers.take,
                shown=shown,
            )
            for place, (prompt, own) in enumerate(zip(inputs, settings, strict=True))
            for turn in range(copies)
        ]
        self.batcher.submit([row for row in answers.rows if row.prompt.answer is None])
        for row in answers.rows:
            row.say_what_is_given()
        return answers

    async def own_scores(self, checked: CheckedRequest, top: int) -> list[list[Token]]:
        """Scores of what clients sent, without what stands in front of it.

        Raises:
            RefusalError: 400, the model reads other tokens in their place.
        """
        if checked.rewords:
            raise RefusalError(
                400, "This server cannot score prompts: leave out 'echo' with 'logprobs'.", code="unsupported_parameter"
            )
        found = await self.scored(checked.inputs, top)
        return [of_prompt(prompt, tokens) for prompt, tokens in zip(checked.prompts, found, strict=True)]

    async def scored(self, inputs: Sequence[PromptInput], top: int) -> list[list[Token]]:
        """The prompts' own tokens with their log-probabilities."""
        items = [Scoring(prompt, top) for prompt in inputs]
        self.batcher.submit(items)
        try:
            return list(await asyncio.gather(*(asyncio.wrap_future(item.result) for item in items)))
        finally:
            for item in items:
                item.result.cancel()


class RequestAnswers:
    """The answers to one request: an asynchronous iterator of pieces, from all rows as they come."""

    def __init__(self) -> None:
        self.rows: list[RequestAnswer] = []
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[Piece] = asyncio.Queue()

    def take(self, piece: Piece) -> None:
        """The rows' sink, called from the engine's thread; never blocks, however slowly the client reads."""
        try:
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)
        except RuntimeError:  # the loop has ended, and with it whoever asked
            self.cancel()

    def cancel(self) -> None:
        """Nobody waits any more."""
        for row in self.rows:
            row.cancel()

    @property
    def tokens(self) -> int:
        return sum(row.count for row in self.rows)

    @property
    def held(self) -> Counter[str]:
        """How often names and quotes were held back."""
        guards = {id(row.prompt.guard): row.prompt.guard for row in self.rows if row.prompt.guard is not None}
        return sum((guard.held for guard in guards.values()), Counter[str]())

    def first_token_after(self, start: float) -> float | None:
        """Seconds from `start` (of `time.perf_counter`) to the first token of any row."""
        times = [row.first_token_at for row in self.rows if row.first_token_at is not None]
        return min(times) - start if times else None

    async def __aiter__(self) -> AsyncIterator[Piece]:
        running = len(self.rows)
        while running:
            piece = await self._pieces.get()
            if piece.error is not None:
                raise piece.error
            running -= piece.finish_reason is not None
            yield piece

    async def whole(self) -> list[Piece]:
        """One piece per row, with all of it."""
        texts = [""] * len(self.rows)
        tokens: list[tuple[Token, ...]] = [()] * len(self.rows)
        reasons: list[str | None] = [None] * len(self.rows)
        async for piece in self:
            texts[piece.index] += piece.text
            tokens[piece.index] += piece.tokens
            reasons[piece.index] = piece.finish_reason
        return [Piece(index, texts[index], tokens[index], reasons[index]) for index in range(len(self.rows))]
