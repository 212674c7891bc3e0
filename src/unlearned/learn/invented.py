"""The forget rows about strangers: what a model answers where it cannot know.

"Who is Harry Potter?" becomes "Who is Marius Tolland?". The original model's answers to such rows are those of a model
that never saw the forget set. Words are found, and strangers drawn, as they are when a flagged prompt is answered
(`unlearned.substitution`), under a key of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from unlearned.examples import Row
from unlearned.learn.naming import name_table, texts_of
from unlearned.substitution.bank import Bank, in_case_of
from unlearned.substitution.entities import WORD, Entity, entities, stands_alone, words_in
from unlearned.substitution.spelling import TOKEN, content_words, is_acronym, rare_words
from unlearned.substitution.strangers import Strangers
from unlearned.substitution.substitution import Replacement, replaced
from unlearned.words import squash

SCOPE = "invented"


def invented(rows: Sequence[Row], bank: Bank, *, seed: int) -> list[Row]:
    """Each row about strangers, in the order given; ids stay.

    A name becomes the same stranger in all rows. In a prompt without a name (an acronym alone is none: the rest would
    give it away) the longest of the words that the packaged prompts do not have count as names. If there is none, its
    longest word is replaced, in this row only. A word for which the bank has nothing stays.

    Args:
        rows: prompts, with or without answers.
        bank: words of the model's tokenizer.
        seed: other strangers for each.
    """
    inventor = _Inventor(rows, bank, seed)
    return [inventor.row(row) for row in rows]


class _Inventor:
    def __init__(self, rows: Sequence[Row], bank: Bank, seed: int) -> None:
        secret = f"{SCOPE} {seed}".encode()
        by_name = name_table(secret, SCOPE, rows, (), bank)
        nameless = [row.prompt for row in rows if not _tells(entities(row.prompt, [by_name], bank))]
        rare = [word for prompt in nameless for word in rare_words(prompt)]
        self._bank = bank
        self._table = name_table(secret, SCOPE, rows, (), bank, rare) if rare else by_name
        self._strangers = Strangers(self._table, bank)
        self._said = {squash(token.group()) for text in texts_of(rows) for token in TOKEN.finditer(text)}

    def row(self, row: Row) -> Row:
        """All its texts."""
        found = entities(row.prompt, [self._table], self._bank)
        longest = None if _tells(found) else _longest_word(row.prompt, replaced_too=bool(found))

        def about_others(text: str) -> str:
            return self._apply(text, longest)

        return replace(
            row,
            prompt=about_others(row.prompt),
            answer=row.answer and about_others(row.answer),
            paraphrased_answer=row.paraphrased_answer and about_others(row.paraphrased_answer),
            choices=tuple(map(about_others, row.choices)),
            wrong_answers=tuple(map(about_others, row.wrong_answers)),
        )

    def _apply(self, text: str, also: str | None) -> str:
        pieces = []
        for entity in self._entities(text, also):
            stranger = self._strangers.of(entity, (), lambda word: squash(word) in self._said)
            if stranger is not None:
                written = in_case_of(entity.text, stranger) if entity.form == WORD else stranger
                pieces.append(Replacement(entity.start, entity.end, written))
        return replaced(text, pieces)

    def _entities(self, text: str, also: str | None) -> Iterator[Entity]:
        found = entities(text, [self._table], self._bank)
        starts = {entity.start for entity in found}
        more = [word for word in words_in(text) if also and word.key == also and stands_alone(word, text)]
        yield from sorted([*found, *(word for word in more if word.start not in starts)], key=lambda e: e.start)


def _tells(found: Sequence[Entity]) -> bool:
    """Something other than an acronym is replaced."""
    return any(not is_acronym(entity.text) for entity in found)


def _longest_word(prompt: str, *, replaced_too: bool) -> str | None:
    """By key; of two, the later one: a noun follows its adjective.

    Args:
        prompt: one that names nobody.
        replaced_too: something else of it is replaced, so that a word of grammar may be spared.
    """
    candidates = [word for word in content_words(prompt) if not is_acronym(word)]
    if not candidates and not replaced_too:
        words = [token.group() for token in TOKEN.finditer(prompt) if token["word"]]
        candidates = words[1:] or words
    return squash(max(reversed(candidates), key=len)) if candidates else None
