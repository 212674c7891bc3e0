"""A server is ready when it listens, and says on which address and what it protects."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from unlearned.server import run as module
from unlearned.server.config import ServeConfig
from unlearned.server.listening import listen
from unlearned.server.run import make_server, run, warm_up
from unlearned.server.service import Service


def lines(service: Service) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.gate.log.file.getvalue().splitlines()]  # type: ignore[union-attr]


def test_detection_has_run_before_the_first_request(service: Service) -> None:
    encoder = service.view.unlearner.scopes[0].classifier.encoder
    seen: list[str] = []
    own = type(encoder).encode
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(encoder), "encode", lambda self, texts: (seen.extend(texts), own(self, texts))[1])
        warm_up(service)
    assert seen


def test_the_server_tells_nothing_of_itself_and_takes_no_web_sockets(service: Service) -> None:
    config = make_server(service).config
    assert (config.server_header, config.access_log, config.ws) == (False, False, "none")
    assert config.log_level == "critical"


def test_it_says_where_it_listens_and_stops_when_it_is_told_to(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    def kept(given: Service) -> Any:
        made.append(make_server(given))
        return made[0]

    monkeypatch.setattr(module, "make_server", kept)
    with listen(ServeConfig(port=0)) as bound:
        port = bound.getsockname()[1]
        thread = threading.Thread(target=run, args=(service, bound), daemon=True)
        thread.start()
        while not (made and made[0].started):
            assert thread.is_alive()
            thread.join(0.01)
        made[0].should_exit = True
        thread.join(30)
        assert not thread.is_alive()
    told = next(line["event"] for line in lines(service) if line["event"].startswith("Serving"))
    assert f":{port};" in told
    assert told.endswith("artifacts: hp")
