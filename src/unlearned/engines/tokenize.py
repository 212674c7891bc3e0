"""Text or chat messages -> Prompt, with a Hugging Face fast tokenizer and its own chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unlearned.engines.segments import (
    ROLES,
    Place,
    aligned,
    as_rendered,
    placeholders,
    told_by_special_tokens,
)
from unlearned.errors import PromptError
from unlearned.stages import Prompt, Segment

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = Mapping[str, Any]
"""`{"role": ..., "content": text or a list of {"type": "text", "text": ...}}`, as in the OpenAI interface."""


def text_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> Prompt:
    """A plain text, tokenised as the model expects it (BOS included where the tokenizer adds one).

    Special tokens that it spells out part it into messages, as in a conversation that was rendered elsewhere.

    Raises:
        PromptError: the text is empty, or the tokenizer has no character offsets.
    """
    if not text:
        raise PromptError("The prompt is empty. Give it at least one character.")
    return _tokenised(tokenizer, text, None, templated=False)


def chat_prompt(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> Prompt:
    """A conversation under the tokenizer's chat template, with every message's words marked as content.

    A last message of the assistant is continued; otherwise the assistant's turn is opened.

    Raises:
        PromptError: no messages, a malformed one, no chat template, or one that refuses this conversation.
    """
    return aligned_chat_prompt(tokenizer, messages)[0]


def aligned_chat_prompt(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> tuple[Prompt, bool]:
    """`chat_prompt`, and whether its segments are the messages; if not, they are whatever is no special token."""
    plain = [_plain_message(message, index) for index, message in enumerate(messages)]
    if not plain:
        raise PromptError("The conversation has no messages. Give at least one.")
    if not getattr(tokenizer, "chat_template", None):
        raise PromptError("This tokenizer has no chat template. Pass the prompt as text instead.")
    try:
        text = _render(tokenizer, plain)
    except Exception as error:  # jinja lets templates raise anything, for example that roles must alternate
        raise PromptError(f"The tokenizer's chat template refuses this conversation: {error}") from error
    segments = _segments(tokenizer, plain, text)
    return _tokenised(tokenizer, text, segments, templated=True), segments is not None


def with_words_in_front(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, words: str) -> Prompt:
    """The prompt with words in front of it: in a chat, of the first message of a user, and part of it.

    Args:
        tokenizer: that of the prompt.
        prompt: made by `text_prompt` or `chat_prompt`.
        words: to be put there.
    """
    users = [segment.start for segment in prompt.segments if segment.role == "user"]
    place, added = users[0] if prompt.templated and users else 0, len(words)
    text = prompt.text[:place] + words + prompt.text[place:]
    segments = [
        Segment(own.start + (added if own.start > place else 0), own.end + (added if own.end > place else 0), own.role)
        for own in prompt.segments
    ]
    return _tokenised(tokenizer, text, segments, templated=prompt.templated)


def _plain_message(message: Message, index: int) -> dict[str, str]:
    content = message.get("content") if isinstance(message, Mapping) else None
    role = message.get("role") if isinstance(message, Mapping) else None
    if isinstance(content, list):
        parts = [
            part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None for part in content
        ]
        if not all(isinstance(part, str) for part in parts):
            raise PromptError(
                f"Message {index} has parts that are not text. Only text can be checked; send text parts."
            )
        content = "".join(str(part) for part in parts)
    if not isinstance(role, str) or not isinstance(content, str):
        raise PromptError(f'Message {index} is not {{"role": text, "content": text}}.')
    return {"role": role, "content": content}


def _render(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]]) -> str:
    prefill = messages[-1]["role"] == "assistant"
    rendered = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=not prefill, continue_final_message=prefill
    )
    return str(rendered)


def _segments(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], text: str) -> list[Segment] | None:
    """Where the messages stand in the rendered text.

    The template is rendered once more with a marker for each message: what lies between the markers is template.
    Searching for the words themselves would find a message "user" in the role header. A template that rewrites
    messages (drops old thoughts, say) cannot be aligned; then everything but special tokens counts as content, which
    checks too much rather than too little.
    """
    if any(message["role"] not in ROLES for message in messages):
        return None
    markers = placeholders(len(messages), text)
    try:
        outline = _render(tokenizer, [{**m, "content": mark} for m, mark in zip(messages, markers, strict=True)])
    except Exception:  # jinja lets templates raise anything; the marker may break a rule the real message keeps
        return None
    places = aligned(text, outline, markers, [as_rendered(message["content"]) for message in messages])
    if places is None:
        return None
    return [Segment(*place, m["role"]) for place, m in zip(places, messages, strict=True) if place[0] < place[1]]


def _tokenised(
    tokenizer: PreTrainedTokenizerBase, text: str, segments: list[Segment] | None, *, templated: bool
) -> Prompt:
    if not tokenizer.is_fast:
        raise PromptError(
            f"{type(tokenizer).__name__} gives no character offsets, so flagged words cannot be found among tokens. "
            "Load the fast tokenizer of this model."
        )
    # A template has its special tokens in the text; a plain text gets them from the tokenizer.
    encoded = tokenizer(text, add_special_tokens=not templated, return_offsets_mapping=True, verbose=False)
    token_ids = tuple(int(token) for token in encoded["input_ids"])
    if not token_ids:
        raise PromptError(f"The tokenizer makes no token of {text[:40]!r}. Give a longer prompt.")
    special = special_ids(tokenizer)
    is_special = np.fromiter((token in special for token in token_ids), dtype=np.bool_, count=len(token_ids))
    offsets = np.asarray(encoded["offset_mapping"], dtype=np.int64).reshape(-1, 2)
    if segments is None:
        spelled: list[Place] = [(start, end) for start, end in offsets[is_special].tolist() if start < end]
        segments = list(told_by_special_tokens(text, spelled))
    return Prompt(text, token_ids, offsets, is_special, tuple(segments), templated)


def special_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Ids of BOS, EOS, turn markers and every other added token that is marked special."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return frozenset(tokenizer.all_special_ids) | {index for index, token in added.items() if token.special}
