"""Text files of people: UTF-8 with or without a mark at its beginning, or what else says what it is."""

from __future__ import annotations

import codecs
from pathlib import Path

from unlearned.errors import DataError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_NO_TEXT = (
    (b"PK\x03\x04", "a workbook or a zip archive. Save the sheet as 'CSV UTF-8', or unpack the archive"),
    (b"\xd0\xcf\x11\xe0", "an old workbook or document. Save it as 'CSV UTF-8' or as text"),
    (b"\x1f\x8b", "gzip. Unpack it: gunzip FILE"),
    (b"PAR1", "Parquet. Convert it to JSONL or CSV"),
    (b"%PDF", "a PDF. Save its text"),
)
"""How files begin that are often given by mistake, and what to do."""


def read_user_text(path: str | Path) -> str:
    """The text of a file; line ends stay as they are.

    Raises:
        DataError: it cannot be read, or it is in an encoding that nothing in it names; says which one it may be.
    """
    file = Path(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {file}: {error.strerror}. Check the path.") from error
    for begin, what in _NO_TEXT:
        if content.startswith(begin):
            raise DataError(f"{file}: no text, but {what}.")
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    # Letters beyond ASCII make it no UTF-8 either, so this is asked first.
    if encoding == "utf-8" and content.count(0) > len(content) // 4:
        raise DataError(f"{file}: looks like UTF-16 without a mark at its beginning. Convert the file to UTF-8.")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        if encoding.startswith(("utf-16", "utf-32")):
            raise DataError(f"{file}: not whole as {encoding.upper()}, as which it begins. Save it again.") from error
        raise DataError(
            f"{file}, line {line}: not UTF-8 text. It may be Windows' encoding (CP-1252 or a like). Convert it "
            f"to UTF-8: iconv -f CP1252 -t UTF-8 {file.name}, or save it as 'CSV UTF-8' or with encoding UTF-8."
        ) from error
    return text
