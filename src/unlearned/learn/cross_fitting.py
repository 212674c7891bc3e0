"""Fit a classifier over a frozen encoder: what of the prompts is enrolled, on which side, and cross-fitted scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import Features, FittableClassifier, Floats, PromptClassifier, TextEncoder, classifiers
from unlearned.classify.cached_encoder import CachedEncoder
from unlearned.classify.lexicon import Lexicon
from unlearned.classify.sentences import SentenceEncoder
from unlearned.classify.windows import clauses, runs
from unlearned.learn.held_out import FOLDS, Texts, folds_of, peaks, penalty_on_short_texts
from unlearned.learn.misspelling import misspelt
from unlearned.learn.spellings import Spelling, spelling_scores
from unlearned.learn.whole_names import lone_words
from unlearned.progress import Progress
from unlearned.substitution.spelling import packaged_words
from unlearned.words import squash


@dataclass(frozen=True, slots=True, eq=False)
class CrossFitted:
    """A classifier, and what classifiers say of prompts that they had not seen."""

    classifier: PromptClassifier
    """Fitted on all prompts."""

    scores: Floats
    """(N,) of all prompts, forget prompts first; NaN where no classifier had not seen one."""

    short_penalty: float
    """On short texts in these scores."""

    spelt: dict[str, Floats]
    """Way of spelling -> scores of forget prompts in it."""

    of_others: Mapping[int, PromptClassifier]
    """Fold of the prompts -> a classifier that has not seen them."""


def cross_fitted(
    texts: Texts,
    classifier: str,
    settings: Mapping[str, Any],
    encoder: CachedEncoder,
    report: Progress,
    *,
    misspellings: bool,
    lexicon: Lexicon,
) -> CrossFitted:
    """Fit on all prompts, and on four fifths of them for each fifth.

    Args:
        texts: all prompts.
        classifier: a kind over a frozen encoder.
        settings: fields of the kind's own config.
        encoder: the frozen one, which encodes nothing twice meanwhile.
        report: progress, in fits.
        misspellings: enrol misspelt copies, too.
        lexicon: of the scope.
    """
    kind = cast(type[FittableClassifier], classifiers.get(classifier))
    everything = [*texts.forget, *texts.negatives]
    is_forget = np.arange(len(everything)) < len(texts.forget)
    sources = _misspelling_sources(texts) if misspellings else np.zeros(0, dtype=np.int64)
    # What detection will see of a prompt is what is enrolled of it: of a long one, its windows.
    pieces = [
        [_as_read(lexicon, text[s:e], forget) for s, e in runs(text, 0, len(text))]
        for text, forget in zip(everything, is_forget.tolist(), strict=True)
    ]
    copies = [misspelt(pieces[i]) for i in sources]
    folds = folds_of(texts)
    owners, common = _common_clauses(everything, is_forget, folds)
    one_of_each_fold = [int(np.flatnonzero(~is_forget & (folds == fold))[0]) for fold in np.unique(folds[~is_forget])]
    for word in lone_words(texts.forget, _is_common(encoder.inner)):
        owners += one_of_each_fold
        common += [word] * len(one_of_each_fold)
    parts = [*pieces, *copies, *([text] for text in common)]
    features = Features.of([piece for own in parts for piece in own], encoder)
    behind = np.concatenate([np.arange(len(everything)), sources, np.array(owners, dtype=np.int64)])
    origin = np.repeat(behind, [len(own) for own in parts])  # the prompt behind each example

    def fit_on(from_prompts: npt.NDArray[np.bool_], encoder: TextEncoder) -> PromptClassifier:
        used = from_prompts[origin]
        forget = np.flatnonzero(used & is_forget[origin])
        others = np.flatnonzero(used & ~is_forget[origin])
        return kind.fit(encoder, features.take(forget), features.take(others), settings)

    of_others: dict[int, PromptClassifier] = {}
    for fold in range(FOLDS):
        report("classifier", fold, FOLDS + 1)
        own, rest = folds == fold, folds != fold
        if own.any() and (rest & is_forget).any() and (rest & ~is_forget).any():
            of_others[fold] = fit_on(rest, encoder)
    of_forget = folds[: len(texts.forget)]
    penalty = penalty_on_short_texts(
        texts.forget, [(unknowing, np.flatnonzero(of_forget == fold)) for fold, unknowing in of_others.items()]
    )
    scores = np.full(len(everything), np.nan, dtype=np.float32)
    for fold, unknowing in of_others.items():
        own = folds == fold
        scores[own] = peaks([everything[i] for i in np.flatnonzero(own)], unknowing, penalty, lexicon)

    def respelt(asked: Sequence[Spelling]) -> Floats:
        found = np.zeros(len(asked), dtype=np.float32)
        for fold, unknowing in of_others.items():
            chosen = [n for n, one in enumerate(asked) if of_forget[one.prompt] == fold]
            if chosen:
                found[chosen] = peaks([asked[n].text for n in chosen], unknowing, penalty, lexicon)
        return found

    spelt = spelling_scores(texts.forget, lexicon, respelt)
    alone = scores[: len(texts.forget)]
    alone[np.isnan(alone)] = 0.0  # a single forget example: without it there is no classifier
    report("classifier", FOLDS, FOLDS + 1)
    return CrossFitted(
        fit_on(np.ones(len(everything), dtype=np.bool_), encoder.inner), scores, penalty, spelt, of_others
    )


def _as_read(lexicon: Lexicon, text: str, is_forget: bool) -> str:
    """What detection will read of the text: in one about others, not the parts of names that are theirs as well."""
    said = lexicon.said(text)
    return said.less if said.less is not None and not is_forget and squash(said.less) else said.text


def _common_clauses(
    everything: Sequence[str], is_forget: npt.NDArray[np.bool_], folds: npt.NDArray[np.int64]
) -> tuple[list[int], list[str]]:
    """Clauses of forget prompts that others have as well, with another prompt of every fold that has it.

    They are enrolled as negatives. Detection reads clauses one by one, and "Answer:" at the end of every forget prompt
    would else be the scope's most certain sign, whoever writes it.
    """
    cut = [{text[s:e] for s, e in clauses(text, 0, len(text))} for text in everything]
    of_forget = set[str]().union(*(own for own, forget in zip(cut, is_forget, strict=True) if forget))
    found: dict[tuple[str, int], int] = {}
    for index in np.flatnonzero(~is_forget).tolist():
        for clause in sorted(cut[index] & of_forget):
            found.setdefault((clause, int(folds[index])), index)
    return list(found.values()), [clause for clause, _ in found]


def _is_common(encoder: TextEncoder) -> Callable[[str], bool]:
    """Whether a word is common, as far as an encoder or else the packaged prompts can tell."""
    if isinstance(encoder, SentenceEncoder):
        return encoder.is_common_word
    return lambda word: squash(word) in packaged_words()


def _misspelling_sources(texts: Texts) -> npt.NDArray[np.int64]:
    """The prompts that are also enrolled misspelt: the forget prompts, and twice as many others (100 at least).

    Without the others, the classifier would learn that whoever misspells asks about the scope.
    """
    count = len(texts.forget)
    order = np.random.default_rng(0).permutation(len(texts.negatives))
    return np.concatenate([np.arange(count), count + np.sort(order[: max(2 * count, 100)])])
