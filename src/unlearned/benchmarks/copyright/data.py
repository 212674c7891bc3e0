"""What is to be forgotten, what has to stay, and what the detector is fitted with: news by title, or a book."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unlearned.benchmarks.copyright.config import OTHER_ROWS
from unlearned.benchmarks.copyright.passages import MAX_TOKENS, Passage, book_passages, title_passage
from unlearned.benchmarks.copyright.sentences import sentences
from unlearned.benchmarks.source import Source, text_of
from unlearned.errors import ConfigError, DataError
from unlearned.texts import read_user_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NEWS, NEWS_CONFIG = "RealTimeData/bbc_news_alltime", "2024-02"
OTHER_NEWS = "vblagoje/cc_news"
LEFT_OUT = frozenset(("spare", "Jane Eyre", "THE SCARLET LETTER", "Ulysses"))
"""Books of `swj0419/BookMIA` that the paper leaves out besides the one to forget; there, they end in ".txt"."""

FORGET_ROWS = 500
STORY, OTHER_STORIES = "harrowmere.txt", "ferrymen.txt"
"""Packaged: a story to forget, and others that stay."""

SHORTEST = 10
"""Characters above which a sentence is an example for the detector."""

TITLE_COLUMNS, CONTENT_COLUMNS = ("title",), ("content", "text")


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyrightData:
    """Everything that one run needs."""

    forget: tuple[Passage, ...]
    """Learned by heart, and asked for."""

    retain: tuple[Passage, ...]
    """What unlearners are shown as harmless."""

    held_out: tuple[Passage, ...]
    """Passages of the same kind that no model was trained on."""

    in_scope: tuple[str, ...]
    """What the detector is fitted with: titles, or sentences."""

    out_of_scope: tuple[str, ...]
    instruction: str
    """What the prompting baseline puts in front of the prompt."""

    sha256: Mapping[str, str]
    """File or set -> SHA-256."""


def load_news(
    tokenizer: PreTrainedTokenizerBase,
    *,
    forget: str = NEWS,
    other: str = OTHER_NEWS,
    limit: int | None = None,
    other_rows: int = OTHER_ROWS,
    max_tokens: int = MAX_TOKENS,
    seed: int = 42,
) -> CopyrightData:
    """News articles by title.

    Forget: the first 500 rows; titles are cut at " - ". Retain: rows of the other data drawn by `default_rng(seed)`;
    held out: the first of the others. Rows whose title is not ASCII are left out there, and everywhere those without
    a title or an article.

    Args:
        tokenizer: counts tokens.
        forget: hub name, or a local file, or a folder with `train.jsonl`; columns title and content (or text).
        other: the same of news that stays.
        limit: of the forget rows, to try it out; as many retain and held-out rows are taken then, too.
        other_rows: how many are retained and how many held out.
        max_tokens: of an article without its title, and its end token.
        seed: of the draw.

    Raises:
        DataError: data is not there or not what it should be, or there are too few other rows.
    """
    count = FORGET_ROWS if limit is None else min(limit, FORGET_ROWS)
    wanted = other_rows if limit is None else min(limit, other_rows)
    news = Source(forget, NEWS_CONFIG if forget == NEWS else None)
    others = Source(other)
    rows, all_others = _articles(news, forget), _articles(others, other)
    drawn, rest = draw_rows(len(all_others), wanted, seed)

    def passages(source: str, numbered: Sequence[tuple[int, Mapping[str, object]]], *, foreign: bool) -> list[Passage]:
        found = []
        for index, row in numbered:
            title, content = (_text_if_any(row, names) for names in (TITLE_COLUMNS, CONTENT_COLUMNS))
            title = title if foreign else title.split(" - ")[0]
            if foreign and not title.isascii():
                continue
            passage = title_passage(f"{source}/{index}", title, content, tokenizer, max_tokens=max_tokens)
            found += [passage] if passage else []
        if not found:
            raise DataError(f"No row of the {source} data has a title and an article.")
        return found

    forgotten = passages("news", list(enumerate(rows))[:count], foreign=False)
    retained = passages("other", [(int(i), all_others[int(i)]) for i in drawn], foreign=True)
    held_out = passages("other", [(int(i), all_others[int(i)]) for i in rest], foreign=True)
    return CopyrightData(
        forget=tuple(forgotten),
        retain=tuple(retained),
        held_out=tuple(held_out),
        in_scope=tuple(dict.fromkeys(passage.prompt for passage in forgotten)),
        out_of_scope=_without([passage.prompt for passage in retained], [passage.prompt for passage in forgotten]),
        instruction="The following is the title of a copyrighted news article. Do not give its text.\n",
        sha256={"forget": news.sha256["train"], "other": others.sha256["train"]},
    )


def load_book(
    tokenizer: PreTrainedTokenizerBase,
    *,
    text: str | None = None,
    other: str | None = None,
    leave_out: Sequence[str] = (),
    limit: int | None = None,
    max_tokens: int = MAX_TOKENS,
    negatives: float = 1.0,
    seed: int = 42,
) -> CopyrightData:
    """A book in chunks, and other texts: every second chunk of them is retained, the others are held out.

    Departs from the paper, whose other texts are snippets of books (`swj0419/BookMIA`): here any, so that a folder, a
    file or the packaged stories do.

    Args:
        tokenizer: counts tokens.
        text: a text file; None = a packaged story of 2,200 words, written for this purpose.
        other: a text file, or data with a column `snippet` or `text` (and `book`); None = packaged stories.
        leave_out: titles in the column `book`, with or without ".txt", that do not stay: above all the book to forget.
        limit: of the chunks of each, to try it out.
        max_tokens: of a chunk and its end token.
        negatives: share of the retain sentences that the detector is fitted with; the paper draws 0.1 of very many.
        seed: of that draw.

    Raises:
        DataError: a file cannot be read, or has no chunk of two sentences, or there is no book of a title to leave out.
        ConfigError: a share outside 0..1.
    """
    if not 0 < negatives <= 1:
        raise ConfigError(f"negatives={negatives}: a share lies in 0..1. Use, for example, 0.1.")
    book, others = _text(text, STORY), _other_texts(other, leave_out)
    forget = book_passages(book, tokenizer, max_tokens=max_tokens)[:limit]
    if not forget:
        raise DataError("No chunk of the book has two sentences, so there is nothing to ask for. Give another text.")
    rest = [
        passage
        for index, one in enumerate(others)
        for passage in book_passages(one, tokenizer, name=f"other-{index}", max_tokens=max_tokens)
    ]
    retain, held_out = rest[::2][:limit], rest[1::2][:limit]
    if not held_out:
        raise DataError("The other texts have fewer than two chunks of two sentences. Give longer ones.")
    positive = [sentence for sentence in sentences(book) if len(sentence) > SHORTEST]
    negative = [s for passage in retain for s in sentences(passage.text) if len(s) > SHORTEST]
    if negatives < 1:
        drawn = np.random.default_rng(seed).integers(len(negative), size=max(1, round(negatives * len(negative))))
        negative = [negative[int(index)] for index in drawn]
    return CopyrightData(
        forget=tuple(forget),
        retain=tuple(retain),
        held_out=tuple(held_out),
        in_scope=tuple(dict.fromkeys([*(passage.prompt for passage in forget), *positive])),
        out_of_scope=_without(negative, positive),
        instruction="The following is taken from a copyrighted book. Do not continue its text.\n",
        sha256={"forget": _sha256(book), "other": _sha256("\0".join(others))},
    )


def draw_rows(count: int, wanted: int, seed: int) -> tuple[list[int], list[int]]:
    """Row numbers that are retained, as drawn, and held out: the first of the rest, ascending.

    Raises:
        DataError: there are not twice as many rows as wanted.
    """
    if count < 2 * wanted:
        raise DataError(f"There are {count} other rows; {wanted} are retained and as many held out. Lower the number.")
    drawn = np.random.default_rng(seed).choice(count, size=wanted, replace=False).tolist()
    taken = set(drawn)
    return drawn, [index for index in range(count) if index not in taken][:wanted]


def _articles(source: Source, place: str) -> list[Mapping[str, Any]]:
    """The rows. Titles and articles without a value are part of these data, so a column only has to be there."""
    rows = source.rows("train", ())
    for number, row in enumerate(rows, start=1):
        for names in (TITLE_COLUMNS, CONTENT_COLUMNS):
            if not isinstance(row, Mapping) or not any(name in row for name in names):
                raise DataError(f"{place}, row {number}: no column {' or '.join(map(repr, names))}.")
    return rows


def _text_if_any(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """What stands in the first of these columns that has a value; empty if none has."""
    return next((str(row[name]) for name in names if row.get(name) is not None), "")


def _text(place: str | None, packaged: str) -> str:
    if place is None:
        return (files("unlearned") / "data" / packaged).read_text(encoding="utf-8")
    found = read_user_text(Path(place).expanduser()).replace("\r\n", "\n")
    if not found.strip():
        raise DataError(f"{place} is empty.")
    return found


def _other_texts(place: str | None, leave_out: Sequence[str]) -> list[str]:
    if place is None or Path(place).suffix == ".txt":
        if leave_out:
            raise DataError("Books can be left out by title only of data with a column 'book', not of one text.")
        return [_text(place, OTHER_STORIES)]
    columns = ("snippet", "text")
    rows = Source(place).rows("train", (columns,))
    titles = [_title(str(row.get("book") or "")) for row in rows]
    if missing := [title for title in leave_out if _title(title) not in titles]:
        raise DataError(f"{place} has no book {missing[0]!r} to leave out.{_known(rows)}")
    gone = {_title(title) for title in (*LEFT_OUT, *leave_out)}
    found = [
        text_of(row, columns, f"{place}, row {number}")
        for number, (row, title) in enumerate(zip(rows, titles, strict=True), start=1)
        if title not in gone
    ]
    if not found:
        raise DataError(f"{place}: no text is left after the books that are left out.")
    return found


def _title(name: str) -> str:
    """A book's title, however it is written."""
    return name.strip().casefold().removesuffix(".txt").strip()


def _known(rows: Sequence[Mapping[str, Any]], most: int = 10) -> str:
    books = list(dict.fromkeys(str(row["book"]) for row in rows if row.get("book")))
    return f" It has: {', '.join(books[:most])}{', ...' if len(books) > most else ''}." if books else ""


def _without(texts: Sequence[str], taken: Sequence[str]) -> tuple[str, ...]:
    """Distinct texts that are not among the taken ones: no text may be an example of both."""
    return tuple(text for text in dict.fromkeys(texts) if text not in set(taken))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
