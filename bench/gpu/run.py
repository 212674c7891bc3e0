"""Unlearned against original models on one device, within a budget of time; every result is kept as it comes."""

from __future__ import annotations

import gc
import math
import platform
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import torch

from bench.gpu.models import GB, PRECISIONS, Shape, free_bytes, make_model
from bench.gpu.tasks import Found, Prompts, Task, detection_tasks, model_tasks
from unlearned.api import Unlearned
from unlearned.benchmarks.pairs import PairedRatio
from unlearned.classify.vector_cache import VECTORS
from unlearned.demo.concepts import CONCEPTS, Concept
from unlearned.embedded import embedded_model_folder
from unlearned.errors import MissingExtraError, first_line
from unlearned.learn.config import WITHOUT_NAMES, FitConfig
from unlearned.learn.fit import add_strength, fit_detector
from unlearned.progress import Progress

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

STRENGTH = 2.0
"""Noise in standard deviations of the embeddings; given, so that nothing is learned on random weights."""

NO_TIME = "no time was left"


class Measuring:
    """Measures tasks, and keeps what came out.

    Args:
        results: gets `rows`, what is `left_out`, and what `failed`.
        device: whose memory is read.
        ends: value of `time.monotonic` after which nothing is begun.
        repeats: pairs of each task, at least two.
        keep: called with the results whenever there is a new one.
    """

    def __init__(
        self,
        results: dict[str, Any],
        device: torch.device,
        *,
        ends: float,
        repeats: int,
        keep: Callable[[dict[str, Any]], None],
    ) -> None:
        self.results = results | {"rows": [], "left_out": [], "failed": []}
        self.device, self.ends, self.repeats, self._keep = device, ends, repeats, keep

    @property
    def left(self) -> float:
        """Seconds."""
        return self.ends - time.monotonic()

    def put(self, kind: str, **entry: Any) -> None:
        self.results[kind].append(entry)
        self._keep(self.results)

    def measure(self, model: str, task: Task) -> None:
        """As many pairs as are wanted and there is time for, at least two, after one that warms up.

        A row has the median and the quartiles of our value divided by the baseline's. Of the tokens (or verdicts) that
        were `compared`, in all pairs, `differing` were not the same. Memory is what tensors took at most on the GPU,
        the model included; None on a CPU.
        """
        pairs: list[tuple[float, float]] = []
        peaks: list[list[float]] = [[], []]
        compared = differing = 0
        took = 0.0
        while len(pairs) <= self.repeats and self.left > took:
            start = time.monotonic()
            sides = [(0, task.ours), (1, task.plain)]
            timed = {n: self._timed(work, peaks[n]) for n, work in (sides if len(pairs) % 2 else sides[::-1])}
            (ours, found), (plain, expected) = timed[0], timed[1]
            pairs.append((task.value(ours), task.value(plain)))
            both = [pair for place in task.compared for pair in zip_longest(found[place], expected[place])]
            compared, differing = compared + len(both), differing + sum(mine != other for mine, other in both)
            took = time.monotonic() - start
        if len(pairs) < 3:
            return self.put("left_out", what=f"{model}: {task.measure}", why=NO_TIME)
        ratio = PairedRatio.of(pairs[1:])
        self.put(
            "rows",
            model=model,
            measure=task.measure,
            baseline=task.baseline,
            unit=task.unit,
            median=ratio.median,
            low=ratio.low,
            high=ratio.high,
            ours=ratio.ours,
            plain=ratio.theirs,
            pairs=ratio.pairs,
            prompts=task.prompts,
            flagged=task.flagged,
            compared=compared,
            differing=differing,
            peak_gb=max(peaks[0], default=None),
            plain_peak_gb=max(peaks[1], default=None),
        )

    def _timed(self, work: Callable[[], Found], peaks: list[float]) -> tuple[float, Found]:
        VECTORS.clear()  # texts that nobody has asked before
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        start = time.perf_counter()
        found = work()
        seconds = time.perf_counter() - start
        if self.device.type == "cuda":
            peaks.append(torch.cuda.max_memory_allocated(self.device) / GB)
        return seconds, found


