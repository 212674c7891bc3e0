"""What is held back in answers: what each artifact was made with, or what the server is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from unlearned.server.by_scope import ByScope, Kind, check_no_instruction, of_scope, read_by_scope, with_scopes

if TYPE_CHECKING:
    from unlearned.answers.withheld import AnswerPolicy
    from unlearned.unlearners.eco import ForgetScope


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerPolicies:
    """By scope; what names none is for all others. None of either: as the artifact was made."""

    policies: ByScope[AnswerPolicy] = field(default_factory=dict)

    @classmethod
    def read(cls, policies: Sequence[str]) -> AnswerPolicies:
        """Read the options `POLICY` or `SCOPE=POLICY`.

        Raises:
            ConfigError: one is no policy, or is given twice.
        """
        from unlearned.answers.withheld import checked_policy

        said = read_by_scope(policies, "--answers")
        return cls(policies={scope: checked_policy(policy) for scope, policy in said.items()})

    def applied(self, artifacts: Sequence[Kind]) -> list[Kind]:
        """The artifacts as they are to be enforced.

        Raises:
            ConfigError: an instruction holds nothing back.
        """
        if not self.policies:
            return list(artifacts)
        check_no_instruction(artifacts, "--answers")
        return [with_scopes(one, self._scope) for one in artifacts]

    def _scope(self, scope: ForgetScope) -> ForgetScope:
        from unlearned.answers.withheld import under

        policy = of_scope(self.policies, scope.name)
        return scope if policy is None else replace(scope, withheld=under(scope.withheld, policy, scope.lexicon))
