"""Fit a prompt classifier and calibrate its threshold on prompts that it was not fitted on. Needs no language model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from unlearned.classify.base import (
    EnrollingClassifier,
    Exemptions,
    Features,
    Floats,
    Policy,
    PromptClassifier,
    TextEncoder,
    classifiers,
    config_of,
)
from unlearned.classify.detect import detect
from unlearned.classify.ngrams import squash
from unlearned.classify.reading import normalise
from unlearned.classify.remembering import RememberingEncoder
from unlearned.classify.sentences import SentenceEncoder, sentence_encoder
from unlearned.classify.windows import clauses, runs
from unlearned.embedded import MINILM
from unlearned.errors import ConfigError, DataError, FitError
from unlearned.examples import Row, background_prompts
from unlearned.learn.background import background_vectors
from unlearned.learn.calibration import METHODS, Calibration, calibrate, texts_sha256
from unlearned.learn.misspelling import misspelt
from unlearned.learn.names import packaged_words
from unlearned.learn.whole_names import lone_words, short_forms, short_penalty
from unlearned.progress import Progress
from unlearned.stages import text_only

FOLDS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierConfig:
    """How to recognise a scope."""

    classifier: str = "kernel"
    """Kind of classifier: kernel, neighbours, logistic, encoder, or one registered by the user."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of that kind's own config."""

    encoder: str = MINILM
    """Frozen sentence encoder of the classifier: hub id or folder."""

    ready: str | None = None
    """Kind "encoder": a fine-tuned sequence classifier (hub id or folder; LABEL_1 = forget) that is used as it is."""

    checkpoints: Path | None = None
    """Folder that keeps an unfinished fit (for kind "encoder", its training), which then goes on; None = none."""

    misspellings: bool = True
    """Enrol misspelt copies, too; kinds over a frozen encoder."""

    background: bool = True
    """Add the packaged general prompts to the negatives."""

    calibration: str = "errors"
    """How the threshold is chosen: errors, fpr or conformal; see `learn.calibration`."""

    max_fpr: float = 0.005
    """Bound on the share of general prompts (method "fpr": of all negatives) that are flagged in calibration."""

    alpha: float = 0.05
    """Level of the conformal method."""

    other_languages: Policy = "pass"
    """What to do with passages in a language that the encoder does not read; they are noted in the verdict anyway."""

    def __post_init__(self) -> None:
        classifiers.get(self.classifier)
        if self.calibration not in METHODS:
            raise ConfigError(f"calibration={self.calibration!r}: must be one of {', '.join(METHODS)}.")
        if not 0 <= self.max_fpr <= 1:
            raise ConfigError(f"max_fpr={self.max_fpr}: a rate lies in 0..1. Use, for example, 0.005.")
        if not 0 < self.alpha < 1:
            raise ConfigError(f"alpha={self.alpha}: must lie between 0 and 1. Use, for example, 0.05.")
        if self.other_languages not in ("pass", "corrupt"):
            raise ConfigError(f"other_languages={self.other_languages!r}: must be 'pass' or 'corrupt'.")
        if self.ready is not None and self.classifier != "encoder":
            raise ConfigError(f"ready={self.ready!r} is a sequence classifier. Choose classifier='encoder' with it.")


@dataclass(frozen=True, slots=True)
class Texts:
    """Distinct prompts as detection reads them."""

    forget: list[str]
    retain: list[str]
    background: list[str]

    @property
    def negatives(self) -> list[str]:
        return self.retain + self.background


def fit_classifier(
    forget: Sequence[Row], retain: Sequence[Row], config: ClassifierConfig, report: Progress
) -> tuple[PromptClassifier, Calibration]:
    """Fit on all examples; calibrate on scores of prompts that the scoring classifier had not seen.

    Kinds over a frozen encoder are cross-fitted: each fifth of the prompts is scored by a classifier of the other four
    fifths. A sequence classifier, which takes long to train, is trained on four fifths and calibrated on the last one;
    a ready one has seen none of them.

    Raises:
        DataError: a prompt is in both sets.
        FitError: there is nothing to learn from.
    """
    texts = _texts(forget, retain, config)
    report("classifier", 0, FOLDS + 1)
    if config.classifier == "encoder":
        classifier, scores, penalty = _sequence_classifier(texts, config, report)
    else:
        classifier, scores, penalty = _enrolled(texts, config, report)
    n, r = len(texts.forget), len(texts.retain)
    seen = ~np.isnan(scores)
    calibration = calibrate(
        scores[:n][seen[:n]],
        scores[n : n + r][seen[n : n + r]],
        scores[n + r :][seen[n + r :]],
        data_sha256=texts_sha256(np.array([*texts.forget, *texts.negatives], dtype=object)[seen]),
        method=config.calibration,
        max_fpr=config.max_fpr,
        alpha=config.alpha,
        least_threshold=classifier.least_threshold,
    )
    report("classifier", FOLDS + 1, FOLDS + 1)
    return classifier, replace(calibration, short_penalty=penalty)


