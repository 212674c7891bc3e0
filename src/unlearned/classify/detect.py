"""Prompts -> verdicts: is a prompt in a forget scope, and where? The one place where texts meet classifiers.

Every message is read (`decoding`) and cut (`windows`); all of that is classified in one batch. Then, in a second one,
suspicious clauses are cut further, to find out which part of them it is; and in a third, of conversations alone,
clauses that refer to something in scope are read together with it (`follow_ups`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import Features, Floats, TextEncoder
from unlearned.classify.cached_encoder import CachedEncoder
from unlearned.classify.decoding import readings
from unlearned.classify.exemptions import Exemptions
from unlearned.classify.follow_ups import Mention, follow_ups
from unlearned.classify.garbled import ungarbled
from unlearned.classify.language import language_of, languages_read
from unlearned.classify.lexicon import CERTAIN, Lexicon, ScopeText
from unlearned.classify.normalize import AlignedText, as_written, unquoted
from unlearned.classify.scope import Scope
from unlearned.classify.sentences import SentenceEncoder
from unlearned.classify.vector_cache import VECTORS
from unlearned.classify.windows import clauses, parts_of, windows
from unlearned.errors import DetectionError
from unlearned.names.edges import grown, grown_to_matches
from unlearned.types import CharSpan, Exempted, Prompt, Span, Verdict
from unlearned.words import squash

SUSPICIOUS = 0.2
"""Share of the threshold from which a clause is looked at in parts: among others a forget question scores less."""

NEARLY_AS_GOOD = 0.75
"""Log-odds below the best part of a clause within which the longest part is taken."""

SHORT = 30
"""Bytes of a text that says little more than a name."""


def is_short(text: str) -> bool:
    """Whether a scope's `short_penalty` holds for the text."""
    return len(text.encode("utf-8", "surrogatepass")) <= SHORT


def short_threshold(threshold: float, penalty: float) -> float:
    """The p(forget | text), before the penalty, from which a short text is in scope."""
    return threshold / (threshold + (1.0 - threshold) * math.exp(-penalty))


