"""MUSE, a few rows of every split."""

from __future__ import annotations

import json
from pathlib import Path

from copyright_texts import OTHER, TALE

from unlearned.benchmarks.benchmark import Work

WORK = Work(report=lambda *phase: None, tell=lambda line: None)


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
            write_rows(folder / "books" / config / f"{split}.jsonl", [{"text": text} for text in rows])
    continued = [{"prompt": line.split(". ", 1)[0] + ".", "gt": line.split(". ", 1)[1]} for line in LINES[:3]]
    write_rows(folder / "books" / "verbmem" / "forget.jsonl", continued)
    for side, pairs in (("forget", questions), ("retain", kept)):
        rows = [{"question": question, "answer": answer} for question, answer in pairs]
        write_rows(folder / "books" / "knowmem" / f"{side}_qa.jsonl", rows)
        write_rows(folder / "books" / "knowmem" / f"{side}_qa_icl.jsonl", rows[:1])
    return folder


def write_rows(file: Path, rows: list[dict[str, str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
