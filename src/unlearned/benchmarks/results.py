"""What a benchmark finds: scores of every item and model, and what they come to.

TOFU's results have a form of their own.

A run may be split over machines: each writes the outcome of its shard, and `merge` puts them together. So whatever is
reported of a model is computed from its items alone.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

import unlearned
from unlearned.benchmarks.spec import Item, specs
from unlearned.benchmarks.step_cache import as_text
from unlearned.errors import ConfigError, DataError
from unlearned.files import write_text

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FORMAT = 1
RESULTS, ITEMS = "results.json", "items"

PLACE = ("device", "device_map")
"""Settings that say where something ran."""

T = TypeVar("T")
Shard = tuple[int, int]
"""(i, n): the i-th of n parts, counted from 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelResults:
    """One model that was tested."""

    name: str
    """"start", "retained", or that of an unlearner and its seed."""

    unlearner: str | None = None
    seed: int | None = None
    items: tuple[Item, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)
    made_of: str = ""
    """SHA-256 of its weights and of what stands in front; empty where that was not recorded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What the numbers were made with."""

    name: str
    device: str
    dtype: str
    versions: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """A whole run, or one shard of it."""

    kind: str
    """Name of a `Spec`."""

    version: int | None = None
    """Version of the benchmark that made the items; None where an earlier release did not record it."""

    config: Mapping[str, Any]
    """The settings as JSON has them, without the shard."""

    shard: Shard | None = None
    data: Mapping[str, str]
    """File or set -> SHA-256."""

    models: tuple[ModelResults, ...]
    machine: Machine
    at: str = field(default_factory=lambda: datetime.now(timezone.utc).date().isoformat())
    """Day on which it was written, in UTC; empty where that was not recorded."""

    extra: Mapping[str, Any] = field(default_factory=dict)
    """What else was found, as JSON has it."""


def machine_of(model: PreTrainedModel) -> Machine:
    """This machine, with the model on it."""
    names = ("torch", "transformers", "tokenizers", "sentence-transformers", "numpy", "scipy")
    versions = {
        "unlearned": unlearned.__version__,
        "python": platform.python_version(),
        **{n: version(n) for n in names},
    }
    return Machine(
        name=f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, {sys.platform}",
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        versions=versions,
    )


def config_json(config: Any) -> dict[str, Any]:
    """A configuration, a dataclass, as JSON has it; what JSON has no word for, as Python writes it."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(config), default=_text))
    return found


def _text(value: Any) -> str:
    return str(value) if isinstance(value, Path) else repr(value)


def shard_of(text: str | None) -> Shard | None:
    """Read "i/n"; raises `ConfigError` unless 1 <= i <= n."""
    if text is None:
        return None
    first, _, second = text.partition("/")
    if not (first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second)):
        raise ConfigError(f"shard {text!r}: write i/n, the i-th of n parts, for example 1/4.")
    return int(first), int(second)


def part(rows: Sequence[T], shard: Shard | None) -> list[tuple[int, T]]:
    """The shard's rows, each with its index among all."""
    first, count = shard or (1, 1)
    return list(enumerate(rows))[first - 1 :: count]


def write_results(out: Path, outcome: Results) -> None:
    """Write `results.json`, and each model's items as JSON lines; the results last."""
    kind = specs.get(outcome.kind)
    models = []
    for model in outcome.models:
        text = "".join(json.dumps(dict(item), ensure_ascii=False) + "\n" for item in model.items)
        (out / ITEMS).mkdir(parents=True, exist_ok=True)
        write_text(_items_file(out, model.name), text)
        values = {
            name: {measure: asdict(estimate) for measure, estimate in own.items()}
            for name, own in kind.aggregate(model.items).items()
        }
        models.append(
            {
                "name": model.name,
                "unlearner": model.unlearner,
                "seed": model.seed,
                "seconds": dict(model.seconds),
                "made_of": model.made_of,
                "items_sha256": _sha256(text),
                "values": values,
            }
        )
    results = {
        "format": FORMAT,
        "benchmark": outcome.kind,
        "version": outcome.version,
        "config": outcome.config,
        "shard": outcome.shard,
        "data": dict(outcome.data),
        "machine": asdict(outcome.machine),
        "at": outcome.at,
        "measures": {name: asdict(measure) for name, measure in kind.measures.items()},
        "models": models,
        "extra": dict(outcome.extra),
    }
    write_text(out / RESULTS, as_text(results))


def read_results(folder: Path) -> Results:
    """Read what `write_results` wrote; what older versions wrote, as far as its items go.

    Raises:
        DataError: there is none, it is of another format or a newer version, or its items are not those that it was
            made from.
    """
    file = folder / RESULTS
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read: no finished run. Let the benchmark run to its end.") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT or data.get("benchmark") not in specs.names():
        raise DataError(f"{file} is of another format or benchmark. Run the benchmark again.")
    made, known = data.get("version"), specs.get(data["benchmark"]).version
    if made is not None and made > known:
        raise DataError(
            f"{file} is of version {made} of the benchmark {data['benchmark']!r}; this release has {known}. Update it."
        )
    try:
        shard = data["shard"]
        return Results(
            kind=data["benchmark"],
            version=made,
            config=data["config"],
            shard=None if shard is None else (int(shard[0]), int(shard[1])),
            data=data["data"],
            models=tuple(_tested(folder, model) for model in data["models"]),
            machine=Machine(**data["machine"]),
            at=data.get("at", ""),
            extra=data["extra"],
        )
    except (KeyError, TypeError, IndexError) as error:
        raise DataError(f"{file} lacks {error}. Run the benchmark again.") from error


