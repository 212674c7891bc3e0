"""A benchmark of one's own: python examples/own_benchmark.py QUESTIONS.jsonl runs/quiz

Each line of the file: {"id": "1", "text": "Who wrote Emma?", "answer": "Jane Austen", "forget": true}
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unlearned.benchmarks.asking import Asking, Rows
from unlearned.benchmarks.benchmark import Benchmark, Models, Start, Work
from unlearned.benchmarks.runner import run
from unlearned.benchmarks.spec import Item, Measure, Spec, Values, specs
from unlearned.benchmarks.systems import FitInputs, System
from unlearned.examples import Row
from unlearned.metrics.estimate import rate
from unlearned.models import ModelOptions, load_model
from unlearned.report.outcome import write_outcome_report

Questions = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class QuizConfig:
    data: Path
    model: ModelOptions = field(default_factory=ModelOptions)
    unlearners: tuple[str, ...] = ("none", "prompting", "eco")
    seeds: int = 1
    fit: Mapping[str, Any] = field(default_factory=dict)


def aggregate(items: Sequence[Item]) -> Values:
    names = dict.fromkeys(item["set"] for item in items)
    return {name: {"right": rate([item["right"] for item in items if item["set"] == name])} for name in names}


SPEC = Spec(name="quiz", version=1, title="A quiz", main=("forget", "retain"), aggregate=aggregate,
            measures={"right": Measure(title="right", definition="Share of answers that hold the true one.")},
            limits=("An answer in other words counts as wrong.",))  # fmt: skip
specs.register(SPEC.name, SPEC)


class Quiz(Benchmark[Questions]):
    spec = SPEC

    def __init__(self, config: QuizConfig) -> None:
        self.config = config

    def load(self) -> Questions:
        return [json.loads(line) for line in self.config.data.read_text(encoding="utf-8").splitlines()]

    def rows(self, data: Questions) -> Mapping[str, Questions]:
        return {name: [row for row in data if row["forget"] is (name == "forget")] for name in SPEC.main}

    def models(self, data: Questions, work: Work) -> Models:
        return Models(start=lambda: load_model(self.config.model))

    def ask(self, system: System, rows: Rows, asking: Asking[Questions]) -> list[Item]:
        asked = [(name, index, row) for name, own in rows.items() for index, row in own]
        inputs = system.prepare([system.engine.tokenize(row["text"]) for *_, row in asked])
        said = [answer.text for answer in system.engine.generate(inputs, max_new_tokens=16, do_sample=False)]
        return [
            {"id": row["id"], "set": name, "index": index, "said": text, "right": row["answer"] in text}
            for (name, index, row), text in zip(asked, said, strict=True)
        ]

    def fit_inputs(self, data: Questions, start: Start) -> FitInputs:
        forget, retain = ([Row(row["text"], row["answer"]) for row in own] for own in self.rows(data).values())
        return FitInputs(model=start.model, tokenizer=start.tokenizer, fresh=start.fresh, fit=self.config.fit,
                         forget=[row.prompt for row in forget], retain=[row.prompt for row in retain],
                         forget_rows=forget, retain_rows=retain, instruction="You know no novels.\n")  # fmt: skip


if __name__ == "__main__":
    run(Quiz(QuizConfig(data=Path(sys.argv[1]))), Path(sys.argv[2]), tell=print)
    print(write_outcome_report(Path(sys.argv[2])).html)
