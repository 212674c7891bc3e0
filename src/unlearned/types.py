"""The values that one stage hands to the next: messages -> Prompt -> Verdict -> PromptInput.

Letters in shapes: T tokens of one prompt, K corrupted positions, D embedding width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

    from unlearned.answers.guard import Guard
    from unlearned.substitution.substitution import Substitution

Message = Mapping[str, Any]
"""`{"role": ..., "content": text or a list of {"type": "text", "text": ...}}`, as in the OpenAI interface.

An assistant's message may hold `tool_calls` whose `arguments` are objects, a tool's one its `tool_call_id`.
"""

CharSpan = tuple[int, int]
"""Characters `[start, end)` of a text."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The words of one message, as characters `[start, end)` of `Prompt.text`; everything outside is template."""

    start: int
    end: int
    role: str = "user"
    quoted: bool = False
    """Written as JSON: its line breaks and tabs are escapes."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Prompt:
    """A prompt as the model will read it, and which parts of it are somebody's words."""

    text: str
    """The rendered prompt: chat template included."""

    token_ids: tuple[int, ...]
    """(T,) what the model gets when the prompt is out of scope."""

    offsets: npt.NDArray[np.int64]
    """(T, 2) characters `[start, end)` of `text` that each token stands for; start == end for tokens without text."""

    is_special: npt.NDArray[np.bool_]
    """(T,) special tokens (BOS, turn markers, ...): never corrupted."""

    segments: tuple[Segment, ...]
    """Content, in order. Only this is classified, and only its tokens can be corrupted."""

    templated: bool = False
    """Whether a chat template stands around the messages, with all special tokens spelled out in `text`."""

    owner: str = ""
    """Who asks. What detection has worked out for a text is used again for the same owner only, so that the time of an
    answer tells nobody what others have asked."""

    def __repr__(self) -> str:
        return f"Prompt({self.text!r}, {len(self.token_ids)} tokens, {len(self.segments)} segments)"

    def content_tokens(self) -> npt.NDArray[np.bool_]:
        """(T,) bool: not special, and at least one character inside a segment."""
        content = np.zeros(len(self.token_ids), dtype=np.bool_)
        for segment in self.segments:
            content |= self.tokens_overlapping(segment.start, segment.end)
        return content & ~self.is_special

    def tokens_overlapping(self, start: int, end: int) -> npt.NDArray[np.bool_]:
        """(T,) bool: tokens that share at least one character with `[start, end)`."""
        first, last = self.offsets[:, 0], self.offsets[:, 1]
        return (first < end) & (last > start) & (first < last)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters `[start, end)` that a scope claims, with `score = p(forget | text)`.

    Inside, of `Prompt.text`; in what a user gets, of the text that he passed, or of the content of one of his messages.
    """

    start: int
    end: int
    scope: str
    score: float
    reason: str = "content"
    """"content", or "language": in a language that the text encoder does not read, which this scope corrupts."""

    message: int | None = None
    """Number of the message in a conversation, from 0; None: there is only one text."""


@dataclass(frozen=True, slots=True, order=True)
class Exempted:
    """A "not this one" example by which something passes that its scope would else claim."""

    scope: str
    example: int
    """Its number among the scope's exempt examples, from 1, repetitions left out."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision for one prompt.

    Examples:
        >>> [verdict] = llm.classify(["Who is Harry Potter?"])
        >>> verdict.in_scope, verdict.scope
        (True, 'harry-potter')
        >>> for span in verdict.spans:
        ...     print(span.start, span.end, span.scope, round(span.score, 2))
    """

    spans: tuple[Span, ...] = ()
    """What is in scope, by start; empty for a prompt that passes untouched."""

    score: float = 0.0
    """The highest p(forget | window) seen over all windows and scopes, also when nothing was flagged."""

    languages: tuple[str, ...] = ()
    """ISO codes of languages in the prompt that a scope's text encoder does not read: not judged by their content."""

    exempted_by: tuple[Exempted, ...] = ()
    """Exemptions that cover something of the prompt which is in scope by its score."""

    unmatched_words: int = 0
    """Identifying words for which no stranger was found, so that strong noise hides them. Counted when the prompt is
    prepared for a model; 0 before."""

    @property
    def in_scope(self) -> bool:
        """Whether something of the prompt is in a scope."""
        return bool(self.spans)

    @property
    def flagged(self) -> bool:
        """Alias of `in_scope`, under the name that answers use."""
        return self.in_scope

    @property
    def scope(self) -> str | None:
        """The scope of the strongest span (ties: first by name), or None."""
        return min(self.spans, key=lambda span: (-span.score, span.scope)).scope if self.spans else None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PromptInput:
    """What an engine runs: real token ids, and the vectors that replace some of their embeddings."""

    token_ids: tuple[int, ...]
    """(T,) the prompt's own ids, whether corrupted or not."""

    verdict: Verdict = field(default_factory=Verdict)

    positions: Tensor | None = None
    """(K,) int64, ascending, on the CPU; None for a plain prompt."""

    vectors: Tensor | None = None
    """(K, D) the corrupted embeddings at `positions`, in the units of the embedding module's output."""

    answer: str | None = None
    """What is answered without asking the model: a refusal. Where answers are scored, the model reads the tokens."""

    substitution: Substitution | None = None
    """The strangers that stand for words of the prompt, to be turned back in the answer; None: there are none."""

    guard: Guard | None = None
    """What may not be said in the answer; None: anything may."""

    @property
    def corrupted(self) -> bool:
        return self.positions is not None

    def __repr__(self) -> str:
        changed = 0 if self.positions is None else len(self.positions)
        return f"PromptInput({len(self.token_ids)} tokens, {changed} of them corrupted, scope={self.verdict.scope!r})"


def text_only(text: str) -> Prompt:
    """A text that is classified but not generated from: no tokens, all of it content."""
    return messages_only([("user", text)])


def messages_only(messages: Sequence[tuple[str, str]]) -> Prompt:
    """A conversation that is classified but not generated from: (role, content) pairs, oldest first."""
    segments, cursor = [], 0
    for role, content in messages:
        segments.append(Segment(cursor, cursor + len(content), role))
        cursor += len(content) + 1
    none = np.zeros(0, dtype=np.bool_)
    text = "\n".join(content for _, content in messages)
    return Prompt(text, (), np.zeros((0, 2), dtype=np.int64), none, tuple(segments))
