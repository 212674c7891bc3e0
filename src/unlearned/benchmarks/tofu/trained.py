"""What trains, for the comparison on TOFU: the methods that change weights, and the soft prompt. They see answers, too.

Methods train a LoRA adapter on the start model by their own recipe, and answer with it folded into the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from unlearned.benchmarks.tofu.data import Pair
from unlearned.benchmarks.tofu.models import with_adapter
from unlearned.benchmarks.tofu.prompts import format_of
from unlearned.benchmarks.tofu.unlearners import Asked, Maker, Materials, Plain, Unlearner, tokenized, unlearners
from unlearned.engines.transformers import TransformersEngine
from unlearned.examples import Row
from unlearned.learn.spul import SpulConfig, train_soft_prompt
from unlearned.methods.config import LoraSettings, TrainConfig
from unlearned.methods.known import methods
from unlearned.methods.train import train_method
from unlearned.progress import Progress
from unlearned.registry import Registry
from unlearned.stages import Prompt
from unlearned.unlearners.spul import SPUL

SOFT_PROMPT = "spul"


def makers() -> Registry[Maker]:
    """Everything that can be compared: prompt-side unlearners, methods (also of other packages), the soft prompt."""
    registry: Registry[Maker] = Registry("unlearner")
    for name in unlearners.names():
        registry.register(name, unlearners.get(name))
    for name in methods().names():
        registry.register(name, partial(_method, name))
    registry.register(SOFT_PROMPT, _soft_prompt)
    return registry


def trains(name: str) -> bool:
    """Whether this one's results depend on the code of the methods."""
    return name not in unlearners.names()


class Prefixed:
    """A soft prompt in front of every question."""

    name, own_weights = SOFT_PROMPT, False

    def __init__(self, engine: TransformersEngine, soft: SPUL) -> None:
        self.engine, self._soft, self._format = engine, soft, format_of(engine.tokenizer)

    def prepare(self, questions: Sequence[str]) -> list[Asked]:
        plain = [tokenized(self.engine, self._format, question) for question in questions]
        inputs = self._soft.prepare(plain, self.engine)
        return [
            Asked(question, prompt, _moved(prompt, given.token_ids), given)
            for question, prompt, given in zip(questions, plain, inputs, strict=True)
        ]


def _moved(prompt: Prompt, token_ids: tuple[int, ...]) -> Prompt:
    """The prompt behind the soft tokens, which stand for no text."""
    count = len(token_ids) - len(prompt.token_ids)
    offsets = np.concatenate([np.zeros((count, 2), dtype=np.int64), prompt.offsets])
    special = np.concatenate([np.ones(count, dtype=np.bool_), prompt.is_special])
    return Prompt(prompt.text, token_ids, offsets, special, prompt.segments)


def _method(name: str, materials: Materials, seed: int, folder: Path, report: Progress) -> Unlearner:
    place = folder / name
    if not (place / "training.json").is_file():
        model, tokenizer = materials.fresh()
        forget, retain = (_rows(materials.pairs[side]) for side in ("forget", "retain"))
        config = TrainConfig(lora=LoraSettings(), seed=seed)
        train_method(name, model, tokenizer, forget, retain, config, place, on_progress=report)
    return Plain(name, TransformersEngine(*with_adapter(materials.fresh, place)), own_weights=True)


def _soft_prompt(materials: Materials, seed: int, folder: Path, report: Progress) -> Unlearner:
    place = folder / SOFT_PROMPT
    if not place.is_dir():
        forget, retain = (_rows(materials.pairs[side]) for side in ("forget", "retain"))
        train_soft_prompt(
            materials.model, materials.tokenizer, forget, retain, SpulConfig(seed=seed), report
        ).save_pretrained(place)
    return Prefixed(TransformersEngine(materials.model, materials.tokenizer), SPUL.from_pretrained(place))


def _rows(pairs: Sequence[Pair]) -> list[Row]:
    return [Row(pair.question, pair.answer) for pair in pairs]
