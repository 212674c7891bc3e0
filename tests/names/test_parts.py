"""A name is taken apart into title, units and suffix, however it is written."""

from __future__ import annotations

from unlearned.names.parts import (
    bare,
    entity_core,
    initial_of,
    is_initial,
    is_title,
    person_name,
    plain_letters,
    transliterated,
    without_particles,
)


def test_titles_units_and_suffixes() -> None:
    for name, title, units, suffix in (
        ("Thomas Alva Edison", "", ("Thomas", "Alva", "Edison"), ""),
        ("Edison, Thomas Alva", "", ("Thomas", "Alva", "Edison"), ""),
        ("King, Martin Luther, Jr.", "", ("Martin", "Luther", "King"), "Jr."),
        ("Dr. Jane Goodall", "Dr.", ("Jane", "Goodall"), ""),
        ("Prof. Dr. Anna Berg PhD", "Prof. Dr.", ("Anna", "Berg"), "PhD"),
        ("Ludwig van Beethoven", "", ("Ludwig", "van Beethoven"), ""),
        ("Robert De Niro", "", ("Robert", "De Niro"), ""),
        ("Ben Jonson", "", ("Ben", "Jonson"), ""),
        ("Maria de la Cruz", "", ("Maria", "de la Cruz"), ""),
        ("J.R.R. Tolkien", "", ("J.", "R.", "R.", "Tolkien"), ""),
        ("Tolkien's", "", ("Tolkien",), ""),
        ("Sir", "", ("Sir",), ""),
        ("Jr.", "", ("Jr.",), ""),
        ("van", "", ("van",), ""),
        ("", "", (), ""),
        (",", "", (), ""),
    ):
        found = person_name(name)
        assert (found.title, found.units, found.suffix) == (title, units, suffix), name


def test_surnames_of_two_words_and_names_that_may_be_turned() -> None:
    marquez = person_name("Gabriel José García Márquez")
    assert (marquez.compound, marquez.is_iberian) == (("García", "Márquez"), True)
    assert (marquez.first, marquez.middles, marquez.last) == ("Gabriel", ("José", "García"), "Márquez")
    for name in ("Thomas Alva Edison", "Thomas A. Edison", "Thomas Edison", "Mary Anna Berg"):
        found = person_name(name)
        assert not found.is_iberian, name
    assert person_name("Thomas A. Edison").compound is None
    for name, turned in {"Nagy Imre": True, "Mao Zedong": True, "Anna Li": False, "A. Li": False, "Li": False}.items():
        assert person_name(name).may_be_turned is turned, name


def test_names_of_things_lose_article_legal_form_and_brackets() -> None:
    for name, core in {
        "The Acme Widgets Company, Inc.": "Acme Widgets",
        "Der Spiegel": "Spiegel",
        "Mercury (planet)": "Mercury",
        "The": "The",
        "The Who": "Who",
        "Company": "Company",
        "": "",
        "(nothing)": "",
    }.items():
        assert entity_core(name) == core, name


def test_initials_titles_and_particles() -> None:
    for unit, initial in {
        "Thomas": "T.",
        "Jean-Paul": "J.-P.",
        "van Beethoven": "B.",
        "de": "D.",
        "élan": "É.",
    }.items():
        assert initial_of(unit) == initial
    assert [is_initial(unit) for unit in ("J.", "J", "É", "Jo", "J..", "", "1")] == [True, True, True, *[False] * 4]
    assert [is_title(word) for word in ("Dr", "dr.", "Professor", "Señora", "Doctor Who", "")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip
    assert without_particles("van der Berg") == "Berg"
    assert without_particles("Berg") == "Berg"


def test_letters_without_their_marks() -> None:
    for text, key, plain, written in (
        ("García", "garcia", "Garcia", "Garcia"),
        ("Müller", "muller", "Muller", "Mueller"),
        ("Jørgen Ærø", "jorgenaro", "Jorgen Aro", "Joergen Aeroe"),
        ("Łódź", "lodz", "Lodz", "Lodz"),
        ("Straße", "strase", "Strase", "Strasse"),
        ("M\u0075\u0308ller", "muller", "Muller", "Mueller"),
        ("O'Brien-2", "obrien2", "O'Brien-2", "O'Brien-2"),
        ("日本", "日本", "日本", "日本"),
        ("", "", "", ""),
    ):
        assert (bare(text), plain_letters(text), transliterated(text)) == (key, plain, written), text
        assert bare(bare(text)) == bare(text)
