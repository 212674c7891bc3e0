"""How a scope is found in other spellings than its prompts have: forms of its names, case, garbled words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unlearned.classify.base import Floats
from unlearned.classify.lexicon import Lexicon
from unlearned.examples import evenly
from unlearned.names.forms import form_classes
from unlearned.names.garbling import GARBLINGS

MOST = 16
"""Prompts that are asked in each spelling."""

CASES: dict[str, Callable[[str], str]] = {"lower case": str.lower, "capitals": str.upper}


@dataclass(frozen=True, slots=True)
class Spelling:
    """A forget prompt in another spelling."""

    prompt: int
    """Index of the forget prompt."""

    kind: str
    text: str


def spellings(forget: Sequence[str], lexicon: Lexicon) -> list[Spelling]:
    """Forget prompts, spelt otherwise: at most `MOST` for each form of a name, for other cases and garbled words."""
    found = [spelling for own in _forms(forget, lexicon).values() for spelling in evenly(own, MOST)]
    for kind, change in (CASES | GARBLINGS).items():
        found += [Spelling(n, kind, change(forget[n])) for n in evenly(range(len(forget)), MOST)]
    return found


def spelling_scores(
    forget: Sequence[str], lexicon: Lexicon, score: Callable[[Sequence[Spelling]], Floats]
) -> dict[str, Floats]:
    """Spelling -> scores of the prompts that are spelt so, by classifiers that had not seen them."""
    asked = spellings(forget, lexicon)
    scores = score(asked)
    kinds = dict.fromkeys(one.kind for one in asked)
    return {kind: scores[[n for n, one in enumerate(asked) if one.kind == kind]] for kind in kinds}


def _forms(forget: Sequence[str], lexicon: Lexicon) -> dict[str, list[Spelling]]:
    """Every prompt that has a name, with the name in one form of each class: another one in each prompt."""
    classes = [form_classes(one.name, kind=one.kind) for one in lexicon.names]
    for own, one in zip(classes, lexicon.names, strict=True):
        if one.aliases:
            own["aliases"] = one.aliases
    found: dict[str, list[Spelling]] = {}
    for n, text in enumerate(forget):
        for match in lexicon.matcher.find(text):
            for kind, forms in classes[match.name].items():
                if kind == "as given":
                    continue
                form = forms[len(found.setdefault(kind, [])) % len(forms)]
                found[kind].append(Spelling(n, f"name: {kind}", text[: match.start] + form + text[match.end :]))
            break
    return found
