"""A check as one page: what was found, and no text of a prompt or an answer as markup."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("jinja2")

from unlearned.api import Answer
from unlearned.check.compare import Comparison
from unlearned.check.config import CheckConfig
from unlearned.check.page import check_page
from unlearned.check.run import CheckResult
from unlearned.types import Span, Verdict, text_only

HOSTILE = "<script>alert('x')</script> & \"Zoé\""


def test_hostile_texts_stay_text_and_nothing_comes_from_elsewhere(make_artifact: Any) -> None:
    def answer(text: str, *spans: Span) -> Answer:
        return Answer(text, (1, 2), text_only(""), Verdict(spans, 0.9))

    missed = Comparison("held-out forget", "s", f"missed {HOSTILE}", answer(HOSTILE), answer(HOSTILE))
    found = Comparison("held-out forget", "s", HOSTILE, answer("a"), answer(HOSTILE, Span(0, 8, "s", 0.9)))
    strangers = [(f"stranger {HOSTILE}", answer(HOSTILE))]
    result = CheckResult(make_artifact(), HOSTILE, True, [missed, found], strangers, None, (0, 0), CheckConfig())
    page = check_page(result, result.evidence())
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5
    assert "Missed" in page
    assert "http://" not in page
    assert "https://" not in page


def test_an_empty_check_has_no_lists(make_artifact: Any) -> None:
    result = CheckResult(make_artifact(), "tiny", True, [], [], None, (0, 0), CheckConfig())
    page = check_page(result, result.evidence())
    for title in ("Wrongly flagged", "General prompts"):
        assert title not in page
