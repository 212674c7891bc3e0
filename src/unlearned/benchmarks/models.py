"""Where models come from: the base model, its tokenizer with or without a chat template, a fine-tuned adapter."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from unlearned.errors import DataError, ModelLoadError, first_line
from unlearned.extras import require

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Load = Callable[[], "tuple[PreTrainedModel, PreTrainedTokenizerBase]"]
"""Gives a fresh base model and its tokenizer."""


def plain_text(load: Load) -> Load:
    """Load the model with a tokenizer without chat template: texts go on, or questions have a form of their own."""

    def loaded() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        model, tokenizer = load()
        tokenizer = copy.deepcopy(tokenizer)
        tokenizer.chat_template = None
        return model, tokenizer

    return loaded


def with_adapter(load: Load, adapter: Path, *, exact: bool = False) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The base model with the adapter merged into its weights, which is faster than beside them.

    Args:
        load: gives the base model.
        adapter: folder of a PEFT adapter.
        exact: leave it beside weights of 16 bits, as it was trained. Merging rounds them, and what changes a weight by
            less than half of its last bit is lost: of a gentle unlearning a third.

    Raises:
        ModelLoadError: the adapter cannot be read or does not fit.
    """
    peft = require("peft", extra="train", purpose="Fine-tuned models")
    model, tokenizer = load()
    try:
        tuned = peft.PeftModel.from_pretrained(model, str(adapter))
    except Exception as error:  # missing files, other shapes, another kind of adapter: each has its own kind
        raise ModelLoadError(f"Cannot put the adapter {adapter} on the model: {first_line(error)}") from error
    merge = not exact or model.dtype == torch.float32
    ready: PreTrainedModel = (tuned.merge_and_unload() if merge else tuned).eval()
    return ready, tokenizer


def with_weights(load: Load, folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The base model's kind with the weights of a folder, in the base model's type and place.

    Raises:
        ModelLoadError: the weights cannot be read or do not fit.
    """
    model, tokenizer = load()
    kind, device = type(model), model.device
    alike = {
        "dtype": model.dtype,
        "attn_implementation": model.config._attn_implementation,
        "device_map": getattr(model, "hf_device_map", None),
    }
    del model  # two of them may not fit
    try:
        found: Any = kind.from_pretrained(folder, use_safetensors=True, **alike)
    except Exception as error:  # as above
        raise ModelLoadError(f"Cannot read the weights in {folder}: {first_line(error)}") from error
    placed = found if hasattr(found, "hf_device_map") else found.to(device)
    ready: PreTrainedModel = placed.eval()
    return ready, tokenizer


def adapter_sha256(adapter: Path) -> str:
    """Hash of the adapter's weights and configuration.

    Raises:
        DataError: it is not there, or is not in safetensors (others would have to be unpickled).
    """
    digest = hashlib.sha256()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        try:
            digest.update(hashlib.sha256((adapter / name).read_bytes()).digest())
        except OSError as error:
            raise DataError(f"{adapter} is no adapter: cannot read {name} ({error.strerror}).") from error
    return digest.hexdigest()
