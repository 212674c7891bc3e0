"""Whatever depends on a stage depends on those before it."""

from __future__ import annotations

from unlearned.benchmarks.versions import ASKING, FITTING, STAGES, TRAINING, versions


def test_later_stages_hold_the_earlier_ones_and_all_are_known() -> None:
    assert set(ASKING) < set(FITTING) < set(TRAINING) == set(STAGES)
    assert versions(*FITTING) == {stage: STAGES[stage] for stage in FITTING}
    assert versions() == {}
    assert all(number >= 1 for number in STAGES.values())
