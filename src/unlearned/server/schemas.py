"""What requests may hold. A field that is not understood is refused: it might change the prompt unseen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from unlearned.server.body import no_constant
from unlearned.server.refusals import RefusalError

HARMLESS = frozenset(
    {
        "user",
        "metadata",
        "store",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "service_tier",
        "parallel_tool_calls",
    }
)
"""OpenAI's fields that say nothing about the prompt or the answer; left unread where a route does not read them."""

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "tools": ([],),
    "functions": ([],),
    "tool_choice": ("none",),
    "function_call": ("none",),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "suffix": ("",),
}
"""Fields that are only accepted where they ask for nothing, but for routes that read them."""

REASONS = {
    "tools": "Only /v1/chat/completions takes tools.",
    "functions": "It is the old form of 'tools'; send those.",
    "function_call": "It is the old form of 'tool_choice'; send that.",
    "suffix": "Only what precedes an answer can be checked.",
    "prompt_embeds": "Embeddings cannot be checked; send text or token ids.",
}

Name = Annotated[str, Field(min_length=1, max_length=1000)]
Index = Annotated[int, Field(ge=0)]
Stops = Annotated[list[Annotated[str, Field(min_length=1, max_length=1000)]], Field(max_length=16)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class StreamOptions(_Request):
    """`stream_options`."""

    include_usage: bool = False
    include_obfuscation: bool = False
    """Left unread: chunks are as long as their text."""


class Part(_Request):
    """One part of a message's content; only text can be checked."""

    type: Literal["text"]
    text: str


class CalledFunction(_Request):
    """What a tool call says."""

    name: Name
    arguments: str
    """A JSON object."""

    def parsed(self) -> dict[str, Any]:
        """The arguments as chat templates take them.

        Raises:
            RefusalError: 400, they are no JSON object.
        """
        try:
            found = json.loads(self.arguments or "{}", parse_constant=no_constant)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            message = f"The arguments of the call of {self.name!r} are not a JSON object."
            raise RefusalError(400, message, param="messages", code="invalid_value")
        _check_unicode(found)
        return found


class ToolCall(_Request):
    """A call that the model made before."""

    id: Annotated[str, Field(max_length=1000)] | None = None
    type: Literal["function"] = "function"
    function: CalledFunction

    def plain(self) -> dict[str, Any]:
        """The tool as chat templates take it."""
        known = {} if self.id is None else {"id": self.id}
        function = {"name": self.function.name, "arguments": self.function.parsed()}
        return {**known, "type": "function", "function": function}


class DescribedFunction(_Request):
    """What a tool says of itself."""

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    """Not shown to the model, and not enforced."""


class Tool(_Request):
    """What the model may call."""

    type: Literal["function"]
    function: DescribedFunction

    def plain(self) -> dict[str, Any]:
        """The message as chat templates take it: what was given."""
        return self.model_dump(exclude_unset=True, exclude={"function": {"strict"}})


class ChatMessage(_Request):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    """May only be missing beside `tool_calls`."""

    tool_calls: list[ToolCall] = []
    tool_call_id: Annotated[str, Field(max_length=1000)] | None = None
    """Which call a tool's result belongs to; shown to the model where the chat template prints it."""

    name: Annotated[str, Field(max_length=1000)] | None = None
    """Name of the speaker; accepted where the chat template prints none, so that the model is not shown it."""

    @model_validator(mode="after")
    def _says_something(self) -> ChatMessage:
        if self.tool_calls and self.role != "assistant":
            raise PydanticCustomError("role", "only an assistant's message may hold tool_calls")
        if self.content is None and not self.tool_calls:
            raise PydanticCustomError("content", "content must be a text or a list of text parts")
        return self

    def plain(self) -> dict[str, Any]:
        """Role, words, and calls of tools, as chat templates take them."""
        words = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content or ())
        message: dict[str, Any] = {"role": self.role, "content": words}
        if self.tool_calls:
            message["tool_calls"] = [call.plain() for call in self.tool_calls]
        if self.role == "tool" and self.tool_call_id is not None:
            message["tool_call_id"] = self.tool_call_id
        return message


class Generating(_Request):
    """What both generating routes take."""

    model: str | None = None
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    n: Annotated[int, Field(ge=1)] = 1
    stop: Annotated[str, Field(min_length=1, max_length=1000)] | Stops | None = None
    seed: int | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] = {}
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    def biases(self) -> dict[int, float]:
        """`logit_bias` by token id."""
        if unknown := [
            token for token in self.logit_bias if not (token.isascii() and token.isdecimal() and len(token) <= 10)
        ]:
            raise RefusalError(400, f"{unknown[0]!r} is no token id.", param="logit_bias")
        return {int(token): bias for token, bias in self.logit_bias.items()}


