"""Strangers for the words of a flagged prompt: which tokens the model reads instead, and what is turned back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from unlearned.select.attribution import attribution
from unlearned.select.positions import SelectingScope
from unlearned.substitution.bank import Bank, WordSlot, as_name, in_case_of
from unlearned.substitution.entities import DAY, INITIAL, PHRASE, WORD, Entity, entities, stands_alone, words_in
from unlearned.substitution.spelling import KEPT, MONTHS, TOKEN, content_words, has_capital, rare_words
from unlearned.substitution.strangers import Strangers
from unlearned.substitution.substitution import StrangerPair, Substitution, pair_of
from unlearned.types import Prompt, Segment, Span
from unlearned.words import squash

Bools = npt.NDArray[np.bool_]

JOINS = re.compile(r"[\s.,'’-]{1,3}")
"""What stands between the parts of one name."""


@dataclass(frozen=True, slots=True, eq=False)
class Flagged:
    """A span with the tokens that its scope corrupts."""

    span: Span
    mask: Bools
    """(T,) its tokens."""

    scope: SelectingScope
    strangers: Strangers


@dataclass(slots=True, eq=False)
class Substituted:
    """What substitution makes of a prompt."""

    substitution: Substitution
    token_ids: dict[int, int] = field(default_factory=dict)
    """Position -> the token that the model reads there."""

    heavy: set[int] = field(default_factory=set)
    """Positions of words for which no stranger was found: noise has to hide them."""


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A word of the prompt, and the tokens that write it."""

    entity: Entity
    """In characters of the whole prompt."""

    positions: tuple[int, ...]
    surface: WordSlot
    owner: Strangers


def substitute(prompt: Prompt, flagged: Sequence[Flagged], enrolled: Sequence[Strangers], bank: Bank) -> Substituted:
    """Find the identifying words of the flagged spans and give each its stranger.

    Words that the spans name are replaced in the assistant's messages, too: the model said them of the stranger. A
    prompt whose spans have no name loses the words by which it was recognised.

    Args:
        prompt: T tokens.
        flagged: spans of scopes that substitute, strongest first.
        enrolled: strangers of all scopes that substitute and know names, in a fixed order. A name that several know is
            given by the first of them, whoever flagged the span: one word, one stranger.
        bank: words of the tokenizer.
    """
    finder = _Finder(prompt, bank)
    named = [(one, finder.named(one)) for one in flagged]
    if not any(places for _, places in named):
        named = [(one, finder.telling(one)) for one in flagged]
    places = [place for _, found in named for place in found]
    pairs, left = _paired(prompt, places, enrolled, bank)
    result = Substituted(Substitution({}, bank.pieces))
    if not places:  # nothing to go by: all of it
        result.heavy |= {int(p) for one in flagged for p in np.flatnonzero(one.mask)}
    taken = {p for place in places for p in place.positions}
    places += finder.said_before(pairs, taken, flagged[0].strangers)
    for place in places:
        pair = pairs.get(place.entity.key)
        ids = () if pair is None else place.surface.tokens(_written(place, pair), bank.pieces)
        if len(ids) == len(place.positions):
            result.token_ids |= zip(place.positions, ids, strict=True)
        else:
            result.heavy |= set(place.positions)
    read = [result.token_ids.get(position, token) for position, token in enumerate(prompt.token_ids)]
    phrases = {phrase.word: phrase for phrase in _phrases(prompt.text, places, pairs)}
    result.substitution = Substitution(pairs | phrases, bank.pieces, tuple(read), left)
    return result


def _written(place: _Place, pair: StrangerPair) -> str:
    return in_case_of(place.entity.text, pair.stranger) if pair.form == WORD else pair.stranger


def _paired(
    prompt: Prompt, places: Sequence[_Place], enrolled: Sequence[Strangers], bank: Bank
) -> tuple[dict[str, StrangerPair], int]:
    """Every word with its stranger, and the number of words for which none fits."""
    in_prompt = {squash(token.group()) for token in TOKEN.finditer(prompt.text)}
    by_key: dict[str, list[_Place]] = {}
    for place in places:
        by_key.setdefault(place.entity.key, []).append(place)
    pairs: dict[str, StrangerPair] = {}
    taken: set[str] = set()
    left = 0
    for key, own in by_key.items():
        entity = next((p.entity for p in own if has_capital(p.entity.text)), own[0].entity)
        knowing = (known for known in enrolled if known.table.known_in_singular(entity.text) is not None)
        owner = next(knowing, own[0].owner)
        stranger = owner.of(
            entity,
            [place.surface for place in own],
            lambda word: squash(word) in in_prompt or squash(word) in taken,
        )
        if stranger is None:
            left += 1
            continue
        taken.add(squash(stranger))
        lower = next((p.entity for p in own if not has_capital(p.entity.text)), entity)
        pair = pair_of(lower, stranger, bank.is_ordinary)
        pairs[key] = (
            StrangerPair(as_name(entity.text), stranger, WORD, pair.in_lower_case) if entity.form == WORD else pair
        )
    return pairs, left


