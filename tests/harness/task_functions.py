"""Functions and files of tasks, changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from local_tasks import write_tasks

HELPERS = "def _asked(doc):\n    return doc['question']\n\n\ndef text(doc):\n    return _asked(doc)\n"


def with_function(folder: Path) -> Path:
    """Tasks, and `local_function`, whose prompts a function of `helpers.py` writes."""
    folder.mkdir()
    write_tasks(folder)
    (folder / "helpers.py").write_text(HELPERS, encoding="utf-8")
    task = json.loads((folder / "local_choice.yaml").read_text(encoding="utf-8"))
    text = json.dumps(task | {"task": "local_function", "doc_to_text": "F"})
    (folder / "local_function.yaml").write_text(text.replace('"F"', "!function helpers.text"), encoding="utf-8")
    return folder


def edit(folder: Path, task: str = "local_choice", **changes: Any) -> None:
    file = folder / f"{task}.yaml"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")
