"""Tiny random models of any causal-LM type: config defaults, with every size made small. No weights, no network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from unlearned.compat.overrides import OVERRIDES
from unlearned.compat.stand_ins import stand_ins

VOCABULARY = 150  # no other size of a tiny model, so that tables by token id can be recognised
SPECIAL = 40  # ids below are pad, end, placeholders, ...; those from here on are plain tokens
HEADS = 4

# What a config field holds is told by its name; all types share about a hundred names. Order does not matter.
SIZES: dict[int, str] = {
    VOCABULARY: "vocab_size vocab_size_per_layer_input decoder_vocab_size unpadded_vocab_size",
    256: "max_position_embeddings n_positions n_ctx max_seq_len context_length max_target_positions "
    "max_source_positions original_max_position_embeddings position_embedding_size num_position_embeddings",
    64: "hidden_size d_model n_embd emb_dim dim_model_base embedding_size intermediate_size moe_intermediate_size "
    "encoder_ffn_dim decoder_ffn_dim ffn_dim ffn_hidden_size expert_ffn_hidden_size dff dim_ff d_inner mlp_dim "
    "shared_expert_intermediate_size shared_experts_intermediate_size shared_intermediate_size intermediate_size_mlp "
    "moe_shared_expert_intermediate_size dense_intermediate_size feed_forward_size input_size hidden_size_global "
    "backbone_hidden_size out_hidden_size adapter_in_dim adapter_out_dim adapter_input_size output_proj_dims "
    "mm_embed_dim audio_embed_dim projector_input_dim projector_output_dim vision_output_dim input_embedding_size "
    "output_embedding_size downsample_hidden_size router_hidden_size output_channels prompt_mid_dim mamba_d_ssm "
    "pronunciation_vocab_size shape_vocab_size audio_vocab_size num_centroids "
    "projection_dim encoder_hash_byte_group_vocab",
    32: "base_channels num_buckets",
    16: "head_dim global_head_dim v_head_dim dim_head d_head kv_channels attention_head_size linear_head_dim "
    "linear_key_head_dim linear_value_head_dim index_head_dim indexer_head_dim swa_head_dim swa_v_head_dim "
    "mamba_head_dim kv_lora_rank q_lora_rank o_lora_rank laurel_rank adapter_rank gated_norm_rank hc_lowrank "
    "state_size ssm_state_size mamba_d_state hidden_size_per_layer_input pronunciation_embed_dim shape_embed_dim "
    "qk_head_dim d_rel rel_extent patch_size max_num_tiles num_global_layers num_mel_bins position_bias_num_buckets "
    "codebook_size",
    8: "qk_rope_head_dim qk_nope_head_dim sliding_window local_attention attention_window_size sliding_window_size "
    "window_size chunk_size mamba_chunk_size index_topk attention_chunk_size chroma_length rotary_dim "
    "keep_window_size",
    HEADS: "num_attention_heads n_head n_heads num_heads attention_heads encoder_attention_heads "
    "decoder_attention_heads num_encoder_attention_heads num_decoder_attention_heads mamba_n_heads linear_num_heads "
    "linear_num_value_heads index_n_heads swa_num_attention_heads conf_num_attention_heads mamba_num_heads "
    "num_experts n_routed_experts num_local_experts moe_num_experts zero_expert_num prompt_length prompt_types "
    "segment_types num_mtp_layers",
    2: "num_hidden_layers n_layer n_layers num_layers encoder_layers decoder_layers num_encoder_layers "
    "num_decoder_layers depth conf_num_hidden_layers num_experts_per_tok moe_topk moe_k moe_top_k top_k_experts "
    "num_key_value_heads num_kv_heads kv_n_heads swa_num_key_value_heads linear_num_key_heads n_group topk_group "
    "n_mamba_heads centroid_intermediate_top_k num_codebooks first_k_dense_replace",
}
SIZE_OF = {name: size for size, names in SIZES.items() for name in names.split()}
ZERO_TO_ONE = {"topk_group": 1, "first_k_dense_replace": 1}


def model_types() -> list[str]:
    """Every type that transformers lists as a causal language model, sorted."""
    return sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def tiny_config(model_type: str, overrides: Mapping[str, Any] | None = None) -> PreTrainedConfig:
    """The config of a type with small sizes everywhere, also in its sub-configs.

    Args:
        model_type: a name from `model_types()`.
        overrides: config values by field, nested for sub-configs; None = this type's row of `OVERRIDES`.
    """
    chosen = OVERRIDES.get(model_type, {}) if overrides is None else overrides
    return _shrunk(CONFIG_MAPPING[model_type], chosen, _numbers())


def tiny_model(model_type: str, *, seed: int = 0, overrides: Mapping[str, Any] | None = None) -> PreTrainedModel:
    """A random float32 model of the type in evaluation mode, with every side path alive."""
    torch.manual_seed(seed)
    config = tiny_config(model_type, overrides)
    with stand_ins(model_type):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    enliven(model, seed)
    nn.Module.eval(model)
    return model


@torch.no_grad()
def enliven(model: nn.Module, seed: int) -> None:
    """Give random values to what starts as zeros (gates, biases, LoRA's B, id tables): zeros hide whole side paths."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.numel() and not parameter.any():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    for name, table in model.named_buffers():
        if name.endswith("tid2eid"):  # deepseek_v4: which experts a token id goes to
            experts = model.get_submodule(name.rpartition(".")[0])
            count = int(getattr(experts, "num_experts", 0) or getattr(experts, "n_routed_experts", 0) or HEADS)
            order = torch.rand(len(table), count, generator=generator).argsort(1)
            table.copy_(order[:, : table.shape[1]].to(table))


def _numbers() -> Iterator[int]:
    """Distinct ids for placeholders and the like; 0, 1 and 2 are taken by pad, begin and end."""
    return iter(range(3, SPECIAL))


def _shrunk(
    cls: type[PreTrainedConfig],
    overrides: Mapping[str, Any],
    numbers: Iterator[int],
    defaults: Mapping[str, Any] | None = None,
) -> PreTrainedConfig:
    given = defaults or {}  # what the composite config says about this part, in place of the class's own defaults
    values: dict[str, Any] = {}
    parts = getattr(cls, "sub_configs_defaults", {})
    fields = {field.name: given.get(field.name, field.default) for field in dataclasses.fields(cls)}
    for name, default in fields.items():
        if name in parts:
            part, nested = parts[name], dict(overrides.get(name, {}))
            part_class = part.get_config_class(nested.pop("model_type", part.model_type))
            values[name] = _shrunk(part_class, nested, numbers, part.init_kwargs)
        elif name.startswith("forced_"):
            values[name] = None  # an end token forced at the last step would hide what the model says
        elif (value := _small(name, default, numbers)) is not None:
            values[name] = value
    if fields.get("num_key_value_heads", 0) == fields.get("num_attention_heads"):
        values["num_key_value_heads"] = HEADS  # every head has its own keys, where latent attention relies on it
    values = {**given, **values, **_layer_kinds(cls, values)}
    return cls(**{**values, **{name: value for name, value in overrides.items() if name not in parts}})


def _layer_kinds(cls: type[PreTrainedConfig], values: Mapping[str, Any]) -> dict[str, Any]:
    """One layer of every kind that the type mixes by default, where its config lists them."""
    fields = {field.name for field in dataclasses.fields(cls)}
    lists: list[str] = [name for name in ("layer_types", "mlp_layer_types") if name in fields]
    if not lists or "num_hidden_layers" not in values:
        return {}
    default = cls()
    kinds = {name: list(dict.fromkeys(getattr(default, name) or ())) for name in lists}
    count = max(values["num_hidden_layers"], *map(len, kinds.values()))
    chosen = {name: (kind * count)[:count] for name, kind in kinds.items() if kind}
    return {**chosen, "num_hidden_layers": count} if chosen else {}


def _small(name: str, default: Any, numbers: Iterator[int]) -> Any:
    """The small value of a field, or None to leave it."""
    if name == "is_decoder":
        return True  # bert-like encoders
    if name in ("initializer_range", "init_std"):
        return 0.1  # the usual 0.02 would leave the logits of so small a model almost alike
    if isinstance(default, bool) or not isinstance(default, int):
        return None
    if name.endswith(("_token_id", "_token_index")):
        known = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
        return known[name] if name in known else next(numbers)
    if name in ZERO_TO_ONE:
        return min(default, ZERO_TO_ONE[name])
    if name in SIZE_OF:
        return min(default, SIZE_OF[name]) if default > 0 else default
    return None
