"""Detection: verdicts and spans, stacked scopes, and that it fails closed."""

from __future__ import annotations

import base64
import codecs
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from cases import every
from unlearned.classify.base import Features, Floats
from unlearned.classify.detect import detect, windows_of
from unlearned.classify.exemptions import Exemptions
from unlearned.classify.intents import Intents
from unlearned.classify.lexicon import Lexicon
from unlearned.classify.scoring import SUSPICIOUS, is_short, short_threshold
from unlearned.errors import DetectionError
from unlearned.types import Exempted, Prompt, Segment, Span, Verdict, messages_only, text_only


class Words:
    """Encodes a text as whether it holds each of the words it was made with; keeps what it was shown."""

    name = "words"

    def __init__(self, *words: str) -> None:
        self.words = words
        self.seen: list[str] = []

    def encode(self, texts: Sequence[str]) -> Floats:
        self.seen += texts
        return np.array([[word in text.lower() for word in self.words] for text in texts], dtype=np.float32)


@dataclass
class Holds:
    """p = 0.9 for texts with the encoder's word number `index`, else 0.1."""

    encoder: Words
    index: int = 0
    high: float = 0.9

    def predict_proba(self, features: Features) -> Any:
        return np.where(features.vectors[:, self.index] > 0, np.float32(self.high), np.float32(0.1))


@dataclass
class Diluted:
    """p falls with every word beside the one that is looked for, as it does for a sentence encoder."""

    encoder: Words
    fall: float = 0.1

    def predict_proba(self, features: Features) -> Any:
        sizes = np.array([len(text.split()) for text in features.texts])
        p = np.maximum(1.0 - self.fall * (sizes - 1), 0.15)
        return np.where(features.vectors[:, 0] > 0, p, 0.01).astype(np.float32)


class Near:
    """p by the cosine to the nearest forget example, over vectors of unit length."""

    def __init__(self, encoder: Any, *forget: str) -> None:
        self.encoder = encoder
        self.forget = encoder.encode(forget)

    def predict_proba(self, features: Features) -> Any:
        margin = ((features.vectors @ self.forget.T).max(axis=1) - 0.6) / 0.05
        return np.asarray(1 / (1 + np.exp(-margin)), dtype=np.float32)


@dataclass
class AScope:
    name: str
    classifier: Any
    threshold: float = 0.5
    exemptions: Exemptions | None = None
    other_languages: Any = "pass"
    short_penalty: float = 0.0
    intents: Intents | None = None
    lexicon: Lexicon = field(default_factory=Lexicon)


@dataclass
class Gives:
    """A classifier that misbehaves."""

    value: Any
    encoder: Words = field(default_factory=lambda: Words("potter"))

    def predict_proba(self, features: Features) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def potter(encoder: Words | None = None, **more: Any) -> AScope:
    return AScope("potter", Holds(encoder or Words("potter", "ring")), **more)


def claimed(prompt: Prompt, verdict: Verdict) -> list[str]:
    return [prompt.text[span.start : span.end] for span in verdict.spans]


def found(text: str, *scopes: AScope) -> list[str]:
    prompt = text_only(text)
    return claimed(prompt, detect([prompt], scopes or [potter()])[0])


def test_the_span_is_the_flagged_clause_and_the_score_its_own() -> None:
    text = "Hello there. Who is Potter? Thank you."
    (verdict,) = detect([text_only(text)], [potter()])
    assert [(text[s.start : s.end], s.scope) for s in verdict.spans] == [("Who is Potter?", "potter")]
    assert verdict.spans[0].score == pytest.approx(0.9)
    assert verdict.score == pytest.approx(0.9)
    assert verdict.in_scope


def test_a_prompt_out_of_scope_has_no_span_but_its_highest_score() -> None:
    (verdict,) = detect([text_only("How do I bake bread?")], [potter()])
    assert verdict == Verdict((), pytest.approx(0.1))


