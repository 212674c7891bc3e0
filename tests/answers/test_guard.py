"""What a conversation holds may be said in its answer; what is flagged in it only in a stranger's place."""

from __future__ import annotations

from typing import Any

from unlearned.answers.guard import ASKED, PRIMED, Bans, Guard
from unlearned.answers.quotes import QuoteFilter, words
from unlearned.answers.withheld import Withheld
from unlearned.classify.lexicon import ScopeName
from unlearned.types import Span, Verdict, messages_only, text_only

TEXT = "The ferryman's daughter counted the lanterns along the quay, one by one, and wrote each number into a book."
NAMES = ("Harry Potter", "Hogwarts", "Dumbledore")


def bans(*names: str, quotes: bool = False, policy: Any = "names+quotes") -> Bans:
    own = QuoteFilter.of(b"k" * 32, [TEXT]) if quotes else None
    return Bans([Withheld(names=tuple(ScopeName(name=name, kind="work") for name in names), quotes=own, policy=policy)])


def numbers(made: Bans, *names: str) -> set[int]:
    return {n for n, name in enumerate(made.names) if name.name in names}


def flagged(*places: tuple[int, int]) -> Verdict:
    return Verdict(tuple(Span(start, end, "hp", 0.9) for start, end in places), 0.9)


def test_without_anything_to_hold_back_there_is_no_guard() -> None:
    assert not bans()
    assert not bans("Hogwarts", policy="off")
    assert Guard.of(bans(), text_only("Hogwarts"), Verdict()) is None
    assert Guard.of(bans("Hogwarts"), text_only("Hogwarts"), Verdict()) is not None
    assert len(Bans([Withheld(names=(ScopeName(name="Hogwarts"),))] * 2).names) == 1


def test_names_that_were_said_are_free_and_flagged_ones_only_where_they_were_turned_back() -> None:
    made = bans(*NAMES)
    text = "Who is Harry Potter? My cat is called Dumbledore."
    guard = Guard.of(made, text_only(text), flagged((0, 20)))
    assert guard is not None
    assert (guard.said, guard.flagged) == ((" My cat is called Dumbledore.",), ("Who is Harry Potter?",))
    assert guard.free_names == numbers(made, "Dumbledore")
    assert guard.restored_names == numbers(made, "Dumbledore", "Harry Potter")
    [potter], [hogwarts] = numbers(made, "Harry Potter"), numbers(made, "Hogwarts")
    assert [guard.is_free_name(potter, restored=restored) for restored in (False, True)] == [False, True]
    assert not guard.is_free_name(hogwarts, restored=True)


def test_spans_that_overlap_or_reach_over_messages_leave_every_character_in_one_part() -> None:
    prompt = messages_only([("user", "abc Harry"), ("user", "Potter def")])
    for places in ([(4, 9), (6, 16)], [(4, 16)], [(0, 20)], [(4, 9), (4, 9), (10, 16)], [(9, 10)]):
        guard = Guard.of(bans(*NAMES), prompt, flagged(*places))
        assert guard is not None
        assert sorted("".join(guard.said + guard.flagged)) == sorted("abc HarryPotter def"), places
        assert all(guard.said + guard.flagged)


def test_only_an_answer_that_goes_on_from_its_prompt_begins_within_a_name() -> None:
    long = "a" * PRIMED + "It was Harry"
    guard = Guard.of(bans(*NAMES), text_only(long), Verdict())
    assert guard is not None
    assert guard.beginning == long[-PRIMED:]
    assert guard.anew().beginning == guard.beginning
    guard.held["names"] += 1
    assert (guard.held.total(), guard.anew().held.total()) == (1, 0)


def test_what_is_asked_is_the_end_of_the_last_user_s_message_unless_something_is_flagged() -> None:
    prompt = messages_only([("user", "first"), ("user", "x" * ASKED + "last"), ("assistant", "Well,")])
    guard = Guard.of(bans(*NAMES), prompt, Verdict())
    assert guard is not None
    assert guard.asked == ("x" * ASKED + "last")[-ASKED:]
    other = Guard.of(bans(*NAMES), prompt, flagged((0, 2)))
    assert other is not None
    assert other.asked == ""
    nobody = Guard.of(bans(*NAMES), messages_only([]), Verdict())
    assert nobody is not None
    assert (nobody.asked, nobody.said, nobody.beginning) == ("", (), "")


def test_a_run_of_a_text_is_a_quote_unless_it_stands_in_the_prompt() -> None:
    made = bans(quotes=True)
    run = tuple(words(TEXT)[: made.longest_quote])
    free = Guard.of(made, text_only("Tell me a story."), Verdict())
    own = Guard.of(made, text_only(TEXT.upper()), Verdict())
    assert free is not None
    assert own is not None
    assert free.is_quote(run)
    assert free.is_quote(("so", *run))
    assert not free.is_quote(run[:-1])
    assert not free.is_quote(())
    assert not own.is_quote(run)
    assert bans("Hogwarts").longest_quote == 0


def test_what_an_answer_says_unasked() -> None:
    made = bans(*NAMES, quotes=True)
    assert made.unasked("Name a school.", "It is Hogwarts.")
    assert not made.unasked("What is Hogwarts?", "Hogwarts is a school.")
    assert made.unasked_names("Dumbledore", "Dumbledore of Hogwarts") == numbers(made, "Hogwarts")
    assert made.unasked("Go on.", TEXT)
    assert not made.unasked(TEXT, f"As you say: {TEXT}")
    assert not made.unasked("", "")
