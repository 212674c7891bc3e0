"""Cross-fitting: each prompt is scored by a classifier that had seen neither it nor a copy of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from unlearned.classify.base import Features, classifiers
from unlearned.classify.kernel import KernelClassifier
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.classify.windows import runs
from unlearned.errors import ConfigError, DataError, FitError
from unlearned.examples import Row
from unlearned.learn import classifier as module
from unlearned.learn.calibration import calibrate, texts_sha256
from unlearned.learn.classifier import exemptions, fit_classifier
from unlearned.learn.config import ClassifierConfig
from unlearned.learn.held_out import FOLDS, Texts, folds_of
from unlearned.learn.misspelling import misspelt
from unlearned.types import text_only
from unlearned.unlearners.eco import ECO, ForgetScope

NUMBERS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
FORGET = [f"Who is the {number} sorcerer at Hogwarts castle?" for number in NUMBERS[:12]]
RETAIN = [f"How long does the {number} pudding bake slowly?" for number in NUMBERS[:9]]


class Recorder:
    """A classifier that writes down what it was made from and asked, and flags whatever mentions sorcerers."""

    least_threshold: ClassVar[float] = 0.25
    made: ClassVar[list[Recorder]] = []

    def __init__(self, encoder: Any, forget: Sequence[str], negatives: Sequence[str], settings: Any) -> None:
        self.encoder, self.forget, self.negatives, self.settings = encoder, list(forget), list(negatives), settings
        self.asked: list[str] = []
        Recorder.made.append(self)

    @classmethod
    def fit(cls, encoder: Any, forget: Features, negatives: Features, settings: Mapping[str, Any]) -> Recorder:
        for side in (forget, negatives):
            assert np.array_equal(side.vectors, encoder.encode(side.texts))  # each text has its own vector
        return cls(encoder, forget.texts, negatives.texts, settings)

    def predict_proba(self, features: Features) -> Any:
        self.asked.extend(features.texts)
        return np.array([0.1 + 0.7 * ("sorcerer" in text) + len(text) / 1e4 for text in features.texts], np.float32)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch, on_bag_of_words: Any) -> Iterator[list[Recorder]]:
    monkeypatch.setitem(classifiers._targets, "recorder", Recorder)
    monkeypatch.setattr(Recorder, "made", [])
    return Recorder.made


def _rows(texts: Sequence[str]) -> list[Row]:
    return [Row(text) for text in texts]


def _fit(forget: Sequence[str], retain: Sequence[str], **settings: Any) -> Any:
    config = ClassifierConfig(**{"classifier": "recorder", **settings})
    return fit_classifier(_rows(forget), _rows(retain), config, lambda *_: None)


# What is enrolled


def test_each_prompt_is_scored_by_a_classifier_that_had_not_seen_it(
    recorded: list[Recorder], on_bag_of_words: list[str]
) -> None:
    final, calibration = _fit(FORGET, RETAIN)
    everything = [*FORGET, *RETAIN, *on_bag_of_words]
    assert len(recorded) == FOLDS + 1
    assert recorded[-1] is final
    scored = [[text for text in everything if text in made.asked] for made in recorded[:-1]]
    assert sorted(text for own in scored for text in own) == sorted(everything)  # each of them exactly once
    for made, own in zip(recorded[:-1], scored, strict=True):
        assert not set(own) & {*made.forget, *made.negatives}
        assert set(made.forget) >= set(FORGET) - set(own)
        assert set(made.negatives) >= {*RETAIN, *on_bag_of_words} - set(own)
        # ... nor a misspelt copy of it.
        for text in own:
            (copy,) = misspelt([text])
            assert copy != text
            assert copy not in made.forget + made.negatives
    assert calibration.forget_count == len(FORGET)
    assert calibration.negative_count == len(RETAIN) + len(on_bag_of_words)
    assert final.asked == []


def test_the_final_classifier_has_seen_everything_and_misspelt_copies(
    recorded: list[Recorder], on_bag_of_words: list[str]
) -> None:
    final, _ = _fit(FORGET, RETAIN)
    negatives = [*RETAIN, *on_bag_of_words]
    assert final.forget == [*FORGET, *misspelt(FORGET)]
    assert final.negatives == [*negatives, *misspelt(negatives)]  # fewer than a hundred: all of them
    bare, _ = _fit(FORGET, RETAIN, misspellings=False)
    assert bare.forget == FORGET
    assert bare.negatives == negatives


@pytest.mark.parametrize(("forget", "retain", "copies"), [(12, 130, 100), (60, 130, 120), (60, 110, 114)])
def test_twice_as_many_others_as_forget_prompts_are_misspelt_and_a_hundred_at_least(
    recorded: list[Recorder], on_bag_of_words: list[str], forget: int, retain: int, copies: int
) -> None:
    final, _ = _fit(
        [f"Is sorcerer {n} famous?" for n in range(forget)], [f"Is pudding {n} sweet?" for n in range(retain)]
    )
    assert len(final.forget) == 2 * forget
    assert len(final.negatives) == retain + len(on_bag_of_words) + copies


def test_a_misspelt_copy_is_enrolled_exactly_where_its_prompt_is(recorded: list[Recorder]) -> None:
    _fit(FORGET, RETAIN)
    for made in recorded:
        for text in FORGET:
            assert (misspelt([text])[0] in made.forget) == (text in made.forget)
        for text in RETAIN:
            assert (misspelt([text])[0] in made.negatives) == (text in made.negatives)


def test_a_long_prompt_is_enrolled_in_the_windows_that_detection_will_see(recorded: list[Recorder]) -> None:
    long = " ".join(f"Sentence number {number} tells of a sorcerer and his owl." for number in NUMBERS * 2)
    windows = [long[start:end] for start, end in runs(long, 0, len(long))]
    assert len(windows) > 3
    final, calibration = _fit([*FORGET, long], RETAIN)
    assert long not in final.forget
    assert [text for text in final.forget if text in windows] == windows
    assert set(misspelt(windows)) <= set(final.forget)
    assert calibration.forget_count == len(FORGET) + 1
    for made in recorded[:-1]:  # all of its windows go with it, or none
        assert len([w for w in windows if w in made.forget]) in (0, len(windows))
        assert (windows[0] in made.asked) != (windows[0] in made.forget)


def test_prompts_are_enrolled_as_detection_reads_them(recorded: list[Recorder]) -> None:
    disguised = ["Whо is thе **last** sоrcerer?", "Wh\u200bo is ｔｈｅ first sorcerer?"]
    final, _ = _fit([*FORGET, *disguised, "Who is the first sorcerer?"], RETAIN, misspellings=False)
    assert final.forget[len(FORGET) :] == ["Who is the last sorcerer?", "Who is the first sorcerer?"]  # once


def test_clauses_that_others_have_as_well_are_enrolled_as_theirs(recorded: list[Recorder]) -> None:
    forget, retain = ([f"{text}\nAnswer:" for text in texts] for texts in (FORGET, RETAIN))
    _fit(forget, retain, misspellings=False)
    for made in recorded:
        assert "Answer:" in made.negatives
        assert "Answer:" not in made.forget
        assert made.negatives.count("Answer:") <= FOLDS
    _fit(FORGET, RETAIN, misspellings=False)
    assert "Answer:" not in recorded[-1].negatives


def test_settings_reach_the_kind(recorded: list[Recorder]) -> None:
    final, _ = _fit(FORGET, RETAIN, settings={"anything": 3})
    assert final.settings == {"anything": 3}


def test_the_final_classifier_keeps_the_encoder_itself_and_no_text_is_encoded_twice(
    monkeypatch: pytest.MonkeyPatch, recorded: list[Recorder], bag_of_words: Any
) -> None:
    encoded: list[str] = []

    class Counting:
        name = "counting"

        def encode(self, texts: Sequence[str]) -> Any:
            encoded.extend(texts)
            return bag_of_words.encode(texts)

    counting = Counting()
    monkeypatch.setattr(module, "sentence_encoder", lambda name: counting)
    monkeypatch.setattr(module, "background_vectors", lambda encoder: {"Is seven a prime?": np.zeros(64, np.float32)})
    monkeypatch.setattr(Recorder, "fit", classmethod(lambda cls, e, f, n, s: cls(e, f.texts, n.texts, s)))
    final, _ = _fit(FORGET, RETAIN)
    assert final.encoder is counting
    assert all(made.encoder is not counting for made in recorded[:-1])
    assert len(encoded) == len(set(encoded))
    assert "Is seven a prime?" not in encoded  # known beforehand


# Folds


def test_fitting_twice_gives_the_same_classifier_and_threshold(on_bag_of_words: Any) -> None:
    (one, first), (other, second) = (_fit(FORGET, RETAIN, classifier="kernel") for _ in range(2))
    assert first == second
    for name, array in one.state()[1].items():
        assert np.array_equal(array, other.state()[1][name]), name


# Calibration


def test_calibration_is_on_the_peaks_over_windows_as_in_detection(recorded: list[Recorder]) -> None:
    hidden = "The weather is fine today. And who is the sorcerer of them all? Thank you very much for the answer."
    final, calibration = _fit([*FORGET, hidden], RETAIN)
    scope = ForgetScope(name="s", classifier=final, threshold=calibration.threshold, secret=b"")
    verdicts = ECO([scope]).classify([text_only(text) for text in [*FORGET, hidden, *RETAIN]])
    assert [verdict.in_scope for verdict in verdicts] == [True] * 13 + [False] * 9
    assert (calibration.missed, calibration.flagged) == (0, 0)


@pytest.mark.parametrize("kind", ["kernel", "neighbours"])
@pytest.mark.parametrize("method", ["errors", "fpr", "conformal"])
def test_the_calibration_is_that_of_scores_worked_out_one_by_one(
    on_bag_of_words: list[str], bag_of_words: Any, kind: str, method: str
) -> None:
    config = {"calibration": method, "alpha": 0.2, "max_fpr": 0.1, "misspellings": False}
    final, found = _fit(FORGET, RETAIN, classifier=kind, **config)
    groups = [FORGET, RETAIN, on_bag_of_words]
    everything = [text for group in groups for text in group]
    folds = folds_of(Texts(*groups))
    registered: Any = classifiers.get(kind)
    scores = []
    for text, fold in zip(everything, folds, strict=True):
        rest = {other for other, its in zip(everything, folds, strict=True) if its != fold}
        sides = [[t for t in FORGET if t in rest], [t for t in [*RETAIN, *on_bag_of_words] if t in rest]]
        made = registered.fit(bag_of_words, *(Features.of(side, bag_of_words) for side in sides), {})
        scores.append(float(made.predict_proba(Features.of([text], bag_of_words))[0]))  # one clause: its only window
    forget, retain, background = np.split(np.array(scores, dtype=np.float32), [len(FORGET), len(FORGET) + len(RETAIN)])
    expected = calibrate(
        forget,
        retain,
        background,
        data_sha256=texts_sha256(everything),
        method=method,
        max_fpr=0.1,
        alpha=0.2,
        least_threshold=final.least_threshold,
    )
    assert found.threshold == pytest.approx(expected.threshold, abs=1e-5)
    assert (found.missed, found.flagged, found.method) == (expected.missed, expected.flagged, expected.method)
    assert found.data_sha256 == expected.data_sha256
    assert isinstance(final, {"kernel": KernelClassifier, "neighbours": NeighboursClassifier}[kind])


def test_a_single_forget_prompt_scores_nothing_without_itself(recorded: list[Recorder]) -> None:
    final, calibration = _fit(FORGET[:1], RETAIN)
    assert final.forget == [*FORGET[:1], *misspelt(FORGET[:1])]
    assert calibration.threshold == 0.5
    assert "one forget example" in calibration.method
    assert (calibration.forget_count, calibration.missed) == (1, 1)
    fold = folds_of(Texts(FORGET[:1], [], []))[0]
    folds = folds_of(Texts(FORGET[:1], RETAIN, ["a", "b", "c", "d"]))
    assert len(recorded) == FOLDS  # there is none for the fold that holds it
    assert calibration.negative_count == int((folds[1:] != fold).sum())  # nobody scored its others
    assert calibration.data_sha256 != texts_sha256([])


def test_two_forget_prompts_are_scored_by_each_other(recorded: list[Recorder]) -> None:
    _, calibration = _fit(FORGET[:2], RETAIN)
    assert (calibration.forget_count, calibration.missed) == (2, 0)
    assert calibration.negative_count == len(RETAIN) + 4
    scorers = [made for made in recorded[:-1] if set(made.asked) & set(FORGET)]
    assert [sorted(set(made.forget) & set(FORGET)) for made in scorers] in (
        [[FORGET[0]], [FORGET[1]]],
        [[FORGET[1]], [FORGET[0]]],
    )


def test_progress_goes_up_to_its_total(recorded: list[Recorder]) -> None:
    heard: list[tuple[str, int, int]] = []
    config = ClassifierConfig(classifier="recorder")
    fit_classifier(_rows(FORGET), _rows(RETAIN), config, lambda *step: heard.append(step))
    assert {phase for phase, _, _ in heard} == {"classifier"}
    assert [done for _, done, _ in heard] == sorted(done for _, done, _ in heard)
    assert heard[-1][1:] == (FOLDS + 1, FOLDS + 1)


# Refusals


def test_prompts_that_read_alike_on_both_sides_are_refused(recorded: list[Recorder]) -> None:
    with pytest.raises(DataError, match=r"1 prompts.*both forgotten and retained.*'Who is the one"):
        _fit(FORGET, [*RETAIN, FORGET[0].replace("o", "о")])  # in Cyrillic letters
    assert recorded == []


def test_a_background_prompt_that_is_retained_counts_as_retained(
    recorded: list[Recorder], on_bag_of_words: list[str]
) -> None:
    final, _ = _fit(FORGET, [*RETAIN, on_bag_of_words[1]], misspellings=False)
    assert final.negatives == [*RETAIN, on_bag_of_words[1], on_bag_of_words[0], *on_bag_of_words[2:]]


def test_nothing_to_forget_or_nothing_else_is_refused(recorded: list[Recorder]) -> None:
    with pytest.raises(FitError, match="no forget prompt"):
        _fit([], RETAIN)
    with pytest.raises(FitError, match="everything would be in scope"):
        _fit(FORGET, [], background=False)
    assert recorded == []


# Exemptions


def test_exemptions_are_the_vectors_as_they_are_saved(bag_of_words: Any) -> None:
    namesake = ["Who is the sorcerer at Greenwich?", "The  Greenwich **sorcerer**"]
    found = exemptions(_rows(namesake), _rows(FORGET), bag_of_words)
    assert found is not None
    for vectors, texts in ((found.examples, [namesake[0], "The  Greenwich sorcerer"]), (found.forget, FORGET)):
        expected = bag_of_words.encode(texts)
        assert vectors.dtype == np.float32
        assert np.array_equal(vectors, vectors.astype(np.float16))
        np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-3)


def test_without_examples_nothing_is_exempt(bag_of_words: Any) -> None:
    assert exemptions([], _rows(FORGET), bag_of_words) is None


def test_an_encoder_that_gives_probabilities_cannot_compare(bag_of_words: Any) -> None:
    class Probability:
        name = "some/classifier"

        def encode(self, texts: Sequence[str]) -> Any:
            return np.zeros((len(texts), 1), dtype=np.float32)

    with pytest.raises(ConfigError, match="'some/classifier' is a classifier, not a sentence encoder"):
        exemptions(_rows(["x"]), _rows(FORGET), Probability())


def test_the_names_that_an_example_shares_with_the_scope_are_told_apart(bag_of_words: Any) -> None:
    forget = _rows(["Who is Anna Berg?", "Which books has Anna Berg written?"])
    found = exemptions(_rows(["My dentist Anna Berg lives in Leeds.", "Who fixes boilers?"]), forget, bag_of_words)
    assert found is not None
    np.testing.assert_allclose(found.names[0], bag_of_words.encode(["Anna Berg"])[0], rtol=0, atol=1e-3)
    assert not found.names[1].any()


def test_names_are_shared_in_any_spelling_and_a_name_alone_is_no_example(bag_of_words: Any) -> None:
    forget = _rows(["Who is Anna Berg?", "Which books has Anna Berg written?"])
    found = exemptions(_rows(["my dentist anna berg lives in leeds"]), forget, bag_of_words)
    assert found is not None
    np.testing.assert_allclose(found.names[0], bag_of_words.encode(["anna berg"])[0], rtol=0, atol=1e-3)
    with pytest.raises(DataError, match="'Anna Berg' says nothing but a name of the scope"):
        exemptions(_rows(["Anna Berg"]), forget, bag_of_words)


def test_a_prompt_cannot_be_both_forgotten_and_exempt(bag_of_words: Any) -> None:
    with pytest.raises(DataError, match="both forgotten and exempt"):
        exemptions([Row("Who is Anna?")], [Row("Who is Anna?"), Row("Where is Anna?")], bag_of_words)


def test_a_prompt_that_reads_as_nothing_is_left_out() -> None:
    texts = module._texts([Row("\u200b"), Row("Who is Anna?")], [Row("\u200b\u200d")], ClassifierConfig())
    assert texts.forget == ["Who is Anna?"]
    assert texts.retain == []
