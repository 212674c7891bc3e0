"""Where every request passes, in the process that takes it: checked off the event loop, prepared, and marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import replace
from http import HTTPStatus
from itertools import islice
from typing import Any

from vllm.exceptions import GracefulHTTPError, VLLMValidationError
from vllm.pooling_params import PoolingParams

from unlearned.answers.guard import Guard
from unlearned.errors import DetectionError, PromptError
from unlearned.server.refusals import RefusalError
from unlearned.server.screening import AT_ONCE
from unlearned.substitution.substitution import Substitution
from unlearned.vllm.answering import Way
from unlearned.vllm.banning import ARGUMENT, told
from unlearned.vllm.chat import Chat
from unlearned.vllm.constraints import words_of
from unlearned.vllm.core import STAMP
from unlearned.vllm.enforcer import GIVEN, RECORD, CheckedPrompt, Enforcer, Given, given_with
from unlearned.vllm.fixed import ONE, FixedAnswer
from unlearned.vllm.hooks import (
    ADD_REQUEST,
    BEAM_PROMPT,
    FRONT_START,
    OFFLINE,
    PROCESS_INPUTS,
    RENDER_CHAT,
    RENDER_CHAT_ASYNC,
    wrap,
)
from unlearned.vllm.lengthening import Lengthened
from unlearned.vllm.outputs import handle
from unlearned.vllm.settings import Settings

CONSTRAINED = "An answer under this constraint cannot be given. Leave the constraint out or word it otherwise."
FIXED_BEAMS = "An answer by beam search cannot be given here. Leave beam search out."
NO_BEAMS = "Beam search is not available on this server. Ask for one answer, or for several with n."
NO_SCORES = (
    "This server cannot score prompts. Leave out 'prompt_logprobs', and 'echo' where it asks for scores: in chats, or "
    "with 'logprobs'."
)
NO_EMBEDDINGS = "Embeddings cannot be checked, so they are refused. Send text."

_AHEAD: ContextVar[tuple[Any, CheckedPrompt] | None] = ContextVar("unlearned_checked", default=None)
"""A prompt that this task has checked, and the result."""

_current: Enforcer | None = None


class UncheckedError(GracefulHTTPError, DetectionError):  # type: ignore[misc]
    """A prompt could not be checked: 503 over HTTP, a `DetectionError` in Python."""


def install() -> None:
    """Wrap what takes requests."""
    wrap(FRONT_START, _starting)
    wrap(PROCESS_INPUTS, _processing)
    wrap(ADD_REQUEST, _adding)
    wrap(RENDER_CHAT, _rendering)
    wrap(RENDER_CHAT_ASYNC, _rendering_async)
    wrap(BEAM_PROMPT, _beam)
    wrap(OFFLINE, _offline)


def current() -> Enforcer:
    """The enforcer of this process's engine, for the surface around the server.

    Raises:
        DetectionError: there is none, so nothing would be checked.
    """
    if _current is None:
        raise DetectionError("The engine of this server was started without the plug-in of unlearned.")
    return _current


def _of(processor: Any) -> Enforcer | None:
    found: Enforcer | None = getattr(processor, "unlearned", None)
    return found


def _starting(start: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(self: Any, vllm_config: Any, *args: Any, **kwargs: Any) -> Any:
        global _current
        result = start(self, vllm_config, *args, **kwargs)
        settings = Settings.of(vllm_config)
        self.unlearned = Enforcer.for_engine(settings, vllm_config) if settings is not None else None
        _current = self.unlearned or _current
        return result

    return wrapper


def _adding(add: Callable[..., Any]) -> Callable[..., Any]:
    """Rendered prompts are processed on the event loop: they are checked before, while other requests go on."""

    async def wrapper(self: Any, request_id: str, prompt: Any, params: Any, *args: Any, **kwargs: Any) -> Any:
        enforcer = _of(self.input_processor)
        if enforcer is None or not isinstance(prompt, dict) or "type" not in prompt:
            return await add(self, request_id, prompt, params, *args, **kwargs)
        _refuse_unreadable(prompt["type"], params)
        ids, given, words = prompt["prompt_token_ids"], given_with(prompt), words_of(params)
        try:
            checked = await enforcer.check(ids, given)
            refused = bool(words) and await enforcer.holds(ids, given, words)
        except RefusalError as refusal:
            raise _unchecked(refusal) from refusal
        if refused:
            raise VLLMValidationError(CONSTRAINED, parameter="structured_outputs")
        _refuse_unanswerable(checked, given, params)
        token = _AHEAD.set((prompt, checked))
        try:
            return await add(self, request_id, prompt, params, *args, **kwargs)
        finally:
            _AHEAD.reset(token)

    return wrapper


def _processing(process: Callable[..., Any]) -> Callable[..., Any]:
    """The place that no request can avoid."""

    def wrapper(self: Any, request_id: str, prompt: Any, params: Any, *args: Any, **kwargs: Any) -> Any:
        request = process(self, request_id, prompt, params, *args, **kwargs)
        enforcer = _of(self)
        if enforcer is None:
            return request
        if request.resumable:
            raise VLLMValidationError("Prompts that come in pieces cannot be checked as a whole. Send them at once.")
        if request.prompt_embeds is not None or request.prompt_token_ids is None:
            _refuse_unreadable("embeds", params)
        if request.mm_features:
            _refuse_unreadable("multimodal", params)
        _refuse_unreadable("token", params)
        checked = _checked(enforcer, prompt, request.prompt_token_ids, params)
        lengthened = _replace_prompt(request, checked, enforcer)
        given = given_with(prompt) if isinstance(prompt, Mapping) else Given()
        way = Way(
            substitution=_turned_back(request, checked.input.substitution, given),
            guard=_held_back(request, checked.input.guard, given),
            fixed=_said(request, checked.input.answer, enforcer),
            lengthened=lengthened,
            embed=enforcer.table.embed,
            context=self.model_config.max_model_len,
            end=enforcer.end,
        )
        if lengthened is not None:
            _fit(request.sampling_params, lengthened, self.model_config.max_model_len)
        if way.changes_answers:
            request.trace_headers = {**request.trace_headers, **handle(way)}
        return request

    return wrapper


def _checked(enforcer: Enforcer, prompt: Any, token_ids: Sequence[int], params: Any) -> CheckedPrompt:
    given = given_with(prompt) if isinstance(prompt, Mapping) else Given()
    ahead = _AHEAD.get()
    # The tokens are compared, too: what was checked is what the engine gets.
    if ahead is not None and ahead[0] is prompt and ahead[1].own == tuple(token_ids[: given.length]):
        return ahead[1]
    words = words_of(params)
    try:
        checked = enforcer.check_now(token_ids, given)
        refused = bool(words) and enforcer.holds_now(token_ids, given, words)
    except RefusalError as refusal:
        raise _unchecked(refusal) from refusal
    if refused:
        raise VLLMValidationError(CONSTRAINED, parameter="structured_outputs")
    _refuse_unanswerable(checked, given, params)
    return checked


def _refuse_unanswerable(checked: CheckedPrompt, given: Given, params: Any) -> None:
    """Raise `VLLMValidationError` (400) for what the engine cannot tell, as it reads another prompt or is not asked."""
    if checked.rewords and _scores_prompt(params):  # of any prompt, so that nobody learns which ones are flagged
        raise _unfit(RefusalError(400, NO_SCORES, param="prompt_logprobs", code="unsupported_parameter"))
    if checked.input.answer is None:
        return
    if given.length is not None:
        raise VLLMValidationError(FIXED_BEAMS, parameter="use_beam_search")
    if getattr(params, "structured_outputs", None) is not None:
        raise VLLMValidationError(CONSTRAINED, parameter="structured_outputs")


def _scores_prompt(params: Any) -> bool:
    asked = (getattr(params, name, None) for name in ("prompt_logprobs", "prompt_logprob_token_ids"))
    return any(found is not None for found in asked)


def _replace_prompt(request: Any, checked: CheckedPrompt, enforcer: Enforcer) -> Lengthened | None:
    """Write into vLLM's request the mark, the tokens that the engine reads, and embeddings that are not theirs."""
    request.trace_headers = {**(request.trace_headers or {}), STAMP: checked.digest}
    own = request.prompt_token_ids
    generated = own[len(checked.own) :]  # by a beam: it is read as it is
    if checked.input.token_ids != checked.own:
        request.prompt_token_ids = [*checked.input.token_ids, *generated]
    if checked.embeddings is not None:
        import torch

        rows = checked.embeddings
        request.prompt_embeds = torch.cat([rows, enforcer.table.embed(generated)]) if generated else rows
        request.prompt_is_token_ids = checked.is_token(len(request.prompt_token_ids))
    return Lengthened.of(own, request.prompt_token_ids)


