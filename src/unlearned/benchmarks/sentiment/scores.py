"""What a model says to each review, and what that comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unlearned.benchmarks.sentiment.data import LABELS, Review
from unlearned.benchmarks.sentiment.form import GENERIC, asked, first_tokens, label_tokens
from unlearned.benchmarks.spec import Item, Measure, Spec, Values
from unlearned.engines.transformers import embedding_rows
from unlearned.metrics.estimate import Doubles, Estimate, bootstrap, rate
from unlearned.progress import Progress

if TYPE_CHECKING:
    from unlearned.benchmarks.systems import System

CHUNK = 256
"""Reviews whose scores of the whole vocabulary are held at once."""


def score(
    model: System, name: str, reviews: Sequence[tuple[int, Review]], report: Progress, *, batch_size: int = 16
) -> list[dict[str, Any]]:
    """Ask for the label of each review: one forward pass, no text is generated.

    Args:
        model: under test.
        name: of the set.
        reviews: with their place in the set.
        report: called with (name, done, total).
        batch_size: prompts per forward pass.
    """
    engine, items = model.engine, []
    shared, tokens = label_tokens(engine.tokenizer, LABELS)
    generic = first_tokens(engine.tokenizer, GENERIC, len(shared))
    vocabulary = range(embedding_rows(engine.model))
    for start in range(0, len(reviews), CHUNK):
        chunk = reviews[start : start + CHUNK]
        inputs = model.prepare([asked(engine.tokenizer, review.text) for _, review in chunk])
        ready = [replace(given, token_ids=given.token_ids + shared) for given in inputs]
        logits = engine.next_token_scores(ready, vocabulary, batch_size=batch_size)  # (N, V)
        said = logits.argmax(dim=1).tolist()
        likely = logits[:, torch.tensor(tokens)].softmax(dim=1).tolist()  # (N, labels)
        for (index, review), given, token, shares in zip(chunk, inputs, said, likely, strict=True):
            right = LABELS.index(review.label)
            items.append(
                {
                    "id": review.id,
                    "set": name,
                    "index": index,
                    "label": review.label,
                    "said": str(engine.tokenizer.decode([token])).strip(),
                    "right": token == tokens[right],
                    "is_label": token in tokens,
                    "generic": token in generic,
                    "p_right": round(shares[right], 6),
                    "flagged": given.verdict.in_scope,
                }
            )
        report(name, start + len(chunk), len(reviews))
    return items


def aggregate(items: Sequence[Item]) -> Values:
    """Set -> measure -> estimate."""
    values: dict[str, Any] = {}
    for name in dict.fromkeys(item["set"] for item in items):
        own = [item for item in items if item["set"] == name]
        accuracy = rate([item["right"] for item in own])
        most = Counter(item["label"] for item in own).most_common(1)[0][0]
        side = "forget_accuracy" if name.endswith("forget") else "retain_accuracy"
        values[name] = {
            side: accuracy,
            "two_way": rate([item["p_right"] > 0.5 for item in own]),
            "is_label": rate([item["is_label"] for item in own]),
            "generic": rate([item["generic"] for item in own]),
            "f1": weighted_f1(own),
            "majority": rate([item["label"] == most for item in own]),
            "flagged": rate([item["flagged"] for item in own]),
        }
    return values


def weighted_f1(items: Sequence[Item]) -> Estimate:
    """F1 of each label, weighted by how often it is the right one; any other answer is a miss of its label."""
    rows = []
    for item in items:
        row = []
        for label in LABELS:
            own = item["label"] == label
            said = item["is_label"] and own == item["right"]
            row += [float(own and said), float(said), float(own)]
        rows.append(row)
    return bootstrap([rows], _f1)


def _f1(means: Doubles) -> Doubles:
    """(B, 3 labels) shares that are right, said and true, label by label -> (B,)."""
    total = np.zeros(len(means))
    for right, said, true in zip(means.T[0::3], means.T[1::3], means.T[2::3], strict=True):
        total += true * 2 * right / np.maximum(said + true, 1e-300)
    return total


SPEC = Spec(
    name="sentiment",
    version=1,
    title="Sentiment of reviews to forget and to keep",
    measures={
        "forget_accuracy": Measure(
            title="accuracy, to forget",
            definition="Share of reviews to forget whose label is the most likely next token of all.",
            better="low",
        ),
        "retain_accuracy": Measure(
            title="accuracy, to retain",
            definition="Share of the other reviews whose label is the most likely next token of all.",
            better="high",
        ),
        "two_way": Measure(
            title="right one of two",
            definition="Share of reviews whose label is likelier than the other label, whatever is likelier than both. "
            "Chance is 0.5; much above it, the model can still tell the sentiment and only does not say it.",
        ),
        "is_label": Measure(title="says a label", definition="Share of reviews that are answered with either label."),
        "generic": Measure(
            title="generic",
            definition="Share of reviews that are answered with a word that soft prompts are trained to say: "
            + ", ".join(GENERIC)
            + ".",
        ),
        "f1": Measure(
            title="F1",
            definition="F1 of either label, weighted by its share of the reviews. Micro-averaged precision and recall "
            "are the accuracy, since every review has one label and one answer.",
        ),
        "majority": Measure(
            title="majority", definition="Accuracy of always saying the more frequent label of the set; chance is 0.5."
        ),
        "flagged": Measure(title="flagged", definition="Share of reviews that a detector flagged; 0 without one."),
    },
    aggregate=aggregate,
    main=("test_forget", "test_retain"),
    limits=(
        "Sentiment is a skill and not a fact: a model that never saw the reviews to forget labels them about as well "
        "as any others. So the goal of this benchmark, accuracy at chance, is not what a retained model does.",
        "SST-2 holds many pieces of one sentence: a piece that names somebody is forgotten, another one is retained.",
        "Unless the published splits are used, the sets to forget are of the same kind as SPUL's, but not the same.",
    ),
)
