"""What the model would say next is the score."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sentiment_rows import reviews
from sklearn.metrics import f1_score

from unlearned.benchmarks.sentiment.data import Review
from unlearned.benchmarks.sentiment.form import written
from unlearned.benchmarks.sentiment.scores import aggregate, score
from unlearned.benchmarks.systems import Plain, Prefixed
from unlearned.engines.transformers import TransformersEngine
from unlearned.unlearners.spul import SPUL

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]


def test_a_review_is_scored_by_what_the_model_would_say_next(tiny_model: Any, tiny_tokenizer: Any) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    asked = [(index, Review(f"x/{index}", row["text"], "positive")) for index, row in enumerate(reviews("harry"))]
    soft = SPUL(0.5 * torch.randn((5, 32), generator=torch.Generator().manual_seed(0)), engine.substitute_id)
    labels = [tiny_tokenizer(f" {word}", add_special_tokens=False)["input_ids"] for word in ("negative", "positive")]
    shared = next(i for i, (a, b) in enumerate(zip(*labels, strict=False)) if a != b)
    for model, vectors in ((Plain("none", engine), None), (Prefixed(engine, soft), soft.vectors)):
        items = score(model, "test_forget", asked, lambda *_: None)
        assert [item["index"] for item in items] == list(range(8))
        for item, (_, review) in zip(items, asked, strict=True):
            ids = tiny_tokenizer(written(review.text))["input_ids"] + labels[0][:shared]
            embedded = tiny_model.get_input_embeddings()(torch.tensor([ids]))
            if vectors is not None:
                embedded = torch.cat([vectors[None], embedded], dim=1)
            with torch.no_grad():
                logits = tiny_model(inputs_embeds=embedded).logits[0, -1]
            two = logits[[labels[0][shared], labels[1][shared]]].softmax(0)
            assert item["p_right"] == pytest.approx(float(two[1]), abs=1e-5)
            assert item["said"] == tiny_tokenizer.decode([int(logits.argmax())]).strip()
            assert item["right"] is (int(logits.argmax()) == labels[1][shared])


def test_measures_come_from_the_items_of_a_set_alone() -> None:
    def item(name: str, label: str, right: bool, p_right: float, is_label: bool = True) -> dict[str, Any]:
        other = {"positive": "negative", "negative": "positive"}[label]
        said = label if right else other if is_label else "neutral"
        return {
            "set": name, "label": label, "said": said, "right": right, "is_label": is_label, "p_right": p_right,
            "generic": not is_label, "flagged": False,
        }  # fmt: skip

    items = [
        item("test_forget", "positive", False, 0.9, is_label=False),
        item("test_forget", "positive", False, 0.2),
        item("test_forget", "negative", True, 0.8),
        item("test_retain", "positive", True, 0.6),
    ]
    found = aggregate(items)
    assert {name: estimate.value for name, estimate in found["test_forget"].items()} == pytest.approx(
        {
            "forget_accuracy": 1 / 3, "two_way": 2 / 3, "is_label": 2 / 3, "majority": 2 / 3, "flagged": 0,
            "generic": 1 / 3, "f1": 2 / 9,
        }
    )  # fmt: skip
    # Labels of several tokens: what is said is only their first part.
    parts = [{**item, "said": item["said"][:3]} for item in items[:3]]
    assert aggregate(parts)["test_forget"]["f1"].value == found["test_forget"]["f1"].value
    truth, said = [item["label"] for item in items[:3]], [item["said"] for item in items[:3]]
    theirs = f1_score(truth, said, average="weighted", labels=sorted(set(truth)), zero_division=0)
    assert found["test_forget"]["f1"].value == pytest.approx(theirs)
    assert found["test_retain"]["retain_accuracy"].value == 1
    assert found["test_retain"]["retain_accuracy"].count == 1
