"""What an answer tells of a scope without naming it: its clauses are read by the scopes' detectors, as prompts are."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from unlearned.classify.borders import detect_in_conversations
from unlearned.classify.scope import Scope
from unlearned.classify.scope_set import ScopeSet
from unlearned.types import messages_only

REMEMBERED = 1024
"""Clauses whose verdict is kept: an answer that goes back is read again from its beginning."""


class ContentReader:
    """Reads clauses of answers.

    Args:
        scopes: whose content is held back.
    """

    def __init__(self, scopes: Sequence[Scope]) -> None:
        self.scopes = ScopeSet(scopes)
        self._known: OrderedDict[tuple[str, str, str, str], bool] = OrderedDict()
        self._lock = threading.Lock()

    def in_scope(self, clause: str, *, asked: str = "", before: str = "", owner: str = "") -> bool:
        """Whether a clause is about one of the scopes.

        Args:
            clause: of an answer.
            asked: the message that it answers, to which it may refer.
            before: the clause before it.
            owner: who asks; what is remembered is used again for the same owner only.

        Raises:
            DetectionError: it could not be read; nothing more may be said then.
        """
        key = (owner, asked, before, clause)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        said = [(role, text) for role, text in (("user", asked), ("assistant", before)) if text.strip()]
        prompt = replace(messages_only([*said, ("user", clause)]), owner=owner)
        (verdict,) = detect_in_conversations([prompt], self.scopes)
        found = any(span.end > prompt.segments[-1].start for span in verdict.spans)
        with self._lock:
            self._known[key] = found
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found
