"""Questions and continuations are asked and cut as published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from muse_rows import write_muse

from unlearned.benchmarks.muse.config import MuseEvaluation
from unlearned.benchmarks.muse.data import Pair, load_muse
from unlearned.benchmarks.muse.evaluate import asked, first_answer, shown
from unlearned.benchmarks.systems import Plain
from unlearned.engines.transformers import TransformersEngine


def test_questions_stand_behind_examples_and_answers_end_before_the_next() -> None:
    assert shown([Pair("A?", "b")], "C?") == "Question: A?\nAnswer: b\n\nQuestion: C?\nAnswer:"
    for rest in ("\n\nmore", "\nQuestion: x", "Question: x"):
        assert first_answer(f" In a pond{rest}") == "In a pond"


def test_true_continuations_are_cut(tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any) -> None:
    data = load_muse("books", str(write_muse(tmp_path)))
    plain = Plain("start", TransformersEngine(tiny_model, tiny_tokenizer))
    sets = {"verbmem": list(enumerate(data.verbatim))}
    rows = asked(plain, sets, data.examples, MuseEvaluation(verbatim_tokens=3))["verbmem"]
    assert [data.verbatim[row.index].truth.startswith(row.truth or "?") for row in rows] == [True] * 3
    assert all(len(tiny_tokenizer(row.truth)["input_ids"]) == 3 for row in rows)
