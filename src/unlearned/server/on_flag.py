"""What happens to a flagged prompt: what its artifact was fitted for, or one fixed answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from unlearned.errors import ConfigError
from unlearned.server.by_scope import ByScope, Kind, add, check_no_instruction, of_scope, read_by_scope, with_scopes

if TYPE_CHECKING:
    from unlearned.unlearners.eco import ForgetScope

MODES = ("substitute", "corrupt", "refuse")
ANSWER = "I don't know anything about that."


@dataclass(frozen=True, kw_only=True, slots=True)
class OnFlag:
    """By scope; what names none is for all others."""

    modes: ByScope[str] = field(default_factory=dict)
    answers: ByScope[str] = field(default_factory=dict)
    """What "refuse" answers."""

    def __post_init__(self) -> None:
        for mode in self.modes.values():
            if mode not in MODES:
                raise ConfigError(f"--on-flag {mode}: must be one of {', '.join(MODES)}, or SCOPE=one of them.")
        for scope, answer in self.answers.items():
            if self.mode(scope) != "refuse":
                raise ConfigError("--answer is what --on-flag refuse says. Give both, or none.")
            if not answer.strip():
                raise ConfigError("--answer is empty. Give the words that flagged prompts are answered with.")

    @classmethod
    def read(cls, modes: Sequence[str], answers: Sequence[str]) -> OnFlag:
        """Read the options `MODE` or `SCOPE=MODE`, and `TEXT` or `SCOPE=TEXT` of such a scope.

        Raises:
            ConfigError: one is not understood, or given twice.
        """
        found = read_by_scope(modes, "--on-flag")
        said: dict[str | None, str] = {}
        for text in answers:
            scope, equals, answer = text.partition("=")
            own = bool(equals) and scope in found
            add(said, scope if own else None, answer if own else text, "--answer")
        return cls(modes=found, answers=said)

    def mode(self, scope: str | None) -> str | None:
        """None = as it was fitted."""
        return of_scope(self.modes, scope)

    def applied(self, artifacts: Sequence[Kind]) -> list[Kind]:
        """The artifacts as they are to be enforced; a soft prompt flags nothing, so it stays as it is.

        Raises:
            ConfigError: a scope was not fitted for what is asked of it, or an instruction decides that by itself.
        """
        if not self.modes:
            return list(artifacts)
        check_no_instruction(artifacts, "--on-flag")
        return [with_scopes(one, self._scope) for one in artifacts]

    def _scope(self, scope: ForgetScope) -> ForgetScope:
        mode = self.mode(scope.name)
        if mode == "refuse":
            return replace(scope, answer=of_scope(self.answers, scope.name) or ANSWER)
        if (
            scope.corruption is not None
            and mode is not None
            and (mode == "substitute") is not scope.corruption.substitutes
        ):
            raise ConfigError(
                f"--on-flag {mode}: the scope {scope.name!r} was fitted with {scope.corruption.function!r}. Fit "
                "it again with another --corruption, or leave --on-flag out."
            )
        return scope
