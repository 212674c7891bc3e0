"""What an answer tells of a scope without naming it: its clauses are read by the scopes' detectors, as prompts are."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property

from unlearned.classify.borders import detect_in_conversations
from unlearned.classify.scope import Scope
from unlearned.classify.scope_set import ScopeSet
from unlearned.types import messages_only

REMEMBERED = 1024
"""Clauses whose verdict is kept: an answer that goes back is read again from its beginning."""


class ContentReader:
    """Reads clauses of answers, on a thread of its own: the model goes on meanwhile.

    Args:
        scopes: whose content is held back.
    """

    def __init__(self, scopes: Sequence[Scope]) -> None:
        self.scopes = ScopeSet(scopes)
        self._known: OrderedDict[tuple[str, str, str, str], Future[bool]] = OrderedDict()
        self._lock = threading.Lock()

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix="unlearned-content")

    def read(self, clause: str, *, asked: str = "", before: str = "", owner: str = "") -> Future[bool]:
        """Find out whether a clause is about one of the scopes.

        Args:
            clause: of an answer.
            asked: the message that it answers, to which it may refer.
            before: the clause before it.
            owner: who asks; what is remembered is used again for the same owner only.

        Returns:
            What will be known. It raises `DetectionError` if the clause could not be read; nothing more may be said
            then.
        """
        key = (owner, asked, before, clause)
        with self._lock:
            found = self._known.get(key)
            if found is None or (found.done() and found.exception() is not None):  # what failed may go well again
                found = self._known[key] = self._thread.submit(self._in_scope, clause, asked, before, owner)
            self._known.move_to_end(key)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found

    def _in_scope(self, clause: str, asked: str, before: str, owner: str) -> bool:
        said = [(role, text) for role, text in (("user", asked), ("assistant", before)) if text.strip()]
        prompt = replace(messages_only([*said, ("user", clause)]), owner=owner)
        (verdict,) = detect_in_conversations([prompt], self.scopes)
        return any(span.end > prompt.segments[-1].start for span in verdict.spans)
