"""A line for every model, with its intervals."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.stats import beta, t
from seeds import results

from unlearned.report.lines import lines
from unlearned.report.read import read_run


def test_intervals_are_over_seeds_where_they_differ_and_else_over_questions(three_seeds: Path) -> None:
    models = results(three_seeds)["models"]
    own = [model["scores"]["forget_prob"] for model in models if model["unlearner"] == "eco"]
    assert len(set(own)) == 3
    line = next(line for line in lines(read_run(three_seeds)) if line.label == "eco")
    found = line.measured("forget_prob")
    assert found is not None
    assert found.over == "seeds"
    middle = sum(own) / 3
    spread = (sum((value - middle) ** 2 for value in own) / 2) ** 0.5
    assert found.interval == pytest.approx([middle + sign * t.ppf(0.975, 2) * spread / 3**0.5 for sign in (-1, 1)])
    same = line.measured("retain_prob")  # taken over from the start model with every seed
    assert same is not None
    assert same.over == "questions"
    assert same.interval == tuple(models[0]["scores"]["intervals"]["retain_prob"])


def test_a_share_has_the_exact_interval_and_none_leaves_the_scale(three_seeds: Path) -> None:
    every = {line.label: line for line in lines(read_run(three_seeds))}
    found = every["eco"].measured("forget_leak_rate")
    assert found is not None
    assert found.value == 0
    assert found.interval == pytest.approx((0, beta.ppf(0.975, 1, 20)))
    for line in every.values():
        for key in ("model_utility", "forget_rouge", "real_authors_prob", "agreement_spearman"):
            measured = line.measured(key)
            assert measured is not None
            assert measured.interval is not None
            assert -1 <= measured.interval[0] <= measured.value <= measured.interval[1] <= 1
