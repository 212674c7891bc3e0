"""Tasks of lm-evaluation-harness: found by name, with their data."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from unlearned.errors import DataError, UnknownNameError, first_line

GENERAL = (
    "mmlu",
    "arc_easy",
    "arc_challenge",
    "boolq",
    "hellaswag",
    "openbookqa",
    "piqa",
    "social_iqa",
    "winogrande",
    "commonsense_qa",
    "truthfulqa_mc1",
)
"""The general utility set of Liu et al. 2024, arXiv:2406.07933, under the names of the harness."""

ALIASES: Mapping[str, tuple[str, ...]] = {"general": GENERAL}


def task_manager(names: Sequence[str], include_path: Path | None) -> Any:
    """The harness's index of tasks, which has all these names.

    Raises:
        UnknownNameError: it has not.
        DataError: there is no such folder.
    """
    from lm_eval.tasks import TaskManager

    if include_path is not None and not include_path.is_dir():
        raise DataError(f"There is no folder {include_path}. Give one with task files for --include-path.")
    own = None if include_path is None else str(include_path)
    with quiet_harness():
        if own is not None:
            manager = TaskManager(include_path=own, include_defaults=False)
            if set(names) <= set(manager.all_subtasks):
                return manager  # reading the harness's own 10,000 task files takes many seconds
        manager = TaskManager(include_path=own)
    for name in names:
        if name not in manager.all_tasks:
            near = get_close_matches(name, [*manager.all_tasks, *ALIASES], n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UnknownNameError(f"lm-evaluation-harness has no task {name!r}.{hint} `lm_eval ls tasks` lists all.")
    return manager


def load_task(manager: Any, name: str) -> Any:
    """A task or group with its data: the harness's `tasks` and `groups` by name.

    Raises:
        DataError: the data are neither here nor to be had, or the task's file is broken.
    """
    with quiet_harness():
        try:
            return manager.load([name])
        except Exception as error:  # no network, a gated data set, a broken file: each has its own kind
            reason = first_line(error).rstrip(".")
            raise DataError(
                f"The task {name!r} cannot be loaded: {reason}. The harness's own tasks fetch their data "
                "from the hub; let it do so once, or name tasks with local data in --include-path."
            ) from error


def question_count(task: Any, limit: int | None) -> int:
    """How many questions of a task are asked."""
    found = len(task.eval_docs)
    return found if limit is None else min(limit, found)


def sha256_of_data(tasks: Mapping[str, Any], limit: int | None) -> str:
    """Of the questions as the harness has them, and of the version of their task."""
    digest = hashlib.sha256()
    for name, task in tasks.items():
        digest.update(f"{name} {task.VERSION}\0".encode())
        for index, row in zip(range(question_count(task, limit)), task.eval_docs, strict=False):
            digest.update(f"{index} {json.dumps(row, sort_keys=True, default=str)}\0".encode())
    return digest.hexdigest()


@contextmanager
def quiet_harness() -> Iterator[None]:
    """Without the harness's notices about every setting."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
