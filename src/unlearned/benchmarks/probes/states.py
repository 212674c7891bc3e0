"""What a model holds at the last token of a prompt: its hidden states and its logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from unlearned.batches import by_length
from unlearned.engines.injection import EmbeddingInjection
from unlearned.engines.logits_to_keep import keep_logits
from unlearned.types import PromptInput

if TYPE_CHECKING:
    from unlearned.engines.transformers import TransformersEngine


@dataclass(frozen=True, slots=True, eq=False)
class LastStates:
    """What a model makes of N prompts at their last token. L layers, D width, V vocabulary."""

    hidden: npt.NDArray[np.float32]
    """(L + 1, N, D): what goes into the first layer, and what comes out of each. Of most models the last one is
    normalised, as the output head reads it."""

    logits: npt.NDArray[np.float32]
    """(N, V)"""


@torch.inference_mode()
def last_states(
    engine: TransformersEngine,
    inputs: Sequence[PromptInput],
    *,
    batch_size: int = 8,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> LastStates:
    """One forward of each prompt, with its corruption.

    Args:
        engine: runs the model.
        inputs: N prompts; nothing may be put in front of them.
        batch_size: prompts per forward.
        on_progress: called with (done, total).
    """
    hidden: dict[int, npt.NDArray[np.float32]] = {}
    logits: dict[int, npt.NDArray[np.float32]] = {}
    for chosen in by_length([len(prompt.token_ids) for prompt in inputs], batch_size):
        batch = [inputs[index] for index in chosen]
        length = max(len(prompt.token_ids) for prompt in batch)
        gaps = [length - len(prompt.token_ids) for prompt in batch]
        ids = torch.tensor([list(p.token_ids) + [engine.pad_id] * gap for gap, p in zip(gaps, batch, strict=True)])
        mask = torch.tensor([[1] * (length - gap) + [0] * gap for gap in gaps])
        ids, mask = ids.to(engine.model.device), mask.to(engine.model.device)
        needed = torch.arange(-max(gaps) - 1, 0, device=ids.device)  # only the columns with a last token get logits
        with _armed(engine, ids, batch):
            output = engine.model(
                input_ids=ids,
                attention_mask=mask,
                output_hidden_states=True,
                use_cache=False,
                **keep_logits(engine.model, needed),
            )
        for row, (index, gap) in enumerate(zip(chosen, gaps, strict=True)):
            layers = [states[row, length - 1 - gap] for states in output.hidden_states]
            hidden[index] = torch.stack(layers).float().cpu().numpy()
            logits[index] = output.logits[row, -1 - gap].float().cpu().numpy()
        on_progress(len(hidden), len(inputs))
    every = range(len(inputs))
    return LastStates(
        np.stack([hidden[index] for index in every], axis=1), np.stack([logits[index] for index in every])
    )


def _armed(engine: TransformersEngine, ids: torch.Tensor, batch: Sequence[PromptInput]) -> AbstractContextManager[Any]:
    if not any(prompt.corrupted for prompt in batch):
        return nullcontext()
    return EmbeddingInjection(engine.model, ids, batch, [0] * len(batch), engine.substitute_id)