def _fit(sampling: Any, lengthened: Lengthened, context: int) -> None:
    """Adapt what is asked for to the longer prompt; raises `VLLMValidationError` (400) where it does not fit."""
    try:
        lengthened.make_room(sampling, context)
    except RefusalError as refusal:
        raise _unfit(refusal) from refusal
    lengthened.score_own(sampling)


def _held_back(request: Any, guard: Guard | None, given: Given) -> Guard | None:
    """The guard of an answer that can go back; workers are told of any other. Clients cannot tell them anything."""
    sampling = request.sampling_params
    if sampling is None:
        return None
    own = {name: value for name, value in (sampling.extra_args or {}).items() if name != ARGUMENT}
    if guard is not None and given.length is not None:
        raise VLLMValidationError(NO_BEAMS, parameter="use_beam_search")
    goes_back = sampling.structured_outputs is None  # a grammar would begin anew
    if guard is not None and not goes_back:
        own[ARGUMENT] = told(guard)
    sampling.extra_args = own or None
    if guard is None or not goes_back:
        return None
    record = RECORD.get()
    return guard.anew() if record is None else replace(guard, held=record.held)


def _turned_back(request: Any, substitution: Substitution | None, given: Given) -> Substitution | None:
    """Who stands for whom in the answer: turned back where it is made into text, or when a beam search has ended."""
    if substitution is None:
        return None
    if given.length is not None:
        given.said[GIVEN] = substitution
        return None
    sampling = request.sampling_params
    if sampling is not None and sampling.logit_bias:
        sampling.logit_bias = substitution.biased(sampling.logit_bias)
    return substitution


