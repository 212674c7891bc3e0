"""Where results go: a file, or the terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from unlearned.errors import DataError
from unlearned.files import write_text


def check_writable(path: Path | None) -> None:
    """Before a long job: raise `DataError` if its result could not be written."""
    if path is None:
        return
    if path.is_dir():
        raise DataError(f"{path} is a folder. Give a file name for --out.")
    if not path.parent.is_dir():
        raise DataError(f"There is no folder {path.parent}. Create it first.")
    if not os.access(path.parent, os.W_OK):
        raise DataError(f"The folder {path.parent} cannot be written to.")


def write_rows(path: Path | None, rows: Iterable[dict[str, Any]]) -> None:
    """JSON lines to a file, or to the terminal if there is none."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if path is None:
        print(text, end="")
    else:
        write_text(path, text)