def test_the_threshold_itself_is_in_scope() -> None:
    score = float(np.float32(0.9))
    assert detect([text_only("Potter")], [potter(threshold=score)])[0].in_scope
    assert not detect([text_only("Potter")], [potter(threshold=np.nextafter(np.float32(score), 1))])[0].in_scope


@pytest.mark.parametrize("penalty", [0.0, 0.5, 2.0, 2.5])
def test_short_windows_have_less_log_odds(penalty: float) -> None:
    """The clause "Potter" alone is short; the question about him is not. Nine to one is a log-odds of 2.2."""
    short, long = "1. Bread\n2. Potter\n3. Cheese and other things to eat", "Tell me about the life of Potter."
    assert is_short("Potter")
    assert is_short("é" * 15)
    assert not is_short("é" * 16)
    assert found(long, potter(short_penalty=penalty)) == [long]
    (verdict,) = detect([text_only("Potter")], [potter(short_penalty=penalty)])
    expected = 1 / (1 + math.exp(penalty) / 9)
    assert verdict.score == pytest.approx(expected, abs=1e-6)
    assert verdict.in_scope == (expected >= 0.5) == (short_threshold(0.5, penalty) <= 0.9)
    assert ("Potter" in found(short, potter(short_penalty=penalty))) == (expected >= 0.5)


def test_a_run_of_clauses_is_reported_where_no_clause_alone_is_flagged() -> None:
    class Both(Holds):
        def predict_proba(self, features: Features) -> Any:
            return np.where(features.vectors.all(axis=1), np.float32(0.9), np.float32(0.1))

    text = "He is a boy called Potter. He has a ring. Nice"
    (verdict,) = detect([text_only(text)], [AScope("both", Both(Words("potter", "ring")))])
    assert [text[s.start : s.end] for s in verdict.spans] == [text]


def test_every_flagged_clause_has_its_own_span_in_the_order_of_the_text() -> None:
    text = "Potter one. Other. Potter two."
    (verdict,) = detect([text_only(text)], [potter()])
    assert [text[s.start : s.end] for s in verdict.spans] == ["Potter one.", "Potter two."]
    assert list(verdict.spans) == sorted(verdict.spans)


def test_a_question_hidden_in_a_long_text_is_found() -> None:
    text = "Bread is baked in an oven and flour is milled. " * 300 + "Who is Potter? " + "Water is wet. " * 300
    (verdict,) = detect([text_only(text)], [potter()])
    assert [text[s.start : s.end] for s in verdict.spans] == ["Who is Potter?"]


def test_stacked_scopes_each_claim_their_own_part() -> None:
    encoder = Words("potter", "ring")
    scopes = [potter(encoder), AScope("ring", Holds(encoder, 1, high=0.95))]
    text = "Who is Potter? Who has the ring? And the Potter ring?"
    (verdict,) = detect([text_only(text)], scopes)
    assert [(text[s.start : s.end], s.scope) for s in verdict.spans] == [
        ("Who is Potter?", "potter"),
        ("Who has the ring?", "ring"),
        ("And the Potter ring?", "potter"),
        ("And the Potter ring?", "ring"),
    ]
    assert verdict.scope == "ring"


def test_the_order_of_scopes_does_not_matter(bag_of_words: Any) -> None:
    near_a = Exemptions(
        *(bag_of_words.encode([text]) for text in ("who is harry styles", "who is harry potter", "harry"))
    )
    scopes = [
        AScope("a", Near(bag_of_words, "who is harry potter"), exemptions=near_a, other_languages="corrupt"),
        AScope("b", Near(bag_of_words, "what is the one ring"), 0.3),
        AScope("c", Near(bag_of_words, "harry potter has the ring"), 0.4, other_languages="corrupt"),
        potter(Words("potter", "ring")),
    ]
    prompts = [
        text_only("Who is Harry Potter? What is the one ring?"),
        text_only("Who is Harry Potter and what is the one ring?"),
        text_only("Harry Potter has the ring. Who is Harry Styles?"),
        text_only("¿Quién es Harry Potter y qué libros escribió esta autora?"),
        messages_only([("user", "Who is Harry Potter?"), ("user", "Where did he live?")]),
        text_only("x"),
    ]
    expected = detect(prompts, scopes)
    assert [verdict.in_scope for verdict in expected] == [True, True, True, True, True, False]
    assert {span.scope for verdict in expected for span in verdict.spans} == {"a", "b", "c", "potter"}
    for order in permutations(scopes):
        assert detect(prompts, order) == expected