def _said(request: Any, answer: str | None, enforcer: Enforcer) -> FixedAnswer | None:
    """The fixed answer. The engine makes one token, in whose place it is said; what is scored is read as ever."""
    if answer is None:
        return None
    sampling, token_ids = request.sampling_params, enforcer.said(answer)
    stops = sampling.stop_token_ids or ()
    fixed = FixedAnswer.of(token_ids, end=enforcer.end, most=sampling.max_tokens, stops=stops)
    sampling.max_tokens, sampling.min_tokens = ONE, 0
    return fixed


def _refuse_unreadable(kind: str, params: Any) -> None:
    """Raise `VLLMValidationError` (400) for what is no text that can be checked."""
    if kind == "embeds":
        raise VLLMValidationError(NO_EMBEDDINGS, parameter="prompt_embeds")
    if kind != "token":
        raise VLLMValidationError("Only text can be checked: images, sound and video are refused. Send text parts.")
    if isinstance(params, PoolingParams):
        raise VLLMValidationError("This engine only generates: embeddings, scores and classes are not protected.")


def _unchecked(refusal: RefusalError) -> UncheckedError:
    _note(refusal)
    return UncheckedError(str(refusal), HTTPStatus(refusal.status))


def _unfit(refusal: RefusalError) -> Exception:
    """What is said of it over HTTP is as on transformers, for streams as well; in Python it is vLLM's own error."""
    _note(refusal)
    error: Exception = VLLMValidationError(str(refusal), parameter=refusal.param)
    return error


def _note(refusal: RefusalError) -> None:
    """Tell the surface around the server, where there is one."""
    record = RECORD.get()
    if record is not None:
        record.refusal = refusal
        record.error = refusal.code


def _rendering(render: Callable[..., Any]) -> Callable[..., Any]:
    """Rendered conversations remember their messages."""

    def wrapper(self: Any, conversations: Sequence[Any], chat_params: Any, *args: Any, **kwargs: Any) -> Any:
        found, prompts = render(self, conversations, chat_params, *args, **kwargs)
        _remember(self, conversations, chat_params, prompts)
        return found, prompts

    return wrapper


def _rendering_async(render: Callable[..., Any]) -> Callable[..., Any]:
    async def wrapper(self: Any, conversations: Sequence[Any], chat_params: Any, *args: Any, **kwargs: Any) -> Any:
        found, prompts = await render(self, conversations, chat_params, *args, **kwargs)
        _remember(self, conversations, chat_params, prompts)
        return found, prompts

    return wrapper


def _remember(renderer: Any, conversations: Sequence[Any], chat_params: Any, prompts: Sequence[Any]) -> None:
    # Without a word of the client: of the template's arguments only those that cannot hold any.
    plain = {
        name: value
        for name, value in chat_params.chat_template_kwargs.items()
        if value is None or isinstance(value, (bool, int))
    }
    bare_params = replace(chat_params, chat_template_kwargs=plain)

    def render(messages: Sequence[Mapping[str, Any]], bare: bool) -> str:
        # A copy: vLLM parses the arguments of tool calls in place.
        _, prompt = renderer.render_messages(deepcopy(list(messages)), bare_params if bare else chat_params)
        text = prompt.get("prompt")
        if not isinstance(text, str):
            raise PromptError("This renderer gives token ids and no text.")
        return text

    for messages, prompt in zip(conversations, prompts, strict=True):
        if prompt.get("type") == "token":
            prompt[GIVEN] = Given(Chat(messages, render))


def _beam(build: Callable[..., Any]) -> Callable[..., Any]:
    """Every step of a beam is a prompt to vLLM; to us the prompt is what the client sent."""

    def wrapper(self: Any) -> Any:
        prompt = build(self)
        origin = self.orig_prompt
        if prompt.get("type") == "token":
            origin.setdefault(GIVEN, Given())
            prompt[GIVEN] = replace(given_with(origin), length=len(origin["prompt_token_ids"]))
        return prompt

    return wrapper


def _offline(add: Callable[..., Any]) -> Callable[..., Any]:
    """Prompts of a list are checked in batches."""

    def wrapper(self: Any, prompts: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        enforcer = _of(self.llm_engine.input_processor)
        return add(self, prompts if enforcer is None else _ahead(enforcer, prompts), *args, **kwargs)

    return wrapper


def _ahead(enforcer: Enforcer, prompts: Iterable[Any]) -> Iterator[Any]:
    source = iter(prompts)
    while batch := list(islice(source, AT_ONCE)):
        readable = [(p["prompt_token_ids"], given_with(p)) for p in batch if p.get("type") == "token"]
        try:
            enforcer.check_ahead(readable)
        except RefusalError as refusal:
            raise _unchecked(refusal) from refusal
        yield from batch