def log_odds(score: float) -> float:
    """Log-odds of p(forget | text); minus infinity for 0, and finite for 1."""
    return (math.log(score) if score > 0 else -math.inf) - math.log1p(-min(score, 1 - 1e-12))


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One text to classify."""

    prompt: int
    """Index of the prompt it is from."""

    text: str
    place: CharSpan
    """What of the prompt is in scope if this text is."""

    clause: tuple[AlignedText, CharSpan] | None = None
    """The reading and the clause in it, where the window can be cut further."""

    follow_up: str | None = None
    """The clause alone, where it is read with what it refers to."""

    scope: str | None = None
    """The only scope that judges it; None: all of them do."""


Match = tuple[Window, float]
"""A window in scope, and its p(forget)."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredWindows:
    """Windows, and what the scopes say of them."""

    windows: Sequence[Window]
    scores: Floats
    """(S, N) p(forget | text) of every window under every scope."""

    excluded: npt.NDArray[np.bool_]
    """(S, N) windows that are no match whatever their score: exempt, of other intents, or for another scope alone."""

    exempt: npt.NDArray[np.int64]
    """(S, N) index of the exempt example that covers what the scope would else claim; -1 = none."""

    thresholds: npt.NDArray[np.float64]
    """(S,)"""

    @property
    def suspicious(self) -> npt.NDArray[np.bool_]:
        """(S, N) whether a window is near enough to a scope to be looked at in parts."""
        return np.asarray(self.scores >= SUSPICIOUS * self.thresholds[:, None])

    def best(self, scope: int, columns: range) -> list[Match]:
        """Which of these parts of a clause are in scope: the best one, then what is left beside it, if that is."""
        scores = dict(zip(columns, self.scores[scope, columns.start : columns.stop].astype(np.float64), strict=True))
        open_ = [n for n in columns if scores[n] >= self.thresholds[scope] and not self.excluded[scope, n]]
        odds = {n: log_odds(float(scores[n])) for n in open_}
        chosen = []
        while open_:
            limit = max(odds[n] for n in open_) - NEARLY_AS_GOOD
            best = max((n for n in open_ if odds[n] >= limit), key=lambda n: (self._length(n), odds[n]))
            chosen.append(best)
            start, end = self.windows[best].place
            open_ = [n for n in open_ if self.windows[n].place[1] <= start or self.windows[n].place[0] >= end]
        return [(self.windows[n], float(self.scores[scope, n])) for n in chosen]

    def _length(self, n: int) -> int:
        start, end = self.windows[n].place
        return end - start


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
    lexicons = [scope.lexicon for scope in scopes if scope.lexicon]
    windows = [window for index, prompt in enumerate(prompts) for window in windows_of(prompt, index, lexicons)]
    # Later batches hold some texts once more; none of them is encoded twice.
    encoders = {id(encoder): _cached(encoder) for encoder in (scope.classifier.encoder for scope in scopes)}
    owners = [prompt.owner for prompt in prompts]
    whole = _scored(windows, scopes, encoders, owners)
    suspicious = np.flatnonzero(whole.suspicious.any(axis=0)).tolist()  # no other window reaches a threshold
    cut = {n: parts for n in suspicious if (parts := _parts(windows[n]))}
    parted = _scored([part for parts in cut.values() for part in parts], scopes, encoders, owners)
    matches: list[list[Match]] = [[] for _ in scopes]
    first = 0
    for n in suspicious:
        scored, columns = whole, range(n, n + 1)
        if n in cut:
            scored, columns = parted, range(first, first + len(cut[n]))
            first = columns.stop
        for s in range(len(scopes)):
            matches[s] += scored.best(s, columns)
    further = _scored(_following(prompts, whole, matches, scopes), scopes, encoders, owners)
    highest = np.zeros(len(prompts))
    flagged: list[list[Span]] = [[] for _ in prompts]
    for scored in (whole, parted, further):
        np.maximum.at(highest, [window.prompt for window in scored.windows], scored.scores.max(axis=0))
    for s, scope in enumerate(scopes):
        own = [match for n in range(len(further.windows)) for match in further.best(s, range(n, n + 1))]
        for window, score in [*matches[s], *own]:
            flagged[window.prompt].append(Span(*window.place, scope.name, score))
    flagged = [_grown(spans, prompt, scopes) for spans, prompt in zip(flagged, prompts, strict=True)]
    unread, languages = _unread(windows, scopes, len(prompts))
    exempt: list[set[Exempted]] = [set() for _ in prompts]
    for scored in (whole, parted, further):
        for s, n in np.argwhere(scored.exempt >= 0).tolist():
            exempt[scored.windows[n].prompt].add(Exempted(scopes[s].name, int(scored.exempt[s, n]) + 1))
    return [
        Verdict(tuple(sorted([*_smallest(spans), *foreign])), float(score), tuple(sorted(codes)), tuple(sorted(by)))
        for spans, foreign, score, codes, by in zip(flagged, unread, highest, languages, exempt, strict=True)
    ]


def windows_of(prompt: Prompt, index: int = 0, lexicons: Sequence[Lexicon] = ()) -> list[Window]:
    """Everything of a prompt that is classified at first; `lexicons` are what garbled words are compared with.

    What a further reading reads as one before it did is not looked at again.
    """
    found: dict[tuple[str, CharSpan], Window] = {}
    for segment in prompt.segments:
        written = as_written(prompt.text, segment.start, segment.end)
        read = readings(unquoted(written) if segment.quoted else written)
        for reading in [*read, *(ungarbled(read[0], lexicons) if lexicons else [])]:
            text = reading.text
            leaves = set(clauses(text, 0, len(text)))
            for start, end in windows(text, 0, len(text)):
                said, place = text[start:end], reading.original(start, end)
                clause = (reading, (start, end)) if (start, end) in leaves else None
                if (known := found.get((said, place))) is None or (known.clause is None and clause is not None):
                    found[said, place] = Window(index, said, place, clause)
    return list(found.values())


