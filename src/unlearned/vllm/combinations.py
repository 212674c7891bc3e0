"""What vLLM cannot combine with embeddings in prompts. It is refused at the start, never answered unprotected."""

from __future__ import annotations

import os
from typing import Any

from unlearned.artifact.artifact import Artifact
from unlearned.artifact.loading import Loaded
from unlearned.errors import ConfigError
from unlearned.unlearners.instruction import Instruction
from unlearned.vllm.settings import Settings


def check_combination(vllm_config: Any) -> None:
    """Raise `ConfigError` if a corrupted prompt would crash this engine or pass it by."""
    model = vllm_config.model_config
    for found, problem in (
        (model.runner_type != "generate", "Models that embed, score or classify (--runner pooling) are not protected"),
        (model.is_encoder_decoder, "vLLM takes no embeddings for encoder-decoder models"),
        (getattr(model, "is_diffusion", False), "vLLM takes no embeddings for diffusion models"),
        (model.skip_tokenizer_init, "Without a tokenizer (--skip-tokenizer-init) prompts cannot be read"),
        (_lora_breaks(vllm_config), _LORA),
        (_speculates(vllm_config), _SPECULATION),
        (vllm_config.kv_transfer_config is not None, _TRANSFER),
        (os.environ.get("VLLM_USE_RUST_FRONTEND", "0") not in ("", "0"), "vLLM's Rust front end runs no plug-in"),
    ):
        if found:
            raise ConfigError(f"{problem}. Leave it out, or serve without artifacts.")


def check_artifact(vllm_config: Any, artifact: Loaded) -> None:
    """Raise `ConfigError` for an artifact that cannot be combined with what this engine does; says what.

    Args:
        vllm_config: vLLM's configuration.
        artifact: of any kind.
    """
    if isinstance(artifact, Instruction) and artifact.kind == "refusal":
        check_fixed_answers(vllm_config)
    elif not isinstance(artifact, Artifact) and _tells_experts(vllm_config):
        raise ConfigError(
            "--enable-return-routed-experts tells of every token that is read, also of a soft prompt or an instruction "
            "in front of a prompt. Leave one of them out."
        )


def check_fixed_answers(vllm_config: Any) -> None:
    """Raise `ConfigError` where a fixed answer would not be read as the answer."""
    parser = getattr(getattr(vllm_config, "structured_outputs_config", None), "reasoning_parser", None)
    if parser:
        raise ConfigError(
            f"--reasoning-parser {parser} takes an answer without thoughts for thoughts, so neither --on-flag "
            "nor a refusal can be combined with it. Leave one of them out."
        )


_LORA = (
    "vLLM's first model runner cannot combine LoRA with embeddings in prompts, unless --lora-target-modules leaves out "
    "embed_tokens"
)
_SPECULATION = (
    "vLLM takes no logits processor with speculative decoding, so names could not be held back in answers; "
    "--unlearned-answers off gives that up"
)
_TRANSFER = (
    "KV connectors (--kv-transfer-config) know prompts by their token ids and could hand on what was not corrupted"
)


def _speculates(vllm_config: Any) -> bool:
    settings = Settings.of(vllm_config)
    return getattr(vllm_config, "speculative_config", None) is not None and (settings is None or settings.holds_back)


def _tells_experts(vllm_config: Any) -> bool:
    places = (getattr(vllm_config, "aux_output_config", None), getattr(vllm_config, "model_config", None))
    return any(getattr(place, "enable_return_routed_experts", False) for place in places)


def _lora_breaks(vllm_config: Any) -> bool:
    lora = vllm_config.lora_config
    if lora is None or vllm_config.use_v2_model_runner:
        return False
    targets = getattr(lora, "target_modules", None)
    return not targets or any("embed" in target for target in targets)
