"""The common form of results: written, read, put together from shards, and reported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from quiz_results import MACHINE, made, registered
from typer.testing import CliRunner

from unlearned.benchmarks.results import (
    merge,
    part,
    read_results,
    shard_of,
    write_results,
)
from unlearned.cli.main import app
from unlearned.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def quiz(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch)


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


def test_the_commands(tmp_path: Path) -> None:
    for number in (1, 2):
        write_results(tmp_path / str(number), made((number, 2)))
    done = CliRunner().invoke(app, ["bench", "merge", *(str(tmp_path / name) for name in ("whole", "1", "2"))])
    assert done.exit_code == 0, done.output
    assert "0.200" in done.output
    again = CliRunner().invoke(app, ["report", str(tmp_path / "whole"), "-o", str(tmp_path / "page.html")])
    assert again.exit_code == 0, again.output
    assert (tmp_path / "page.tex").is_file()