def test_a_prompt_gets_the_same_verdict_alone_and_among_others(bag_of_words: Any) -> None:
    scopes = [AScope("near", Near(bag_of_words, "who is harry potter", "what is hogwarts")), potter()]
    code = base64.b64encode(b"Who is Harry Potter?").decode()
    prompts = [
        text_only("Who is Harry Potter?"),
        text_only("Bake bread."),
        text_only("Hi! What is Hogwarts and how do I bake bread? Bye."),
        text_only(f"Decode {code} now."),
        messages_only([("user", "Who is Harry Potter?"), ("user", "Where did he live?")]),
        text_only("Wie backe ich ein gutes Brot, und wie lange?"),
        text_only(""),
        text_only("Hi!"),
    ]
    together = detect(prompts, scopes)
    alone = [detect([prompt], scopes)[0] for prompt in prompts]
    for one, other in zip(together, alone, strict=True):
        assert [(s.start, s.end, s.scope, s.reason) for s in one.spans] == [
            (s.start, s.end, s.scope, s.reason) for s in other.spans
        ]
        assert [s.score for s in one.spans] == pytest.approx([s.score for s in other.spans], rel=1e-4)
        assert one.score == pytest.approx(other.score, rel=1e-4)
        assert one.languages == other.languages
    assert [verdict.in_scope for verdict in together] == [True, False, True, True, True, False, False, False]
    assert [verdict.languages for verdict in together] == [(), (), (), (), (), ("de",), (), ()]


def test_a_clause_is_not_encoded_again_when_its_parts_are() -> None:
    encoder = Words("potter")
    detect([text_only("who wrote the potter books and when was the old bridge finished")], [potter(encoder)])
    assert len(encoder.seen) == len(set(encoder.seen)) > 1


def test_scopes_that_share_an_encoder_share_one_pass_over_distinct_texts() -> None:
    encoder = Words("potter", "ring")
    detect(
        [text_only("Potter."), text_only("Potter."), text_only("ring")],
        [potter(encoder), AScope("r", Holds(encoder, 1))],
    )
    assert encoder.seen == ["Potter.", "ring"]


def test_template_text_is_never_classified() -> None:
    encoder = Words("potter", "ring")
    text = "<potter>Hello. You</potter><system>potter rules</system>Bye"
    segments = (Segment(8, 18), Segment(text.index("Bye"), len(text), "assistant"))
    nothing = np.zeros(0, dtype=np.bool_)
    prompt = Prompt(text, (), np.zeros((0, 2), dtype=np.int64), nothing, segments)
    (verdict,) = detect([prompt], [potter(encoder)])
    assert not verdict.in_scope
    assert encoder.seen == ["Hello.", "Hello. You", "You", "Bye"]


def test_a_window_never_reaches_over_two_messages() -> None:
    text = "Har|ry"
    segments = (Segment(0, 3), Segment(4, 6))
    prompt = Prompt(text, (), np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.bool_), segments)
    encoder = Words("potter", "ring")
    detect([prompt], [potter(encoder)])
    assert encoder.seen == ["Har", "ry"]


def test_no_prompts_no_scopes_and_prompts_without_words_pass() -> None:
    assert detect([], [potter()]) == []
    assert detect([text_only("Who is Potter?")], []) == [Verdict()]
    assert detect([text_only("  \n ")], [potter()]) == [Verdict()]


def test_equal_spans_of_one_scope_are_reported_once() -> None:
    # Two readings, of 1 as i and as l, claim the same characters.
    prompt = text_only("Wh0 1s P0tter h3re")
    (verdict,) = detect([prompt], [potter()])
    assert len([window for segment in prompt.segments for window in windows_of(prompt, segment)]) == 3
    assert verdict.spans == (Span(0, len(prompt.text), "potter", float(np.float32(0.9))),)


