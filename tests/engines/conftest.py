"""What the tests of this folder share."""

from __future__ import annotations

from typing import Any

import pytest
from guards import NAMES

from unlearned.answers.guard import Bans, Guard
from unlearned.answers.withheld import Withheld
from unlearned.classify.lexicon import ScopeName
from unlearned.engines.watching import TokenBytes


@pytest.fixture(scope="module")
def texts(tiny_tokenizer: Any) -> TokenBytes:
    return TokenBytes(tiny_tokenizer)


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard(Bans([Withheld(names=tuple(ScopeName(name=name, kind="work", given=False) for name in NAMES))]))
