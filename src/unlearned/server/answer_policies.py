"""What is held back in answers: what each artifact was made with, or what the server is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from unlearned.answers.withheld import AnswerPolicy, checked_policy, under
from unlearned.artifact.artifact import Artifact
from unlearned.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerPolicies:
    """By scope; what names none is for all others. None of either: as the artifact was made."""

    policies: Mapping[str | None, AnswerPolicy] = field(default_factory=dict)

    @classmethod
    def read(cls, policies: Sequence[str]) -> AnswerPolicies:
        """Of the options `POLICY` or `SCOPE=POLICY`.

        Raises:
            ConfigError: one is no policy, or is given twice.
        """
        found: dict[str | None, AnswerPolicy] = {}
        for text in policies:
            name, equals, policy = text.rpartition("=")
            scope = name if equals else None
            if scope in found:
                raise ConfigError(f"--answers is given twice for {scope or 'all scopes'}. Leave one out.")
            found[scope] = checked_policy(policy)
        return cls(policies=found)

    def applied(self, artifacts: Sequence[Artifact]) -> list[Artifact]:
        """The artifacts as they are to be enforced."""
        if not self.policies:
            return list(artifacts)
        changed = []
        for artifact in artifacts:
            scopes = []
            for scope in artifact.scopes:
                policy = self.policies.get(scope.name, self.policies.get(None))
                if policy is not None:
                    scope = replace(scope, withheld=under(scope.withheld, policy, scope.lexicon))
                scopes.append(scope)
            changed.append(replace(artifact, scopes=tuple(scopes)))
        return changed
