"""News and books become passages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from copyright_texts import OTHER, TALE, write_news

from unlearned.benchmarks.copyright.config import CopyrightRunConfig
from unlearned.benchmarks.copyright.data import draw_rows, load_book, load_news
from unlearned.errors import ConfigError, DataError


def test_news_are_asked_for_by_title(tmp_path: Path, tiny_tokenizer: Any) -> None:
    forget, other = write_news(tmp_path)
    data = load_news(tiny_tokenizer, forget=str(forget), other=str(other), other_rows=7)
    assert [passage.prompt for passage in data.forget] == ["Goat eats hat", "Bell falls silent", "Map is missing"]
    drawn = np.random.default_rng(42).choice(14, size=7, replace=False).tolist()
    rest = [index for index in range(14) if index not in drawn]
    assert [passage.id for passage in data.retain] == [f"other/{index}" for index in drawn if index != 3]
    assert [passage.id for passage in data.held_out] == [f"other/{index}" for index in rest if index != 3]
    assert data.in_scope == tuple(passage.prompt for passage in data.forget)
    assert set(data.sha256) == {"forget", "other"}
    again = load_news(tiny_tokenizer, forget=str(forget), other=str(other), other_rows=7, limit=2)
    assert len(again.forget) == 2
    with pytest.raises(DataError, match="14 other rows; 8 are retained"):
        load_news(tiny_tokenizer, forget=str(forget), other=str(other), other_rows=8)
    (tmp_path / "bad.jsonl").write_text('{"title": "x"}\n')
    with pytest.raises(DataError, match=r"bad\.jsonl, row 1: no column 'content' or 'text'"):
        load_news(tiny_tokenizer, forget=str(tmp_path / "bad.jsonl"), other=str(other))


@pytest.mark.parametrize("empty", ["", None])
def test_news_without_a_title_or_an_article_are_left_out(tmp_path: Path, tiny_tokenizer: Any, empty: Any) -> None:
    forget, other = write_news(tmp_path)
    for file, column, line in ((forget, "content", 1), (other, "text", 0), (other, "title", 1)):
        rows = [json.loads(text) for text in file.read_text("utf-8").splitlines()]
        rows[line][column] = empty
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    data = load_news(tiny_tokenizer, forget=str(forget), other=str(other), other_rows=7)
    assert [passage.id for passage in data.forget] == ["news/0", "news/2"]
    others = {passage.id for passage in (*data.retain, *data.held_out)}
    assert others == {f"other/{index}" for index in range(14)} - {"other/0", "other/1", "other/3"}


def test_drawn_rows_and_the_rest_are_disjoint() -> None:
    drawn, rest = draw_rows(10, 4, 0)
    assert sorted(drawn + rest) == sorted({*drawn, *rest})
    assert rest == [index for index in range(10) if index not in drawn][:4]


def test_a_book_and_other_texts(tmp_path: Path, tiny_tokenizer: Any) -> None:
    (tmp_path / "tale.txt").write_text(TALE)
    (tmp_path / "pond.txt").write_text(OTHER)
    places = {"text": str(tmp_path / "tale.txt"), "other": str(tmp_path / "pond.txt")}
    data = load_book(tiny_tokenizer, **places, max_tokens=90)
    assert {"He sold it twice.", data.forget[0].prompt} <= set(data.in_scope)
    assert not set(data.in_scope) & set(data.out_of_scope)
    assert len(data.retain) - len(data.held_out) in (0, 1)
    assert not {p.id for p in data.retain} & {p.id for p in data.held_out}
    few = load_book(tiny_tokenizer, **places, max_tokens=90, negatives=0.3)
    assert 0 < len(few.out_of_scope) < len(data.out_of_scope)
    assert set(few.out_of_scope) <= set(data.out_of_scope)
    (tmp_path / "empty.txt").write_text(" \n")
    with pytest.raises(DataError, match="is empty"):
        load_book(tiny_tokenizer, text=str(tmp_path / "empty.txt"))
    with pytest.raises(DataError, match="fewer than two chunks"):
        load_book(tiny_tokenizer, text=places["text"], other=places["text"], max_tokens=1000)


BOOK_MIA = [
    "1984.txt",
    "spare.txt",
    "Jane Eyre.txt",
    "Harry Potter and the Sorcerer's Stone.txt",
    "THE SCARLET LETTER.txt",
    "Ulysses.txt",
    "Dracula.txt",
]


def test_snippets_of_other_books_without_those_that_are_left_out(tmp_path: Path, tiny_tokenizer: Any) -> None:
    rows = [{"book": book, "snippet": f"A frog sang. {n} ducks came."} for n, book in enumerate(BOOK_MIA)]
    (tmp_path / "books.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "tale.txt").write_text(TALE)
    places = {"text": str(tmp_path / "tale.txt"), "other": str(tmp_path / "books.jsonl")}

    def stays(*leave_out: str) -> list[str]:
        data = load_book(tiny_tokenizer, **places, leave_out=leave_out)
        return sorted(BOOK_MIA[int(p.reference[0])] for p in (*data.retain, *data.held_out))

    assert stays() == ["1984.txt", "Dracula.txt", "Harry Potter and the Sorcerer's Stone.txt"]
    for title in ("Harry Potter and the Sorcerer's Stone.txt", "harry potter and the sorcerer's stone"):
        assert stays(title) == ["1984.txt", "Dracula.txt"]
    with pytest.raises(DataError, match=r"no book 'Harry Potter' to leave out\. It has: 1984\.txt, spare"):
        stays("Dracula", "Harry Potter")
    with pytest.raises(DataError, match="no text is left"):
        stays("1984", "Dracula", BOOK_MIA[3])
    with pytest.raises(DataError, match="not of one text"):
        load_book(tiny_tokenizer, text=places["text"], leave_out=("Dracula",))
    with pytest.raises(ConfigError, match="leave_out is for books"):
        CopyrightRunConfig(task="news", leave_out=("Dracula",))


def test_the_packaged_story_needs_no_files(tiny_tokenizer: Any) -> None:
    data = load_book(tiny_tokenizer, max_tokens=700)
    assert len(data.forget) >= 10
    assert len(data.held_out) >= 4
    assert "LAMPLIGHTER" in data.forget[0].prompt
