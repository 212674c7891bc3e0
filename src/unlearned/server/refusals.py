"""Refused requests, in OpenAI's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unlearned.errors import UnlearnedError
from unlearned.prompts.context import too_long

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class RefusalError(UnlearnedError):
    """A request that is answered with an error.

    Args:
        status: HTTP status.
        message: what is wrong and what to do; never holds words of the prompt.
        param: the field it is about.
        code: for programs.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        kind = _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


def context_exceeded(prompt: int, answer: int, context: int) -> RefusalError:
    """A prompt does not fit into the model's context with the answer that is asked for; all in tokens."""
    message = too_long(prompt, answer, context)
    return RefusalError(400, message, param="messages", code="context_length_exceeded")


def unchecked(reason: str, code: str) -> RefusalError:
    """Detection gave no verdict, so there is no answer."""
    return RefusalError(503, f"{reason} Nothing was generated.", code=code, headers={"Retry-After": "5"})
