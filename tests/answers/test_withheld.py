"""A policy says how much of what a scope has is held back, and an artifact gives back what was put in."""

from __future__ import annotations

import pytest

from unlearned.answers.quotes import QuoteFilter
from unlearned.answers.withheld import DEFAULT, NAMES, POLICIES, AnswerPolicy, Withheld, checked_policy, under
from unlearned.classify.lexicon import Lexicon, ScopeName
from unlearned.errors import ConfigError

SECRET = b"k" * 32
HOGWARTS = ScopeName(name="Hogwarts", kind="place", aliases=("the castle",), given=False)
QUOTES = QuoteFilter.of(SECRET, ["The ferryman's daughter counted the lanterns along the quay, one by one, in a book."])


def test_what_is_held_back_is_what_the_policy_says_of_what_there_is() -> None:
    cases: list[tuple[AnswerPolicy, Withheld, str]] = [
        ("off", Withheld(names=(HOGWARTS,), quotes=QUOTES, policy="off"), "off"),
        ("names", Withheld(names=(HOGWARTS,), quotes=QUOTES, policy="names"), "names"),
        ("names+quotes", Withheld(names=(HOGWARTS,), quotes=QUOTES), "names+quotes"),
        ("names+quotes", Withheld(names=(HOGWARTS,)), "names"),
        ("names+quotes", Withheld(quotes=QUOTES), "names+quotes"),
        ("names+quotes", Withheld(), "off"),
        ("names", Withheld(quotes=QUOTES, policy="names"), "off"),
        ("names+quotes+content", Withheld(policy="names+quotes+content"), "names+quotes+content"),
    ]
    for policy, held, holds in cases:
        assert (held.policy, held.holds) == (policy, holds)
        assert bool(held.held_names) == (policy != "off" and bool(held.names))
        assert (held.held_quotes is not None) == (policy.startswith("names+quotes") and held.quotes is not None)


def test_what_is_saved_is_read_with_the_secret_only() -> None:
    assert QUOTES is not None
    held = Withheld(names=(HOGWARTS,), quotes=QUOTES, policy="names+quotes")
    arrays = held.arrays(SECRET)
    assert b"Hogwarts" not in arrays[NAMES].tobytes()
    settings = {"hashes": QUOTES.hashes, "bound": QUOTES.bound, "count": QUOTES.count}
    again = Withheld.read(arrays, SECRET, policy="names+quotes", quotes=settings)
    assert again.names == held.names
    assert again.quotes is not None
    assert again.quotes.bits.tolist() == QUOTES.bits.tolist()
    with pytest.raises(ValueError, match=r"secret|names|lexicon"):
        Withheld.read(arrays, b"x" * 32, policy="names", quotes=settings)
    assert Withheld.read(Withheld().arrays(SECRET), SECRET, policy="off", quotes={}).quotes is None


def test_another_policy_changes_nothing_else_and_older_artifacts_hold_the_names_of_their_lexicon() -> None:
    held = Withheld(names=(HOGWARTS,), quotes=QUOTES)
    other = under(held, "names", Lexicon())
    assert (other.names, other.quotes, other.policy) == (held.names, QUOTES, "names")
    assert under(None, "names", Lexicon([HOGWARTS])) == Withheld(names=(HOGWARTS,), policy="names")


def test_only_policies_are_policies() -> None:
    assert DEFAULT in POLICIES
    assert [checked_policy(policy) for policy in POLICIES] == list(POLICIES)
    for wrong in ("", "Names", "all", "names+content"):
        with pytest.raises(ConfigError, match="answers="):
            checked_policy(wrong)
