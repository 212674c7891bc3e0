"""Small tasks of lm-evaluation-harness with local data, written into a folder for its `include_path`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiny_rows import FORGET, RETAIN

CHOICES = [" yes", " no", " a school of magic", " Paris, and then some"]


def metric(name: str) -> dict[str, Any]:
    return {"metric": name, "aggregation": "mean", "higher_is_better": True}


KINDS: dict[str, dict[str, Any]] = {
    "local_choice": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "{{answer}}",
        "target_delimiter": "",
        "metric_list": [metric("acc"), metric("acc_norm")],
    },
    "local_letters": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}\n\nA or B?",
        "doc_to_choice": ["A", "B"],
        "doc_to_target": "{{answer % 2}}",
        "metric_list": [metric("acc")],
    },
    "local_answer": {
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{choices[answer]}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 6, "do_sample": False},
        "metric_list": [metric("exact_match")],
    },
    "local_text": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{question}} {{choices[answer]}}",
        "metric_list": [{"metric": "word_perplexity", "aggregation": "weighted_perplexity", "higher_is_better": False}],
    },
}


def write_tasks(folder: Path, questions: list[str] | None = None) -> Path:
    """Tasks `local_choice`, `local_letters`, `local_answer` and `local_text`, and their group `local`."""
    questions = [*FORGET, *RETAIN] if questions is None else questions
    rows = [
        {"question": question, "choices": CHOICES[: 2 + index % 3], "answer": index % 2}
        for index, question in enumerate(questions)
    ]
    files = {"test": rows, "train": [{**row, "question": f"{row['question']} Again?"} for row in rows[-3:]]}
    for split, content in files.items():
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    for name, kind in KINDS.items():
        task = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {
                "data_files": {split: str(folder / f"{split}.jsonl") for split in files},
                "cache_dir": str(folder / "cache"),
            },
            "test_split": "test",
            "fewshot_split": "train",
            **kind,
        }
        (folder / f"{name}.yaml").write_text(json.dumps(task), encoding="utf-8")  # JSON is YAML
    (folder / "local.yaml").write_text(json.dumps({"group": "local", "task": list(KINDS)}), encoding="utf-8")
    return folder
