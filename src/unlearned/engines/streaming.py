"""One answer, piece by piece, while the model goes on in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING

from unlearned.engines.per_request import PerRequestEngine
from unlearned.engines.restoring import Chunk, Restorer
from unlearned.engines.sampling import RowSettings, Token
from unlearned.engines.transformers import TransformersEngine
from unlearned.prompts.detokenize import TextStream
from unlearned.types import PromptInput

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class _Row:
    """Hands over text as it becomes certain; an exception, or None at the end."""

    def __init__(
        self, prompt: PromptInput, settings: RowSettings, ends: frozenset[int], tokenizer: PreTrainedTokenizerBase
    ) -> None:
        self._restorer: Restorer[Token] | None = None
        if prompt.substitution is not None:
            self._restorer = Restorer(prompt.substitution, tokenizer)
            settings = replace(settings, logit_bias=prompt.substitution.biased(settings.logit_bias))
        self.prompt, self.settings = prompt, settings
        self.pieces: SimpleQueue[str | BaseException | None] = SimpleQueue()
        self.left = False
        self._ends, self._text, self._count = ends, TextStream(tokenizer), 0

    def receive(self, token: Token) -> bool:
        self._count += 1
        if token.id in self._ends:
            return True
        self._give(self._restorer.push(token.id, token) if self._restorer is not None else None, token)
        return self._count >= self.settings.max_new_tokens

    def wanted(self) -> bool:
        return not self.left

    def end(self) -> None:
        """What is left comes with `finish`."""

    def finish(self) -> None:
        if self._restorer is not None:
            self._give(self._restorer.finish(), None)
        if piece := self._text.finish():
            self.pieces.put(piece)

    def _give(self, chunks: Sequence[Chunk[Token]] | None, token: Token | None) -> None:
        """What is certain of the answer as the user reads it."""
        ids = [] if token is None else [token.id]
        if chunks is not None:
            ids = [token_id for chunk in chunks for token_id in chunk.token_ids]
        if piece := "".join(self._text.push(token_id) for token_id in ids):
            self.pieces.put(piece)


def stream(engine: TransformersEngine, prompt: PromptInput, settings: RowSettings) -> Iterator[str]:
    """The pieces of the answer. Whoever stops reading ends it at the next token."""
    if prompt.answer is not None:
        yield prompt.answer
        return
    own = PerRequestEngine(engine.model, engine.tokenizer)
    row = _Row(prompt, settings, own.end_ids(), engine.tokenizer)

    def work() -> None:
        try:
            own.continue_rows([row])
            row.finish()
            row.pieces.put(None)
        except BaseException as error:  # raised again where the pieces are read
            row.pieces.put(error)

    thread = threading.Thread(target=work, name="unlearned-stream", daemon=True)
    thread.start()
    try:
        while (piece := row.pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece
    finally:
        row.left = True
        thread.join()
