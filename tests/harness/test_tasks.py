"""Tasks are found by name, and known by what they ask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")

from lm_eval.tasks import TaskManager
from local_tasks import KINDS
from task_functions import edit, with_function

from unlearned.harness.config import EvalConfig
from unlearned.harness.tasks import GENERAL, load_task, sha256_of_tasks, task_manager

pytestmark = pytest.mark.slow


def edit_file(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new), encoding="utf-8")


def digest(folder: Path, name: str, num_fewshot: int | None) -> str:
    return sha256_of_tasks(load_task(task_manager((name,), folder), name), None, num_fewshot)


@pytest.mark.parametrize(
    ("name", "num_fewshot", "change", "counts"),
    [
        ("local_choice", None, lambda folder: None, False),
        ("local_choice", None, lambda folder: edit(folder, doc_to_text="Q: {{question}}"), True),
        ("local_choice", None, lambda folder: edit(folder, description="Answer well.\n\n"), True),
        ("local_choice", None, lambda folder: edit(folder, doc_to_choice="{{choices[:2]}}"), True),
        ("local_choice", None, lambda folder: edit(folder, metric_list=KINDS["local_letters"]["metric_list"]), True),
        ("local_choice", None, lambda folder: edit_file(folder, "train.jsonl", "Again", "Once more"), False),
        ("local_choice", 1, lambda folder: edit_file(folder, "train.jsonl", "Again", "Once more"), True),
        ("local_choice", 1, lambda folder: edit(folder, fewshot_config={"sampler": "first_n"}), True),
        ("local_choice", None, lambda folder: edit_file(folder, "test.jsonl", "Potter", "Trotter"), True),
        (
            "local_answer",
            None,
            lambda folder: edit(
                folder,
                "local_answer",
                filter_list=[{"name": "low", "filter": [{"function": "lowercase"}, {"function": "take_first"}]}],
            ),
            True,
        ),
        (
            "local_function",
            None,
            lambda folder: edit_file(folder, "helpers.py", "['question']", "['question'] * 2"),
            True,
        ),
    ],
)
def test_what_counts_of_a_task_is_its_definition_and_its_rows_and_not_its_place(
    tmp_path: Path, name: str, num_fewshot: int | None, change: Callable[[Path], None], counts: bool
) -> None:
    first, second = with_function(tmp_path / "first"), with_function(tmp_path / "second")
    change(second)
    assert (digest(first, name, num_fewshot) != digest(second, name, num_fewshot)) is counts


def test_the_general_tasks_are_the_harness_own() -> None:
    assert len(GENERAL) == 11
    assert set(GENERAL) <= set(TaskManager().all_tasks)
    assert EvalConfig(tasks=("general", "mmlu", "arc_easy")).names == GENERAL