def _following(
    prompts: Sequence[Prompt], whole: ScoredWindows, matches: Sequence[Sequence[Match]], scopes: Sequence[Scope]
) -> list[Window]:
    """Clauses of conversations that refer back to what was said about a scope; each to be scored by that scope.

    What was said is what matches the scope. Where that is nothing, it is what the scope suspects most: "a novelist from
    Astana" may only together with a question about his parents be about anybody.
    """
    found = list[Window]()
    if all(len(prompt.segments) < 2 for prompt in prompts):
        return found
    for s, scope in enumerate(scopes):
        said: dict[int, list[Window]] = {}
        for window, _ in matches[s]:
            said.setdefault(window.prompt, []).append(window)
        suspects = np.flatnonzero(whole.suspicious[s] & ~whole.excluded[s])
        by_score = suspects[np.argsort(-whole.scores[s, suspects], kind="stable")]
        for window in (whole.windows[n] for n in by_score.tolist()):
            said.setdefault(window.prompt, [window])
        for index, own in said.items():
            mentions = [Mention(window.place, window.text) for window in own]
            for follow in follow_ups(prompts[index], mentions, fragments=scope.intents is not None):
                text = f"{follow.antecedent} {follow.clause}"
                found.append(Window(index, text, follow.place, follow_up=follow.clause, scope=scope.name))
    return found


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
    windows: Sequence[Window], scopes: Sequence[Scope], prompts: int
) -> tuple[list[list[Span]], list[set[str]]]:
    """Per prompt, languages that a scope's encoder does not read: spans, where the scope corrupts those, and codes."""
    spans: list[dict[Span, None]] = [{} for _ in range(prompts)]
    codes: list[set[str]] = [set() for _ in range(prompts)]
    languages = {text: language_of(text) for text in dict.fromkeys(window.text for window in windows if window.clause)}
    for window in windows:
        if window.clause is None or (language := languages[window.text]) == "en":
            continue
        for scope in scopes:
            if language in _read_by(scope):
                continue
            codes[window.prompt].add(language)
            if scope.other_languages == "corrupt":
                spans[window.prompt][Span(*window.place, scope.name, 1.0, "language")] = None
    return [list(own) for own in spans], codes


def _read_by(scope: Scope) -> frozenset[str]:
    try:
        return languages_read(scope.classifier.encoder)
    except Exception as error:
        raise _failed(scope, error) from error


def _failed(scope: Scope, error: Exception) -> DetectionError:
    """Whatever a classifier or encoder may raise: nothing unchecked reaches the model."""
    return DetectionError(f"Detection for the scope {scope.name!r} failed: {error!r}. Nothing was generated.")


def _cached(encoder: TextEncoder) -> CachedEncoder:
    """Encodes no text twice: of this call, nor, where a text's vector depends on it alone, of those before."""
    return CachedEncoder(encoder, kept=VECTORS if isinstance(encoder, SentenceEncoder) else None)


def _scored(
    windows: Sequence[Window],
    scopes: Sequence[Scope],
    encoders: Mapping[int, CachedEncoder],
    owners: Sequence[str],
) -> ScoredWindows:
    """Score every window under every scope, short texts less.

    Raises:
        DetectionError: a classifier failed or gave something that is no probability.
    """
    scores = np.zeros((len(scopes), len(windows)), dtype=np.float32)
    excluded = np.zeros((len(scopes), len(windows)), dtype=np.bool_)
    thresholds = np.array([scope.threshold for scope in scopes], dtype=np.float64)
    exempt = np.full((len(scopes), len(windows)), -1, dtype=np.int64)
    scored = ScoredWindows(windows, scores, excluded, exempt, thresholds)
    if not windows:
        return scored
    alone = [window.follow_up for window in windows if window.follow_up is not None]
    texts = list(dict.fromkeys([*(window.text for window in windows), *alone]))
    place = {text: n for n, text in enumerate(texts)}
    order = [place[window.text] for window in windows]
    following = np.flatnonzero([window.follow_up is not None for window in windows])
    short = np.fromiter(map(is_short, texts), dtype=np.bool_, count=len(texts))
    said = [[scope.lexicon.said(text) for text in texts] for scope in scopes]
    read = [text for own in said for one in own for text in (one.text, one.less) if text is not None]
    distinct = {text: n for n, text in enumerate(dict.fromkeys([*read, *alone]))}
    whose = _whose(windows, texts, said, owners)
    for cached in encoders.values():
        cached.owners |= whose
    features: dict[int, Features] = {}  # scopes that share an encoder share all that is worked out from a text
    for row, scope in enumerate(scopes):
        encoder = scope.classifier.encoder
        try:
            if id(encoder) not in features:
                features[id(encoder)] = Features.of(list(distinct), encoders[id(encoder)])
            own = features[id(encoder)]
            found = np.asarray(scope.classifier.predict_proba(own), dtype=np.float32)
        except Exception as error:
            raise _failed(scope, error) from error
        if found.shape != (len(distinct),) or not ((found >= 0) & (found <= 1)).all():
            raise DetectionError(
                f"The classifier of the scope {scope.name!r} gave {found.shape} values, not all of them in [0, 1], "
                f"for {len(distinct)} texts. Nothing was generated."
            )
        spelt = [distinct[one.text] for one in said[row]]
        found = _with_names(found, said[row], spelt, distinct, scope.threshold)
        if scope.short_penalty:
            nameless = short & ~np.array([one.named for one in said[row]], dtype=np.bool_)
            found = np.where(nameless, _less(found, scope.short_penalty), found)
        is_judge = np.array([window.scope in (None, scope.name) for window in windows])
        scores[row], excluded[row] = np.where(is_judge, found[order], 0.0), ~is_judge
        try:
            if scope.exemptions is not None:
                asked = own.take(np.array(spelt, dtype=np.int64))
                covering = _covering(scope.exemptions, asked, found >= scope.threshold)[order]
                exempt[row] = np.where(is_judge, covering, -1)
                excluded[row] |= covering >= 0
            if scope.intents is not None and alone:
                asking = own.take(np.array([distinct[text] for text in alone], dtype=np.int64))
                excluded[row, following] |= ~scope.intents.hold(asking.vectors)
        except Exception as error:
            raise _failed(scope, error) from error
    return scored


