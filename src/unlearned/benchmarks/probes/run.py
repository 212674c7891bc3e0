"""The run behind `unlearned bench probes`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.record import RECORD
from unlearned.benchmarks.probes.ask import AskConfig, ask
from unlearned.benchmarks.probes.data import Question, load_questions
from unlearned.benchmarks.probes.kind import KIND, RELEARNING
from unlearned.benchmarks.results import Results, machine_of, write_results
from unlearned.benchmarks.runner import RETAINED, START, Trials
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.systems import Corrupted, Plain, System
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError
from unlearned.extras import require
from unlearned.methods.record import weights_sha256
from unlearned.models import ModelOptions, load_model
from unlearned.progress import Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbesConfig:
    """One run."""

    data: str
    """File, folder or hub name; see `load_questions`."""

    artifacts: tuple[Path, ...]
    """Each is looked at by itself."""

    model: ModelOptions = field(default_factory=ModelOptions)
    retained_adapter: str | None = None
    """A PEFT adapter that makes the retained model of the same base."""

    split: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    """Column -> value: only rows that have it."""

    limit: int | None = 200
    """Questions, evenly spread; None: all."""

    ask: AskConfig = field(default_factory=AskConfig)

    def __post_init__(self) -> None:
        if not self.artifacts:
            raise ConfigError("Give at least one artifact with --artifact.")
        if len({path.name for path in self.artifacts}) < len(self.artifacts):
            raise ConfigError("Two artifacts' folders have the same name, which their results would share.")
        if reserved := {START, RETAINED} & {path.name for path in self.artifacts}:
            raise ConfigError(f"An artifact's folder may not be named {min(reserved)!r} here.")


def run_probes(config: ProbesConfig, out: Path, *, on_progress: Progress | None = None) -> Results:
    """Look into the start model, each artifact and, if there is one, the retained model; write the outcome to `out`.

    Raises:
        DataError: the questions are not what they should be, or `out` cannot be made.
        MissingExtraError: scikit-learn or rouge-score is not installed.
    """
    report = on_progress or (lambda phase, done, total: None)
    require("sklearn", extra="logistic", purpose="A linear probe")  # now, and not after minutes
    require("rouge_score", extra="metrics", purpose="The repeat test")
    questions, data = load_questions(config.data, split=config.split, where=config.where, limit=config.limit)
    artifacts = {path.name: Artifact.from_pretrained(path) for path in config.artifacts}
    model, tokenizer = load_model(config.model)
    decides: dict[str, Any] = {
        "data": data,
        "questions": _sha256_of(questions),
        "start": weights_sha256(model),
        "dtype": str(model.dtype),
        "ask": asdict(config.ask),
    }

    def evaluate(system: System, phases: Progress) -> list[dict[str, Any]]:
        return ask(system, questions, config.ask, phases)

    trials = Trials(out, version=KIND.version, settings=decides, fit={}, shard=None, evaluate=evaluate, report=report)
    tested = [trials.tested(START, lambda: Plain(START, TransformersEngine(model, tokenizer)))]
    if config.retained_adapter is not None:
        other = replace(config.model, adapter=config.retained_adapter)
        settings = {"retained": _sha256_of(_adapter_files(config.retained_adapter))}
        tested.append(trials.tested(RETAINED, partial(_retained, other), settings=settings))
    for path in config.artifacts:
        make: Callable[[], System] = partial(_corrupted, path.name, model, tokenizer, artifacts[path.name])
        settings = {"artifact": hashlib.sha256((path / RECORD).read_bytes()).hexdigest()}
        tested.append(trials.tested(path.name, make, unlearner=path.name, settings=settings))
    outcome = Results(
        kind="probes",
        version=KIND.version,
        config={**asdict(config), "artifacts": [str(path) for path in config.artifacts]},
        data={config.data: data},
        models=(tested[0], *(replace(one, items=_compared(one.items, tested[0].items)) for one in tested[1:])),
        machine=machine_of(model),
        extra={"questions": len(questions)},
    )
    write_results(out, outcome)
    return outcome


def _compared(items: Sequence[Item], start: Sequence[Item]) -> tuple[Item, ...]:
    """A model's items, with whether its answers without facts differ from the start model's."""
    before = {item["id"]: item["said_without"] for item in start if item["set"] == RELEARNING}
    return tuple(
        {**item, "answer_changed": float(item["said_without"] != before[item["id"]])}
        if item["set"] == RELEARNING
        else item
        for item in items
    )


def _retained(options: ModelOptions) -> System:
    return Plain(RETAINED, TransformersEngine(*load_model(options)), own_weights=True)


def _corrupted(name: str, model: Any, tokenizer: Any, artifact: Artifact) -> System:
    return Corrupted(name, Unlearned(model, tokenizer, artifact))


def _adapter_files(adapter: str) -> list[str]:
    folder = Path(adapter)
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    return [adapter, *(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)]


def _sha256_of(values: list[Question] | list[str]) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()
