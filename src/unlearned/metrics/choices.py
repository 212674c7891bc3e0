"""Multiple choice, from one score per option: logits of the letters, or log-likelihoods of the options' texts.

Beside an accuracy after unlearning belong the majority rate and the histogram of predicted letters: a model that has
collapsed onto one letter scores that letter's share of the answer key, not 1 / #options.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from string import ascii_uppercase

import numpy as np
import numpy.typing as npt

from unlearned.errors import DataError
from unlearned.metrics.estimate import Doubles, checked

Scores = Sequence[npt.ArrayLike]
"""N items, each with (C_i,) scores of its options; higher = more likely."""


def per_length(log_likelihoods: Scores, lengths: Scores) -> list[Doubles]:
    """Log-likelihood per unit of length: tokens (ARC, HellaSwag, ... in ECO) or bytes (lm-eval's `acc_norm`).

    Without this, the sums themselves are lm-eval's `acc`; the three give different accuracies, so say which.

    Args:
        log_likelihoods: N x (C_i,) summed over the tokens of each option.
        lengths: N x (C_i,) of the options, above 0.

    Raises:
        DataError: shapes differ, or a length is not above 0.
    """
    sums, counts = _options(log_likelihoods), _options(lengths)
    if [len(row) for row in sums] != [len(row) for row in counts]:
        raise DataError("Log-likelihoods and lengths are not of the same options.")
    if any((row <= 0).any() for row in counts):
        raise DataError("An option has no length, so its log-likelihood cannot be divided by it.")
    return [row / length for row, length in zip(sums, counts, strict=True)]


def predictions(scores: Scores) -> npt.NDArray[np.int64]:
    """(N,) index of each item's best option; the first one of equals.

    Raises:
        DataError: there is no item, an item has fewer than two options, or a score is not finite.
    """
    return np.array([int(row.argmax()) for row in _options(scores)], dtype=np.int64)


def correct(scores: Scores, answers: Sequence[int]) -> Doubles:
    """(N,) 1 where the best option is the answer, else 0; their mean is the accuracy.

    Args:
        scores: N x (C_i,).
        answers: (N,) index of the right option.

    Raises:
        DataError: as `predictions`; also if an answer is no option.
    """
    right = _answers(scores, answers)
    return np.asarray(predictions(scores) == right, dtype=np.float64)


def answer_probability(log_likelihoods: Scores, answers: Sequence[int]) -> Doubles:
    """(N,) P(c) / sum_j P(c_j) of the right option c. Its mean is TruthfulQA's MC1 in ECO; it is not an accuracy.

    Args:
        log_likelihoods: N x (C_i,).
        answers: (N,) index of the right option; all 0 for MC1, where the first one listed is right.

    Raises:
        DataError: as `correct`.
    """
    right = _answers(log_likelihoods, answers)
    found = []
    for row, answer in zip(_options(log_likelihoods), right, strict=True):
        shares = np.exp(row - row.max())
        found.append(shares[answer] / shares.sum())
    return np.array(found)


def chance(option_counts: Sequence[int]) -> float:
    """Mean of 1 / #options: what a model that knows nothing scores on a balanced key."""
    counts = checked(option_counts, "numbers of options")
    if counts.min() < 1:
        raise DataError("A question has no options.")
    return float((1 / counts).mean())


def majority_rate(answers: Sequence[int]) -> float:
    """Share of the most frequent right letter: what a model that always says that letter scores."""
    if not len(answers):
        raise DataError("There are no answers to count.")
    return max(Counter(answers).values()) / len(answers)


def letter_histogram(predicted: Sequence[int] | npt.NDArray[np.int64], options: int) -> dict[str, int]:
    """How often each letter was predicted, "A" first, letters that never were included.

    Args:
        predicted: (N,) indices.
        options: how many letters there are, up to 26.

    Raises:
        DataError: there are no predictions, or one is no letter.
    """
    if not len(predicted):
        raise DataError("There are no predictions to count.")
    if not 1 <= options <= len(ascii_uppercase):
        raise DataError(f"{options} options have no letters; there are {len(ascii_uppercase)}.")
    counts = Counter(int(index) for index in predicted)
    if bad := sorted(index for index in counts if not 0 <= index < options):
        raise DataError(f"Option {bad[0]} was predicted, but there are {options}, counted from 0.")
    return {letter: counts[index] for index, letter in enumerate(ascii_uppercase[:options])}


def _options(scores: Scores) -> list[Doubles]:
    rows = [checked(row, f"options of item {index}") for index, row in enumerate(scores)]
    if not rows:
        raise DataError("There are no items to answer.")
    if short := [index for index, row in enumerate(rows) if len(row) < 2]:
        raise DataError(f"Item {short[0]} has one option only.")
    return rows


def _answers(scores: Scores, answers: Sequence[int]) -> npt.NDArray[np.int64]:
    right = np.asarray(answers, dtype=np.int64)
    rows = _options(scores)
    if len(rows) != len(right):
        raise DataError(f"There are {len(rows)} items and {len(right)} answers.")
    for index, (row, answer) in enumerate(zip(rows, right, strict=True)):
        if not 0 <= answer < len(row):
            raise DataError(f"The answer of item {index} is option {answer}, but it has {len(row)}, counted from 0.")
    return right
