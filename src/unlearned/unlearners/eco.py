"""Embedding-corrupted prompts (ECO): the one place where classification, selection and corruption meet.

Source: Liu et al. 2024, "Large Language Model Unlearning via Embedding-Corrupted Prompts", arXiv:2406.07933.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from unlearned import envelope
from unlearned.answers.content import ContentReader
from unlearned.answers.guard import Bans, Guard
from unlearned.answers.withheld import Withheld
from unlearned.classify.borders import detect_in_conversations
from unlearned.classify.scope import Scope
from unlearned.classify.scope_set import ScopeSet
from unlearned.corrupt.corruption import Corruption, keyed_generator
from unlearned.engines.base import Embedder
from unlearned.errors import UnlearnedError
from unlearned.select.positions import selectors
from unlearned.substitution.bank import Bank
from unlearned.substitution.strangers import Strangers
from unlearned.substitution.table import NameTable
from unlearned.types import Prompt, PromptInput, Verdict
from unlearned.unlearners.selected import selection

if TYPE_CHECKING:
    from torch import Tensor

LEARN_IT = "Learn it on this model: unlearned fit --detector FOLDER --model MODEL --forget FILE --out FOLDER."


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class ForgetScope(Scope):
    """One named thing to forget: how to recognise it, and what to do to it."""

    secret: bytes = field(repr=False)
    """Secret of the artifact: keys the noise and the strangers."""

    corruption: Corruption | None = None
    """None: only a detector so far, with which nothing can be generated."""

    selector: str = "spans"
    """Name of a registered token selector."""

    enrolled: NameTable | None = None
    """The names of the scope, where strangers stand for them; None = names are told by their spelling alone."""

    answer: str | None = None
    """What is said to flagged prompts in place of the model's answer; None = the model answers the corrupted prompt."""

    withheld: Withheld | None = None
    """What of the scope may not be said unasked, whatever the prompt; None = it was made without."""

    _strangers: dict[Bank, Strangers] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        Scope.__post_init__(self)
        selectors.get(self.selector)

    def __repr__(self) -> str:
        done = "a detector only" if self.corruption is None else f"{self.corruption.function} on {self.selector}"
        return f"ForgetScope({self.name!r}, {type(self.classifier).__name__} >= {self.threshold:.4g}, {done})"

    def strangers(self, bank: Bank) -> Strangers:
        """Who stands for the words of the scope under a model's tokenizer; made once for each."""
        if bank not in self._strangers:
            self._strangers[bank] = Strangers(self.enrolled or NameTable(self.secret, self.name), bank)
        return self._strangers[bank]

    @property
    def learned(self) -> Corruption:
        """The corruption; raises `UnlearnedError` if there is none yet."""
        if self.corruption is None:
            raise UnlearnedError(f"The scope {self.name!r} has no strength yet. {LEARN_IT}")
        return self.corruption

    def noise(self, corruption: Corruption, token_ids: Sequence[int], vectors: Tensor) -> Tensor:
        """(N, D) embeddings of some tokens of one span -> (N, D) corrupted ones.

        Keyed by the words of the span and nothing else: the same in every batch, turn, process and engine.
        """
        return corruption.apply(vectors, keyed_generator(self.secret, self.name, token_ids))


class ECO:
    """Embedding-corrupted prompts for a set of forget scopes."""

    method: ClassVar[str] = envelope.ECO
    lengthens: ClassVar[bool] = False

    def __init__(self, scopes: Sequence[ForgetScope]) -> None:
        # Sorted, so that the order in which artifacts were loaded changes nothing.
        self.scopes = tuple(sorted(scopes, key=lambda scope: scope.name))
        self._by_name = {scope.name: scope for scope in self.scopes}
        if len(self._by_name) < len(self.scopes):
            names = [scope.name for scope in self.scopes]
            twice = next(name for name in names if names.count(name) > 1)
            raise UnlearnedError(
                f"Two artifacts have the scope {twice!r}; each scope is enforced once. Leave one of them out."
            )

    def __repr__(self) -> str:
        return f"ECO({', '.join(scope.name for scope in self.scopes)})"

    @cached_property
    def _set(self) -> ScopeSet:
        return ScopeSet(self.scopes)

    def ready(self) -> None:
        """Work out now what the first prompt would wait for."""
        self._set.ready()

    @cached_property
    def bans(self) -> Bans:
        """What the scopes hold back in answers, together."""
        told = [(scope, scope.withheld) for scope in self.scopes if scope.withheld is not None]
        reading = [scope for scope, withheld in told if withheld.reads_content]
        return Bans([withheld for _, withheld in told], ContentReader(reading) if reading else None)

    def prepare(self, prompts: Sequence[Prompt], embedder: Embedder) -> list[PromptInput]:
        """prompt -> classify -> select tokens -> corrupt. The engine generates from what this returns."""
        return self.prepared(prompts, self.classify(prompts), embedder)

    def prepared(self, prompts: Sequence[Prompt], verdicts: Sequence[Verdict], embedder: Embedder) -> list[PromptInput]:
        """Prepare prompts that were classified before; see `corrupt`."""
        return [self.corrupt(prompt, verdict, embedder) for prompt, verdict in zip(prompts, verdicts, strict=True)]

    def classify(self, prompts: Sequence[Prompt]) -> list[Verdict]:
        """The user's words only: no chat template, no answer tokens. Raises `DetectionError` rather than pass."""
        return detect_in_conversations(prompts, self._set)

    def corrupt(self, prompt: Prompt, verdict: Verdict, embedder: Embedder) -> PromptInput:
        """Corrupt the tokens of a flagged prompt's spans; any other prompt is handed on as it is.

        Where a scope substitutes, the result also says what has to be turned back in the answer; and where scopes hold
        back names or quotes, what may not be said in it, whether the prompt is flagged or not.

        Raises:
            UnlearnedError: the prompt is in scope but has no token to corrupt.
        """
        guard = Guard.of(self.bans, prompt, verdict)
        if not verdict.in_scope:
            return PromptInput(prompt.token_ids, verdict, guard=guard)  # the original model's own path, bit for bit
        answers = [answer for span in verdict.spans if (answer := self._by_name[span.scope].answer) is not None]
        found = selection(prompt, verdict, self._by_name, embedder, substitutes=not answers)
        if answers:
            return found.hidden(answers[0])
        return replace(found.read(self._by_name, lambda name: self._by_name[name].learned), guard=guard)
