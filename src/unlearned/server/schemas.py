"""What requests may hold. A field that is not understood is refused: it might change the prompt unseen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
"""OpenAI's fields that say nothing about the prompt or the answer; left unread."""

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "tools": ([],),
    "functions": ([],),
    "tool_choice": ("none",),
    "function_call": ("none",),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "suffix": ("",),
}
"""Fields that are only accepted where they ask for nothing."""

REASONS = {
    "tools": "Tool descriptions are not checked here; put what the model should know into a message.",
    "functions": "Tool descriptions are not checked here; put what the model should know into a message.",
    "suffix": "Only what precedes an answer can be checked.",
    "prompt_embeds": "Embeddings cannot be checked; send text or token ids.",
    "tool_calls": "Tool calls in messages are not checked here; send their words as content.",
}

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


class ChatMessage(_Request):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part]
    tool_call_id: str | None = None
    """Of a tool's result; not shown to the model."""

    name: Annotated[str, Field(max_length=1000)] | None = None
    """Of whoever speaks; accepted where the chat template prints none, so that the model is not shown it."""

    def plain(self) -> dict[str, str]:
        """Role and words."""
        words = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": self.role, "content": words}


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


class CompletionRequest(Generating):
    """`POST /v1/completions`."""

    prompt: str | list[int] | list[str] | list[list[int]]
    echo: bool = False
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    best_of: Annotated[int, Field(ge=1)] | None = None

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
        if value is not None and name not in HARMLESS and not (name in NEUTRAL and value in NEUTRAL[name])
    }
    if isinstance(messages := given.get("messages"), list):
        given["messages"] = [
            {
                name: value
                for name, value in message.items()
                if value is not None and (name, value) != ("tool_calls", [])
            }
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
        where = ".".join(str(part) for part in errors[0]["loc"])
        reason = REASONS.get(unknown, "It is not understood here, and could change what the model reads.")
        return RefusalError(
            400, f"The field {where!r} is not supported. {reason}", param=where, code="unsupported_parameter"
        )
    where = ".".join(str(part) for part in place) or str(errors[0]["loc"][0])
    if "content" in where or errors[0]["loc"][-1] == "type":
        return RefusalError(400, f"{where}: content must be a text or a list of text parts.", param=where)
    return RefusalError(400, f"{where}: {errors[0]['msg']}.", param=where, code="invalid_value")


def _names(kind: type[BaseModel]) -> set[str]:
    return {*kind.model_fields, *ChatMessage.model_fields, *StreamOptions.model_fields}


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
