"""Learn what the prompts of a scope ask about, apart from whom they name: `classify.intents`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from unlearned.classify.base import TextEncoder, as_saved
from unlearned.classify.intents import Intents
from unlearned.classify.normalize import normalize
from unlearned.classify.similarity import similarities
from unlearned.examples import Row, evenly
from unlearned.substitution.spelling import names_in
from unlearned.words import squash

LEAST_PROMPTS = 20
"""Fewer say too little about what else may be asked."""

MOST_PROMPTS = 1000

LOST = 0.05
"""Share of the prompts, each held against the others, that may resemble none of them."""

PLAINLY = 0.45
"""Cosine that is always enough. Most follow-up questions about authors of TOFU's retain split reach 0.6, remarks about
others in the same conversations 0.45."""

GENERAL = (
    "Who is he?",
    "Who is she?",
    "Tell me more about him.",
    "Tell me more about her.",
    "What do you know about it?",
    "What is his real name?",
    "How old is she?",
    "When was he born?",
    "When did she die?",
    "Is he still alive?",
    "Where does she live now?",
    "Is he married?",
    "Does she have children?",
    "Did he go to university?",
    "What is she known for?",
    "What happened to him?",
)
"""What may be asked about anybody, whether or not a forget prompt asks it."""

GENERALLY = 0.6
"""Cosine from which a question is one of those. Remarks about others in the same conversations reach 0.58."""

_WORD = re.compile(r"\w+(?:['’]s\b)?")


def intents_of(forget: Sequence[Row], encoder: TextEncoder) -> Intents | None:
    """Forget prompts -> what they ask, and what may be asked about anybody.

    Returns:
        None if the prompts are few, or the encoder gives no vectors to compare.
    """
    texts = [normalize(row.prompt) for row in forget]
    names = {squash(name) for name in names_in(texts)}
    asked = [text for text in dict.fromkeys(_without(text, names) for text in texts) if text]
    if len(asked) < LEAST_PROMPTS:
        return None
    general = encoder.encode(GENERAL)
    if general.shape[1] < 2:
        return None
    vectors = encoder.encode(evenly(asked, MOST_PROMPTS))
    near = similarities(vectors, vectors)
    np.fill_diagonal(near, -1.0)
    least = min(PLAINLY, float(np.quantile(near.max(axis=1), LOST)))
    everything = np.concatenate([vectors, general * np.float32(max(least, 0.0) / GENERALLY)])
    return Intents(as_saved(everything), least)


def _without(text: str, names: set[str]) -> str:
    """The text without these words."""
    kept = _WORD.sub(lambda word: "" if squash(re.sub("['’]s$", "", word.group())) in names else word.group(), text)
    return " ".join(kept.split())
