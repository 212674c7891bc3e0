"""A student that is driven off its teacher and back, in turns."""

from __future__ import annotations

import pytest
from losses_by_hand import (
    EXPECTED,
    R,
    ce,
    close,
    divergences,
    mean,
    total,
)

from unlearned.errors import ConfigError
from unlearned.methods.registry import make_method


def test_scrub_takes_turns() -> None:
    kd = 16 * mean(divergences(R, "labels", 4.0))
    for epoch in (1, 3, 4, 5, 6):
        assert total("scrub", epoch, alpha=0.2) == close(0.2 * kd + ce(R))
    assert total("scrub", 2) == total("scrub", 0) < 0
    assert [e for e in range(13) if make_method("scrub", {"max_epochs": 3}).maximises(e)] == [0, 2, 4]  # type: ignore[attr-defined]


def test_the_first_epoch_drives_the_student_off() -> None:
    assert total("scrub") == close(EXPECTED["scrub"]())
    assert total("scrub", 0, max_epochs=0) == total("scrub", 1)
    for settings in ({"temperature": 0}, {"alpha": -1}, {"max_epochs": -1}):
        with pytest.raises(ConfigError, match=next(iter(settings))):
            make_method("scrub", settings)
