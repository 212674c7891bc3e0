"""Before a model is trusted: does a corruption reach it, only it, and is there a way around it? Four short forwards."""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import Tensor

from unlearned.engines.injection import EmbeddingInjection, embedding_module, inner_model
from unlearned.errors import InjectionError, UnsupportedModelError
from unlearned.types import PromptInput

LENGTH = 5
CHECKED = 2  # the corrupted position: neither first nor last
TOLERATED = 0.02  # of the corruption's own effect on the logits


@torch.inference_mode()
def self_check(model: Any, substitute_id: int, plain_ids: list[int]) -> None:
    """Refuse a model that would be silently unprotected.

    Args:
        model: the user's model.
        substitute_id: the id that side paths see at corrupted positions.
        plain_ids: at least 5 ordinary token ids.

    Raises:
        UnsupportedModelError: says which of the checks failed: the embedding module is not called (once), a flagged
            row does not change, an unflagged one does, or the token's identity still leaks through a side path.
    """
    name = type(inner_model(model)).__name__
    row = (plain_ids * LENGTH)[:LENGTH]
    vector = _foreign_vector(model, row)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        plain = _logits(model, [row, row], None, substitute_id)
        corrupted = _logits(model, [row, row], vector, substitute_id)
        again = _logits(model, [row, row], vector, substitute_id)
        other_token = next(token for token in plain_ids if token != row[CHECKED])
        renamed = [*row[:CHECKED], other_token, *row[CHECKED + 1 :]]
        leak = _logits(model, [renamed, row], vector, substitute_id)
    except InjectionError as error:
        raise UnsupportedModelError(f"{name} cannot be protected: {error}") from error
    finally:
        for module, training in modes:  # one by one: parts may differ, frozen ones in eval mode say
            module.training = training
    plain, corrupted, again, leak = plain.float(), corrupted.float(), again.float(), leak.float()
    effect = float((corrupted[0] - plain[0]).abs().max())
    exact = 8 * torch.finfo(torch.float32).eps * float(plain.abs().max())
    # Where kernels or expert routing mix rows, the original model's own rounding moves other rows a little.
    rounding = max(TOLERATED * effect, exact)
    # A leak is told from nothing: per-layer embeddings (gemma4) move the logits by as little as 4 % of the effect. What
    # two equal calls differ by is the kernels' own, on devices where they are not deterministic.
    repeatable = max(4 * float((again[0] - corrupted[0]).abs().max()), exact)
    if not effect > 0.0:  # also catches NaN
        raise UnsupportedModelError(
            f"{name} ignores corrupted embeddings: a flagged prompt would be answered as before."
        )
    if not float((corrupted[1] - plain[1]).abs().max()) <= rounding:
        raise UnsupportedModelError(f"{name} mixes the prompts of a batch: a corruption changes its neighbours.")
    if not float((leak[0] - corrupted[0]).abs().max()) <= repeatable:
        raise UnsupportedModelError(f"{name} reads token ids past the embedding: corrupted words stay readable.")


def _foreign_vector(model: Any, row: list[int]) -> Tensor:
    """(1, D) far from every embedding, in their own scale."""
    module = embedding_module(model)
    device = next(module.parameters()).device
    embeddings = module(torch.tensor([row], device=device))[0]
    if not isinstance(embeddings, Tensor) or embeddings.dim() != 2:
        raise UnsupportedModelError(f"{type(module).__name__} does not return one vector per token.")
    width = embeddings.shape[1]
    direction = torch.randn(width, generator=torch.Generator().manual_seed(0))
    scale = float(embeddings.float().std()) or 1.0
    return (5 * scale * direction)[None].to(embeddings.dtype).cpu()


def _logits(model: Any, rows: list[list[int]], vector: Tensor | None, substitute_id: int) -> Tensor:
    """(2, T, V) of two rows, the first one corrupted if there is a vector."""
    inner = inner_model(model)
    ids = torch.tensor(rows, device=inner.device)
    arguments: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if vector is None:
        return inner(**arguments).logits.cpu()  # type: ignore[no-any-return]
    calls, own = 0, threading.get_ident()

    def count(*_: Any) -> None:
        nonlocal calls
        calls += threading.get_ident() == own  # the model may be at work elsewhere

    flagged = PromptInput(tuple(rows[0]), positions=torch.tensor([CHECKED]), vectors=vector)
    handle = embedding_module(model).register_forward_hook(count)
    try:
        with EmbeddingInjection(model, ids, [flagged, PromptInput(tuple(rows[1]))], [0, 0], substitute_id):
            logits = inner(**arguments).logits.cpu()
    finally:
        handle.remove()
    if calls != 1:
        raise InjectionError(f"its embedding module was called {calls} times in one forward instead of once.")
    return logits  # type: ignore[no-any-return]
