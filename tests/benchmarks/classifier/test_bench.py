"""What a detector covers of a text."""

from __future__ import annotations

import pytest

from unlearned.benchmarks.classifier.bench import _batches, covered, spills
from unlearned.types import Span, Verdict


def test_coverage_counts_characters_that_are_not_spaces() -> None:
    text, place = "Hello. Who is he? Bye.", (7, 17)
    assert text[slice(*place)] == "Who is he?"

    def flagged(*places: tuple[int, int]) -> Verdict:
        return Verdict(tuple(Span(start, end, "s", 1.0) for start, end in places))

    assert covered(text, place, flagged()) == 0
    assert covered(text, place, flagged((7, 10))) == pytest.approx(3 / 8)
    assert covered(text, place, flagged((7, 10), (8, 17))) == 1
    assert covered(text, place, flagged((0, 6))) == 0
    assert not spills(text, place, flagged((7, 17)))
    assert not spills(text, place, flagged((5, 18)))  # a full stop and spaces
    assert spills(text, place, flagged((7, 19)))


def test_batches_hold_every_prompt_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unlearned.benchmarks.classifier.bench.BATCH_CHARACTERS", 10)
    assert _batches([4, 4, 4, 50, 1]) == [(0, 2), (2, 3), (3, 4), (4, 5)]
    assert _batches([]) == []
