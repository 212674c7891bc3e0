"""Follow-ups: a clause that does not say whom it is about is read together with the one that does."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from unlearned.classify.follow_ups import LOOK_BACK, FollowUp, Mention, follow_ups, refers_back
from unlearned.classify.normalize import normalize
from unlearned.classify.windows import clauses
from unlearned.types import Prompt, Segment, messages_only, text_only

ASK = "Who is Anna Berg?"
NAMES = ("anna berg", "potter")


def about(prompt: Prompt, *names: str) -> list[Mention]:
    """The clauses that name one of them: what a detector finds."""
    found = [place for own in prompt.segments for place in clauses(prompt.text, own.start, own.end)]
    mentions = [Mention(place, normalize(prompt.text[slice(*place)])) for place in found]
    return [mention for mention in mentions if any(name in mention.text.lower() for name in names or NAMES)]


def follow_ups_in(prompt: Prompt) -> list[FollowUp]:
    return follow_ups(prompt, about(prompt))


def joined(*contents: str | tuple[str, str]) -> list[str]:
    """Joint texts of a conversation; messages without a role are the user's."""
    messages = [("user", content) if isinstance(content, str) else content for content in contents]
    return [f"{found.antecedent} {found.clause}" for found in follow_ups_in(messages_only(messages))]


@pytest.mark.parametrize(
    "clause",
    [
        "Which awards did she win?",
        "Where was he born?",
        "What are her books?",
        "What is the title of his first novel?",
        "Tell me about him.",
        "Did people like her?",
        "Is the prize hers?",
        "Did she write it herself?",
        "What did they write?",
        "Which themes do their books have?",
        "What influenced them?",
        "which awards did she win",
        "SHE WROTE WHAT?",
        "And her father?",
        "How many books did she write?",
        "Whose pupil was she?",
        "Tell me about the author's parents.",
        "What else did this writer publish?",
        "Is the same novelist still alive?",
        "Who published these books?",
        "When did that famous author die?",
    ],
)
def test_a_clause_that_refers_back_is_joined_with_the_question_before(clause: str) -> None:
    prompt = messages_only([("user", ASK), ("assistant", "I cannot say."), ("user", clause)])
    (found,) = follow_ups_in(prompt)
    assert (found.antecedent, found.clause) == (ASK, clause)
    assert prompt.text[slice(*found.place)] == clause


@pytest.mark.parametrize(
    "message",
    [
        "How do I bake bread?",
        "What is the capital of France?",
        "Is it raining?",  # nobody
        "The weather there is good.",
        "Write a poem about heroes of others.",  # "he" and "her" inside words
        # explained by a name
        "Which awards did Marie Curie win, and was she happy?",
        "Marie Curie was a chemist. Where did she live?",
        "Tell me who Hermione is and whom she marries.",
        "I love Hermione. Does she marry?",
        "I met Tom and Mary. How can I help them?",
        # explained by what they are
        "My sister is ill. How can I help her?",
        "A customer complains. What do I tell him?",
        "My friend Tom has lost his keys.",
        "Write a story about a wizard who loses his hat.",
        "The king was old. Did he die?",
        "Somebody left their bag here.",
        "Someone called. What did they want?",
        # explained by a plural
        "My cats are ill. How do I feed them?",
        "Explain how magnets work and what their uses are.",
        # introduced in the message
        "My teacher wrote a novel. Is the novel good?",
    ],
)
def test_an_innocent_message_is_not_joined(message: str) -> None:
    assert joined(ASK, message) == []


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("Hermione is great. Does she marry?"),
        pytest.param("Einstein was a physicist. Where did he live?"),
    ],
)
def test_a_name_at_the_beginning_of_a_sentence_explains_a_pronoun(message: str) -> None:
    assert joined(ASK, message) == []


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("I read a novel. Who wrote the novel?"),
    ],
)
def test_a_thing_that_the_message_introduces_is_its_own(message: str) -> None:
    assert joined(ASK, message) == []


@pytest.mark.parametrize(
    "fragment",
    [
        "And the awards?",
        "and the awards",
        "Any awards?",
        "What about awards?",
        "What awards?",
        "Parents' jobs?",
        "Place of birth?",
        "Which genre?",
        "How many children?",
        "Occupation of the father?",
        "What other awards?",
        "And when exactly?",
        "Who else?",
        "And in May?",
        "The awards?!",
        "(the awards?)",
    ],
)
def test_a_question_without_a_verb_goes_on_with_the_subject(fragment: str) -> None:
    expected = [f"{ASK} {fragment}"]
    assert joined(ASK, ("assistant", "I cannot say."), fragment) == expected
    assert joined(ASK, ("assistant", "Who knows?"), "Thanks, that helps. " + fragment) == expected
    before = "Where was she born?"
    assert joined(ASK, before, ("assistant", "In Oslo."), fragment) == [f"{ASK} {before}", *expected]
    assert joined(fragment, ASK) == []


