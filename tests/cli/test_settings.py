"""Options of the form NAME=VALUE."""

from __future__ import annotations

import pytest

from unlearned.cli.settings import settings, texts
from unlearned.errors import ConfigError


def test_a_value_is_json_where_it_can_be_and_else_a_text() -> None:
    given = ["a=1", "b=0.5", "c=true", "d=null", "e=[1, 2]", 'f={"x": 1}', "g=full_shard", "h=", "i= x=y ", "j=1e-3"]
    assert settings(given, "--set") == {
        "a": 1, "b": 0.5, "c": True, "d": None, "e": [1, 2], "f": {"x": 1}, "g": "full_shard", "h": "", "i": "x=y",
        "j": 1e-3,
    }  # fmt: skip
    assert texts(["a=1"], "--set") == {"a": "1"}
    assert settings(None, "--set") == settings([], "--set") == {}


@pytest.mark.parametrize("wrong", ["a", "", "=1", " =1"])
def test_what_has_no_name_or_no_value_is_refused_with_its_option(wrong: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        settings([wrong], "--set")
