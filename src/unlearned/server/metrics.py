"""Numbers for Prometheus. Only an administrator sees them: a counter of verdicts tells what was flagged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unlearned.classify.vector_cache import VECTORS
from unlearned.extras import require

DETECTION = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
GENERATION = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250)


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        prometheus = require("prometheus_client", extra="serve", purpose="Serving")
        self._client = prometheus
        self.registry = prometheus.CollectorRegistry()

        def make(kind: str, name: str, text: str, labels: tuple[str, ...] = (), **more: Any) -> Any:
            return getattr(prometheus, kind)(f"unlearned_{name}", text, labels, registry=self.registry, **more)

        self.requests = make("Counter", "requests_total", "Requests answered.", ("route", "status"))
        self.verdicts = make("Counter", "verdicts_total", "Prompts by the scope that claims them.", ("scope",))
        self.tokens = make("Counter", "tokens_total", "Tokens of prompts and answers.", ("kind",))
        self.held = make("Counter", "held_back_total", "Names and quotes that answers went back from.", ("kind",))
        self.detection = make("Histogram", "detection_seconds", "One call of the detector.", buckets=DETECTION)
        self.generation = make("Histogram", "generation_seconds", "One request's answer.", buckets=GENERATION)
        self.first_token = make("Histogram", "first_token_seconds", "Until a first token.", buckets=GENERATION)
        self.queue = make("Gauge", "queue_depth", "Rows that wait for the engine.")
        self.artifacts = make("Gauge", "artifacts", "Artifacts that are enforced.")
        self.problems = make("Gauge", "artifact_problems", "Artifacts that cannot be used.")
        self.kept = make("Gauge", "kept_vectors_bytes", "Vectors of texts that were checked before.")
        self.looked_up = make("Gauge", "vectors", "Texts that detection needed a vector of.", ("from",))
        self.unread = make(
            "Counter",
            "unread_prompts_total",
            "Prompts with text in a language that a scope cannot read.",
            ("language",),
        )

    def text(self, queue_depth: Callable[[], int], *, artifacts: int, problems: int) -> bytes:
        """The exposition format, with what holds at this moment."""
        self.queue.set(queue_depth())
        self.artifacts.set(artifacts)
        self.problems.set(problems)
        counts = VECTORS.counts()
        self.kept.set(counts.size)
        self.looked_up.labels("kept").set(counts.found)
        self.looked_up.labels("encoder").set(counts.encoded)
        exposition: bytes = self._client.generate_latest(self.registry)
        return exposition
