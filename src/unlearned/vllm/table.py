"""The embeddings of a model that another process runs: rows of its checkpoint, scaled as vLLM scales them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unlearned.errors import ModelLoadError, UnsupportedModelError

NAMES = (
    "embed_tokens.weight",
    "wte.weight",
    "word_embeddings.weight",
    "tok_embeddings.weight",
    "embed_in.weight",
    "embeddings.weight",
)
"""How the tensor's name ends in checkpoints of causal language models, most frequent first."""

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"


class EmbeddingTable:
    """Rows of the input embeddings, read from safetensors as they are needed: the file stays mapped, not copied.

    Args:
        weight: (V, D) as the checkpoint has it.
        dtype: the type in which the model runs.
        scale: what the model multiplies its embeddings with before its first layer adds anything.
    """

    def __init__(self, weight: Tensor, dtype: torch.dtype, scale: float | None = None) -> None:
        self.weight, self.dtype = weight, dtype
        self._scale = None if scale is None else torch.tensor(scale, dtype=dtype)

    @classmethod
    def open(cls, model: str, *, revision: str | None = None, dtype: torch.dtype, config: Any) -> EmbeddingTable:
        """The table of a folder or a hub id.

        Args:
            model: folder with safetensors, or hub id.
            revision: of the hub id.
            dtype: the type in which the model runs.
            config: the model's configuration, of its text part.

        Raises:
            ModelLoadError: there are no safetensors, or no input embeddings in them.
        """
        from safetensors import safe_open

        file, name = _located(model, revision)
        with safe_open(file, framework="pt") as tensors:
            weight: Tensor = tensors.get_tensor(name)
        return cls(weight, dtype, embedding_scale(config))

    @property
    def rows(self) -> int:
        return int(self.weight.shape[0])

    def embed(self, token_ids: Sequence[int]) -> Tensor:
        """(T, D) embeddings of T token ids on the CPU, as the model's first layer reads them."""
        rows = self.weight[torch.tensor(list(token_ids), dtype=torch.long)].to(self.dtype)
        return rows if self._scale is None else rows * self._scale

    def check(self, token_ids: Sequence[int], found: Tensor) -> None:
        """Compare with what the model's own embedding gives.

        Args:
            token_ids: a few ids.
            found: (T, D) the model's embeddings of them.

        Raises:
            UnsupportedModelError: corrupted rows would not be in the model's units.
        """
        own = self.embed(token_ids).float()
        found = found.float().cpu()
        if own.shape != found.shape or not torch.allclose(own, found, rtol=0.02, atol=1e-3 * float(own.abs().max())):
            raise UnsupportedModelError(
                "The checkpoint's input embeddings are not those that vLLM's model computes (it scales, normalises or "
                "quantises them in a way that is not known here). Nothing would be corrupted as it should; this model "
                "cannot be served with artifacts. Use --engine transformers."
            )


def embedding_scale(config: Any) -> float | None:
    """What the model multiplies its embeddings with where it looks them up; None = nothing.

    Granite scales too, but after its embeddings were read: what it is given is scaled as well.
    """
    kind = str(getattr(config, "model_type", ""))
    if kind.startswith("gemma"):
        return math.sqrt(config.hidden_size)
    scale = getattr(config, "scale_emb", None)  # MiniCPM
    return float(scale) if scale is not None and kind.startswith("minicpm") else None


def _located(model: str, revision: str | None) -> tuple[Path, str]:
    """File and name of the tensor."""
    from safetensors import safe_open

    index = _file(model, INDEX, revision)
    if index is not None:
        shards: Mapping[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        name = _embedding_name(list(shards), model)
        file = _file(model, shards[name], revision)
    else:
        file = _file(model, SINGLE, revision)
        if file is not None:
            with safe_open(file, framework="pt") as tensors:
                name = _embedding_name(list(tensors.keys()), model)
    if file is None:
        raise ModelLoadError(
            f"The model {model!r} has no safetensors, from which its embeddings could be read. Convert it, for example "
            "with `save_pretrained`."
        )
    return file, name


def _file(model: str, name: str, revision: str | None) -> Path | None:
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder / name if (folder / name).is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(model, name, revision=revision))
    except (EntryNotFoundError, LocalEntryNotFoundError, OSError, ValueError):
        return None


def _embedding_name(names: Sequence[str], model: str) -> str:
    for ending in NAMES:
        found = [name for name in names if name == ending or name.endswith(f".{ending}")]
        # A model of several parts keeps its text embeddings below "language_model" or at the top.
        found = [name for name in found if not any(part in name for part in ("vision", "audio", "visual"))]
        if found:
            return min(found, key=len)
    raise ModelLoadError(f"The checkpoint of {model!r} holds no input embeddings under a known name.")
