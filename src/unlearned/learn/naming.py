"""The names of a forget set: which words, of what kind, and which strangers they cannot share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from unlearned.examples import Row
from unlearned.substitution.bank import KINDS, Bank, kind_by_itself, stand_ins
from unlearned.substitution.entities import WORD, Entity, entities
from unlearned.substitution.spelling import KEPT, TOKEN, common_words, names_in, singulars
from unlearned.substitution.strangers import Strangers
from unlearned.substitution.table import KnownName, NameTable
from unlearned.words import squash

AT_A_PLACE = re.compile(r"\b(?:in|at|from|near|to|visit) $")
MOST_SKIPPED = 255


def name_table(
    secret: bytes, scope: str, forget: Sequence[Row], retain: Sequence[Row], bank: Bank, also: Sequence[str] = ()
) -> NameTable:
    """The names of a scope, each with a stranger of its own.

    Args:
        secret: of the artifact.
        scope: its name.
        forget: prompts, with the answers that came with them.
        retain: prompts that must stay: their words stand for nobody.
        bank: words of the model's tokenizer.
        also: words that count as names in any casing.
    """
    texts = texts_of(forget)
    told = {squash(word): word for word in also if squash(word) not in KEPT}
    names = told | {squash(name): name for name in names_in(texts) if squash(name) not in KEPT}
    names = {key: name for key, name in names.items() if names.keys().isdisjoint(stem for stem, _ in singulars(key))}
    votes = _votes(texts, names, bank)
    common = common_words(texts)
    unusable = _in_bank([*texts, *texts_of(retain)])
    kinds = {
        key: max(votes[key], key=lambda kind: votes[key][kind])
        if votes[key]
        else kind_by_itself(name, bank.is_ordinary)
        for key, name in names.items()
    }
    ordinary = {key for key in names if key not in told and (key in common or bank.is_ordinary(key))}
    known = {key: KnownName(kind, 0, key in ordinary) for key, kind in kinds.items()}
    # In an order of the key's own, so that the table tells nothing about the order of the data.
    found: dict[str, KnownName] = {}
    taken: set[str] = set()
    draft = NameTable.of(secret, scope, known, unusable)
    strangers = Strangers(draft, bank)
    for key in sorted(known, key=draft.hash):
        passed = 0
        for candidate in strangers.candidates(names[key], kinds[key]):
            if squash(candidate) not in taken or passed == MOST_SKIPPED:
                taken.add(squash(candidate))
                break
            passed += 1
        found[key] = KnownName(kinds[key], passed, known[key].ordinary)
    return NameTable.of(secret, scope, found, unusable)


def texts_of(rows: Sequence[Row]) -> list[str]:
    """All texts of the rows."""
    texts = [(row.prompt, row.answer, row.paraphrased_answer, *row.choices, *row.wrong_answers) for row in rows]
    return [text for own in texts for text in own if text]


def _votes(texts: Sequence[str], names: dict[str, str], bank: Bank) -> dict[str, Counter[str]]:
    """What the places say in which a name stands: behind "in", first or last of a name of several words."""
    votes = {key: Counter[str]() for key in names}
    for text in texts:
        found = [entity for entity in entities(text, (), bank) if entity.form == WORD and entity.key in names]
        for place, entity in enumerate(found):
            joined_before = place > 0 and _adjacent(text, found[place - 1], entity)
            joined_after = place + 1 < len(found) and _adjacent(text, entity, found[place + 1])
            by_itself = kind_by_itself(entity.text, bank.is_ordinary)
            if by_itself == "place" or (
                AT_A_PLACE.search(text[: entity.start]) and not joined_after and by_itself != "thing"
            ):
                votes[entity.key]["place"] += 1
            elif joined_before or joined_after:
                given = by_itself if by_itself in ("she", "he") else None
                if by_itself == "thing":
                    votes[entity.key]["thing"] += 1
                elif joined_after and not joined_before:
                    votes[entity.key][given or ("she" if entity.key.endswith(("a", "e", "ie")) else "he")] += 1
                else:
                    votes[entity.key][given or "surname"] += 1
    return votes


def _adjacent(text: str, one: Entity, other: Entity) -> bool:
    return re.fullmatch(r" |\. |-", text[one.end : other.start]) is not None


def _in_bank(texts: Sequence[str]) -> list[str]:
    """The words of the bank that the texts have."""
    bank = {squash(word) for kind, words in stand_ins().items() if kind in KINDS for word in words}
    return sorted(bank & {squash(token.group()) for text in texts for token in TOKEN.finditer(text)})