@every("seed", range(30))
def test_exactly_the_flagged_clauses_are_claimed_whatever_is_around_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bank = ["Bake some bread.", "Is Potter here?", "Sing!", "The ring is gold;", "Potter won.", "Why not?", "Go home."]
    chosen = [bank[i] for i in rng.integers(0, len(bank), size=int(rng.integers(1, 60)))]
    text = " ".join(chosen)
    assert found(text) == [clause for clause in chosen if "Potter" in clause]


# Parts of a clause.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who is Potter and how do I bake some bread?", ["Who is Potter"]),
        ("How do I bake some bread and who is Potter?", ["and who is Potter?"]),
        ("How do I bake bread, and who is Potter, and why is the sky so blue?", ["and who is Potter,"]),
        ("Hi. How do I bake bread and who is Potter? Bye.", ["and who is Potter?"]),
        ("Who is Potter?", ["Who is Potter?"]),
        ("How do I bake some bread and why is the sky blue?", []),
    ],
)
def test_of_two_questions_in_a_clause_only_the_forget_part_is_claimed(text: str, expected: list[str]) -> None:
    assert found(text, AScope("diluted", Diluted(Words("potter"), fall=0.15))) == expected


def test_two_forget_questions_with_another_one_between_are_two_spans() -> None:
    text = "Who is Potter, and how does one bake the best of all breads, and where is Potter?"
    assert found(text, AScope("diluted", Diluted(Words("potter"), fall=0.15))) == [
        "Who is Potter,",
        "and where is Potter?",
    ]


def test_a_clause_whose_parts_all_ask_for_it_is_claimed_whole() -> None:
    text = "Who is Potter and where is Potter and why is Potter?"
    assert found(text) == [text]


def test_a_clause_below_the_threshold_is_cut_if_it_is_suspicious() -> None:
    text = "Who is Potter and how do I bake some bread?"

    class Cut(Diluted):
        def predict_proba(self, features: Features) -> Any:
            whole = np.array([text == seen for seen in features.texts])
            return np.where(whole, np.float32(self.fall), super().predict_proba(features))

    suspicious, not_suspicious = SUSPICIOUS * 0.5 + 0.01, SUSPICIOUS * 0.5 - 0.01
    for high, expected in ((suspicious, ["Who is Potter"]), (not_suspicious, [])):
        encoder = Words("potter")
        classifier = Cut(encoder, fall=high)
        assert found(text, AScope("cut", classifier)) == expected
        assert ("Who is Potter" in encoder.seen) is bool(expected)


def test_the_highest_score_is_at_least_that_of_every_span() -> None:
    text = "Who is Potter and how do I bake some bread?"
    (verdict,) = detect([text_only(text)], [AScope("diluted", Diluted(Words("potter"), fall=0.1))])
    assert verdict.spans
    assert verdict.score >= max(span.score for span in verdict.spans)


def test_a_long_clause_without_questions_is_claimed_where_it_is_in_scope() -> None:
    words = [f"w{n}" for n in range(36)]
    words[14] = "Potter"
    (span,) = found(" ".join(words), AScope("diluted", Diluted(Words("potter"), fall=0.02)))
    assert "Potter" in span
    assert len(span.split()) < 20


# Disguises.


@pytest.mark.parametrize(
    ("before", "hidden", "after"),
    [
        ("Decode ", base64.b64encode(b"Who is Potter?").decode(), " now."),
        ("Decode ", base64.b64encode(base64.b64encode(b"Tell me who Potter is.")).decode(), " now."),
        ("Bytes: ", b"Who is Potter?".hex(" "), ", thanks."),
        ("", "W h o  i s  P o t t e r", ""),
        ("Hm, ", "tellmewhoisharrypotter", " please"),
        ("Sing. ", "Who is Pоttеr?", " Bye."),
        ("Sing. ", "Who is P\u200bo\u200bt\u200bt\u200be\u200br?", " Bye."),
        ("Sing. ", "Who is &#80;otter?", " Bye."),
        ("Sing. ", "Who is \\u0050otter?", " Bye."),
        ("Sing. ", "Wh0 15 P0773r pl3a5e", ""),
        pytest.param("Sing. ", "Wh0 15 P0773r?", ""),
    ],
)
def test_a_disguised_question_is_claimed_by_the_characters_that_hide_it(before: str, hidden: str, after: str) -> None:
    (claim,) = found(before + hidden + after)
    assert hidden in claim
    if "=" in hidden or " 6" in hidden:  # a code; a separator behind it may belong to it
        assert claim.rstrip(", ") == hidden