class ChatRequest(Generating):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: list[Tool] = []
    tool_choice: Any = None
    parallel_tool_calls: bool = True

    def calls_are_read(self) -> bool:
        """Whether calls of tools are looked for in the answers.

        Raises:
            RefusalError: 400, the model would have to be made to call a tool.
        """
        if self.tool_choice not in (None, "auto", "none"):
            raise RefusalError(
                400,
                "'tool_choice' must be 'auto' or 'none': this server does not force a model to call a tool.",
                param="tool_choice",
                code="unsupported_value",
            )
        if self.tool_choice == "auto" and not self.tools:
            raise RefusalError(400, "'tool_choice' needs 'tools'.", param="tool_choice")
        return bool(self.tools) and self.tool_choice != "none"


class Marking(_Request):
    """What an administrator may say about the prompts of `/v1/completions`."""

    scored_from: Index | list[Index]
    """Where what is scored begins, for all prompts or for each: a character of a text, a place among token ids."""


class CompletionRequest(Generating):
    """`POST /v1/completions`."""

    unlearned: Marking | None = None

    prompt: str | list[int] | list[str] | list[list[int]]
    echo: bool = False
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    best_of: Annotated[int, Field(ge=1)] | None = None

    def scored_from(self) -> list[int] | None:
        """Per prompt, where what is scored begins; None where all of it is a prompt.

        Raises:
            RefusalError: 400, the request asks for more than scores, or does not say it for each prompt.
        """
        if self.unlearned is None:
            return None
        if not self.echo or self.logprobs is None or self.n != 1 or self.max_tokens not in (0, 1) or self.stream:
            raise RefusalError(
                400,
                "'unlearned.scored_from' is for scores alone: it needs 'echo', 'logprobs' and 'max_tokens' 0 or 1, "
                "without 'n' and 'stream'.",
                param="unlearned.scored_from",
                code="invalid_value",
            )
        places, count = self.unlearned.scored_from, len(self.prompts)
        places = [places] * count if isinstance(places, int) else places
        if len(places) != count:
            message = f"'unlearned.scored_from' has {len(places)} places for {count} prompts."
            raise RefusalError(400, message, param="unlearned.scored_from", code="invalid_value")
        return places

    @property
    def prompts(self) -> list[str | list[int]]:
        """One entry for each prompt."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        if self.prompt and isinstance(self.prompt[0], int):
            return [self.prompt]
        return list(self.prompt)  # type: ignore[arg-type]


class CheckRequest(_Request):
    """`POST /v1/unlearned/checks`."""

    input: str | list[str] | None = None
    messages: Annotated[list[ChatMessage], Field(min_length=1)] | None = None


class ArtifactRequest(_Request):
    """`PUT /v1/unlearned/artifacts/NAME`."""

    path: str
    """A folder on the server."""


Model = TypeVar("Model", bound=BaseModel)


def validated(kind: type[Model], data: Mapping[str, Any]) -> Model:
    """A request of this kind; fields that are null count as not given.

    Raises:
        RefusalError: 400, naming the field.
    """
    given = {
        name: value
        for name, value in data.items()
        if value is not None
        and (name in kind.model_fields or not (name in HARMLESS or (name in NEUTRAL and value in NEUTRAL[name])))
    }
    if isinstance(messages := given.get("messages"), list):
        given["messages"] = [
            {name: value for name, value in message.items() if value is not None}
            if isinstance(message, dict)
            else message
            for message in messages
        ]
    _check_unicode(given)
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise _refusal(error, kind) from error


def _refusal(error: ValidationError, kind: type[BaseModel]) -> RefusalError:
    # The most telling one: an unknown field, else the first.
    errors = sorted(error.errors(include_input=False, include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    place = [part for part in errors[0]["loc"] if isinstance(part, int) or part in _names(kind)]
    unknown = str(errors[0]["loc"][-1])
    if errors[0]["type"] == "extra_forbidden":
        where = ".".join(map(str, place if place[-1:] == [unknown] else [*place, unknown]))
        reason = REASONS.get(unknown, "It is not understood here, and could change what the model reads.")
        return RefusalError(
            400, f"The field {where!r} is not supported. {reason}", param=where, code="unsupported_parameter"
        )
    where = ".".join(str(part) for part in place) or str(errors[0]["loc"][0])
    if "content" in where or errors[0]["loc"][-1] == "type":
        return RefusalError(400, f"{where}: content must be a text or a list of text parts.", param=where)
    return RefusalError(400, f"{where}: {errors[0]['msg']}.", param=where, code="invalid_value")


def _names(kind: type[BaseModel]) -> set[str]:
    inner = (ChatMessage, StreamOptions, Marking, ToolCall, CalledFunction, Tool, DescribedFunction)
    return set[str]().union(kind.model_fields, *(part.model_fields for part in inner))


def _check_unicode(value: Any) -> None:
    """Half a surrogate pair is no text: tokenizers refuse it."""
    if isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value) if not value.isascii() else False:
            raise RefusalError(400, "A text holds half a surrogate pair, which is no character.", code="invalid_value")
    elif isinstance(value, dict):
        for inner in (*value.keys(), *value.values()):
            _check_unicode(inner)
    elif isinstance(value, list) and not (value and isinstance(value[0], int)):
        for inner in value:
            _check_unicode(inner)
