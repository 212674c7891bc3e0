"""The models of one run, one after the other: start, retained, and every system. Finished ones are kept.

A step is repeated when something that decides its result has changed: a version, data, start model, settings.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from unlearned.benchmarks.results import ModelResults, Shard
from unlearned.benchmarks.settings import settings_of
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.step_cache import finished, keep, outdated
from unlearned.benchmarks.systems import UNFITTED, FitInputs, System, detector, detects, make_system, trains
from unlearned.benchmarks.verdicts import Verdicts
from unlearned.benchmarks.versions import ASKING, FITTING, TRAINING, versions
from unlearned.errors import DataError
from unlearned.examples import Row
from unlearned.methods.record import weights_sha256
from unlearned.progress import Progress, Tell

START, RETAINED = "start", "retained"
STEPS, ARTIFACTS, VERDICTS = "steps", "artifacts", "verdicts"

Evaluate = Callable[[System, Progress], Sequence[Item]]


class Trials:
    """Fits and evaluates.

    Args:
        out: folder of the run.
        version: of the benchmark.
        settings: everything else that does, as JSON has it, among it hashes of data and start model.
        fit: what decides the fits besides the versions and the rows that they are given, as JSON has it: hashes of the
            start model. Not what is asked, or finished trainings would be thrown away with every other question.
        shard: the part of the items that is evaluated.
        evaluate: gives a model's items.
        report: called with (phase, done, total).
        tell: called with lines, among them why what was kept is not used.

    Raises:
        DataError: `out` cannot be made.
    """

    def __init__(
        self,
        out: Path,
        *,
        version: int,
        settings: Mapping[str, Any],
        fit: Mapping[str, Any],
        shard: Shard | None,
        evaluate: Evaluate,
        report: Progress,
        tell: Tell | None = None,
    ) -> None:
        self._out, self._evaluate, self._report, self._fit = out, evaluate, report, fit
        self._tell = tell or (lambda line: None)
        self._verdicts = Verdicts(out / VERDICTS)
        self._settings = {
            "version": version,
            "stages": versions(*ASKING),
            "shard": None if shard is None else list(shard),
            **settings,
        }
        try:
            for folder in (STEPS, ARTIFACTS):
                (out / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"Cannot make the folder {out}: {error.strerror}.") from error

    def tested(
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
        settings = {**self._settings, "name": name, **(settings or {})}
        kept = finished(file, settings)
        if kept is None:
            if why := outdated(file, settings):
                self._tell(f"{name} is asked anew: {why}")
            began = time.perf_counter()
            made = make()
            fitted = time.perf_counter()
            items = self._evaluate(made, self._phases(name))
            seconds = {"fit": round(fitted - began, 1), "evaluation": round(time.perf_counter() - fitted, 1)}
            kept = {"seconds": seconds, "made_of": made_of(made), "items": [dict(item) for item in items]}
            keep(file, settings, kept)
        return ModelResults(
            name=name,
            unlearner=unlearner,
            seed=seed,
            items=tuple(kept["items"]),
            seconds=kept["seconds"],
            made_of=kept["made_of"],
        )

    def compared(
        self,
        names: Sequence[str],
        seeds: int,
        materials: FitInputs,
        detected: tuple[Sequence[str | Row], Sequence[str]],
    ) -> list[ModelResults]:
        """Every system with every seed: 0, 1, ...; see `unlearned`."""
        return [
            self.unlearned(name, seed, materials, detected)
            for name in names
            for seed in range(1 if name in UNFITTED else seeds)
        ]

    def unlearned(
        self, name: str, seed: int, materials: FitInputs, detected: tuple[Sequence[str | Row], Sequence[str]]
    ) -> ModelResults:
        """Fit one system and evaluate it.

        Args:
            name: of the system.
            seed: of its fit.
            materials: what it is made of; their prompts are whole, as the model reads them.
            detected: (forget, retain): what the detector is fitted with, which sees the users' words only.
        """
        materials = replace(materials, train=settings_of(name, materials.train), verdicts=self._verdicts)
        # Of prompts the words alone: their answers stand in the rows, or the model itself has given them.
        prompts = [[text_of(one) for one in side] for side in (materials.forget, materials.retain, *detected)]
        fit: dict[str, Any] = {
            "stages": versions(*(TRAINING if trains(name) else FITTING)),
            "rows": _sha256_of_rows(materials.forget_rows, materials.retain_rows, *(() if trains(name) else prompts)),
            "fit": dict(materials.fit),
            "instruction": materials.instruction,
            **self._fit,
        }
        if trains(name):
            for side in ("train", "spul"):
                fit[side] = {key: str(value) for key, value in getattr(materials, side).items()}
        label = f"{name}-seed{seed}"
        # What trains has a folder of its own, as other versions and settings decide it; the others share a detector.
        folder = self._out / ARTIFACTS / (label if trains(name) else f"seed{seed}")
        if finished(folder / "fit.json", fit) is None:  # artifacts of other data, settings or versions
            if why := outdated(folder / "fit.json", fit):
                self._tell(f"{label} is fitted anew: {why}")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            keep(folder / "fit.json", fit, {})

        def make() -> System:
            report = self._phases(label)
            if detects(name):  # the detector first: the system takes the one that lies there
                forget, retain = detected
                detector(replace(materials, forget=forget, retain=retain), seed, folder, report)
            return make_system(name, seed, folder, materials, report)

        return self.tested(label, make, unlearner=name, seed=seed, settings={"fit": fit, "seed": seed})

    def _phases(self, name: str) -> Progress:
        return lambda phase, done, total: self._report(f"{name}: {phase}", done, total)


def made_of(model: System) -> str:
    """SHA-256 of a model's weights and of what stands in front: shards with others are of another run."""
    return hashlib.sha256(f"{weights_sha256(model.engine.model)} {model.front}".encode()).hexdigest()


def text_of(prompt: str | Row) -> str:
    """Its words."""
    return prompt.prompt if isinstance(prompt, Row) else prompt


def _sha256_of_rows(*sides: Sequence[str | Row]) -> str:
    rows = [[asdict(row) if isinstance(row, Row) else row for row in side] for side in sides]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
