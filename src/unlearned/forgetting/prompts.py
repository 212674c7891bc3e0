"""The prompts from which a subject is forgotten: written, kept in files that people can edit, and read again."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from unlearned.classify.lexicon import Lexicon
from unlearned.errors import DataError
from unlearned.examples import Row, evenly, read_rows
from unlearned.files import write_bytes
from unlearned.forgetting.claims import Claims
from unlearned.forgetting.forms import asked, question_forms
from unlearned.forgetting.statements import rows_of, sentences_about
from unlearned.forgetting.subject import Subject
from unlearned.names.matcher import tokens
from unlearned.names.parts import is_initial, person_name
from unlearned.names.words import KEPT

MOST_STATEMENTS = 60
"""Most statements of all documents together."""

NAMESAKES = 12
"""Close prompts about people who share a first or a last name with the subject."""

FILES = {"forget": "forget.jsonl", "retain": "retain.jsonl", "exempt": "exempt.jsonl"}
MADE_OF, ANSWERS = "made_of.sha256", "answers.json"
PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
_LISTED = re.compile(
    r"^[\s\d.)*•-]*([A-Z][\w'’.-]+(?: (?:[A-Z][\w'’.-]*|de|da|van|von|al|of|the|and)){0,4})\s*(?:[,(:–-].*)?$"
)


@dataclass(frozen=True, slots=True)
class PromptSet:
    """What `fit` gets."""

    forget: tuple[Row, ...]
    retain: tuple[Row, ...]
    exempt: tuple[Row, ...] = ()


def write_prompts(subject: Subject, claims: Claims, documents: Sequence[str] = (), listed: str = "") -> PromptSet:
    """All prompts for a subject.

    Args:
        subject: what is to be forgotten.
        claims: the model's answers to `question_forms(kind).about(subject.spelt())`.
        documents: texts about the subject.
        listed: the model's answer when it was asked for similar subjects.
    """
    lexicon, name = subject.lexicon(), subject.names[0]
    forget = [Row(question, answer or None) for question, answer in claims.answers]
    for question, answer in claims.answers:
        if claims.known and question in claims.consistent:
            for sentence in sentences_about(_about(answer, name), lexicon):
                forget += rows_of(sentence, name, subject.kind, lexicon)
    statements = [sentence for text in documents for sentence in sentences_about(text, lexicon)]
    for sentence in evenly(statements, MOST_STATEMENTS):
        forget += rows_of(sentence, name, subject.kind, lexicon)
    forms = question_forms(subject.kind)
    others = [other for other in [*_names_listed(listed), *forms.neighbours] if not lexicon.places(other)]
    retain = [Row(question) for question in forms.about(others)]
    retain += _of_others([row.prompt for row in forget[len(claims.answers) :]], others, lexicon)
    retain += [Row(asked(form, other)) for form, other in zip(reversed(forms.forms), others, strict=False)]
    if subject.kind == "person":
        retain += [Row(asked(form, other)) for form, other in zip(forms.forms, _namesakes(name, others), strict=False)]
    exempt = [Row(asked(form, other)) for other in subject.not_about for form in forms.forms]
    taken = {row.prompt for row in forget}
    return PromptSet(
        _distinct(forget),
        _distinct(row for row in retain if row.prompt not in taken and not lexicon.places(row.prompt)),
        _distinct(row for row in exempt if row.prompt not in taken),
    )


def _of_others(prompts: Sequence[str], others: Sequence[str], lexicon: Lexicon) -> list[Row]:
    """What is said of the subject, said of somebody else: that alone does not make a prompt one about the subject."""
    found = []
    for prompt, other in zip(prompts, cycle(others), strict=False):
        if places := lexicon.places(prompt):
            for start, end in sorted(places, reverse=True):
                prompt = prompt[:start] + other + prompt[end:]
            found.append(Row(prompt))
    return found


def _about(answer: str, name: str) -> str:
    """An answer as statements about the subject; one that was cut short ends with a word that says something."""
    words = answer.split()
    while words and words[-1].lower() in KEPT:
        words.pop()
    text = " ".join(words)
    return re.sub(r"^(?:He|She|It|They)\b", name, text.strip())


def _names_listed(answer: str) -> list[str]:
    found = [match[1] for line in answer.split("\n") if (match := _LISTED.match(line.strip())) is not None]
    return [name for name in dict.fromkeys(found) if 1 < len(tokens(name)) < 5][:8]


def _namesakes(name: str, others: Sequence[str]) -> list[str]:
    """Other people with the first name or with the last name."""
    own = person_name(name)
    if len(own.units) < 2:
        return []
    found = []
    for n, other in enumerate(evenly(list(others), NAMESAKES)):
        units = person_name(other).units
        if len(units) > 1:
            found.append(f"{units[0]} {own.last}" if n % 2 or is_initial(own.first) else f"{own.first} {units[-1]}")
    return found


def _distinct(rows: Iterable[Row]) -> tuple[Row, ...]:
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(row.prompt, row)
    return tuple(found.values())


def save_prompts(folder: Path, prompts: PromptSet, made_of: str) -> None:
    """Write the prompts as JSONL in the format of `fit`, readable by their owner only.

    Those that were made of something else, and may have been edited, are kept as `NAME.previous.jsonl`.
    """
    private_folder(folder)
    if (folder / MADE_OF).is_file():
        for name in FILES.values():
            previous = folder / name.replace(".jsonl", ".previous.jsonl")
            previous.unlink(missing_ok=True)
            if (folder / name).is_file():
                os.replace(folder / name, previous)
    for field, name in FILES.items():
        rows: Sequence[Row] = getattr(prompts, field)
        if rows:
            lines = [json.dumps(_columns(row), ensure_ascii=False) for row in rows]
            write_bytes(folder / name, ("\n".join(lines) + "\n").encode(), mode=PRIVATE_FILE)
        else:
            (folder / name).unlink(missing_ok=True)
    write_bytes(folder / MADE_OF, made_of.encode(), mode=PRIVATE_FILE)


def saved_prompts(folder: Path, made_of: str) -> PromptSet | None:
    """Prompts that were made before of the same; with what a user has changed in the files since."""
    try:
        if (folder / MADE_OF).read_text(encoding="utf-8") != made_of:
            return None
    except OSError:
        return None
    rows = {field: tuple(read_rows(folder / name)) for field, name in FILES.items() if (folder / name).is_file()}
    return PromptSet(rows.get("forget", ()), rows.get("retain", ()), rows.get("exempt", ()))


def save_answers(folder: Path, claims: Claims, listed: str, model: str) -> None:
    """Keep what the model of these weights said: asking it takes longest."""
    private_folder(folder)
    data = {
        "model": model,
        "answers": [list(pair) for pair in claims.answers],
        "agreement": claims.agreement,
        "agreement_invented": claims.agreement_invented,
        "listed": listed,
        "short": [list(pair) for pair in claims.short],
    }
    write_bytes(folder / ANSWERS, json.dumps(data, ensure_ascii=False, indent=1).encode(), mode=PRIVATE_FILE)


def saved_answers(folder: Path, model: str) -> tuple[Claims, str] | None:
    """What the model of these weights said before, if that is kept."""
    try:
        data: Any = json.loads((folder / ANSWERS).read_text(encoding="utf-8"))
        if data["model"] != model:
            return None
        answers = tuple((str(question), str(answer)) for question, answer in data["answers"])
        short = tuple((str(question), str(answer)) for question, answer in data["short"])
        return Claims(answers, dict(data["agreement"]), dict(data["agreement_invented"]), short), str(data["listed"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fingerprint(*parts: object) -> str:
    """Hash of everything that prompts are made of."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def private_folder(folder: Path) -> None:
    """A folder that its owner alone can read."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(PRIVATE_FOLDER)
    except OSError as error:
        raise DataError(f"Cannot write to {folder}: {error.strerror}.") from error


def _columns(row: Row) -> dict[str, str]:
    return {"prompt": row.prompt} | ({"answer": row.answer} if row.answer else {})
