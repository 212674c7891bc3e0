"""How fast letters are scored, against lm-eval's own Hugging Face model: same questions, model, machine, batch size.

Both take turns, so that other work on the machine slows both. What is timed is the same on both sides: texts in, scores
out, tokenisation included.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from unlearned.benchmarks.choices.config import MMLU
from unlearned.benchmarks.choices.data import Question, load_mmlu
from unlearned.benchmarks.choices.scoring import LetterScorer, batches
from unlearned.benchmarks.models import plain_text
from unlearned.benchmarks.results import machine_of
from unlearned.benchmarks.step_cache import as_text
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError
from unlearned.extras import require
from unlearned.files import write_text
from unlearned.models import ModelOptions, load_model
from unlearned.progress import Progress
from unlearned.types import PromptInput

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SPEED = "speed.json"
PURPOSE = "The comparison of speed"

Letters = dict[str, int]
"""Id of a question -> the option that was chosen."""


def run_speed(
    options: ModelOptions,
    data: str | None,
    out: Path,
    *,
    limit: int | None = None,
    batch_size: int = 16,
    rounds: int = 3,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure, and write `speed.json` into the folder `out`.

    Args:
        options: the model.
        data: MMLU's folder or hub name.
        out: made if it is not there.
        limit: first questions of each subject; None = the whole test.
        batch_size: prompts per forward pass, on both sides.
        rounds: each side's passes over the questions; the medians count.
        on_progress: called with (phase, done, total).

    Returns:
        Questions per second of both, their ratio, and what the two disagree on.

    Raises:
        ConfigError: there is no round.
        MissingExtraError: lm-eval is not installed.
    """
    require("lm_eval", extra="eval", purpose=PURPOSE)
    if rounds < 1:
        raise ConfigError(f"rounds={rounds}: must be at least 1.")
    report = on_progress or (lambda phase, done, total: None)
    questions = load_mmlu(data or MMLU, "full", limit=limit).sets["others"]
    model, tokenizer = plain_text(partial(load_model, options))()
    ours, theirs = _Ours(model, tokenizer, batch_size), _Theirs(model, tokenizer, batch_size)
    ours(questions[:batch_size])  # the first pass of a process is slower
    seconds: dict[str, list[tuple[float, float]]] = {"unlearned": [], "lm-eval": []}
    found: dict[str, Letters] = {}
    for turn in range(rounds):
        sides: list[tuple[str, _Ours | _Theirs]] = [("unlearned", ours), ("lm-eval", theirs)]
        for place, (name, side) in enumerate(sides if turn % 2 == 0 else sides[::-1]):
            report("rounds", 2 * turn + place, 2 * rounds)
            found[name], wall, cpu = side(questions)
            seconds[name].append((wall, cpu))
    report("rounds", 2 * rounds, 2 * rounds)
    pairs = list(zip(seconds["unlearned"], seconds["lm-eval"], strict=True))
    results = {
        "questions": len(questions),
        "batch_size": batch_size,
        "rounds": rounds,
        "per_second": {name: len(questions) / median(wall for wall, _ in own) for name, own in seconds.items()},
        "ratio": median(other[0] / own[0] for own, other in pairs),
        "ratio_of_processor_time": median(other[1] / own[1] for own, other in pairs),
        "seconds": seconds,
        **compared(questions, found["unlearned"], found["lm-eval"]),
        "head": ours.scorer.way,
        "machine": asdict(machine_of(model)),
        "lm_eval": version("lm_eval"),
    }
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / SPEED, as_text(results))
    return results


def compared(questions: Sequence[Question], ours: Letters, theirs: Letters) -> dict[str, Any]:
    """What two sets of answers disagree on: single answers, and accuracies of subjects."""
    subjects = sorted({question.subject for question in questions})

    def accuracy(found: Letters, subject: str) -> float:
        own = [question for question in questions if question.subject == subject]
        return float(np.mean([found[question.id] == question.answer for question in own]))

    both = {subject: (accuracy(ours, subject), accuracy(theirs, subject)) for subject in subjects}
    right = [sum(found[q.id] == q.answer for q in questions) / len(questions) for found in (ours, theirs)]
    return {
        "accuracy": {"unlearned": right[0], "lm-eval": right[1]},
        "other_answers": sum(ours[question.id] != theirs[question.id] for question in questions),
        "subjects": len(subjects),
        "subjects_with_other_accuracy": {name: pair for name, pair in both.items() if pair[0] != pair[1]},
    }


class _Ours:
    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch_size: int) -> None:
        self._engine = TransformersEngine(model, tokenizer)
        self.scorer = LetterScorer(self._engine, 4)
        self._batch_size = batch_size

    def __call__(self, questions: Sequence[Question]) -> tuple[Letters, float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        prompts = [self._engine.tokenize(question.prompt(header=True), chat=False) for question in questions]
        letters: Letters = {}
        for batch in batches([prompt.token_ids for prompt in prompts], self._batch_size):
            rows = self.scorer.score([PromptInput(prompts[index].token_ids) for index in batch])
            letters |= {questions[n].id: row.index(max(row)) for n, row in zip(batch, rows, strict=True)}
        return letters, time.perf_counter() - wall, time.process_time() - cpu


class _Theirs:
    """`simple_evaluate` on tasks with these questions; its scoring is what is timed, not the set-up of the tasks."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch_size: int) -> None:
        models = require("lm_eval.models.huggingface", extra="eval", purpose=PURPOSE)

        class Timed(models.HFLM):  # type: ignore[misc, name-defined]
            seconds = (0.0, 0.0)

            def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> Any:
                wall, cpu = time.perf_counter(), time.process_time()
                found = super().loglikelihood(requests, disable_tqdm=True)
                self.seconds = time.perf_counter() - wall, time.process_time() - cpu
                return found

        with _silent():
            self._model = Timed(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)

    def __call__(self, questions: Sequence[Question]) -> tuple[Letters, float, float]:
        evaluate = require("lm_eval", extra="eval", purpose=PURPOSE).simple_evaluate
        by_subject: dict[str, list[Question]] = {}
        for question in questions:
            by_subject.setdefault(question.subject, []).append(question)
        tasks = [_task(subject, own) for subject, own in by_subject.items()]
        with _silent():
            results = evaluate(self._model, tasks=tasks, num_fewshot=0, bootstrap_iters=0)
        letters = {}
        for samples in results["samples"].values():
            for sample in samples:
                scores = [float(score) for ((score, _),) in sample["resps"]]
                letters[sample["doc"]["id"]] = scores.index(max(scores))
        return letters, *self._model.seconds


def _task(subject: str, questions: Sequence[Question]) -> dict[str, Any]:
    """As lm-eval's own `mmlu_*` tasks, on these questions."""
    datasets = require("datasets", extra="eval", purpose=PURPOSE)
    rows = [
        {"id": q.id, "question": q.text, "choices": list(q.choices), "answer": q.answer, "subject": q.subject}
        for q in questions
    ]
    return {
        "task": f"local_{subject}",
        "custom_dataset": lambda **_: {"test": datasets.Dataset.from_list(rows)},
        "test_split": "test",
        "output_type": "multiple_choice",
        "description": "The following are multiple choice questions (with answers) about "
        f"{subject.replace('_', ' ')}.\n\n",
        "doc_to_text": "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\n"
        "D. {{choices[3]}}\nAnswer:",
        "doc_to_choice": ["A", "B", "C", "D"],
        "doc_to_target": "answer",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }


@contextmanager
def _silent() -> Iterator[None]:
    """Without lm-eval's notices about every task."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
