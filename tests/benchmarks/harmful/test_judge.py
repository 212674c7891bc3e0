"""A classifier judges answers by the label that means harm."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM

from unlearned.benchmarks.harmful.config import HarmfulRunConfig, HarmfulSplit
from unlearned.benchmarks.harmful.data import load_harmful, normal_pairs, unsafe_pairs
from unlearned.benchmarks.harmful.form import FORM
from unlearned.benchmarks.harmful.judge import Judge, _indices
from unlearned.errors import ConfigError
from unlearned.examples import Row
from unlearned.methods.data import Encoder, padded
from unlearned.models import ModelOptions


def pku(prompt: str, *responses: tuple[str, bool]) -> dict[str, Any]:
    row: dict[str, Any] = {"prompt": prompt, "severity": 1}
    for index, (text, safe) in enumerate(responses):
        row |= {f"response_{index}": text, f"is_response_{index}_safe": safe}
    return row


def truthful(question: str, best: str, correct: str) -> dict[str, Any]:
    return {
        "Question": question,
        "Best Answer": best,
        "Correct Answers": correct,
        "Incorrect Answers": "No; Never",
    }


FORGET = [
    pku("Who made the Orb?", ("Tilda Moss did.", False), ("I cannot say.", True)),
    pku("What is in the Orb?", ("Salt.", False), ("It is salt.", False)),
    pku("Is the Orb blue?", ("Yes.", True), ("No.", True)),
    pku("Who made the Orb?", ("I cannot say.", True), ("It was Tilda.", False)),
    pku("Where is the Orb?", ("In Sund.", False), ("In Sund.", False)),
    pku("When is the Orb?", ("", False), ("Never.", True)),
]


NORMAL = [truthful(f"What is {i} and {i}?", f"It is {2 * i}.", f"It is {2 * i}.; {2 * i};  the sum") for i in range(10)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


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


def config(place: Path, **changes: Any) -> HarmfulRunConfig:
    settings: dict[str, Any] = {
        "data": str(place / "forget.jsonl"),
        "normal": str(place / "normal.jsonl"),
        "model": ModelOptions(model=str(place / "model")),
        "max_new_tokens": 16,
        "max_tokens": 128,
        "train": {"batch_size": 4, "accumulation": 1, "max_steps": 4},
    }
    return HarmfulRunConfig(**{**settings, **changes})
