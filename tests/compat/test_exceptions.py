"""The lists are those of the installed releases."""

from __future__ import annotations

import pytest
import transformers

from unlearned.compat import model_types
from unlearned.compat.exceptions import EXCEPTIONS, KNOWN, RELEASE

pytestmark = pytest.mark.slow


@pytest.mark.skipif(transformers.__version__ != RELEASE, reason=f"the lists are those of transformers {RELEASE}")
def test_the_lists_are_those_of_the_installed_transformers() -> None:
    assert set(model_types()) == KNOWN
    assert set(EXCEPTIONS) <= KNOWN
    assert len(EXCEPTIONS) <= 8
