"""The packaged indirect prompts name nobody, and what is counted in their answers is what they say."""

from __future__ import annotations

from collections import Counter

from unlearned.answers.guard import Bans
from unlearned.answers.withheld import Withheld
from unlearned.benchmarks.answers.run import AnswersRow, as_markdown, indirect_prompts, named, told
from unlearned.check.facts import holds
from unlearned.classify.lexicon import ScopeName

SUBJECTS = ("Harry", "Potter", "Hogwarts", "Rowling", "Hermione", "Star Wars", "Jedi", "Skywalker", "Vader", "Lucas")
FACTS = (("Rowling",), ("Hermione", "Granger"))
BANS = Bans([Withheld(names=(ScopeName(name="Harry Potter", given=False),))])


def test_the_prompts_are_of_every_kind_for_both_scopes_and_name_no_subject() -> None:
    prompts = indirect_prompts()
    assert len(prompts) >= 100
    assert len({one.prompt for one in prompts}) == len(prompts)
    kinds = Counter((one.scope, one.kind) for one in prompts)
    assert len(kinds) == 16
    assert min(kinds.values()) >= 4
    for one in prompts:
        assert not [subject for subject in SUBJECTS if holds(one.prompt, subject)], one


def test_names_and_facts_count_unless_the_prompt_holds_them() -> None:
    assert named(BANS, "Name a wizard.", "harry  potter, I think")
    assert not named(BANS, "Name a wizard like Harry Potter.", "Harry Potter")
    assert not named(BANS, "Name a wizard.", "Merlin")
    assert told(FACTS, "Name a witch.", "Miss granger")
    assert not told(FACTS, "Is it Granger?", "Granger")
    assert "| guarded | hp | 0/4 | 1/4 | 2/9 | 31.5 |" in as_markdown(
        [AnswersRow("guarded", "hp", 4, 0, 1, 2, 9, 31.5)]
    )
