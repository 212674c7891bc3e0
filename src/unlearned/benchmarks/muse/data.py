"""MUSE's data: `muse-bench/MUSE-News` and `-Books`, or folders with a file for each split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearned.benchmarks.muse.config import Corpus, Style
from unlearned.benchmarks.source import Source, text_of
from unlearned.errors import ConfigError, DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HUB: Mapping[str, str] = {"news": "muse-bench/MUSE-News", "books": "muse-bench/MUSE-Books"}

PARTS = 4
CONFIGS: Mapping[str, tuple[str, ...]] = {
    "raw": ("forget", "retain1", "retain2", "holdout"),
    "verbmem": ("forget",),
    "knowmem": ("forget_qa", "retain_qa", "forget_qa_icl", "retain_qa_icl"),
    "privleak": ("forget", "retain", "holdout"),
    "scal": tuple(f"forget_{number}" for number in range(1, PARTS + 1)),
    "sust": tuple(f"forget_{number}" for number in range(1, PARTS + 1)),
    "train": ("forget", "retain1", "retain2"),
}
"""Config -> splits. scal: growing forget sets. sust: disjoint ones, for one request after the other. train: what the
start model was trained on; a folder may have `train/full` in their place."""

FULL = "full"
KEPT = ("retain1", "retain2")
"""retain1 is for unlearners to see; questions about what stays are asked of retain2. The retained model knows both."""

FORGET_SETS = ("raw", *(f"{config}-{number}" for config in ("scal", "sust") for number in range(1, PARTS + 1)))

ASKED = ("verbmem", "knowmem", "privleak")
"""Configs that models are asked."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A prompt and its continuation, or a question and its answer."""

    prompt: str
    truth: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MuseData:
    """Everything that one run needs."""

    forget: tuple[str, ...]
    """Raw texts to forget."""

    retain: tuple[str, ...]
    """Raw texts that stay, and are shown to unlearners (`retain1`)."""

    train: tuple[str, ...]
    """What a start model is trained on; empty where it is not there, or not asked for."""

    train_retained: tuple[str, ...]
    """What a retained model is trained on; empty as above."""

    verbatim: tuple[Pair, ...]
    """Beginnings of forget texts, and how they go on."""

    questions: Mapping[str, tuple[Pair, ...]]
    """"forget" and "retain"."""

    examples: Mapping[str, tuple[Pair, ...]]
    """What stands in front of these questions."""

    members: tuple[str, ...]
    """Forget texts, for membership inference."""

    strangers: tuple[str, ...]
    """Texts of the same kind that no model was trained on."""

    sha256: Mapping[str, str]
    """Config/split -> SHA-256 of everything that was read."""

    @property
    def asked_sha256(self) -> dict[str, str]:
        """Hashes of what models are asked."""
        return {name: sha256 for name, sha256 in self.sha256.items() if name.partition("/")[0] in ASKED}


class MuseSource:
    """The splits of one corpus.

    Args:
        corpus: news or books.
        place: a folder with `raw/forget.jsonl` and so on (`.jsonl`, `.json` or `.csv`), or one with such a folder for
            each corpus; None = the hub.

    Raises:
        ConfigError: there is no such corpus.
        DataError: there is no such folder.
    """

    def __init__(self, corpus: Corpus, place: str | None = None) -> None:
        if corpus not in HUB:
            raise ConfigError(f"corpus={corpus!r}: must be 'news' or 'books'.")
        self._hub = HUB[corpus]
        self._folder = None if place is None else Path(place).expanduser()
        if self._folder is not None and (self._folder / corpus).is_dir():
            self._folder = self._folder / corpus
        if self._folder is not None and not self._folder.is_dir():
            raise DataError(f"There is no folder {place}. Give one with raw/forget.jsonl and the other splits.")
        self._sources: dict[str, Source] = {}

    def has(self, config: str, split: str) -> bool:
        """Whether this split is there."""
        if self._folder is not None and not (self._folder / config).is_dir():
            return False
        return self._source(config).find([split]) is not None

    def rows(self, config: str, split: str, columns: Sequence[str]) -> list[Mapping[str, Any]]:
        """The rows of a split; raises `DataError` if it is not there or lacks a column."""
        if split not in CONFIGS[config] and (config, split) != ("train", FULL):
            raise ConfigError(f"MUSE's {config} has no split {split!r}. It has: {', '.join(CONFIGS[config])}.")
        if self._folder is not None and not (self._folder / config).is_dir():
            raise DataError(f"There is no folder {self._folder / config}. The benchmark needs it.")
        return self._source(config).rows(split, [(column,) for column in columns])

    def texts(self, config: str, split: str, limit: int | None = None) -> tuple[str, ...]:
        """The texts of a split."""
        rows = self.rows(config, split, ("text",))[:limit]
        return tuple(text_of(row, ("text",), f"{config}/{split}, row {n}") for n, row in enumerate(rows, start=1))

    def pairs(self, config: str, split: str, columns: tuple[str, str], limit: int | None = None) -> tuple[Pair, ...]:
        """The pairs of a split."""
        found = []
        for number, row in enumerate(self.rows(config, split, columns)[:limit], start=1):
            place = f"{config}/{split}, row {number}"
            found.append(Pair(text_of(row, columns[:1], place), text_of(row, columns[1:], place)))
        return tuple(found)

    @property
    def sha256(self) -> dict[str, str]:
        """Hashes of everything that was read."""
        return {f"{c}/{split}": h for c, source in self._sources.items() for split, h in source.sha256.items()}

    def _source(self, config: str) -> Source:
        if config not in self._sources:
            place = Source(self._hub, config) if self._folder is None else Source(self._folder / config)
            self._sources[config] = place
        return self._sources[config]