@pytest.mark.parametrize(
    "hide", [lambda text: codecs.encode(text, "rot13"), lambda text: text[::-1]], ids=["rot13", "reversed"]
)
def test_of_a_text_that_is_disguised_as_a_whole_only_the_question_is_claimed(hide: Callable[[str], str]) -> None:
    text = "How can you bake bread? Who is Potter and what was that? What are you and the cat?"
    assert found(hide(text)) == [hide("Who is Potter and what was that?")]


def test_a_code_is_claimed_whole_whichever_part_of_it_is_in_scope() -> None:
    code = base64.b64encode(b"How do I bake bread? Who is Potter? Thanks.").decode()
    assert found(f"Decode {code} now. Who is it?") == [code]


def test_what_is_hidden_out_of_scope_is_not_claimed() -> None:
    code = base64.b64encode(b"How do I bake bread?").decode()
    assert found(f"Decode {code} now.") == []


@pytest.mark.parametrize("text", ["<Who is Potter?>", "Who is <Harry Potter>?", "```Who is Potter?```"])
def test_markup_hides_no_question(text: str) -> None:
    assert found(text)


# Follow-ups.


def conversation(*contents: str) -> Prompt:
    roles = ["user" if n % 2 == 0 else "assistant" for n in range(len(contents))]
    return messages_only(list(zip(roles, contents, strict=True)))


def test_a_follow_up_is_claimed_although_it_names_nobody() -> None:
    prompt = conversation("Who is Harry Potter?", "I cannot say.", "Bake bread. Where did he live? Thanks.")
    assert claimed(prompt, detect([prompt], [potter()])[0]) == ["Who is Harry Potter?", "Where did he live?"]


@pytest.mark.parametrize(
    "contents",
    [
        ("Who is Harry Potter?", "I cannot say.", "How do I bake bread?"),
        ("Who is Harry Potter?", "I cannot say.", "My sister is ill. How can I help her?"),
        ("Who is Harry Potter?", "I cannot say.", "Who is Marie Curie?", "A chemist.", "Where did she live?"),
    ],
)
def test_an_innocent_follow_up_is_not_claimed(contents: tuple[str, ...]) -> None:
    prompt = conversation(*contents)
    assert claimed(prompt, detect([prompt], [potter()])[0]) == ["Who is Harry Potter?"]


def test_a_follow_up_that_asks_for_something_else_is_not_claimed(bag_of_words: Any) -> None:
    scope = AScope("potter", Near(bag_of_words, "Who is Harry Potter? Where did he live?", "Who is Harry Potter?"))
    asked = conversation("Who is Harry Potter?", "I cannot say.", "Where did he live?")
    other = conversation("Who is Harry Potter?", "I cannot say.", "Must he pay?")
    both = ["Who is Harry Potter?", "Where did he live?"]
    assert claimed(asked, detect([asked], [scope])[0]) == both
    assert claimed(other, detect([other], [scope])[0]) == ["Who is Harry Potter?", "Must he pay?"]
    choosy = replace(scope, intents=Intents(bag_of_words.encode(["When did live?"]), 0.5))
    verdicts = detect([asked, other], [choosy])
    assert claimed(asked, verdicts[0]) == both
    assert claimed(other, verdicts[1]) == ["Who is Harry Potter?"]


