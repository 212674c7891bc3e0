"""The folder of an unfinished training.

Checkpoints are the Trainer's own: weights in safetensors, and its optimiser state, which it reads with `weights_only`.
"""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

from unlearned.errors import ConfigError, FitWarning
from unlearned.files import write_text


def claim(record: Path, fingerprint: str, *, foreign: str, stale: str) -> None:
    """Make the folder of `record` ready: with this training's own checkpoints, or empty. Deletes only checkpoints.

    Args:
        record: the file that says whose checkpoints they are.
        fingerprint: of the training.
        foreign: what is raised where the folder holds something else.
        stale: what is warned of where it holds another training's checkpoints, which are deleted.

    Raises:
        ConfigError: the folder holds something else.
    """
    folder = record.parent
    if folder.exists():
        if not record.is_file() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(foreign)
        if record.is_file():
            if read_json(record) == {"sha256": fingerprint}:
                return
            warnings.warn(stale, FitWarning, stacklevel=4)
            shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(record, json.dumps({"sha256": fingerprint}) + "\n")


def last_complete(folder: Path) -> str | None:
    """The last checkpoint that was written to its end; its state is written last."""
    found = [path for path in folder.glob("checkpoint-*") if isinstance(read_json(path / "trainer_state.json"), dict)]
    return str(max(found, key=lambda path: int(path.name.rpartition("-")[2]))) if found else None


def read_json(path: Path) -> Any:
    """A JSON file's content, or None if there is none that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
