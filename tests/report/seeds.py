"""Results of unlearners with several seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

UNLEARNERS = ("none", "eco", "eco-zo", "prompting")


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found
