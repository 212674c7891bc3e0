"""The demonstration: its data, its way of counting leaks, and the command on the embedded model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from unlearned.check.facts import FactQuestion
from unlearned.cli.main import app
from unlearned.demo.concepts import CONCEPTS, Concept, general_prompts


def test_a_leak_is_a_fact_as_a_whole_word_that_the_question_does_not_hold() -> None:
    question = FactQuestion("Who wrote the Harry Potter books?", (("Rowling",), ("Potter",)))
    assert question.leaked_by("It was J.K. ROWLING.")
    assert not question.leaked_by("Rowlings of that name are many.")
    assert not question.leaked_by("Harry Potter is a book.")
    assert not question.leaked_by("")


@pytest.mark.parametrize("name", CONCEPTS)
def test_nothing_that_is_held_out_was_used_for_fitting(name: str) -> None:
    concept = Concept(name)
    used = {row.prompt.lower() for row in [*concept.forget, *concept.retain]}
    held_out = [question.prompt for question in concept.held_out] + concept.retain_held_out + general_prompts()
    assert not used & {prompt.lower() for prompt in held_out}
    assert len(concept.held_out) >= 20
    assert all(question.facts for question in concept.held_out)


@pytest.mark.slow
@pytest.mark.timeout(2400)  # without instructions for bfloat16, and beside other tests
def test_the_demo_reaches_the_unlearned_state_and_writes_a_page_without_requests(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    app(["demo", "--out", str(tmp_path / "demo")], standalone_mode=False)  # raises if the state was not reached
    printed = capfd.readouterr().out
    same, of = re.search(r"identical to the original model's: (\d+) of (\d+)", printed).groups()  # type: ignore[union-attr]
    assert same == of
    assert int(of) >= 40
    page = (tmp_path / "demo/report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 4
    assert not re.findall(r"(?:src|href)=[\"']https?:|url\(|@import|<script|<link", page.replace("url(#", "(#"))
    assert "/home/" not in page
    assert str(Path.home()) not in page
