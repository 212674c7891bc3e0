"""The run behind `unlearned bench tofu`: train, fit, evaluate, write down. Finished steps are kept and not repeated."""

from __future__ import annotations

import copy
import json
import platform
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import unlearned
from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.benchmarks.models import Load, adapter_sha256, with_adapter
from unlearned.benchmarks.settings import settings_of
from unlearned.benchmarks.step_cache import as_text, once
from unlearned.benchmarks.systems import (
    UNFITTED,
    Corrupted,
    FitInputs,
    Plain,
    System,
    make_system,
    own_model,
    trains,
)
from unlearned.benchmarks.tofu.config import CEILING_OF, TofuRunConfig
from unlearned.benchmarks.tofu.data import TofuData, load_tofu
from unlearned.benchmarks.tofu.evaluate import evaluate
from unlearned.benchmarks.tofu.finetune import finetune
from unlearned.benchmarks.tofu.items import Evaluation, as_log, evaluation_from_json, evaluation_json
from unlearned.benchmarks.tofu.log import write_log
from unlearned.benchmarks.tofu.prepared import tokenized
from unlearned.benchmarks.tofu.prompts import author_names, format_of, instruction
from unlearned.benchmarks.tofu.questions import TofuQuestion, questions
from unlearned.benchmarks.tofu.results import METRICS, EvaluatedModel, model_json, summary
from unlearned.benchmarks.tofu.scoring import Scored, Scorer, measure_scoring_speed
from unlearned.benchmarks.versions import ASKING, FITTING, TRAINING, versions
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import DataError
from unlearned.examples import Row
from unlearned.extras import require
from unlearned.files import write_text
from unlearned.methods.record import weights_sha256
from unlearned.models import load_model
from unlearned.progress import Progress, Tell
from unlearned.types import PromptInput

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FORMAT = 1
"""Format of `results.json`."""

VERSION = 1
"""Version of what is asked and how it is scored; see `unlearned.benchmarks.versions`."""

RESULTS, STEPS, LOGS, ARTIFACTS = "results.json", "steps", "logs", "artifacts"
START, RETAINED, SPEED = "start", "retained", "speed"
SECOND, UNDER_STRANGERS = "retained-2", "retained-es"


def run_tofu(
    config: TofuRunConfig,
    out: Path,
    *,
    cache: Path | None = None,
    on_progress: Progress | None = None,
    tell: Tell | None = None,
) -> dict[str, Any]:
    """Run, and write `results.json`, `logs/`, `artifacts/` and `steps/` into the folder `out`.

    Args:
        config: what to run.
        out: made if it is not there; finished steps in it are kept if nothing that decides them has changed.
        cache: of the trainings; None = beside the embedded model.
        on_progress: called with (phase, done, total).
        tell: called with lines about what takes long.

    Returns:
        The content of `results.json`.

    Raises:
        DataError: the data is not there or not what it should be, or `out` cannot be written.
        MissingExtraError: `peft` or `rouge-score` is not installed.
    """
    report, tell = on_progress or (lambda phase, done, total: None), tell or (lambda line: None)
    require("rouge_score", extra="metrics", purpose="The TOFU benchmark")  # now, and not after an hour
    require("peft", extra="train", purpose="The TOFU benchmark")
    began = time.perf_counter()
    data = load_tofu(config.data, config.split)
    try:
        for folder in (STEPS, LOGS, ARTIFACTS):
            (out / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"Cannot make the folder {out}: {error.strerror}.") from error
    load: Load = partial(load_model, config.model)
    adapters = _adapters(config, data, load, cache, tell)
    trained = time.perf_counter() - began
    bench = _Bench(config, data, out, load, adapters, report, tell)
    start = bench.evaluated(START, None, None, {"adapter": adapter_sha256(adapters[0])}, bench.plain_start, None)
    retained = bench.evaluated(
        RETAINED, None, None, {"adapter": adapter_sha256(adapters[1])}, partial(bench.plain, RETAINED, 1), None
    )
    tested = [start, retained]
    for name in config.unlearners:
        for seed in range(1 if name in UNFITTED else config.seeds):
            tested.append(bench.unlearned(name, seed, start.evaluation))
    if config.ceiling:
        tested[2:2] = bench.ceiling(retained.evaluation)
    speed = bench.speed() if config.speed_questions else None
    models = []
    for model in tested:
        write_log(out / LOGS / f"{model.name}.json", as_log(model.evaluation))
        models.append(model_json(model, start.evaluation, retained.evaluation))
    results = {
        "format": FORMAT,
        "benchmark": "tofu",
        "at": datetime.now(timezone.utc).date().isoformat(),
        "config": asdict(config),
        "seeds": list(range(config.seeds)),
        "versions": _versions(),
        "machine": f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, {sys.platform}",
        "device": str(bench.start[0].device),
        "dtype": str(bench.start[0].dtype).removeprefix("torch."),
        "data": {"sha256": data.sha256, "rows": {name: len(rows) for name, rows in bench.asked.items()}},
        "adapters": [{"folder": str(a.resolve()), "sha256": adapter_sha256(a)} for a in adapters],
        "metrics": METRICS,
        "summary": summary(models),
        "models": models,
        "speed": speed,
        "seconds": {"training": round(trained, 1), "all": round(time.perf_counter() - began, 1)},
    }
    text = as_text(results)
    write_text(out / RESULTS, text)
    found: dict[str, Any] = json.loads(text)
    return found


