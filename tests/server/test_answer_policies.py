"""What is held back in answers is what the artifact says, unless the server is told otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from unlearned.answers.withheld import Withheld
from unlearned.classify.lexicon import ScopeName
from unlearned.errors import ConfigError
from unlearned.server.answer_policies import AnswerPolicies

HELD = Withheld(names=(ScopeName(name="Hogwarts", kind="place"),), policy="names")


def policies(artifact: Any) -> dict[str, str]:
    return {scope.name: scope.withheld.policy for scope in artifact.scopes}


def test_one_scope_is_set_and_the_others_stay(make_artifact: Any, make_scope: Any) -> None:
    scopes = (replace(make_scope("potter"), withheld=HELD), replace(make_scope("bread"), withheld=HELD))
    artifact = make_artifact(*scopes)
    for given, expected in (
        ([], {"potter": "names", "bread": "names"}),
        (["off"], {"potter": "off", "bread": "off"}),
        (["potter=off"], {"potter": "off", "bread": "names"}),
        (["off", "bread=names"], {"potter": "off", "bread": "names"}),
    ):
        (applied,) = AnswerPolicies.read(given).applied([artifact])
        assert policies(applied) == expected, given
    assert policies(artifact) == {"potter": "names", "bread": "names"}


@pytest.mark.parametrize("given", [["all"], ["potter="], ["potter=Names"], ["off", "names"], ["a=off", "a=off"]])
def test_policies_that_are_none_and_repeated_ones_are_refused(given: list[str]) -> None:
    with pytest.raises(ConfigError):
        AnswerPolicies.read(given)


def test_an_instruction_holds_nothing_back_and_may_stand_where_nothing_is_said() -> None:
    from unlearned.unlearners.instruction import Instruction

    one = Instruction.__new__(Instruction)
    assert AnswerPolicies.read([]).applied([one]) == [one]
    with pytest.raises(ConfigError):
        AnswerPolicies.read(["names"]).applied([one])
