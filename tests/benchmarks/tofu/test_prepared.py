"""A question as a system gets it."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.benchmarks.systems import Instructed
from unlearned.benchmarks.tofu.prepared import ask
from unlearned.benchmarks.tofu.prompts import instruction
from unlearned.engines.transformers import TransformersEngine
from unlearned.unlearners.instruction import Instruction

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
    pytest.mark.filterwarnings("ignore::unlearned.errors.FitWarning"),  # a random model knows nothing
    pytest.mark.filterwarnings("ignore:ks_2samp:RuntimeWarning"),  # p just above 1 where five values hardly differ
]


@pytest.fixture
def engine(tiny_model: Any, tiny_tokenizer: Any) -> TransformersEngine:
    return TransformersEngine(tiny_model, tiny_tokenizer)


def test_prompting_puts_the_names_in_front_of_every_question(engine: TransformersEngine) -> None:
    told = Instruction(kind="prompting", text=instruction(["Guy Hall"]))
    [asked] = ask(Instructed(engine, told), ["Is the dog lazy?"])
    assert "- Guy Hall\n" in asked.prompt.text
    assert "\n\nIs the dog lazy?" in asked.prompt.text
    assert asked.prompt.token_ids == asked.input.token_ids
    assert asked.reworded
    assert asked.changed
