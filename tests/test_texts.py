"""Text files are read as what they say that they are, and everything else is refused with what to do."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from unlearned.errors import DataError
from unlearned.texts import read_user_text

TEXT = "Straße, 漢字?\r\nsecond\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
        codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
    ],
)
def test_every_marked_encoding_gives_the_same_text_with_its_line_ends(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert read_user_text(tmp_path / "file") == TEXT


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"PK\x03\x04rest", "zip"),
        (b"\x1f\x8b", "gzip"),
        (b"PAR1", "Parquet"),
        (b"%PDF-1.7", "PDF"),
        ("one\ntwo\nStraße".encode("cp1252"), "line 3"),
        ("plain words".encode("utf-16-le"), "UTF-16"),
        (codecs.BOM_UTF16_LE + b"a", "UTF-16"),
    ],
)
def test_what_is_no_text_is_one_error_with_the_file_and_what_to_do(tmp_path: Path, content: bytes, match: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DataError, match=match) as refused:
        read_user_text(tmp_path / "file")
    assert "file" in str(refused.value)


def test_an_empty_file_is_an_empty_text_and_a_missing_one_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert read_user_text(tmp_path / "empty") == ""
    for missing in (tmp_path / "none", tmp_path):
        with pytest.raises(DataError, match=missing.name):
            read_user_text(missing)
