"""The sets of prompts that come with the package."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from unlearned.benchmarks.classifier.sets import (
    Data,
    Exam,
    data_folder,
    homonyms,
    synthetic,
    talks,
    translations,
)
from unlearned.errors import ConfigError, DataError


def test_an_exam_prompt_has_the_header_only_if_asked() -> None:
    exam = Exam("high_school_physics", " What falls? ", ("a", "b", "c", "d"))
    assert exam.prompt(header=False) == "What falls?\nA. a\nB. b\nC. c\nD. d\nAnswer:"
    assert exam.prompt(header=True).startswith(
        "The following are multiple choice questions (with answers) about high school physics.\n\nWhat falls?"
    )


@pytest.mark.parametrize("subject", ["economics", "physics", "law"])
def test_packaged_exam_questions_are_at_most_300(subject: str) -> None:
    exams = synthetic(subject)
    assert 100 <= len(exams) <= 300
    assert all(len(exam.choices) == 4 for exam in exams)


def test_packaged_translations_homonyms_and_talks_are_whole() -> None:
    by_language: dict[str, set[int]] = {}
    for translation in translations():
        by_language.setdefault(translation.language, set()).add(translation.row)
    assert set(by_language) == {"es", "fr", "de", "zh", "hi"}
    assert all(rows == set(range(40)) for rows in by_language.values())
    assert all(0 <= homonym.author < 20 and homonym.prompts for homonym in homonyms())
    kinds = Counter((talk.fragment, talk.innocent) for talk in talks())
    assert kinds == {(False, False): 100, (False, True): 100, (True, False): 40, (True, True): 40}
    assert all(len(talk.turns) % 2 == 1 and talk.turns[-1][0] == "user" for talk in talks())


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Data in the form of the real sets: one author is forgotten, four are not."""
    data = tmp_path / "data"
    asks = ("Who are the parents of {}?", "Which prizes did {} win?", "Where was {} born?", "What does {} write about?")
    again = (
        "Name the parents of {}.",
        "What prizes has {} won?",
        "In which place was {} born?",
        "{} writes about what?",
    )
    people = ("Zora Quill", "Bob Stone", "Carl Winter", "Dora Lake", "Emil Frost")

    def rows(names: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {"question": ask.format(name), "answer": "-", "paraphrased_question": other.format(name)}
            for name in names
            for ask, other in zip(asks, again, strict=True)
        ]

    for forget, retain in (("01", "99"), ("05", "95"), ("10", "90")):
        write(data / f"tofu/forget{forget}.jsonl", rows(people[:1]))
        write(data / f"tofu/forget{forget}_perturbed.jsonl", rows(people[:1]))
        write(data / f"tofu/retain{retain}.jsonl", rows(people[1:]))
    write(data / "tofu/retain_perturbed.jsonl", rows(people[1:]))
    return data


def test_missing_data_is_one_clear_line(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no data folder"):
        Data(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"mmlu.test\.jsonl"):
        Data(folder).exams("test")
    write(folder / "sst2/dev.jsonl", [{"text": "a phrase"}])
    with pytest.raises(DataError, match=r"dev\.jsonl, line 1: no column 'sentence'"):
        Data(folder).reviews("dev")
    monkeypatch.delenv("UNLEARNED_DATA", raising=False)
    with pytest.raises(ConfigError, match="--data"):
        data_folder(None)
    monkeypatch.setenv("UNLEARNED_DATA", str(folder))
    assert data_folder(None) == folder
    assert data_folder(tmp_path) == tmp_path
