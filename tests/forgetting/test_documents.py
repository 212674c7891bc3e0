"""Documents are plain text, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from unlearned.errors import DataError
from unlearned.forgetting.documents import read_documents


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a\x00b", b" \n"])
def test_a_document_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "letter").write_bytes(content)
    with pytest.raises(DataError, match="letter"):
        read_documents([tmp_path / "letter"])


def test_texts_are_read_in_order_without_a_mark_at_the_beginning(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("\ufeffÅsa\r\n".encode())
    (tmp_path / "b").write_text("Bea")
    assert read_documents([tmp_path / "b", str(tmp_path / "a")]) == ["Bea", "Åsa\r\n"]
    assert read_documents([]) == []


def test_a_file_that_is_not_there_or_too_large_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="none"):
        read_documents([tmp_path / "none"])
    with pytest.raises(DataError, match=tmp_path.name):
        read_documents([tmp_path])
    monkeypatch.setattr("unlearned.forgetting.documents.MOST_BYTES", 2)
    (tmp_path / "large").write_text("abc")
    with pytest.raises(DataError, match="large"):
        read_documents([tmp_path / "large"])
