"""What is answered in place of the model: its tokens, as far as a request lets an answer go."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

ONE = 1
"""Tokens that the engine makes for such a request, and of which nothing is shown: it always makes one."""


@dataclass(frozen=True, slots=True)
class FixedAnswer:
    """A whole answer."""

    token_ids: tuple[int, ...]
    """With the token that ends it, where it ends by itself: vLLM takes that off its text, as of the model's answers."""

    ended: bool
    """False: cut at the request's longest answer."""

    stop_reason: int | None = None
    """The token of the request at which it stops, if there is one in it."""

    @classmethod
    def of(
        cls, token_ids: Sequence[int], *, end: int | None, most: int | None, stops: Collection[int] = ()
    ) -> FixedAnswer:
        """As it is given to one request.

        Args:
            token_ids: of the answer.
            end: the model's end token; None: it has none, and the answer counts as cut.
            most: most tokens of an answer; None: no bound.
            stops: token ids at which the request stops.
        """
        ids = list(token_ids)
        at = next((place for place, token in enumerate(ids) if token in stops), None)
        reason = None if at is None else ids[at]
        ids = [*ids, *([] if end is None else [end])] if at is None else ids[: at + 1]
        cut = most is not None and len(ids) > most
        if cut:
            ids, reason = ids[:most], None
        return cls(tuple(ids), not cut and (at is not None or end is not None), reason)