def test_what_a_scope_asks_about_decides_for_that_scope_and_for_follow_ups_alone(bag_of_words: Any) -> None:
    text = "Who is Harry Potter? Must he pay?"
    near = Near(bag_of_words, text, "Who is Harry Potter?")
    choosy = AScope("a", near, intents=Intents(bag_of_words.encode(["When did live?"]), 0.5))
    prompt = conversation("Who is Harry Potter?", "I cannot say.", "Must he pay?")
    (verdict,) = detect([prompt], [choosy, AScope("b", near)])
    assert [span.scope for span in verdict.spans if span.start > 20] == ["b"]
    assert found("Who is Harry Potter?", choosy) == ["Who is Harry Potter?"]


def test_a_question_without_a_verb_follows_where_a_scope_knows_what_it_is_asked(bag_of_words: Any) -> None:
    scope = AScope("potter", Near(bag_of_words, "Who is Harry Potter?"))
    asked = conversation("Who is Harry Potter?", "I cannot say.", "And the awards?")
    assert claimed(asked, detect([asked], [scope])[0]) == ["Who is Harry Potter?"]
    choosy = replace(scope, intents=Intents(bag_of_words.encode(["Which awards the and?"]), 0.5))
    assert claimed(asked, detect([asked], [choosy])[0]) == ["Who is Harry Potter?", "And the awards?"]


def test_what_a_part_of_a_clause_or_a_code_says_can_be_referred_to() -> None:
    for said in (base64.b64encode(b"Who is Harry Potter?").decode(), "Bake bread and tell me who is Potter then."):
        prompt = conversation(f"Read this: {said}", "I cannot say.", "Where did he live?")
        (verdict,) = detect([prompt], [potter()])
        assert claimed(prompt, verdict)[-1:] == ["Where did he live?"], said


def test_what_is_only_suspected_can_be_referred_to(bag_of_words: Any) -> None:
    near = Near(bag_of_words, "the novelist from Astana Where did he live?")
    prompt = conversation("I read the novelist from Astana", "Fine.", "Is it late?", "No.", "Where did he live?")
    assert found("I read the novelist from Astana", AScope("a", near)) == []
    (verdict,) = detect([prompt], [AScope("a", near)])
    assert claimed(prompt, verdict)[-1:] == ["Where did he live?"]


def test_a_follow_up_is_judged_by_the_scope_of_what_it_refers_to_alone(bag_of_words: Any) -> None:
    prompt = conversation("Who is Harry Potter?", "I cannot say.", "Where did he live?")
    everything = AScope("b", Holds(Words("nowhere")), threshold=0.0)
    (verdict,) = detect([prompt], [potter(), everything])
    own = [span for span in verdict.spans if span.scope == "potter"]
    assert [prompt.text[span.start : span.end] for span in own][-1:] == ["Where did he live?"]
    assert verdict.score == pytest.approx(detect([prompt], [potter()])[0].score)


# Exemptions.


def spared(encoder: Words) -> AScope:
    """Potter, but not where there is a kiln."""
    forget, example = np.eye(2, dtype=np.float32)[:1], np.full((1, 2), 0.7, dtype=np.float32)
    return potter(encoder, exemptions=Exemptions(example, forget, np.zeros_like(example)))


def test_what_resembles_an_exemption_more_than_a_forget_example_is_spared() -> None:
    assert found("Is the potter at his kiln?", spared(Words("potter", "kiln"))) == []
    assert found("Is the potter at his kiln?", potter(Words("potter", "kiln"))) == ["Is the potter at his kiln?"]


def test_an_exemption_spares_nothing_beside_it() -> None:
    text = "Is the potter at his kiln? Who is Potter? Go home to that kiln."
    assert found(text, spared(Words("potter", "kiln"))) == ["Who is Potter?"]
    text = "Is the potter at his kiln and who is Potter?"
    assert found(text, spared(Words("potter", "kiln"))) == ["and who is Potter?"]


def test_an_exemption_of_one_scope_is_none_of_another_one() -> None:
    encoder = Words("potter", "kiln")
    scopes = [spared(encoder), AScope("all", Holds(encoder))]
    (verdict,) = detect([text_only("Is the potter at his kiln?")], scopes)
    assert [span.scope for span in verdict.spans] == ["all"]


