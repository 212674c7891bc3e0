"""The run behind `unlearned eval`: tasks of lm-evaluation-harness, with the unlearner and, beside it, without."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearned.artifact.artifact import Artifact
from unlearned.artifact.record import RECORD
from unlearned.benchmarks.lm_eval import SPEC
from unlearned.benchmarks.results import ModelResults, Results, machine_of, part, write_results
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.step_cache import once
from unlearned.benchmarks.versions import ASKING, versions
from unlearned.errors import DataError, UnlearnedError, first_line
from unlearned.extras import require
from unlearned.harness.config import EvalConfig
from unlearned.harness.tasks import (
    load_task,
    question_count,
    quiet_harness,
    sha256_of_tasks,
    task_manager,
)
from unlearned.methods.record import weights_sha256
from unlearned.models import load_model
from unlearned.progress import Tell

if TYPE_CHECKING:
    from unlearned.harness.model import UnlearnedLM

START, ECO = "start", "eco"
STEPS = "steps"
VERDICTS = "verdicts"


def run_eval(config: EvalConfig, out: Path, *, tell: Tell | None = None) -> Results:
    """Evaluate, and write the outcome into the folder `out`; finished tasks in it are kept.

    Args:
        config: what to run.
        out: made if it is not there.
        tell: called with lines about what is done.

    Raises:
        MissingExtraError: lm-eval is not installed.
        UnknownNameError: the harness has no such task.
        DataError: the data of a task are neither here nor to be had, or a shard has no questions.
    """
    tell = tell or (lambda line: None)
    require("lm_eval", extra="eval", purpose="`unlearned eval`")
    from unlearned.harness.model import UnlearnedLM

    manager = task_manager(config.names, config.include_path)
    loaded = {task: load_task(manager, task) for task in config.names}  # now, and not after hours
    for found in loaded.values():
        _check_shard(found["tasks"], config)
    data = {task: sha256_of_tasks(found, config.limit, config.num_fewshot) for task, found in loaded.items()}
    artifacts = [Artifact.from_pretrained(path) for path in config.artifacts]
    try:
        (out / STEPS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"Cannot make the folder {out}: {error.strerror}.") from error
    model, tokenizer = load_model(config.model)
    wanted = ([(START, None)] if config.plain or not artifacts else []) + ([(ECO, artifacts)] if artifacts else [])
    verdicts = config.verdicts or out / VERDICTS
    decides = {
        "version": SPEC.version,
        "stages": versions(*ASKING),
        "lm_eval": version("lm_eval"),
        "start": weights_sha256(model),
        "dtype": str(model.dtype),
        **{name: getattr(config, name) for name in ("limit", "batch_size", "num_fewshot", "apply_chat_template")},
        "shard": None if config.shard is None else list(config.shard),
    }
    tested, harness = [], {}
    for name, enforced in wanted:
        with quiet_harness():
            lm = UnlearnedLM(model, enforced, verdicts=verdicts, tokenizer=tokenizer, batch_size=config.batch_size)
        items: list[Item] = []
        began = time.perf_counter()
        for number, task in enumerate(config.names, start=1):
            tell(f"{name}: {task} ({number} of {len(config.names)})")
            settings = decides | {
                "name": name,
                "task": task,
                "data": data[task],
                "artifacts": [_sha256(path / RECORD) for path in config.artifacts] if enforced else [],
            }
            file = out / STEPS / f"{name}-{task.replace('/', '_')}.json"
            ask = partial(_evaluated, lm, manager, task, loaded[task], config)
            kept = once(file, settings, ask, tell, f"{name}: {task} is asked anew")
            items += kept["items"]
            harness[f"{name}: {task}"] = kept["results"]
        seconds = {"evaluation": round(time.perf_counter() - began, 1)}
        tested.append(
            ModelResults(name=name, unlearner=name if enforced else None, items=tuple(items), seconds=seconds)
        )
    outcome = Results(
        kind="eval",
        version=SPEC.version,
        config=_as_json(config),
        shard=config.shard,
        data=data,
        models=_compared(tested),
        machine=machine_of(model),
        extra={"lm_eval": version("lm_eval"), "results": harness},
    )
    write_results(out, outcome)
    return outcome


def _evaluated(lm: UnlearnedLM, manager: Any, name: str, loaded: Any, config: EvalConfig) -> dict[str, Any]:
    """One task or group with one model: items, and the harness's own aggregates."""
    import lm_eval

    tasks = loaded["tasks"]
    counts = {task: question_count(given, config.limit) for task, given in tasks.items()}
    first, offset = {}, 0
    for task, count in counts.items():
        first[task], offset = offset, offset + count
    samples = None
    if config.shard is not None:
        samples = {task: [index for index, _ in part(range(count), config.shard)] for task, count in counts.items()}
    with quiet_harness():
        try:
            results = lm_eval.simple_evaluate(
                lm,
                tasks=[loaded["groups"][name]] if name in loaded.get("groups", {}) else list(tasks.values()),
                task_manager=manager,
                num_fewshot=config.num_fewshot,
                limit=None if samples else config.limit,
                samples=samples,
                apply_chat_template=config.apply_chat_template,
                bootstrap_iters=0,  # intervals come from the items
            )
        except (ValueError, AssertionError) as error:
            if isinstance(error, UnlearnedError):
                raise
            raise DataError(f"The harness refuses the task {name!r}: {first_line(error).rstrip('.')}.") from error
    items = [
        _item(lm, name, task, first[task], sample)
        for task in tasks
        for sample in results["samples"][task]
        if sample["filter"] == results["samples"][task][0]["filter"]  # of several ways to read an answer, the first
    ]
    own = {
        task: {key: value for key, value in found.items() if _plain(value)}
        for task, found in results["results"].items()
    }
    return {"items": items, "results": own}


