"""Input rows: what is accepted, and that every bad row is named by file, line and column."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from unlearned.errors import DataError, UnlearnedError
from unlearned.examples import Row, as_rows, background_prompts, evenly, read_rows

Write = Callable[[str, "str | bytes"], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize("column", ["prompt", "question", "text"])
@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson", ".JSONL", ".json"])
def test_jsonl_rows_hold_a_prompt_under_any_of_three_names(write: Write, column: str, suffix: str) -> None:
    path = write("rows" + suffix, f'{{"{column}": "Who?", "answer": "Him.", "id": 7, "more": [1]}}\n')
    assert read_rows(path) == [Row("Who?", "Him.", 7)]


@pytest.mark.parametrize("column", ["prompt", "question", "text"])
def test_csv_rows_hold_a_prompt_under_any_of_three_names(write: Write, column: str) -> None:
    assert read_rows(write("rows.csv", f"id,{column},answer\na1,Who?,Him.\n")) == [Row("Who?", "Him.", "a1")]


def test_path_may_be_a_string(write: Write) -> None:
    assert read_rows(str(write("rows.jsonl", '{"prompt": "Who?"}'))) == [Row("Who?")]


def test_blank_lines_and_windows_line_ends_are_no_rows(write: Write) -> None:
    assert read_rows(write("a.jsonl", '\r\n{"prompt": "A"}\r\n  \r\n{"prompt": "B"}\r\n')) == [Row("A"), Row("B")]
    assert read_rows(write("a.csv", "prompt\r\nA\r\n\r\nB\r\n")) == [Row("A"), Row("B")]


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", '{"prompt": "É?"}'), ("a.csv", "prompt\nÉ?\n")])
def test_a_byte_order_mark_is_no_part_of_the_first_column(write: Write, name: str, content: str) -> None:
    assert read_rows(write(name, b"\xef\xbb\xbf" + content.encode())) == [Row("É?")]


def test_csv_values_may_hold_commas_quotes_and_line_breaks(write: Write) -> None:
    rows = read_rows(write("a.csv", 'prompt,answer\n"a, ""b""\nc",d\n'))
    assert rows == [Row('a, "b"\nc', "d")]


def test_an_empty_or_absent_answer_is_no_answer(write: Write) -> None:
    assert read_rows(write("a.csv", "prompt,answer\nA,\nB\n")) == [Row("A"), Row("B")]
    assert read_rows(write("a.jsonl", '{"prompt": "A", "answer": ""}\n{"prompt": "B", "answer": null}')) == [
        Row("A"),
        Row("B"),
    ]


def test_unicode_line_separators_stay_inside_a_jsonl_row(write: Write) -> None:
    assert read_rows(write("a.jsonl", '{"prompt": "one\u2028two\x85three"}')) == [Row("one\u2028two\x85three")]


GOOD = '{"prompt": "fine"}\n'


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('{"prompt": "x"', ["line 2", "column 15", "not valid JSON"]),
        ('{"prompt" "x"}', ["line 2", "column 11"]),
        ("[1]", ["line 2", "not an object", "prompt/question/text"]),
        ('"Who?"', ["line 2", "not an object"]),
        ("null", ["line 2", "not an object"]),
        ("{}", ["line 2", "prompt/question/text", "nothing"]),
        ('{"promt": "x"}', ["line 2", "prompt/question/text", "has only: promt"]),
        ('{"prompt": "x", "question": "y"}', ["line 2", "prompt and question"]),
        ('{"prompt": "x", "question": "y", "text": "z"}', ["line 2", "prompt and question and text"]),
        ('{"prompt": ""}', ["line 2", "column 'prompt'", "not empty"]),
        ('{"question": "  \\n"}', ["line 2", "column 'question'", "not empty"]),
        ('{"text": null}', ["line 2", "column 'text'", "None"]),
        ('{"prompt": 5}', ["line 2", "column 'prompt'", "5"]),
        ('{"prompt": ["x"]}', ["line 2", "column 'prompt'", "['x']"]),
        ('{"prompt": "x", "answer": 3}', ["line 2", "column 'answer'", "3"]),
        ('{"prompt": "x", "answer": ["y"]}', ["line 2", "column 'answer'", "['y']"]),
        ('{"prompt": "x", "answer": false}', ["line 2", "column 'answer'", "False"]),
        ('{"prompt": "x", "id": 1.5}', ["line 2", "column 'id'", "1.5"]),
        ('{"prompt": "x", "id": true}', ["line 2", "column 'id'", "True"]),
        ('{"prompt": "x", "id": {}}', ["line 2", "column 'id'"]),
        ('{"prompt": "\\ud83d"}', ["line 2", "column 'prompt'"]),
        ('{"prompt": "x", "answer": "\\ud83d"}', ["line 2", "column 'answer'"]),
    ],
)
def test_a_bad_jsonl_row_is_named_by_file_line_and_column(write: Write, line: str, named: list[str]) -> None:
    path = write("rows.jsonl", GOOD + line + "\n" + GOOD)
    with pytest.raises(DataError) as caught:
        read_rows(path)
    for part in [str(path), *named]:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('"prompt"x\nfine\n', ["line 1", "not valid CSV"]),
        ("promt,answer\nx,y\n", ["line 1", "prompt/question/text", "promt"]),
        ("", ["is empty"]),
        ("prompt,text\na,b\n", ["line 2", "prompt and text"]),
        ("prompt,answer\nfine,\n ,b\n", ["line 3", "column 'prompt'"]),
        ("answer,prompt\nfine,p\nshort\n", ["line 3", "prompt/question/text", "has only: answer"]),
        ("prompt,answer\nfine,\na,b,c\n", ["line 3", "more values"]),
        ('prompt\nfine\n"open\nmore\n', ["line 3", "not valid CSV"]),
        ('prompt\nfine\n"a"b\n', ["line 3", "not valid CSV"]),
    ],
)
def test_a_bad_csv_row_is_named_by_file_line_and_column(write: Write, content: str, named: list[str]) -> None:
    path = write("rows.csv", content)
    with pytest.raises(DataError) as caught:
        read_rows(path)
    for part in [str(path), *named]:
        assert part in str(caught.value)


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", ""), ("a.jsonl", "\n \n"), ("a.csv", "prompt,answer\n")])
def test_a_file_without_rows_is_refused(write: Write, name: str, content: str) -> None:
    path = write(name, content)
    with pytest.raises(DataError, match="has no rows") as caught:
        read_rows(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_file_that_is_not_utf8_is_named_with_its_line(write: Write, name: str) -> None:
    path = write(name, b'{"prompt": "fine"}\n{"prompt": "caf\xe9"}\n')
    with pytest.raises(DataError, match=r"line 2: not UTF-8") as caught:
        read_rows(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["rows.txt", "rows", "rows.parquet"])
def test_an_unknown_kind_of_file_is_refused(write: Write, name: str) -> None:
    with pytest.raises(DataError, match=r"unknown kind of file.*\.jsonl or \.csv"):
        read_rows(write(name, GOOD))


def test_a_missing_file_and_a_folder_are_refused_with_their_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file") as caught:
        read_rows(tmp_path / "none.jsonl")
    assert str(tmp_path / "none.jsonl") in str(caught.value)
    with pytest.raises(DataError, match="directory"):
        read_rows(tmp_path)


def test_data_errors_are_value_errors_and_errors_of_the_package() -> None:
    assert issubclass(DataError, ValueError)
    assert issubclass(DataError, UnlearnedError)


def test_the_python_interface_takes_texts_rows_and_mappings() -> None:
    given = ["A", Row("B", "b"), {"question": "C", "answer": "c", "id": "x"}]
    assert as_rows(given, name="forget") == [Row("A"), Row("B", "b"), Row("C", "c", "x")]
    assert as_rows((), name="forget") == []


def test_one_text_instead_of_a_list_is_refused() -> None:
    with pytest.raises(DataError, match="forget is one text"):
        as_rows("Who?", name="forget")


@pytest.mark.parametrize(
    ("example", "named"),
    [
        ("", r"forget\[1\], column 'prompt'"),
        ({"answer": "x"}, r"forget\[1\].*prompt/question/text.*answer"),
        ({"text": "x", "answer": 1}, r"forget\[1\], column 'answer'"),
        (5, r"forget\[1\]: not an object"),
        (None, r"forget\[1\]: not an object"),
        (Row(" "), r"forget\[1\], column 'prompt'"),
    ],
)
def test_a_bad_example_is_named_by_argument_and_index(example: object, named: str) -> None:
    with pytest.raises(DataError, match=named):
        as_rows(["fine", example], name="forget")  # type: ignore[list-item]


def test_the_background_prompts_ship_with_the_package_and_are_distinct() -> None:
    prompts = background_prompts()
    assert len(prompts) >= 100
    assert len(set(prompts)) == len(prompts)
    assert all(isinstance(prompt, str) and prompt.strip() for prompt in prompts)


# What the objectives of a strength read


def test_the_further_columns_are_read_from_jsonl_and_csv_alike(write: Write) -> None:
    row = Row("Who?", "Him.", "a1", ("Him.", "Her."), "It was him.", ("Her.", "Them."))
    line = (
        '{"prompt": "Who?", "answer": "Him.", "id": "a1", "choices": ["Him.", "Her."], '
        '"paraphrased_answer": "It was him.", "wrong_answers": ["Her.", "Them."]}'
    )
    csv = (
        "prompt,answer,id,choices,paraphrased_answer,wrong_answers\n"
        'Who?,Him.,a1,"[""Him."", ""Her.""]",It was him.,"[""Her."", ""Them.""]"\n'
    )
    assert read_rows(write("a.jsonl", line)) == [row]
    assert read_rows(write("a.csv", csv)) == [row]
    assert as_rows([row], name="forget") == [row]


def test_tofus_name_for_wrong_answers_is_known(write: Write) -> None:
    [row] = read_rows(write("a.jsonl", '{"question": "Who?", "perturbed_answer": ["Her."]}'))
    assert row.wrong_answers == ("Her.",)
    [both] = as_rows([{"prompt": "Who?", "wrong_answers": ["a"], "perturbed_answer": ["b"]}], name="forget")
    assert both.wrong_answers == ("a",)


@pytest.mark.parametrize(
    ("column", "value"),
    [("choices", []), ("wrong_answers", []), ("wrong_answers", ()), ("paraphrased_answer", "")]
    + [(column, value) for column in ("choices", "wrong_answers", "paraphrased_answer") for value in ("", None)],
)
def test_an_empty_column_is_as_none(write: Write, column: str, value: object) -> None:
    assert as_rows([{"prompt": "Who?", column: value}], name="forget") == [Row("Who?")]
    if value is not None:
        content = str(value or "").replace("()", "[]")
        assert read_rows(write("a.csv", f"prompt,{column}\nWho?,{content}\n")) == [Row("Who?")]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Rome", "Rome"),
        ("A", "Paris"),
        ("c", "Oslo"),
        (0, "Paris"),
        (2, "Oslo"),
        ("1", "Rome"),
    ],
)
def test_the_right_choice_is_given_by_itself_its_letter_or_its_index(answer: str | int, expected: str) -> None:
    [row] = as_rows([{"prompt": "Capital?", "answer": answer, "choices": ["Paris", "Rome", "Oslo"]}], name="forget")
    assert row.answer == expected


def test_a_choice_that_reads_like_a_letter_or_an_index_is_meant_itself() -> None:
    rows = [
        {"prompt": "?", "answer": "A", "choices": ["B", "A"]},
        {"prompt": "?", "answer": "0", "choices": ["1", "0"]},
    ]
    assert [row.answer for row in as_rows(rows, name="forget")] == ["A", "0"]


def as_csv(rows: list[tuple[str, list[str]]]) -> str:
    """(answer, choices) as CSV."""
    text = io.StringIO()
    csv.writer(text).writerows([("question", "answer", "choices"), *(("?", a, json.dumps(c)) for a, c in rows)])
    return text.getvalue()


FOUR = ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("1", FOUR), ("3", ["a", "b", "c", "d"])], ["2", "d"]),  # indices, as JSON's 1 and 3
        ([("0", ["1", "0"])], ["1"]),
        ([("1", FOUR), ("4", FOUR)], ["1", "4"]),  # 4 is no index, so these are the options themselves
        ([("1", FOUR), ("Rome", ["Paris", "Rome"])], ["1", "Rome"]),
        ([("1", FOUR), ("B", ["Paris", "Rome"])], ["1", "Rome"]),
        ([("1", ["Paris", "Rome"]), ("Oslo", ["Oslo", "Bonn"])], ["Rome", "Oslo"]),
        ([("2", ["1", "2"])], ["2"]),
    ],
)
def test_a_column_of_indices_in_csv_means_what_it_means_in_json(
    write: Write, rows: list[tuple[str, list[str]]], expected: list[str]
) -> None:
    assert [row.answer for row in read_rows(write("a.csv", as_csv(rows)))] == expected
    given = [{"question": "?", "answer": answer, "choices": json.dumps(choices)} for answer, choices in rows]
    assert [row.answer for row in as_rows(given, name="forget")] == expected


def test_rows_without_choices_do_not_decide_about_indices(write: Write) -> None:
    rows = read_rows(write("a.csv", as_csv([("1", FOUR)]) + "Who?,Him.,\n"))
    assert [row.answer for row in rows] == ["2", "Him."]


@pytest.mark.parametrize("answer", [None, "", "D", "Berlin", 3, -1, "3", True, 1.0, ["Rome"]])
def test_an_answer_that_is_no_choice_is_refused(answer: object) -> None:
    with pytest.raises(DataError, match=r"forget\[0\], column 'answer': must name one of the 3 choices"):
        as_rows([{"prompt": "?", "answer": answer, "choices": ["Paris", "Rome", "Oslo"]}], name="forget")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("choices", "Paris, Rome"),
        ("choices", '"Paris"'),
        ("choices", ["Paris", ""]),
        ("choices", ["Paris", 3]),
        ("choices", {"A": "Paris"}),
        ("choices", 5),
        ("wrong_answers", "Her."),
        ("wrong_answers", [None]),
        ("wrong_answers", ["\ud83d"]),
        ("perturbed_answer", [["Her."]]),
        ("paraphrased_answer", ["It was him."]),
        ("paraphrased_answer", 3),
        ("paraphrased_answer", "\ud83d"),
    ],
)
def test_a_further_column_of_another_kind_is_named(column: str, value: object) -> None:
    with pytest.raises(DataError, match=rf"forget\[1\], column '{column}': "):
        as_rows(["fine", {"prompt": "?", "answer": "A", column: value}], name="forget")


def test_a_list_that_is_no_json_is_named_by_file_line_and_column(write: Write) -> None:
    path = write("a.csv", 'prompt,choices\nfine,\nbad,"[""open"""\n')
    with pytest.raises(DataError, match=r"a\.csv, line 3, column 'choices': not a JSON list"):
        read_rows(path)


def test_thinning_keeps_order_and_ends() -> None:
    assert evenly(range(100), 3) == [0, 50, 99] or evenly(range(100), 3) == [0, 49, 99]
    assert evenly([1, 2], 5) == [1, 2]
    assert evenly([1, 2], None) == [1, 2]