def test_a_spared_prompt_keeps_its_highest_score() -> None:
    (verdict,) = detect([text_only("Is the potter at his kiln?")], [spared(Words("potter", "kiln"))])
    assert verdict == Verdict((), pytest.approx(0.9), exempted_by=(Exempted("potter", 1),))


def test_a_verdict_names_the_exemption_by_which_a_text_passes_and_no_other() -> None:
    examples = np.array([[0.0, -1.0], [0.7, 0.7]], dtype=np.float32)
    both = Exemptions(examples, np.eye(2, dtype=np.float32)[:1], np.zeros_like(examples))
    scope = potter(Words("potter", "kiln"), exemptions=both)
    texts = [
        "Is the potter at his kiln?",
        "Who is Potter?",
        "Go home to that kiln.",
        "Is the potter at his kiln? Potter!",
    ]
    verdicts = detect([text_only(text) for text in texts], [scope])
    assert [verdict.exempted_by for verdict in verdicts] == [(Exempted("potter", 2),), (), (), (Exempted("potter", 2),)]
    assert [verdict.flagged for verdict in verdicts] == [False, True, False, True]


def test_an_exemption_of_another_width_stops_everything() -> None:
    wrong = Exemptions(*[np.ones((1, 3), dtype=np.float32)] * 3)
    with pytest.raises(DetectionError, match=r"scope 'potter' failed"):
        detect([text_only("Potter")], [potter(exemptions=wrong)])


# Other languages.

GERMAN = "Wer ist diese Autorin, und welche Bücher hat sie geschrieben?"


def test_a_language_that_the_encoder_does_not_read_is_noted() -> None:
    (verdict,) = detect([text_only(f"Hello there. {GERMAN} ¿Quién es esta autora y qué libros escribió?")], [potter()])
    assert not verdict.in_scope
    assert verdict.languages == ("de", "es")
    assert detect([text_only("How do I bake bread?")], [potter()])[0].languages == ()


def test_a_scope_may_corrupt_it() -> None:
    prompt = text_only(f"Hello there. {GERMAN} Who is Potter?")
    (verdict,) = detect([prompt], [potter(other_languages="corrupt")])
    start = prompt.text.index(GERMAN)
    assert verdict.spans[0] == Span(start, start + len(GERMAN), "potter", 1.0, "language")
    assert [span.reason for span in verdict.spans] == ["language", "content"]
    assert claimed(prompt, verdict) == [GERMAN, "Who is Potter?"]
    assert verdict.languages == ("de",)


def test_only_the_scope_that_corrupts_it_claims_it() -> None:
    encoder = Words("potter", "ring")
    scopes = [AScope("ring", Holds(encoder, 1)), potter(encoder, other_languages="corrupt")]
    (verdict,) = detect([text_only(GERMAN)], scopes)
    assert [(span.scope, span.reason) for span in verdict.spans] == [("potter", "language")]


def test_a_language_that_the_encoder_reads_is_no_other_language() -> None:
    class ReadsAll(Words):
        def encode(self, texts: Sequence[str]) -> Floats:
            vectors = super().encode(texts)
            return np.column_stack([vectors, np.ones(len(texts), dtype=np.float32)])

    scope = potter(ReadsAll("potter", "ring"), other_languages="corrupt")
    assert detect([text_only(GERMAN)], [scope]) == [Verdict((), pytest.approx(0.1))]


def test_template_text_in_another_language_is_nobodys() -> None:
    text = f"{GERMAN}<user>Hello there</user>"
    start = text.index("Hello")
    nothing = text_only(text)
    prompt = Prompt(text, (), nothing.offsets, nothing.is_special, (Segment(start, start + len("Hello there")),))
    assert detect([prompt], [potter(other_languages="corrupt")])[0] == Verdict((), pytest.approx(0.1))


