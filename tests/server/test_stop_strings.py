"""Answers end before the first stop string, wherever pieces of text break it."""

from __future__ import annotations

import random

from cases import every
from unlearned.server.stop_strings import StopStrings, overlap


@every("seed", range(20))
def test_stop_strings_cut_where_a_search_of_the_whole_text_would(seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choices("ab", k=60))
    stop = "".join(rng.choices("ab", k=rng.randint(1, 9)))
    watch, out, stopped = StopStrings([stop]), "", False
    for start in range(0, 60, 3):
        piece, stopped = watch.feed(text[start : start + 3])
        out += piece
        assert stop not in out
        if stopped:
            break
    if not stopped:
        out += watch.finish()
    assert out == text.partition(stop)[0]
    assert stopped == (stop in text)


def test_of_several_stop_strings_the_first_to_be_complete_ends_it() -> None:
    watch = StopStrings(["abcd", "bc"])
    assert watch.feed("xab") == ("x", False)
    assert watch.feed("c") == ("a", True)


def test_without_stop_strings_everything_is_given_out_at_once() -> None:
    watch = StopStrings([])
    assert (watch.feed("abc"), watch.feed(""), watch.finish()) == (("abc", False), ("", False), "")


def test_a_beginning_that_is_not_gone_on_with_is_given_out_late_and_once() -> None:
    watch = StopStrings(["\n\nUser", "🦊🦊"])
    assert watch.feed("end\n") == ("end", False)
    assert watch.feed("\nUs") == ("", False)
    assert watch.feed("ual🦊") == ("\n\nUsual", False)
    assert (watch.finish(), watch.finish()) == ("🦊", "")


def test_an_overlap_is_the_longest_end_that_a_stop_string_begins_with() -> None:
    for text, stop, size in (("xaab", "aabc", 3), ("aaa", "aaaa", 3), ("aaaa", "aaaa", 3), ("", "a", 0), ("b", "a", 0)):
        assert overlap(text, stop) == size, (text, stop)
