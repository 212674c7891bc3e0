"""The parts of a name: titles, units such as "van Beethoven", a compound surname, suffixes."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

TITLES = (
    "Mr. Mrs. Ms. Miss Mx. Dr. Prof. Professor Sir Dame Lord Lady Saint St. President Senator Judge Justice King Queen "
    "Prince Princess Emperor Empress Pope Father Sister Brother Rev. Reverend Capt. Captain Col. Colonel Gen. General "
    "Lt. Lieutenant Sgt. Sergeant Maj. Major Gov. Governor Rabbi Imam Sheikh Sheik Count Countess Duke Duchess Don "
    "Doña Señor Señora Herr Frau Monsieur Madame Mme. Hon."
).split()
"""What may stand before a name and belongs to everybody."""

GIVEN_TITLES = tuple(
    "Mr. Mrs. Ms. Miss Dr. Prof. Professor Sir Lady Lord President Senator Judge Justice Captain Colonel General "
    "Lieutenant Sergeant Major Governor Reverend Rabbi Señor Señora Herr Frau Monsieur Madame Mme.".split()
)
"""Titles with which a last name alone is a form of the whole name."""

_SUFFIXES = frozenset("jr sr ii iii iv esq phd md obe kbe cbe mbe".split())
_PARTICLES = frozenset(
    "de del della der den des di da das do dos du la le las los van von ten ter af av zu zur bin ibn bint binti al el "
    "ul ap abu umm ben bat mac mc st san santa santo y e und".split()
)
"""They belong to the word that follows."""

_IBERIAN = frozenset(
    "aguilar allende almeida araujo barbosa borges cabral carvalho castillo castro costa cruz delgado diaz duarte "
    "ferreira flores fonseca garcia guerrero herrera leal lima llosa lorca luna machado marin medeiros medina mendoza "
    "molina morales moreira moreno navarro oliveira ortega ortiz pereira pessoa pinto ramos reyes ribeiro rios rivera "
    "rocha rojas romero rubio ruiz salazar santos serrano silva soares soto sousa souza torres vargas vega".split()
)
_COMPANY = frozenset(
    "inc ltd llc llp plc gmbh ag sa srl spa nv bv oy ab co corp corporation company incorporated limited kg pty".split()
)
_ARTICLES = frozenset("the a an der die das le la les el los las il".split())
_WORD = re.compile(r"[^\s,;/|()\"“”]+")
_TRANSLITERATED = str.maketrans(
    {
        "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "å": "aa", "Å": "Aa",
        "ø": "oe", "Ø": "Oe", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D",
    }
)  # fmt: skip
_PLAIN = str.maketrans("øØłŁđĐıßæÆœŒðÐ", "oOlLdDisaAoOdD")


@dataclass(frozen=True, slots=True)
class PersonName:
    """A person's name, its units in the order in which it is written."""

    title: str
    units: tuple[str, ...]
    """Words, each with the particles before it: ("Ludwig", "van Beethoven")."""

    suffix: str

    @property
    def first(self) -> str:
        return self.units[0]

    @property
    def middles(self) -> tuple[str, ...]:
        return self.units[1:-1]

    @property
    def last(self) -> str:
        return self.units[-1]

    @property
    def compound(self) -> tuple[str, str] | None:
        """The two units of an unhyphenated double surname: of three units or more, the last two if no first names."""
        if len(self.units) < 3:
            return None
        one, other = self.units[-2:]
        if is_initial(one) or bare(one) in given_names() or bare(other) in given_names():
            return None
        return one, other

    @property
    def is_iberian(self) -> bool:
        """Whether the first of two surnames is what its bearer is mostly called by: "Gabriel García"."""
        spelt = [unit for unit in self.units[-2:] if not is_initial(unit)]
        words = {bare(word) for unit in spelt for word in unit.split()}
        is_spanish = any(word.endswith("ez") for word in words) or not words.isdisjoint(_IBERIAN)
        return self.compound is not None and (is_spanish or any(re.search("[áéíóúñãõç]", unit) for unit in spelt))

    @property
    def may_be_turned(self) -> bool:
        """Whether the family name may stand first, as in Hungarian or Chinese: nothing says that it does not."""
        return len(self.units) == 2 and bare(self.first) not in given_names() and not is_initial(self.first)


