"""One registry for every kind of part."""

from __future__ import annotations

import math
import sys

import pytest

from unlearned.errors import ConfigError, UnknownNameError
from unlearned.registry import Registry


@pytest.fixture
def colours() -> Registry[object]:
    registry: Registry[object] = Registry("colour")
    registry.register("red", 1)
    registry.register("green", 2)
    return registry


def test_a_registered_part_is_found_by_its_name(colours: Registry[object]) -> None:
    assert colours.get("red") == 1
    assert colours.names() == ["green", "red"]


def test_a_taken_name_is_refused_and_the_first_part_stays(colours: Registry[object]) -> None:
    with pytest.raises(ConfigError, match=r"colour 'red' is registered already"):
        colours.register("red", 3)
    assert colours.get("red") == 1


def test_an_unknown_name_is_answered_with_the_nearest_and_all_known_ones(colours: Registry[object]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        colours.get("gren")
    assert str(caught.value) == "Unknown colour 'gren'. Did you mean 'green'? Known: green, red."


def test_a_name_like_no_other_gets_no_suggestion(colours: Registry[object]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        colours.get("xyz")
    assert str(caught.value) == "Unknown colour 'xyz'. Known: green, red."
    assert isinstance(caught.value, KeyError)


def test_a_target_given_as_text_is_imported_on_first_use_only(colours: Registry[object]) -> None:
    sys.modules.pop("this_is_no_module", None)
    colours.register("pi", "math:pi")
    colours.register("broken", "this_is_no_module:x")  # not imported here
    assert colours.get("pi") == math.pi
    assert colours.get("pi") == math.pi
    with pytest.raises(ModuleNotFoundError):
        colours.get("broken")


def test_two_registries_do_not_share_names(colours: Registry[object]) -> None:
    assert Registry("shape").names() == []
    assert colours.names() == ["green", "red"]