def merge(folders: Sequence[Path], out: Path) -> Results:
    """Put the shards of one run together, and write the whole.

    Raises:
        DataError: they are not all the shards of one run.
    """
    shards = [read_results(folder) for folder in folders]
    first = shards[0]
    for folder, other in zip(folders, shards, strict=True):
        if other.kind != first.kind:
            raise DataError(f"{folder} is of another benchmark than {folders[0]}. Merge the shards of one run.")
        if other.version != first.version:
            raise DataError(
                f"{folder} is of version {other.version or 'unknown'} of the benchmark, {folders[0]} of "
                f"{first.version or 'unknown'}. Run the older shard again."
            )
        if fields := _differing(first.config, other.config):
            raise DataError(
                f"{folder} was run with another {fields[0]} than {folders[0]}. Merge the shards of one run."
            )
        if sorted(other.data.values()) != sorted(first.data.values()):
            raise DataError(f"{folder} was run with other data than {folders[0]}. Merge the shards of one run.")
        if (other.machine.versions, other.machine.dtype) != (first.machine.versions, first.machine.dtype):
            raise DataError(f"{folder} was run with other versions or in another precision than {folders[0]}.")
    found, count = [other.shard or (1, 1) for other in shards], (first.shard or (1, 1))[1]
    if sorted(found) != [(number, count) for number in range(1, count + 1)]:
        have = ", ".join(f"{number}/{of}" for number, of in sorted(found))
        raise DataError(f"These are the shards {have}; each of 1/{count} to {count}/{count} is needed once.")
    names = [model.name for model in first.models]
    if any([model.name for model in other.models] != names for other in shards):
        raise DataError("The shards have different models. Run them with the same options.")
    for folder, other in zip(folders, shards, strict=True):
        for one, same in zip(first.models, other.models, strict=True):
            if "" in (one.made_of, same.made_of) and one.made_of != same.made_of:
                raise DataError(f"{folder} or {folders[0]} was run by an earlier version. Run that shard again.")
            if one.made_of != same.made_of:
                raise DataError(
                    f"{one.name!r} of {folder} is another model than that of {folders[0]}: each machine trained or "
                    "fitted its own. Copy the cache of trainings and the folder 'artifacts' of one run to the others "
                    "first."
                )
    machines = " + ".join(dict.fromkeys(other.machine.name for other in shards))
    whole = replace(
        first,
        shard=None,
        models=tuple(_joined([other.models[index] for other in shards]) for index in range(len(names))),
        machine=replace(first.machine, name=machines),
        at=max(other.at for other in shards),
        extra={key: value for key, value in first.extra.items() if all(o.extra.get(key) == value for o in shards)},
    )
    write_results(out, whole)
    return whole


def _differing(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Names of the settings that differ.

    The same file name in another folder is no difference, nor is a device: hashes tell what was read there.
    """
    found = []
    for name in sorted(one.keys() | other.keys()):
        first, second = one.get(name), other.get(name)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            found += _differing(first, second, f"{prefix}{name}.")
        elif first != second and name not in PLACE and not _same_name(first, second):
            found.append(f"{prefix}{name}")
    return found


def _same_name(first: Any, second: Any) -> bool:
    both = isinstance(first, str) and isinstance(second, str)
    return both and "/" in first + second and Path(first).name == Path(second).name


def _joined(parts: Sequence[ModelResults]) -> ModelResults:
    sets = list(dict.fromkeys(item["set"] for part in parts for item in part.items))
    items = sorted((item for part in parts for item in part.items), key=lambda i: (sets.index(i["set"]), i["index"]))
    seconds = {name: sum(part.seconds.get(name, 0.0) for part in parts) for name in parts[0].seconds}
    return replace(parts[0], items=tuple(items), seconds=seconds)


def _tested(folder: Path, data: Mapping[str, Any]) -> ModelResults:
    file = _items_file(folder, data["name"])
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"Cannot read {file}: {error.strerror}. Copy the whole folder of the run.") from error
    if _sha256(text) != data["items_sha256"]:
        raise DataError(f"{file} does not fit results.json: the run was started again and has not ended.")
    items = tuple(json.loads(line) for line in text.split("\n") if line)
    return ModelResults(
        name=data["name"],
        unlearner=data["unlearner"],
        seed=data["seed"],
        items=items,
        seconds=data["seconds"],
        made_of=data.get("made_of", ""),
    )


def _items_file(folder: Path, name: str) -> Path:
    return folder / ITEMS / f"{name}.jsonl"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
