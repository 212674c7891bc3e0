"""What limits a run."""

from __future__ import annotations

from pathlib import Path

from found import run_of, said


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
