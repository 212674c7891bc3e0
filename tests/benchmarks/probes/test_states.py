"""Last states are the model's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tiny_rows import FORGET, RETAIN
from unlearned.api import Unlearned
from unlearned.benchmarks.probes.states import last_states
from unlearned.benchmarks.systems import Plain
from unlearned.engines.transformers import TransformersEngine

pytestmark = pytest.mark.filterwarnings("ignore::unlearned.errors.ArtifactWarning")


def test_last_states_are_the_models_own_and_corruption_moves_only_its_row(
    tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any
) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    view = Unlearned(tiny_model, tiny_tokenizer, make_artifact())
    prompts = [engine.tokenize(text, chat=False) for text in (FORGET[0], RETAIN[0], RETAIN[1] + " And then?")]
    plain = last_states(engine, Plain("start", engine).prepare(prompts), batch_size=2)
    inputs = view.unlearner.prepare(prompts, engine)
    assert [given.corrupted for given in inputs] == [True, False, False]
    corrupted = last_states(engine, inputs, batch_size=2)
    for index, prompt in enumerate(prompts):
        with torch.no_grad():
            own = tiny_model(input_ids=torch.tensor([prompt.token_ids]), output_hidden_states=True)
        expected = torch.stack([states[0, -1] for states in own.hidden_states]).numpy()
        np.testing.assert_allclose(plain.hidden[:, index], expected, atol=1e-5)
        np.testing.assert_allclose(plain.logits[index], own.logits[0, -1].numpy(), atol=1e-5)
    np.testing.assert_allclose(corrupted.logits[1:], plain.logits[1:], atol=1e-6)
    assert np.abs(corrupted.logits[0] - plain.logits[0]).max() > 1e-3
