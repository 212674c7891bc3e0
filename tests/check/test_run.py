"""What a check has found is told by its bounds: at a bound nothing has failed, beyond it there is one sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from unlearned.api import Answer
from unlearned.check.compare import Comparison, Kind
from unlearned.check.config import Bounds, CheckConfig
from unlearned.check.facts import FactQuestion
from unlearned.check.likeness import ToldApart
from unlearned.check.run import CheckResult, run_check
from unlearned.errors import DataError
from unlearned.examples import Row
from unlearned.types import Span, Verdict, text_only


def answer(text: str, score: float = 0.0, *, flagged: bool = False) -> Answer:
    spans = (Span(0, 1, "s", score),) if flagged else ()
    return Answer(text, tuple(map(ord, text)), text_only(""), Verdict(spans, score))


def compared(kind: Kind, score: float, *, flagged: bool, after: str = "same", fact: str | None = None) -> Comparison:
    question = None if fact is None else FactQuestion("Who?", ((fact,),))
    return Comparison(kind, "s", f"p{score}", answer("same"), answer(after, score, flagged=flagged), question)


@pytest.fixture
def result(make_artifact: Any) -> CheckResult:
    forget = [compared("held-out forget", n / 10, flagged=n > 0, after=f"x{n}" if n else "same") for n in range(10)]
    close = [compared("close retain", 0.9 - n / 100, flagged=n == 0) for n in range(20)]
    return CheckResult(make_artifact(), "tiny", True, [*forget, *close], [], None, (0, 0), CheckConfig())


def with_more(result: CheckResult, *comparisons: Comparison, **bounds: Any) -> list[str]:
    config = replace(result.config, bounds=Bounds(**bounds))
    return replace(result, comparisons=[*result.comparisons, *comparisons], config=config).failures()


def test_at_its_bounds_nothing_has_failed_and_beyond_each_one_there_is_a_sentence(result: CheckResult) -> None:
    assert with_more(result) == []  # 1 of 10 missed, 1 of 20 flagged
    for comparison, said in (
        (compared("held-out forget", 0.1, flagged=False), "missed 2 of 11"),
        (compared("close retain", 0.9, flagged=True, after="x"), "flagged 2 of 21 close"),
        (compared("general", 0.9, flagged=True, after="x"), "flagged 1 of 1 general"),
        (compared("general", 0.1, flagged=False, after="x"), "1 answers"),
        (compared("held-out forget", 0.9, flagged=True, after="It is Ada.", fact="Ada"), "1 of 1 questions"),
    ):
        [failure] = with_more(result, comparison)
        assert said in failure
    apart = replace(result, apart=ToldApart(0.8, (0.7, 0.9)))
    assert apart.failures() == []
    assert len(replace(apart, config=CheckConfig(bounds=Bounds(told_apart=0.79))).failures()) == 1
    assert replace(apart, config=CheckConfig(bounds=Bounds(told_apart=0.8))).failures() == []


def test_mistakes_come_with_the_nearest_first(result: CheckResult) -> None:
    more = [compared("held-out forget", score, flagged=False) for score in (0.2, 0.4, 0.3)]
    wrong = [compared("general", score, flagged=True) for score in (0.99, 0.6)]
    found = replace(result, comparisons=[*result.comparisons, *more, *wrong])
    assert [c.unlearned.verdict.score for c in found.missed()] == [0.4, 0.3, 0.2, 0.0]
    assert [c.unlearned.verdict.score for c in found.wrongly_flagged()] == [0.6, 0.9, 0.99]


def test_the_numbers_that_are_kept_are_those_of_the_comparisons(result: CheckResult) -> None:
    evidence = replace(result, canned=(3, 0)).evidence()
    assert (evidence.forget.prompts, evidence.forget.flagged) == (10, 9)
    assert evidence.close is not None
    assert (evidence.close.prompts, evidence.close.flagged) == (20, 1)
    assert evidence.general is None
    assert (evidence.unflagged, evidence.identical) == (20, 20)
    assert (evidence.canned, evidence.canned_plain) == (3 / 9, 0.0)
    assert (evidence.leaks_of, evidence.leaks_before, evidence.told_apart) == (0, None, None)
    nothing = replace(result, comparisons=[]).evidence()
    assert (nothing.forget.prompts, nothing.canned, nothing.looping) == (0, None, None)


def test_a_prompt_on_both_sides_is_refused_before_anything_runs(make_artifact: Any) -> None:
    with pytest.raises(DataError, match="'Why\\?'"):
        run_check(None, None, make_artifact(), [Row("Why?")], [Row("Why?")])  # type: ignore[arg-type]
