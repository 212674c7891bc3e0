"""A setting is described in its field, and its bounds hold there."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pytest

from unlearned.errors import ConfigError
from unlearned.settings import GROUPS, REQUIRED, check_bounds, setting, settings_of


@dataclass(frozen=True, kw_only=True)
class Config:
    needed: str = setting(REQUIRED, "Must be given.")
    share: float = setting(0.5, "A share.", min=0, max=1, group="Data")
    count: int | None = setting(None, "How many.", min=1)
    more: dict[str, int] = setting({}, "NAME=VALUE.")
    own: int = 3


def test_fields_with_a_setting_are_options_and_others_are_not() -> None:
    found = settings_of(Config)
    assert list(found) == ["needed", "share", "count", "more"]
    assert (found["share"].help, found["share"].min, found["share"].max) == ("A share.", 0, 1)
    assert [one.name for one in fields(Config)][-1] == "own"
    with pytest.raises(TypeError):
        Config()  # type: ignore[call-arg]


def test_a_mapping_is_made_anew_for_everybody() -> None:
    one, other = Config(needed="a"), Config(needed="b")
    one.more["x"] = 1
    assert other.more == {}


def test_bounds_hold_at_their_ends_and_nothing_is_no_number() -> None:
    for share, count in ((0, None), (1, 1), (0.5, 10**9)):
        check_bounds(Config(needed="a", share=share, count=count))
    for wrong, name in (({"share": -0.01}, "share"), ({"share": 1.01}, "share"), ({"count": 0}, "count")):
        with pytest.raises(ConfigError, match=name):
            check_bounds(Config(needed="a", **wrong))


def test_groups_of_the_help_are_there_once() -> None:
    assert len(set(GROUPS)) == len(GROUPS)
