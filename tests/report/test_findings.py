"""What the report says in words, and what it says is not proven: each sentence follows from the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from found import run_of, said

from unlearned.report import findings as words
from unlearned.report.findings import findings, headline, joined


def test_what_was_tested_is_named(tmp_path: Path) -> None:
    text = " ".join(words.tested(run_of(tmp_path, seeds=2, forget=6)))
    assert "SmolLM2-135M-Instruct (bfloat16, cpu), TOFU forget01: of 200 made-up authors, 2 are to be forgotten" in text
    assert "Made on 2026-01-31. Machine: x86_64" in text
    assert "6 forget, 6 reworded forget, 6 pairs of forget and retain, 9 retain" in text
    assert "none, eco and prompting; eco fitted with the seeds 0, 1." in text


def test_checks_tell_what_forgets_from_what_does_not(tmp_path: Path) -> None:
    found = {one.label: one for one in findings(run_of(tmp_path, forget=40))}
    assert list(found) == ["eco", "prompting"]
    # Its answers say nothing at all, and the retained model's a little.
    assert [check.holds for check in found["eco"].checks] == [True, False, True, True, True]
    assert "ROUGE-L, 0.000, lies within" in found["eco"].checks[1].text
    leaks, alike, _, apart, _ = found["prompting"].checks
    assert (leaks.holds, alike.holds, apart.holds) == (False, False, False)
    assert found["eco"].leaks == ("100.0 %", "0.0 %")
    assert found["eco"].sentences[0].startswith("0 of 40 forget questions are answered with a leak; before 40 of 40")
    assert headline(list(found.values())) == "No unlearner reached everything that is checked below."
    good = replace(found["eco"], checks=tuple(check for check in found["eco"].checks if check.holds))
    assert headline([good, found["prompting"]]) == "eco reached everything that is checked below."
    assert headline([found["prompting"]]) == "No unlearner reached everything that is checked below."


def test_over_forgetting_fails_its_check_and_is_said(tmp_path: Path) -> None:
    eco = findings(run_of(tmp_path, forget=40, past=4.0))[0]
    assert eco.checks[-1].holds is False
    assert "It over-forgets" in " ".join(eco.sentences)


def test_where_the_test_sees_no_difference_at_all_nothing_is_claimed(tmp_path: Path) -> None:
    run = run_of(tmp_path, forget=3)
    assert run.start.values["forget_quality"].value >= 0.05
    found = findings(run)
    assert [check.holds for one in found for check in one.checks if "truth ratios" in check.text] == [None, None]
    assert "but the run cannot tell all of it" in headline(found)
    assert "cannot fall below 0.05 at all" in said(run)


def test_names_are_joined() -> None:
    assert [joined(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
