"""What stands before every engine: keys, rate, artifacts, verdicts, metrics and the log of one server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from unlearned.artifact.activation import doubts_of
from unlearned.envelope import named
from unlearned.server.config import ServeConfig
from unlearned.server.keys import Access, key_in
from unlearned.server.metrics import Metrics
from unlearned.server.rate import RateLimit
from unlearned.server.record import Log, RequestRecord
from unlearned.server.refusals import RefusalError
from unlearned.server.screening import Screener
from unlearned.server.store import ArtifactStore

if TYPE_CHECKING:
    from starlette.requests import Request


class Gate:
    """Shared by the routes of every engine.

    Args:
        config: the server's settings.
        store: the artifacts in force.
        log: where lines go.
        queue_depth: rows that wait for the engine.
        engine_alive: whether the engine takes requests.
    """

    def __init__(
        self,
        config: ServeConfig,
        store: ArtifactStore[Any],
        *,
        metrics: Metrics | None = None,
        log: Log | None = None,
        queue_depth: Callable[[], int] = lambda: 0,
        engine_alive: Callable[[], bool] = lambda: True,
    ) -> None:
        self.config, self.store = config, store
        self.metrics, self.log = metrics or Metrics(), log or Log()
        self.rate = RateLimit(config.rate_limit)
        self.screener = Screener(
            timeout=config.detection_timeout,
            cache=config.verdict_cache,
            metrics=self.metrics,
            room=config.max_check_characters,
        )
        self.queue_depth, self.engine_alive = queue_depth, engine_alive

    def access(self, request: Request) -> Access:
        """What the request's key allows; its label goes on record."""
        access, request.state.record.key = self.config.keys.holder(request.headers.get("authorization"))
        return access

    def metrics_text(self) -> bytes:
        """All numbers, in Prometheus' format."""
        current, problems = self.store.current, self.store.problems
        return self.metrics.text(self.queue_depth, artifacts=len(current.entries), problems=len(problems))

    def admit(self, request: Request) -> Access:
        """A client's request: raises `RefusalError` 401 without a valid key, 429 if it is one too many."""
        access = self.access(request)
        if self.config.keys.client and access is Access.NONE:
            raise RefusalError(
                401,
                "The API key is missing or wrong. Send 'Authorization: Bearer KEY'.",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        address = request.client.host if request.client else ""
        self.rate.count(key_in(request.headers.get("authorization")) if access is not Access.NONE else address)
        return access

    def admit_admin(self, request: Request, *, always: bool = False) -> None:
        """An administrator's request. Without any keys, reading is open (the server is on this machine only then).

        Args:
            request: the request.
            always: a key is needed in any case, because something would change.
        """
        keys, access = self.config.keys, self.access(request)
        if access is Access.ADMIN or (not keys.any and not always):
            return
        if not keys.admin:
            raise RefusalError(403, "This server has no administrator's key. Start it with --admin-key-file.")
        if access is Access.CLIENT:
            raise RefusalError(403, "This key is valid, but only an administrator's key may do that.", code="no_right")
        raise RefusalError(
            401, "An administrator's key is needed.", code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"}
        )

    def tell_protection(self) -> None:
        """One line per scope into the log: what protects it, and what speaks against relying on that."""
        current, removed = self.store.current, self.store.removed()
        for entry in current.entries:
            if not entry.known.scopes:
                self.log.event(
                    f"Every prompt is read behind {named(entry.known.method)}, {entry.name!r} ({entry.source}).",
                    artifact=entry.name,
                    sha256=entry.sha256,
                )
            for scope, doubts in doubts_of(entry.artifact).items():
                warned = f" Warnings: {' '.join(doubts)}" if doubts else ""
                self.log.event(
                    f"Protected: {scope!r}, by the artifact {entry.name!r} ({entry.source}).{warned}",
                    scope=scope,
                    artifact=entry.name,
                    sha256=entry.sha256,
                    **({"warnings": doubts} if doubts else {}),
                )
        for name, change in removed.items():
            self.log.event(f"Not protected: the artifact {name!r} was removed {change}.", artifact=name)
        if not current.entries:
            self.log.event("Nothing is protected: no artifact is in force, and every prompt passes.")

    def ready(self) -> bool:
        return self.engine_alive() and self.screener.alive()

    def finished(self, record: RequestRecord) -> None:
        """Count and log a request."""
        self.metrics.requests.labels(record.route, str(record.status)).inc()
        for verdict in record.verdicts or ():
            self.metrics.verdicts.labels(verdict.scope or "none").inc()
            for language in verdict.languages:
                self.metrics.unread.labels(language).inc()
        for kind, count in record.held.items():
            self.metrics.held.labels(kind).inc(count)
        if record.completion_tokens is not None:
            self.metrics.tokens.labels("prompt").inc(record.prompt_tokens or 0)
            self.metrics.tokens.labels("completion").inc(record.completion_tokens)
            self.metrics.generation.observe(record.since_start() - record.timings.get("detection", 0.0))
        if "first_token" in record.timings:
            self.metrics.first_token.observe(record.timings["first_token"])
        self.log.write(record.shown())
