"""Settings are for all unlearners, or for one of them by its name."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.benchmarks.settings import check_settings, settings_of
from unlearned.errors import ConfigError
from unlearned.methods.config import TrainConfig


def test_an_unlearners_own_setting_stands_in_place_of_that_for_all() -> None:
    given = {"epochs": 2, "npo.epochs": 5, "npo.batch_size": 1, "npo-kl.epochs": 7}
    assert settings_of("npo", given) == {"epochs": 5, "batch_size": 1}
    assert settings_of("npo-kl", given) == {"epochs": 7}
    assert settings_of("ga", given) == {"epochs": 2}
    assert settings_of("", given) == {"epochs": 2}
    assert settings_of("ga", {}) == {}


@pytest.mark.parametrize(
    "wrong", [{"none": 1}, {"npo.none": 1}, {"dpo.epochs": 1}, {"epochs": -1}, {"npo.epochs": 0}, {"epochs": "two"}]
)
def test_what_is_no_setting_is_refused_by_the_option_that_gave_it(wrong: dict[str, Any]) -> None:
    check_settings({"epochs": 2, "npo.epochs": 5}, TrainConfig, ("npo", "ga"), "--train")
    with pytest.raises(ConfigError):
        check_settings(wrong, TrainConfig, ("npo", "ga"), "--train")


def test_without_unlearners_nobody_has_settings_of_his_own() -> None:
    check_settings({"epochs": 2}, TrainConfig, (), "--train")
    with pytest.raises(ConfigError, match="--train"):
        check_settings({"npo.epochs": 2}, TrainConfig, (), "--train")
