"""Fit a prompt classifier and calibrate its threshold on prompts that it was not fitted on. Needs no language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unlearned.artifact.mistakes import mistakes_of
from unlearned.classify.base import Floats, PromptClassifier, TextEncoder, as_saved, config_of
from unlearned.classify.cached_encoder import CachedEncoder
from unlearned.classify.exemptions import Exemptions
from unlearned.classify.kernel import KernelClassifier
from unlearned.classify.lexicon import Lexicon
from unlearned.classify.normalize import normalize
from unlearned.classify.sentences import sentence_encoder
from unlearned.errors import ConfigError, DataError, FitError
from unlearned.examples import Row, background_prompts
from unlearned.learn.background import background_vectors
from unlearned.learn.calibration import Calibration, calibrate, texts_sha256
from unlearned.learn.config import ClassifierConfig
from unlearned.learn.cross_fitting import CrossFitted, cross_fitted
from unlearned.learn.first_bar import first_bar
from unlearned.learn.held_out import FOLDS, Texts, folds_of, peaks, penalty_on_short_texts
from unlearned.learn.scope_names import lexicon_of
from unlearned.progress import Progress
from unlearned.substitution.spelling import TOKEN, names_in
from unlearned.words import squash


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
    lexicon = lexicon_of(texts.forget, texts.retain, config.names)
    report("classifier", 0, FOLDS + 1)
    if config.classifier == "encoder":
        fitted = CrossFitted(*_sequence_classifier(texts, config, lexicon, report), {}, {})
    else:
        encoder = CachedEncoder(sentence_encoder(config.encoder))
        if config.background:
            encoder.known |= background_vectors(encoder.inner)
        fitted = cross_fitted(
            texts,
            config.classifier,
            config.settings,
            encoder,
            report,
            misspellings=config.misspellings,
            lexicon=lexicon,
        )
    classifier, scores = fitted.classifier, fitted.scores
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
    pairs = [(text, float(score)) for text, score in zip([*texts.forget, *texts.negatives], scores, strict=True)]
    groups = (range(n), range(n, n + r), range(n + r, len(pairs)))
    forgotten, close, general = ([pairs[i] for i in group if seen[i]] for group in groups)
    mistakes = mistakes_of(forgotten, close, general, calibration.threshold)
    missed = {
        kind: (int((own < calibration.threshold).sum()), len(own))
        for kind, own in fitted.spelt.items()
        if len(texts.forget) > 1
    }
    first = first_bar(texts, fitted.of_others, folds_of(texts), calibration.threshold)
    if first is not None and isinstance(classifier, KernelClassifier):
        classifier = classifier.with_bar(first.bar)
    return classifier, replace(
        calibration, mistakes=mistakes, short_penalty=fitted.short_penalty, spellings=missed, first_pass=first
    )


def scope_lexicon(forget: Sequence[Row], retain: Sequence[Row], config: ClassifierConfig) -> Lexicon:
    """The names and rare words of a scope; `fit_classifier` calibrates with the same."""
    return lexicon_of(_distinct(forget), _distinct(retain), config.names)


def exemptions(exempt: Sequence[Row], forget: Sequence[Row], encoder: TextEncoder) -> Exemptions | None:
    """The "not this one" examples of a scope; None without any.

    Raises:
        ConfigError: the classifier's encoder gives no vectors that could be compared.
        DataError: a prompt is both exempt and to be forgotten, or says nothing but a name of the scope.
    """
    texts, forget_texts = _distinct(exempt), _distinct(forget)
    if not texts:
        return None
    _refuse_both(forget_texts, texts, "exempt")
    examples = encoder.encode(texts)
    if examples.shape[1] < 2:
        raise ConfigError(f"{encoder.name!r} is a classifier, not a sentence encoder: it cannot compare exemptions.")
    of_scope = {squash(name) for name in names_in(forget_texts)}
    said: dict[int, str] = {}  # of these texts, by index, the names that they share with the scope
    for n, text in enumerate(texts):
        words = [token.group() for token in TOKEN.finditer(text)]
        shared = [word for word in words if squash(word) in of_scope]
        if shared and len(shared) == len(words):
            raise DataError(
                f"The exempt prompt {text!r} says nothing but a name of the scope. Say whom you mean by it."
            )
        if shared:
            said[n] = " ".join(shared)
    names = np.zeros_like(examples)
    if said:
        names[list(said)] = encoder.encode(list(said.values()))
    return Exemptions(*map(as_saved, (examples, encoder.encode(forget_texts), names)))


def _texts(forget: Sequence[Row], retain: Sequence[Row], config: ClassifierConfig) -> Texts:
    forget_texts, retain_texts = _distinct(forget), _distinct(retain)
    if not forget_texts:
        raise FitError("There is no forget prompt. Give at least one; forty or more detect better.")
    _refuse_both(forget_texts, retain_texts, "retained")
    taken = {*forget_texts, *retain_texts}
    background = map(normalize, background_prompts()) if config.background else []
    texts = Texts(forget_texts, retain_texts, [text for text in dict.fromkeys(background) if text not in taken])
    if not texts.negatives:
        raise FitError("There are no retain prompts and the background is off: everything would be in scope.")
    return texts


def _distinct(rows: Sequence[Row]) -> list[str]:
    """The prompts as detection reads them; one of invisible characters reads as nothing and is left out."""
    return [text for text in dict.fromkeys(normalize(row.prompt) for row in rows) if text.strip()]


def _refuse_both(forget: list[str], others: list[str], what: str) -> None:
    if both := set(forget) & set(others):
        raise DataError(
            f"{len(both)} prompts are to be both forgotten and {what}, for example {min(both)!r}. Choose one."
        )


def _sequence_classifier(
    texts: Texts, config: ClassifierConfig, lexicon: Lexicon, report: Progress
) -> tuple[PromptClassifier, Floats, float]:
    from unlearned.classify.sequence import SequenceClassifier, sequence_encoder
    from unlearned.learn.train_encoder import EncoderTraining, train_encoder

    everything = [*texts.forget, *texts.negatives]
    held_out = np.ones(len(everything), dtype=np.bool_)
    if config.ready is not None:
        classifier = SequenceClassifier(sequence_encoder(config.ready))
    else:
        held_out = folds_of(texts) == 0
        is_forget = np.arange(len(everything)) < len(texts.forget)
        classifier = train_encoder(
            [everything[i] for i in np.flatnonzero(~held_out & is_forget)],
            [everything[i] for i in np.flatnonzero(~held_out & ~is_forget)],
            config_of(EncoderTraining, {"model": config.encoder, **config.settings}),
            config.checkpoints,
            report,
        )
    scores = np.full(len(everything), np.nan, dtype=np.float32)
    unseen = np.flatnonzero(held_out[: len(texts.forget)])
    penalty = penalty_on_short_texts(texts.forget, [(classifier, unseen)])
    scores[held_out] = peaks([everything[i] for i in np.flatnonzero(held_out)], classifier, penalty, lexicon)
    return classifier, scores, penalty
