"""Verdicts that are kept are those of the detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from unlearned.benchmarks.systems import Corrupted
from unlearned.benchmarks.verdicts import Verdicts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
    pytest.mark.filterwarnings("ignore::unlearned.errors.ArtifactWarning"),  # the tiny artifact is of another model
    pytest.mark.filterwarnings("ignore::unlearned.errors.FitWarning"),  # a random model knows nothing
]


def test_kept_verdicts_are_those_of_the_detector(
    make_artifact: Any, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    from unlearned.api import Unlearned

    view = Unlearned(tiny_model, tiny_tokenizer, make_artifact())
    model = Corrupted("eco", view)
    prompts = [model.engine.tokenize(text, chat=False) for text in ("Who is Harry Potter?", "Is the dog lazy?")]
    direct = model.prepare(prompts)
    for _ in range(2):  # found, then read
        kept = Corrupted("eco", view, Verdicts(tmp_path)).prepare(prompts)
        assert [one.verdict for one in kept] == [one.verdict for one in direct]
        assert torch.equal(kept[0].vectors, direct[0].vectors)  # type: ignore[arg-type]
        assert not kept[1].corrupted
    file = next(tmp_path.iterdir())
    file.write_text(file.read_text()[:-9])  # cut short: found again, in a line of its own
    new: list[int] = []
    for _ in range(2):
        again = Verdicts(tmp_path).classify(view.unlearner, prompts, lambda phase, done, total: new.append(done))
        assert again == [one.verdict for one in direct]
    assert new == [0, 1]
