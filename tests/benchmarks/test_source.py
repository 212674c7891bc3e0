"""Rows of a benchmark from files, folders and the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unlearned.benchmarks.source import Source, text_of, truth_of
from unlearned.errors import DataError, MissingExtraError


def test_a_file_stands_for_every_split_and_a_folder_has_a_file_for_each(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text('\ufefftext,n\n"a, b",1\nc,2\n', encoding="utf-8")
    (tmp_path / "test.json").write_text(json.dumps([{"text": "x", "n": 3}], indent=1))
    folder = Source(tmp_path)
    assert folder.find(("dev", "test", "train")) == "test"
    assert folder.find(("dev",)) is None
    assert [dict(row) for row in folder.rows("train", (("text",),))] == [
        {"text": "a, b", "n": "1"},
        {"text": "c", "n": "2"},
    ]
    assert folder.rows("test", (("body", "text"), ("n",))) == [{"text": "x", "n": 3}]
    assert set(folder.sha256) == {"train", "test"}
    file = Source(tmp_path / "train.csv")
    assert file.find(("whatever",)) == "whatever"
    assert file.rows("whatever", (("text",),)) == folder.rows("train", (("text",),))


def test_one_file_is_refused_where_splits_must_differ(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "x"}\n')
    with pytest.raises(DataError, match=r"rows.jsonl is one file.*train.\*, test.\*"):
        Source(tmp_path / "rows.jsonl").needs_several("train", "test")
    Source(tmp_path).needs_several("train", "test")


def test_the_hash_is_of_the_rows_and_not_of_how_they_are_written(tmp_path: Path) -> None:
    rows = [{"a": "1", "b": "x"}]
    (tmp_path / "one.json").write_text(json.dumps(rows, indent=2))
    (tmp_path / "two.jsonl").write_text('{"b": "x", "a": "1"}\n\n')
    (tmp_path / "other.jsonl").write_text('{"b": "x", "a": "2"}\n')
    found = []
    for name in ("one.json", "two.jsonl", "other.jsonl"):
        source = Source(tmp_path / name)
        source.rows("train", ())
        found.append(source.sha256["train"])
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', "a.jsonl, line 2, column 10: not valid JSON"),
        ("a.json", b"[1, 2", "not valid JSON"),
        ("a.jsonl", b"\xff\xfd", "not UTF-8"),
        ("a.jsonl", b"\n", "has no rows"),
        ("a.jsonl", b'{"text": "x"}\n{"body": "x"}\n', "row 2: no column 'text'"),
        ("a.jsonl", b'["x"]\n["y"]\n', "row 1: no column 'text'"),
        ("a.csv", b'text\n"open', "not valid CSV"),
        ("a.csv", b"text,label\nfine,1\nnot, quoted,1\n", "line 3: more values than the header has columns"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        Source(tmp_path / name).rows("train", (("text",),))


def test_texts_and_truth_values_are_checked() -> None:
    assert text_of({"a": None, "b": "x"}, ("a", "b"), "row 1") == "x"
    with pytest.raises(DataError, match="row 1, column 'a': must be a text"):
        text_of({"a": 3}, ("a",), "row 1")
    assert [truth_of({"a": value}, "a", "row 1") for value in (True, "False", "true", 0, "1")] == [
        True, False, True, False, True,
    ]  # fmt: skip
    with pytest.raises(DataError, match="must be true or false, not None"):
        truth_of({"a": None}, "a", "row 1")


def test_a_hub_name_goes_to_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    class Hub:
        @staticmethod
        def get_dataset_split_names(name: str, config: str | None) -> list[str]:
            calls.append((name, config))
            return ["train", "validation"]

        @staticmethod
        def load_dataset(name: str, config: str | None, *, split: str) -> list[dict[str, str]]:
            if split != "train":
                raise ConnectionError("no network\nand more")
            return [{"text": f"{name} {config}"}]

    monkeypatch.setattr("unlearned.benchmarks.source.require", lambda *_, **__: Hub)
    source = Source("owner/name", "generation")
    assert source.find(("test", "validation")) == "validation"
    assert source.rows("train", (("text",),)) == [{"text": "owner/name generation"}]
    assert calls == [("owner/name", "generation")]
    with pytest.raises(DataError, match=r"Cannot fetch validation of owner/name from the hub: no network$"):
        source.rows("validation", ())


def test_without_datasets_the_hub_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(module: str) -> Any:
        raise ModuleNotFoundError(name=module)

    monkeypatch.setattr("unlearned.extras.import_module", missing)
    with pytest.raises(MissingExtraError, match="pip install 'unlearned"):
        Source("owner/name").find(("train",))


@pytest.mark.parametrize("place", ["./nowhere", "/no/such/folder", "nowhere", "a/b/c"])
def test_a_path_that_is_not_there_is_no_hub_name(place: str) -> None:
    with pytest.raises(DataError, match="no file or folder"):
        Source(place)