def _whose(
    windows: Sequence[Window], texts: Sequence[str], said: Sequence[Sequence[ScopeText]], owners: Sequence[str]
) -> dict[str, str]:
    """Text that is encoded -> who asks it; empty where nobody is known."""
    if not any(owners):
        return {}
    asked: dict[str, str] = {}
    for window in windows:
        for text in (window.text, window.follow_up):
            if text is not None:
                asked.setdefault(text, owners[window.prompt])
    found = dict(asked)
    for own in said:
        for text, one in zip(texts, own, strict=True):
            for variant in (one.text, one.less):
                if variant is not None:
                    found.setdefault(variant, asked[text])
    return found


def _with_names(
    scores: Floats, said: Sequence[ScopeText], spelt: Sequence[int], distinct: Mapping[str, int], threshold: float
) -> Floats:
    """(N,) scores of texts, from the scores of what a scope's classifier reads of them.

    A text with somebody else's name has less, one with a name that is in scope in any context has more.
    """
    found = scores[spelt]
    for n, one in enumerate(said):
        if one.less is not None:
            found[n] = min(found[n], scores[distinct[one.less]] if squash(one.less) else 0.0)
        if one.named:  # always above the threshold, and still in the order of the scores
            bar = log_odds(threshold)
            above = np.logaddexp(0.0, log_odds(float(found[n])) + CERTAIN - bar)
            found[n] = 1.0 / (1.0 + math.exp(-min(max(bar, -30.0) + float(above), 30.0)))
    least: Floats = np.where([one.named for one in said], np.float32(threshold), np.float32(0.0))
    highest: Floats = np.maximum(found, least)
    return highest


def _covering(exemptions: Exemptions, features: Features, asked: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """(N,) index of the exempt example that covers the text, where that is asked; else -1."""
    found = np.full(len(features), -1, dtype=np.int64)
    if asked.any():
        found[asked] = exemptions.covering(features.take(np.flatnonzero(asked)).vectors)
    return found


def _less(scores: Floats, penalty: float) -> Floats:
    """Probabilities, with less log-odds."""
    likely = scores.astype(np.float64)
    return np.asarray(likely / (likely + (1.0 - likely) * np.exp(penalty)), dtype=np.float32)


def _grown(spans: Sequence[Span], prompt: Prompt, scopes: Sequence[Scope]) -> list[Span]:
    """Spans that end inside a name, grown to the whole name."""
    if not spans:
        return []
    names: dict[str, list[CharSpan]] = {}
    for scope in scopes:
        if any(span.scope == scope.name for span in spans):
            names[scope.name] = [
                (segment.start + start, segment.start + end)
                for segment in prompt.segments
                for start, end in scope.lexicon.places(prompt.text[segment.start : segment.end])
            ]
    found = []
    for span in spans:
        segment = next((s for s in prompt.segments if s.start <= span.start and span.end <= s.end), None)
        place = (span.start, span.end)
        if segment is not None:
            place = grown(prompt.text, *grown_to_matches(place, names[span.scope]), segment.start, segment.end)
        found.append(replace(span, start=place[0], end=place[1]))
    return found


def _smallest(spans: list[Span]) -> list[Span]:
    """Drop a span that contains another one of its scope, and repetitions."""
    best: dict[tuple[str, int, int], Span] = {}
    for span in spans:  # several readings may cover the same characters
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
