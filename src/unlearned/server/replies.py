"""Answers in OpenAI's form: whole, or as chunks of a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unlearned.engines.sampling import Token
from unlearned.prompts.detokenize import token_bytes
from unlearned.server.answers import Piece
from unlearned.server.token_offsets import TokenOffsets, as_written
from unlearned.server.tool_calls import AnswerPart, CallReader

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DONE = b"data: [DONE]\n\n"


def event(data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    """Counts of tokens."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


class TokenTexts:
    """Single tokens as text and as bytes, each decoded once."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._known: dict[int, tuple[str, list[int]]] = {}

    def __call__(self, token_id: int) -> tuple[str, list[int]]:
        if token_id not in self._known:
            raw = token_bytes(self._tokenizer, token_id)
            self._known[token_id] = raw.decode("utf-8", errors="replace"), list(raw)
        return self._known[token_id]


@dataclass(frozen=True, slots=True)
class ReplyHead:
    """What every chunk of one answer says."""

    id: str
    created: int
    model: str
    tokens: TokenTexts

    def of(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


class ChatReply:
    """`/v1/chat/completions`.

    Args:
        head: of the answer.
        logprobs: whether log-probabilities are reported.
        reader: makes what looks for calls of tools in one choice; None = they are not looked for.
    """

    def __init__(self, head: ReplyHead, *, logprobs: bool, reader: Callable[[], CallReader] | None = None) -> None:
        self.head, self.logprobs, self.reader = head, logprobs, reader
        self._readers: dict[int, CallReader] = {}

    def opening(self, index: int) -> dict[str, Any]:
        """The first chunk of a choice."""
        return self._chunk(index, {"role": "assistant", "content": ""}, None, None)

    def chunk(self, piece: Piece) -> dict[str, Any] | None:
        """The next chunk; None where it would say nothing, because what came may be part of a call."""
        said, reason = self._said(piece)
        delta: dict[str, Any] = {"content": said.content} if said.content else {}
        if said.calls:
            delta["tool_calls"] = [{"index": call.index, **call.shown()} for call in said.calls]
        logprobs = self._logprobs(piece.tokens)
        if self.reader is not None and not (delta or logprobs or reason):
            return None
        return self._chunk(piece.index, delta, logprobs, reason)

    def final(self, numbers: dict[str, int]) -> dict[str, Any]:
        """The chunk that only holds the usage."""
        return self.head.of("chat.completion.chunk") | {"choices": [], "usage": numbers}

    def whole(self, answers: Sequence[Piece], numbers: dict[str, int]) -> dict[str, Any]:
        choices = []
        for piece in answers:
            said, reason = self._said(piece)
            message: dict[str, Any] = {"role": "assistant", "content": said.content, "refusal": None}
            if said.calls:
                message |= {"content": said.content or None, "tool_calls": [call.shown() for call in said.calls]}
            logprobs = self._logprobs(piece.tokens)
            choices.append({"index": piece.index, "message": message, "logprobs": logprobs, "finish_reason": reason})
        return self.head.of("chat.completion") | {"choices": choices, "usage": numbers}

    def _said(self, piece: Piece) -> tuple[AnswerPart, str | None]:
        """What a piece says, and why the answer ends with it."""
        if self.reader is None:
            return AnswerPart(piece.text), piece.finish_reason
        reader = self._readers.setdefault(piece.index, self.reader())
        said = reader.feed(piece.text)
        if piece.finish_reason is None:
            return said, None
        rest = reader.finish()
        reason = "tool_calls" if reader.count and piece.finish_reason == "stop" else piece.finish_reason
        return AnswerPart(said.content + rest.content, said.calls + rest.calls), reason

    def _chunk(self, index: int, delta: dict[str, Any], logprobs: Any, reason: str | None) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return self.head.of("chat.completion.chunk") | {"choices": [choice]}

    def _logprobs(self, tokens: Sequence[Token]) -> dict[str, Any] | None:
        if not self.logprobs:
            return None
        content = [
            {
                **self._entry(token.id, token.logprob),
                "top_logprobs": [self._entry(other, logprob) for other, logprob in token.top],
            }
            for token in tokens
        ]
        return {"content": content, "refusal": None}

    def _entry(self, token_id: int, logprob: float | None) -> dict[str, Any]:
        text, raw = self.head.tokens(token_id)
        return {"token": as_written(text, raw), "logprob": logprob, "bytes": raw}


class CompletionReply:
    """`/v1/completions`.

    Args:
        head: of the answer.
        logprobs: how many of the most probable tokens are reported; None = no log-probabilities.
        echoes: per choice what precedes its answer: the prompt's text, and its scored tokens.
        scored_from: per prompt where what is scored begins, repeated to whoever said so.
    """

    def __init__(
        self,
        head: ReplyHead,
        *,
        logprobs: int | None,
        echoes: Sequence[tuple[str, Sequence[Token]]] = (),
        scored_from: Sequence[int] | None = None,
    ) -> None:
        self.head, self.logprobs, self.echoes = head, logprobs, echoes
        self.marks = {} if scored_from is None else {"unlearned": {"scored_from": list(scored_from)}}
        self.written: dict[int, TokenOffsets] = {}
        """Where in each choice's text its next token begins."""

    def opening(self, index: int) -> dict[str, Any]:
        text, tokens = self._echo(index)
        return self._object([self._choice(Piece(index, text, tuple(tokens)))])

    def chunk(self, piece: Piece) -> dict[str, Any]:
        return self._object([self._choice(piece)])

    def final(self, numbers: dict[str, int]) -> dict[str, Any]:
        return self._object([]) | {"usage": numbers}

    def whole(self, answers: Sequence[Piece], numbers: dict[str, int]) -> dict[str, Any]:
        choices = []
        for piece in answers:
            text, tokens = self._echo(piece.index)
            whole = Piece(piece.index, text + piece.text, (*tokens, *piece.tokens), piece.finish_reason)
            choices.append(self._choice(whole))
        return self._object(choices) | {"usage": numbers}

    def _echo(self, index: int) -> tuple[str, Sequence[Token]]:
        return self.echoes[index] if self.echoes else ("", ())

    def _object(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return self.head.of("text_completion") | {"choices": choices} | self.marks

    def _choice(self, piece: Piece) -> dict[str, Any]:
        return {
            "index": piece.index,
            "text": piece.text,
            "logprobs": self._logprobs(piece),
            "finish_reason": piece.finish_reason,
        }

    def _logprobs(self, piece: Piece) -> dict[str, Any] | None:
        if self.logprobs is None:
            return None
        written = self.written.setdefault(piece.index, TokenOffsets())
        tokens = [(token, *self.head.tokens(token.id)) for token in piece.tokens]
        return {
            "tokens": [as_written(text, raw) for _, text, raw in tokens],
            "token_logprobs": [token.logprob for token in piece.tokens],
            "top_logprobs": [self._top(token) for token in piece.tokens],
            "text_offset": [written.next(bytes(raw)) for _, _, raw in tokens],
        }

    def _top(self, token: Token) -> dict[str, float] | None:
        """By text, as the format wants it; of tokens that look alike the most probable one counts."""
        if token.logprob is None:
            return None
        found: dict[str, float] = {}
        for token_id, logprob in (*token.top, (token.id, token.logprob)):
            found.setdefault(as_written(*self.head.tokens(token_id)), logprob)
        return found
