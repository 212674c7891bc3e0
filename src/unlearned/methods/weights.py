"""Which weights of a model are trained, and what the start model is afterwards."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unlearned.errors import ConfigError, first_line
from unlearned.extras import require
from unlearned.methods.base import Method
from unlearned.methods.config import LoraSettings
from unlearned.methods.negation import check_parts, check_plain
from unlearned.methods.reference import AdapterOff, AdapterStart, FrozenCopy, Reference

ADAPTER = ".default."
"""In the names of an adapter's weights."""


@dataclass(slots=True)
class Prepared:
    """A model that is ready to be trained."""

    model: Any
    adapter: str | None
    """"new", "continued", or None if all weights are trained."""

    dtype: torch.dtype
    """That the model was loaded in, and computes in."""

    flags: dict[str, bool]
    """Which weights were trainable before the method chose among them."""

    reference: Reference | None = None

    @property
    def reference_bytes(self) -> int:
        if isinstance(self.reference, FrozenCopy):
            return sum(weight.numel() * weight.element_size() for weight in self.reference.model.parameters())
        if isinstance(self.reference, AdapterStart):
            return sum(value.numel() * value.element_size() for value in self.reference.values.values())
        return 0

    def start_of_adapter(self) -> dict[str, Tensor] | None:
        """Values of a continued adapter before the training, named as in its file."""
        if not isinstance(self.reference, AdapterStart):
            return None
        return {name.replace(f".{self.model.active_adapter}.", "."): v for name, v in self.reference.values.items()}

    def restore(self) -> None:
        """Forget the method's choice."""
        for name, weight in self.model.named_parameters():
            weight.requires_grad_(self.flags.get(name, weight.requires_grad))


def prepare_weights(model: Any, method: Method, lora: LoraSettings | None, *, checkpointing: bool) -> Prepared:
    """Put an adapter on, or widen all weights to float32; keep the start model if the method needs it.

    Raises:
        ConfigError: a quantised model without an adapter; several adapters, or one that cannot be negated by a method
            that does so; a method whose choice leaves no weight.
        MissingExtraError: peft is not installed.
    """
    dtype = next((w.dtype for w in model.parameters() if w.dtype in (torch.bfloat16, torch.float16)), torch.float32)
    quantised = bool(getattr(model, "is_quantized", False))
    if hasattr(model, "peft_config"):
        adapter = "continued"
        if list(model.peft_config) != ["default"]:
            raise ConfigError("The model has several adapters, or a named one. Give a model with one adapter.")
        if method.negation is not None:
            check_plain(model.peft_config["default"])  # now, and not after hours of training
        for name, weight in model.named_parameters():
            weight.requires_grad_(ADAPTER in f"{name}.")  # an embedding's part ends with it
    elif lora is not None:
        adapter, model = "new", _with_adapter(model, lora, quantised=quantised, checkpointing=checkpointing)
    elif quantised:
        raise ConfigError("Quantised weights cannot be trained. Add an adapter: --lora.")
    else:
        adapter = None
        # Steps are smaller than a bfloat16 weight's resolution and would be rounded away.
        model.float().requires_grad_(True)
    if quantised:
        _keep_differentiable(model)
    flags = {name: weight.requires_grad for name, weight in model.named_parameters()}
    if method.negation is not None and adapter is not None:
        check_parts(f"{name}.".replace(ADAPTER, ".").rstrip(".") for name, trained in flags.items() if trained)
    reference: Reference | None = None
    if method.needs_reference or method.negation is not None:
        of_adapter = AdapterOff() if adapter == "new" else None
        reference = FrozenCopy(model) if adapter is None else of_adapter or AdapterStart(model)
    for name, weight in model.named_parameters():
        weight.requires_grad_(weight.requires_grad and method.trainable(name))
    if not any(weight.requires_grad for weight in model.parameters()):
        raise ConfigError(
            "The method's choice of weights matches none of this model. Change the setting that makes it, such as "
            "`trainable_pattern`."
        )
    return Prepared(model=model, adapter=adapter, dtype=dtype, flags=flags, reference=reference)


def _keep_differentiable(model: Any) -> None:
    """Keep 4-bit weights in the form that gradients pass through.

    On CPUs with AVX-512 BF16, bitsandbytes repacks them in the first forward pass in eval mode, which is the
    reference's; from then on gradients are wrong, and a warning is all that says so.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _with_adapter(model: Any, lora: LoraSettings, *, quantised: bool, checkpointing: bool) -> Any:
    peft = require("peft", extra="train", purpose="Training an adapter")
    targets = lora.targets if lora.targets == "all-linear" else [t.strip() for t in lora.targets.split(",")]
    config = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about its own way to ask for gradient checkpointing
        if quantised:
            model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=checkpointing)
        try:
            return peft.get_peft_model(model, config)
        except ValueError as error:
            raise ConfigError(f"The adapter does not fit the model: {first_line(error)}") from error