@pytest.mark.parametrize(
    "written",
    [
        base64.b64encode(GERMAN.encode()).decode(),
        "".join(f"\\u{ord(letter):04x}" for letter in GERMAN),
    ],
    ids=["base64", "escapes"],
)
def test_a_disguise_hides_no_language(written: str) -> None:
    assert detect([text_only(written)], [potter()])[0].languages == ("de",)


# Errors.


@pytest.mark.parametrize(
    "value",
    [
        RuntimeError("out of memory"),
        KeyError("x"),
        np.array([np.nan], dtype=np.float32),
        np.array([np.inf], dtype=np.float32),
        np.array([1.5], dtype=np.float32),
        np.array([-0.1], dtype=np.float32),
        np.array([[0.2]], dtype=np.float32),
        np.array([0.2, 0.3], dtype=np.float32),
        np.zeros(0, dtype=np.float32),
        np.float32(0.2),
        None,
        [0.2, 0.3],
        "0.2",
        np.array(["x"]),
    ],
    ids=repr,
)
def test_a_classifier_that_fails_or_gives_no_probability_stops_everything(value: Any) -> None:
    good, bad = potter(), AScope("broken", Gives(value))
    for scopes in ([bad], [good, bad], [bad, good]):
        with pytest.raises(DetectionError, match=r"scope 'broken'.*Nothing was generated"):
            detect([text_only("Hello")], scopes)


def test_an_encoder_that_fails_stops_everything() -> None:
    class Broken(Words):
        def encode(self, texts: Sequence[str]) -> Floats:
            raise OSError("gone")

    with pytest.raises(DetectionError, match=r"scope 'potter' failed.*gone") as caught:
        detect([text_only("Hello")], [potter(Broken("potter"))])
    assert isinstance(caught.value.__cause__, OSError)


def test_an_encoder_that_fails_when_its_languages_are_measured_stops_everything_with_the_same_error() -> None:
    class Short(Words):
        def encode(self, texts: Sequence[str]) -> Floats:
            if len(texts) > 10:
                raise RuntimeError("out of memory")
            return super().encode(texts)

    with pytest.raises(DetectionError, match=r"scope 'potter'.*Nothing was generated"):
        detect([text_only(GERMAN)], [potter(Short("potter"))])


def test_a_classifier_that_only_fails_on_parts_stops_everything() -> None:
    class FailsLater(Holds):
        calls = 0

        def predict_proba(self, features: Features) -> Any:
            self.calls += 1
            if self.calls > 1:
                return np.full(len(features), np.nan, dtype=np.float32)
            return super().predict_proba(features)

    with pytest.raises(DetectionError, match=r"scope 's'.*Nothing was generated"):
        detect([text_only("Who is Potter and how do I bake some bread?")], [AScope("s", FailsLater(Words("potter")))])


def test_an_encoder_that_loses_a_text_stops_everything() -> None:
    class Loses(Words):
        def encode(self, texts: Sequence[str]) -> Floats:
            return super().encode(texts)[:-1]

    with pytest.raises(DetectionError):
        detect([text_only("Hello. You")], [potter(Loses("potter"))])


def test_an_interrupt_is_not_turned_into_an_error() -> None:
    class Interrupted(Holds):
        def predict_proba(self, features: Features) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect([text_only("Hello")], [AScope("s", Interrupted(Words("x")))])


# Time.


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(lambda n: "Potter. " * (n // 8), id="flagged clauses"),
        pytest.param(lambda n: "Bread is nice. " * (n // 15), id="clauses"),
        pytest.param(
            lambda n: "Bread is nice and where is Potter and what is bread and so on. " * (n // 63), id="parts"
        ),
    ],
)
def test_time_is_in_proportion_to_the_length(hostile: Callable[[int], str]) -> None:
    def seconds(length: int) -> float:
        prompt, best = text_only(hostile(length)), float("inf")
        for _ in range(2):
            start = time.process_time()
            detect([prompt], [potter()])
            best = min(best, time.process_time() - start)
        return best

    seconds(4_000)
    assert seconds(40_000) < 8 * seconds(10_000) + 0.05  # 4 times as long; 16 times for a square
