"""What the report says in words, and what it says is not proven: each sentence follows from the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_run import make_run
from scipy.stats import ks_2samp

from unlearned.report import findings as words
from unlearned.report.findings import findings, headline, joined
from unlearned.report.limits import limits
from unlearned.report.power import critical_distance, power
from unlearned.report.read import read_run
from unlearned.report.run import ReportedRun


def run_of(folder: Path, **options: Any) -> ReportedRun:
    make_run(folder / "run", **options)
    return read_run(folder / "run")


def said(run: ReportedRun, *, marked: bool = True, artifacts: bool = True) -> str:
    return "\n".join(limits(run, marked=marked, artifacts=artifacts))


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


@pytest.mark.parametrize("count", [4, 6, 40, 200])
def test_the_critical_distance_is_the_first_that_the_test_rejects(count: int) -> None:
    least = critical_distance(count)
    assert least is not None
    ramp = np.arange(count)
    steps = round(least * count)
    rejected, kept = (ks_2samp(ramp, ramp + k - 0.5) for k in (steps, steps - 1))
    assert rejected.statistic == pytest.approx(least)
    assert rejected.pvalue < 0.05 <= kept.pvalue


def test_power_is_what_the_test_itself_rejects() -> None:
    generator = np.random.default_rng(5)
    hits = [
        ks_2samp(generator.standard_normal(40), generator.standard_normal(40) + 0.5).pvalue < 0.05 for _ in range(400)
    ]
    assert power(40, 0.5) == pytest.approx(np.mean(hits), abs=4 * (0.25 / 400) ** 0.5)
    assert power(40, 0.0) < 0.05
    assert power(40, 0.5) < power(200, 0.5) < power(400, 0.5) <= 1
    assert power(3, 5.0) == 0


def test_limits_follow_from_the_run(tmp_path: Path) -> None:
    full = run_of(tmp_path / "a", seeds=3, unlearners=("none", "eco", "refusal"), forget=40)
    text = said(full)
    assert "below 8.8 %" in text  # Clopper-Pearson of 0 of 40
    assert "distance of D = 0.325" in text
    assert "Without seeds, because nothing in them is drawn, with intervals over questions: none." in text
    assert "Intervals over 3 seeds" in text
    assert "refusal has no likelihoods" in text
    models = [model for model in full.unlearned if model.unlearner != "none"]
    over = sum(not item.computed for model in models for items in model.items.values() for item in items)
    assert over
    assert f"{over} of {sum(len(i) for m in full.unlearned for i in m.items.values())} results" in text
    for absent in ("rows of every set", "Not evaluated", "No artifacts", "nothing is marked", "fitted once"):
        assert absent not in text


def test_limits_of_a_trial_run(tmp_path: Path) -> None:
    run = run_of(tmp_path, limit=6, forget=6, paraphrased=False, unlearners=("none", "prompting"))
    text = said(run, marked=False, artifacts=False)
    assert "Only the first 6 rows of every set" in text
    assert "Not evaluated: reworded forget." in text
    assert "Every unlearner was fitted once" in text
    assert "nothing is marked" in text
    assert "No artifacts" in text
    for absent in ("detector was fitted", "taken over", "likelihoods", "Intervals over"):
        assert absent not in text


def test_names_are_joined() -> None:
    assert [joined(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
