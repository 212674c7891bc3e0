"""TOFU's log format and what is computed from it. The published logs are read where UNLEARNED_DATA has them."""

from __future__ import annotations

import copy
import json
import math
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tofu_logs import Raw, made_up

from unlearned.benchmarks.tofu.config import ScoreConfig
from unlearned.benchmarks.tofu.log import (
    SETS,
    Generated,
    SetLog,
    TofuLog,
    as_json,
    from_json,
    other_splits,
    read_log,
    write_log,
)
from unlearned.benchmarks.tofu.scores import score_log
from unlearned.errors import ConfigError, DataError
from unlearned.metrics.text import rouge_recall
from unlearned.metrics.truth_ratio import log_truth_ratio, truth_ratio_scores
from unlearned.metrics.utility import forget_quality

LOGS = Path(os.environ.get("UNLEARNED_DATA", "")) / "tofu_logs"
MODELS = ("full", "retain90", "retain95", "retain99")
PUBLISHED = pytest.mark.skipif(
    not os.environ.get("UNLEARNED_DATA") or not LOGS.is_dir(), reason="UNLEARNED_DATA has no tofu_logs/"
)


def same(first: SetLog, second: SetLog) -> bool:
    return all(
        np.array_equal(a, b) if isinstance(a := getattr(first, f.name), np.ndarray) else a == b
        for f in fields(SetLog)
        for b in [getattr(second, f.name)]
    )


@pytest.fixture(scope="module")
def published() -> dict[str, TofuLog]:
    return {name: read_log(LOGS / f"phi_{name}_wd0.01.json") for name in MODELS}


# quantity -> full, retain90, retain95, retain99; the published phi logs
TABLE = {
    "retain_prob": (0.9260884161, 0.9231140313, 0.9254796805, 0.9283594688),
    "retain_rouge": (0.9292525097, 0.9200431186, 0.9159768433, 0.9315922322),
    "retain_truth_ratio": (0.4826830083, 0.4847391600, 0.4805334586, 0.4841952655),
    "real_authors_prob": (0.3773603260, 0.3841872783, 0.3828782616, 0.3689052701),
    "real_authors_rouge": (0.4156666667, 0.4753333333, 0.4156666667, 0.4473333333),
    "real_authors_truth_ratio": (0.4560090213, 0.4638361088, 0.4651723823, 0.4401660877),
    "world_facts_prob": (0.4089984522, 0.4080884362, 0.4132180362, 0.3988506399),
    "world_facts_rouge": (0.7773504274, 0.7556980057, 0.7659544160, 0.7500000000),
    "world_facts_truth_ratio": (0.4923369139, 0.4882634688, 0.5004924665, 0.4808107891),
    "model_utility": (0.5220737132, 0.5319909118, 0.5249587122, 0.5186033879),
    "forget_prob": (0.9282394842, 0.1349069616, 0.1367102340, 0.1710895102),
    "forget_rouge": (0.9248612623, 0.4278674282, 0.4285326757, 0.4378494136),
    "forget_truth_ratio": (0.4833555857, 0.6288417132, 0.6269407864, 0.6445950022),
    "forget_truth_ratio_raw": (0.5376754234, 0.9278748113, 0.9233536924, 0.8246989300),
    "forget_truth_ratio_prob_mean": (0.6781360246, 0.5671235162, 0.5708826100, 0.5760984608),
}
ARITHMETIC = {
    "retain_truth_ratio": (0.4590865637, 0.4611290000, 0.4567351234, 0.4607176743),
    "real_authors_truth_ratio": (0.4039388598, 0.4110181074, 0.4143093415, 0.3848710153),
    "world_facts_truth_ratio": (0.4379988281, 0.4363692251, 0.4476861165, 0.4266305128),
    "forget_truth_ratio": (0.5005549108, 0.6417550172, 0.6381478023, 0.6577585451),
    "model_utility": (0.5033530268, 0.5130011801, 0.5069786102, 0.4986127947),
}
# D, then p: exact, asymptotic, of min(R, 1/R), of the arithmetic ratio
TESTS = {
    ("full", "retain90"): (0.3466666667, 2.1942743022e-16, 1.3080449365e-16, 8.7777968746e-12, 2.4311282148e-17),
    ("full", "retain95"): (0.3416666667, 6.8665583024e-13, 5.2258547699e-13, 1.1230436172e-09, 2.0099867066e-14),
    ("full", "retain99"): (0.3716666667, 7.3673280387e-05, 7.5707834311e-05, 5.1304732603e-04, 6.7095840085e-05),
    ("retain90", "retain95"): (0.0566666667, 8.2120362356e-01, 8.1458702653e-01, 7.9358074061e-01, 9.1499139724e-01),
    ("retain95", "retain99"): (0.0850000000, 9.5961156517e-01, 9.5456842428e-01, 9.5961156517e-01, 9.7654250393e-01),
    ("retain90", "retain99"): (0.0850000000, 9.4314260420e-01, 9.4348403639e-01, 9.5851416546e-01, 9.1471940032e-01),
}


