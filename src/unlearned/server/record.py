"""One JSON line per request: what was decided and how long it took; never what was asked, unless that is wanted."""

from __future__ import annotations

import json
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TextIO

from unlearned.server.refusals import RefusalError
from unlearned.types import Verdict

_LOCK = threading.Lock()


@dataclass(slots=True)
class RequestRecord:
    """What is known about one request so far."""

    route: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=time.perf_counter)
    status: int = 0
    verdicts: Sequence[Verdict] | None = None
    artifacts: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    stream: bool = False
    error: str | None = None
    timings: dict[str, float] = field(default_factory=dict)
    """Name -> seconds."""

    held: Counter[str] = field(default_factory=Counter)
    """"names" and "quotes" -> how often one was held back in the answers."""

    prompts: list[str] | None = None
    method: str | None = None
    """HTTP method."""

    key: str | None = None
    """Label of the key that was sent; None without a valid one."""

    refusal: RefusalError | None = None
    """Why there is no answer, where the engine was not asked and its own server would tell otherwise."""

    def since_start(self) -> float:
        """Seconds."""
        return time.perf_counter() - self.started

    def shown(self) -> dict[str, Any]:
        """The log line."""
        line: dict[str, Any] = {
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "id": self.id,
            "route": self.route,
            "status": self.status,
        }
        for name in ("method", "key"):
            if (value := getattr(self, name)) is not None:
                line[name] = value
        if self.verdicts is not None:
            strongest = max(self.verdicts, key=lambda verdict: (verdict.in_scope, verdict.score), default=Verdict())
            line |= {
                "verdict": "flagged" if strongest.in_scope else "clean",
                "scope": strongest.scope,
                "score": round(strongest.score, 6),
                "prompts_flagged": sum(verdict.in_scope for verdict in self.verdicts),
                "artifacts": self.artifacts,
            }
            if languages := sorted({code for verdict in self.verdicts for code in verdict.languages}):
                line["languages"] = languages
            if reasons := sorted({span.reason for verdict in self.verdicts for span in verdict.spans}):
                line["reason"] = ",".join(reasons)
            if exempted := sorted({by.scope for verdict in self.verdicts for by in verdict.exempted_by}):
                line["exempted_by"] = exempted
            if unmatched := sum(verdict.unmatched_words for verdict in self.verdicts):
                line["unmatched_words"] = unmatched
        for name in ("prompt_tokens", "completion_tokens", "error"):
            if (value := getattr(self, name)) is not None:
                line[name] = value
        for kind, count in self.held.items():
            line[f"held_back_{kind}"] = count
        if self.stream:
            line["stream"] = True
        line |= {f"{name}_ms": round(1000 * seconds, 2) for name, seconds in self.timings.items()}
        line["total_ms"] = round(1000 * self.since_start(), 2)
        if self.prompts is not None:
            line["prompts"] = self.prompts
        return line


class Log:
    """Writes lines of JSON, each as a whole; None = to the standard error stream of the moment."""

    def __init__(self, file: TextIO | None = None) -> None:
        self.file = file

    def write(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False) + "\n"
        with _LOCK:
            out = self.file or sys.stderr
            out.write(text)
            out.flush()

    def event(self, message: str, **said: Any) -> None:
        """Something that is no request; what else is said about it stands in fields of its own."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        self.write({"time": now, "event": message, **said})
