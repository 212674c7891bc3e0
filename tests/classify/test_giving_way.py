"""A long check gives way where its thread wants it to, and nowhere else."""

from __future__ import annotations

import threading

import pytest

from unlearned.classify.giving_way import give_way, giving_way


def test_it_pauses_within_the_block_and_in_its_own_thread_only() -> None:
    paused: list[str] = []
    give_way()
    with giving_way(lambda: paused.append(threading.current_thread().name)):
        give_way()
        other = threading.Thread(target=give_way)
        other.start()
        other.join()
        with giving_way(None):
            give_way()
    give_way()
    assert paused == [threading.current_thread().name]


def test_an_error_in_the_block_ends_it_too() -> None:
    def pause() -> None:
        raise AssertionError

    with pytest.raises(KeyError), giving_way(pause):
        raise KeyError
    give_way()
