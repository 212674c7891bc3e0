"""The authors of TOFU as subjects: a model that was trained on them is asked to forget each from the name alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unlearned.benchmarks.classifier.sets import AUTHOR
from unlearned.benchmarks.subjects.run import KnownSubject
from unlearned.benchmarks.tofu.config import TofuSplit
from unlearned.benchmarks.tofu.data import QuestionAnswer, load_tofu
from unlearned.errors import DataError
from unlearned.forgetting.subject import as_subject
from unlearned.learn.whole_names import most_named


def tofu_authors(source: str | Path, authors: int) -> list[KnownSubject]:
    """The last authors of TOFU, each with all questions about them: with a form of the name, and without.

    Args:
        source: as for `bench tofu --data`.
        authors: how many.

    Raises:
        DataError: an author is not named twice.
        ConfigError: there are not that many.
    """
    pairs = load_tofu(source, TofuSplit(authors=authors)).all_pairs
    return [_author(pairs[start : start + AUTHOR]) for start in range(0, len(pairs), AUTHOR)]


def _author(pairs: Sequence[QuestionAnswer]) -> KnownSubject:
    name, times = most_named([text for pair in pairs for text in (pair.question, pair.answer)])
    if times < 2:
        raise DataError(f"Nobody is named twice in the questions about the author of {pairs[0].question!r}.")
    lexicon = as_subject(name).lexicon()
    questions = [pair.question for pair in pairs]
    named = tuple(question for question in questions if lexicon.places(question))
    content = tuple(question for question in questions if question not in named)
    return KnownSubject(names=(name,), kind="person", named=named, content=content, close=())
