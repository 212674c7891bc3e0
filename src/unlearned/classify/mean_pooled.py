"""The sentence encoder that most are, without sentence-transformers: BERT, the mean of its states, unit length.

What sentence-transformers gives, number by number, without its imports, which take longer than reading the model and
judging a hundred prompts. A folder that says anything else of itself is left to sentence-transformers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unlearned.classify.packed import PackedBert

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MODULES = ("Transformer", "Pooling", "Normalize")
MEAN = "pooling_mode_mean_tokens"


class MeanPooledBert:
    """An encoder in a folder; `open` reads it.

    Args:
        tokenizer: of the model.
        packed: the model.
        width: numbers of a vector.
        longest: tokens that it reads of a text.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, packed: PackedBert, width: int, longest: int) -> None:
        self.tokenizer, self.width = tokenizer, width
        self._packed, self._longest = packed, longest

    @classmethod
    def open(cls, folder: Path) -> MeanPooledBert | None:
        """The encoder in a folder; None where it is of another kind, or the folder does not say all about it."""
        if (longest := _longest_text(folder)) is None:
            return None
        from transformers import AutoTokenizer, BertModel

        model: Any = BertModel.from_pretrained(folder, dtype=torch.float32)
        model.eval()
        if not PackedBert.takes(model):
            return None
        return cls(AutoTokenizer.from_pretrained(folder), PackedBert(model), int(model.config.hidden_size), longest)

    @property
    def words(self) -> Tensor:
        """(V, D) what the model knows of single tokens."""
        return self._packed.words

    def preprocess(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """(N, L) token ids and their mask."""
        found = self.tokenizer(
            list(texts), padding=True, truncation="longest_first", max_length=self._longest, return_tensors="pt"
        )
        return {"input_ids": found["input_ids"], "attention_mask": found["attention_mask"]}

    def embed(self, features: dict[str, Tensor]) -> Tensor:
        """(N, D) vectors of unit length."""
        mask = features["attention_mask"]
        states = self._packed(features["input_ids"], mask)  # 0 where there is padding
        means = states.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1e-9)
        return torch.nn.functional.normalize(means, dim=1)


def _longest_text(folder: Path) -> int | None:
    """Tokens that the encoder reads of a text; None if it is no BERT with the mean of its states."""
    modules, settings = _read(folder / "modules.json"), _read(folder / "sentence_bert_config.json")
    config, own = _read(folder / "config.json"), _read(folder / "config_sentence_transformers.json") or {}
    if not isinstance(modules, list) or not isinstance(settings, dict) or not isinstance(config, dict):
        return None
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    if tuple(kinds) not in (MODULES, MODULES[:2]) or modules[0].get("path"):
        return None
    pooling = _read(folder / str(modules[1].get("path")) / "config.json")
    modes = {name for name, on in (pooling or {}).items() if name.startswith("pooling_mode") and on}
    is_plain = set(settings) <= {"max_seq_length", "do_lower_case"} and not settings.get("do_lower_case")
    has_prompt = bool(own.get("default_prompt_name"))
    if config.get("model_type") != "bert" or modes != {MEAN} or not is_plain or has_prompt:
        return None
    longest = settings.get("max_seq_length")
    return longest if isinstance(longest, int) else None


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
