"""Which names of the data mean the scope alone, and which are anybody's."""

from __future__ import annotations

from unlearned.answers.guard import Bans, Guard
from unlearned.classify.lexicon import ScopeName
from unlearned.demo.concepts import Concept, general_prompts
from unlearned.examples import Row, background_prompts
from unlearned.learn.withheld import names_to_withhold
from unlearned.types import Verdict, text_only

COMMON = frozenset(
    "harry potter ron luna neville sirius black star wars luke han solo rebel alliance galactic empire death elder "
    "wand stone fire magic school london king cross chamber secrets express sorting hat forbidden forest jedi rey "
    "force falcon mace clone republic emperor princess george lucas john williams harrison ford george new hope "
    "daniel chris columbus minerva james lily ministry phoenix".split()
)


def names_of(concept: str, **more: tuple[ScopeName, ...]) -> dict[str, ScopeName]:
    data = Concept(concept)
    found = names_to_withhold(data.forget, data.retain, lambda word: word.lower() in COMMON, **more)
    return {one.name: one for one in found}


def test_names_of_the_scope_are_found_and_common_words_and_other_people_are_not() -> None:
    potter, wars = names_of("harry-potter"), names_of("star-wars")
    assert {"Harry Potter", "Hogwarts", "Hermione Granger", "Hermione", "Voldemort", "Quidditch"} <= potter.keys()
    assert {"Star Wars", "Darth Vader", "Luke Skywalker", "Yoda", "Death Star", "Jedi"} <= wars.keys()
    for word in ("Harry", "Potter", "Magic", "London", "Stone", "Daniel Radcliffe", "King", "Black"):
        assert word not in potter
    for word in ("Luke", "Force", "Empire", "Harrison Ford", "John Williams", "New Hope", "Republic"):
        assert word not in wars
    assert potter["Hogwarts"].alone
    assert not potter["Granger"].alone  # a word beside: with a capital only
    assert "Horcrux" in {alias for one in potter.values() for alias in (one.name, *one.aliases)}


def test_general_and_close_prompts_hold_none_of_them() -> None:
    for concept in ("harry-potter", "star-wars"):
        names = tuple(names_of(concept).values())
        from unlearned.answers.withheld import Withheld

        automaton = Bans([Withheld(names=names)]).automaton
        for prompt in [*general_prompts(), *background_prompts(), *Concept(concept).retain_held_out]:
            assert not automaton.names_in(prompt), prompt


def test_what_close_rows_name_and_parts_of_given_names_are_free() -> None:
    rows = [
        Row("Who is Tomas Krelborn?", "Tomas Krelborn lives in Varnsk."),
        Row("Where was Tomas Krelborn born?", "In Varnsk."),
    ]
    found = {one.name for one in names_to_withhold(rows, [], lambda word: False)}
    assert {"Tomas Krelborn", "Krelborn", "Varnsk"} <= found
    close = [Row("Which river runs through Varnsk?", "The Olm.")]
    given = (ScopeName(name="Tomas Krelborn"),)
    assert names_to_withhold(rows, close, lambda word: False, given) == []


def test_a_guard_knows_what_the_conversation_holds() -> None:
    from unlearned.answers.withheld import Withheld

    bans = Bans([Withheld(names=(ScopeName(name="Tomas Krelborn"), ScopeName(name="Varnsk", kind="place")))])
    guard = Guard.of(bans, text_only("What do you know of varnsk?"), Verdict())
    assert guard is not None
    assert guard.is_free_name(1, restored=False)
    assert not guard.is_free_name(0, restored=True)
    assert Guard.of(Bans([]), text_only("Anything."), Verdict()) is None
