"""Texts meet classifiers, and nowhere else: what every scope says of every piece of a prompt."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import Features, Floats, TextEncoder
from unlearned.classify.cached_encoder import CachedEncoder
from unlearned.classify.exemptions import Exemptions
from unlearned.classify.lexicon import CERTAIN, ScopeText
from unlearned.classify.normalize import AlignedText
from unlearned.classify.scope import Scope
from unlearned.classify.scope_set import ScopeSet
from unlearned.classify.spelling import Ints
from unlearned.errors import DetectionError
from unlearned.types import CharSpan
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

    scopes: tuple[str, ...] | None = None
    """The only ones that score it; None: all of them do."""


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

    def reached_by(self, columns: range) -> list[int]:
        """The scopes that any of these windows is in."""
        reached = self.scores[:, columns.start : columns.stop] >= self.thresholds[:, None]
        return [int(s) for s in np.flatnonzero(reached.any(axis=1))]

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


def score_windows(
    windows: Sequence[Window],
    scopes: ScopeSet,
    encoders: Mapping[int, CachedEncoder],
    owners: Sequence[str],
) -> ScoredWindows:
    """Score every window under every scope, short texts less.

    Args:
        windows: N of them.
        scopes: S of them.
        encoders: by the `id` of the scopes' encoders.
        owners: who asks each prompt.

    Raises:
        DetectionError: a classifier failed or gave something that is no probability.
    """
    scorers = _scorers(windows, scopes)
    exempt = np.full(scorers.shape, -1, dtype=np.int64)
    scored = ScoredWindows(windows, np.zeros(scorers.shape, dtype=np.float32), ~scorers, exempt, scopes.thresholds)
    if not windows:
        return scored
    texts = _Texts.of(windows, scopes)
    whose = _whose(windows, texts, owners)
    for encoder, rows in scopes.by_encoder:
        encoders[id(encoder)].owners |= whose
        features = Features.of(list(texts.index), encoders[id(encoder)])  # once for all scopes with the encoder
        is_open = np.zeros(len(scopes), dtype=np.bool_)
        is_open[rows] = True
        together: list[tuple[Ints, Floats]] = []
        for joint_rows, scores in _together(features, scopes, encoder, texts):
            found = _less(
                _with_others_names(scores, joint_rows, texts), texts.short * scopes.penalties[joint_rows, None]
            )
            scored.scores[joint_rows] = found[:, texts.order]
            # Of the others there is nothing, and nothing that only they read otherwise.
            is_open[joint_rows] = (found.max(axis=1) >= scopes.thresholds[joint_rows]) | texts.is_spelt[joint_rows]
            together.append((joint_rows, scores))
        for row in np.flatnonzero(is_open).tolist():
            try:
                _score_row(scored, row, scopes[row], texts, features, _of_row(together, row))
            except DetectionError:
                raise
            except Exception as error:
                raise failed(scopes[row], error) from error
    scored.scores[~scorers] = 0.0
    return scored


@dataclass(frozen=True, slots=True, eq=False)
class _Texts:
    """The different texts of N windows."""

    index: dict[str, int]
    """Text -> its number: first those of the windows, then what they say to some scope."""

    count: int
    """Of the former."""

    order: Ints
    """(N,) the window's text"""

    following: Ints
    """(F,) windows that are read with what they refer to"""

    alone: Ints
    """(F,) and the texts of these alone."""

    short: npt.NDArray[np.bool_]
    """(count,)"""

    said: Mapping[int, Mapping[int, ScopeText]]
    """Scope -> text -> what it says to the scope, where that is not just the text."""

    is_spelt: npt.NDArray[np.bool_]
    """(S,) scopes to which some text says anything but itself and less: their names stand in it."""

    struck: Mapping[tuple[int, str], Sequence[int]]
    """Text, and the same without somebody else's names -> the scopes that read both."""

    @classmethod
    def of(cls, windows: Sequence[Window], scopes: ScopeSet) -> _Texts:
        alone = {n: window.follow_up for n, window in enumerate(windows) if window.follow_up is not None}
        texts = list(dict.fromkeys([*(window.text for window in windows), *alone.values()]))
        said = scopes.said(texts)
        variants = (text for own in said.values() for one in own.values() for text in (one.text, one.less))
        distinct = dict.fromkeys([*texts, *(text for text in variants if text is not None)])
        index = {text: n for n, text in enumerate(distinct)}
        is_spelt, struck = np.zeros(len(scopes), dtype=np.bool_), dict[tuple[int, str], list[int]]()
        for scope, own in said.items():
            for n, one in own.items():
                if one.named or one.less is None or one.text != texts[n]:
                    is_spelt[scope] = True
                else:
                    struck.setdefault((n, one.less), []).append(scope)
        return cls(
            index,
            len(texts),
            np.array([index[window.text] for window in windows], dtype=np.int64),
            np.array(list(alone), dtype=np.int64),
            np.array([index[text] for text in alone.values()], dtype=np.int64),
            np.fromiter(map(is_short, texts), dtype=np.bool_, count=len(texts)),
            said,
            is_spelt,
            struck,
        )

    def read_by(self, rows: Ints) -> npt.NDArray[np.bool_]:
        """(R, N) whether a scope reads a text: the windows', and what these say to it."""
        found = np.zeros((len(rows), len(self.index)), dtype=np.bool_)
        found[:, : self.count] = True
        if len(self.index) == self.count:
            return found
        for (_, less), scopes in self.struck.items():
            found[np.isin(rows, scopes), self.index[less]] = True
        for place in np.flatnonzero(self.is_spelt[rows]).tolist():
            for one in self.said[int(rows[place])].values():
                found[place, [self.index[text] for text in (one.text, one.less) if text is not None]] = True
        return found


