"""Llama models with random weights, made on the device itself: as fast as trained ones, and nothing is downloaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig

from unlearned.extras import require
from unlearned.seeding import own_randomness

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PRECISIONS = ("bfloat16", "float16", "8 bit", "4 bit")
QUANTISED = {"8 bit": 1.0, "4 bit": 0.5}
"""Bytes of a weight. Both are made from weights of two bytes, and for a moment both are on the device."""

ROOM = 1.2
"""Beside the weights: the cache and the activations of 16 short prompts, and what the allocator wastes."""

GB = 1e9


@dataclass(frozen=True)
class Shape:
    """Sizes of a Llama, by the names of its configuration."""

    name: str
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    vocab_size: int
    tie_word_embeddings: bool

    @cached_property
    def parameters(self) -> int:
        """Numbers in its weights; counted without memory for them."""
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(self.config())  # type: ignore[no-untyped-call]
        return sum(weight.numel() for weight in model.parameters())

    def config(self, **more: Any) -> LlamaConfig:
        sizes = {name: value for name, value in vars(self).items() if name not in ("name", "parameters")}
        return LlamaConfig(**sizes, **more)

    def bytes_needed(self, precision: str) -> float:
        """On the device, while the model is made and while it answers."""
        return ROOM * self.parameters * (2 + QUANTISED.get(precision, 0))


SHAPES = (
    Shape("1B", 2048, 8192, 16, 32, 8, 128_256, True),
    Shape("8B", 4096, 14_336, 32, 32, 8, 128_256, False),
)
"""Those of Llama 3.2 1B and Llama 3.1 8B. The vocabulary is larger than that of the tokenizer which is at hand."""

TINY = (
    Shape("tiny", 64, 128, 2, 4, 2, 49_408, True),
    Shape("small", 128, 256, 4, 4, 2, 49_408, False),
)
"""For trying the measurement on a CPU; their numbers mean nothing."""


def free_bytes(device: torch.device) -> float:
    """Memory of the device that nobody uses."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def make_model(
    shape: Shape, precision: str, tokenizer: PreTrainedTokenizerBase, device: torch.device
) -> PreTrainedModel:
    """A model with random weights, equal for every precision, in evaluation mode.

    Args:
        shape: its sizes.
        precision: one of `PRECISIONS`. 8 and 4 bit are quantised by bitsandbytes, in the way of `from_pretrained`.
        tokenizer: gives the ids that end and fill up a text.
        device: where the model is made, and stays.

    Raises:
        MissingExtraError: bitsandbytes or accelerate is not installed.
    """
    if precision in QUANTISED:
        for package in ("bitsandbytes", "accelerate"):
            require(package, extra="quantization", purpose=f"{precision.replace(' ', '-')} precision")
    dtype = torch.float16 if precision in ("float16", "8 bit") else torch.bfloat16  # 8 bit computes in float16 only
    config = shape.config(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    with own_randomness(0), torch.device(device):
        model: Any = AutoModelForCausalLM.from_config(config, dtype=dtype)  # type: ignore[no-untyped-call]
    if precision in QUANTISED:
        quantisation = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_8bit=precision == "8 bit",
            load_in_4bit=precision == "4 bit",
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=dtype,
        )
        model = type(model).from_pretrained(
            None,
            config=config,
            state_dict=model.state_dict(),
            dtype=dtype,
            device_map={"": device},
            quantization_config=quantisation,
        )
    made: PreTrainedModel = model.eval()
    return made
