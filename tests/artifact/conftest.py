"""What the tests of this folder share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def saved(make_artifact: Any, tmp_path: Path) -> Path:
    folder: Path = make_artifact().save_pretrained(tmp_path / "hp")
    return folder
