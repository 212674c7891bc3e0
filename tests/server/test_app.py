"""The application watches its folder as long as it runs, and closes what it opened."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving_helpers import KEYS
from starlette.testclient import TestClient

from unlearned.server.app import build_app
from unlearned.server.config import ServeConfig
from unlearned.server.record import Log
from unlearned.server.service import Service
from unlearned.server.store import Sources


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


def test_a_folder_is_looked_at_again_also_after_a_look_that_failed(
    model: Any, tiny_tokenizer: Any, save: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    config = ServeConfig(keys=KEYS, watch_seconds=0.01)
    made = Service(model, tiny_tokenizer, Sources(folder=tmp_path), config, Log(log))
    rescan, store = made.gate.store.rescan, made.gate.store

    def fails() -> None:
        monkeypatch.setattr(store, "rescan", rescan)
        raise RuntimeError("disk")

    monkeypatch.setattr(store, "rescan", fails)
    with TestClient(build_app(made)) as client:
        eventually(lambda: "Looking at the artifacts failed: RuntimeError" in log.getvalue())
        save(tmp_path / "hp")
        eventually(lambda: len(store.current.entries) == 1)
        assert client.get("/ready").status_code == 200
    assert not made.batcher.alive()
    assert any(json.loads(line).get("artifact") == "hp" for line in log.getvalue().splitlines())


def test_no_pages_describe_the_interface(client: TestClient) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert client.get(path).status_code == 404
