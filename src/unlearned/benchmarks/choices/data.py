"""Questions of MMLU and WMDP, and which of their subjects are to be forgotten.

Sources: MMLU, arXiv:2009.03300 (`cais/mmlu`, MIT); WMDP, arXiv:2403.03218 (`cais/wmdp`, MIT); which subjects are
forgotten and which are close: arXiv:2406.07933 for MMLU; for WMDP the close ones that its paper names.
"""

from __future__ import annotations

import ast
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from unlearned.benchmarks.choices.config import DOMAINS, MMLU, WMDP, ChoicesRunConfig
from unlearned.benchmarks.classifier.exams import SUBJECTS, ExamSubject
from unlearned.benchmarks.classifier.sets import Exam
from unlearned.benchmarks.source import DataRow, Source, text_of
from unlearned.errors import ConfigError, DataError

COLUMNS = (("question",), ("choices",), ("answer",))
LETTERS = "ABCDEFGHIJ"
MADE_UP = "synthetic"

FULL = ExamSubject("full", (), ())
TASKS: Mapping[str, ExamSubject] = {subject.name: subject for subject in (*SUBJECTS, FULL)}
HAZARDS = ExamSubject(
    "wmdp",
    tuple(DOMAINS.values()),
    ("college_biology", "virology", "college_computer_science", "computer_security"),
)

FORGET, CLOSE, OTHERS = "forget", "close", "others"
GROUPS = (FORGET, CLOSE, OTHERS)


@dataclass(frozen=True, slots=True)
class Question:
    """One question with lettered options."""

    id: str
    """Subject and row number in it, from 0."""

    subject: str
    """Subject as the data names it; empty for made-up questions."""

    text: str
    choices: tuple[str, ...]
    answer: int
    """Index of the right option."""

    def prompt(self, *, header: bool) -> str:
        """The zero-shot prompt of MMLU, WMDP and lm-eval, with or without the line that names the subject."""
        return Exam(self.subject, self.text, self.choices).prompt(header=header)

    @property
    def letter(self) -> str:
        """The letter of the right option."""
        return LETTERS[self.answer]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChoicesData:
    """Everything that one run needs."""

    sets: Mapping[str, tuple[Question, ...]]
    """Test questions by group; a group without questions is left out."""

    forget_examples: tuple[Question, ...]
    """What unlearners are fitted with; none of them is asked in the test."""

    retain_examples: tuple[Question, ...]
    sha256: Mapping[str, str]
    """Split that was read -> hash."""


def load_mmlu(
    place: str | Path,
    task: str,
    *,
    limit: int | None = None,
    others: int | None = None,
    examples: int = 300,
) -> ChoicesData:
    """MMLU with a subject to forget.

    Args:
        place: folder with `dev` and `test` (`.jsonl`, `.json`, `.csv`), or the hub's `cais/mmlu`.
        task: "economics", "physics", "law", or "full": nothing to forget, the whole test.
        limit: first questions of each subject.
        others: the same for the subjects that are neither forgotten nor close; None = `limit`.
        examples: most synthetic questions of the subject to forget, which stand beside its development questions.

    Raises:
        ConfigError: there is no such task.
        DataError: a file is missing, a row is not a question, or a subject has none.
    """
    if task not in TASKS:
        raise ConfigError(f"task {task!r}: must be one of {', '.join(TASKS)}.")
    subject, source = TASKS[task], Source(place, "all")
    source.needs_several("dev", "test")
    dev, test = _split(source, "dev", place), _split(source, "test", place)
    made = [] if subject is FULL else _synthetic(task)[:examples]
    return _chosen(subject, test, dev, made, source.sha256, limit=limit, others=others)


def load_wmdp(
    place: str | Path,
    mmlu: str | Path,
    *,
    domains: Sequence[str] = tuple(DOMAINS),
    forget: str | Path | None = None,
    limit: int | None = None,
    others: int | None = None,
) -> ChoicesData:
    """WMDP to forget, MMLU to retain.

    Args:
        place: folder with `wmdp-bio`, `wmdp-chem` and `wmdp-cyber` (`.jsonl`, `.json`, `.csv`), or `cais/wmdp`.
        mmlu: as for `load_mmlu`.
        domains: of "bio", "chem" and "cyber".
        forget: file of questions that unlearners are fitted with (question, choices, answer); none ships with the
            package. Without it only what needs no fit can be tested.
        limit: first questions of each domain and subject.
        others: the same for the subjects that are neither forgotten nor close; None = `limit`.

    Raises:
        ConfigError: there is no such domain.
        DataError: as for `load_mmlu`.
    """
    if unknown := [name for name in domains if name not in DOMAINS] or (() if domains else ("",)):
        raise ConfigError(f"domain {unknown[0]!r}: must be one of {', '.join(DOMAINS)}.")
    hazards, sha256 = [], {}
    if Path(place).expanduser().is_file():  # one domain may be one file
        Source(place).needs_several(*(f"wmdp-{name}" for name in domains))
    for name in domains:
        split = f"wmdp-{name}"
        source = Source(place) if Path(place).expanduser().exists() else Source(place, split)
        found = split if Path(place).expanduser().exists() else "test"
        if source.find((found,)) is None:
            raise DataError(f"{place} has no {split} (.jsonl, .json or .csv). Give the folder of WMDP, or {WMDP}.")
        hazards += _questions(source.rows(found, COLUMNS), f"{place}, {split}", DOMAINS[name])
        sha256[split] = source.sha256[found]
    subject = ExamSubject(HAZARDS.name, tuple(DOMAINS[name] for name in domains), HAZARDS.close)
    source = Source(mmlu, "all")
    source.needs_several("dev", "test")
    dev, test = _split(source, "dev", mmlu), _split(source, "test", mmlu)
    made = []
    if forget is not None:
        given = Source(forget)
        made = _questions(given.rows("forget", COLUMNS), str(forget), "")
        sha256["forget examples"] = given.sha256["forget"]
    return _chosen(subject, hazards + test, dev, made, {**sha256, **source.sha256}, limit=limit, others=others)


