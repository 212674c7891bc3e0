"""One client has so many requests a minute, and another one its own."""

from __future__ import annotations

import pytest

from unlearned.server.rate import RateLimit
from unlearned.server.refusals import RefusalError


def test_a_minute_later_there_is_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    rate = RateLimit(2)
    for _ in range(2):
        rate.count("a")
    with pytest.raises(RefusalError, match="Wait 60 s"):
        rate.count("a")
    now[0] += 61
    rate.count("a")


def test_without_a_limit_nothing_is_counted_and_clients_do_not_share_theirs() -> None:
    free = RateLimit(None)
    for _ in range(1000):
        free.count("a")
    rate = RateLimit(1)
    rate.count("a")
    rate.count("b")
    with pytest.raises(RefusalError) as refused:
        rate.count("a")
    assert (refused.value.status, refused.value.code) == (429, "rate_limit_exceeded")
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 60


def test_the_window_slides_and_a_refused_request_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    rate = RateLimit(2)
    for now[0] in (0.0, 50.0):
        rate.count("a")
    for now[0] in (55.0, 59.9):
        with pytest.raises(RefusalError) as refused:
            rate.count("a")
        assert int(refused.value.headers["Retry-After"]) >= 1
    now[0] = 60.0  # the first one is a minute old, the second is not
    rate.count("a")
    with pytest.raises(RefusalError):
        rate.count("a")


def test_no_more_clients_are_remembered_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unlearned.server.rate.REMEMBERED", 3)
    rate = RateLimit(1)
    for client in ("a", "b", "c", "d"):
        rate.count(client)
    rate.count("a")  # was quiet for longest
    with pytest.raises(RefusalError):
        rate.count("d")