@PUBLISHED
@pytest.mark.parametrize("column", range(4), ids=MODELS)
def test_the_published_logs_give_the_published_numbers(published: dict[str, TofuLog], column: int) -> None:
    log = published[MODELS[column]]
    found, arithmetic = score_log(log).as_json(), score_log(log, config=ScoreConfig(mean="arithmetic")).as_json()
    for name, expected in TABLE.items():
        assert found[name] == pytest.approx(expected[column], abs=1e-10), name
    for name, expected in ARITHMETIC.items():
        assert arithmetic[name] == pytest.approx(expected[column], abs=1e-10), name
    assert found["truth_ratio"] == found["forget_truth_ratio"]
    assert found["counts"] == {
        "retain": 300, "forget": (300, 300, 200, 40)[column], "real_authors": 100, "world_facts": 117,
        "retained_forget": None,
    }  # fmt: skip


@PUBLISHED
def test_three_anchors_to_twelve_digits(published: dict[str, TofuLog]) -> None:
    full, retained = published["full"], published["retain90"]
    assert score_log(full).model_utility.value == pytest.approx(0.522073713204, abs=1e-12)
    assert score_log(retained).model_utility.value == pytest.approx(0.531990911780, abs=1e-12)
    quality = score_log(full, retained).forget_quality
    assert quality is not None
    assert quality.p_value == pytest.approx(2.194274302189e-16, rel=1e-9)


@PUBLISHED
@pytest.mark.parametrize("pair", TESTS, ids=" vs ".join)
def test_the_published_pairs_give_the_published_p_values(published: dict[str, TofuLog], pair: tuple[str, str]) -> None:
    distance, exact, asymptotic, folded, arithmetic = TESTS[pair]
    configs = [
        (ScoreConfig(), exact),
        (ScoreConfig(method="asymp"), asymptotic),
        (ScoreConfig(fold=True), folded),
        (ScoreConfig(mean="arithmetic"), arithmetic),
    ]
    for config, expected in configs:
        found = score_log(published[pair[0]], published[pair[1]], config)
        assert found.forget_quality is not None
        assert found.forget_quality.p_value == pytest.approx(expected, rel=1e-6), config
    found = score_log(published[pair[0]], published[pair[1]])
    values = found.as_json()
    assert values["ks_statistic"] == pytest.approx(distance, abs=1e-10)
    assert values["log10_forget_quality"] == pytest.approx(math.log10(exact), abs=1e-6)
    if pair == ("full", "retain90"):
        assert found.agreement is not None
        assert found.agreement_missing is None
    else:
        assert found.agreement is None
        assert "forget rows" in (found.agreement_missing or "")


@PUBLISHED
def test_the_same_hundred_questions_of_two_splits(published: dict[str, TofuLog]) -> None:
    def logs(name: str, rows: slice, mean: Any = "geometric") -> Any:
        forget = published[name].forget
        return log_truth_ratio(forget.paraphrased_losses[rows], forget.wrong_losses[rows], mean=mean)

    first, second = slice(200, 300), slice(0, 100)
    texts = [published[name].forget.generated for name in ("full", "retain95")]
    assert [t.truth for t in (texts[0] or ())[first]] == [t.truth for t in (texts[1] or ())[second]]
    found = forget_quality(logs("full", first), logs("retain95", second))
    assert found.statistic == pytest.approx(0.41)
    assert found.p_value == pytest.approx(6.6173576048e-08, rel=1e-6)
    asymptotic = forget_quality(logs("full", first), logs("retain95", second), method="asymp")
    assert asymptotic.p_value == pytest.approx(4.0849242526e-08, rel=1e-6)
    folded = [truth_ratio_scores(logs(*which), "min") for which in (("full", first), ("retain95", second))]
    assert forget_quality(*folded).p_value == pytest.approx(1.7527190840e-06, rel=1e-6)
    arithmetic = [logs(*which, "arithmetic") for which in (("full", first), ("retain95", second))]
    assert forget_quality(*arithmetic).p_value == pytest.approx(2.7494654837e-08, rel=1e-6)


