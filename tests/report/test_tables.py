"""What the tables say: the run's own numbers, means and intervals over seeds, the best, over-forgetting."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_run import make_run
from scipy.stats import beta
from seeds import UNLEARNERS, results

from unlearned.report.formats import as_latex, as_markdown
from unlearned.report.read import read_run
from unlearned.report.table import Cell, ReportTable
from unlearned.report.tables import OVER_FORGETS, flag_table, main_table, set_table


def cells(table: ReportTable, label: str, section: int = 0) -> dict[str, Cell]:
    row = next(row for row in table.sections[section].rows if row.label == label)
    return {column.key: cell for column, cell in zip(table.columns, row.cells, strict=True)}


def test_the_main_table_has_the_summary_s_numbers(three_seeds: Path) -> None:
    table = main_table([read_run(three_seeds)])
    for line in results(three_seeds)["summary"]:
        found = cells(table, line["name"])
        assert found["model_utility"].value == pytest.approx(line["model_utility"], abs=1e-12)
        assert found["forget_quality"].value == pytest.approx(line["forget_quality"], rel=1e-12)
        assert found["agreement_spearman"].value == pytest.approx(line["spearman"], abs=1e-12)
        assert found["forget_rouge"].value == pytest.approx(line["forget_rouge"], abs=1e-12)
        assert found["forget_leak_rate"].value == pytest.approx(line["leak_rate"], abs=1e-12)
        assert found["paired_retain_rouge"].value == pytest.approx(line["retain_half_rouge"], abs=1e-12)
        if line["name"] in UNLEARNERS:
            assert found["over_forgotten"].value == pytest.approx(line["over_forgotten"] / 20, abs=1e-12)
        else:
            assert found["over_forgotten"].value is None


def test_the_sets_table_has_every_component_of_the_scores(three_seeds: Path) -> None:
    table = set_table([read_run(three_seeds)])
    assert len(table.columns) == 12
    for model in results(three_seeds)["models"]:
        if model["name"] in ("start", "retained", "prompting-seed0"):
            for key, cell in cells(table, model["unlearner"] or model["name"]).items():
                assert cell.value == model["scores"][key]
                assert float(cell.text) == pytest.approx(model["scores"][key], abs=5e-4)


def test_bold_is_the_best_of_those_that_do_something(three_seeds: Path) -> None:
    table = main_table([read_run(three_seeds)])
    for column in table.columns:
        own = {name: cells(table, name)[column.key] for name in ("eco", "eco-zo", "prompting")}
        for name in ("start", "retained", "none"):
            assert not cells(table, name)[column.key].best
        shown = {name: float(cell.text) for name, cell in own.items()}
        aim = float(cells(table, "retained")[column.key].text) if column.better == "retained" else 0.0
        sign = 1 if column.better == "high" else -1
        distances = {n: abs(value - aim) if column.better == "retained" else value for n, value in shown.items()}
        goodness = {name: sign * distance for name, distance in distances.items()}
        best = [name for name, cell in own.items() if cell.best]
        assert best
        assert max(goodness.values()) - min(goodness[name] for name in best) < 1.5e-3  # rounded before or after


def test_a_single_unlearner_is_not_called_the_best(tmp_path: Path) -> None:
    make_run(tmp_path / "run", unlearners=("none", "eco"))
    table = main_table([read_run(tmp_path / "run")])
    assert not any(cell.best for row in table.sections[0].rows for cell in row.cells)


def test_over_forgetting_is_flagged_and_only_where_it_is(tmp_path: Path) -> None:
    for name, past in (("far", 4.0), ("near", 0.0)):
        make_run(tmp_path / name, unlearners=("none", "eco", "prompting"), forget=20, past=past)
    table = main_table([read_run(tmp_path / "far"), read_run(tmp_path / "near")])
    assert [section.title for section in table.sections] == ["far", "near"]
    assert cells(table, "eco")["over_forgotten"].flag == OVER_FORGETS
    assert cells(table, "eco", 1)["over_forgotten"].flag == ""
    assert cells(table, "prompting")["over_forgotten"].flag == ""
    assert OVER_FORGETS in as_markdown(table)
    assert "$^{!}$" in as_latex(table)


def test_what_was_not_evaluated_has_no_column(tmp_path: Path) -> None:
    make_run(tmp_path / "run", paraphrased=False)
    run = read_run(tmp_path / "run")
    assert "paraphrased_leak_rate" not in [column.key for column in main_table([run]).columns]
    assert "reworded forget" not in [row.label for row in flag_table(run).sections[0].rows]


def test_the_flag_table_counts_each_seed_s_detector(three_seeds: Path) -> None:
    table = flag_table(read_run(three_seeds))
    assert [column.title for column in table.columns] == ["seed 0", "seed 1", "seed 2", "fitted on them"]
    rows = {row.label: row.cells for row in table.sections[0].rows}
    assert rows["forget"][0].text == "20 of 20"
    assert rows["retain"][1].text == "0 of 30"
    assert rows["retain"][1].detail == f"0.0 % to {100 * beta.ppf(0.975, 1, 30):.1f} %"
    seen = {name: row[3].text for name, row in rows.items()}
    assert (seen["forget"], seen["reworded forget"], seen["world facts"]) == ("yes", "in other words", "no")
