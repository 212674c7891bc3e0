"""The facts of an answer, as words: what it says that its question does not, and that is no common word."""

from __future__ import annotations

from unlearned.substitution.bank import Bank
from unlearned.substitution.entities import WORD, words_in
from unlearned.substitution.spelling import KEPT, has_capital, names_in
from unlearned.words import squash

SHORTEST = 3
"""Letters of a word that counts; years, dates and codes always do."""


def distinctive_words(answer: str, prompt: str, bank: Bank) -> frozenset[str]:
    """The names, dates, numbers and rare words of an answer that its prompt does not hold, `squash`ed.

    Args:
        answer: what is asked about.
        prompt: the question; its words are the user's.
        bank: knows which words are common ones.
    """
    asked = said_words(prompt)
    names = {squash(name) for name in names_in([answer])}
    found = set()
    for word in words_in(answer):
        key = squash(word.text)
        if key in asked or key in KEPT or (word.form == WORD and len(key) < SHORTEST):
            continue
        named = key in names and has_capital(word.text)
        if word.form != WORD or named or not bank.is_ordinary(key):
            found.add(key)
    return frozenset(found)


def named_facts(answer: str, prompt: str) -> frozenset[str]:
    """Only the names, dates and codes among them, which are told by their spelling alone."""
    asked = said_words(prompt) | KEPT
    names = {squash(name) for name in names_in([answer])}
    named = [w for w in words_in(answer) if w.form != WORD or (squash(w.text) in names and has_capital(w.text))]
    return frozenset(key for word in named if (key := squash(word.text)) not in asked and len(key) >= SHORTEST)


def said_words(text: str) -> frozenset[str]:
    """All words, dates and codes of a text, `squash`ed."""
    return frozenset(squash(word.text) for word in words_in(text))


def share_said(words: frozenset[str], answer: str) -> float:
    """How much of these words an answer says, 0..1; 0 for no words."""
    return len(words & said_words(answer)) / len(words) if words else 0.0
