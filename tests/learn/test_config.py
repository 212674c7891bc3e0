"""Settings of a fit are checked at once, and lists of names are those of the registries."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.answers.withheld import POLICIES
from unlearned.classify.base import classifiers
from unlearned.corrupt.functions import corruptions
from unlearned.errors import ConfigError, UnlearnedError
from unlearned.learn import config as module
from unlearned.learn.config import AUTO, BEST, ClassifierConfig, FitConfig, StrengthConfig
from unlearned.learn.measures import measures
from unlearned.learn.optimisers import optimisers
from unlearned.select.positions import selectors


def test_names_that_can_be_chosen_are_those_that_are_registered() -> None:
    assert set(module.CLASSIFIERS) == set(classifiers.names())
    assert set(module.CORRUPTIONS) == {*corruptions.names(), AUTO, BEST}
    assert set(module.OBJECTIVES) == set(measures.names())
    assert set(module.OPTIMISERS) == set(optimisers.names())
    assert set(module.SELECTORS) == set(selectors.names())
    assert module.ANSWERS == POLICIES
    assert set(module.AUTO_FUNCTIONS) <= set(module.CORRUPTIONS)
    assert set(module.AUTO_SELECTORS) <= set(module.SELECTORS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"classifier": "none"},
        {"calibration": "none"},
        {"max_fpr": 1.1},
        {"max_fpr": float("nan")},
        {"alpha": 0.0},
        {"alpha": 1.0},
        {"other_languages": "refuse"},
        {"answers": "all"},
        {"ready": "org/model"},
        {"corruption": "none"},
        {"selector": "none"},
        {"objectives": ("none",)},
        {"optimiser": "none"},
        {"search": {"none": 1}},
        {"surrogate": "none"},
        {"max_examples": 0},
        {"batch_size": 0},
        {"strength": -1.0},
        {"strength": float("inf")},
        {"strength": float("nan")},
        {"strength": 1.0, "corruption": AUTO},
        {"strength": 1.5, "corruption": "semantic"},
        {"dims": -1},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnlearnedError):
        FitConfig(**wrong)


def test_borders_are_inside_and_each_part_checks_its_own() -> None:
    ClassifierConfig(max_fpr=0.0, alpha=0.5)
    ClassifierConfig(max_fpr=1.0, classifier="encoder", ready="org/model")
    StrengthConfig(strength=0.0, dims=0)
    StrengthConfig(strength=1.0, corruption="semantic")
    StrengthConfig(surrogate=0.25)
    with pytest.raises(TypeError):
        StrengthConfig(alpha=0.5)  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="search"):
        StrengthConfig(optimiser="tpe", search={"initial": 3, "none": 1})