def exemptions(exempt: Sequence[Row], forget: Sequence[Row], encoder: TextEncoder) -> Exemptions | None:
    """The "not this one" examples of a scope; None without any.

    Raises:
        ConfigError: the classifier's encoder gives no vectors that could be compared.
        DataError: a prompt is both exempt and to be forgotten.
    """
    texts, forget_texts = _distinct(exempt), _distinct(forget)
    if not texts:
        return None
    _refuse_both(forget_texts, texts, "exempt")
    examples = encoder.encode(texts)
    if examples.shape[1] < 2:
        raise ConfigError(f"{encoder.name!r} is a classifier, not a sentence encoder: it cannot compare exemptions.")
    of_scope = encoder.encode(forget_texts)
    # As they are saved, so that a loaded artifact decides alike.
    return Exemptions(*(vectors.astype(np.float16).astype(np.float32) for vectors in (examples, of_scope)))


def _texts(forget: Sequence[Row], retain: Sequence[Row], config: ClassifierConfig) -> Texts:
    forget_texts, retain_texts = _distinct(forget), _distinct(retain)
    if not forget_texts:
        raise FitError("There is no forget prompt. Give at least one; forty or more detect better.")
    _refuse_both(forget_texts, retain_texts, "retained")
    taken = {*forget_texts, *retain_texts}
    background = map(normalise, background_prompts()) if config.background else []
    texts = Texts(forget_texts, retain_texts, [text for text in dict.fromkeys(background) if text not in taken])
    if not texts.negatives:
        raise FitError("There are no retain prompts and the background is off: everything would be in scope.")
    return texts


def _distinct(rows: Sequence[Row]) -> list[str]:
    """The prompts as detection reads them; one of invisible characters reads as nothing and is left out."""
    return [text for text in dict.fromkeys(normalise(row.prompt) for row in rows) if text.strip()]


def _refuse_both(forget: list[str], others: list[str], what: str) -> None:
    if both := set(forget) & set(others):
        raise DataError(
            f"{len(both)} prompts are to be both forgotten and {what}, for example {min(both)!r}. Choose one."
        )


def _enrolled(texts: Texts, config: ClassifierConfig, report: Progress) -> tuple[PromptClassifier, Floats, float]:
    """The classifier of all prompts, their scores by classifiers that had not seen them, and the penalty in these."""
    kind = cast(type[EnrollingClassifier], classifiers.get(config.classifier))
    encoder = RememberingEncoder(sentence_encoder(config.encoder))
    if config.background:
        encoder.known |= background_vectors(encoder.inner)
    everything = [*texts.forget, *texts.negatives]
    is_forget = np.arange(len(everything)) < len(texts.forget)
    sources = _misspelling_sources(texts) if config.misspellings else np.zeros(0, dtype=np.int64)
    # What detection will see of a prompt is what is enrolled of it: of a long one, its windows.
    pieces = [[text[s:e] for s, e in runs(text, 0, len(text))] for text in everything]
    copies = [misspelt(pieces[i]) for i in sources]
    folds = _folds(texts)
    owners, common = _common_clauses(everything, is_forget, folds)
    one_of_each_fold = [int(np.flatnonzero(~is_forget & (folds == fold))[0]) for fold in np.unique(folds[~is_forget])]
    for word in lone_words(texts.forget, _is_common(encoder.inner)):
        owners += one_of_each_fold
        common += [word] * len(one_of_each_fold)
    parts = [*pieces, *copies, *([text] for text in common)]
    features = Features.of([piece for own in parts for piece in own], encoder)
    behind = np.concatenate([np.arange(len(everything)), sources, np.array(owners, dtype=np.int64)])
    origin = np.repeat(behind, [len(own) for own in parts])  # the prompt behind each example

    def enrol(from_prompts: npt.NDArray[np.bool_], encoder: TextEncoder) -> PromptClassifier:
        used = from_prompts[origin]
        forget = np.flatnonzero(used & is_forget[origin])
        others = np.flatnonzero(used & ~is_forget[origin])
        return kind.enrol(encoder, features.take(forget), features.take(others), config.settings)

    of_others = {}
    for fold in range(FOLDS):
        report("classifier", fold, FOLDS + 1)
        own, rest = folds == fold, folds != fold
        if own.any() and (rest & is_forget).any() and (rest & ~is_forget).any():
            of_others[fold] = enrol(rest, encoder)
    penalty = _short_penalty(texts.forget, {i: c for i in range(len(texts.forget)) if (c := of_others.get(folds[i]))})
    scores = np.full(len(everything), np.nan, dtype=np.float32)
    for fold, classifier in of_others.items():
        own = folds == fold
        scores[own] = _peaks([everything[i] for i in np.flatnonzero(own)], classifier, penalty)
    alone = scores[: len(texts.forget)]
    alone[np.isnan(alone)] = 0.0  # a single forget example: without it there is no classifier
    report("classifier", FOLDS, FOLDS + 1)
    return enrol(np.ones(len(everything), dtype=np.bool_), encoder.inner), scores, penalty


