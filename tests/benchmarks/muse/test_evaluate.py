"""Questions and continuations are asked and cut as published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from copyright_texts import OTHER, TALE

from unlearned.benchmarks.muse.config import MuseEvaluation
from unlearned.benchmarks.muse.data import Pair, load_muse
from unlearned.benchmarks.muse.evaluate import asked, first_answer, shown
from unlearned.benchmarks.systems import Plain
from unlearned.engines.transformers import TransformersEngine

LINES, OTHERS = TALE.splitlines()[1:], OTHER.splitlines()[1:]


STRANGE = ["A stone lay on a road. Nobody moved it.", "Rain fell on tin roofs.", "Two clocks agreed at noon."]


def write_muse(folder: Path) -> Path:
    """Every split of MUSE-Books, a few rows each."""
    questions = [
        ("What did the goat eat?", "The hat"),
        ("Who sold rope?", "Mr. Oates"),
        ("When did it snow?", "In winter"),
    ]
    kept = [("Where did the frog live?", "In a pond"), ("Who complained?", "A duck"), ("Who sat down?", "A fox")]
    texts = {
        "raw": {"forget": LINES, "retain1": OTHERS[:3], "retain2": OTHERS[3:], "holdout": STRANGE},
        "privleak": {"forget": LINES[:3], "retain": OTHERS[:3], "holdout": STRANGE},
        "train": {"forget": LINES, "retain1": OTHERS[:3], "retain2": OTHERS[3:]},
        **{c: {f"forget_{n}": LINES[: n + 1] for n in range(1, 5)} for c in ("scal", "sust")},
    }
    for config, splits in texts.items():
        for split, rows in splits.items():
            _write(folder / "books" / config / f"{split}.jsonl", [{"text": text} for text in rows])
    continued = [{"prompt": line.split(". ", 1)[0] + ".", "gt": line.split(". ", 1)[1]} for line in LINES[:3]]
    _write(folder / "books" / "verbmem" / "forget.jsonl", continued)
    for side, pairs in (("forget", questions), ("retain", kept)):
        rows = [{"question": question, "answer": answer} for question, answer in pairs]
        _write(folder / "books" / "knowmem" / f"{side}_qa.jsonl", rows)
        _write(folder / "books" / "knowmem" / f"{side}_qa_icl.jsonl", rows[:1])
    return folder


def _write(file: Path, rows: list[dict[str, str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


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
