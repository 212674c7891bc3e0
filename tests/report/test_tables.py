"""What the tables say: the run's own numbers, means and intervals over seeds, the best, over-forgetting."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from made_run import make_run
from scipy.stats import beta, t

from unlearned.report.formats import as_latex, as_markdown, as_rich, latex
from unlearned.report.lines import lines
from unlearned.report.read import read_run
from unlearned.report.table import Cell, Column, ReportTable, Section, TableRow
from unlearned.report.tables import OVER_FORGETS, flag_table, main_table, set_table

UNLEARNERS = ("none", "eco", "eco-zo", "prompting")


@pytest.fixture
def three_seeds(tmp_path: Path) -> Path:
    make_run(tmp_path / "run", unlearners=UNLEARNERS, seeds=3, forget=20)
    return tmp_path / "run"


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


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


HOSTILE = ReportTable(
    "t", "Caption", "model",
    (Column("a|b", "x", "high", "group_1"), Column("p", "y")),
    (Section("50 % & <b>", (TableRow("a_b|c\n#", (Cell("1.0e-16", 1e-16, "0.000 to 1.2e-05 q", True), Cell("–"))),)),),
)  # fmt: skip


def test_markdown_keeps_its_columns_whatever_the_names_hold() -> None:
    rows = [line for line in as_markdown(HOSTILE).splitlines() if line.startswith("|")]
    assert len(rows) == 4
    for row in rows[2:]:
        assert len(re.findall(r"(?<!\\)\|", row)) == 4
    assert "<b>" not in as_markdown(HOSTILE).replace("\\<b\\>", "")
    assert "**1.0e-16** (0.000 to 1.2e-05 q)" in rows[-1]


def test_latex_has_as_many_cells_in_every_row_and_escapes_the_rest(three_seeds: Path) -> None:
    run = read_run(three_seeds)
    for table in (main_table([run, run]), set_table([run]), flag_table(run), HOSTILE):
        text = as_latex(table)
        assert text.count("{") == text.count("}")
        for row in text.splitlines():
            if row.endswith(r"\\") and "\\multicolumn{" not in row:
                assert len(re.findall(r"(?<!\\)&", row)) == len(table.columns)
        assert not re.search(r"(?<!\\)[%#_]", text)
        assert text.isascii()
    assert r"\textbf{$1.0\times10^{-16}$}" in as_latex(HOSTILE)
    assert r"50 \% \& " in as_latex(HOSTILE)
    negative = ReportTable(
        "t", "c", "m", (Column("r"),), (Section("", (TableRow("x", (Cell("-0.143", -0.143, "-0.8 to 0.7 q"),)),)),)
    )
    assert r"\shortstack[r]{$-$0.143\\{\tiny [$-$0.8, 0.7 q]}}" in as_latex(negative)
    assert latex("\\{~^}") == r"\textbackslash{}\{\textasciitilde{}\textasciicircum{}\}"


def test_the_terminal_table_prints_markup_in_names_as_it_is() -> None:
    from rich.console import Console

    table = ReportTable(
        "t", "c", "model", (Column("p"),), (Section("[red]", (TableRow("[bold]x", (Cell("[1]", best=True),)),)),)
    )
    written = io.StringIO()
    Console(width=80, file=written).print(as_rich(table))
    text = written.getvalue()
    assert "[red]" in text
    assert "[bold]x" in text
    assert "[1]" in text