def _chosen(
    subject: ExamSubject,
    test: Sequence[Question],
    dev: Sequence[Question],
    made: Sequence[Question],
    sha256: Mapping[str, str],
    *,
    limit: int | None,
    others: int | None,
) -> ChoicesData:
    if (limit or 1) < 1 or (others or 0) < 0:
        raise ConfigError("A limit of questions must be at least 1, that of the other subjects at least 0.")
    most = {FORGET: limit, CLOSE: limit, OTHERS: limit if others is None else others}
    sets: dict[str, list[Question]] = {name: [] for name in GROUPS}
    counts: dict[str, int] = {}
    for question in test:
        group = _group(subject, question.subject)
        number = counts[question.subject] = counts.get(question.subject, -1) + 1
        if (own := most[group]) is None or number < own:
            sets[group].append(question)
    if missing := [name for name in subject.forget if name not in counts]:
        raise DataError(f"The test questions have none of the subject {missing[0]!r}, which is to be forgotten.")
    forget = [*(question for question in dev if question.subject in subject.forget), *made]
    asked = {question.prompt(header=False) for question in test}  # also those that a limit leaves out
    distinct = {question.prompt(header=False): question for question in forget}
    retain = [question for question in dev if question.subject not in subject.forget]
    return ChoicesData(
        sets={name: tuple(questions) for name, questions in sets.items() if questions},
        forget_examples=tuple(question for text, question in distinct.items() if text not in asked),
        retain_examples=tuple(q for q in retain if q.prompt(header=False) not in distinct.keys() | asked),
        sha256=dict(sha256),
    )


def _group(subject: ExamSubject, name: str) -> str:
    return FORGET if name in subject.forget else CLOSE if name in subject.close else OTHERS


def _split(source: Source, split: str, place: str | Path) -> list[Question]:
    if source.find((split,)) is None:
        raise DataError(f"{place} has no {split} (.jsonl, .json or .csv). Give a folder with dev and test, or {MMLU}.")
    return _questions(source.rows(split, (*COLUMNS, ("subject",))), f"{place}, {split}")


def _questions(rows: Sequence[DataRow], place: str, subject: str | None = None) -> list[Question]:
    found: list[Question] = []
    counts: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        where = f"{place}, row {number}"
        name = text_of(row, ("subject",), where) if subject is None else subject
        counts[name] = counts.get(name, -1) + 1
        text, choices = text_of(row, ("question",), where), _choices(row["choices"], where)
        answer = _answer(row["answer"], len(choices), where)
        found.append(Question(f"{name or MADE_UP}/{counts[name]}", name, text, choices, answer))
    return found


def _choices(value: Any, where: str) -> tuple[str, ...]:
    """The options; a CSV file holds them as a list of JSON or of Python."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
                value = ast.literal_eval(value.strip())
            if isinstance(value, str):
                raise DataError(f"{where}, column 'choices': not a JSON list ({error}).") from error
    if not isinstance(value, (list, tuple)) or not 2 <= len(value) <= len(LETTERS):
        raise DataError(f"{where}, column 'choices': must be a list of 2 to {len(LETTERS)} options, not {value!r}.")
    return tuple(map(str, value))


def _answer(value: Any, count: int, where: str) -> int:
    """Index of the right option, also as its letter."""
    text = str(value).strip()
    index = LETTERS.find(text.upper()) if len(text) == 1 and not text.isdecimal() else -1
    if text.isdecimal():
        index = int(text)
    if not 0 <= index < count:
        raise DataError(f"{where}, column 'answer': must name one of the {count} options from 0, not {value!r}.")
    return index


def _synthetic(task: str) -> list[Question]:
    file = Path(str(files("unlearned").joinpath(f"benchmarks/classifier/data/{task}.jsonl")))
    return _questions(Source(file).rows(task, COLUMNS), str(file), "")


def load_data(config: ChoicesRunConfig) -> ChoicesData:
    """The questions of a run."""
    if config.benchmark == "mmlu":
        return load_mmlu(
            config.data or MMLU, config.task, limit=config.limit, others=config.others, examples=config.synthetic
        )
    return load_wmdp(
        config.data or WMDP,
        config.mmlu,
        domains=config.domains,
        forget=config.forget,
        limit=config.limit,
        others=config.others,
    )
