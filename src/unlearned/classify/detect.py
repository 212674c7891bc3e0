"""Prompts -> verdicts: is a prompt in a forget scope, and where?

Every message is read (`decoding`) and cut (`windows`); all of that is classified in one batch (`scoring`). Then, in a
second one, suspicious clauses are cut further, to find out which part of them it is; and in a third, of conversations
alone, clauses that refer to something in scope are read together with it (`follow_ups`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import TextEncoder
from unlearned.classify.cached_encoder import CachedEncoder
from unlearned.classify.decoding import readings
from unlearned.classify.follow_ups import FollowUp, Mention, follow_ups
from unlearned.classify.garbled import Vocabulary, ungarbled
from unlearned.classify.language import language_of, languages_read
from unlearned.classify.normalize import as_written, unquoted
from unlearned.classify.scope import Scope
from unlearned.classify.scope_set import ScopeSet
from unlearned.classify.scoring import Match, ScoredWindows, Window, failed, score_windows
from unlearned.classify.sentences import SentenceEncoder
from unlearned.classify.unsuspicious import UNSUSPICIOUS
from unlearned.classify.vector_cache import VECTORS
from unlearned.classify.windows import clauses, parts_of, windows
from unlearned.names.edges import grown, grown_to_matches
from unlearned.types import CharSpan, Exempted, Prompt, Segment, Span, Verdict


def detect(prompts: Sequence[Prompt], scopes: Sequence[Scope]) -> list[Verdict]:
    """Classify every window of every message of every prompt, under every scope.

    Args:
        prompts: only `text` and `segments` are read; template text is never classified.
        scopes: the active scopes, in any order; the result does not depend on it.

    Returns:
        One verdict per prompt. Its spans are the smallest flagged windows: a run of clauses is reported only if no
        flagged clause inside it says it more precisely, and of a clause only the part that is in scope.

    Raises:
        DetectionError: a classifier failed or gave something that is no probability. Nothing may be generated then.
    """
    if not scopes:
        return [Verdict() for _ in prompts]
    scopes = ScopeSet.of(scopes)
    windows, messages, before = _windows(prompts, scopes)
    # Later batches hold some texts once more; none of them is encoded twice.
    encoders = {id(encoder): _cached(encoder) for encoder, _ in scopes.by_encoder}
    owners = [prompt.owner for prompt in prompts]
    whole = score_windows(windows, scopes, encoders, owners)
    suspicious = np.flatnonzero(whole.suspicious.any(axis=0)).tolist()  # no other window reaches a threshold
    cut = {n: parts for n in suspicious if (parts := _parts(windows[n]))}
    parted = score_windows([part for parts in cut.values() for part in parts], scopes, encoders, owners)
    matches: dict[int, list[Match]] = {}  # per scope
    first = 0
    for n in suspicious:
        scored, columns = whole, range(n, n + 1)
        if n in cut:
            scored, columns = parted, range(first, first + len(cut[n]))
            first = columns.stop
        for s in scored.reached_by(columns):
            matches.setdefault(s, []).extend(scored.best(s, columns))
    further = score_windows(_following(prompts, whole, matches, scopes), scopes, encoders, owners)
    for n in range(len(further.windows)):
        for s in further.reached_by(range(n, n + 1)):
            matches.setdefault(s, []).extend(further.best(s, range(n, n + 1)))
    highest = before
    flagged: list[list[Span]] = [[] for _ in prompts]
    exempt: list[set[Exempted]] = [set() for _ in prompts]
    for scored in (whole, parted, further):
        np.maximum.at(highest, [window.prompt for window in scored.windows], scored.scores.max(axis=0))
        for s, n in np.argwhere(scored.exempt >= 0).tolist():
            exempt[scored.windows[n].prompt].add(Exempted(scopes[s].name, int(scored.exempt[s, n]) + 1))
    for s, own in sorted(matches.items()):
        for window, score in own:
            flagged[window.prompt].append(Span(*window.place, scopes[s].name, score))
    flagged = [_grown(spans, prompt, scopes) for spans, prompt in zip(flagged, prompts, strict=True)]
    unread, languages, foreign = _unread(windows, scopes, len(prompts))
    for message in messages:
        its = slice(message.first, message.last)
        if not (foreign[its].any() or whole.suspicious[:, its].any()):
            UNSUSPICIOUS.add(message.key, float(whole.scores[:, its].max(initial=0.0)))
    return [
        Verdict(tuple(sorted([*_smallest(spans), *others])), float(score), tuple(sorted(codes)), tuple(sorted(by)))
        for spans, others, score, codes, by in zip(flagged, unread, highest, languages, exempt, strict=True)
    ]


def forget_asked() -> None:
    """Drop what is kept of texts that were asked before. No verdict changes, only the time that it takes."""
    VECTORS.clear()
    UNSUSPICIOUS.clear()


@dataclass(frozen=True, slots=True)
class _Message:
    """A message of which nothing is known so far."""

    prompt: int
    key: bytes
    first: int
    """Its windows: from this one"""

    last: int
    """to before this one."""


def _windows(
    prompts: Sequence[Prompt], scopes: ScopeSet
) -> tuple[list[Window], list[_Message], npt.NDArray[np.float64]]:
    """What is classified at first, the messages it is from, and per prompt the highest score of its other messages."""
    windows, messages, before = list[Window](), list[_Message](), np.zeros(len(prompts))
    for index, prompt in enumerate(prompts):
        for segment in prompt.segments:
            said = prompt.text[segment.start : segment.end]
            key = UNSUSPICIOUS.key(scopes.token, prompt.owner, said, quoted=segment.quoted)
            if (known := UNSUSPICIOUS.score(key)) is not None:
                before[index] = max(before[index], known)
                continue
            first = len(windows)
            windows += windows_of(prompt, segment, index, scopes.vocabulary)
            messages.append(_Message(index, key, first, len(windows)))
    return windows, messages, before


def windows_of(prompt: Prompt, segment: Segment, index: int = 0, vocabulary: Vocabulary | None = None) -> list[Window]:
    """Everything of a message that is classified at first; the vocabulary is what garbled words are compared with.

    What a further reading reads as one before it did is not looked at again.
    """
    found: dict[tuple[str, CharSpan], Window] = {}
    written = as_written(prompt.text, segment.start, segment.end)
    read = readings(unquoted(written) if segment.quoted else written)
    for reading in [*read, *(ungarbled(read[0], vocabulary) if vocabulary else [])]:
        text = reading.text
        leaves = set(clauses(text, 0, len(text)))
        for start, end in windows(text, 0, len(text)):
            said, place = text[start:end], reading.original(start, end)
            clause = (reading, (start, end)) if (start, end) in leaves else None
            if (known := found.get((said, place))) is None or (known.clause is None and clause is not None):
                found[said, place] = Window(index, said, place, clause)
    return list(found.values())


def _following(
    prompts: Sequence[Prompt], whole: ScoredWindows, matches: Mapping[int, Sequence[Match]], scopes: ScopeSet
) -> list[Window]:
    """Clauses of conversations that refer back to what was said about a scope; each to be scored by that scope.

    What was said is what the scope matches. Where that is nothing, it is what the scope suspects most: "a novelist from
    Astana" may only together with a question about his parents be about anybody.
    """
    if all(len(prompt.segments) < 2 for prompt in prompts):
        return []
    followed: dict[tuple[int, tuple[Mention, ...], bool], list[FollowUp]] = {}
    found: dict[tuple[int, FollowUp], list[str]] = {}  # many scopes may suspect the same words
    suspicious = np.asarray(whole.suspicious & ~whole.excluded)
    for s in sorted({*matches, *np.flatnonzero(suspicious.any(axis=1)).tolist()}):
        said: dict[int, list[Window]] = {}
        for window, _ in matches.get(s, ()):
            said.setdefault(window.prompt, []).append(window)
        suspects = np.flatnonzero(suspicious[s])
        by_score = suspects[np.argsort(-whole.scores[s, suspects], kind="stable")]
        for window in (whole.windows[n] for n in by_score.tolist()):
            said.setdefault(window.prompt, [window])
        for index, own in said.items():
            mentions = tuple(Mention(window.place, window.text) for window in own)
            key = index, mentions, scopes[s].intents is not None
            if key not in followed:
                followed[key] = follow_ups(prompts[index], mentions, fragments=key[2])
            for follow in followed[key]:
                found.setdefault((index, follow), []).append(scopes[s].name)
    return [
        Window(index, f"{one.antecedent} {one.clause}", one.place, follow_up=one.clause, scopes=tuple(names))
        for (index, one), names in found.items()
    ]


def _parts(window: Window) -> list[Window]:
    """All parts of a clause, itself included; none if it has no parts."""
    if window.clause is None:
        return []
    reading, (start, end) = window.clause
    places = parts_of(reading.text, start, end)
    if len(places) < 2:
        return []
    return [Window(window.prompt, reading.text[s:e], reading.original(s, e)) for s, e in places]


def _unread(
    windows: Sequence[Window], scopes: ScopeSet, prompts: int
) -> tuple[list[list[Span]], list[set[str]], npt.NDArray[np.bool_]]:
    """Languages that a scope's encoder does not read.

    Returns:
        Per prompt, spans where the scope corrupts those, and codes; and (N,) whether a window is in one of them.
    """
    spans: list[dict[Span, None]] = [{} for _ in range(prompts)]
    codes: list[set[str]] = [set() for _ in range(prompts)]
    languages = {text: language_of(text) for text in dict.fromkeys(window.text for window in windows if window.clause)}
    foreign = [n for n, window in enumerate(windows) if window.clause is not None and languages[window.text] != "en"]
    found = np.zeros(len(windows), dtype=np.bool_)
    for encoder, rows in scopes.by_encoder if foreign else ():
        own = [scopes[n] for n in rows.tolist()]
        try:
            read = languages_read(encoder)
        except Exception as error:
            raise failed(own[0], error) from error
        corrupting = [scope.name for scope in own if scope.other_languages == "corrupt"]
        for n in foreign:
            window = windows[n]
            if languages[window.text] not in read:
                found[n] = True
                codes[window.prompt].add(languages[window.text])
                spans[window.prompt] |= {Span(*window.place, name, 1.0, "language"): None for name in corrupting}
    return [list(own) for own in spans], codes, found


def _cached(encoder: TextEncoder) -> CachedEncoder:
    """Encodes no text twice: of this call, nor, where a text's vector depends on it alone, of those before."""
    return CachedEncoder(encoder, kept=VECTORS if isinstance(encoder, SentenceEncoder) else None)


