"""Passages, data and scores of the copyright task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from copyright_texts import OTHER, TALE, write_news

from unlearned.benchmarks.copyright.config import CopyrightRunConfig, StartConfig
from unlearned.benchmarks.copyright.data import draw_rows, load_book, load_news
from unlearned.benchmarks.copyright.passages import book_passages, chunks, cut, title_passage
from unlearned.benchmarks.copyright.run import partners
from unlearned.benchmarks.copyright.sentences import sentences
from unlearned.benchmarks.copyright.similarity import similarities
from unlearned.benchmarks.copyright.spec import aggregate, with_retained
from unlearned.benchmarks.models import plain_text
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, DataError, UnknownNameError
from unlearned.metrics.text import average_similarity_gap


def test_sentences_end_where_a_reader_would_end_them() -> None:
    text = 'Mr. Quill came. "Late!" he said. J. R. Fox saw 3.5 boats... Then\nnothing? "No." (So it was.) End'
    assert sentences(text) == [
        "Mr. Quill came.",
        '"Late!" he said.',
        "J. R. Fox saw 3.5 boats...",
        "Then\nnothing?",
        '"No."',
        "(So it was.)",
        "End",
    ]
    assert sentences("one\n\nTwo") == ["one", "Two"]
    assert sentences(" ") == []


def test_chunks_join_lines_while_they_fit(tiny_tokenizer: Any) -> None:
    def count(text: str) -> int:
        return len(tiny_tokenizer(text, add_special_tokens=False)["input_ids"])

    found = chunks(TALE, tiny_tokenizer, max_tokens=100)
    assert "".join("".join(found).split()) == "".join(TALE.split()), "nothing is lost or moved"
    lines = TALE.splitlines()
    for chunk, following in zip(found, found[1:], strict=False):
        first = following.splitlines()[0]
        assert count(chunk) <= 98 or len(chunk.splitlines()) == 1
        assert count(f"{chunk}\n{first}\n") > 98, "the next line would not have fitted"
        assert first in lines
    assert chunks("x\n", tiny_tokenizer) == [], "a chunk of one character is no chunk"
    long = "A sentence of many words. " * 40
    assert chunks(f"short\n{long}\nshort", tiny_tokenizer, max_tokens=50) == ["short", long.strip(), "short"]


def test_a_passage_is_its_first_sentence_and_the_rest(tiny_tokenizer: Any) -> None:
    passages = book_passages(TALE, tiny_tokenizer, max_tokens=100)
    assert passages[0].id == "book/0"
    assert passages[0].prompt == "The Goat of Market Hill There was a goat on Market Hill."
    assert passages[0].reference.startswith("It ate the mayor's hat.")
    assert " ".join(passage.text for passage in passages) == " ".join(TALE.split())
    assert book_passages("Only one sentence.", tiny_tokenizer) == []


def test_what_is_too_long_is_cut_at_a_token(tiny_tokenizer: Any) -> None:
    text = "The goat of Market Hill eats hats."
    ids = tiny_tokenizer(text, add_special_tokens=False)["input_ids"]
    assert cut(text, tiny_tokenizer, 5) == tiny_tokenizer.decode(ids[:5])
    assert cut(text, tiny_tokenizer, len(ids)) == text
    passage = title_passage("news/0", " Goat ", text, tiny_tokenizer, max_tokens=12)
    assert passage is not None
    assert (passage.prompt, passage.reference) == ("Goat", cut(text, tiny_tokenizer, 11).strip())
    longer = title_passage("news/0", "Goat " * 20, text, tiny_tokenizer, max_tokens=12)
    assert longer is not None
    assert longer.reference == passage.reference, "the title takes nothing from the article"
    assert title_passage("news/0", " ", text, tiny_tokenizer) is None


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


def test_retain_partners_are_drawn_as_the_paper_draws_them(tiny_tokenizer: Any) -> None:
    passages = book_passages(OTHER, tiny_tokenizer, max_tokens=60)
    drawn = np.random.default_rng(42).integers(len(passages), size=9)
    assert partners([passages[0]] * 9, passages) == [passages[int(index)] for index in drawn]


def test_similarities_of_equal_and_of_different_texts() -> None:
    same, other = similarities(
        ["The goat ate the hat.", "Nothing"], ["The goat ate the hat.", "It rained."], "packaged"
    )
    assert same["exact_match"] == 1
    assert all(same[name] > 0.99 for name in ("rouge", "rouge_recall", "meteor", "bleu", "bert_score"))
    assert other["exact_match"] == other["rouge"] == other["meteor"] == 0
    assert other["bert_score"] < 0.9
    assert similarities([], [], "packaged") == []


def _items(rouge: list[float], **more: Any) -> list[dict[str, Any]]:
    scores = {"meteor": 0.12, "bleu": 0.13, "bert_score": 0.01, "perplexity": 2.0, "unique": 0.5, "run": 3, **more}
    return [{"id": f"book/{n}", "set": "forget", "index": n, "rouge": r, **scores} for n, r in enumerate(rouge)]


def test_the_gap_is_that_of_the_means() -> None:
    retained = _items([0.6, 0.8])
    unlearned = with_retained(_items([0.5, 0.92], meteor=0.1, bleu=0.15, bert_score=0.02), retained)
    found = aggregate(unlearned)["forget"]["asg"]
    names = ("rouge", "meteor", "bleu", "bert_score")
    means = [dict(zip(names, values, strict=True)) for values in ((0.71, 0.1, 0.15, 0.02), (0.7, 0.12, 0.13, 0.01))]
    assert found.value == pytest.approx(average_similarity_gap(*means))
    assert found.value == pytest.approx(0.015)
    assert found.count == 2
    assert aggregate(with_retained(retained, retained))["forget"]["asg"].interval == (0, 0)
    assert "asg" not in aggregate(retained)["forget"]


def test_a_perplexity_that_says_nothing_is_left_out() -> None:
    items = _items([0.5, 0.6])
    assert aggregate(items)["forget"]["perplexity"].count == 2
    items[0]["perplexity"] = None
    assert aggregate(items)["forget"]["perplexity"].count == 1
    items[1]["perplexity"] = None
    assert "perplexity" not in aggregate(items)["forget"]


def test_the_start_model_is_trained_as_the_machine_allows() -> None:
    full = StartConfig(adapter=False).train_config(256, None)
    assert (full.lora, full.epochs, full.learning_rate, full.schedule, full.warmup) == (None, 5, 2e-5, "cosine", 0.1)
    assert full.batch_size * (full.accumulation or 1) == 8
    small = StartConfig(adapter=True, epochs=3).train_config(256, "cpu")
    assert small.lora is not None
    assert (small.epochs, small.device) == (3, "cpu")


@pytest.mark.parametrize("name", ["epochs", "learning_rate"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_a_training_that_would_teach_nothing_is_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"^{name}=.*: must be above 0"):
        StartConfig(**{name: value})


def test_texts_are_continued_without_a_template(tiny_model: Any, tiny_tokenizer: Any) -> None:
    _, tokenizer = plain_text(lambda: (tiny_model, tiny_tokenizer))()
    assert TransformersEngine(tiny_model, tokenizer).tokenize("A goat.").text == "A goat."
    assert tiny_tokenizer.chat_template, "the caller's tokenizer is as it was"


def test_settings_are_checked_before_anything_runs() -> None:
    with pytest.raises(UnknownNameError, match="eco"):
        CopyrightRunConfig(task="book", unlearners=("ecoo",))
    with pytest.raises(ConfigError, match="named twice"):
        CopyrightRunConfig(task="book", unlearners=("none", "none"))
    with pytest.raises(ConfigError, match="limit=1"):
        CopyrightRunConfig(task="book", limit=1)
