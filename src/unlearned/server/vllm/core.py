"""The engine's side: workers read embeddings, a few rows are compared, unchecked requests are refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from unlearned.errors import DetectionError, UnsupportedModelError
from unlearned.server.vllm.hooks import CORE_REQUEST, EXECUTOR, wrap
from unlearned.server.vllm.settings import Settings

STAMP = "x-unlearned"
"""Key of the mark of a checked request, in its trace headers, which clients cannot set."""

COMPARED = 16
"""Rows of the embeddings that are compared at the start."""


def install() -> None:
    """Wrap the engine's side."""
    wrap(EXECUTOR, _reading_embeddings)
    wrap(CORE_REQUEST, _only_checked)


def _reading_embeddings(start: Callable[..., Any]) -> Callable[..., Any]:
    """Workers are told to read embeddings; the front end is not, so that it goes on refusing those of clients."""

    def wrapper(self: Any, vllm_config: Any, *args: Any, **kwargs: Any) -> Any:
        enforced = Settings.of(vllm_config) is not None
        if enforced:
            vllm_config.model_config.enable_prompt_embeds = True
        result = start(self, vllm_config, *args, **kwargs)
        if enforced:  # the workers have loaded their model
            compare_embeddings(vllm_config, self)
        return result

    return wrapper


def compare_embeddings(vllm_config: Any, executor: Any) -> None:
    """Compare the checkpoint's rows with the workers'; raises `UnsupportedModelError` where they differ."""
    from unlearned.server.vllm.enforcer import open_table

    table = open_table(vllm_config.model_config)
    step = max(1, table.rows // COMPARED)
    ids = list(range(0, table.rows, step))[:COMPARED]
    # In pipelines only the first stage has embeddings.
    found = next((rows for rows in executor.collective_rpc(_rows, args=(ids,)) if rows is not None), None)
    if found is None:
        raise UnsupportedModelError("No worker of vLLM looks up embeddings, so prompts could not be corrupted.")
    table.check(ids, found)


def _rows(worker: Any, token_ids: Sequence[int]) -> Any:
    """(T, D) float32 of a worker's own embeddings, or None; runs in the worker."""
    import torch

    model = worker.get_model()
    device = next(model.parameters()).device
    with torch.inference_mode():
        try:
            rows = model.embed_input_ids(torch.tensor(list(token_ids), device=device))
        except (AttributeError, NotImplementedError):
            return None
    return rows.float().cpu() if rows.is_floating_point() else None


def _only_checked(preprocess: Callable[..., Any]) -> Callable[..., Any]:
    """Whatever front end a request came from: without the mark of the check it does not reach the model."""

    def wrapper(self: Any, request: Any) -> Any:
        # Found out at the first request: the engine's constructor runs already when it loads plug-ins.
        if not hasattr(self, "unlearned"):
            self.unlearned = Settings.of(self.vllm_config)
        checked = (request.trace_headers or {}).get(STAMP) or request.abort_immediately
        if self.unlearned is not None and not checked:
            raise DetectionError(
                "A request was not checked, so it is not answered: its front end runs without the plug-in of unlearned."
            )
        return preprocess(self, request)

    return wrapper