def _score_row(
    scored: ScoredWindows, row: int, scope: Scope, texts: _Texts, features: Features, scores: Floats | None
) -> None:
    """Fill in what one scope says; `scores` are p(forget | text) where they are known."""
    said, numbers = texts.said.get(row, {}), np.arange(texts.count)
    spelt = numbers.copy()
    spelt[list(said)] = [texts.index[one.text] for one in said.values()]
    if scores is None:
        less = [texts.index[one.less] for one in said.values() if one.less is not None]
        scores = _alone(features, scope, np.union1d(spelt, np.array(less, dtype=np.int64)))
    found = _with_names(scores, said, spelt, texts.index, scope.threshold)
    is_named = np.isin(numbers, [n for n, one in said.items() if one.named])
    found = _less(found, np.where(is_named, 0.0, texts.short * scope.short_penalty))
    is_scorer = ~scored.excluded[row]
    scored.scores[row] = found[texts.order]
    if scope.exemptions is not None:
        covering = _covering(scope.exemptions, features.take(spelt), found >= scope.threshold)[texts.order]
        scored.exempt[row] = np.where(is_scorer, covering, -1)
        scored.excluded[row] |= covering >= 0
    if scope.intents is not None and is_scorer[texts.following].any():
        scored.excluded[row, texts.following] |= ~scope.intents.hold(features.take(texts.alone).vectors)


def failed(scope: Scope, error: Exception) -> DetectionError:
    """Whatever a classifier or encoder may raise: nothing unchecked reaches the model."""
    return DetectionError(f"Detection for the scope {scope.name!r} failed: {error!r}. Nothing was generated.")


def _scorers(windows: Sequence[Window], scopes: ScopeSet) -> npt.NDArray[np.bool_]:
    """(S, N) whether the scope scores the window."""
    found = np.zeros((len(scopes), len(windows)), dtype=np.bool_)
    found[:, [n for n, window in enumerate(windows) if window.scopes is None]] = True
    for n, window in enumerate(windows):
        for name in window.scopes or ():
            found[scopes.named(name), n] = True
    return found


