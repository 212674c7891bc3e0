"""Finished parts of a benchmark run are kept, each with what it depends on, and not repeated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from unlearned.files import write_text


def keep(file: Path, settings: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    """Write a finished part beside what it depends on; both as JSON has them, so lists and not tuples."""
    write_text(file, as_text({"settings": settings, **content}))


def finished(file: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was kept, if it depends on the same."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(kept, dict) or kept.pop("settings", None) != settings:
        return None
    return kept


def sha256_of_code(*parts: str) -> str:
    """Of these files and folders of the package: the code and the data in them that decide what a part finds."""
    root = Path(str(files("unlearned")))
    paths = [
        path
        for part in parts
        for path in ((root / part).rglob("*") if (root / part).is_dir() else [root / part])
        if path.suffix in (".py", ".jsonl", ".txt")
    ]
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def as_text(data: Mapping[str, Any]) -> str:
    """JSON for people to read, too."""
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