class _Bench:
    """Models, questions and folders of one run."""

    def __init__(
        self,
        config: TofuRunConfig,
        data: TofuData,
        out: Path,
        load: Load,
        adapters: tuple[Path, ...],
        report: Progress,
        tell: Tell,
    ) -> None:
        self.config, self.data, self.out, self.report, self.tell = config, data, out, report, tell
        self._load, self._adapters = load, adapters
        self.start = with_adapter(load, adapters[0])
        self.asked = questions(data, config.evaluation)
        self._common = {
            "version": VERSION,
            "stages": versions(*ASKING),
            "data": data.sha256,
            "split": asdict(config.split),
            "evaluation": asdict(config.evaluation),
            "start": weights_sha256(self.start[0]),
        }

    def plain_start(self) -> System:
        return Plain(START, TransformersEngine(*self.start), own_weights=True)

    def plain(self, name: str, adapter: int) -> System:
        """A model with the weights of one of the adapters."""
        return own_model(name, partial(with_adapter, self._load, self._adapters[adapter]))

    def ceiling(self, retained: Evaluation) -> list[EvaluatedModel]:
        """A second retained model, and the first one under strangers."""
        own, second = ({"adapter": adapter_sha256(adapter)} for adapter in self._adapters[1:3])
        own["artifact"] = ceiling_artifact(self.out).sha256
        first = partial(with_adapter, self._load, self._adapters[1])
        return [
            self.evaluated(SECOND, None, None, second, partial(self.plain, SECOND, 2), None),
            self.evaluated(UNDER_STRANGERS, None, None, own, partial(under_strangers, self.out, first), retained),
        ]

    def unlearned(self, name: str, seed: int, start: Evaluation) -> EvaluatedModel:
        """Fit one unlearner and evaluate it."""
        fresh = partial(with_adapter, self._load, self._adapters[0])
        materials = materials_of(self.config, self.data, self.start, fresh, name)
        settings = {
            "stages": versions(*(TRAINING if trains(name) else FITTING)),
            "start": self._common["start"],
            "data": self.data.sha256,
            "split": asdict(self.config.split),
            "fit": dict(self.config.fit),
        }
        if trains(name):
            settings |= {"train": dict(materials.train), "spul": dict(materials.spul)}
        folder = artifacts_of(self.out, name, seed)

        def emptied() -> dict[str, Any]:
            """What lies there is of other data, settings or versions."""
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            return {}

        once(folder / "fit.json", settings, emptied, self.tell, f"{name}, seed {seed}, is fitted anew")

        def make() -> System:
            return make_system(name, seed, folder, materials, self._phases(f"{name}, seed {seed}"))

        return self.evaluated(f"{name}-seed{seed}", name, seed, {"fit": settings, "seed": seed}, make, start)

    def evaluated(
        self,
        name: str,
        unlearner: str | None,
        seed: int | None,
        settings: Mapping[str, Any],
        make: Callable[[], System],
        start: Evaluation | None,
    ) -> EvaluatedModel:
        """One evaluation, from disk where it is there."""
        file, settings = self.out / STEPS / f"{name}.json", {**self._common, "name": name, **settings}

        def asked() -> dict[str, Any]:
            begin = time.perf_counter()
            made = make()
            fitted = time.perf_counter()
            found = evaluate(
                made,
                Scorer(made.engine),
                self.asked,
                self.config.evaluation,
                start=None if made.own_weights else start,
                on_progress=self._phases(name),
            )
            seconds = {"fit": round(fitted - begin, 1), "evaluation": round(time.perf_counter() - fitted, 1)}
            return {"seconds": seconds, "items": evaluation_json(found)}

        kept = once(file, settings, asked, self.tell, f"{name} is asked anew")
        return EvaluatedModel(name, unlearner, seed, evaluation_from_json(kept["items"]), kept["seconds"])

    def speed(self) -> dict[str, Any]:
        """Scoring against the naive way, in float32."""
        file, settings = self.out / STEPS / f"{SPEED}.json", {**self._common, "questions": self.config.speed_questions}

        def measured() -> dict[str, Any]:
            self.report(SPEED, 0, 1)
            model, tokenizer = self.start
            copied: Any = copy.deepcopy(model)
            copied.to(torch.float32)
            engine = TransformersEngine(copied, tokenizer)
            rows = scored_questions(engine, self.asked["forget"][: self.config.speed_questions])
            speed = asdict(measure_scoring_speed(Scorer(engine), rows, rounds=1))
            self.report(SPEED, 1, 1)
            return {"speed": speed}

        found: dict[str, Any] = once(file, settings, measured, self.tell, "speed is measured anew")["speed"]
        return found

    def _phases(self, name: str) -> Progress:
        def report(phase: str, done: int, total: int) -> None:
            self.report(name if name.startswith(phase) else f"{name}: {phase}", done, total)

        return report


