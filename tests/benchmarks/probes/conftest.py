"""What the tests of this folder share."""

from __future__ import annotations

from typing import Any

import pytest
from probes_rows import CHOICES

from tiny_rows import FORGET, RETAIN


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return [
        {"question": text, "choices": list(CHOICES), "answer": index % 4, "subject": "forget" if index < 4 else "other"}
        for index, text in enumerate([*FORGET, *RETAIN])
    ]
