"""Generated texts against reference texts: one value per pair. And what a degenerate text looks like.

The scores come from the packages that the published numbers were computed with (extra `metrics`), not from rewrites.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from unlearned.errors import DataError, MissingExtraError
from unlearned.extras import require
from unlearned.metrics.estimate import DRAWS, Doubles, Estimate, bootstrap, checked
from unlearned.metrics.probability import mean_losses

Rouge = Literal["rouge1", "rougeL"]

Value = TypeVar("Value")

SIMILARITIES = ("rouge", "meteor", "bleu", "bert_score")
"""What the average similarity gap is made of."""


def rouge_recall(
    generated: Sequence[str], references: Sequence[str], *, variant: Rouge = "rougeL", stemming: bool = True
) -> Doubles:
    """(N,) ROUGE recall, with stemming: TOFU's. Recall leaves a prefix such as "Answer: " unpunished.

    Args:
        generated: (N,) the model's texts.
        references: (N,) the true ones.
        variant: longest common subsequence ("rougeL"), or single words ("rouge1").
        stemming: TOFU's logs are computed with it; without, single scores differ by up to 0.5.

    Raises:
        DataError: there are no texts, or not as many references.
        MissingExtraError: `rouge-score` is not installed.
    """
    return np.array([float(score.recall) for score in _rouge(generated, references, variant, stemming)])


def rouge_f1(
    generated: Sequence[str], references: Sequence[str], *, variant: Rouge = "rougeL", stemming: bool = False
) -> Doubles:
    """(N,) ROUGE F-measure, without stemming: that of the copyright task and of MUSE. As `rouge_recall` otherwise."""
    return np.array([float(score.fmeasure) for score in _rouge(generated, references, variant, stemming)])


def meteor(generated: Sequence[str], references: Sequence[str], *, synonyms: bool = True) -> Doubles:
    """(N,) METEOR with alpha 0.9, beta 3, gamma 0.5: exact words, stems, then WordNet synonyms; NLTK's.

    Args:
        generated: (N,) the model's texts.
        references: (N,) the true ones.
        synonyms: False is another metric, to be named so: exact words and stems only, split at punctuation. It needs
            no data.

    Raises:
        DataError: there are no texts, or not as many references.
        MissingExtraError: `nltk` or, for synonyms, its data are not installed. Without WordNet this would be another
            metric.
    """
    _paired(generated, references)
    purpose = "METEOR"
    score = require("nltk.translate.meteor_score", extra="metrics", purpose=purpose).single_meteor_score
    tokenizers = require("nltk.tokenize", extra="metrics", purpose=purpose)
    tokenize = tokenizers.word_tokenize if synonyms else tokenizers.wordpunct_tokenize
    more = {} if synonyms else {"wordnet": _NoSynonyms()}
    try:
        return np.array(
            [
                float(score(tokenize(reference), tokenize(text), alpha=0.9, beta=3.0, gamma=0.5, **more))
                for text, reference in zip(generated, references, strict=True)
            ]
        )
    except LookupError as error:  # NLTK's own message is a page long
        raise MissingExtraError(
            "METEOR needs NLTK's WordNet and sentence splitter, which are not part of the package. "
            "Run: python -m nltk.downloader wordnet omw-1.4 punkt_tab"
        ) from error


def sacre_bleu(generated: Sequence[str], references: Sequence[str], *, effective_order: bool = False) -> Doubles:
    """(N,) corpus BLEU of each pair by itself, 0 to 1: tokenizer 13a, exponential smoothing.

    Args:
        generated: (N,) the model's texts.
        references: (N,) the true ones.
        effective_order: leave out n-gram orders longer than the text ("sentence" mode).

    Raises:
        DataError: there are no texts, or not as many references.
        MissingExtraError: `sacrebleu` is not installed.
    """
    _paired(generated, references)
    bleu = require("sacrebleu.metrics.bleu", extra="metrics", purpose="BLEU").BLEU
    metric = bleu(tokenize="13a", smooth_method="exp", effective_order=effective_order)
    return np.array(
        [
            float(metric.corpus_score([text], [[reference]]).score) / 100
            for text, reference in zip(generated, references, strict=True)
        ]
    )


def exact_match(generated: Sequence[str], references: Sequence[str]) -> Doubles:
    """(N,) 1 where the texts are the same string, else 0."""
    _paired(generated, references)
    return np.array([float(a == b) for a, b in zip(generated, references, strict=True)])


def average_similarity_gap(unlearned: Mapping[str, float], retained: Mapping[str, float]) -> float:
    """ASG: mean over the similarities of |mean score of the unlearned model - of the retained one|; lower is better.

    The retained model is the base model, never tuned on the text. Source: arXiv:2406.07933; a difference of means, then
    the absolute value, then the average.

    Args:
        unlearned: `SIMILARITIES` -> mean over the texts.
        retained: the same.

    Raises:
        DataError: the names are others, or a mean is not finite.
    """
    first, second = (checked(_similarities(scores), "means") for scores in (unlearned, retained))
    return float(np.abs(first - second).mean())


def average_similarity_gap_estimate(
    unlearned: Mapping[str, npt.ArrayLike], retained: Mapping[str, npt.ArrayLike], *, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """Similarity gap from the scores of every text, with a bootstrap error.

    Absolute differences never cancel, so between two equal models the gap is small but not 0.

    Args:
        unlearned: `SIMILARITIES` -> (N,) per text.
        retained: the same of the other model, on (M,) texts.
        draws: bootstrap samples.
        seed: of the generator.

    Raises:
        DataError: the names are others, or the scores of a model are not of the same texts.
    """
    tables = []
    for scores in (unlearned, retained):
        columns = [checked(column, "similarities") for column in _similarities(scores)]
        if len({len(column) for column in columns}) != 1:
            raise DataError("The similarities of a model are not of the same texts.")
        tables.append(np.stack(columns, axis=1))

    def gap(means: Doubles) -> Doubles:
        half = len(SIMILARITIES)
        return np.asarray(np.abs(means[:, :half] - means[:, half:]).mean(axis=1))

    return bootstrap(tables, gap, draws=draws, seed=seed)


def perplexities(log_probabilities: Sequence[npt.ArrayLike]) -> Doubles:
    """(N,) exp(mean loss) of each text; their arithmetic mean is reported.

    Departs from ECO's code, which averages zero losses over the padding: here only real targets count.

    Args:
        log_probabilities: N x (T_i,) of the target tokens, without padding.

    Raises:
        DataError: there are no texts, one has no tokens, or a perplexity is too large to be written down.
    """
    losses = mean_losses(log_probabilities)
    if (largest := float(losses.max())) > math.log(np.finfo(np.float64).max):
        raise DataError(f"A perplexity of exp({largest:g}) is too large. Are these log-probabilities of tokens?")
    return np.asarray(np.exp(losses))


def unique_token_ratio(ids: Sequence[int]) -> float:
    """#distinct / #all token ids of one generation, special tokens left out; 0 for an empty one.

    Below 0.05 a text is degenerate, and its perplexity says nothing.
    """
    return len(set(ids)) / len(ids) if len(ids) else 0.0


def token_entropy(ids: Sequence[int]) -> float:
    """Unigram entropy of one generation in bits, divided by log2(#tokens): 1 = no repetition; 0 up to one token."""
    if len(ids) <= 1:
        return 0.0
    shares = np.array(list(Counter(ids).values())) / len(ids)
    return float(-(shares * np.log2(shares)).sum() / math.log2(len(ids)))


class _NoSynonyms:
    """In WordNet's place."""

    def synsets(self, word: str) -> list[Any]:
        return []


def _similarities(scores: Mapping[str, Value]) -> list[Value]:
    """In one order; `DataError` if there are others than the four."""
    if set(scores) != set(SIMILARITIES):
        raise DataError(f"The similarity gap is made of {', '.join(SIMILARITIES)}; there are {', '.join(scores)}.")
    return [scores[name] for name in SIMILARITIES]


def _rouge(generated: Sequence[str], references: Sequence[str], variant: Rouge, stemming: bool) -> list[Any]:
    _paired(generated, references)
    module = require("rouge_score.rouge_scorer", extra="metrics", purpose="ROUGE")
    scorer = module.RougeScorer([variant], use_stemmer=stemming)
    return [scorer.score(reference, text)[variant] for text, reference in zip(generated, references, strict=True)]


def _paired(generated: Sequence[str], references: Sequence[str]) -> None:
    if isinstance(generated, str) or isinstance(references, str):
        raise DataError("Give lists of texts, not one text.")
    if len(generated) != len(references):
        raise DataError(f"There are {len(generated)} generated texts and {len(references)} references.")
    if not len(generated):
        raise DataError("There are no texts to compare.")
