"""An option that can be given again says something for one scope, or for all others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from unlearned.errors import ConfigError
from unlearned.server.by_scope import check_no_instruction, of_scope, read_by_scope, with_scopes
from unlearned.unlearners.instruction import Instruction


def test_a_value_is_for_the_scope_in_front_of_the_last_equals_sign() -> None:
    read = read_by_scope(["off", "potter=names", "a=b=names", "=empty"], "--answers")
    assert read == {None: "off", "potter": "names", "a=b": "names", "": "empty"}
    assert read_by_scope([], "--answers") == {}


@pytest.mark.parametrize("given", [["off", "names"], ["a=off", "b=off", "a=off"]])
def test_what_is_said_twice_is_refused(given: list[str]) -> None:
    with pytest.raises(ConfigError, match="--answers is given twice"):
        read_by_scope(given, "--answers")


def test_a_scope_has_its_own_value_and_else_that_of_all_others() -> None:
    values = {None: "others", "potter": "own"}
    assert (of_scope(values, "potter"), of_scope(values, "bread"), of_scope(values, None)) == (
        "own",
        "others",
        "others",
    )
    assert of_scope({"potter": "own"}, "bread") is None
    assert of_scope({}, None) is None


def test_only_what_has_scopes_is_changed_and_what_was_given_stays(make_artifact: Any, make_scope: Any) -> None:
    artifact = make_artifact(make_scope("potter"), make_scope("bread"))
    changed = with_scopes(artifact, lambda scope: replace(scope, threshold=0.875))
    assert [(scope.name, scope.threshold) for scope in changed.scopes] == [("potter", 0.875), ("bread", 0.875)]
    assert [scope.threshold for scope in artifact.scopes] == [0.5, 0.5]
    other = Instruction.__new__(Instruction)
    assert with_scopes(other, lambda scope: 1 / 0) is other


def test_an_instruction_is_told_that_the_option_would_do_nothing(make_artifact: Any) -> None:
    check_no_instruction([make_artifact()], "--answers")
    with pytest.raises(ConfigError, match="--answers"):
        check_no_instruction([make_artifact(), Instruction.__new__(Instruction)], "--answers")
