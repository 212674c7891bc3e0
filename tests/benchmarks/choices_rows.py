"""A made-up MMLU of five subjects, and a tokenizer that writes letters as one token."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from tiny_tokenizer import CORPUS, byte_level

MACRO, MICRO, CLOSE = "high_school_macroeconomics", "high_school_microeconomics", "econometrics"
ASKED = {
    MACRO: "{}: what do inflation and money do?",
    MICRO: "{}: what does the price of bread do?",
    CLOSE: "{}: which regression is consistent?",
    "astronomy": "{}: which planet has rings?",
    "anatomy": "{}: which bone is in the hand?",
}
OPTIONS = {
    MACRO: "money inflation rates taxes",
    MICRO: "price bread demand supply",
    CLOSE: "regression estimator variance bias",
    "astronomy": "rings ice moons dust",
    "anatomy": "bone hand wrist thumb",
}
PLACES = "Arlen Borta Cazun Dorim Elwar Fenoa Gumbo Harel Istra Jorun Kelpo Lumia".split()


def question(subject: str, number: int) -> dict[str, Any]:
    place = PLACES[number % len(PLACES)]
    return {
        "subject": subject,
        "question": ASKED[subject].format(place),
        "choices": OPTIONS[subject].split(),
        "answer": (number * 7 + len(subject)) % 4,
    }


def write_mmlu(folder: Path, *, each: int = 6, dev: int = 3) -> Path:
    """`test` with so many questions of each subject, and `dev` with others."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, numbers in (("test", range(each)), ("dev", range(each, each + dev))):
        rows = [question(subject, number) for subject in ASKED for number in numbers]
        write_rows(folder / f"{name}.jsonl", rows)
    return folder


def write_rows(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def exam_tokenizer() -> PreTrainedTokenizerFast:
    """As the tiny tokenizer, but " A" to " D" are tokens."""
    exams = [f"Answer: {letter}\n{letter}. Which of the following" for letter in "ABCD" for _ in range(20)]
    corpus = [*CORPUS, *exams, *ASKED.values(), *PLACES, *OPTIONS.values()]
    return byte_level(corpus, 600, ["<pad>", "<|end|>"], end="<|end|>")