@PUBLISHED
def test_recall_computed_anew_is_the_published_one_for_every_row(published: dict[str, TofuLog]) -> None:
    checked = 0
    for name in SETS:
        log: SetLog = getattr(published["full"], name)
        assert log.generated is not None
        texts, truths = [g.text for g in log.generated], [g.truth for g in log.generated]
        assert rouge_recall(texts, truths) == pytest.approx(log.rouge_recall, abs=1e-12)
        assert rouge_recall(texts, truths, variant="rouge1") == pytest.approx(log.rouge1_recall, abs=1e-12)
        checked += len(log)
    assert checked == 817


@PUBLISHED
@pytest.mark.parametrize("name", MODELS)
def test_a_published_log_is_written_as_it_was_read(published: dict[str, TofuLog], name: str, tmp_path: Path) -> None:
    write_log(tmp_path / "log.json", published[name])
    again = read_log(tmp_path / "log.json")
    assert all(same(getattr(again, each), getattr(published[name], each)) for each in SETS)
    theirs: Raw = json.loads((LOGS / f"phi_{name}_wd0.01.json").read_text(encoding="utf-8"))
    ours: Raw = json.loads((tmp_path / "log.json").read_text(encoding="utf-8"))
    for key, columns in theirs.items():
        assert set(ours[key]) == set(columns)
        for field, values in columns.items():
            if field == "generated_text":
                assert ours[key][field] == values
            else:  # sums and ratios were stored in single precision
                assert list(ours[key][field]) == list(values)
                expected = np.array(list(values.values()))
                assert np.array(list(ours[key][field].values())) == pytest.approx(expected, rel=1e-5), field


def test_reading_what_was_written_gives_the_same(tmp_path: Path) -> None:
    log = from_json(made_up())
    write_log(tmp_path / "log.json", log)
    again = read_log(tmp_path / "log.json")
    assert all(same(getattr(log, name), getattr(again, name)) for name in SETS)
    assert not same(log.retain, from_json(made_up(1)).retain)


def test_rows_are_matched_by_their_number_not_by_their_place() -> None:
    raw = made_up()
    shuffled = copy.deepcopy(raw)
    generator = np.random.default_rng(0)
    for columns in shuffled.values():
        for field, values in columns.items():
            order = generator.permutation(list(values)).tolist()
            columns[field] = {str(int(key) + 3600): values[key] for key in order}
    log, other = from_json(raw), from_json(shuffled)
    assert other.forget.ids.tolist() == [3600, 3601, 3602, 3603, 3604, 3605]
    assert np.array_equal(log.forget.wrong_losses, other.forget.wrong_losses)
    assert log.forget.generated == other.forget.generated
    assert score_log(log, other).as_json()["agreement_log_distance"] == 0
    # Ten comes after nine: the first rows are those with the lowest numbers.
    assert from_json(made_up(forget=12)).first(10).forget.ids.tolist() == list(range(10))


def test_optional_and_unknown_fields_may_be_missing_or_there() -> None:
    raw = made_up()
    for columns in raw.values():
        for field in list(columns):
            if field not in ("avg_gt_loss", "avg_paraphrased_loss", "average_perturb_loss", "rougeL_recall"):
                del columns[field]
        columns["something_else"] = {"note": "kept by other tools"}
    raw["more.json"] = {}
    log = from_json(raw)
    assert log.forget.generated is None
    assert score_log(log).as_json()["model_utility"] == score_log(from_json(made_up())).as_json()["model_utility"]
    assert set(as_json(log)["eval_log.json"]) == {
        "avg_gt_loss", "avg_paraphrased_loss", "average_perturb_loss", "rougeL_recall", "truth_ratio",
    }  # fmt: skip


def test_the_model_against_itself_agrees_fully() -> None:
    log = from_json(made_up())
    values = score_log(log, log).as_json()
    assert (values["forget_quality"], values["log10_forget_quality"], values["ks_statistic"]) == (1, 0, 0)
    assert values["agreement_spearman"] == pytest.approx(1)
    assert values["agreement_wilcoxon_p"] == 1


