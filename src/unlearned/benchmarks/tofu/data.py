"""TOFU's splits: what the start and the retained model are trained on, what is to be forgotten, what is asked.

200 made-up authors with 20 consecutive questions each; the last ones are to be forgotten (arXiv:2401.06121).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearned.benchmarks.classifier.sets import AUTHOR
from unlearned.benchmarks.rows import json_rows
from unlearned.benchmarks.tofu.config import HUB, SPLITS, TofuSplit
from unlearned.errors import ConfigError, DataError, first_line

PAIR = ("question", "answer")
PERTURBED = (*PAIR, "paraphrased_answer", "perturbed_answer", "paraphrased_question")
ELSEWHERE = (*PAIR, "perturbed_answer")


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """A question and its answer, to train on."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class TofuRow:
    """One question of an evaluation set."""

    id: str
    """File and row number there, for example `full/3960`: the same question has the same id in every split."""

    question: str
    answer: str
    paraphrased_answer: str
    """The answer itself for real authors and world facts, which have no paraphrase."""

    wrong_answers: tuple[str, ...]
    paraphrased_question: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TofuData:
    """Everything that one run needs."""

    forget_pairs: tuple[QuestionAnswer, ...]
    """Rows to be forgotten, in the order of `full`."""

    retain_pairs: tuple[QuestionAnswer, ...]
    """What the retained model is trained on."""

    forget: tuple[TofuRow, ...]
    retain: tuple[TofuRow, ...]
    """Evaluation rows of authors that the retained model has seen."""

    real_authors: tuple[TofuRow, ...]
    world_facts: tuple[TofuRow, ...]
    sha256: str
    """Hash of the files that were read."""

    @property
    def all_pairs(self) -> tuple[QuestionAnswer, ...]:
        """What the start model is trained on."""
        return self.retain_pairs + self.forget_pairs

    def sets(self) -> dict[str, tuple[TofuRow, ...]]:
        """The four evaluation sets by name."""
        return {
            "retain": self.retain,
            "forget": self.forget,
            "real_authors": self.real_authors,
            "world_facts": self.world_facts,
        }


def load_tofu(source: str | Path, chosen: TofuSplit) -> TofuData:
    """Read the splits.

    With all authors, retain questions are asked from `retain_perturbed`, as published. With fewer, those rows are about
    authors that no model here has seen: all rows of retained authors that have perturbed answers are taken instead,
    from `forget10_perturbed` and `retain_perturbed`.

    Args:
        source: a folder with the `.jsonl` (or `.json`) files or with `tofu/`; or the hub's `locuslab/TOFU`.
        chosen: which questions.

    Raises:
        DataError: a file is missing, lacks a column or does not fit the others.
        ConfigError: there are not that many authors, or none is retained.
    """
    files = _Files(source)
    full = [QuestionAnswer(*_texts(row, PAIR, f"full, row {n}")) for n, row in enumerate(files.rows("full", PAIR))]
    if len(full) % AUTHOR:
        raise DataError(f"full has {len(full)} rows, which is no multiple of {AUTHOR} questions per author.")
    name = chosen.split if chosen.forget_authors is None else _holding(files, chosen.forget_authors)
    forget = _numbered(files, name, full)
    if chosen.forget_authors is not None:
        forget = dict(list(forget.items())[-chosen.forget_authors * AUTHOR :])
    first = 0 if chosen.authors is None else len(full) - chosen.authors * AUTHOR
    if first < 0:
        raise ConfigError(f"authors={chosen.authors}: the data has {len(full) // AUTHOR}.")
    cut = min(forget)
    if cut <= first:
        raise ConfigError(
            f"Of {(len(full) - first) // AUTHOR} authors, {len(forget) // AUTHOR} are to be forgotten: none is left to "
            "retain. Give more --authors or fewer --forget-authors."
        )
    retain = _numbered(files, "retain", full) if files.has("retain_perturbed") else {}
    if chosen.authors is not None:
        retain |= _numbered(files, SPLITS[-1], full) if files.has(f"{SPLITS[-1]}_perturbed") else {}
    retained = [row for number, row in sorted(retain.items()) if first <= number < cut]
    if not retained:
        raise DataError(
            "No question with perturbed answers is about a retained author: there are some for the first and the last "
            "20 authors only. Leave --authors out, or forget fewer."
        )
    limit = chosen.limit
    return TofuData(
        forget_pairs=tuple(full[cut:][:limit]),
        retain_pairs=tuple(full[first:cut][:limit]),
        forget=tuple(forget.values())[:limit],
        retain=tuple(retained[:limit]),
        real_authors=_elsewhere(files, "real_authors")[:limit],
        world_facts=_elsewhere(files, "world_facts")[:limit],
        sha256=files.sha256(),
    )


