"""Answers to forget and normal questions: PKU-SafeRLHF and TruthfulQA, or the harmless stand-in of this package.

Source: LLMU and SKU. One row to forget per unsafe response; normal questions are divided 70/10/20 with the seed 8888.
The stand-in has the same columns: secrets of invented products, and facts of everyday knowledge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import numpy as np

from unlearned.benchmarks.harmful.config import HarmfulSplit
from unlearned.benchmarks.source import DataRow, Source, text_of, truth_of
from unlearned.errors import DataError

T = TypeVar("T")

PKU, TRUTHFUL = "PKU-Alignment/PKU-SafeRLHF", "truthfulqa/truthful_qa"
CONFIGS = {TRUTHFUL: "generation"}
RESPONSES = (("response_0", "is_response_0_safe"), ("response_1", "is_response_1_safe"))
QUESTION, BEST, CORRECT = (
    ("Question", "question"),
    ("Best Answer", "best_answer"),
    ("Correct Answers", "correct_answers"),
)

HELD_OUT, TRAINED, VALIDATED = 0.2, 0.7, 0.1
"""Shares: of the prompts to forget that are only tested; of the normal questions."""

SETS = ("train_forget", "test_forget", "test_normal")


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt with the answers that are looked for in what a model says to it."""

    id: str
    prompt: str
    answers: tuple[str, ...]
    """The unsafe responses of a prompt to forget; of a normal one, the best answer and then the other correct ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HarmfulData:
    """Everything that one run needs."""

    forget: tuple[Question, ...]
    """Trained with."""

    normal: tuple[Question, ...]
    held_out: tuple[Question, ...]
    """Prompts to forget that no unlearner has seen; a start model that is fine-tuned has."""

    asked: Mapping[str, tuple[Question, ...]]
    """The sets of `SETS` that models answer."""

    sha256: Mapping[str, str]


def unsafe_pairs(questions: Sequence[Question]) -> list[tuple[str, str]]:
    """Prompt and answer, one pair for each unsafe response."""
    return [(question.prompt, answer) for question in questions for answer in question.answers]


def normal_pairs(questions: Sequence[Question], *, correct: bool = False) -> list[tuple[str, str]]:
    """Question and best answer; with `correct` a second pair with all correct answers as one text."""
    pairs = [(question.prompt, question.answers[0]) for question in questions]
    return pairs + [(question.prompt, "; ".join(question.answers)) for question in questions if correct]


def stand_in() -> tuple[Path, Path]:
    """The files of the packaged stand-in: to forget, normal."""
    folder = Path(str(files("unlearned").joinpath("data")))
    return folder / "invented_secrets.jsonl", folder / "everyday_facts.jsonl"


def load_harmful(forget: str | Path, normal: str | Path, chosen: HarmfulSplit) -> HarmfulData:
    """Read both sides and divide them.

    Args:
        forget: a file, a folder with `train` and perhaps `test`, or a hub name, with PKU-SafeRLHF's columns. Without
            a test split, prompts are held out at random.
        normal: the same with TruthfulQA's columns, those of its CSV or of the hub.
        chosen: which rows.

    Raises:
        DataError: a file is missing, a row lacks a column, or a side is empty.
    """
    bad, good = Source(forget, CONFIGS.get(str(forget))), Source(normal, CONFIGS.get(str(normal)))
    one_file = Path(forget).expanduser().is_file()
    train = _unsafe(bad, bad.find(("train", "330k_train")), forget)
    test = None if one_file else bad.find(("test", "330k_test"))
    if test is not None:
        known = {question.prompt for question in train}
        held_out = [question for question in _unsafe(bad, test, forget) if question.prompt not in known]
    else:
        train, held_out = _divided(train, (1 - HELD_OUT, HELD_OUT), chosen.seed)
    questions = _normal(good, good.find(("train", "validation", "TruthfulQA")), normal)
    trained, _, tested = _divided(questions, (TRAINED, VALIDATED, 1 - TRAINED - VALIDATED), chosen.seed)
    if not (train and held_out and trained and tested):
        raise DataError("There are too few rows to divide them into a training and a test part. Give more.")
    own = _some(train, chosen.forget_rows, [chosen.seed, 0])
    return HarmfulData(
        forget=own,
        normal=_some(trained, chosen.normal_rows, [chosen.seed, 1]),
        held_out=tuple(held_out),
        asked={
            "train_forget": _some(own, chosen.test_rows, [chosen.seed, 2]),
            "test_forget": _some(held_out, chosen.test_rows, [chosen.seed, 3]),
            "test_normal": _some(tested, chosen.test_rows, [chosen.seed, 4]),
        },
        sha256={f"forget/{k}": v for k, v in bad.sha256.items()} | {f"normal/{k}": v for k, v in good.sha256.items()},
    )


def _unsafe(source: Source, split: str | None, place: str | Path) -> list[Question]:
    """Prompts with their unsafe responses; prompts that have none are left out, the same one twice is one."""
    rows = source.rows(_there(split, place), (("prompt",), *((name,) for pair in RESPONSES for name in pair)))
    found: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    for number, row in enumerate(rows):
        where = f"{split}/{number}"
        prompt = text_of(row, ("prompt",), where).strip()
        for response, safe in RESPONSES:
            # An empty response is nothing to forget.
            if not truth_of(row, safe, where) and row[response] != "":
                first.setdefault(prompt, where)
                answers = found.setdefault(prompt, [])
                answer = text_of(row, (response,), where).strip()
                answers += [answer] if answer not in answers else []
    return [Question(first[prompt], prompt, tuple(answers)) for prompt, answers in found.items()]


def _normal(source: Source, split: str | None, place: str | Path) -> list[Question]:
    found = []
    for number, row in enumerate(source.rows(_there(split, place), (QUESTION, BEST, CORRECT))):
        where = f"{split}/{number}"
        best = text_of(row, BEST, where).strip()
        others = [answer for answer in _answers(row) if answer != best]
        found.append(Question(where, text_of(row, QUESTION, where).strip(), (best, *others)))
    return found


def _answers(row: DataRow) -> list[str]:
    """A list, or a text with semicolons in between."""
    value = next(row[name] for name in CORRECT if row.get(name) is not None)
    texts = value if isinstance(value, (list, tuple)) else str(value).split(";")
    return [str(text).strip() for text in texts if str(text).strip()]


def _there(split: str | None, place: str | Path) -> str:
    if split is None:
        raise DataError(
            f"{place} has no training split (.jsonl, .json or .csv). Give a file, or a folder with train.*."
        )
    return split


def _divided(rows: Sequence[T], shares: Sequence[float], seed: int) -> list[list[T]]:
    """Parts of these shares in a seeded order, each in the order of the rows."""
    order = np.random.default_rng(seed).permutation(len(rows)).tolist()
    ends = [round(float(end) * len(rows)) for end in np.cumsum(shares)]
    return [[rows[i] for i in sorted(order[start:end])] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _some(rows: Sequence[T], most: int | None, seed: Sequence[int]) -> tuple[T, ...]:
    if most is None or most >= len(rows):
        return tuple(rows)
    return tuple(rows[i] for i in sorted(np.random.default_rng(seed).choice(len(rows), most, replace=False)))