def _together(
    features: Features, scopes: ScopeSet, encoder: TextEncoder, texts: _Texts
) -> Iterator[tuple[Ints, Floats]]:
    """(R,) scopes that are asked together, and (R, N) p(forget | text)."""
    for rows, joint in scopes.joint(encoder):
        try:
            scores = joint.predict_proba(features, texts.read_by(rows))
        except Exception as error:
            raise failed(scopes[int(rows[0])], error) from error
        if not ((scores >= 0) & (scores <= 1)).all():
            raise DetectionError("A classifier gave values that are not in [0, 1]. Nothing was generated.")
        yield rows, scores


def _of_row(together: Sequence[tuple[Ints, Floats]], row: int) -> Floats | None:
    """(N,) what was found of a scope; None: it was not asked together with others."""
    return next((scores[place] for rows, scores in together for place in np.flatnonzero(rows == row)), None)


def _with_others_names(scores: Floats, rows: Ints, texts: _Texts) -> Floats:
    """(R, N) p(forget | text) -> (R, count), where texts with somebody else's names have less; see `_with_names`."""
    found = scores[:, : texts.count].copy()
    for (n, less), scopes in texts.struck.items():
        own = np.flatnonzero(np.isin(rows, scopes))
        found[own, n] = np.minimum(found[own, n], scores[own, texts.index[less]] if squash(less) else 0.0)
    return found


def _alone(features: Features, scope: Scope, read: Ints) -> Floats:
    """(N,) p(forget | text) of the texts that the scope reads; 0 of others.

    Raises:
        DetectionError: they are no probabilities.
    """
    found = np.zeros(len(features), dtype=np.float32)
    scores = np.asarray(scope.classifier.predict_proba(features.take(read)), dtype=np.float32)
    if scores.shape != (len(read),) or not ((scores >= 0) & (scores <= 1)).all():
        raise DetectionError(
            f"The classifier of the scope {scope.name!r} gave {scores.shape} values, not all of them in [0, 1], "
            f"for {len(read)} texts. Nothing was generated."
        )
    found[read] = scores
    return found


def _whose(windows: Sequence[Window], texts: _Texts, owners: Sequence[str]) -> dict[str, str]:
    """Text that is encoded -> who asks it; empty where nobody is known."""
    if not any(owners):
        return {}
    found: dict[str, str] = {}
    for window in windows:
        for text in (window.text, window.follow_up):
            if text is not None:
                found.setdefault(text, owners[window.prompt])
    asked = list(texts.index)
    for own in texts.said.values():
        for n, one in own.items():
            for variant in (one.text, one.less):
                if variant is not None:
                    found.setdefault(variant, found[asked[n]])
    return found


def _with_names(
    scores: Floats, said: Mapping[int, ScopeText], spelt: Ints, index: Mapping[str, int], threshold: float
) -> Floats:
    """(N,) scores of texts, from the scores of what a scope's classifier reads of them.

    A text with somebody else's name has less, one with a name that is in scope in any context has more.
    """
    found = scores[spelt]
    for n, one in said.items():
        if one.less is not None:
            found[n] = min(found[n], scores[index[one.less]] if squash(one.less) else 0.0)
        if one.named:  # always above the threshold, and still in the order of the scores
            bar = log_odds(threshold)
            above = np.logaddexp(0.0, log_odds(float(found[n])) + CERTAIN - bar)
            found[n] = 1.0 / (1.0 + math.exp(-min(max(bar, -30.0) + float(above), 30.0)))
            found[n] = max(found[n], np.float32(threshold))
    return np.asarray(found)


def _covering(exemptions: Exemptions, features: Features, asked: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """(N,) index of the exempt example that covers the text, where that is asked; else -1."""
    found = np.full(len(features), -1, dtype=np.int64)
    if asked.any():
        found[asked] = exemptions.covering(features.take(np.flatnonzero(asked)).vectors)
    return found


def _less(scores: Floats, penalties: npt.NDArray[np.float64]) -> Floats:
    """Probabilities, with less log-odds where a penalty is above 0."""
    if not penalties.any():
        return scores
    likely = scores.astype(np.float64)
    less = likely / (likely + (1.0 - likely) * np.exp(penalties))
    return np.asarray(np.where(penalties > 0, less, likely), dtype=np.float32)
