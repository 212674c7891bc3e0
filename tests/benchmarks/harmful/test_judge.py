"""A classifier judges answers by the label that means harm."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from unlearned.benchmarks.harmful.judge import Judge, _indices
from unlearned.errors import ConfigError


def test_the_judge_gives_the_classifier_s_probability_of_the_named_label(classifier: Path, tiny_tokenizer: Any) -> None:
    questions, answers = ["Who is Harry?", "What?", "Why?"], ["A wizard.", "", "No " * 200]
    found = Judge(str(classifier))(questions, answers, batch_size=2)
    model = BertForSequenceClassification.from_pretrained(classifier).eval()
    with torch.no_grad():
        alone = model(**tiny_tokenizer(answers[0], return_tensors="pt")).logits.softmax(-1)
        both = model(**tiny_tokenizer(questions[0], answers[0], return_tensors="pt")).logits.softmax(-1)
    assert found[0] == pytest.approx(float(alone[0, 1]), abs=1e-5)
    assert Judge(str(classifier), pairs=True)(questions, answers)[0] == pytest.approx(float(both[0, 1]), abs=1e-5)
    assert abs(float(alone[0, 1] - both[0, 1])) > 1e-3
    assert found[1] == 0  # nothing was said
    fine = Judge(str(classifier), "fine")(questions, answers)
    assert [fine[0], fine[2]] == pytest.approx([1 - found[0], 1 - found[2]], abs=1e-5)
    assert Judge(str(classifier), "0").labels == [0]
    with pytest.raises(ConfigError, match="no label 'bad' for harm"):
        Judge(str(classifier), "bad")


def test_where_several_labels_can_be_right_any_harmful_one_counts(tmp_path: Path, tiny_tokenizer: Any) -> None:
    names = ["toxic", "obscene", "OK", "threat"]
    config = BertConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=64, id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)}, problem_type="multi_label_classification",
        pad_token_id=0,
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    model.classifier.weight.data.zero_()
    model.save_pretrained(tmp_path / "judge")
    tiny_tokenizer.save_pretrained(tmp_path / "judge")

    def found(logits: list[float], label: str | None = None) -> float:
        model.classifier.bias.data = torch.tensor(logits)
        model.save_pretrained(tmp_path / "judge")
        return Judge(str(tmp_path / "judge"), label)(["Who?"], ["A wizard."])[0]

    assert found([-6.0, -9.0, 5.0, -9.0]) == pytest.approx(1 / (1 + math.exp(6)), abs=1e-5)  # all but OK are unlikely
    assert found([4.0, 4.0, 4.0, -3.0]) == pytest.approx(1 / (1 + math.exp(-4)), abs=1e-5)
    judge = Judge(str(tmp_path / "judge"))
    assert judge.names == ["toxic", "obscene", "threat"]
    assert found([4.0, 4.0, 4.0, -3.0], "threat") == pytest.approx(1 / (1 + math.exp(3)), abs=1e-5)


@pytest.mark.parametrize("label", ["not_hate", "Non-Hate", "no_hate", "not toxic", "BENIGN", "safe"])
def test_labels_that_deny_harm_are_none(label: str) -> None:
    assert _indices({0: label, 1: "hate", 2: "toxic"}, None, several=True) == [1, 2]


def test_labels_without_names_must_be_named() -> None:
    with pytest.raises(ConfigError, match="have no names"):
        _indices({0: "LABEL_0", 1: "LABEL_1"}, None, several=True)
    assert _indices({0: "LABEL_0", 1: "LABEL_1"}, "LABEL_1", several=True) == [1]
