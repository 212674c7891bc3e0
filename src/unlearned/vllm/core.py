"""The engine's side: workers read embeddings, a few rows are compared, unchecked requests are refused.

And the prefix cache: what stands before the first corrupted token is shared with everybody, so that neither counts of
cached tokens nor the time they save tell that a prompt was flagged; what follows is shared with nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from unlearned.errors import DetectionError, UnsupportedModelError
from unlearned.vllm.hooks import BLOCK_KEYS, CORE_REQUEST, EXECUTOR, wrap
from unlearned.vllm.settings import Settings

STAMP = "x-unlearned"
"""Key of the mark of a checked request, in its trace headers, which clients cannot set."""

PROCESSOR = "unlearned.vllm.banning:Banning"
"""The logits processor that bans tokens, as vLLM's configuration names it."""

COMPARED = 16
"""Rows of the embeddings that are compared at the start."""


def install() -> None:
    """Wrap the engine's side."""
    wrap(EXECUTOR, _reading_embeddings)
    wrap(CORE_REQUEST, _only_checked)
    wrap(BLOCK_KEYS, _keyed_by_what_is_corrupted)


def _reading_embeddings(start: Callable[..., Any]) -> Callable[..., Any]:
    """Workers are told to read embeddings; the front end is not, so that it goes on refusing those of clients."""

    def wrapper(self: Any, vllm_config: Any, *args: Any, **kwargs: Any) -> Any:
        settings = Settings.of(vllm_config)
        if settings is not None:
            vllm_config.model_config.enable_prompt_embeds = True
            if settings.holds_back:
                own = vllm_config.model_config.logits_processors or ()
                vllm_config.model_config.logits_processors = [*own, PROCESSOR]
        result = start(self, vllm_config, *args, **kwargs)
        if settings is not None:  # the workers have loaded their model
            compare_embeddings(vllm_config, self)
        return result

    return wrapper


def compare_embeddings(vllm_config: Any, executor: Any) -> None:
    """Compare the checkpoint's rows with the workers'; raises `UnsupportedModelError` where they differ."""
    from unlearned.vllm.enforcer import open_table

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


def _keyed_by_what_is_corrupted(keys: Callable[..., Any]) -> Callable[..., Any]:
    """Blocks of the prefix cache: of tokens alone, the key of a prompt without embeddings; else the mask is in it, too.

    Keys are chained: a block behind a corrupted one has another key than the same tokens elsewhere.
    """

    def wrapper(request: Any, start_token_idx: int, end_token_idx: int, *args: Any, **kwargs: Any) -> Any:
        found, following = keys(request, start_token_idx, end_token_idx, *args, **kwargs)
        if request.prompt_embeds is None or request.prompt_is_token_ids is None or not found:
            return found, following
        mask = request.prompt_is_token_ids[start_token_idx:end_token_idx]
        if all(mask):
            found = tuple(key for key in found if not (isinstance(key, tuple) and key[0] == "prompt_embeds"))
        else:
            found = (*found, (STAMP, bytes(mask)))
        return found or None, following

    return wrapper