def _check_shard(tasks: Mapping[str, Any], config: EvalConfig) -> None:
    for name, task in tasks.items():
        if config.shard is not None and not part(range(question_count(task, config.limit)), config.shard):
            raise DataError(f"The task {name!r} has fewer questions than there are shards. Use fewer shards.")


def _item(lm: UnlearnedLM, name: str, task: str, first: int, sample: Mapping[str, Any]) -> dict[str, Any]:
    scores = {
        key: float(sample[key]) for key in sample["metrics"] if _plain(sample[key]) and not isinstance(sample[key], str)
    }
    contexts = [arguments[0] for arguments in sample["arguments"] if len(arguments) > 1]  # rolling requests have none
    responses = json.dumps(sample["resps"], default=str)
    return {
        "id": f"{task}/{sample['doc_id']}",
        "set": name,
        "task": task,
        "index": first + sample["doc_id"],
        **({"score": next(iter(scores.values()))} if scores else {}),
        **scores,
        "flagged": float(any(lm.contexts.flagged(context) for context in contexts)),
        "responses": hashlib.sha256(responses.encode()).hexdigest(),
    }


def _compared(tested: list[ModelResults]) -> tuple[ModelResults, ...]:
    """Note whether each question's responses are the original model's, where both were asked."""
    if len(tested) < 2:
        return tuple(tested)
    start, *others = tested
    expected = {item["id"]: item["responses"] for item in start.items}
    return (
        start,
        *(
            replace(
                other,
                items=tuple(
                    {**item, "unchanged": float(item["responses"] == expected[item["id"]])} for item in other.items
                ),
            )
            for other in others
        ),
    )


def _as_json(config: EvalConfig) -> dict[str, Any]:
    """The settings without the shard and without what differs between the machines that run one."""
    fields = asdict(config) | {
        "tasks": list(config.names),
        "artifacts": [_sha256(path / RECORD) for path in config.artifacts],
    }
    return {name: value for name, value in fields.items() if name not in ("shard", "include_path", "verdicts")}


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _plain(value: Any) -> bool:
    return isinstance(value, (int, float, str)) and not (isinstance(value, float) and value != value)
