"""Listening, until somebody ends it."""

from __future__ import annotations

from contextlib import suppress
from socket import socket
from typing import TYPE_CHECKING, Any

from unlearned.extras import require
from unlearned.server.app import build_app
from unlearned.server.service import Service
from unlearned.types import text_only

if TYPE_CHECKING:
    from uvicorn import Server


def make_server(service: Service) -> Server:
    """A uvicorn server that is not running yet."""
    uvicorn: Any = require("uvicorn", extra="serve", purpose="Serving")
    config = service.config
    settings = uvicorn.Config(
        build_app(service),
        host=config.host,
        port=config.port,
        log_level="critical",  # what fails is in the log of requests, without words of prompts
        access_log=False,  # the log has a line of its own for each request
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
        server_header=False,
        ws="none",
    )
    server: Server = uvicorn.Server(settings)
    return server


def run(service: Service, bound: socket) -> None:
    """Serve on a bound socket until interrupted."""
    warm_up(service)
    service.gate.tell_protection()
    entries = service.gate.store.current.entries
    names = ", ".join(entry.name for entry in entries) or "none: every prompt passes"
    service.gate.log.event(
        f"Serving {service.config.served_model_name} on http://{service.config.host}:{bound.getsockname()[1]}; "
        f"artifacts: {names}"
    )
    with suppress(KeyboardInterrupt):  # uvicorn has closed everything in order before it raises
        make_server(service).run(sockets=[bound])


def warm_up(service: Service) -> None:
    """Load what detection loads on first use, so that no request waits for it."""
    service.view.enforced.classify([text_only("Good morning, and welcome.")])
