"""What is to be forgotten, as a user says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from unlearned.classify.decoding import everyday_words
from unlearned.classify.lexicon import Lexicon, ScopeName
from unlearned.errors import ConfigError
from unlearned.learn.scope_names import checked_name, given_names_of, is_ordinary
from unlearned.names.forms import KINDS, Kind
from unlearned.names.parts import bare, person_name
from unlearned.names.people import parts_of_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One person, work, place, organisation or product; or several names of one thing."""

    names: tuple[str, ...]
    """Each in full."""

    kind: Kind = "person"
    aliases: tuple[str, ...] = ()
    """Nicknames and the like, of the first name."""

    about: tuple[str, ...] = ()
    """Who is meant: "dentist in Villach". A name that is also a common word is in scope only with its context."""

    not_about: tuple[str, ...] = ()
    """Who is not meant, in words that can stand in a question: "Jordan Smith, the cricketer"."""

    scope_names: tuple[ScopeName, ...] = field(init=False)
    """Names as detection knows them."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"kind={self.kind!r}: must be one of {', '.join(KINDS)}.")
        if isinstance(self.names, str) or not self.names:
            raise ConfigError("Give at least one name, or several as a list.")
        names = tuple(checked_name(name, about=bool(self.about)) for name in self.names)
        aliases = tuple(checked_name(alias, about=bool(self.about)) for alias in self.aliases)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "scope_names", given_names_of(names, kind=self.kind, aliases=aliases))

    def lexicon(self) -> Lexicon:
        """Finds the names in a text."""
        return Lexicon(self.scope_names)

    def last_name_alone(self) -> str | None:
        """A person's last name, if it is no common word and no alias yet. Whether it means that person is not known."""
        if self.kind != "person" or self.about or self.not_about:
            return None
        parsed = person_name(self.names[0])
        if len(parsed.units) < 2 or is_ordinary(parsed.last) or parsed.last in self.aliases:
            return None
        return parsed.last

    def spelt(self) -> list[str]:
        """The names as prompts say them: each, each with who is meant, and the last name where that is plain."""
        lasts = (
            [] if self.about or self.kind != "person" else [last for name in self.names if (last := last_name(name))]
        )
        return [*self.names, *(f"{self.names[0]}, {about}," for about in self.about), *lasts]


def last_name(name: str) -> str | None:
    """A person's last name, where it is plain which that is and it is no common word."""
    parts = parts_of_name(name, "person", everyday_words())
    last = person_name(name).last
    return last if any(bare(word) in parts.strong - everyday_words() for word in last.split()) else None


def as_subject(names: str | Sequence[str], **said: object) -> Subject:
    """The Python interface's arguments: one name or several, texts or lists of them."""
    lists = {key: (value,) if isinstance(value, str) else tuple(value) for key, value in said.items() if key != "kind"}  # type: ignore[arg-type]
    given = (names,) if isinstance(names, str) else tuple(names)
    return Subject(names=given, kind=said.get("kind", "person"), **lists)  # type: ignore[arg-type]