def person_name(name: str) -> PersonName:
    """Parse a person's name; "Last, First" is turned round first.

    Args:
        name: as a user writes it, in any order of its units.
    """
    head, *rest = [part.strip() for part in name.split(",") if part.strip()] or [name]
    after = [part for part in rest if bare(part) in _SUFFIXES]
    name = " ".join([*(part for part in rest if part not in after), head, *after])
    words = _WORD.findall(_apart(name))
    title: list[str] = []
    while len(words) > 1 and is_title(words[0]):
        title.append(words.pop(0))
    suffix: list[str] = []
    while len(words) > 1 and bare(words[-1]) in _SUFFIXES:
        suffix.insert(0, words.pop())
    return PersonName(" ".join(title), tuple(_units(words)), " ".join(suffix))


def _units(words: list[str]) -> list[str]:
    units: list[str] = []
    pending: list[str] = []
    for place, word in enumerate(words):
        is_last = place == len(words) - 1
        # "De Niro" and "de Niro" alike, but "Ben Jonson", "Al Gore" and "Santa Cruz" begin with a name.
        if bare(word) in _PARTICLES and not is_last and (place > 0 or word == word.lower() or bare(word) == "abu"):
            pending.append(word)
        else:
            units.append(" ".join([*pending, word]))
            pending = []
    return units


def _apart(name: str) -> str:
    """ "J.R.R. Tolkien" with its initials as words; "Tolkien's" without its ending."""
    name = re.sub(r"['’]s$", "", name.strip())
    return re.sub(r"(?<![^\W\d_]{2})(?<=[^\W\d_]\.)(?=[^\W\d_])", " ", name)


def entity_core(name: str) -> str:
    """A name that is no person's without its article, its legal form and what stands in brackets."""
    name = re.sub(r"\s*\([^)]*\)", "", name).strip()
    words = name.split()
    if len(words) > 1 and bare(words[0]) in _ARTICLES:
        words = words[1:]
    while len(words) > 1 and bare(words[-1]) in _COMPANY:
        words = words[:-1]
    return " ".join(words).rstrip(",")


def is_title(word: str) -> bool:
    """Whether the word is a title: "Dr", "Professor"."""
    return bare(word) in _title_keys()


def is_initial(unit: str) -> bool:
    """Whether the unit is one letter, with or without a full stop."""
    return re.fullmatch(r"[^\W\d_]\.?", unit) is not None


def initial_of(unit: str) -> str:
    """ "T." of "Thomas", "J.-P." of "Jean-Paul"."""
    words = [word for word in unit.split() if bare(word) not in _PARTICLES] or unit.split()
    return "-".join(f"{part[0].upper()}." for part in words[-1].split("-") if part)


def without_particles(unit: str) -> str:
    """ "Beethoven" of "van Beethoven"."""
    words = unit.split()
    return words[-1] if len(words) > 1 else unit


@lru_cache(maxsize=2**16)
def bare(word: str) -> str:
    """Lower-case letters and digits only, without accents."""
    if word.isascii() and word.isalnum():
        return word.lower()
    folded = unicodedata.normalize("NFKD", plain_letters(word))
    return "".join(character for character in folded.lower() if character.isalnum())


def plain_letters(text: str) -> str:
    """Without accents: "Garcia" of "García", "Jorgen" of "Jørgen", "Muller" of "Müller"."""
    folded = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    return unicodedata.normalize("NFC", "".join(c for c in folded if not unicodedata.combining(c)))


def transliterated(text: str) -> str:
    """Umlauts and the like written out: "Mueller" of "Müller"; other accents left out."""
    return plain_letters(unicodedata.normalize("NFC", text).translate(_TRANSLITERATED))


@lru_cache(maxsize=1)
def given_names() -> frozenset[str]:
    """First names that many people bear."""
    return frozenset(files("unlearned").joinpath("data/given_names.txt").read_text(encoding="utf-8").split())


@lru_cache(maxsize=1)
def _title_keys() -> frozenset[str]:
    return frozenset(map(bare, TITLES))
