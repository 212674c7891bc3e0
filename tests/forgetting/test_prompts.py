"""The prompts that are written for a subject, and the files that keep them."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from letters import LETTER, written

from unlearned.examples import read_rows
from unlearned.forgetting.claims import Claims
from unlearned.forgetting.forms import question_forms
from unlearned.forgetting.prompts import (
    save_answers,
    save_prompts,
    saved_answers,
    saved_prompts,
)
from unlearned.forgetting.subject import as_subject


def test_no_close_prompt_names_the_subject() -> None:
    subject = as_subject("Marie Curie")
    prompts = written(subject)
    assert all(subject.lexicon().places(row.prompt) or "Curie" in row.prompt for row in prompts.forget)
    assert not any(subject.lexicon().places(row.prompt) for row in prompts.retain)
    assert {row.prompt for row in prompts.forget}.isdisjoint(row.prompt for row in prompts.retain)


def test_what_is_said_of_the_subject_is_also_said_of_others() -> None:
    subject = as_subject("Anna Berg")
    prompts, lexicon = written(subject, LETTER), subject.lexicon()
    named = [row.prompt for row in prompts.forget if lexicon.places(row.prompt) and "Skopje" in row.prompt]
    assert named
    close = {row.prompt for row in prompts.retain}
    others = question_forms("person").neighbours
    for prompt in named:
        assert any(re.sub("Anna Berg", other, prompt) in close for other in others), prompt
    assert not any("Skopje" in prompt and lexicon.places(prompt) for prompt in close)


def test_what_the_model_cannot_say_becomes_no_question() -> None:
    subject = as_subject("Anna Berg")
    claim = "Is it true that Anna Berg was a baker in Skopje?"
    assert claim in {row.prompt for row in written(subject, known=True).forget}
    assert claim not in {row.prompt for row in written(subject).forget}


def test_a_namesake_is_exempt() -> None:
    prompts = written(as_subject("Jo Smith", about="dentist in Villach", not_about="Jo Smith, the cricketer,"))
    assert "Who is Jo Smith, the cricketer?" in {row.prompt for row in prompts.exempt}
    assert "Who was Jo Smith, dentist in Villach?" in {row.prompt for row in prompts.forget}


def test_prompts_are_private_files_that_can_be_edited(tmp_path: Path) -> None:
    folder = tmp_path / "berg.prompts"
    prompts = written(as_subject("Anna Berg"), LETTER)
    save_prompts(folder, prompts, "of this")
    assert saved_prompts(folder, "of this") == prompts
    assert saved_prompts(folder, "of that") is None
    assert read_rows(folder / "forget.jsonl") == list(prompts.forget)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    (folder / "forget.jsonl").write_text('{"prompt": "Who baked?"}\n', encoding="utf-8")
    edited = saved_prompts(folder, "of this")
    assert edited is not None
    assert [row.prompt for row in edited.forget] == ["Who baked?"]


def test_prompts_of_something_else_are_kept_beside_the_new_ones(tmp_path: Path) -> None:
    """`forget` on a folder that has been used before: what somebody has edited is not lost."""
    folder = tmp_path / "berg.prompts"
    save_prompts(folder, written(as_subject("Anna Berg"), LETTER), "of this")
    (folder / "forget.jsonl").write_text('{"prompt": "Who baked?"}\n', encoding="utf-8")
    new = written(as_subject("Maria Tal"), LETTER)
    save_prompts(folder, new, "of that")
    assert saved_prompts(folder, "of that") == new
    assert "Who baked?" in (folder / "forget.previous.jsonl").read_text(encoding="utf-8")
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.glob("retain*")} == {0o600}
    save_prompts(folder, written(as_subject("Anna Berg"), LETTER), "of a third")
    assert read_rows(folder / "forget.previous.jsonl") == list(new.forget)


def test_what_another_model_said_is_not_taken_over(tmp_path: Path) -> None:
    claims = Claims((("Who is Anna Berg?", "A baker."),), {}, {}, (("Who is Berg?", "Alban Berg."),))
    save_answers(tmp_path / "kept", claims, "", "one")
    assert saved_answers(tmp_path / "kept", "one") == (claims, "")
    assert saved_answers(tmp_path / "kept", "another") is None
