"""Which tokens are corrupted: content tokens of the span, each for one scope."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from unlearned.errors import UnknownNameError
from unlearned.select.positions import Bools, SelectingScope, Selector, all_but_last, select, selectors, spans
from unlearned.types import Prompt, Segment, Span

# One character per token; "<" and ">" are special, "t" is template, digits are content, "_" a token without text.
TEXT = "<t012345>t67>"


@dataclass(frozen=True)
class Scope:
    """A scope that only says how tokens are selected."""

    selector: str = "spans"

    def score(self, texts: Sequence[str]) -> Any:
        raise AssertionError("these selectors ask for no score")


SPANS, ALL_BUT_LAST = Scope("spans"), Scope("all_but_last")


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Selectors of a test -> a scope that uses them, registered while the test runs."""

    def register(selector: Selector) -> Scope:
        monkeypatch.setitem(selectors._targets, "mine", selector)
        return Scope("mine")

    return register


def _prompt() -> Prompt:
    offsets = [[i, i + 1] for i in range(len(TEXT))] + [[0, 0]]
    return Prompt(
        text=TEXT,
        token_ids=tuple(range(100, 100 + len(offsets))),
        offsets=np.array(offsets),
        is_special=np.array([c in "<>" for c in TEXT] + [False]),
        segments=(Segment(2, 8), Segment(10, 12)),
    )


def _at(mask: Bools) -> list[int]:
    return np.flatnonzero(mask).tolist()


def test_the_span_selector_takes_every_token_of_the_span() -> None:
    assert _at(spans(_prompt(), Span(3, 6, "a", 1.0), SPANS)) == [3, 4, 5]


def test_all_but_last_takes_the_message_of_the_span_except_its_final_token() -> None:
    assert _at(all_but_last(_prompt(), Span(3, 4, "a", 1.0), ALL_BUT_LAST)) == [2, 3, 4, 5, 6]
    assert _at(all_but_last(_prompt(), Span(10, 11, "a", 1.0), ALL_BUT_LAST)) == [10]


def test_all_but_last_keeps_the_only_content_token_of_a_prompt() -> None:
    prompt = Prompt("x", (5,), np.array([[0, 1]]), np.array([False]), (Segment(0, 1),))
    assert _at(all_but_last(prompt, Span(0, 1, "a", 1.0), ALL_BUT_LAST)) == [0]


@pytest.mark.parametrize(
    "selector", [spans, all_but_last, lambda prompt, span, scope: np.ones(len(prompt.token_ids), bool)]
)
def test_template_and_special_tokens_are_never_selected(registered: Any, selector: Selector) -> None:
    ((_, mask),) = select(_prompt(), [(Span(0, len(TEXT), "a", 1.0), registered(selector))])
    assert set(_at(mask)) <= {2, 3, 4, 5, 6, 7, 10, 11}
    assert mask.dtype == np.bool_


def test_a_token_that_two_spans_claim_goes_to_the_strongest() -> None:
    weak, strong = Span(2, 6, "a", 0.7), Span(4, 8, "b", 0.9)
    result = select(_prompt(), [(weak, SPANS), (strong, SPANS)])
    assert [(span, _at(mask)) for span, mask in result] == [(strong, [4, 5, 6, 7]), (weak, [2, 3])]


@pytest.mark.parametrize("scores", [(0.9, 0.9, 0.9), (0.7, 0.9, 0.8), (0.9, 0.7, 0.9)])
def test_the_order_in_which_spans_are_given_does_not_matter(scores: tuple[float, float, float]) -> None:
    given = [
        (Span(2, 6, "b", scores[0]), SPANS),
        (Span(4, 8, "a", scores[1]), SPANS),
        (Span(3, 5, "a", scores[2]), ALL_BUT_LAST),
    ]
    expected = [(span, _at(mask)) for span, mask in select(_prompt(), given)]
    for order in permutations(given):
        assert [(span, _at(mask)) for span, mask in select(_prompt(), list(order))] == expected
    masks = [set(at) for _, at in expected]
    assert sum(map(len, masks)) == len(set.union(*masks))  # no token twice


def test_equally_strong_spans_go_by_scope_name_then_by_place() -> None:
    given = [(Span(2, 5, "b", 0.9), SPANS), (Span(4, 7, "a", 0.9), SPANS), (Span(3, 5, "a", 0.9), SPANS)]
    result = select(_prompt(), given)
    assert [(s.scope, s.start, _at(mask)) for s, mask in result] == [("a", 3, [3, 4]), ("a", 4, [5, 6]), ("b", 2, [2])]


def test_a_span_whose_tokens_all_belong_to_stronger_ones_is_left_out() -> None:
    inner, outer = Span(3, 5, "a", 0.6), Span(2, 8, "b", 0.9)
    assert [span for span, _ in select(_prompt(), [(inner, SPANS), (outer, SPANS)])] == [outer]


def test_where_the_selector_finds_nothing_the_whole_span_is_taken(registered: Any) -> None:
    def nothing(prompt: Prompt, span: Span, scope: SelectingScope) -> Bools:
        return np.zeros(len(prompt.token_ids), dtype=np.bool_)

    ((_, mask),) = select(_prompt(), [(Span(3, 6, "a", 1.0), registered(nothing))])
    assert _at(mask) == [3, 4, 5]


def test_a_span_of_template_only_selects_nothing() -> None:
    assert select(_prompt(), [(Span(8, 10, "a", 1.0), SPANS)]) == []
    assert select(_prompt(), []) == []


def test_a_selectors_own_mask_is_not_written_to(registered: Any) -> None:
    mine = np.ones(len(TEXT) + 1, dtype=np.bool_)
    select(_prompt(), [(Span(3, 6, "a", 1.0), registered(lambda prompt, span, scope: mine))] * 2)
    assert mine.all()


def test_the_selector_is_given_the_scope_that_flagged_the_span(registered: Any) -> None:
    given: list[tuple[Span, SelectingScope]] = []

    def watching(prompt: Prompt, span: Span, scope: SelectingScope) -> Bools:
        given.append((span, scope))
        return spans(prompt, span, scope)

    scope, other = registered(watching), Scope("spans")
    first, second = Span(2, 4, "a", 0.9), Span(4, 6, "b", 0.8)
    select(_prompt(), [(second, other), (first, scope)])
    assert given == [(first, scope)]


def test_all_selectors_are_registered() -> None:
    assert selectors.names() == ["all_but_last", "attribution", "entities", "spans"]
    assert all(callable(selectors.get(name)) for name in selectors.names())
    with pytest.raises(UnknownNameError, match=r"Unknown token selector 'span'. Did you mean 'spans'"):
        selectors.get("span")
