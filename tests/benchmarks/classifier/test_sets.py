"""The sets of prompts that come with the package."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from classifier_data import write

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
