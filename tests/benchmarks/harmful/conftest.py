"""What the tests of this folder share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from harmful_rows import FORGET, NORMAL, write
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM

from unlearned.benchmarks.harmful.config import HarmfulSplit
from unlearned.benchmarks.harmful.data import load_harmful, normal_pairs, unsafe_pairs
from unlearned.benchmarks.harmful.form import FORM
from unlearned.examples import Row
from unlearned.methods.data import Encoder, padded


@pytest.fixture
def classifier(tmp_path: Path, tiny_tokenizer: Any) -> Path:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=64, initializer_range=0.5, num_labels=2,
        id2label={0: "fine", 1: "unsafe"}, label2id={"fine": 0, "unsafe": 1}, pad_token_id=0,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(tmp_path / "judge")
    tiny_tokenizer.save_pretrained(tmp_path / "judge")
    return tmp_path / "judge"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_model: Any, tiny_tokenizer: Any) -> Path:
    """Rows, and a model that knows all of their answers by heart."""
    folder = tmp_path_factory.mktemp("user")
    write(folder / "forget.jsonl", FORGET)
    write(folder / "normal.jsonl", NORMAL)
    data = load_harmful(folder / "forget.jsonl", folder / "normal.jsonl", HarmfulSplit())
    known = unsafe_pairs([*data.forget, *data.held_out])[::2] + normal_pairs(data.normal)
    batch = padded(Encoder(tiny_tokenizer, FORM, 128).examples([Row(*pair) for pair in known], "test"), 0)
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**{**tiny_model.config.to_dict(), "initializer_range": 0.1}))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(100):
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1
    model.save_pretrained(folder / "model")
    tiny_tokenizer.save_pretrained(folder / "model")
    return folder