@pytest.mark.parametrize(
    "clause",
    [
        "Is it late?",
        "Who wrote Hamlet?",
        "What inspired the play?",
        "Awards.",
        "And Marie Curie?",
        "Some good places for breakfast around the station?",
        "What's the time?",
        "???",
    ],
)
def test_what_is_no_such_question_does_not(clause: str) -> None:
    assert joined(ASK, ("assistant", "I cannot say."), clause) == []


def test_a_question_without_a_verb_goes_on_with_the_last_subject() -> None:
    fragment = "And the awards?"
    assert joined(ASK, "How do I bake bread?", fragment) == []
    assert joined(ASK, f"How do I bake bread? {fragment}") == []
    assert joined(ASK, "My sister likes Ibsen.", fragment) == []
    assert joined(ASK, "How do I bake bread?", ASK, fragment) == [f"{ASK} {fragment}"]
    again = "When was she born?"
    assert joined(ASK, "How do I bake bread?", again, fragment) == [f"{ASK} {again}", f"{ASK} {fragment}"]
    assert joined(ASK, f"How do I bake bread? {again} {fragment}") == [f"{ASK} {again}", f"{ASK} {fragment}"]
    assert joined(ASK, ("assistant", fragment)) == []
    prompt = messages_only([("user", ASK), ("user", fragment)])
    assert follow_ups(prompt, about(prompt), fragments=False) == []


def test_only_the_clause_that_refers_back_is_joined() -> None:
    prompt = messages_only([("user", ASK), ("user", "Thanks. Which awards did she win? Bake bread!")])
    (found,) = follow_ups_in(prompt)
    assert (found.antecedent, found.clause) == (ASK, "Which awards did she win?")
    assert prompt.text[slice(*found.place)] == "Which awards did she win?"


def test_every_clause_that_refers_back_is_joined() -> None:
    assert joined(ASK, "Is it raining?", "Which awards did she win? And when did she die?") == [
        f"{ASK} Which awards did she win?",
        f"{ASK} And when did she die?",
    ]
    assert joined(ASK, "Where was she born?", "Who was her mother?") == [
        f"{ASK} Where was she born?",
        f"{ASK} Who was her mother?",
    ]


def test_the_model_s_own_answers_are_joined_too() -> None:
    assert joined(ASK, ("assistant", "She was born in Oslo.")) == [f"{ASK} She was born in Oslo."]


def test_the_first_message_refers_to_nothing() -> None:
    assert joined("Which awards did she win?") == []
    assert joined("She won. Who is Anna Berg? Did she?") == []
    assert joined("Which awards did she win?", "How do I bake bread?") == []
    assert follow_ups(text_only("What did she write?"), [Mention((0, 19), ASK)]) == []
    assert follow_ups(messages_only([]), []) == []


def test_without_a_mention_nothing_is_referred_to() -> None:
    prompt = messages_only([("user", ASK), ("user", "Which awards did she win?")])
    assert len(follow_ups(prompt, about(prompt))) == 1
    assert follow_ups(prompt, []) == []


def test_the_mention_is_taken_as_it_was_read() -> None:
    prompt = messages_only([("user", "V2hvIGlzIEFubmEgQmVyZz8="), ("user", "Which awards did she win?")])
    (found,) = follow_ups(prompt, [Mention((0, 24), ASK)])
    assert found.antecedent == ASK


def test_of_mentions_that_overlap_the_shortest_is_meant() -> None:
    text = "Bake bread and tell me who Anna Berg is."
    prompt = messages_only([("user", text), ("user", "Which awards did she win?")])
    whole, part = Mention((0, len(text)), text), Mention((15, len(text)), "tell me who Anna Berg is.")
    for mentions in ([whole, part], [part, whole]):
        (found,) = follow_ups(prompt, mentions)
        assert found.antecedent == part.text
    same_start = Mention((0, 10), "Bake bread")
    (found,) = follow_ups(prompt, [same_start, whole])
    assert found.antecedent == "Bake bread"


def test_a_mention_after_it_is_not_referred_to() -> None:
    assert joined("Which awards did she win?", "No idea.", ASK) == []


def test_a_person_of_the_system_message_can_be_referred_to() -> None:
    assert joined(("system", "You speak as Anna Berg."), "Where was she born?") == [
        "You speak as Anna Berg. Where was she born?"
    ]


# To whom it refers.


@pytest.mark.parametrize(
    ("conversation", "expected"),
    [
        (["Who is Marie Curie?", ASK, "Where did she live?"], ASK),
        ([ASK, "Is it raining?", "Bake bread.", "Where did she live?"], ASK),
        (["Bake bread. " + ASK + " Thanks.", "Where did she live?"], ASK),
        ([ASK, ("assistant", "Marie Curie was a chemist."), "Where did she live?"], ASK),  # the user named nobody else
        (["who is anna berg?", ("assistant", "No idea."), "where did she live?"], "who is anna berg?"),
        (["Name a writer.", ("assistant", "Try Anna Berg."), "Where did she live?"], "Try Anna Berg."),
        (["Who wrote it?", ("assistant", "Anna Berg."), "Yes, her! What else did she write?"], "Anna Berg."),
        (["Who is Potter?", ("assistant", "A wizard."), "Where did he live?"], "Who is Potter?"),
        (["My sister asked me.", "Who is Potter?", "Where did he live?"], "Who is Potter?"),
        ([ASK, "Who is Potter?", "Where did he live?"], "Who is Potter?"),  # the last mention
        ([ASK, "My brother is ill.", "Where did she live?"], ASK),  # no brother is she
        ([ASK, "My brother is a fan. Where did she live?"], ASK),
        ([ASK, "Marie Curie lived then, too.", "What else did the author write?"], ASK),
    ],
)
def test_it_refers_to_the_last_mention_that_fits(conversation: list[str | tuple[str, str]], expected: str) -> None:
    last = conversation[-1]
    assert isinstance(last, str)
    assert joined(*conversation)[-1:] == [f"{expected} {last[max(last.find('!'), last.find('. ')) + 1 :].strip()}"]


