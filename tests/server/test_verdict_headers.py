"""Only administrators learn from an answer's headers what was decided."""

from __future__ import annotations

from urllib.parse import unquote

from unlearned.server.keys import Access
from unlearned.server.record import RequestRecord
from unlearned.server.verdict_headers import verdict_headers
from unlearned.types import Span, Verdict


def record(*verdicts: Verdict) -> RequestRecord:
    return RequestRecord("/v1/completions", verdicts=verdicts)


def flagged(scope: str) -> Verdict:
    return Verdict(spans=(Span(0, 4, scope, 0.75),), score=0.75)


def test_others_learn_that_the_prompt_was_checked_and_nothing_else() -> None:
    found = record(flagged("potter"))
    for access in (Access.NONE, Access.CLIENT):
        assert verdict_headers(found, access) == {"x-unlearned": "checked"}
    assert verdict_headers(RequestRecord("/v1/models"), Access.ADMIN) == {"x-unlearned": "checked"}


def test_an_administrator_sees_every_score_and_each_scope_once() -> None:
    found = record(flagged("potter"), Verdict(score=0.125), flagged("potter"), flagged("bread"))
    told = verdict_headers(found, Access.ADMIN)
    assert told["x-unlearned-verdict"] == "flagged"
    assert told["x-unlearned-scores"] == "0.7500,0.1250,0.7500,0.7500"
    assert told["x-unlearned-scopes"] == "bread,potter"
    clean = verdict_headers(record(Verdict()), Access.ADMIN)
    assert clean["x-unlearned-verdict"] == "clean"
    assert "x-unlearned-scopes" not in clean


def test_a_name_in_any_script_fits_into_a_header_and_cannot_break_out_of_it() -> None:
    for name in ("Гарри", "a,b", "x\r\nset-cookie: a=b", "Zoé 日本"):
        told = verdict_headers(record(flagged(name)), Access.ADMIN)["x-unlearned-scopes"]
        assert told.isascii()
        assert not set(told) & set("\r\n,"), name
        assert unquote(told) == name
