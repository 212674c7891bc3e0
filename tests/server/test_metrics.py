"""Numbers for Prometheus tell what holds at the moment when they are asked for."""

from __future__ import annotations

from serving_helpers import ADMIN, CLIENT, bearer
from starlette.testclient import TestClient

from unlearned.server.metrics import Metrics


def test_gauges_are_of_the_moment_and_two_servers_do_not_share_their_counts() -> None:
    metrics, other = Metrics(), Metrics()
    depth = [3]
    metrics.requests.labels("/health", "200").inc()
    assert b"unlearned_queue_depth 3.0" in metrics.text(lambda: depth[0], artifacts=2, problems=1)
    depth[0] = 0
    text = metrics.text(lambda: depth[0], artifacts=1, problems=0).decode()
    for line in ("queue_depth 0.0", "artifacts 1.0", "artifact_problems 0.0"):
        assert f"unlearned_{line}" in text
    assert 'unlearned_requests_total{route="/health",status="200"} 1.0' in text
    assert 'unlearned_vectors{from="encoder"}' in text
    assert b"/health" not in other.text(lambda: 0, artifacts=0, problems=0)


def test_requests_and_verdicts_are_counted_and_paths_that_are_not_there_are_not_repeated(client: TestClient) -> None:
    asked = {"prompt": "Who is Harry Potter?", "max_tokens": 1, "temperature": 0}
    assert client.post("/v1/completions", json=asked, headers=bearer(CLIENT)).status_code == 200
    client.get("/does/not/exist")
    response = client.get("/metrics", headers=bearer(ADMIN))
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = response.text
    assert 'unlearned_requests_total{route="/v1/completions",status="200"} 1.0' in text
    assert 'unlearned_requests_total{route="other",status="404"} 1.0' in text
    assert 'unlearned_verdicts_total{scope="harry-potter"} 1.0' in text
    assert "does" not in text
    for name in ("detection_seconds_bucket", "generation_seconds_count", "queue_depth", "first_token_seconds_sum"):
        assert f"unlearned_{name}" in text
