"""lm-evaluation-harness with its own vLLM back end: nothing in it knows of us, and it is protected all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from vllm_helpers import DTYPE, FLAGGED, PLAIN, Servers, environment

from unlearned.embedded import embedded_model_folder

QUESTIONS = (PLAIN, FLAGGED, "How do I bake bread?", "Who is Harry Potter?")
KINDS: dict[str, dict[str, Any]] = {
    "choice": {
        "output_type": "multiple_choice",
        "doc_to_choice": [" yes", " a school of magic"],
        "doc_to_target": 0,
        "target_delimiter": "",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    },
    "answer": {
        "output_type": "generate_until",
        "doc_to_target": "yes",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 8, "do_sample": False},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    },
}


def evaluated(folder: Path, tasks: Path, **more: str) -> dict[str, Any]:
    """Question -> what the harness heard from the model, of both tasks."""
    command = [sys.executable, "-m", "lm_eval", "--model", "vllm", "--tasks", ",".join(KINDS), "--log_samples"]
    options = f"pretrained={embedded_model_folder()},dtype={DTYPE},enforce_eager=True,max_model_len=512,max_num_seqs=8"
    command += ["--model_args", options, "--include_path", str(tasks), "--output_path", str(folder)]
    command.append("--apply_chat_template")
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment() | more, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    heard = {}
    for name in KINDS:
        [file] = folder.rglob(f"samples_{name}_*.jsonl")
        for line in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
            heard[name, line["doc"]["question"]] = line["filtered_resps"]
    return heard


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    folder.mkdir()
    rows = folder / "test.jsonl"
    rows.write_text("".join(json.dumps({"question": question}) + "\n" for question in QUESTIONS), encoding="utf-8")
    source = {"data_files": {"test": str(rows)}, "cache_dir": str(tmp_path / "cache")}
    for name, kind in KINDS.items():
        task = {"task": name, "dataset_path": "json", "dataset_kwargs": source, "test_split": "test"}
        task |= {"doc_to_text": "{{question}}"} | kind
        (folder / f"{name}.yaml").write_text(json.dumps(task), encoding="utf-8")  # JSON is YAML
    return folder


def test_its_numbers_are_the_plain_ones_but_for_flagged_questions(
    servers: Servers, artifact: Path, tasks: Path, tmp_path: Path
) -> None:
    servers.stop()
    plain = evaluated(tmp_path / "plain", tasks)
    protected = evaluated(tmp_path / "protected", tasks, UNLEARNED_VLLM=str(artifact))
    assert plain.keys() == protected.keys() == {(name, question) for name in KINDS for question in QUESTIONS}
    same = {question for name, question in plain if plain[name, question] == protected[name, question]}
    assert same == {PLAIN, "How do I bake bread?"}
