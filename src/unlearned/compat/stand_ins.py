"""Replaces parts of multimodal models that need an optional package and that text never passes through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from torch import nn
from transformers import CONFIG_MAPPING, AutoModel, PreTrainedConfig, PreTrainedModel


class NoTower(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Stands where a vision tower would be; cannot see."""

    config_class = PreTrainedConfig

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__(config)
        self.nothing = nn.Linear(1, 1)

    def _init_weights(self, module: nn.Module) -> None:
        """Keep what `nn.Linear` drew."""


@contextmanager
def stand_ins(model_type: str) -> Iterator[None]:
    """Inside, `AutoModel` builds gemma3n without its timm vision tower, if timm is not installed."""
    if not model_type.startswith("gemma3n") or find_spec("timm"):
        yield
        return
    extra: dict[Any, Any] = AutoModel._model_mapping._extra_content
    vision = CONFIG_MAPPING["gemma3n_vision"]
    before = dict(extra)
    extra[vision] = NoTower
    try:
        yield
    finally:
        extra.clear()
        extra.update(before)
