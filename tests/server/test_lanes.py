"""What waits longest goes first, but for shorter texts that came not much later; a call stays within its bounds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from unlearned.classify.giving_way import give_way
from unlearned.server.lanes import AT_ONCE, CHARACTERS, Lane, Waiting
from unlearned.server.store import Enforced
from unlearned.types import Verdict, text_only

Make = Callable[..., Lane]
ONE, OTHER = Enforced((), None, "one"), Enforced((), None, "other")


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Lane] = []

    def make(work: Callable[[Sequence[Waiting]], None], **more: Any) -> Lane:
        made.append(Lane("test", work, **more))
        return made[-1]

    yield make
    for lane in made:
        lane.close()


def waiting(text: str, due: float = 0.0, size: int | None = None, enforced: Any = ONE) -> Waiting:
    return Waiting(text_only(text), enforced, len(text) if size is None else size, due)


def held(make: Make) -> tuple[Lane, threading.Event, list[list[str]]]:
    """A lane that is busy until it is let go, and the calls that it makes."""
    go, begun, calls = threading.Event(), threading.Event(), list[list[str]]()

    def work(batch: Sequence[Waiting]) -> None:
        begun.set()
        assert go.wait(10)
        calls.append([item.prompt.text for item in batch])
        for item in batch:
            item.verdict.set_result(Verdict())

    lane = make(work)
    lane.put([waiting("running")])
    assert begun.wait(10)
    return lane, go, calls


def test_what_waits_long_enough_goes_before_what_is_shorter(make: Make) -> None:
    lane, go, calls = held(make)
    lane.put([waiting("long, long ago", 100.0 + 4000 / 250, 4000)])
    lane.put([waiting("short and late", 100.0 + 60 + 1500 / 250, 1500), waiting("first of equals", 7.0, 4000)])
    lane.put([waiting("second of equals", 7.0, 4000)])
    go.set()
    lane.wait_until_idle(10)
    assert calls == [["running"], ["first of equals"], ["second of equals"], ["long, long ago"], ["short and late"]]


def test_a_call_holds_so_many_prompts_and_characters_and_one_that_is_longer_alone(make: Make) -> None:
    lane, go, calls = held(make)
    sizes = [CHARACTERS * 2, CHARACTERS // 2, CHARACTERS // 2, 1]
    lane.put([waiting(f"{n}", float(n), size) for n, size in enumerate(sizes)])
    lane.put([waiting("x", 10.0, 0) for _ in range(AT_ONCE + 1)])
    assert lane.characters == sum(sizes)
    go.set()
    lane.wait_until_idle(10)
    assert [len(call) for call in calls] == [1, 1, 2, AT_ONCE, 2]
    assert lane.characters == 0


def test_prompts_of_one_call_are_judged_by_the_artifacts_that_they_met(make: Make) -> None:
    lane, go, calls = held(make)
    lane.put([waiting("a", 1.0), waiting("b", 2.0, enforced=OTHER), waiting("c", 3.0)])
    go.set()
    lane.wait_until_idle(10)
    assert calls == [["running"], ["a", "c"], ["b"]]


def test_who_no_longer_waits_is_left_out(make: Make) -> None:
    lane, go, calls = held(make)
    items = [waiting("gone", 1.0), waiting("here", 2.0)]
    lane.put(items)
    assert items[0].verdict.cancel()
    assert items[0].lane == [lane]
    go.set()
    assert items[1].verdict.result(10) == Verdict()
    lane.wait_until_idle(10)
    assert calls == [["running"], ["here"]]


def test_at_the_end_what_waits_is_cancelled_and_what_runs_is_finished(make: Make) -> None:
    lane, go, calls = held(make)
    item = waiting("never")
    lane.put([item])
    assert lane.busy()
    assert lane.running_for() > 0
    lane.close()
    go.set()
    with pytest.raises(BaseException) as error:  # noqa: PT011 -- CancelledError is no Exception everywhere
        item.verdict.result(10)
    assert type(error.value).__name__ == "CancelledError"
    assert calls == [["running"]]
    lane._thread.join(10)
    assert not lane.alive()


def test_an_idle_lane_is_not_waited_for_and_a_busy_one_only_so_long(make: Make) -> None:
    idle = make(lambda batch: None)
    idle.wait_until_idle(60)
    assert (idle.running_for(), idle.busy()) == (0.0, False)
    lane, go, _ = held(make)
    lane.wait_until_idle(0.01)
    assert lane.busy()
    go.set()


def test_a_long_check_gives_way_where_it_says_so(make: Make) -> None:
    gave: list[int] = []
    lane = make(lambda batch: give_way(), give_way=lambda: gave.append(1))
    lane.put([waiting("a")])
    lane.wait_until_idle(10)
    assert gave == [1]
    give_way()  # here nobody asked for it
    assert gave == [1]
