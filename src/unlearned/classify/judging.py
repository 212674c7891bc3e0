"""Texts meet classifiers, and nowhere else: what every scope says of every piece of a prompt."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import Features, Floats, TextEncoder
from unlearned.classify.exemptions import Exemptions
from unlearned.classify.lexicon import CERTAIN, Said
from unlearned.classify.reading import Reading
from unlearned.classify.remembering import RememberingEncoder
from unlearned.classify.scope import Scope
from unlearned.classify.scope_set import ScopeSet
from unlearned.classify.spelling import Ints
from unlearned.classify.windows import Place
from unlearned.errors import DetectionError
from unlearned.words import squash

SUSPICIOUS = 0.2
"""Share of the threshold from which a clause is looked at in parts: among others a forget question scores less."""

NEARLY_AS_GOOD = 0.75
"""Of the parts of a clause the longest is taken whose log-odds are within this of the best one's."""

SHORT = 30
"""Bytes of a text that says little more than a name."""


def is_short(text: str) -> bool:
    """Whether a scope's `short_penalty` holds for the text."""
    return len(text.encode("utf-8", "surrogatepass")) <= SHORT


def short_threshold(threshold: float, penalty: float) -> float:
    """The p(forget | text), before the penalty, from which a short text is in scope."""
    return threshold / (threshold + (1.0 - threshold) * math.exp(-penalty))


def log_odds(score: float) -> float:
    """Of p(forget | text); minus infinity for 0, and finite for 1."""
    return (math.log(score) if score > 0 else -math.inf) - math.log1p(-min(score, 1 - 1e-12))


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One text to classify."""

    prompt: int
    """Index of the prompt it is from."""

    text: str
    place: Place
    """What of the prompt is in scope if this text is."""

    clause: tuple[Reading, Place] | None = None
    """Where it can be cut further: in this reading."""

    follow_up: str | None = None
    """Of a clause that is read with what it refers to: the clause alone."""

    scope: str | None = None
    """The only scope that judges it; None: all of them do."""


Claim = tuple[Look, float]
"""What a scope takes for its own, and p(forget)."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Looks, and what the scopes say of them."""

    looks: Sequence[Look]
    scores: Floats
    """(S, N) p(forget | text) of every look under every scope."""

    spared: npt.NDArray[np.bool_]
    """(S, N) whether the scope does not mean it all the same."""

    exempt: npt.NDArray[np.int64]
    """(S, N) index of the exempt example that covers what the scope would else claim; -1 = none."""

    thresholds: npt.NDArray[np.float64]
    """(S,)"""

    @property
    def suspicious(self) -> npt.NDArray[np.bool_]:
        """(S, N)"""
        return np.asarray(self.scores >= SUSPICIOUS * self.thresholds[:, None])

    def claiming(self, columns: range) -> list[int]:
        """The scopes that any of these looks is in."""
        reached = self.scores[:, columns.start : columns.stop] >= self.thresholds[:, None]
        return [int(s) for s in np.flatnonzero(reached.any(axis=1))]

    def best(self, scope: int, columns: range) -> list[Claim]:
        """Which of these parts of a clause are in scope: the best one, then what is left beside it, if that is."""
        scores = dict(zip(columns, self.scores[scope, columns.start : columns.stop].astype(np.float64), strict=True))
        open_ = [n for n in columns if scores[n] >= self.thresholds[scope] and not self.spared[scope, n]]
        odds = {n: log_odds(float(scores[n])) for n in open_}
        chosen = []
        while open_:
            limit = max(odds[n] for n in open_) - NEARLY_AS_GOOD
            best = max((n for n in open_ if odds[n] >= limit), key=lambda n: (self._length(n), odds[n]))
            chosen.append(best)
            start, end = self.looks[best].place
            open_ = [n for n in open_ if self.looks[n].place[1] <= start or self.looks[n].place[0] >= end]
        return [(self.looks[n], float(self.scores[scope, n])) for n in chosen]

    def _length(self, n: int) -> int:
        start, end = self.looks[n].place
        return end - start