def _phrases(text: str, places: Sequence[_Place], pairs: Mapping[str, StrangerPair]) -> Iterator[StrangerPair]:
    """Initials and days mean something only beside the rest of the name or date: these are turned back as a whole."""
    ordered = sorted((p for p in places if p.entity.key in pairs), key=lambda place: place.entity.start)
    run: list[_Place] = []
    for place in [*ordered, None]:
        joined = run and place and JOINS.fullmatch(text[run[-1].entity.end : place.entity.start])
        if run and not joined:
            if len(run) > 1 and any(one.entity.form == INITIAL for one in run):
                yield _phrase(text, run, pairs, run[0].entity.start, run[-1].entity.end)
            run = []
        if place:
            run.append(place)
            if place.entity.form == DAY:
                yield _phrase(text, [place], pairs, *_with_month(text, place.entity))


def _phrase(text: str, run: Sequence[_Place], pairs: Mapping[str, StrangerPair], start: int, end: int) -> StrangerPair:
    said, last = "", start
    for place in run:
        said += text[last : place.entity.start] + _written(place, pairs[place.entity.key])
        last = place.entity.end
    return StrangerPair(text[start:end], said + text[last:end], PHRASE)


def _with_month(text: str, day: Entity) -> tuple[int, int]:
    months = "|".join(MONTHS)
    behind = re.match(rf"(?: of)? (?:{months})\b", text[day.end :])
    before = re.search(rf"(?:{months}) $", text[: day.start])
    return (day.start - len(before.group()) if before else day.start), day.end + (len(behind.group()) if behind else 0)


class _Finder:
    """Finds words of one prompt, and the tokens that write them."""

    def __init__(self, prompt: Prompt, bank: Bank) -> None:
        self.prompt, self.bank = prompt, bank
        self._content = prompt.content_tokens()

    def named(self, one: Flagged) -> list[_Place]:
        """Names, dates and codes of a flagged span."""
        found = []
        for segment in self._segments(one.span):
            text = self.prompt.text[segment.start : segment.end]
            for entity in entities(text, [one.strangers.table], self.bank):
                moved = Entity(segment.start + entity.start, segment.start + entity.end, entity.text, entity.form)
                if moved.end > one.span.start and moved.start < one.span.end:
                    found += self._placed(moved, one)
        return found

    def telling(self, one: Flagged) -> list[_Place]:
        """The words of a span without names by which it was recognised; else its rarest ones."""
        carrying = attribution(self.prompt, one.span, one.scope) & one.mask
        text = self.prompt.text[one.span.start : one.span.end]
        words = [
            Entity(one.span.start + token.start(), one.span.start + token.end(), token.group())
            for token in TOKEN.finditer(text)
            if token["word"] and len(token.group()) > 2 and squash(token.group()) not in KEPT
        ]
        if bool((carrying != one.mask).any()):  # some words carry more than others
            chosen = [w for w in words if (carrying & self.prompt.tokens_overlapping(w.start, w.end)).any()]
        else:
            rare = set(rare_words(text) or content_words(text)[-1:])
            chosen = [word for word in words if word.text in rare]
        return [place for word in chosen for place in self._placed(word, one)]

    def said_before(self, pairs: Mapping[str, StrangerPair], taken: set[int], owner: Strangers) -> list[_Place]:
        """Where the assistant's messages hold the same words."""
        found = []
        for segment in self.prompt.segments:
            if segment.role != "assistant":
                continue
            for word in words_in(self.prompt.text, segment.start, segment.end):
                pair = pairs.get(word.key)
                if pair is None or not stands_alone(word, self.prompt.text):
                    continue
                if pair.form == WORD and not (has_capital(word.text) or pair.in_lower_case):
                    continue
                place = self._place(word, owner)
                if place is not None and taken.isdisjoint(place.positions):
                    found.append(place)
        return found

    def _segments(self, span: Span) -> list[Segment]:
        return [s for s in self.prompt.segments if s.end > span.start and s.start < span.end]

    def _placed(self, entity: Entity, one: Flagged) -> list[_Place]:
        place = self._place(entity, one.strangers)
        # A token that another, stronger span owns is that one's to replace.
        return [] if place is None or not one.mask[list(place.positions)].any() else [place]

    def _place(self, entity: Entity, owner: Strangers) -> _Place | None:
        prompt = self.prompt
        mask = prompt.tokens_overlapping(entity.start, entity.end) & self._content
        positions = tuple(int(position) for position in np.flatnonzero(mask))
        if not positions or positions[-1] - positions[0] + 1 != len(positions):
            return None
        ids = tuple(prompt.token_ids[position] for position in positions)
        start, end = int(prompt.offsets[positions[0], 0]), int(prompt.offsets[positions[-1], 1])
        before, after = prompt.text[start : entity.start], prompt.text[entity.end : end]
        # Some tokenizers count the space to the token and not to its characters.
        spaced = [" "] if start and prompt.text[start - 1] == " " else []
        for space in [*spaced, ""]:
            surface = WordSlot(entity.text, space + before, after, len(positions))
            if surface.tokens(entity.text, self.bank.pieces) == ids:
                return _Place(entity, positions, surface, owner)
        return _Place(entity, positions, WordSlot(entity.text, "".join(spaced) + before, after, len(positions)), owner)
