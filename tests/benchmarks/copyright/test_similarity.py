"""How alike texts are."""

from __future__ import annotations

from unlearned.benchmarks.copyright.similarity import similarities


def test_similarities_of_equal_and_of_different_texts() -> None:
    same, other = similarities(
        ["The goat ate the hat.", "Nothing"], ["The goat ate the hat.", "It rained."], "packaged"
    )
    assert same["exact_match"] == 1
    assert all(same[name] > 0.99 for name in ("rouge", "rouge_recall", "meteor", "bleu", "bert_score"))
    assert other["exact_match"] == other["rouge"] == other["meteor"] == 0
    assert other["bert_score"] < 0.9
    assert similarities([], [], "packaged") == []