def judge(
    looks: Sequence[Look],
    scopes: ScopeSet,
    encoders: Mapping[int, RememberingEncoder],
    owners: Sequence[str],
) -> Judged:
    """Score every look under every scope, short texts less.

    Args:
        looks: N of them.
        scopes: S of them.
        encoders: by the `id` of the scopes' encoders.
        owners: who asks each prompt.

    Raises:
        DetectionError: a classifier failed or gave something that is no probability.
    """
    judges = _judges(looks, scopes)
    exempt = np.full(judges.shape, -1, dtype=np.int64)
    judged = Judged(looks, np.zeros(judges.shape, dtype=np.float32), ~judges, exempt, scopes.thresholds)
    if not looks:
        return judged
    alone = [look.follow_up for look in looks if look.follow_up is not None]
    following = np.flatnonzero([look.follow_up is not None for look in looks])
    place = {text: n for n, text in enumerate(dict.fromkeys([*(look.text for look in looks), *alone]))}
    texts = list(place)
    order = np.array([place[look.text] for look in looks], dtype=np.int64)
    short = np.fromiter(map(is_short, texts), dtype=np.bool_, count=len(texts))
    said = scopes.said(texts)
    _add(place, (variant for own in said.values() for one in own.values() for variant in (one.text, one.less)))
    whose = _whose(looks, texts, said, owners)
    for encoder, rows in scopes.by_encoder:
        encoders[id(encoder)].owners |= whose
        features = Features.of(list(place), encoders[id(encoder)])  # worked out once for all scopes with the encoder
        together = _together(features, scopes, encoder)
        if together:
            own = np.stack(list(together.values()))[:, : len(texts)]
            judged.scores[list(together)] = _less(own, short * scopes.penalties[list(together), None])[:, order]
        reached = (judged.scores.max(axis=1) >= scopes.thresholds).tolist()
        for row in (n for n in rows.tolist() if n in said or n not in together or reached[n]):
            scope, own_words = scopes[row], said.get(row, {})
            spelt = np.arange(len(texts))
            spelt[list(own_words)] = [place[one.text] for one in own_words.values()]
            try:
                if row not in together:
                    together[row] = _alone(features, scope, _read(spelt, own_words, place))
                found = _with_names(together[row], own_words, spelt, place, scope.threshold)
                named = [n for n, one in own_words.items() if one.named]
                found = _less(found, np.where(np.isin(np.arange(len(texts)), named), 0.0, short * scope.short_penalty))
                judged.scores[row] = found[order]
                if scope.exemptions is not None:
                    covering = _covering(scope.exemptions, features.take(spelt), found >= scope.threshold)[order]
                    exempt[row] = np.where(judges[row], covering, -1)
                    judged.spared[row] |= covering >= 0
                if scope.matters is not None and judges[row, following].any():
                    asking = features.take(np.array([place[text] for text in alone], dtype=np.int64))
                    judged.spared[row, following] |= ~scope.matters.hold(asking.vectors)
            except DetectionError:
                raise
            except Exception as error:
                raise failed(scope, error) from error
    judged.scores[~judges] = 0.0
    return judged


def failed(scope: Scope, error: Exception) -> DetectionError:
    """Whatever a classifier or encoder may raise: nothing unchecked reaches the model."""
    return DetectionError(f"Detection for the scope {scope.name!r} failed: {error!r}. Nothing was generated.")


def _judges(looks: Sequence[Look], scopes: ScopeSet) -> npt.NDArray[np.bool_]:
    """(S, N) whether the scope judges the look."""
    found = np.zeros((len(scopes), len(looks)), dtype=np.bool_)
    found[:, [n for n, look in enumerate(looks) if look.scope is None]] = True
    for n, look in enumerate(looks):
        if look.scope is not None:
            found[scopes.named(look.scope), n] = True
    return found


def _add(place: dict[str, int], texts: Iterable[str | None]) -> None:
    """Give every text that has none the next place."""
    for text in texts:
        if text is not None:
            place.setdefault(text, len(place))


def _read(spelt: Ints, said: Mapping[int, Said], place: Mapping[str, int]) -> Ints:
    """The texts that a scope reads: its spellings, and those without somebody else's name."""
    less = [place[one.less] for one in said.values() if one.less is not None]
    return np.union1d(spelt, np.array(less, dtype=np.int64))


def _together(features: Features, scopes: ScopeSet, encoder: TextEncoder) -> dict[int, Floats]:
    """Scope -> (N,) p(forget | text), of those that are asked together."""
    found: dict[int, Floats] = {}
    for rows, joint in scopes.joint(encoder):
        try:
            scores = joint.scores(features)
        except Exception as error:
            raise failed(scopes[int(rows[0])], error) from error
        if not ((scores >= 0) & (scores <= 1)).all():
            raise DetectionError("A classifier gave values that are not in [0, 1]. Nothing was generated.")
        found |= zip(rows.tolist(), scores, strict=True)
    return found


def _alone(features: Features, scope: Scope, read: Ints) -> Floats:
    """(N,) p(forget | text) of the texts that the scope reads; 0 of others.

    Raises:
        DetectionError: they are no probabilities.
    """
    found = np.zeros(len(features), dtype=np.float32)
    scores = np.asarray(scope.classifier.score(features.take(read)), dtype=np.float32)
    if scores.shape != (len(read),) or not ((scores >= 0) & (scores <= 1)).all():
        raise DetectionError(
            f"The classifier of the scope {scope.name!r} gave {scores.shape} values, not all of them in [0, 1], "
            f"for {len(read)} texts. Nothing was generated."
        )
    found[read] = scores
    return found


def _whose(
    looks: Sequence[Look], texts: Sequence[str], said: Mapping[int, Mapping[int, Said]], owners: Sequence[str]
) -> dict[str, str]:
    """Text that is encoded -> who asks it; empty where nobody is known."""
    if not any(owners):
        return {}
    found: dict[str, str] = {}
    for look in looks:
        for text in (look.text, look.follow_up):
            if text is not None:
                found.setdefault(text, owners[look.prompt])
    for own in said.values():
        for n, one in own.items():
            for variant in (one.text, one.less):
                if variant is not None:
                    found.setdefault(variant, found[texts[n]])
    return found


def _with_names(
    scores: Floats, said: Mapping[int, Said], spelt: Ints, place: Mapping[str, int], threshold: float
) -> Floats:
    """(N,) scores of texts, from those of what they say: less where it is somebody else's name, more where it is one
    that is in scope in any context."""
    found = scores[spelt]
    for n, one in said.items():
        if one.less is not None:
            found[n] = min(found[n], scores[place[one.less]] if squash(one.less) else 0.0)
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
