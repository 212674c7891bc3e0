"""What detection knows of a forget scope."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from unlearned.classify.base import Features, Floats, PromptClassifier
from unlearned.classify.exemptions import Exemptions
from unlearned.classify.intents import Intents
from unlearned.classify.lexicon import Lexicon
from unlearned.classify.normalize import normalize
from unlearned.errors import ConfigError

Policy = Literal["pass", "corrupt"]
"""What to do with a passage in a language that the encoder does not read."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scope:
    """One named thing, and how to recognise what is about it."""

    name: str
    classifier: PromptClassifier
    threshold: float
    """A window is in scope iff p(forget | window) >= threshold."""

    short_penalty: float = 0.0
    """Taken from the log-odds of p(forget | window) where the window is short (`classify.scoring.is_short`): it has
    little to be judged by."""

    exemptions: Exemptions | None = None
    """What resembles these about as much as the forget examples is not in scope; see `Exemptions.cover`."""

    intents: Intents | None = None
    """What a question that names nobody must ask to be taken for one about the scope. None = anything: few prompts, or
    an encoder that gives no vectors."""

    lexicon: Lexicon = field(default_factory=Lexicon)
    """Its names and rare words."""

    other_languages: Policy = "pass"
    """What happens to passages in a language that the classifier's encoder does not read."""

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:  # NaN would let everything pass
            raise ConfigError(f"threshold={self.threshold} of the scope {self.name!r}: must lie in 0..1.")
        if not 0 <= self.short_penalty < math.inf:
            raise ConfigError(f"short_penalty={self.short_penalty} of the scope {self.name!r}: must not be negative.")

    def score(self, texts: Sequence[str]) -> Floats:
        """N texts -> (N,) p(forget | text), each text as a whole."""
        read = [self.lexicon.said(normalize(text)).text for text in texts]
        return self.classifier.predict_proba(Features.of(read, self.classifier.encoder))

    def detector_sha256(self) -> str:
        """Hash of everything that decides a verdict."""
        settings, arrays = self.classifier.state()
        said = [self.name, self.threshold, self.short_penalty, self.other_languages, settings]
        said += [type(self.classifier).__name__, self.classifier.encoder.name]
        if (exempt := self.exemptions) is not None:
            arrays = arrays | {"exempt": exempt.examples, "exempt from": exempt.forget, "exempt names": exempt.names}
        if self.intents is not None:
            said.append(self.intents.least)
            arrays = arrays | {"matters": self.intents.vectors}
        if self.lexicon:
            arrays = arrays | {"lexicon": self.lexicon.sealed(b"")}
        digest = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode())
        for name, array in sorted(arrays.items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
        return digest.hexdigest()
