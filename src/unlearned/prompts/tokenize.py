"""Text or chat messages -> Prompt, with a Hugging Face fast tokenizer and its own chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from unlearned.errors import PromptError
from unlearned.prompts.segments import (
    ROLES,
    aligned,
    as_rendered,
    placeholders,
    template_parts,
    told_by_special_tokens,
)
from unlearned.prompts.tools import StandIns, are_used, as_json, between, calls_of, check_named
from unlearned.types import CharSpan, Message, Prompt, Segment

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def text_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> Prompt:
    """A plain text, tokenised as the model expects it (BOS included where the tokenizer adds one).

    Special tokens that it spells out part it into messages, as in a conversation that was rendered elsewhere.

    Raises:
        PromptError: the text is empty, or the tokenizer has no character offsets.
    """
    if not text:
        raise PromptError("The prompt is empty. Give it at least one character.")
    return _tokenised(tokenizer, text, None, templated=False)


def chat_prompt(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
) -> Prompt:
    """A conversation under the tokenizer's chat template, with every message's words marked as content.

    A last message of the assistant is continued; otherwise the assistant's turn is opened. Tools are printed by the
    template; what they say is content, too, and so are the calls of them.

    Args:
        tokenizer: whose template is used.
        messages: oldest first.
        tools: as `apply_chat_template` takes them.

    Raises:
        PromptError: no messages, a malformed one, no chat template, one that refuses this conversation, or one that
            would not print its tools or calls.
    """
    return aligned_chat_prompt(tokenizer, messages, tools)[0]


def aligned_chat_prompt(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
) -> tuple[Prompt, bool]:
    """`chat_prompt`, and whether its segments are the messages; if not, they are whatever is no special token."""
    plain = [_plain_message(message, index) for index, message in enumerate(messages)]
    if not plain:
        raise PromptError("The conversation has no messages. Give at least one.")
    if not getattr(tokenizer, "chat_template", None):
        raise PromptError("This tokenizer has no chat template. Pass the prompt as text instead.")
    try:
        text = _render(tokenizer, plain, tools)
    except Exception as error:  # jinja lets templates raise anything, for example that roles must alternate
        raise PromptError(f"The tokenizer's chat template refuses this conversation: {error}") from error
    segments = _segments(tokenizer, plain, text, tools)
    if segments is None:
        check_named(text, plain, tools)
    return _tokenised(tokenizer, text, segments, templated=True), segments is not None


def prepended(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, words: str) -> Prompt:
    """The prompt with words in front of it: in a chat, of the first message of a user, and part of it.

    All of it is tokenised anew, as text: spelled-out special tokens are special. For prompts of clients that is
    `client.prepended_as_letters`.

    Args:
        tokenizer: that of the prompt.
        prompt: made by `text_prompt` or `chat_prompt`.
        words: to be put there.
    """
    users = [segment.start for segment in prompt.segments if segment.role == "user"]
    place, added = users[0] if prompt.templated and users else 0, len(words)
    text = prompt.text[:place] + words + prompt.text[place:]
    return _tokenised(tokenizer, text, segments_behind(prompt, place, added), templated=prompt.templated)


def segments_behind(prompt: Prompt, place: int, added: int) -> list[Segment]:
    """Where the messages are after so many characters were put in; those at a message's beginning are part of it."""
    return [
        replace(
            own, start=own.start + (added if own.start > place else 0), end=own.end + (added if own.end > place else 0)
        )
        for own in prompt.segments
    ]


def _plain_message(message: Message, index: int) -> dict[str, Any]:
    content = message.get("content") if isinstance(message, Mapping) else None
    role = message.get("role") if isinstance(message, Mapping) else None
    if content is None and isinstance(message, Mapping) and calls_of(message):
        content = ""
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
    more = {name: message[name] for name in ("tool_calls", "tool_call_id") if message.get(name)}
    return {"role": role, "content": content, **more}


def _render(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]
) -> str:
    prefill = messages[-1]["role"] == "assistant" and not calls_of(messages[-1])
    rendered = tokenizer.apply_chat_template(
        [dict(message) for message in messages],
        tools=list(tools) or None,  # type: ignore[arg-type]
        tokenize=False,
        add_generation_prompt=not prefill,
        continue_final_message=prefill,
    )
    return str(rendered)


def _segments(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[dict[str, Any]],
    text: str,
    tools: Sequence[Mapping[str, Any]],
) -> list[Segment] | None:
    """Where the messages stand in the rendered text.

    The template is rendered once more with a marker for each message: what lies between the markers is template.
    Searching for the words themselves would find a message "user" in the role header. A template that rewrites
    messages (drops old thoughts, say) cannot be aligned; then everything but special tokens counts as content, which
    checks too much rather than too little. Where there are tools, it is rendered with stand-ins for them as well.
    """
    if any(message["role"] not in ROLES for message in messages):
        return None
    spoken = [index for index, message in enumerate(messages) if message["content"] or not calls_of(message)]
    markers = placeholders(len(spoken), text)
    marked = [dict(message) for message in messages]
    for index, mark in zip(spoken, markers, strict=True):
        marked[index]["content"] = mark
    more = _between(tokenizer, marked, markers, text, tools) if are_used(messages, tools) else None
    try:
        outline = _render(tokenizer, marked, tools)
    except Exception:  # jinja lets templates raise anything; the marker may break a rule the real message keeps
        return None
    own = [messages[index] for index in spoken]
    if not own:
        places: list[CharSpan] | None = []
    else:
        places = aligned(text, outline, markers, [_as_printed(message) for message in own])
    if places is None or (more is None and are_used(messages, tools)):
        return None
    found = [
        Segment(*place, m["role"], quoted=m["role"] == "tool" and text[slice(*place)] == _escaped(m) != m["content"])
        for place, m in zip(places, own, strict=True)
        if place[0] < place[1]
    ]
    if more is not None:
        calling = {index for index, message in enumerate(messages) if calls_of(message)}
        borders = [-1, *spoken, len(messages)]
        roles = [
            "assistant" if calling & set(range(max(first, 0), last)) else "tool" for first, last in pairwise(borders)
        ]
        found = sorted([*found, *between(places, text, more, roles)], key=lambda segment: segment.start)
    return found


def _between(
    tokenizer: PreTrainedTokenizerBase,
    marked: Sequence[Mapping[str, Any]],
    markers: Sequence[str],
    text: str,
    tools: Sequence[Mapping[str, Any]],
) -> list[str] | None:
    """What the template prints before, between and behind the markers with stand-ins for tools and calls.

    Raises:
        PromptError: the template does not print them.
    """
    stand_ins = StandIns(marked, tools, text + "".join(markers))
    try:
        outline = _render(tokenizer, stand_ins.messages, stand_ins.tools)
    except Exception:  # jinja lets templates raise anything
        return None
    stand_ins.check_printed(outline)
    return template_parts(outline, markers) if markers else [outline]


def _as_printed(message: Mapping[str, Any]) -> tuple[str, ...]:
    words = as_rendered(message["content"])
    return (*words, _escaped(message)) if message["role"] == "tool" else words


def _escaped(message: Mapping[str, Any]) -> str:
    """A content as JSON, without its quotes."""
    return as_json(message["content"])[1:-1]


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
        spelled: list[CharSpan] = [(start, end) for start, end in offsets[is_special].tolist() if start < end]
        segments = list(told_by_special_tokens(text, spelled))
    return Prompt(text, token_ids, offsets, is_special, tuple(segments), templated)


def special_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Ids of BOS, EOS, turn markers and every other added token that is marked special."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return frozenset(tokenizer.all_special_ids) | {index for index, token in added.items() if token.special}
