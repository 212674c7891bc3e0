"""The numbers of the benchmark."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.benchmarks.copyright.spec import aggregate, with_retained
from unlearned.metrics.text import average_similarity_gap


def _items(rouge: list[float], **more: Any) -> list[dict[str, Any]]:
    scores = {"meteor": 0.12, "bleu": 0.13, "bert_score": 0.01, "perplexity": 2.0, "unique": 0.5, "run": 3, **more}
    return [{"id": f"book/{n}", "set": "forget", "index": n, "rouge": r, **scores} for n, r in enumerate(rouge)]


def test_the_gap_is_that_of_the_means() -> None:
    retained = _items([0.6, 0.8])
    unlearned = with_retained(_items([0.5, 0.92], meteor=0.1, bleu=0.15, bert_score=0.02), retained)
    found = aggregate(unlearned)["forget"]["asg"]
    names = ("rouge", "meteor", "bleu", "bert_score")
    means = [dict(zip(names, values, strict=True)) for values in ((0.71, 0.1, 0.15, 0.02), (0.7, 0.12, 0.13, 0.01))]
    assert found.value == pytest.approx(average_similarity_gap(*means))
    assert found.value == pytest.approx(0.015)
    assert found.count == 2
    assert aggregate(with_retained(retained, retained))["forget"]["asg"].interval == (0, 0)
    assert "asg" not in aggregate(retained)["forget"]


def test_a_perplexity_that_says_nothing_is_left_out() -> None:
    items = _items([0.5, 0.6])
    assert aggregate(items)["forget"]["perplexity"].count == 2
    items[0]["perplexity"] = None
    assert aggregate(items)["forget"]["perplexity"].count == 1
    items[1]["perplexity"] = None
    assert "perplexity" not in aggregate(items)["forget"]
