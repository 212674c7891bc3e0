"""Refusals have OpenAI's form."""

from __future__ import annotations

from unlearned.errors import UnlearnedError
from unlearned.server.refusals import RefusalError, unchecked


def test_the_kind_of_an_error_follows_from_its_status() -> None:
    kinds = {
        400: "invalid_request_error",
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        408: "invalid_request_error",
        413: "invalid_request_error",
        429: "rate_limit_error",
        499: "invalid_request_error",
        500: "server_error",
        503: "server_error",
    }
    for status, kind in kinds.items():
        body = RefusalError(status, "no", param="n", code="c").body()
        assert body == {"error": {"message": "no", "type": kind, "param": "n", "code": "c"}}, status


def test_all_four_fields_are_there_even_where_nothing_is_known() -> None:
    assert set(RefusalError(400, "no").body()["error"]) == {"message", "type", "param", "code"}


def test_each_refusal_has_headers_of_its_own() -> None:
    given = {"Retry-After": "2"}
    first, second = RefusalError(429, "no", headers=given), RefusalError(429, "no")
    first.headers["X"] = "1"
    assert given == {"Retry-After": "2"}
    assert second.headers == {}


def test_without_a_verdict_a_client_is_told_to_come_again_and_that_nothing_was_generated() -> None:
    error = unchecked("It took too long.", "detection_timeout")
    assert isinstance(error, UnlearnedError)
    assert (error.status, error.code) == (503, "detection_timeout")
    assert error.headers["Retry-After"].isdecimal()
    assert str(error).startswith("It took too long. ")
