"""The names of a scope: those that the user gives, and those that its forget prompts are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from unlearned.classify.decoding import everyday_words
from unlearned.classify.lexicon import Lexicon, ScopeName
from unlearned.errors import ConfigError
from unlearned.learn.whole_names import whole_names
from unlearned.names.forms import Kind
from unlearned.names.matcher import key_of, tokens
from unlearned.names.parts import bare, is_title
from unlearned.names.words import KEPT
from unlearned.substitution.spelling import TOKEN, has_capital, ordinary_words

LEAST_LETTERS = 2
LEAST_PROMPTS = 2
"""Forget prompts that have a name of several words, until it counts as one of the scope's."""

MOST_NAMES, MOST_WORDS = 2_000, 20_000


def lexicon_of(forget: Sequence[str], others: Sequence[str], given: Sequence[ScopeName] = ()) -> Lexicon:
    """The names and rare words of a scope.

    Args:
        forget: the forget prompts, as detection reads them.
        others: the close prompts; a name that stands in one of them is not the scope's.
        given: the user's.
    """
    return Lexicon([*given, *names_of(forget, others, given)], rare_words_of(forget, given))


def names_of(forget: Sequence[str], others: Sequence[str], given: Sequence[ScopeName] = ()) -> list[ScopeName]:
    """Names of several words that at least two forget prompts have and no other prompt, the most frequent first."""
    counts, spellings = Counter[str](), dict[str, str]()
    for text, own in zip(forget, whole_names(forget), strict=True):
        in_text = set()
        for words in own:
            spelt = text[words[0].start() : words[-1].end()]
            while len(words) > 1 and is_title(words[0].group()):  # "Mr. Bennet": in which the rest is the name
                words = words[1:]
            if len([word for word in words if len(word.group()) > 1 and has_capital(word.group())]) > 1:
                in_text.add(spelt)
        for spelt in in_text:
            counts[key_of(spelt)] += 1
            spellings.setdefault(key_of(spelt), spelt)
    elsewhere = " / ".join(others)
    known = {token.key for token in tokens(elsewhere)}
    by_user = Lexicon(given)
    of_user = [{token.key for token in tokens(one.name)} for one in given]
    found = []
    for key, times in counts.most_common(MOST_NAMES):
        name = spellings[key]
        is_others = all(token.key in known for token in tokens(name)) and bare(name) in bare(elsewhere)
        is_given = bool(by_user.places(name)) or any(own <= {token.key for token in tokens(name)} for own in of_user)
        if times >= LEAST_PROMPTS and not is_others and not is_given:
            found.append(ScopeName(name=name, given=False))
    return found


def rare_words_of(forget: Sequence[str], given: Sequence[ScopeName] = ()) -> list[str]:
    """Words of the scope that the packaged prompts do not have, in lower case, sorted."""
    texts = [*forget, *(text for one in given for text in (one.name, *one.aliases))]
    words = {bare(token.group()) for text in texts for token in TOKEN.finditer(text) if token["word"]}
    rare = {word for word in words if len(word) > LEAST_LETTERS and word not in everyday_words() | KEPT}
    return sorted(rare)[:MOST_WORDS]


def checked_name(name: str, *, about: bool) -> str:
    """A name that a user gives, as it can be used.

    Raises:
        ConfigError: it is empty, one letter, or a common word that nothing tells apart from that word.
    """
    words = [token.key for token in tokens(name)]
    if sum(len(bare(word)) for word in words) < LEAST_LETTERS:
        raise ConfigError(f"The name {name!r} has fewer than two letters. Give the whole name.")
    if not about and is_ordinary(name):
        raise ConfigError(
            f"{name!r} is also an ordinary word: every text with it would be in scope. "
            "Say whom you mean with --about (about=...), or give a longer name."
        )
    return " ".join(name.split())


def given_names_of(
    names: Sequence[str], *, kind: Kind = "person", aliases: Sequence[str] = ()
) -> tuple[ScopeName, ...]:
    """Names that a user gives, as detection knows them; one that is a common word is in scope with its context only.

    Args:
        names: each in full.
        kind: of all of them.
        aliases: of the first one.
    """
    return tuple(
        ScopeName(name=name, kind=kind, aliases=tuple(aliases) if n == 0 else (), alone=not is_ordinary(name))
        for n, name in enumerate(names)
    )


def is_ordinary(name: str) -> bool:
    """Whether the name is one common word, so that a text with it need not mean its bearer."""
    words = [token.key for token in tokens(name)]
    return len(words) == 1 and words[0] in ordinary_words() | KEPT
