"""Numbers for Prometheus tell what was asked and decided."""

from __future__ import annotations

from serving_helpers import ADMIN, FLAGGED, Running


def test_metrics_count_requests_and_verdicts(server: Running) -> None:
    server.chat(FLAGGED)
    server.get("/does/not/exist")
    text = server.get("/metrics", ADMIN).text
    assert 'unlearned_requests_total{route="/v1/chat/completions",status="200"}' in text
    assert 'unlearned_requests_total{route="other",status="404"}' in text
    assert 'unlearned_verdicts_total{scope="harry-potter"}' in text
    for name in ("detection_seconds_bucket", "generation_seconds_count", "queue_depth", "first_token_seconds_sum"):
        assert f"unlearned_{name}" in text