def measure_gpu(
    device: torch.device,
    shapes: Sequence[Shape],
    *,
    ends: float,
    repeats: int = 3,
    new_tokens: int = 32,
    quick: bool = False,
    keep: Callable[[dict[str, Any]], None] = lambda results: None,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Detection, then throughput, first token and memory of each shape in every precision; the smallest shape first.

    Args:
        device: where the models are made.
        shapes: what is made.
        ends: value of `time.monotonic` after which nothing is begun; what has begun by then ends with its pair.
        repeats: pairs of each measure, at least two.
        new_tokens: of every answer.
        quick: fit a smaller detector.
        keep: called with all results whenever there is a new one.
        on_progress: called with (phase, done, total).

    Returns:
        JSON-ready values: the machine, `rows` (see `Measuring.measure`), what was `left_out`, and what `failed`.
    """
    from transformers import AutoTokenizer

    report = on_progress or (lambda phase, done, total: None)
    settings = {"repeats": repeats, "new_tokens": new_tokens, "strength": STRENGTH, "quick": quick}
    measuring = Measuring({**_machine(device), "settings": settings}, device, ends=ends, repeats=repeats, keep=keep)
    config = FitConfig(
        seed=0, corruption=WITHOUT_NAMES, strength=STRENGTH, background=not quick, misspellings=not quick
    )
    report("detector", 0, 1)
    tokenizer, concept = AutoTokenizer.from_pretrained(embedded_model_folder()), Concept(CONCEPTS[0])
    detector = fit_detector(concept.forget, concept.retain, scope=concept.name, config=config)
    prompts = Prompts.of(detector, tokenizer, concept)
    report("detector", 1, 1)
    for task in detection_tasks(detector, prompts, device):
        measuring.measure("encoder", task)

    def enforced(model: PreTrainedModel) -> Unlearned:
        return Unlearned(model, tokenizer, add_strength(model, tokenizer, detector, concept.forget, config=config))

    quickest: float | None = None  # way of making a model so far, in seconds per parameter
    for shape in sorted(shapes, key=lambda shape: shape.parameters):
        for precision in PRECISIONS:
            name = f"{shape.name}, {precision}"
            needed, free = shape.bytes_needed(precision), free_bytes(device)
            if needed > free:
                why = f"it needs about {needed / GB:.1f} GB, and {free / GB:.1f} GB are free"
                measuring.put("left_out", what=name, why=why)
                continue
            if measuring.left <= (quickest or 0.0) * shape.parameters:
                measuring.put("left_out", what=name, why=NO_TIME)
                continue
            try:
                made = _measure_model(
                    measuring, name, shape, precision, tokenizer, enforced, prompts, new_tokens, report
                )
                quickest = min(quickest or math.inf, made / shape.parameters)
            except (MissingExtraError, torch.OutOfMemoryError) as error:
                measuring.put("left_out", what=name, why=first_line(error))
            except Exception as error:  # of CUDA, of bitsandbytes, or a refusal: the other models are still measured
                measuring.put("failed", what=name, why=f"{type(error).__name__}: {first_line(error)}")
            gc.collect()
            torch.cuda.empty_cache()
    keep(measuring.results)
    return measuring.results


def _measure_model(
    measuring: Measuring,
    name: str,
    shape: Shape,
    precision: str,
    tokenizer: PreTrainedTokenizerBase,
    enforced: Callable[[PreTrainedModel], Unlearned],
    prompts: Prompts,
    new_tokens: int,
    report: Progress,
) -> float:
    """Returns the seconds that it took to make the model, which is gone when this ends."""
    start = time.monotonic()
    model = make_model(shape, precision, tokenizer, measuring.device)
    llm = enforced(model)
    seconds = time.monotonic() - start
    tasks = model_tasks(model, tokenizer, llm, prompts, new_tokens)
    for number, task in enumerate(tasks):
        report(name, number, len(tasks))
        measuring.measure(name, task)
    report(name, len(tasks), len(tasks))
    return seconds


def _machine(device: torch.device) -> dict[str, Any]:
    on_gpu = device.type == "cuda"
    versions = {"python": platform.python_version(), "cuda": torch.version.cuda if on_gpu else None}
    for package in ("unlearned", "torch", "transformers", "sentence-transformers", "bitsandbytes"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "made_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name(device) if on_gpu else "CPU",
        "processor": f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads",
        "versions": versions,
    }


def as_markdown(results: dict[str, Any]) -> str:
    """The rows as a table, and what is missing from it."""
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items() if number)
    lines = [
        f"{results['device']} ({results['processor']}), {results['made_at']}. {versions}.",
        "",
        "| model | measure | ratio (quartiles) | ours | baseline | peak memory, plain | differs |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        peaks = "" if row["peak_gb"] is None else f"{row['peak_gb']:.2f} GB, {row['plain_peak_gb']:.2f} GB"
        differs = f"{row['differing']} of {row['compared']}" if row["compared"] else ""
        lines.append(
            f"| {row['model']} | {row['measure']} | {row['median']:.3f} ({row['low']:.3f} to {row['high']:.3f}) | "
            f"{row['ours']:.3g} {row['unit']} | {row['plain']:.3g} ({row['baseline']}) | {peaks} | {differs} |"
        )
    for kind, words in (("left_out", "Left out"), ("failed", "Failed")):
        if results[kind]:
            lines += ["", f"{words}:", "", *(f"- {one['what']}: {one['why']}" for one in results[kind])]
    return "\n".join([*lines, ""])
