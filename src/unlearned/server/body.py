"""A request's body: in time, in size, and plain JSON."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from unlearned.server.config import ServeConfig
from unlearned.server.refusals import RefusalError

if TYPE_CHECKING:
    from starlette.requests import Request


async def json_body(request: Request, config: ServeConfig) -> dict[str, Any]:
    """The JSON object that a client sent.

    Raises:
        RefusalError: 415 other content, 408 too slow, 413 too large, 400 no valid JSON object or nested too deeply.
    """
    return parsed(await raw_body(request, config), config.max_json_depth)


async def raw_body(request: Request, config: ServeConfig) -> bytes:
    """Read a body, not parsed yet."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # also keeps forms of foreign web pages out
        raise RefusalError(415, "Send JSON with the header 'Content-Type: application/json'.")
    try:
        return await asyncio.wait_for(_read(request, config.max_body_bytes), config.read_timeout)
    except asyncio.TimeoutError as error:
        raise RefusalError(408, "The request's body came too slowly.", headers={"Connection": "close"}) from error


async def _read(request: Request, limit: int) -> bytes:
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> RefusalError:
    return RefusalError(413, f"The request is larger than {limit} bytes.", headers={"Connection": "close"})


def parsed(raw: bytes, depth: int) -> dict[str, Any]:
    """JSON text -> object; a key that occurs twice is refused, because readers disagree on which one counts."""
    try:
        data = json.loads(raw, object_pairs_hook=_without_repetition, parse_constant=no_constant)
    except RefusalError:
        raise
    except RecursionError as error:
        raise _too_deep(depth) from error
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, numbers of thousands of digits
        raise RefusalError(400, "The request's body is not valid JSON.", code="invalid_json") from error
    if not isinstance(data, dict):
        raise RefusalError(400, "The request's body is not a JSON object.", code="invalid_json")
    _check_depth(data, depth)
    return data


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RefusalError(400, "A field occurs twice in one object.", code="invalid_json")
    return found


def no_constant(name: str) -> Any:
    """Refuse NaN and Infinity, which JSON does not have: for `parse_constant`. Raises `ValueError`."""
    raise ValueError(name)


def _check_depth(data: Any, depth: int) -> None:
    level = [data]
    for _ in range(depth):
        inner = (value for item in level for value in (item.values() if isinstance(item, dict) else item))
        level = [value for value in inner if isinstance(value, (dict, list))]
        if not level:
            return
    raise _too_deep(depth)


def _too_deep(depth: int) -> RefusalError:
    return RefusalError(400, f"The JSON is nested more than {depth} levels deep.", code="invalid_json")
