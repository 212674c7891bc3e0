"""Documents about a subject, as texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unlearned.errors import DataError

MOST_BYTES = 20_000_000


def read_documents(paths: Sequence[str | Path]) -> list[str]:
    """The text of each file.

    Raises:
        DataError: one is missing, empty, too large, or not UTF-8 text; names the file, never what is in it.
    """
    return [_read(Path(path)) for path in paths]


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is larger than {MOST_BYTES // 1_000_000} MB. Give the passages about the subject.")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}. Check the path.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text. Convert it to plain text first.") from error
    if "\0" in text or not text.strip():
        raise DataError(f"{path} holds no text. Give plain text files.")
    return text
