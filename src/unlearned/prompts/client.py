"""Prompts as clients of a server hand them in: token ids, and messages that spell out special tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unlearned.errors import PromptError
from unlearned.prompts.own_words import words_of
from unlearned.prompts.reader import TokenReader
from unlearned.prompts.tokenize import aligned_chat_prompt, segments_behind, special_ids
from unlearned.prompts.tools import as_json, calls_of
from unlearned.types import Message, Prompt, Segment

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def ids_prompt(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int], *, vocabulary: int) -> Prompt:
    """Token ids -> Prompt that holds exactly these ids, and their text to be checked.

    Special tokens part it into messages, and are part of none.

    Raises:
        PromptError: no ids, or one that the model does not know.
    """
    ids = tuple(int(token) for token in token_ids)
    if not ids:
        raise PromptError("The prompt is empty. Give it at least one token.")
    if unknown := [token for token in ids if not 0 <= token < vocabulary]:
        raise PromptError(f"There is no token {unknown[0]}: this model's ids are 0 to {vocabulary - 1}.")
    reader = TokenReader(tokenizer)
    return reader.located(reader.read(ids))


def literal_chat_prompt(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
) -> Prompt:
    """A conversation in which no message can bring in a special token: typed ones are read as the letters they are.

    Conversations without such letters are exactly those of `chat_prompt`.

    Raises:
        PromptError: as `chat_prompt`; and where the template rewrites such a message, so that it cannot be told apart.
    """
    prompt, are_messages = aligned_chat_prompt(tokenizer, messages, tools)
    spelled = special_spellings(tokenizer)
    said = [*map(_words, messages), as_json(list(tools))]
    if not any(token in words for words in said for token in spelled):
        return prompt
    if not are_messages:
        raise PromptError(
            "A message spells out a special token, and this chat template mixes messages and markers. Leave it out."
        )
    ids: list[int] = []
    offsets: list[tuple[int, int]] = []
    own: list[bool] = []  # of the template, where special tokens are meant
    cursor = 0
    for segment in (*prompt.segments, Segment(len(prompt.text), len(prompt.text))):
        for start, end, literal in ((cursor, segment.start, False), (segment.start, segment.end, True)):
            if start < end:
                piece = tokenizer(
                    prompt.text[start:end],
                    add_special_tokens=False,
                    return_offsets_mapping=True,
                    split_special_tokens=literal,
                    verbose=False,
                )
                ids += piece["input_ids"]
                offsets += [(first + start, last + start) for first, last in piece["offset_mapping"]]
                own += [not literal] * len(piece["input_ids"])
        cursor = segment.end
    special = special_ids(tokenizer)
    if any(token in special and not template for token, template in zip(ids, own, strict=True)):
        raise PromptError("A message spells out a special token that this tokenizer cannot read as letters.")
    return Prompt(
        text=prompt.text,
        token_ids=tuple(int(token) for token in ids),
        offsets=np.asarray(offsets, dtype=np.int64).reshape(-1, 2),
        is_special=np.array([token in special for token in ids], dtype=np.bool_),
        segments=prompt.segments,
        templated=prompt.templated,
    )


def prepended_as_letters(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, words: str) -> Prompt:
    """The prompt with words in front of the first message of a user, and part of it.

    Unlike `tokenize.prepended`, it keeps the tokens that a client has sent. Only what lies between the special tokens
    around that place is tokenised anew, and as letters: no special token that a client spells out comes to mean one.

    Args:
        tokenizer: that of the prompt, used by this thread alone.
        prompt: of a client, in whatever form it was handed in.
        words: to be put there.

    Raises:
        PromptError: the prompt has no token of the user's behind which there is a place.
    """
    messages = [own for own in prompt.segments if own.role == "user"] or prompt.segments
    place, special = messages[0].start if messages else len(prompt.text), prompt.is_special
    content = np.flatnonzero(~special & (prompt.offsets[:, 1] > place))
    if not len(content):
        raise PromptError("The prompt has no words in front of which an instruction could stand.")
    first = last = int(content[0])
    while first > 0 and not special[first - 1]:
        first -= 1
    while last < len(special) and not special[last]:
        last += 1
    start, end = int(prompt.offsets[first, 0]), int(prompt.offsets[last - 1, 1])
    text = prompt.text[start:place] + words + prompt.text[place:end]
    piece = tokenizer(
        text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True, verbose=False
    )
    ids, added = tuple(int(token) for token in piece["input_ids"]), len(words)
    offsets = np.concatenate(
        [
            prompt.offsets[:first],
            np.asarray(piece["offset_mapping"], dtype=np.int64).reshape(-1, 2) + start,
            prompt.offsets[last:] + added,
        ]
    )
    return replace(
        prompt,
        text=prompt.text[:place] + words + prompt.text[place:],
        token_ids=(*prompt.token_ids[:first], *ids, *prompt.token_ids[last:]),
        offsets=offsets,
        is_special=np.concatenate([special[:first], np.zeros(len(ids), dtype=np.bool_), special[last:]]),
        segments=tuple(segments_behind(prompt, place, added)),
    )


def special_spellings(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """How the special tokens are written."""
    return [str(token) for token in tokenizer.convert_ids_to_tokens(sorted(special_ids(tokenizer))) if token]


def _words(message: Message) -> str:
    called = as_json([dict(call) for call in calls_of(message)]) if calls_of(message) else ""
    return words_of(message) + called + str(message.get("tool_call_id") or "")
