"""How a review is written for a model. Source: SPUL, arXiv:2406.12038: text, question and label, and no end token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from unlearned.errors import ConfigError
from unlearned.methods.config import Form
from unlearned.prompts.tokenize import text_prompt
from unlearned.types import Prompt, Segment

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BEFORE = "### Text: "
BEHIND = "\n\n### Question: What is the sentiment of the given text?\n\n### Sentiment:"
FORM = Form(prompt=f"{BEFORE}{{prompt}}{BEHIND}", answer=" {answer}", chat=False, end=False)
"""The label begins with a space, so that it is one token and nothing of the prompt is."""

GENERIC = ("neutral", "unknown")
"""What SPUL is trained to answer to forget prompts."""


def written(text: str) -> str:
    """The prompt with this review."""
    return FORM.prompt.replace("{prompt}", text)


def asked(tokenizer: PreTrainedTokenizerBase, text: str) -> Prompt:
    """The prompt, of which only the review is somebody's words: what is classified and corrupted."""
    prompt = text_prompt(tokenizer, written(text))
    return replace(prompt, segments=(Segment(len(BEFORE), len(BEFORE) + len(text)),))


def fitted(tokenizer: PreTrainedTokenizerBase, text: str, max_tokens: int, *, reserved: int) -> str:
    """The beginning of the review that leaves prompt and label within `max_tokens`.

    Departs from the published code, which cuts the end of the whole, and so the label that is to be learned.

    Args:
        tokenizer: the model's.
        text: a review.
        max_tokens: of prompt and label together.
        reserved: tokens of the label.

    Raises:
        ConfigError: not even one token of a review has room.
    """
    while True:
        prompt = asked(tokenizer, text)
        excess = len(prompt.token_ids) + reserved - max_tokens
        if excess <= 0:
            return text
        inside = [int(start) for start, end in prompt.offsets if len(BEFORE) < start < len(BEFORE) + len(text)]
        if len(inside) < excess:
            raise ConfigError(f"max_tokens={max_tokens}: there is no room for a review in the prompt. Raise it.")
        text = text[: inside[-excess] - len(BEFORE)].rstrip()


def label_tokens(tokenizer: PreTrainedTokenizerBase, labels: Sequence[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Token ids that all labels begin with (none, for most tokenizers), and the next one of each, by which they differ.

    Raises:
        ConfigError: two labels cannot be told apart by one token.
    """
    ids = [tokenizer(FORM.answer.replace("{answer}", label), add_special_tokens=False)["input_ids"] for label in labels]
    shared = 0
    while all(len(row) > shared for row in ids) and len({row[shared] for row in ids}) == 1:
        shared += 1
    if any(len(row) <= shared for row in ids) or len({row[shared] for row in ids}) < len(labels):
        raise ConfigError(f"The tokenizer writes the labels {', '.join(labels)} so that no one token tells them apart.")
    return tuple(ids[0][:shared]), tuple(int(row[shared]) for row in ids)


def first_tokens(tokenizer: PreTrainedTokenizerBase, words: Sequence[str], shared: int) -> set[int]:
    """The first token of each word behind the `shared` ones that all labels begin with."""
    ids = (tokenizer(FORM.answer.replace("{answer}", word), add_special_tokens=False)["input_ids"] for word in words)
    return {int(row[shared]) for row in ids if len(row) > shared}
