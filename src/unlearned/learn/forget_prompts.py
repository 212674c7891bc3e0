"""The forget prompts as they would reach the model under any corruption: all that does not depend on it, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from unlearned.corrupt.corruption import Corruption
from unlearned.engines.base import Engine
from unlearned.errors import UnlearnedError
from unlearned.types import Prompt, PromptInput, Span, Verdict
from unlearned.unlearners.eco import ForgetScope
from unlearned.unlearners.selected import Selected, Selection, selection


class ForgetPrompts:
    """Training prompts of one scope, each in scope as a whole, as it would be at inference.

    Args:
        engine: looks the embeddings up.
        scope: decides which tokens are selected, and keys the noise; its own corruption is not used.
        prompts: N prompts.
    """

    def __init__(self, engine: Engine, scope: ForgetScope, prompts: Sequence[Prompt]) -> None:
        self.scope = replace(scope, corruption=None)
        self.prompts = tuple(prompts)
        self._engine = engine
        self._selections: dict[bool, list[Selection]] = {}

    @property
    def selected(self) -> list[tuple[Selected, ...]]:
        """The spans of each prompt whose tokens are corrupted."""
        return [found.spans for found in self.selections(substitutes=False)]

    def selections(self, *, substitutes: bool) -> list[Selection]:
        """What is corrupted of each prompt, with strangers for its words or without."""
        if substitutes not in self._selections:
            self._selections[substitutes] = [self._selection(prompt, substitutes) for prompt in self.prompts]
        return self._selections[substitutes]

    def inputs(self, corruption: Corruption) -> list[PromptInput]:
        """The N prompts, corrupted; exactly what `ECO.corrupt` makes of them with this corruption."""
        scopes = {self.scope.name: self.scope}
        chosen = self.selections(substitutes=corruption.substitutes)
        return [found.read(scopes, lambda _: corruption) for found in chosen]

    def _selection(self, prompt: Prompt, substitutes: bool) -> Selection:
        verdict = whole(prompt, self.scope.name)
        try:
            return selection(prompt, verdict, {self.scope.name: self.scope}, self._engine, substitutes=substitutes)
        except UnlearnedError as error:
            raise UnlearnedError(
                f"The forget prompt {prompt.text!r} has no token that could be corrupted. Leave it out."
            ) from error


def plain(prompts: Sequence[Prompt]) -> list[PromptInput]:
    """Prompts as the original model reads them."""
    return [PromptInput(prompt.token_ids) for prompt in prompts]


def whole(prompt: Prompt, scope: str) -> Verdict:
    """The verdict that all of a prompt's words, besides a system message, are in this scope."""
    user = [segment for segment in prompt.segments if segment.role != "system"] or list(prompt.segments)
    return Verdict(tuple(Span(segment.start, segment.end, scope, 1.0) for segment in user), 1.0)
