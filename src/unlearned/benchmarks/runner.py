"""One runner for all benchmarks: load, teach, fit, ask, write down. Finished steps are kept and not repeated.

A `Benchmark` says what is its own. A step is repeated when something that decides its result has changed: a version,
what is asked, the start model, settings.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from unlearned.benchmarks.asking import Asking
from unlearned.benchmarks.benchmark import RETAINED, START, Benchmark, Data, Start, Work, sha256_of
from unlearned.benchmarks.results import ModelResults, Results, Shard, config_json, machine_of, part, write_results
from unlearned.benchmarks.settings import settings_of
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.step_cache import once
from unlearned.benchmarks.systems import (
    UNFITTED,
    FitInputs,
    Plain,
    System,
    detector,
    detects,
    make_system,
    own_model,
    trains,
)
from unlearned.benchmarks.verdicts import Verdicts
from unlearned.benchmarks.versions import ASKING, FITTING, TRAINING, versions
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, DataError
from unlearned.examples import Row
from unlearned.extras import require
from unlearned.methods.record import weights_sha256
from unlearned.progress import Progress, Tell

STEPS, ARTIFACTS, VERDICTS = "steps", "artifacts", "verdicts"

Config = TypeVar("Config")
Config_contra = TypeVar("Config_contra", contravariant=True)


class Runs(Protocol[Config_contra]):
    """Runs one benchmark with any settings; see `run`."""

    def __call__(
        self,
        config: Config_contra,
        out: Path,
        *,
        shard: Shard | None = None,
        cache: Path | None = None,
        on_progress: Progress | None = None,
        tell: Tell | None = None,
    ) -> Results: ...


def runs(make: Callable[[Config], Benchmark[Any]]) -> Runs[Config]:
    """What runs the benchmark that is made with a configuration."""

    def call(config: Config, out: Path, **more: Any) -> Results:
        return run(make(config), out, **more)

    return call


def run(
    benchmark: Benchmark[Data],
    out: Path,
    *,
    shard: Shard | None = None,
    cache: Path | None = None,
    on_progress: Progress | None = None,
    tell: Tell | None = None,
) -> Results:
    """Run, and write the results, the artifacts, the verdicts and the finished steps into the folder `out`.

    Args:
        benchmark: with its settings.
        out: made if it is not there; finished steps in it are kept if nothing that decides them has changed.
        shard: the part of the rows that is asked; everything is fitted all the same.
        cache: of the trainings; None = beside the embedded model.
        on_progress: called with (phase, done, total).
        tell: called with lines about what takes long, and why kept steps are not used.

    Raises:
        ConfigError: the settings do not fit together or the data.
        DataError: the data is not there or not what it should be, or `out` cannot be written.
        ModelLoadError: there is no such model.
        MissingExtraError: an optional package is not installed.
    """
    work = Work(cache=cache, report=on_progress or (lambda phase, done, total: None), tell=tell or (lambda line: None))
    for module, extra, purpose in benchmark.packages():  # now, and not after an hour
        require(module, extra=extra, purpose=purpose)
    if shard is not None and not benchmark.shards:
        raise ConfigError(f"{benchmark.spec.title}: a part of the questions cannot be asked alone.")
    data = benchmark.load()
    rows = {name: own for name, every in benchmark.rows(data).items() if (own := part(every, shard))}
    if not rows:
        raise ConfigError("This shard has no question. Split the run into fewer shards, or ask more.")
    models = benchmark.models(data, work)
    model, tokenizer = models.start()
    start = Start(model, tokenizer, TransformersEngine(model, tokenizer), models.start)
    before: list[Item] = []

    def ask(system: System, report: Progress) -> Sequence[Item]:
        asking = Asking(data=data, start=start.engine, before=tuple(before), report=report)
        return benchmark.ask(system, rows, asking)

    made = {"weights": weights_sha256(model), "adapter": models.sha256.get(START)}
    decides = {
        "version": benchmark.spec.version,
        "start": made,
        "shard": None if shard is None else list(shard),
        "rows": sha256_of(rows),
        "settings": benchmark.decides(data),
    }
    steps = Steps(out, decides=decides, fit={"start": made}, ask=ask, work=work)
    tested = [steps.asked(START, lambda: Plain(START, start.engine, own_weights=True))]
    before += tested[0].items
    if models.retained is not None:
        retained = partial(own_model, RETAINED, models.retained)
        tested.append(steps.asked(RETAINED, retained, settings={"retained": models.sha256.get(RETAINED)}))
    tested += [
        steps.asked(other.name, other.make, unlearner=other.name, settings=other.settings)
        for other in benchmark.others(data, start)
    ]
    if unlearners := getattr(benchmark.config, "unlearners", ()):
        tested += steps.compared(unlearners, benchmark.config.seeds, benchmark.fit_inputs(data, start))
    results = Results(
        kind=benchmark.spec.name,
        version=benchmark.spec.version,
        config=config_json(benchmark.config),
        shard=shard,
        data=dict(benchmark.sha256(data)),
        models=tuple(benchmark.compared(tested)),
        machine=machine_of(model),
        extra=dict(benchmark.about(data)),
    )
    write_results(out, results)
    return results


class Steps:
    """The models of one run, one after the other; finished ones are kept.

    Args:
        out: folder of the run.
        decides: everything that decides the answers besides the stages, as JSON has it.
        fit: what decides the fits besides the stages and the rows that they are given: hashes of the start model. Not
            what is asked, or finished trainings would be thrown away with every other question.
        ask: gives a system's items.
        work: who is told what is done, and why what was kept is not used.

    Raises:
        DataError: `out` cannot be made.
    """

    def __init__(
        self,
        out: Path,
        *,
        decides: Mapping[str, Any],
        fit: Mapping[str, Any],
        ask: Callable[[System, Progress], Sequence[Item]],
        work: Work,
    ) -> None:
        self._out, self._ask, self._work, self._fit = out, ask, work, fit
        self._verdicts = Verdicts(out / VERDICTS)
        self._decides = {"stages": versions(*ASKING), **decides}
        try:
            for folder in (STEPS, ARTIFACTS):
                (out / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"Cannot make the folder {out}: {error.strerror}.") from error

    def asked(
        self,
        name: str,
        make: Callable[[], System],
        *,
        unlearner: str | None = None,
        seed: int | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> ModelResults:
        """One model's items, from disk where they are there.

        Args:
            name: of the model.
            make: gives the model; not called for what is there.
            unlearner: name of a system.
            seed: of its fit.
            settings: what else decides its items, as JSON has it.
        """
        file = self._out / STEPS / f"{name}.json"
        settings = {**self._decides, "name": name, **(settings or {})}

        def asked() -> dict[str, Any]:
            began = time.perf_counter()
            made = make()
            fitted = time.perf_counter()
            items = self._ask(made, self._phases(name))
            seconds = {"fit": round(fitted - began, 1), "evaluation": round(time.perf_counter() - fitted, 1)}
            return {"seconds": seconds, "made_of": made_of(made), "items": [dict(item) for item in items]}

        kept = once(file, settings, asked, self._work.tell, f"{name} is asked anew")
        return ModelResults(
            name=name,
            unlearner=unlearner,
            seed=seed,
            items=tuple(kept["items"]),
            seconds=kept["seconds"],
            made_of=kept["made_of"],
        )

    def compared(self, names: Sequence[str], seeds: int, inputs: FitInputs) -> list[ModelResults]:
        """Every system with every seed: 0, 1, ...; see `fitted`."""
        return [self.fitted(name, seed, inputs) for name in names for seed in range(1 if name in UNFITTED else seeds)]

    def fitted(self, name: str, seed: int, inputs: FitInputs) -> ModelResults:
        """Fit one system and ask it.

        Args:
            name: of the system.
            seed: of its fit.
            inputs: what it is made of.
        """
        inputs = replace(inputs, train=settings_of(name, inputs.train), verdicts=self._verdicts)
        forget, retain = inputs.detected or (inputs.forget, inputs.retain)
        # Of prompts the words alone: their answers stand in the rows, or the model itself has given them.
        prompts = [[text_of(one) for one in side] for side in (inputs.forget, inputs.retain, forget, retain)]
        fit: dict[str, Any] = {
            "stages": versions(*(TRAINING if trains(name) else FITTING)),
            "rows": _sha256_of_rows(inputs.forget_rows, inputs.retain_rows, *(() if trains(name) else prompts)),
            "fit": dict(inputs.fit),
            "instruction": inputs.instruction,
            "scope": inputs.scope,
            **self._fit,
        }
        if trains(name):
            for side in ("train", "spul"):
                fit[side] = {key: str(value) for key, value in getattr(inputs, side).items()}
        label = f"{name}-seed{seed}"
        # What trains has a folder of its own, as other versions and settings decide it; the others share a detector.
        folder = self._out / ARTIFACTS / (label if trains(name) else f"seed{seed}")

        def emptied() -> dict[str, Any]:
            """What lies there is of other data, settings or versions."""
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            return {}

        once(folder / "fit.json", fit, emptied, self._work.tell, f"{label} is fitted anew")

        def make() -> System:
            report = self._phases(label)
            if detects(name):  # the detector first: the system takes the one that lies there
                detector(replace(inputs, forget=forget, retain=retain), seed, folder, report)
            return make_system(name, seed, folder, inputs, report)

        return self.asked(label, make, unlearner=name, seed=seed, settings={"fit": fit, "seed": seed})

    def _phases(self, name: str) -> Progress:
        return lambda phase, done, total: self._work.report(f"{name}: {phase}", done, total)


def made_of(model: System) -> str:
    """SHA-256 of a model's weights and of what stands in front: shards with others are of another run."""
    return hashlib.sha256(f"{weights_sha256(model.engine.model)} {model.front}".encode()).hexdigest()


def text_of(prompt: str | Row) -> str:
    """Its words."""
    return prompt.prompt if isinstance(prompt, Row) else prompt


def _sha256_of_rows(*sides: Sequence[str | Row]) -> str:
    rows = [[asdict(row) if isinstance(row, Row) else row for row in side] for side in sides]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
