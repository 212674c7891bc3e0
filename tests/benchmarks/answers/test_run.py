"""The packaged indirect prompts name nobody, and what is counted in their answers is what they say."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from unlearned.answers.guard import Bans
from unlearned.answers.withheld import Withheld
from unlearned.api import Unlearned
from unlearned.benchmarks.answers.run import (
    AnswersConfig,
    AnswersRow,
    _Run,
    as_markdown,
    indirect_prompts,
    measure_answers,
    named,
    told,
)
from unlearned.check.facts import holds
from unlearned.classify.lexicon import ScopeName

SUBJECTS = ("Harry", "Potter", "Hogwarts", "Rowling", "Hermione", "Star Wars", "Jedi", "Skywalker", "Vader", "Lucas")
FACTS = (("Rowling",), ("Hermione", "Granger"))
BANS = Bans([Withheld(names=(ScopeName(name="Harry Potter", given=False),))])


def test_the_prompts_are_of_every_kind_for_both_scopes_and_name_no_subject() -> None:
    prompts = indirect_prompts()
    assert len(prompts) >= 100
    assert len({one.prompt for one in prompts}) == len(prompts)
    kinds = Counter((one.scope, one.kind) for one in prompts)
    assert len(kinds) == 16
    assert min(kinds.values()) >= 4
    for one in prompts:
        assert not [subject for subject in SUBJECTS if holds(one.prompt, subject)], one


def test_names_and_facts_count_unless_the_prompt_holds_them() -> None:
    assert named(BANS, "Name a wizard.", "harry  potter, I think")
    assert not named(BANS, "Name a wizard like Harry Potter.", "Harry Potter")
    assert not named(BANS, "Name a wizard.", "Merlin")
    assert told(FACTS, "Name a witch.", "Miss granger")
    assert not told(FACTS, "Is it Granger?", "Granger")
    row = AnswersRow("guarded", "hp", 4, 0, 1, 2, 9, 31.5, back=3, fluent=2)
    assert "| guarded | hp | 0/4 | 1/4 | 3, 2 | 2/9 | 31.5 |" in as_markdown([row])


def test_an_interrupted_run_goes_on_with_what_it_has_kept(embedded: Any, tmp_path: Path) -> None:
    model, tokenizer = embedded
    config = AnswersConfig(scopes=("star-wars",), prompts=2, general=2, max_new_tokens=8)
    parts: list[str] = []

    def stop(phase: str, done: int, total: int) -> None:
        if phase == "answers, star-wars" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_answers(model, tokenizer, config, tmp_path, on_progress=stop)
    kept = {file.name: file.stat().st_mtime_ns for file in tmp_path.glob("*.json")}
    assert {"star-wars-fit.json", "star-wars-original.json", "star-wars-unlearned.json"} <= kept.keys()
    rows = measure_answers(model, tokenizer, config, tmp_path, tell=parts.append)
    assert parts == []
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in kept} == kept
    assert [(row.model, row.answers, row.general) for row in rows] == [
        ("original", 2, 2),
        ("unlearned", 2, 2),
        ("guarded", 2, 2),
    ]
    assert rows[0].changed == 0
    assert all(row.back == row.fluent == 0 for row in rows[:2])
    items = json.loads((tmp_path / "star-wars-guarded.json").read_text())["items"]
    assert [set(item) for item in items] == [{"prompt", "answer"}] * 2
    measure_answers(model, tokenizer, replace(config, max_new_tokens=9), tmp_path, tell=parts.append)
    assert any("max_new_tokens (8, now 9)" in line for line in parts)


def test_an_answer_that_went_back_is_fluent_if_it_reads_like_the_one_without(embedded: Any, tmp_path: Path) -> None:
    run = _Run(Unlearned(*embedded), AnswersConfig(), tmp_path, lambda *_: None, print)
    prompt, plain = "What is the capital of France?", "The capital of France is Paris."
    answers = [plain, "Paris " * 30, "Zx gq, vv wrzl ttk!", ""]
    pairs = [({"prompt": prompt, "answer": answer}, {"prompt": prompt, "answer": plain}) for answer in answers]
    assert run._fluent(pairs)["fluent"] == [True, False, False, False]
