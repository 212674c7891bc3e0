"""What a model says to each review, and what that comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from unlearned.benchmarks.kinds import Item, Kind, Measure, Values
from unlearned.benchmarks.sentiment.data import LABELS, Review
from unlearned.benchmarks.sentiment.form import asked, label_tokens
from unlearned.engines.transformers import embedding_rows
from unlearned.metrics.estimate import mean
from unlearned.progress import Progress

if TYPE_CHECKING:
    from unlearned.benchmarks.contenders import Contender

CHUNK = 256
"""Reviews whose scores of the whole vocabulary are held at once."""


def score(
    model: Contender, name: str, reviews: Sequence[tuple[int, Review]], report: Progress, *, batch_size: int = 16
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
        accuracy = mean([float(item["right"]) for item in own])
        most = Counter(item["label"] for item in own).most_common(1)[0][0]
        side = "forget_accuracy" if name.endswith("forget") else "retain_accuracy"
        values[name] = {
            side: accuracy,
            "two_way": mean([float(item["p_right"] > 0.5) for item in own]),
            "is_label": mean([float(item["is_label"]) for item in own]),
            "majority": mean([float(item["label"] == most) for item in own]),
            "flagged": mean([float(item["flagged"]) for item in own]),
        }
    return values


KIND = Kind(
    name="sentiment",
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
