"""The model types that are known not to pass, and why. A test holds this list to be neither too short nor too long."""

from __future__ import annotations

_MUSIC = "writes audio codebooks, not text; its composite config cannot be built as a causal LM; no single embedding"
_DRAFTER = "a drafter for another model: it needs that model's hidden states and caches, and reads no prompt by itself"

EXCEPTIONS: dict[str, str] = {
    "gemma4_assistant": _DRAFTER,
    "gemma4_unified_assistant": _DRAFTER,
    "musicgen": _MUSIC,
    "musicgen_melody": _MUSIC,
    "recurrent_gemma": "upstream: a one-token prompt starts from the previous call's state; longer prompts are exact",
    "rwkv": "upstream: decoding with a cache mixes the rows of a batch; exact one prompt at a time or without a cache",
    "xlm": "upstream: left-padded rows ignore their prompt; exact without padding",
}
