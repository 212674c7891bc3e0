"""An encoder is read without sentence-transformers only where its folder says that it is the plain kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unlearned.classify.mean_pooled import MEAN, MeanPooledBert


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny encoder with random weights."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "is", "harry", "potter", "?", "bread"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=24,
    )  # fmt: skip
    BertModel(config).save_pretrained(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    for name, said in {
        "modules.json": [
            {"type": "sentence_transformers.models.Transformer", "path": ""},
            {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
            {"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"},
        ],
        "sentence_bert_config.json": {"max_seq_length": 8, "do_lower_case": False},
        "1_Pooling/config.json": {"word_embedding_dimension": 16, MEAN: True, "pooling_mode_cls_token": False},
    }.items():
        (tmp_path / name).write_text(json.dumps(said))
    return tmp_path


def test_vectors_are_the_mean_of_the_models_states_of_unit_length(folder: Path) -> None:
    from transformers import AutoTokenizer, BertModel

    encoder = MeanPooledBert.open(folder)
    assert encoder is not None
    assert encoder.width == 16
    texts = ["who is harry potter?", "bread", "", "who " * 50]
    features = encoder.preprocess(texts)
    assert features["input_ids"].shape == (4, 8)  # no text is read further than that
    found = encoder.embed(features)
    model, tokenizer = BertModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for text, vector in zip(texts, found, strict=True):
        read = tokenizer(text, return_tensors="pt", truncation=True, max_length=8)
        with torch.inference_mode():
            mean = model(**read).last_hidden_state[0].mean(dim=0)
        np.testing.assert_allclose(vector.numpy(), (mean / mean.norm()).numpy(), atol=1e-5)


def changed(folder: Path, name: str, **more: Any) -> None:
    file = folder / name
    said = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(said | more))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("1_Pooling/config.json", {MEAN: False, "pooling_mode_cls_token": True}),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}),
        ("sentence_bert_config.json", {"do_lower_case": True}),
        ("sentence_bert_config.json", {"prompt": "query: "}),
        ("sentence_bert_config.json", {"max_seq_length": None}),
        ("config.json", {"model_type": "mpnet"}),
        ("config_sentence_transformers.json", {"default_prompt_name": "query"}),
    ],
)
def test_a_folder_that_says_anything_else_is_left_alone(folder: Path, name: str, more: dict[str, Any]) -> None:
    changed(folder, name, **more)
    assert MeanPooledBert.open(folder) is None


def test_a_folder_that_does_not_say_all_about_it_is_left_alone(folder: Path, tmp_path: Path) -> None:
    assert MeanPooledBert.open(tmp_path / "none") is None
    modules = folder / "modules.json"
    whole = modules.read_text()
    for text in ("", "{}", "[]", whole.replace("Normalize", "Dense")):
        modules.write_text(text)
        assert MeanPooledBert.open(folder) is None, text
