"""The application: routes, error forms, and what runs beside the requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from unlearned.errors import PromptError
from unlearned.extras import require
from unlearned.server.admin import admin_router, refused
from unlearned.server.gate import Gate
from unlearned.server.middleware import RecordingMiddleware
from unlearned.server.refusals import RefusalError
from unlearned.server.routes import generating_router
from unlearned.server.service import Service

if TYPE_CHECKING:
    from fastapi import FastAPI


def build_app(service: Service) -> Any:
    """The ASGI application of a transformers model."""
    fastapi = require("fastapi", extra="serve", purpose="Serving")
    from starlette.exceptions import HTTPException

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(watch(service.gate))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.to_thread(service.close)

    # No pages that describe the interface: they would load scripts from elsewhere.
    app: FastAPI = fastapi.FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(admin_router(service.gate))
    app.include_router(generating_router(service))
    for kind in (RefusalError, PromptError, HTTPException, Exception):
        app.add_exception_handler(kind, refused)
    return RecordingMiddleware(app, service.gate)


async def watch(gate: Gate) -> None:
    """Look at the watched folder again and again."""
    while gate.store.sources.folder is not None:
        await asyncio.sleep(gate.config.watch_seconds)
        try:
            await asyncio.to_thread(gate.store.rescan)
        except Exception as error:  # the next look may go better; what is in force stays in force
            gate.log.event(f"Looking at the artifacts failed: {type(error).__name__}: {error}")