def ceiling_artifact(out: Path) -> Artifact:
    """Whose strangers the retained model is asked about."""
    return Artifact.from_pretrained(artifacts_of(out, CEILING_OF, 0) / CEILING_OF)


def under_strangers(out: Path, retained: Load) -> System:
    """The retained model, asked about strangers: what the change of spelling alone makes of it."""
    return Corrupted(UNDER_STRANGERS, Unlearned(*retained(), ceiling_artifact(out)))


def artifacts_of(out: Path, unlearner: str, seed: int) -> Path:
    """Where an unlearner keeps what was fitted; what trains has a folder of its own, as another version decides it."""
    return out / ARTIFACTS / (f"{unlearner}-seed{seed}" if trains(unlearner) else f"seed{seed}")


def materials_of(
    config: TofuRunConfig,
    data: TofuData,
    start: tuple[PreTrainedModel, PreTrainedTokenizerBase],
    fresh: Load,
    name: str,
) -> FitInputs:
    """What unlearners are made of.

    Args:
        config: the run's.
        data: the run's.
        start: the start model, which all of them share.
        fresh: gives another one.
        name: of the unlearner that is made.
    """
    return FitInputs(
        model=start[0],
        tokenizer=start[1],
        forget=[pair.question for pair in data.forget_pairs],
        retain=[pair.question for pair in data.retain_pairs],
        forget_rows=[Row(pair.question, pair.answer) for pair in data.forget_pairs],
        retain_rows=[Row(pair.question, pair.answer) for pair in data.retain_pairs],
        fresh=fresh,
        instruction=instruction(author_names(data.forget_pairs)),
        fit=config.fit,
        train=settings_of(name, config.train),
        spul=config.spul,
        scope="tofu",
    )


def scored_questions(engine: TransformersEngine, asked: list[TofuQuestion]) -> list[Scored]:
    """The truth ratio's answers to plain questions."""
    form = format_of(engine.tokenizer)
    rows = []
    for question in asked:
        prompt = tokenized(engine, form, question.text)
        rows.append(Scored(prompt, PromptInput(prompt.token_ids), tuple(map(form.target, question.answers[1:]))))
    return rows


def _adapters(config: TofuRunConfig, data: TofuData, load: Load, cache: Path | None, tell: Tell) -> tuple[Path, ...]:
    if config.adapters is not None:
        return tuple(map(Path, config.adapters))
    start = finetune(load, data.all_pairs, config.training, name=START, cache=cache, tell=tell)
    retained = finetune(load, data.retain_pairs, config.training, name=RETAINED, cache=cache, tell=tell)
    if not config.ceiling:
        return start, retained
    other = replace(config.training, seed=config.training.seed + 1)
    return start, retained, finetune(load, data.retain_pairs, other, name=SECOND, cache=cache, tell=tell)


def _versions() -> dict[str, str]:
    names = ("torch", "transformers", "peft", "tokenizers", "sentence-transformers", "rouge-score", "numpy", "scipy")
    return {"unlearned": unlearned.__version__, "python": platform.python_version(), **{n: version(n) for n in names}}