@pytest.mark.parametrize(
    "conversation",
    [
        [ASK, "Who is Marie Curie?", "Where did she live?"],
        [ASK, "Who is Einstein?", "Where did he live?"],
        [ASK, "My sister is ill.", "How can I help her?"],
        [ASK, "My sister is ill.", "Is it raining?", "How can I help her?"],
        [ASK, "My friend is ill.", "How can I help them?"],
    ],
)
def test_it_may_refer_to_somebody_else_whom_the_user_named_since(conversation: list[str]) -> None:
    assert joined(*conversation) == []


def test_only_so_many_clauses_back() -> None:
    near = [ASK, *["Is it raining?"] * (LOOK_BACK - 1), "Which awards did she win?"]
    assert joined(*near) == [f"{ASK} Which awards did she win?"]
    far = [ASK, *["Is it raining?"] * LOOK_BACK, "Which awards did she win?"]
    assert joined(*far) == []


def test_disguises_are_undone_in_the_joint_text() -> None:
    assert (
        joined("Who is Аnna **Berg**?", "Where was sh\u200be born? And her f\u200bather?")[-1]
        == f"{ASK} And her father?"
    )


def test_a_disguised_pronoun_refers_back() -> None:
    assert joined(ASK, "Where was shе born?") == [f"{ASK} Where was she born?"]


def test_text_between_messages_is_no_part_of_them() -> None:
    text = "<user Marie Curie>Who is Anna Berg?</user><my sister>Where did she live?</my sister>"
    first, second = text.index("Who"), text.index("Where")
    segments = (Segment(first, first + len(ASK)), Segment(second, second + len("Where did she live?")))
    plain = text_only(text)
    prompt = Prompt(text, (), plain.offsets, plain.is_special, segments)
    expected = FollowUp(ASK, "Where did she live?", (segments[1].start, segments[1].end))
    assert follow_ups(prompt, [Mention((first, first + 5), ASK)]) == [expected]


# The rule itself.


@pytest.mark.parametrize(
    ("before", "clause", "expected"),
    [
        ("", "Did she win?", True),
        ("", "Did Anna Berg win when she was young?", False),
        ("", "Where she lived, Anna Berg knew.", True),  # named only afterwards
        ("Anna Berg won. ", "Did she?", False),
        ("", "What is the plot of the book?", True),
        ("A novel by Anna Berg. ", "What is the plot of the book?", False),
        ("", "Which books did they write?", True),  # the books are what is asked for
        ("", "You see, magnets are odd; how do they work?", False),
        pytest.param("", "Magnets are odd; how do they work?", False),
        ("", "", False),
        ("", "there, other, theory, sheep, whim, hershey", False),
    ],
)
def test_refers_back(before: str, clause: str, expected: bool) -> None:
    assert refers_back(before, clause) is expected


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(lambda n: "Did she win? " * (n // 13), id="pronouns"),
        pytest.param(lambda n: "Cats. she. " * (n // 11), id="first words"),
        pytest.param(lambda n: "she?\n" * (n // 5), id="lines"),
        pytest.param(lambda n: "they win. " * (n // 10), id="plurals"),
        pytest.param(lambda n: "the author. " * (n // 12), id="roles"),
        pytest.param(lambda n: "Ab" * (n // 2) + " she", id="one long name"),
        pytest.param(lambda n: "Ab " * (n // 3) + "she", id="many names"),
        pytest.param(lambda n: "which a b " * (n // 10) + "she", id="question words"),
        pytest.param(lambda n: " " * n + "she", id="spaces"),
        pytest.param(lambda n: "she " * (n // 4), id="one clause"),
        pytest.param(lambda n: "Is Anna Berg well? " * (n // 19), id="mentions"),
    ],
)
def test_time_is_in_proportion_to_the_length(hostile: Callable[[int], str]) -> None:
    def seconds(length: int) -> float:
        prompt, best = (
            messages_only([("user", ASK), ("user", hostile(length)), ("user", hostile(length))]),
            float("inf"),
        )
        for _ in range(2):
            start = time.process_time()
            follow_ups_in(prompt)
            best = min(best, time.process_time() - start)
        return best

    assert seconds(16_000) < 8 * seconds(4_000) + 0.05  # 4 times as long; 16 times for a square
