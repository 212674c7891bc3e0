"""One answer in the making: tokens come in from the engine's thread, pieces of text go out to the request."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from unlearned.engines.restoring import Restorer, tokens_of
from unlearned.engines.sampling import RowSettings, Token
from unlearned.prompts.detokenize import TextStream
from unlearned.server.stop_strings import StopStrings
from unlearned.types import PromptInput

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Piece:
    """The next part of an answer."""

    index: int
    """Index of the choice."""

    text: str
    tokens: tuple[Token, ...] = ()
    """Those that the text is made of."""

    finish_reason: str | None = None
    """"stop" or "length" in the last piece."""

    error: Exception | None = None
    """The answer ends here because something failed."""


class RequestAnswer:
    """A row of the engine.

    Args:
        index: of the choice within the request.
        prompt: what the engine runs.
        settings: how it is continued.
        ends: token ids that end it.
        stops: texts that end it.
        tokenizer: decodes; only the engine's thread uses it.
        sink: takes the pieces; called in the engine's thread.
        shown: special tokens whose text belongs to the answer.
    """

    def __init__(
        self,
        index: int,
        prompt: PromptInput,
        settings: RowSettings,
        *,
        ends: frozenset[int],
        stops: Sequence[str],
        tokenizer: PreTrainedTokenizerBase,
        sink: Callable[[Piece], None],
        shown: frozenset[int] = frozenset(),
    ) -> None:
        self._restorer: Restorer[Token] | None = None
        if prompt.substitution is not None:
            self._restorer = Restorer(prompt.substitution, tokenizer)
            settings = replace(settings, logit_bias=prompt.substitution.biased(settings.logit_bias))
        self.index, self.prompt, self.settings = index, prompt, settings
        self.ends, self.sink = ends, sink
        self.stream, self.watch = TextStream(tokenizer, shown), StopStrings(stops)
        self.count = 0
        self.first_token_at: float | None = None
        self.done = False
        self._cancelled = False
        self._given = 0  # characters
        self._waiting: list[tuple[int, Token]] = []  # where its text begins, token: until that text is given out

    @property
    def tokens(self) -> int:
        """At most so many tokens does it take with its prompt."""
        return len(self.prompt.token_ids) + self.settings.max_new_tokens

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._cancelled = True

    def wanted(self) -> bool:
        return not self._cancelled

    def receive(self, token: Token) -> bool:
        """Take the next token; True if the answer ends with it."""
        self.count += 1
        self.first_token_at = self.first_token_at or time.perf_counter()
        reason = "stop" if token.id in self.ends else "length" if self.count >= self.settings.max_new_tokens else None
        text = ""
        for own in self._restored(None if token.id in self.ends else token, last=reason is not None):
            self._waiting.append((len(self.stream.text), own))
            new, stopped = self.watch.feed(self.stream.push(own.id))
            text += new
            if stopped:
                self._give(text, "stop", cut=True)
                return True
        if reason is not None:
            self._finish(reason, before=text)
        elif text:
            self._give(text)
        return self.done

    def _restored(self, token: Token | None, *, last: bool) -> list[Token]:
        """What is certain of the answer as the user reads it."""
        substitution = self.prompt.substitution
        if self._restorer is None or substitution is None:
            return [] if token is None else [token]
        chunks = [] if token is None else self._restorer.push(token.id, token)
        chunks += self._restorer.finish() if last else []
        return [own for chunk in chunks for own in tokens_of(chunk, substitution)]

    def say_what_is_given(self) -> None:
        """Where the answer is fixed, give it out as if the model had said it; in the request's own thread."""
        if self.prompt.answer is None:
            return
        for token_id in self.stream.tokenizer(self.prompt.answer, add_special_tokens=False)["input_ids"]:
            if self.receive(Token(token_id, 0.0)):
                return
        self._finish("stop")

    def end(self) -> None:
        """End it with what was received, as if the model had."""
        if not self.done:
            text = ""
            for own in self._restored(None, last=True):
                self._waiting.append((len(self.stream.text), own))
                new, stopped = self.watch.feed(self.stream.push(own.id))
                text += new
                if stopped:
                    return self._give(text, "stop", cut=True)
            self._finish("stop", before=text)
        return None

    def fail(self, error: Exception) -> None:
        """End it with an error, if it has not ended."""
        if not self.done:
            self.done = True
            self.sink(Piece(self.index, "", error=error))

    def _finish(self, reason: str, *, before: str = "") -> None:
        text, stopped = self.watch.feed(self.stream.finish())
        if stopped:
            self._give(before + text, "stop", cut=True)
        else:
            self._give(before + text + self.watch.finish(), reason)

    def _give(self, text: str, finish_reason: str | None = None, *, cut: bool = False) -> None:
        self._given += len(text)
        if finish_reason is not None and not cut:
            out, self._waiting = self._waiting, []
        else:
            out = [item for item in self._waiting if item[0] < self._given]
            self._waiting = [] if cut else self._waiting[len(out) :]
        self.done = finish_reason is not None
        self.sink(Piece(self.index, text, tuple(token for _, token in out), finish_reason))
