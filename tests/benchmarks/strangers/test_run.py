"""What sampled answers show of strangers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from stranger_questions import LENGTH, QUESTIONS, with_strangers
from unlearned.artifact.artifact import Artifact
from unlearned.benchmarks.strangers.run import run_strangers
from unlearned.errors import DataError


@pytest.fixture(scope="module")
def model(embedded: Any) -> Any:
    import copy

    return copy.deepcopy(embedded[0]).float()


@pytest.fixture
def view(model: Any, embedded: Any, make_scope: Callable[..., Any], make_artifact: Callable[..., Artifact]) -> Any:
    """strength -> the model under an artifact that puts strangers in the place of names."""

    return partial(with_strangers, model, embedded[1], make_scope, make_artifact)


def test_sampled_answers_show_no_stranger(view: Any) -> None:
    found = run_strangers(view(0.0), [*QUESTIONS, "What is the capital of France?"], answers=6, max_new_tokens=LENGTH)
    assert (found.prompts, found.answers, found.left_over, found.misspelt) == (3, 6, 0, 0)
    assert found.with_strangers > 0
    with pytest.raises(DataError, match="None of the prompts is flagged"):
        run_strangers(view(0.0), ["What is the capital of France?"], answers=1)
