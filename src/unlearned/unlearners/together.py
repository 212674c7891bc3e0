"""Several unlearners as one: the scopes of all artifacts, behind a soft prompt if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from unlearned.engines.base import Embedder
from unlearned.types import Prompt, PromptInput, Verdict
from unlearned.unlearners.base import Unlearner, check_together
from unlearned.unlearners.eco import ECO
from unlearned.unlearners.spul import SPUL


@dataclass(frozen=True, eq=False)
class BehindSoftPrompt:
    """A soft prompt in front of every prompt; behind it, what artifacts corrupt stays corrupted."""

    soft: SPUL
    eco: ECO

    method: ClassVar[str] = f"{SPUL.method}+{ECO.method}"
    lengthens: ClassVar[bool] = True

    def classify(self, prompts: Sequence[Prompt]) -> list[Verdict]:
        """Verdicts of the artifacts of scopes: the soft prompt has no detector."""
        return self.eco.classify(prompts)

    def prepared(self, prompts: Sequence[Prompt], verdicts: Sequence[Verdict], embedder: Embedder) -> list[PromptInput]:
        """Corrupted where flagged, then behind the vectors. Raises `UnlearnedError`, as ECO and SPUL do."""
        return self.soft.prepended_to(self.eco.prepared(prompts, verdicts, embedder), embedder)

    def prepare(self, prompts: Sequence[Prompt], embedder: Embedder) -> list[PromptInput]:
        """`classify`, then `prepared`."""
        return self.prepared(prompts, self.classify(prompts), embedder)


def together(unlearners: Sequence[Unlearner]) -> Unlearner:
    """One unlearner that does what all of these do; of none, every prompt passes.

    Raises:
        ConfigError: these do not stand together.
        UnlearnedError: two of them have a scope of the same name.
    """
    check_together([one.method for one in unlearners])
    soft = next((one for one in unlearners if isinstance(one, SPUL)), None)
    ecos = [one for one in unlearners if isinstance(one, ECO)]
    others = [one for one in unlearners if not isinstance(one, (ECO, SPUL))]
    if others:
        return others[0]
    if soft is not None and not ecos:
        return soft
    eco = ECO([scope for one in ecos for scope in one.scopes])
    return eco if soft is None else BehindSoftPrompt(soft, eco)
