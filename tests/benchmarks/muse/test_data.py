"""The splits of MUSE are read."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
from muse_rows import LINES, OTHERS, WORK, write_muse, write_rows

from unlearned.benchmarks.muse import run as module
from unlearned.benchmarks.muse.config import MuseRunConfig
from unlearned.benchmarks.muse.data import CONFIGS, MuseSource, cut_texts, load_muse, muse_chunks
from unlearned.errors import ConfigError, DataError


def test_every_split_can_be_read(tmp_path: Path) -> None:
    source = MuseSource("books", str(write_muse(tmp_path)))
    columns = {"verbmem": ("prompt", "gt"), "knowmem": ("question", "answer")}
    for config, splits in CONFIGS.items():
        for split in splits:
            assert source.rows(config, split, columns.get(config, ("text",)))
    assert set(source.sha256) == {f"{config}/{split}" for config, splits in CONFIGS.items() for split in splits}
    assert MuseSource("books", str(tmp_path / "books")).has("train", "retain2")
    assert not source.has("train", "full")
    with pytest.raises(ConfigError, match="in-context needs prompts with answers"):
        MuseRunConfig(unlearners=("none", "in-context"))
    with pytest.raises(ConfigError, match="no split 'full'"):
        source.rows("raw", "full", ("text",))
    with pytest.raises(ConfigError, match="no split 'forget_5'"):
        source.rows("scal", "forget_5", ("text",))
    with pytest.raises(DataError, match=r"verbmem.forget\.jsonl, row 1: no column 'text'"):
        source.rows("verbmem", "forget", ("text",))
    with pytest.raises(DataError, match="no folder"):
        MuseSource("books", str(tmp_path / "elsewhere"))
    with pytest.raises(ConfigError, match="'news' or 'books'"):
        MuseSource("films")  # type: ignore[arg-type]


def test_what_unlearners_are_shown_can_be_a_part(tmp_path: Path) -> None:
    folder = str(write_muse(tmp_path))
    assert load_muse("books", folder).forget == tuple(LINES)
    assert load_muse("books", folder, forget_set="scal-2").forget == tuple(LINES[:3])
    few = load_muse("books", folder, limit=2)
    assert (len(few.verbatim), len(few.questions["forget"]), len(few.forget)) == (2, 2, len(LINES))
    assert few.asked_sha256 == load_muse("books", folder, forget_set="sust-1").asked_sha256
    with pytest.raises(ConfigError, match="scal-5"):
        load_muse("books", folder, forget_set="scal-5")


def test_what_named_models_were_trained_on_is_not_read(tmp_path: Path) -> None:
    data = load_muse("books", str(write_muse(tmp_path)), train=False)
    assert data.train == data.train_retained == ()
    assert not any(name.startswith("train/") for name in data.sha256)
    assert set(data.asked_sha256) == {
        "verbmem/forget", "knowmem/forget_qa", "knowmem/retain_qa", "knowmem/forget_qa_icl", "knowmem/retain_qa_icl",
        "privleak/forget", "privleak/holdout",
    }  # fmt: skip


def test_a_folder_may_have_all_training_texts_in_one_file(tmp_path: Path) -> None:
    folder = write_muse(tmp_path)
    shutil.rmtree(folder / "books" / "train")
    nothing = load_muse("books", str(folder))
    assert nothing.train == ()
    with pytest.raises(DataError, match=r"no train/forget .or train/full."):
        module.Muse(MuseRunConfig()).models(nothing, WORK)
    write_rows(folder / "books" / "train" / "full.jsonl", [{"text": text} for text in (*OTHERS, *LINES)])
    data = load_muse("books", str(folder))
    assert data.train == (*OTHERS, *LINES)
    assert data.train_retained == tuple(OTHERS)
    assert "raw/retain2" in data.sha256


def test_pieces_of_both_kinds(tiny_tokenizer: Any) -> None:
    texts = ["The goat ate a hat.", "It was the mayor's hat. Nobody laughed."]
    ids = tiny_tokenizer("\n\n".join(texts), add_special_tokens=False)["input_ids"]
    assert tiny_tokenizer.bos_token_id is None
    pieces = muse_chunks(texts, tiny_tokenizer, 8)
    assert all(len(piece) == 7 for piece in pieces)
    joined = [token for piece in pieces for token in piece]
    assert joined[: len(ids)] == ids
    assert joined[len(ids) :] == ids[: len(joined) - len(ids)], "filled up from the first"
    with_start = copy.deepcopy(tiny_tokenizer)
    with_start.bos_token = "<|turn|>"
    assert [piece[1:] for piece in muse_chunks(texts, with_start, 8)] == pieces
    assert {piece[0] for piece in muse_chunks(texts, with_start, 8)} == {with_start.bos_token_id}
    whole = cut_texts(texts, tiny_tokenizer, 8, "open-unlearning")
    assert "".join(whole) == "\n\n".join(texts)
    assert [len(tiny_tokenizer(piece)["input_ids"]) for piece in whole[:-1]] == [8] * (len(whole) - 1)
    with pytest.raises(ConfigError, match="style='half'"):
        cut_texts(texts, tiny_tokenizer, 8, "half")  # type: ignore[arg-type]