def _short_penalty(forget: Sequence[str], unseen_by: Mapping[int, PromptClassifier]) -> float:
    """The scope's penalty on short texts, from those about forget prompts (by index) that a classifier has not seen."""
    forms = [form for form in short_forms(forget) if form.prompt in unseen_by]
    scores = np.zeros(len(forms), dtype=np.float32)
    for classifier in dict.fromkeys(unseen_by.values()):
        own = [n for n, form in enumerate(forms) if unseen_by[form.prompt] is classifier]
        if own:
            features = Features.of([normalise(forms[n].text) for n in own], classifier.encoder)
            scores[own] = classifier.score(features)
    return short_penalty(forms, scores)


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


def _sequence_classifier(
    texts: Texts, config: ClassifierConfig, report: Progress
) -> tuple[PromptClassifier, Floats, float]:
    from unlearned.classify.sequence import SequenceClassifier, sequence_encoder
    from unlearned.learn.train_encoder import EncoderTraining, train_encoder

    everything = [*texts.forget, *texts.negatives]
    held_out = np.ones(len(everything), dtype=np.bool_)
    if config.ready is not None:
        classifier = SequenceClassifier(sequence_encoder(config.ready))
    else:
        held_out = _folds(texts) == 0
        is_forget = np.arange(len(everything)) < len(texts.forget)
        classifier = train_encoder(
            [everything[i] for i in np.flatnonzero(~held_out & is_forget)],
            [everything[i] for i in np.flatnonzero(~held_out & ~is_forget)],
            config_of(EncoderTraining, {"model": config.encoder, **config.settings}),
            config.checkpoints,
            report,
        )
    scores = np.full(len(everything), np.nan, dtype=np.float32)
    penalty = _short_penalty(texts.forget, dict.fromkeys(np.flatnonzero(held_out[: len(texts.forget)]), classifier))
    scores[held_out] = _peaks([everything[i] for i in np.flatnonzero(held_out)], classifier, penalty)
    return classifier, scores, penalty


def _folds(texts: Texts) -> npt.NDArray[np.int64]:
    """A fold for every text: each of the three sets is dealt out evenly, in a fixed order."""
    folds = []
    for group in (texts.forget, texts.retain, texts.background):
        order = np.random.default_rng(0).permutation(len(group))
        folds.append(order % FOLDS)
    return np.concatenate(folds)


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """A classifier on trial, as a scope that flags whatever could be flagged."""

    classifier: PromptClassifier
    short_penalty: float
    name: str = "candidate"
    exemptions: Exemptions | None = None
    other_languages: Policy = "pass"

    @property
    def threshold(self) -> float:
        return self.classifier.least_threshold


def _peaks(texts: list[str], classifier: PromptClassifier, penalty: float) -> Floats:
    """Per prompt the highest p(forget | window), as in detection."""
    verdicts = detect([text_only(text) for text in texts], [_Candidate(classifier, penalty)])
    return np.array([verdict.score for verdict in verdicts], dtype=np.float32)
