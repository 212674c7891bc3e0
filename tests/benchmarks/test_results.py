"""The common form of results: written, read, put together from shards, and reported."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unlearned.benchmarks.results import (
    Machine,
    ModelResults,
    Results,
    merge,
    part,
    read_results,
    shard_of,
    write_results,
)
from unlearned.benchmarks.spec import Item, Measure, Spec, Values, specs
from unlearned.cli.main import app
from unlearned.errors import ConfigError, DataError
from unlearned.metrics.estimate import mean
from unlearned.report.compared import verdict
from unlearned.report.outcome import _lines, tables, write_outcome_report

MACHINE = Machine(name="a machine", device="cpu", dtype="float32", versions={"torch": "1"})


def _aggregate(items: Sequence[Item]) -> Values:
    names = dict.fromkeys(item["set"] for item in items)
    return {name: {"right": mean([i["right"] for i in items if i["set"] == name])} for name in names}


SPEC = Spec(
    version=1,
    name="quiz",
    title="A quiz",
    measures={"right": Measure(title="accuracy", definition="share of right answers", better="low")},
    aggregate=_aggregate,
    main=("forget",),
    limits=("It is <only> a quiz.",),
)


@pytest.fixture(autouse=True)
def quiz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specs, "_targets", dict(specs._targets))
    specs.register("quiz", SPEC)


def items(right: Sequence[float], shard: tuple[int, int] | None = None) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"id": f"{name}-{index}", "set": name, "index": index, "right": value}
        for name in ("forget", "far")
        for index, value in part(right, shard)
    )


def made(shard: tuple[int, int] | None = None) -> Results:
    scores = {"start": [1, 1, 1, 1, 0], "eco": [0, 0, 1, 0, 0], "ga": [1, 0, 1, 0, 0]}
    return Results(
        kind="quiz",
        config={"seed": 0, "model": {"model": "./models/a-model"}},
        shard=shard,
        data={"rows": "00"},
        models=tuple(
            ModelResults(
                name=name,
                unlearner=None if name == "start" else name,
                items=items(own, shard),
                seconds={"fit": 1.0},
                made_of=name,
            )
            for name, own in scores.items()
        ),
        machine=MACHINE,
        at="2026-01-31",
        extra={"speed": 2.0},
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_results(tmp_path, made())
    assert read_results(tmp_path) == made()
    values = json.loads((tmp_path / "results.json").read_text())["models"][1]["values"]
    assert values["forget"]["right"]["value"] == pytest.approx(0.2)


def test_shards_put_together_are_the_whole(tmp_path: Path) -> None:
    folders = []
    for number in (2, 1, 3):
        folders.append(tmp_path / str(number))
        write_results(folders[-1], made((number, 3)))
    whole = merge(folders, tmp_path / "whole")
    assert [model.items for model in whole.models] == [model.items for model in made().models]
    assert whole.models[0].seconds == {"fit": 3.0}
    assert whole.shard is None
    assert read_results(tmp_path / "whole") == whole


def test_only_all_shards_of_one_run_are_put_together(tmp_path: Path) -> None:
    for number in (1, 2):
        write_results(tmp_path / str(number), made((number, 3)))
    write_results(tmp_path / "other", replace(made((3, 3)), config={**made().config, "seed": 1}))
    write_results(tmp_path / "old", replace(made((3, 3)), machine=replace(MACHINE, versions={"torch": "0"})))
    far = made((3, 3))
    write_results(tmp_path / "data", replace(far, data={"rows": "11"}))
    for folder, found in (("fitted", "its own"), ("before", "")):
        models = (far.models[0], replace(far.models[1], made_of=found), far.models[2])
        write_results(tmp_path / folder, replace(far, models=models))
    for third, said in (
        ("1", "1/3, 1/3, 2/3"),
        ("other", "another seed than"),
        ("old", "other versions"),
        ("data", "other data"),
        ("fitted", "'eco' of .* is another model"),
        ("before", "earlier version"),
    ):
        with pytest.raises(DataError, match=said):
            merge([tmp_path / "1", tmp_path / "2", tmp_path / third], tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


def test_the_same_files_in_other_folders_and_other_devices_are_one_run(tmp_path: Path) -> None:
    for number, place in ((1, "/mnt/a/mmlu"), (2, "/data/mmlu")):
        config = {"seed": 0, "data": place, "model": {"model": f"{place}/../llm", "device": f"cuda:{number}"}}
        own = replace(made((number, 2)), config=config, data={place: "00"})
        write_results(tmp_path / str(number), own)
    assert merge([tmp_path / "1", tmp_path / "2"], tmp_path / "whole").models[0].items == made().models[0].items
    write_results(tmp_path / "2", replace(own, config={**config, "data": "/data/other"}))
    with pytest.raises(DataError, match="another data than"):
        merge([tmp_path / "1", tmp_path / "2"], tmp_path / "whole")


def test_changed_items_are_noticed(tmp_path: Path) -> None:
    write_results(tmp_path, made())
    file = tmp_path / "items/eco.jsonl"
    file.write_text(file.read_text().replace('"right": 1', '"right": 0'))
    with pytest.raises(DataError, match="does not fit"):
        read_results(tmp_path)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "-1/2", ""])
def test_a_bad_shard_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="i/n"):
        shard_of(text)


def test_shards_cover_all_rows_once() -> None:
    rows = list("abcdefg")
    parts = [part(rows, shard_of(f"{number}/3")) for number in (1, 2, 3)]
    assert sorted(row for own in parts for row in own) == list(enumerate(rows))


def test_the_best_is_marked_and_further_sets_have_a_table(tmp_path: Path) -> None:
    main, further = tables(made())
    marked = {row.label: row.cells[0].best for row in main.sections[0].rows}
    assert marked == {"start": False, "eco": True, "ga": False}
    assert [row.label for row in further.sections[0].rows] == ["far"]
    assert [column.title for column in further.columns] == ["start", "eco", "ga"]


def test_seeds_are_averaged() -> None:
    models = tuple(
        ModelResults(name=f"eco-seed{seed}", unlearner="eco", seed=seed, items=items(own))
        for seed, own in enumerate(([0, 1], [1, 1]))
    )
    (row,) = tables(replace(made(), models=models))[0].sections[0].rows
    assert row.cells[0].value == pytest.approx(0.75)
    assert row.cells[0].detail.endswith(" s")
    assert row.note == "2 seeds"


def test_the_report_is_one_page_with_escaped_text(tmp_path: Path) -> None:
    write_results(tmp_path, made())
    written = write_outcome_report(tmp_path)
    page = written.html.read_text()
    assert "It is &lt;only&gt; a quiz." in page
    assert "http" not in page
    markdown = written.markdown.read_text()
    assert "| eco | **0.200**" in markdown
    for text in (page, markdown):
        assert "Model: a-model (float32, cpu). Compared: eco and ga." in text
        assert "Data: rows (00); 10 items in 2 sets" in text
        assert "Made on 2026-01-31; a machine" in text
        assert "eco is better than the start model in none of 1 number" in text  # five items: the intervals meet
    assert "- It is <only> a quiz." in markdown
    plot = re.search(r'<svg[^>]*aria-label="accuracy".*?</svg>', page, re.DOTALL)
    assert plot is not None
    assert [name in plot[0] for name in ("start", "eco", "ga")] == [True] * 3
    assert r"\textbf{0.200}" in written.latex.read_text()


def test_the_verdict_counts_what_is_surely_better_or_worse() -> None:
    scores = {"start": [1.0] * 40, "eco": [0.0] * 39 + [1.0], "ga": [1.0] * 39 + [0.0], "none": [1.0] * 40}
    models = tuple(
        ModelResults(name=name, unlearner=None if name == "start" else name, items=items(own))
        for name, own in scores.items()
    )
    lines = _lines(replace(made(), models=models), SPEC)
    assert verdict(lines, SPEC, ["forget"]) == (
        "eco is better than the start model in 1 (accuracy) of 1 number, worse in none, and not told apart in 0; "
        "ga is better than the start model in none of 1 number, worse in none, and not told apart in 1."
    )
    high = replace(SPEC, measures={"right": replace(SPEC.measures["right"], better="high")})
    assert verdict(lines, high, ["forget"]).startswith(
        "eco is better than the start model in none of 1 number, worse in 1 (accuracy)"
    )
    retained = replace(SPEC, measures={"right": replace(SPEC.measures["right"], better="retained")})
    assert "eco: nothing was measured" in verdict(lines, retained, ["forget"])
    with_retained = [*lines, replace(lines[1], label="retained")]
    assert "eco is better than the start model in 1" in verdict(with_retained, retained, ["forget"])
    assert verdict(lines[:1], SPEC, ["forget"]) == "No unlearner was run, so there is nothing to compare."
    assert verdict(lines[1:2], SPEC, ["forget"]).startswith("Only eco was run, without the start model")


def test_results_of_an_earlier_version_have_no_date(tmp_path: Path) -> None:
    write_results(tmp_path, made())
    file = tmp_path / "results.json"
    data = json.loads(file.read_text())
    del data["at"]
    file.write_text(json.dumps(data))
    assert "The date was not recorded; a machine" in write_outcome_report(tmp_path).html.read_text()


def test_the_commands(tmp_path: Path) -> None:
    for number in (1, 2):
        write_results(tmp_path / str(number), made((number, 2)))
    done = CliRunner().invoke(app, ["bench", "merge", *(str(tmp_path / name) for name in ("whole", "1", "2"))])
    assert done.exit_code == 0, done.output
    assert "0.200" in done.output
    again = CliRunner().invoke(app, ["report", str(tmp_path / "whole"), "-o", str(tmp_path / "page.html")])
    assert again.exit_code == 0, again.output
    assert (tmp_path / "page.tex").is_file()