def _grown(spans: Sequence[Span], prompt: Prompt, scopes: ScopeSet) -> list[Span]:
    """Spans that end inside a name, grown to the whole name."""
    if not spans:
        return []
    names: dict[str, list[CharSpan]] = {}
    for name in {span.scope for span in spans}:
        names[name] = [
            (segment.start + start, segment.start + end)
            for n in scopes.named(name)
            for segment in prompt.segments
            for start, end in scopes[n].lexicon.places(prompt.text[segment.start : segment.end])
        ]
    found, known = [], dict[CharSpan, CharSpan]()  # many scopes may claim the same words
    for span in spans:
        segment = next((s for s in prompt.segments if s.start <= span.start and span.end <= s.end), None)
        place = (span.start, span.end)
        if segment is not None:
            place = grown_to_matches(place, names[span.scope])
            if place not in known:
                known[place] = grown(prompt.text, *place, segment.start, segment.end)
            place = known[place]
        found.append(replace(span, start=place[0], end=place[1]))
    return found


def _smallest(spans: list[Span]) -> list[Span]:
    """Drop a span that contains another one of its scope, and repetitions."""
    best: dict[tuple[str, int, int], Span] = {}
    for span in spans:  # several readings may claim the same characters
        key = (span.scope, span.start, span.end)
        if key not in best or span.score > best[key].score:
            best[key] = span
    kept: list[Span] = []
    # From the last start backwards, short ones first: a span holds an earlier one iff it ends no earlier than the
    # nearest end so far.
    nearest_end: dict[str, int] = {}
    for span in sorted(best.values(), key=lambda span: (-span.start, span.end)):
        if span.end < nearest_end.get(span.scope, span.end + 1):
            kept.append(span)
            nearest_end[span.scope] = span.end
    return kept
