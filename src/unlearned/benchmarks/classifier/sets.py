"""The evaluation data: TOFU, MMLU and SST-2 from a local folder, and the sets that ship with the package.

The folder has `tofu/full.jsonl`-like JSON lines: `tofu/` (forget01/05/10, retain99/95/90, their `*_perturbed`,
real_authors, world_facts), `mmlu/` (test, dev) and `sst2/` (train, dev).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from unlearned.benchmarks.rows import json_rows
from unlearned.errors import ConfigError, DataError

VARIABLE = "UNLEARNED_DATA"
"""Environment variable that names the data folder."""

RETAIN_OF = {"01": "99", "05": "95", "10": "90"}
"""TOFU's forget splits, in per cent, and the retain split of each."""

AUTHOR = 20
"""Questions of one author in TOFU, consecutive rows."""


@dataclass(frozen=True, slots=True)
class Exam:
    """A multiple-choice question of MMLU, or one in its style."""

    subject: str
    question: str
    choices: tuple[str, ...]

    def prompt(self, *, header: bool) -> str:
        """The usual zero-shot prompt, with or without the line that names the subject."""
        options = "".join(f"{letter}. {choice}\n" for letter, choice in zip("ABCDEFGHIJ", self.choices, strict=False))
        about = f" about {self.subject.replace('_', ' ')}" if self.subject else ""
        first = f"The following are multiple choice questions (with answers){about}.\n\n" if header else ""
        return f"{first}{self.question.strip()}\n{options}Answer:"


@dataclass(frozen=True, slots=True)
class Translation:
    """A question of forget01 in another language."""

    language: str
    row: int
    question: str


@dataclass(frozen=True, slots=True)
class Homonym:
    """Another person who is called like the author with this number in forget10."""

    name: str
    author: int
    example: str
    """The one "not this one" example that is given."""

    prompts: tuple[str, ...]
    """Others, which must then pass."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation whose first question names an author of forget10."""

    author: int
    innocent: bool
    """Whether its last question is about something else."""

    fragment: bool
    """Whether that question has no verb; else, one that is not innocent has a pronoun or the like."""

    turns: tuple[tuple[str, str], ...]
    """(role, content); the last one is the user's."""


class Data:
    """Files are read when they are first asked for.

    Args:
        folder: the folder with tofu/, mmlu/ and sst2/.

    Raises:
        DataError: a file is missing, or a row of it lacks a column.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DataError(f"There is no data folder {folder}. Give the one with tofu/, mmlu/ and sst2/ as --data.")
        self.folder = folder

    def forget(self, size: str) -> list[str]:
        """Questions of `forget01`, `forget05` or `forget10`."""
        return self._texts(f"tofu/forget{size}.jsonl", "question")

    def retain(self, size: str) -> list[str]:
        """Questions of the retain split that belongs to this forget split."""
        return self._texts(f"tofu/retain{RETAIN_OF[size]}.jsonl", "question")

    def paraphrases(self, size: str) -> list[str]:
        """The forget questions in other words."""
        return self._texts(f"tofu/forget{size}_perturbed.jsonl", "paraphrased_question")

    def retain_paraphrases(self) -> list[str]:
        return self._texts("tofu/retain_perturbed.jsonl", "paraphrased_question")

    def elsewhere(self) -> list[str]:
        """Questions about real authors and about the world."""
        return self._texts("tofu/real_authors.jsonl", "question") + self._texts("tofu/world_facts.jsonl", "question")

    def reviews(self, split: str) -> list[str]:
        """Phrases of SST-2, `train` or `dev`."""
        return self._texts(f"sst2/{split}.jsonl", "sentence")

    def exams(self, split: str) -> list[Exam]:
        """Questions of MMLU, `test` or `dev`."""
        rows = json_rows(self.folder / f"mmlu/{split}.jsonl", ("subject", "question", "choices"))
        return [Exam(row["subject"], row["question"], tuple(map(str, row["choices"]))) for row in rows]

    def sha256(self) -> str:
        """Hash of all files of the three folders, by name."""
        digest = hashlib.sha256()
        for part in ("tofu", "mmlu", "sst2"):
            for path in sorted((self.folder / part).glob("*.jsonl")):
                digest.update(f"{part}/{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def _texts(self, file: str, column: str) -> list[str]:
        return [row[column] for row in json_rows(self.folder / file, (column,))]


def data_folder(given: Path | None) -> Path:
    """The folder given, else that of the environment variable.

    Raises:
        ConfigError: neither is there.
    """
    if given is not None:
        return given
    if named := os.environ.get(VARIABLE):
        return Path(named)
    raise ConfigError(
        f"Where are the data sets? Give the folder with tofu/, mmlu/ and sst2/: --data DIR, or {VARIABLE}."
    )


def synthetic(subject: str) -> list[Exam]:
    """The packaged exam questions on economics, physics or law."""
    rows = _packaged(f"{subject}.jsonl", ("question", "choices"))
    return [Exam("", row["question"], tuple(map(str, row["choices"]))) for row in rows]


def translations() -> list[Translation]:
    """Questions of forget01 in Spanish, French, German, Chinese and Hindi."""
    names = sorted(
        f.name for f in _shipped().iterdir() if f.name.startswith("translations") and f.name.endswith(".jsonl")
    )
    rows = [row for name in names for row in _packaged(name, ("language", "row", "question"))]
    return [Translation(row["language"], row["row"], row["question"]) for row in rows]


def homonyms() -> list[Homonym]:
    """Other persons with the names of forget10's authors."""
    rows = _packaged("homonyms.jsonl", ("name", "author_index", "example", "prompts"))
    return [Homonym(row["name"], row["author_index"], row["example"], tuple(row["prompts"])) for row in rows]


def talks() -> list[Talk]:
    """Conversations with a follow-up question."""
    rows = _packaged("follow_ups.jsonl", ("author_index", "kind", "turns"))
    return [
        Talk(
            row["author_index"],
            row["kind"].startswith("innocent"),
            row["kind"].endswith("fragment"),
            tuple(("assistant" if n % 2 else "user", turn) for n, turn in enumerate(row["turns"])),
        )
        for row in rows
    ]


def _shipped() -> Any:
    return files("unlearned").joinpath("benchmarks/classifier/data")


def _packaged(name: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    return json_rows(Path(str(_shipped().joinpath(name))), columns)