def test_logs_of_different_forget_splits_are_refused() -> None:
    other = made_up()
    other["eval_log_forget.json"]["generated_text"]["2"][2] = "Another answer altogether"
    with pytest.raises(DataError, match=r"different forget splits: row 2 is 'forget 2' in one and 'Another answer"):
        score_log(from_json(made_up()), from_json(other))


def test_spaces_around_a_true_answer_do_not_make_another_split() -> None:
    other = made_up(1)
    other["eval_log_forget.json"]["generated_text"]["2"][2] += " \n"
    assert score_log(from_json(made_up()), from_json(other)).agreement is not None


def test_rows_that_cannot_be_matched_are_not_compared_one_by_one() -> None:
    first, other = made_up(), made_up(1)
    for raw in (first, other):
        del raw["eval_log_forget.json"]["generated_text"]
    assert score_log(from_json(first), from_json(other)).agreement is not None
    for field, values in other["eval_log_forget.json"].items():
        other["eval_log_forget.json"][field] = {str(int(key) + 40): value for key, value in values.items()}
    found = score_log(from_json(first), from_json(other))
    assert found.forget_quality is not None
    assert found.agreement is None
    assert "row numbers differ" in (found.agreement_missing or "")


def test_with_other_numbers_of_rows_the_test_is_done_and_the_reason_is_given() -> None:
    values = score_log(from_json(made_up()), from_json(made_up(1, forget=9))).as_json()
    assert 0 < values["forget_quality"] <= 1
    assert values["counts"]["retained_forget"] == 9
    assert values["agreement_missing"] == "the two logs have 6 and 9 forget rows"
    assert values["agreement_wilcoxon_p"] is None


def test_settings_out_of_range_are_refused() -> None:
    for setting, expected in (
        ({"mean": "median"}, "geometric, arithmetic"),
        ({"method": "bayes"}, "auto, exact, asymp"),
        ({"ds_size": 0}, "at least 1"),
    ):
        with pytest.raises(ConfigError, match=expected):
            ScoreConfig(**setting)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least 1"):
        from_json(made_up()).first(0)


FORGET = "eval_log_forget.json"


def _set(field: str, row: str, value: Any) -> Callable[[Raw], None]:
    def change(raw: Raw) -> None:
        raw[FORGET][field][row] = value

    return change


