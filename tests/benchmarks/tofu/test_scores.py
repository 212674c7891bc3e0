"""The scores are those of the formulas written out."""

from __future__ import annotations

import json
import math

import pytest
from tofu_logs import made_up

from oracles import metrics as oracle
from unlearned.benchmarks.tofu.config import ScoreConfig
from unlearned.benchmarks.tofu.log import (
    SETS,
    from_json,
)
from unlearned.benchmarks.tofu.scores import score_log


def test_the_scores_are_those_of_the_formulas_written_out() -> None:
    raw = made_up()
    found = score_log(from_json(raw)).as_json()
    nine = []
    for name in ("retain", "real_authors", "world_facts"):
        columns = raw[SETS[name]]
        keys = list(columns["avg_gt_loss"])
        ratios = [
            oracle.truth_ratio(columns["avg_paraphrased_loss"][k], columns["average_perturb_loss"][k]) for k in keys
        ]
        nine.append(sum(max(0, 1 - ratio) for ratio in ratios) / len(keys))
        assert found[f"{name}_truth_ratio"] == pytest.approx(nine[-1])
        if name == "retain":
            likely = [math.exp(-columns["avg_gt_loss"][k]) for k in keys]
        else:
            likely = [
                oracle.normalised_probability(columns["avg_gt_loss"][k], columns["average_perturb_loss"][k])
                for k in keys
            ]
        nine.append(sum(likely) / len(keys))
        assert found[f"{name}_prob"] == pytest.approx(nine[-1])
        nine.append(sum(columns["rougeL_recall"].values()) / len(keys))
    assert found["model_utility"] == pytest.approx(9 / sum(1 / value for value in nine))
    forget = raw["eval_log_forget.json"]
    ratios = [
        oracle.truth_ratio(forget["avg_paraphrased_loss"][k], forget["average_perturb_loss"][k])
        for k in forget["avg_gt_loss"]
    ]
    assert found["truth_ratio"] == pytest.approx(sum(min(r, 1 / r) for r in ratios) / len(ratios))
    assert found["forget_truth_ratio_raw"] == pytest.approx(sum(ratios) / len(ratios))


def test_every_number_of_the_forget_set_has_an_error_and_the_utility_does_not_see_the_set() -> None:
    changed = made_up()
    changed["eval_log_forget.json"] = made_up(5)["eval_log_forget.json"]
    first, second = score_log(from_json(made_up())), score_log(from_json(changed))
    assert first.model_utility == second.model_utility
    assert first.components["forget_prob"] != second.components["forget_prob"]
    values = first.as_json()
    assert set(values["standard_errors"]) == set(values["intervals"])
    assert all(error > 0 for error in values["standard_errors"].values())
    assert values["forget_quality"] is values["agreement_spearman"] is None
    assert values["agreement_missing"] == "no log of the retained model was given"
    json.dumps(values, allow_nan=False)


def test_only_the_first_rows_count() -> None:
    raw = made_up(forget=6)
    log = from_json(raw)
    for columns in raw.values():
        for values in columns.values():
            for key in [key for key in values if int(key) >= 3]:
                del values[key]
    short = score_log(from_json(raw)).as_json()
    found = score_log(log, config=ScoreConfig(ds_size=3)).as_json()
    assert {**found, "settings": None} == {**short, "settings": None}
    assert score_log(log, config=ScoreConfig(ds_size=None)).as_json()["counts"]["forget"] == 6
    pair = score_log(log, from_json(made_up(1, forget=9)), ScoreConfig(ds_size=3))
    assert pair.forget_quality is not None
    assert pair.forget_quality.counts == (3, 3)
    assert pair.agreement is not None
