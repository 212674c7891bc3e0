"""Tasks of lm-evaluation-harness: found by name, with their data."""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from difflib import get_close_matches
from functools import partial
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

NOISY = ("lm_eval", "datasets", "datasets.builder", "datasets.load", "filelock", "fsspec")
"""Loggers of libraries, about their own affairs."""

PLACES = ("dataset_path", "dataset_name", "dataset_kwargs", "metadata")
"""What a task's definition says of where it and its rows are, which differs between machines."""


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


def sha256_of_tasks(loaded: Mapping[str, Any], limit: int | None, num_fewshot: int | None) -> str:
    """Hash of what decides the results of tasks: definitions, questions, and rows for few-shot examples.

    Where the rows came from does not count, so two machines with the same files find the same.

    Args:
        loaded: what `load_task` gave, before anything was evaluated.
        limit: questions of each task; None: all.
        num_fewshot: examples in each context; None: what the task says.
    """
    digest = hashlib.sha256()

    def add(*values: Any) -> None:
        digest.update(json.dumps(values, sort_keys=True, default=_as_json).encode() + b"\0")

    for name, group in loaded.get("groups", {}).items():
        add(name, group.child_names, group.aggregate_metric_list)
    for name, task in loaded["tasks"].items():
        config = task.config.to_dict(keep_callable=True)
        add(name, task.VERSION, type(task), {key: value for key, value in config.items() if key not in PLACES})
        add("prompt", getattr(getattr(task, "prompt", None), "prompt_string", None))  # in a file of its own
        for row in _first(task.eval_docs, question_count(task, limit)):
            add("question", row)
        if config.get("num_fewshot") if num_fewshot is None else num_fewshot:
            for row in task.fewshot_docs() or ():
                add("example", row)
    return digest.hexdigest()


def _first(rows: Any, count: int) -> Iterator[Any]:
    return (row for _, row in zip(range(count), rows, strict=False))


def _as_json(value: Any) -> Any:
    """What JSON has no word for; functions and classes as the source that they stand in, with all its helpers."""
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return _source(value) if callable(value) else str(value)


def _source(value: Callable[..., Any]) -> list[str]:
    named = value if hasattr(value, "__qualname__") else type(value)
    try:
        file = inspect.getsourcefile(inspect.unwrap(named))
        written = Path(file).read_bytes() if file else b""
    except (TypeError, OSError):  # written in C, or not in a file
        written = b""
    return [named.__qualname__, hashlib.sha256(written).hexdigest()]


@contextmanager
def quiet_harness() -> Iterator[None]:
    """Silence the harness's notices about every setting, and the bars and notices of what it loads data with.

    Bars that say what is done, and how far, stay. The harness also asks git for the commit of whatever folder one works
    in, and git complains where that is no repository.
    """
    import lm_eval.api.task
    import lm_eval.evaluator
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    silent: list[tuple[Any, str, Any]] = [
        (lm_eval.api.task, "tqdm", lambda rows, **_: rows),  # a bar without a name
        (lm_eval.evaluator, "get_git_commit_hash", lambda: None),
    ]
    kept = []
    for place, name, instead in silent:
        if (own := getattr(place, name, None)) is not None:
            kept.append((place, name, own))
            setattr(place, name, instead)
    loggers = {logger: logger.level for logger in map(logging.getLogger, NOISY)}
    hidden = are_progress_bars_disabled()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    disable_progress_bars()
    try:
        yield
    finally:
        for place, name, own in kept:
            setattr(place, name, own)
        for logger, level in loggers.items():
            logger.setLevel(level)
        if not hidden:
            enable_progress_bars()
