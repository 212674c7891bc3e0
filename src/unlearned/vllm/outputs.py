"""Where vLLM turns outputs into text: every answer becomes what the client reads before anything else sees it."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from unlearned.engines.vocabulary import Forbiddings
from unlearned.engines.watching import TokenBytes
from unlearned.errors import DetectionError
from unlearned.vllm.answering import Answering, OutputStep, Way
from unlearned.vllm.hooks import ADD_NOW, ADD_REQUEST, END_REQUESTS, NEW_STATE, OUTPUTS, wrap

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WAY_BACK = "x-unlearned-way-back"
"""Key of the handle of a request's way, in its trace headers, which clients cannot set."""

MOST_WAITING = 2048
"""Requests between the front end and the place where outputs are processed."""

_waiting: OrderedDict[str, Way] = OrderedDict()


def install() -> None:
    """Wrap where outputs are processed, and what takes requests to the engine."""
    wrap(ADD_REQUEST, _knowing_the_engine)
    wrap(ADD_NOW, _knowing_the_engine_now)
    wrap(NEW_STATE, _adding)
    wrap(OUTPUTS, _processing)
    wrap(END_REQUESTS, _ending)


def handle(way: Way) -> dict[str, str]:
    """Trace headers by which the way from what the engine makes to what the client reads is found again."""
    key = secrets.token_hex(8)
    _waiting[key] = way
    while len(_waiting) > MOST_WAITING:
        _waiting.popitem(last=False)
    return {WAY_BACK: key}


class EngineAnswers:
    """The answers in the making of one engine.

    Args:
        tokenizer: of the model.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer, self.texts = tokenizer, TokenBytes(tokenizer)
        self._by_request: dict[str, Answering] = {}
        self._by_engine: dict[str, Answering] = {}
        self._forbiddings = Forbiddings(self.texts)
        self._sending: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        return bool(self._by_request)

    def add(self, request: Any, way: Way) -> None:
        """An answer begins."""
        own = Answering(way, request, self.tokenizer, self.texts, self._forbiddings.of)
        self._by_request[request.request_id] = self._by_engine[own.engine_id] = own

    def keep(self, living: Iterable[str]) -> None:
        """Forget the answers of requests that nobody waits for."""
        for gone in self._by_request.keys() - living:
            self._by_engine.pop(self._by_request.pop(gone).engine_id, None)

    def read(self, output: Any) -> OutputStep:
        """Rewrite an output of the engine in place."""
        own = self._by_engine.get(output.request_id)
        if own is None:  # of the time before an answer went back, or an answer that is told as it is
            return OutputStep(output.request_id not in self._by_request)
        before = own.engine_id
        step = own.read(output)
        if own.engine_id != before:
            self._by_engine[own.engine_id] = self._by_engine.pop(before)
        return step

    def engine_id(self, request_id: str) -> str:
        """Id under which the engine knows a request now."""
        own = self._by_request.get(request_id)
        return request_id if own is None else own.engine_id

    def send(self, add: Callable[[Any], Any], request: Any) -> None:
        """Have the engine take up a request, from within the event loop or without one."""
        sending = add(request)
        if sending is not None:
            task = asyncio.ensure_future(sending)
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)


def _knowing_the_engine(add: Callable[..., Any]) -> Callable[..., Any]:
    """Where outputs are processed, the engine can be asked to go on elsewhere."""

    async def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.output_processor.unlearned_engine = self.engine_core.add_request_async
        return await add(self, *args, **kwargs)

    return wrapper


def _knowing_the_engine_now(add: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.output_processor.unlearned_engine = self.engine_core.add_request
        return add(self, *args, **kwargs)

    return wrapper


def _adding(add: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        key = (request.trace_headers or {}).get(WAY_BACK)
        way = None if key is None else _waiting.get(key)
        if key is not None and (way is None or self.tokenizer is None):
            raise DetectionError("What was found out about a prompt is lost, so it is not answered. Send it again.")
        own = way.lengthened if way is not None else None
        result = add(self, request if own is None else own.as_sent(request), *args, **kwargs)
        if way is not None:
            if not hasattr(self, "unlearned"):
                self.unlearned = EngineAnswers(self.tokenizer)
            self.unlearned.add(request, way)
        return result

    return wrapper


def _processing(process: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(self: Any, engine_core_outputs: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        answers: EngineAnswers | None = getattr(self, "unlearned", None)
        if not answers:
            return process(self, engine_core_outputs, *args, **kwargs)
        answers.keep(self.request_states.keys())
        steps = [(output, answers.read(output)) for output in engine_core_outputs]
        for _, step in steps:
            if step.asked is not None:
                answers.send(self.unlearned_engine, step.asked)
        result = process(self, [output for output, step in steps if step.told], *args, **kwargs)
        ended = [request_id for _, step in steps for request_id in step.ended]
        result.reqs_to_abort = [*(answers.engine_id(request_id) for request_id in result.reqs_to_abort), *ended]
        return result

    return wrapper


def _ending(end: Callable[..., Any]) -> Callable[..., Any]:
    """Requests are ended under the ids by which the engine knows them."""

    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        ended = end(self, *args, **kwargs)
        answers: EngineAnswers | None = getattr(self, "unlearned", None)
        return [answers.engine_id(request_id) for request_id in ended] if answers else ended

    return wrapper