MISTAKES: list[tuple[Callable[[Raw], Any], str]] = [
    (lambda raw: raw.pop(FORGET), "'eval_log_forget.json' is missing"),
    (lambda raw: raw[FORGET].pop("rougeL_recall"), "eval_log_forget.json: the field 'rougeL_recall' is missing"),
    (lambda raw: raw[FORGET]["rougeL_recall"].pop("3"), "rougeL_recall: row 3 is missing"),
    (lambda raw: raw[FORGET]["num_token_gt"].pop("3"), "num_token_gt: row 3 is missing"),
    (_set("rougeL_recall", "9", 0.5), "rougeL_recall: row 9 is not in avg_gt_loss"),
    (_set("rougeL_recall", "1", 1.5), "rougeL_recall, row 1: 1.5 is no possible value"),
    (_set("avg_gt_loss", "1", float("nan")), "avg_gt_loss, row 1: nan is no possible value"),
    (_set("avg_gt_loss", "1", float("inf")), "avg_gt_loss, row 1: inf is no possible value"),
    (_set("avg_gt_loss", "1", -0.5), "avg_gt_loss, row 1: -0.5 is no possible value"),
    (_set("avg_gt_loss", "1", 10**400), "avg_gt_loss: a number is too large"),
    (_set("avg_gt_loss", "1", None), "avg_gt_loss, row 1: None is not a number"),
    (_set("avg_gt_loss", "1", "0.5"), "row 1: '0.5' is not a number"),
    (_set("avg_gt_loss", "1", True), "row 1: True is not a number"),
    (_set("avg_gt_loss", "1", [0.5]), "row 1: [0.5] is not a number"),
    (_set("avg_gt_loss", "one", 0.5), "'one' is not a row number"),
    (_set("avg_gt_loss", "01", 0.5), "row 1 is there twice"),
    (_set("average_perturb_loss", "2", [1.0, 2.0]), "row 2: 2 values where the rows above have 5"),
    (_set("average_perturb_loss", "2", 1.0), "average_perturb_loss, row 2: 1.0 is not a list"),
    (_set("average_perturb_loss", "2", [1, 2, 3, 4, float("nan")]), "average_perturb_loss, row 2: nan"),
    (_set("num_token_perturb", "0", [1, 2]), "num_token_perturb, row 1: 5 values where the rows above have 2"),
    (_set("num_token_gt", "0", 0), "num_token_gt, row 0: 0 is no possible value"),
    (_set("generated_text", "0", ["a", "b"]), "generated_text, row 0: not a list of three texts"),
    (lambda raw: raw[FORGET].update(avg_gt_loss=[1, 2]), "avg_gt_loss: not an object from row numbers"),
    (lambda raw: raw[FORGET].update(avg_gt_loss={}), "avg_gt_loss: there are no rows"),
    (lambda raw: raw.update({FORGET: [1]}), "eval_log_forget.json: not an object of fields"),
    (
        lambda raw: raw[FORGET].update(average_perturb_loss={str(i): [] for i in range(6)}),
        "average_perturb_loss: every row needs at least one wrong answer",
    ),
    (
        lambda raw: raw[FORGET].update(num_token_perturb={str(i): [1, 2] for i in range(6)}),
        "num_token_perturb: an array of shape (6, 2) where (6, 5) is needed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), MISTAKES, ids=[expected for _, expected in MISTAKES])
def test_a_bad_log_is_refused_with_one_line_that_names_the_place(
    change: Callable[[Raw], Any], expected: str, tmp_path: Path
) -> None:
    raw = made_up()
    change(raw)
    file = tmp_path / "log.json"
    file.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_log(file)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", "line 1, column 2: not valid JSON"),
        (b"", "not valid JSON"),
        (b"[1, 2]", "not a TOFU log"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"eval_log.json": {}}', "'eval_log_forget.json' is missing"),
    ],
)
def test_a_file_that_is_no_log_is_refused(content: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "log.json").write_bytes(content)
    with pytest.raises(DataError, match=expected):
        read_log(tmp_path / "log.json")
    with pytest.raises(DataError, match="Cannot read"):
        read_log(tmp_path / "none.json")


def test_a_set_made_in_memory_is_checked_too() -> None:
    good = {"answer_losses": np.ones(2), "paraphrased_losses": np.ones(2), "wrong_losses": np.ones((2, 3))}
    recall = {"rouge_recall": np.ones(2)}
    with pytest.raises(DataError, match="ascending"):
        SetLog(ids=np.array([1, 0]), **good, **recall)
    with pytest.raises(DataError, match=r"rougeL_recall: an array of shape \(3,\)"):
        SetLog(ids=np.arange(2), **good, rouge_recall=np.ones(3))
    with pytest.raises(DataError, match="no rows"):
        SetLog(ids=np.arange(0), **good, **recall)
    with pytest.raises(DataError, match="0 texts for 2 rows"):
        SetLog(ids=np.arange(2), **good, **recall, generated=())


# A number over the logs of two models means something only if they answered the same questions.


def _answered(truths: list[str] | None, ids: list[int]) -> SetLog:
    count = len(ids)
    losses: dict[str, Any] = {
        "answer_losses": np.ones(count),
        "paraphrased_losses": np.ones(count),
        "wrong_losses": np.ones((count, 2)),
        "rouge_recall": np.ones(count),
    }
    generated = None if truths is None else tuple(Generated(f"{t}?", "x", t) for t in truths)
    return SetLog(ids=np.array(ids), generated=generated, **losses)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (["a", "b", "c"], ["c ", "a"], None),  # a log that was cut short
        (["a", "b", "c"], ["x", "y"], "share no question"),
        (["a", "b", "c"], ["a", "y", "z"], "share 1 of 3 questions"),
        (None, ["x", "y"], "not known"),
    ],
)
def test_logs_of_different_splits_are_told_from_logs_that_were_cut_short(
    first: list[str] | None, second: list[str], said: str | None
) -> None:
    logs = _answered(first, [0, 1, 2]), _answered(second, list(range(len(second))))
    found = other_splits(*logs)
    assert found == other_splits(*reversed(logs))
    assert (found is None) if said is None else said in (found or "")