def load_muse(
    corpus: Corpus, place: str | None = None, *, forget_set: str = "raw", limit: int | None = None, train: bool = True
) -> MuseData:
    """Read what a run needs.

    Args:
        corpus: news or books.
        place: a folder; None = the hub.
        forget_set: what unlearners are shown: "raw", or "scal-1" ... "sust-4". What is asked is always the same.
        limit: most rows of every split that is asked.
        train: whether to read what start and retained model are trained on, if it is there.

    Raises:
        ConfigError: no such corpus or forget set.
        DataError: a split is not there, or not what it should be.
    """
    if forget_set not in FORGET_SETS:
        raise ConfigError(f"forget_set={forget_set!r}: must be one of {', '.join(FORGET_SETS)}.")
    source = MuseSource(corpus, place)
    config, _, number = forget_set.partition("-")
    asked = ("question", "answer")
    start, retained = _training(source) if train else ((), ())
    return MuseData(
        forget=source.texts(config, f"forget_{number}" if number else "forget"),
        retain=source.texts("raw", "retain1"),
        train=start,
        train_retained=retained,
        verbatim=source.pairs("verbmem", "forget", ("prompt", "gt"), limit),
        questions={side: source.pairs("knowmem", f"{side}_qa", asked, limit) for side in ("forget", "retain")},
        examples={side: source.pairs("knowmem", f"{side}_qa_icl", asked) for side in ("forget", "retain")},
        members=source.texts("privleak", "forget", limit),
        strangers=source.texts("privleak", "holdout", limit),
        sha256=source.sha256,
    )


def _training(source: MuseSource) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a start model and a retained model are trained on; empty if it is not there.

    Beside `train/full`, which does not say which of its texts stay, the kept ones may be those of `raw`.
    """
    full, forget = (source.has("train", split) for split in (FULL, "forget"))
    if not full and not forget:
        return (), ()
    place = "raw" if full and not source.has("train", KEPT[0]) else "train"
    kept = tuple(text for split in KEPT for text in source.texts(place, split))
    return source.texts("train", FULL) if full else (*source.texts("train", "forget"), *kept), kept


def muse_chunks(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> list[list[int]]:
    """Token ids as MUSE trains on: texts joined by empty lines, pieces of `max_tokens - 1` behind the BOS token.

    The last piece is filled up from the first.
    """
    ids = tokenizer("\n\n".join(texts), add_special_tokens=False, verbose=False)["input_ids"]
    start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    size = _size(max_tokens)
    pieces = [ids[first : first + size] for first in range(0, len(ids), size)]
    pieces[-1] = (pieces[-1] + pieces[0])[:size]
    return [start + piece for piece in pieces]


def cut_texts(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_tokens: int, style: Style) -> list[str]:
    """Pieces to train on, as texts.

    "muse": those of `muse_chunks`, without the BOS token, which tokenizing brings back. "open-unlearning": exactly
    `max_tokens` tokens each, the last one shorter.

    Raises:
        ConfigError: an unknown style, or pieces of fewer than two tokens.
    """
    if style == "muse":
        start = int(tokenizer.bos_token_id is not None)
        pieces = [ids[start:] for ids in muse_chunks(texts, tokenizer, max_tokens)]
    elif style == "open-unlearning":
        ids = tokenizer("\n\n".join(texts), add_special_tokens=False, verbose=False)["input_ids"]
        pieces = [ids[first : first + max_tokens] for first in range(0, len(ids), _size(max_tokens) + 1)]
    else:
        raise ConfigError(f"style={style!r}: must be 'muse' or 'open-unlearning'.")
    return [str(tokenizer.decode(piece)) for piece in pieces]


def _size(max_tokens: int) -> int:
    if max_tokens < 3:
        raise ConfigError(f"max_tokens={max_tokens}: too short for a piece of text. MUSE takes 2048.")
    return max_tokens - 1
