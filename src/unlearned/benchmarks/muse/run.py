"""The run behind `unlearned bench muse`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from unlearned.benchmarks.asking import Asking, Rows
from unlearned.benchmarks.benchmark import RETAINED, START, Benchmark, Models, Start, Work
from unlearned.benchmarks.copyright.run import FORM
from unlearned.benchmarks.copyright.sentences import sentences
from unlearned.benchmarks.copyright.training import learned_by_heart
from unlearned.benchmarks.models import Load, plain_text
from unlearned.benchmarks.muse.config import MuseRunConfig
from unlearned.benchmarks.muse.data import MuseData, Pair, cut_texts, load_muse
from unlearned.benchmarks.muse.evaluate import FORGET_QA, MEMBERS, RETAIN_QA, STRANGERS, VERBATIM, evaluate
from unlearned.benchmarks.muse.spec import SPEC, with_retained
from unlearned.benchmarks.results import ModelResults
from unlearned.benchmarks.runner import runs
from unlearned.benchmarks.spec import Item
from unlearned.benchmarks.systems import FitInputs, System
from unlearned.errors import DataError
from unlearned.examples import Row, evenly
from unlearned.methods.record import weights_sha256
from unlearned.models import load_model

SHORTEST = 10
"""Characters above which a sentence is an example for the detector."""


class Muse(Benchmark[MuseData]):
    """What a model still says, knows and shows of the texts that it was to forget."""

    spec = SPEC

    def __init__(self, config: MuseRunConfig) -> None:
        self.config = config

    def packages(self) -> Sequence[tuple[str, str, str]]:
        return (("rouge_score", "metrics", "The MUSE benchmark"), ("peft", "train", "The MUSE benchmark"))

    def load(self) -> MuseData:
        config = self.config
        return load_muse(
            config.corpus, config.data, forget_set=config.forget_set, limit=config.limit, train=config.start is None
        )

    def sha256(self, data: MuseData) -> Mapping[str, str]:
        return data.sha256

    def rows(self, data: MuseData) -> Mapping[str, Sequence[Pair | str]]:
        return {
            VERBATIM: data.verbatim,
            FORGET_QA: data.questions["forget"],
            RETAIN_QA: data.questions["retain"],
            MEMBERS: data.members,
            STRANGERS: data.strangers,
        }

    def models(self, data: MuseData, work: Work) -> Models:
        """The models that are named, or trained on all texts and on what stays.

        Raises:
            DataError: nothing is named, and there is nothing to train on.
        """
        config = self.config
        if config.start is not None and config.retained is not None:
            named = (replace(config.model, model=name, revision=None) for name in (config.start, config.retained))
            start, retained = (plain_text(partial(load_model, options)) for options in named)
        else:
            start, retained = self._trained(data, work)
        # A name says little about weights: a folder can hold others the next time.
        return Models(start=start, retained=retained, sha256={RETAINED: weights_sha256(retained()[0])})

    def _trained(self, data: MuseData, work: Work) -> tuple[Load, Load]:
        if not data.train:
            raise DataError(
                "There is no train/forget (or train/full) to train a start model on. Name models with --start and "
                "--retained."
            )
        config, base = self.config, plain_text(partial(load_model, self.config.model))
        tokenizer = base()[1]

        def trained(name: str, texts: Sequence[str]) -> Load:
            return learned_by_heart(
                base,
                config.model,
                cut_texts(texts, tokenizer, config.max_tokens, config.style),
                config.training,
                max_tokens=config.max_tokens,
                end=False,
                name=name,
                cache=work.cache,
                report=work.report,
                tell=work.tell,
            )

        return trained(START, data.train), trained(RETAINED, data.train_retained)

    def decides(self, data: MuseData) -> Mapping[str, Any]:
        return {"evaluation": asdict(self.config.evaluation), "data": dict(data.asked_sha256)}

    def ask(self, system: System, rows: Rows, asking: Asking[MuseData]) -> Sequence[Item]:
        examples, config = asking.data.examples, self.config.evaluation
        return evaluate(system, rows, examples, config, start=asking.before, report=asking.report)

    def compared(self, models: Sequence[ModelResults]) -> Sequence[ModelResults]:
        _, retained, *_ = models
        return [replace(model, items=with_retained(model.items, retained.items)) for model in models]

    def fit_inputs(self, data: MuseData, start: Start) -> FitInputs:
        """Sentences for the detector; texts, which count as a whole, for what trains."""
        config = self.config
        forget, retain = self._examples(data)
        pieces = [
            [Row(piece) for piece in cut_texts(texts, start.tokenizer, config.max_tokens, config.style)]
            for texts in (data.forget, data.retain)
        ]
        return FitInputs(
            model=start.model,
            tokenizer=start.tokenizer,
            forget=forget,
            retain=retain,
            forget_rows=pieces[0],
            retain_rows=pieces[1],
            fresh=start.fresh,
            instruction="Do not use what you know about the following.\n",
            fit=config.fit,
            train={"form": FORM, "max_tokens": config.max_tokens, **config.train},
            spul={"form": FORM, "max_tokens": config.max_tokens},
            scope=config.corpus,
        )

    def about(self, data: MuseData) -> Mapping[str, Any]:
        forget, retain = self._examples(data)
        return {"fitted on": {"in scope": len(forget), "out of scope": len(retain)}}

    def _examples(self, data: MuseData) -> tuple[list[str], list[str]]:
        """Sentences of both sides; none is an example of both."""
        forget, retain = (_sentences(texts, self.config.sentences) for texts in (data.forget, data.retain))
        taken = set(forget)
        return forget, [sentence for sentence in retain if sentence not in taken]


run_muse = runs(Muse)


def _sentences(texts: Sequence[str], most: int) -> list[str]:
    found = dict.fromkeys(s for text in texts for s in sentences(text) if len(s) > SHORTEST)
    return evenly(list(found), most)
