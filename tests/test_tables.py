"""One reader of people's tables: what is read, and what is said of the rest."""

from __future__ import annotations

import codecs
import csv
import json
from pathlib import Path
from typing import Any

import pytest

from unlearned.benchmarks.source import Source
from unlearned.errors import DataError, DataWarning
from unlearned.examples import Row, as_rows, read_rows
from unlearned.server.keys import Keys
from unlearned.texts import read_user_text

TWO = [Row("Who is Harry?", "A wizard; of course.", 1), Row("Straße, 漢字?", None, 2)]
CSV = 'id,prompt,answer\r\n1,Who is Harry?,A wizard; of course.\r\n2,"Straße, 漢字?",\r\n'


def _ids(rows: list[Row]) -> list[Row]:
    return [Row(row.prompt, row.answer, int(str(row.id)), extra=row.extra) for row in rows]


def _file(tmp_path: Path, name: str, content: str | bytes) -> Path:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


FIRST = '{"id": 1.0, "prompt": "Who is Harry?", "answer": "A wizard; of course."}'
SECOND = '{"id": 2, "prompt": "Straße, 漢字?", "answer": NaN, "text": null}'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.csv", "\ufeff" + CSV),
        ("a.CSV", CSV.replace("\r\n", "\n")),
        ("a.csv", codecs.BOM_UTF16_LE + CSV.encode("utf-16-le")),
        ("a.csv", codecs.BOM_UTF16_BE + CSV.encode("utf-16-be")),
        ("a.csv", "sep=,\r\n" + CSV),
        ("a.csv", 'sep=;\r\nid;prompt;answer\r\n1;Who is Harry?;"A wizard; of course."\r\n2;Straße, 漢字?;\r\n'),
        ("a.csv", 'sep=\t\nid\tprompt\tanswer\n1\tWho is Harry?\tA wizard; of course.\n2\t"Straße, 漢字?"\t\n'),
        ("a.tsv", "id\tprompt\tanswer\n1\tWho is Harry?\tA wizard; of course.\n2\tStraße, 漢字?\n"),
        ("a.csv", CSV.replace("id,prompt,answer", "ID, Prompt ,Answer")),
        ("a.csv", CSV.replace("id,prompt,answer", "id,QUESTION,answer")),
        ("a.csv", "\r\n" + CSV.replace("course.\r\n", "course.,,\r\n\r\n")),
        ("a.json", f"[\n  {FIRST},\n  {SECOND}\n]"),
        ("a.jsonl", f"[{FIRST}, {SECOND}]"),
        ("a.ndjson", f"{FIRST}\n\n{SECOND}\n"),
    ],
)  # fmt: skip
def test_what_needs_no_guess_is_read_by_commands_and_benchmarks_alike(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    file = _file(tmp_path, name, content)
    assert _ids(read_rows(file)) == TWO
    assert len(Source(file).rows("train", [("prompt", "question", "text", "QUESTION", "Prompt", " Prompt ")])) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "id;prompt;answer\n1;Who?;He.\n", r"separator seems to be ';': .*, or write 'sep=;'"),
        ("a.csv", "id\tprompt\n1\tWho?\n", r"separator seems to be a tab.*\.tsv"),
        ("a.csv", "id,title\n1,Who?\n", r"no column named prompt/question/text.*--prompt-column"),
        ("a.csv", "prompt,Prompt\n1,Who?\n", "two columns are named 'prompt'"),
        ("a.csv", "prompt\nWho, she?\n", "line 2: more values than the header has columns"),
        ("a.csv", "prompt\nCaf\u00e9?\n".encode("cp1252"), r"line 2: not UTF-8 text.*CP-1252.*iconv"),
        ("a.csv", "prompt\nWho is he?\n".encode("utf-16-le"), "UTF-16 without a mark"),
        ("a.csv", codecs.BOM_UTF16_LE + b"p", "not whole as UTF-16"),
        ("a.json", '{\n "prompt": "Who?"\n}', "one JSON object over several lines"),
        ("a.json", '[{"prompt": "Who?"},\n{"prompt": }]', "line 2, column 12: not valid JSON"),
        ("a.jsonl", '{"prompt": "Who?", "id": NaN}\n{"prompt": NaN}', r"line 2, column 'prompt': must be a text"),
        ("a.xlsx", b"PK", r"unknown kind of file '\.xlsx'"),
        # What the terminal would show of a tab is a blank.
        ("a.csv", "id\tprompt\n1\tWho?\n", r"a tab: name the file \.tsv, or save it with commas\.$"),
        # Letters beyond ASCII are no UTF-8 there, and no CP-1252 either.
        ("a.csv", "prompt\nWho is Zo\u00eb M\u00fcller?\n".encode("utf-16-le"), "UTF-16 without a mark"),
        ("a.csv", "prompt\nWho is Zo\u00eb M\u00fcller?\n".encode("utf-16-be"), "UTF-16 without a mark"),
        ("a.csv", b"PK\x03\x04\x14\x00\x06\x00\x08\x00\xff", "a workbook or a zip archive. Save the sheet"),
        ("a.jsonl", b"\x1f\x8b\x08\x00\xff", "gzip. Unpack it"),
        ("a.csv", "", "is empty"),
        ("a.csv", "\ufeff\r\n", "is empty"),
        ("a.csv", '{"prompt": "Who?"}\n', r"seems to be JSON: name it \.jsonl"),
        ("a.jsonl", "prompt,answer\nWho?,He.\n", r"seems to be CSV: name it \.csv"),
        ("a.json", "[" * 100_000, "too many brackets"),
        ("a.jsonl", '{"prompt": "Who?", "id": ' + "9" * 5000 + "}", "line 1, column 1: .*a number is too long"),
        ("a.jsonl", '{"prompt": "Who\\ud83d?"}', "line 1, column 'prompt': holds half of a character"),
        ("a.jsonl", '{"instruction": "Who?", "output": "He."}', "output. Name one with --prompt-column"),
    ],
)  # fmt: skip
def test_the_real_cause_is_named(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_rows(_file(tmp_path, name, content))


def test_what_json_has_no_number_for_is_no_value_and_is_not_written_again(tmp_path: Path) -> None:
    file = _file(tmp_path, "a.jsonl", '{"prompt": "Who?", "weight": Infinity, "share": [NaN, 1]}\n')
    [row] = read_rows(file)
    assert json.dumps(row.extra, allow_nan=False) == '{"share": [null, 1]}'


def test_a_hint_for_files_is_not_given_to_a_list() -> None:
    with pytest.raises(
        DataError, match=r"forget\[0\]: needs exactly one of the columns [a-z/]+, but has only: title\.$"
    ):
        as_rows([{"title": "Who?"}], name="forget")


def test_a_cell_may_be_as_long_as_a_book_and_the_csv_modules_limit_stays_as_it_was(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    [row] = read_rows(_file(tmp_path, "a.csv", "prompt,answer\nWho?," + "word " * 60_000 + "\n"))
    assert len(row.answer or "") == 300_000
    assert csv.field_size_limit() == before


def test_rows_without_any_value_are_left_out_and_counted(tmp_path: Path) -> None:
    file = _file(tmp_path, "a.csv", "id,prompt\n1,Who?\n,\n, \n2,Where?\n,,\n")
    with pytest.warns(DataWarning, match="hold no value: 3 rows"):
        assert [row.prompt for row in read_rows(file)] == ["Who?", "Where?"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_columns_can_be_named_and_the_others_are_kept(tmp_path: Path, name: str) -> None:
    header, cells = ["Instruction", "messages", "Reply", "text"], ["Who?", "none", "He.", "t"]
    content = ",".join(header) + "\n" + ",".join(cells) + "\n"
    if name == "a.jsonl":
        content = json.dumps(dict(zip(header, cells, strict=True)))
    [row] = read_rows(_file(tmp_path, name, content), prompt_column="Instruction", answer_column="Reply")
    assert (row.prompt, row.answer, row.extra) == ("Who?", "He.", {"messages": "none"})
    with pytest.raises(DataError, match="no column 'Frage'"):
        read_rows(tmp_path / name, prompt_column="Frage")


def test_what_pandas_makes_of_a_gap_is_missing() -> None:
    nan = float("nan")
    rows: list[Any] = [
        {"prompt": "Who?", "answer": nan, "id": 3.0, "choices": nan},
        {"question": "Where?", "prompt": nan},
    ]
    assert as_rows(rows, name="forget") == [Row("Who?", None, 3), Row("Where?")]
    again = as_rows([Row("Who?", extra={"city": "Paris"})], name="forget")
    assert again[0].extra == {"city": "Paris"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_text_files_of_windows_are_read_keys_and_all(tmp_path: Path, encoding: str) -> None:
    file = _file(tmp_path, "keys", "# clients\r\nsk-one\r\nsk-two\r\n".encode(encoding))
    assert Keys.from_files(file, None) == Keys(["sk-one", "sk-two"])
    assert read_user_text(_file(tmp_path, "text", "Straße\r\n".encode(encoding))) == "Straße\r\n"
