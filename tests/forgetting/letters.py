"""A letter that names somebody."""

from __future__ import annotations

from unlearned.forgetting.claims import Claims
from unlearned.forgetting.forms import question_forms
from unlearned.forgetting.prompts import PromptSet, write_prompts
from unlearned.forgetting.subject import Subject

LETTER = (
    "Anna Berg was born in Skopje in 1968. She wrote The Iron River. The weather was fine. Her sister lives in Oslo."
)


def written(subject: Subject, *documents: str, known: bool = False) -> PromptSet:
    questions = question_forms(subject.kind).about(subject.spelt())
    answers = tuple((question, "Anna Berg was a baker in Skopje and" if known else "") for question in questions)
    return write_prompts(subject, Claims(answers, dict.fromkeys(questions, float(known)), {}), documents)
