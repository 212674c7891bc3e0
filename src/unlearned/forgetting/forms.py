"""The packaged question forms of each kind of subject, and well-known subjects of the same kind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from unlearned.names.forms import Kind


@dataclass(frozen=True, slots=True)
class QuestionForms:
    """What is asked about subjects of one kind."""

    forms: tuple[str, ...]
    """Each with {name}."""

    neighbours: tuple[str, ...]
    """Subjects of this kind that are not to be forgotten."""

    def about(self, names: Sequence[str]) -> list[str]:
        """Every form, with the names in turn."""
        return [asked(form, names[n % len(names)]) for n, form in enumerate(self.forms)]


def asked(form: str, name: str) -> str:
    """The form with the name in it."""
    text = form.replace("{name}'s", name + ("'" if name.endswith("s,") else "'s")) if "," not in name else form
    text = text.replace("{name}", name)
    for mark in (",?", ",.", ",'"):
        text = text.replace(mark, mark[1:])
    return text[0].upper() + text[1:]


@lru_cache(maxsize=8)
def question_forms(kind: Kind) -> QuestionForms:
    """Question forms that ship with the package."""
    text = files("unlearned").joinpath("data/question_forms.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines() if line]
    found = next(row for row in rows if row["kind"] == kind)
    return QuestionForms(tuple(found["forms"]), tuple(found["neighbours"]))
