"""Passages: what is learned by heart, and asked for again by its beginning.

A passage is a prompt and its continuation. Token counts are the language model's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearned.benchmarks.copyright.sentences import sentences
from unlearned.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_TOKENS = 256
"""Tokens of a passage of a book, or of an article without its title; the end token is among them."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text that is cut in two."""

    id: str
    """Place in its source, for example `book/3`."""

    prompt: str
    """A title, or the first sentence."""

    reference: str
    """What follows."""

    @property
    def text(self) -> str:
        """Both, as they are trained on."""
        return f"{self.prompt} {self.reference}"


def chunks(text: str, tokenizer: PreTrainedTokenizerBase, *, max_tokens: int = MAX_TOKENS) -> list[str]:
    """Consecutive lines, joined while they fit; a longer line is a chunk of its own.

    Source: the book task of arXiv:2406.07933, in its code; two tokens are left free.

    Args:
        text: the book.
        tokenizer: counts.
        max_tokens: of a chunk and its end token.

    Raises:
        ConfigError: nothing fits into so few tokens.
    """
    if max_tokens < 8:
        raise ConfigError(f"max_tokens={max_tokens}: too short for a passage. Use, for example, {MAX_TOKENS}.")
    found: list[str] = []
    current = ""
    for line in text.splitlines(keepends=True):
        joined = current + line
        if current and _count(tokenizer, joined) > max_tokens - 2:
            found.append(current)
            current = line
        else:
            current = joined
    found.append(current)
    return [chunk.strip() for chunk in found if len(chunk.strip()) > 1]


def book_passages(
    text: str, tokenizer: PreTrainedTokenizerBase, *, name: str = "book", max_tokens: int = MAX_TOKENS
) -> list[Passage]:
    """The chunks of a book, each asked for by its first sentence.

    A chunk that is longer than `max_tokens` (one line) is cut at its end. Line ends count as spaces.

    Args:
        text: the book.
        tokenizer: counts tokens.
        name: begins the ids.
        max_tokens: of a passage and its end token.

    Returns:
        Of every chunk that has two sentences.
    """
    found = []
    for index, chunk in enumerate(chunks(text, tokenizer, max_tokens=max_tokens)):
        first, rest = _in_two(" ".join(cut(chunk, tokenizer, max_tokens - 1).split()))
        if len(first) > 1 and len(rest) > 1:
            found.append(Passage(f"{name}/{index}", first, rest))
    return found


def title_passage(
    identity: str, title: str, content: str, tokenizer: PreTrainedTokenizerBase, *, max_tokens: int = MAX_TOKENS
) -> Passage | None:
    """A title and the first `max_tokens - 1` tokens of its article; None if one of the two is empty."""
    title, reference = title.strip(), cut(content.strip(), tokenizer, max_tokens - 1).strip()
    return Passage(identity, title, reference) if title and reference else None


def cut(text: str, tokenizer: PreTrainedTokenizerBase, tokens: int) -> str:
    """The beginning of a text: so many tokens, as characters of the text itself."""
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    return text if len(offsets) <= tokens else text[: offsets[tokens][0]]


def _in_two(chunk: str) -> tuple[str, str]:
    first = sentences(chunk)[0]
    return first, chunk[chunk.index(first) + len(first) :].strip()


def _count(tokenizer: PreTrainedTokenizerBase, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