class _Files:
    """The files of TOFU and what was read of them."""

    def __init__(self, source: str | Path) -> None:
        self._hub = str(source) == HUB and not Path(source).is_dir()
        folder = Path(source).expanduser()
        self._folder = folder / "tofu" if (folder / "tofu").is_dir() else folder
        if not self._hub and not folder.is_dir():
            raise DataError(f"There is no data folder {source}. Give the one with tofu/*.jsonl as --data, or {HUB}.")
        self._read: dict[str, Path] = {}

    def rows(self, name: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
        path = self._path(name)
        self._read[name] = path
        return json_rows(path, columns)

    def has(self, name: str) -> bool:
        return self._hub or self._path(name).is_file()

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for name, path in sorted(self._read.items()):
            digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def _path(self, name: str) -> Path:
        if self._hub:
            from huggingface_hub import hf_hub_download

            try:
                return Path(hf_hub_download(HUB, f"{name}.json", repo_type="dataset"))
            except Exception as error:  # no network, offline mode, gone: each has its own kind
                raise DataError(f"Cannot fetch {name}.json of {HUB}: {first_line(error)}") from error
        plain = self._folder / f"{name}.json"
        return plain if plain.is_file() else self._folder / f"{name}.jsonl"


def _holding(files: _Files, authors: int) -> str:
    """The smallest forget split with so many authors."""
    for name in SPLITS:
        if files.has(f"{name}_perturbed") and len(files.rows(f"{name}_perturbed", PERTURBED)) >= authors * AUTHOR:
            return name
    raise ConfigError(f"forget_authors={authors}: the largest forget split here has fewer.")


def _numbered(files: _Files, name: str, full: Sequence[QuestionAnswer]) -> dict[int, TofuRow]:
    """Row number in `full` -> row: the last rows for a forget split, the first ones for "retain"."""
    rows = files.rows(f"{name}_perturbed", PERTURBED)
    start = 0 if name == "retain" else len(full) - len(rows)
    found = {}
    for index, row in enumerate(rows):
        number, place = start + index, f"{name}_perturbed, row {index}"
        question, answer, paraphrase, asked = _texts(row, (*PAIR, "paraphrased_answer", "paraphrased_question"), place)
        if not 0 <= number < len(full) or full[number].question.strip() != question.strip():
            raise DataError(f"{place}: not the question of row {number} in full. The files are of different versions.")
        found[number] = TofuRow(f"full/{number}", question, answer, paraphrase, _wrong(row, place), asked)
    return found


def _elsewhere(files: _Files, name: str) -> tuple[TofuRow, ...]:
    return tuple(_elsewhere_rows(files.rows(f"{name}_perturbed", ELSEWHERE), name))


def _elsewhere_rows(rows: Iterable[dict[str, Any]], name: str) -> Iterable[TofuRow]:
    for index, row in enumerate(rows):
        place = f"{name}_perturbed, row {index}"
        question, answer = _texts(row, PAIR, place)
        yield TofuRow(f"{name}/{index}", question, answer, answer, _wrong(row, place))


def _texts(row: dict[str, Any], columns: Iterable[str], place: str) -> list[str]:
    for column in columns:
        if not isinstance(row[column], str) or not row[column].strip():
            raise DataError(f"{place}, column {column!r}: must be a text that is not empty, not {row[column]!r}.")
    return [row[column] for column in columns]


def _wrong(row: dict[str, Any], place: str) -> tuple[str, ...]:
    wrong = row["perturbed_answer"]
    if not isinstance(wrong, list) or not wrong or not all(isinstance(text, str) and text for text in wrong):
        raise DataError(f"{place}, column 'perturbed_answer': must be a list of texts, not {wrong!r}.")
    return tuple(wrong)
