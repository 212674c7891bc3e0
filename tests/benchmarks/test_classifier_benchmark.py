"""The classifier benchmark: what it writes around questions, how it counts, and that a run goes through."""

from __future__ import annotations

import base64
import codecs
import html
import json
import random
import re
import unicodedata
import urllib.parse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cases import every
from unlearned.benchmarks.classifier import carriers, disguises, run, scopes
from unlearned.benchmarks.classifier.bench import Bench, _batches, covered, spills
from unlearned.benchmarks.classifier.carriers import FRAMES, JOINS, WHERE, filler, framed, hidden, joined
from unlearned.benchmarks.classifier.config import BenchmarkConfig
from unlearned.benchmarks.classifier.disguises import DISGUISES, typing_errors
from unlearned.benchmarks.classifier.results import NONE, RowResult, Target, counted, curve, read_found
from unlearned.benchmarks.classifier.run import ROWS, measure_classifiers
from unlearned.benchmarks.classifier.sets import (
    Data,
    Exam,
    data_folder,
    homonyms,
    synthetic,
    talks,
    translations,
)
from unlearned.classify.base import Floats
from unlearned.classify.cached_encoder import CachedEncoder
from unlearned.cli.main import app
from unlearned.errors import ConfigError, DataError
from unlearned.examples import evenly
from unlearned.report.detection import as_markdown, verdict, write_detection_report
from unlearned.report.detection_plot import curves_plot
from unlearned.types import Span, Verdict

QUESTION = 'Which book by Ana Ruiz-Ito, "The 7 Quiet Rivers", won a prize in 1998?'
OTHER = "What is the capital of France?"
PHRASES = [
    "a quiet film about two old friends",
    "it does n't work , but it tries",
    "short",
    "the best -lrb- so far -rrb- of its kind",
]


def test_disguises_are_reproducible_and_change_the_text() -> None:
    for disguise in DISGUISES.values():
        written = disguise(QUESTION, random.Random(3))
        assert written != QUESTION
        assert written == disguise(QUESTION, random.Random(3))


def test_compatible_letters_are_undone_by_nfkc() -> None:
    for disguise in (disguises.fullwidth, disguises.mathematical):
        assert unicodedata.normalize("NFKC", disguise(QUESTION, random.Random(0))) == QUESTION


def test_look_alikes_keep_the_number_of_letters_and_leave_ascii() -> None:
    for disguise, script in ((disguises.cyrillic, "CYRILLIC"), (disguises.greek, "GREEK")):
        written = disguise(QUESTION, random.Random(0))
        assert len(written) == len(QUESTION)
        changed = [(a, b) for a, b in zip(QUESTION, written, strict=True) if a != b]
        assert len(changed) > 8
        assert all(
            a.isascii() and unicodedata.name(b).startswith(script) and a.isupper() == b.isupper() for a, b in changed
        )


def test_invisible_characters_and_marks_can_be_taken_out_again() -> None:
    invisible = disguises.zero_width(QUESTION, random.Random(0))
    assert "".join(c for c in invisible if unicodedata.category(c) != "Cf") == QUESTION
    assert not any(unicodedata.category(word[0]) == "Cf" for word in invisible.split())
    marked = disguises.combining_marks(QUESTION, random.Random(0))
    assert "".join(c for c in marked if not unicodedata.combining(c)) == QUESTION


def test_spacing_keeps_the_letters() -> None:
    letters = "".join(QUESTION.split())
    for disguise in (disguises.letter_spaced, disguises.letter_spaced_run, disguises.no_spaces):
        assert "".join(disguise(QUESTION, random.Random(0)).split()) == letters
    spaced = disguises.letter_spaced(QUESTION, random.Random(0))
    assert ["".join(word.split(" ")) for word in spaced.split("  ")] == QUESTION.split()
    assert "  " not in disguises.letter_spaced_run(QUESTION, random.Random(0))


def test_case_leetspeak_and_markdown_can_be_read_back() -> None:
    assert disguises.mixed_case(QUESTION, random.Random(0)).lower() == QUESTION.lower()
    leet = disguises.leetspeak("Who wrote elegant tales?", random.Random(0))
    assert leet.translate(str.maketrans("4@3105$7", "aaeiosst")).lower() == "who wrote elegant tales?"
    for seed in range(8):
        words = re.sub(r"[*_#>-]", " ", disguises.markdown("Who wrote it?", random.Random(seed))).split()
        assert words[:3] == ["Who", "wrote", "it?"]
    assert QUESTION in disguises.code_fence(QUESTION, random.Random(1))


def test_encodings_decode_to_the_question() -> None:
    def last(text: str) -> str:
        return text.partition(": ")[2]

    draw = random.Random(0)
    assert base64.b64decode(last(disguises.in_base64(QUESTION, draw))).decode() == QUESTION
    for _ in range(6):
        assert bytes.fromhex(last(disguises.in_hex(QUESTION, draw))).decode() == QUESTION
        assert html.unescape(last(disguises.html_entities(QUESTION, draw))) == QUESTION
    assert codecs.decode(last(disguises.in_rot13(QUESTION, draw)), "rot13") == QUESTION
    assert urllib.parse.unquote(disguises.url_encoded(QUESTION, draw)).endswith(f"?q={QUESTION}")
    fully = last(disguises.url_encoded_fully(QUESTION, draw))
    assert urllib.parse.unquote(fully) == QUESTION
    assert re.fullmatch(r"(%[0-9A-F]{2})+", fully)


@every("seed", range(20))
def test_typing_errors_touch_a_third_of_the_words(seed: int) -> None:
    text = "Which famous novels about rivers has the quiet author written since then"
    before, after = text.split(), typing_errors(text, random.Random(seed)).split()
    assert len(before) == len(after)
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert 2 <= len(changed) <= 4  # a second slip can undo the first
    assert all(abs(len(a) - len(b)) <= 2 for a, b in changed)


def test_typing_errors_leave_what_has_no_words() -> None:
    assert typing_errors("1 + 1 = ?", random.Random(0)) == "1 + 1 = ?"


def test_filler_is_prose_of_the_length_asked_for() -> None:
    sentences = filler(PHRASES, 100, random.Random(0))
    count = sum(len(sentence.split()) for sentence in sentences)
    assert 100 <= count < 110
    assert set(sentences) == {
        "A quiet film about two old friends.",
        "It doesn't work, but it tries.",
        "The best (so far) of its kind.",
    }


@pytest.mark.parametrize("where", WHERE)
def test_a_hidden_question_is_where_it_is_said_to_be(where: carriers.Where) -> None:
    sentences = filler(PHRASES, 200, random.Random(1))
    carried = hidden(QUESTION, sentences, where)
    (place,) = carried.places
    assert carried.text[slice(*place)] == QUESTION
    share = place[0] / (len(carried.text) - len(QUESTION))
    assert share == {"start": 0, "middle": pytest.approx(0.5, abs=0.1), "end": 1}[where]
    rest = carried.text[: place[0]] + carried.text[place[1] :]
    assert rest.split() == " ".join(sentences).split()
    assert "\n\n" in carried.text


def test_a_frame_has_one_gap_and_the_question_is_in_it() -> None:
    for frames in FRAMES.values():
        assert len(frames) == 3
        for frame in frames:
            carried = framed(frame, QUESTION)
            assert carried.text[slice(*carried.places[0])] == QUESTION
            assert carried.text.replace(QUESTION, "{}") == frame


@pytest.mark.parametrize("forget_first", [True, False])
@pytest.mark.parametrize("name", JOINS)
def test_two_questions_in_one_text_are_where_they_are_said_to_be(name: str, forget_first: bool) -> None:
    carried = joined(QUESTION, OTHER, JOINS[name], forget_first=forget_first)
    forget, retain = (carried.text[slice(*place)] for place in carried.places)
    assert forget[1:].rstrip("?") == (json.dumps(QUESTION)[1:-1] if "JSON" in name else QUESTION)[1:].rstrip("?")
    assert retain[1:].rstrip("?") == OTHER[1:].rstrip("?")
    assert (carried.places[0] < carried.places[1]) == forget_first
    if "JSON" in name:
        values = " ".join(json.loads(carried.text).values())
        assert QUESTION in values
        assert OTHER in values
    if name == "no punctuation":
        assert "?" not in carried.text


def test_coverage_counts_characters_that_are_not_spaces() -> None:
    text, place = "Hello. Who is he? Bye.", (7, 17)
    assert text[slice(*place)] == "Who is he?"

    def flagged(*places: tuple[int, int]) -> Verdict:
        return Verdict(tuple(Span(start, end, "s", 1.0) for start, end in places))

    assert covered(text, place, flagged()) == 0
    assert covered(text, place, flagged((7, 10))) == pytest.approx(3 / 8)
    assert covered(text, place, flagged((7, 10), (8, 17))) == 1
    assert covered(text, place, flagged((0, 6))) == 0
    assert not spills(text, place, flagged((7, 17)))
    assert not spills(text, place, flagged((5, 18)))  # a full stop and spaces
    assert spills(text, place, flagged((7, 19)))


def test_counts_have_exact_intervals_and_targets() -> None:
    none = counted("row", "name", "kernel", [False] * 40, ["x"] * 40, NONE)
    assert (none.errors, none.count, none.rate, none.met, none.examples) == (0, 40, 0.0, True, ())
    assert none.interval == pytest.approx((0, 1 - 0.025 ** (1 / 40)))  # closed form for no error
    one = counted("row", "name", "kernel", [False, True], ["a", "b" * 1000], Target(1, 400))
    assert (one.errors, one.rate, one.met, one.target) == (1, 0.5, False, "at most 1 of 400")
    assert one.examples == ("b" * 300,)
    assert counted("row", "name", "kernel", [True], ["a"]).met is None
    with pytest.raises(DataError, match="no prompts of this kind"):
        counted("row", "name", "kernel", [], [])


def test_targets_are_rates_that_may_be_reached_exactly() -> None:
    assert Target(1, 400).met(1, 400)
    assert not Target(1, 400).met(1, 399)
    assert Target(2).met(2, 100)
    assert Target(2).text == "at most 2 %"
    assert Target().met(5, 5) is None


def test_a_curve_ends_at_everything_and_has_the_chosen_point() -> None:
    forget, others = np.array([0.9, 0.8, 0.3], np.float32), np.array([0.85, 0.2, 0.1, 0.1], np.float32)
    found = curve("mmlu", "a against b, without header", "kernel", forget, others, 0.5)
    assert found.chosen == pytest.approx((1 / 4, 2 / 3))
    assert (found.fpr[0], found.recall[0]) == pytest.approx((0, 1 / 3))
    assert (found.fpr[-1], found.recall[-1]) == (1, 1)
    assert list(found.threshold) == sorted(found.threshold, reverse=True)


def test_a_long_curve_is_thinned_out_and_keeps_its_ends() -> None:
    draw = np.random.default_rng(0)
    forget, others = draw.beta(5, 2, 2000).astype(np.float32), draw.beta(2, 5, 9000).astype(np.float32)
    found = curve("mmlu", "a against b, without header", "kernel", forget, others, 0.5)
    assert len(found.fpr) <= 210
    assert found.fpr[0] == 0
    assert (found.fpr[-1], found.recall[-1]) == (1, 1)
    assert sum(0 < fpr < 0.01 for fpr in found.fpr) >= 10
    assert "<svg" in curves_plot([found])


def test_rows_survive_json() -> None:
    row = RowResult([counted("row", "name", "kernel", [True, False], ["a", "b"])])
    assert RowResult.from_json(json.loads(json.dumps(row.as_json()))) == row
    assert "| row | name | kernel | 1/2 | 50.00 % | 1.26 to 98.74 % | measured |  |" in as_markdown(row)


def test_the_verdict_names_what_missed_its_target() -> None:
    good = counted("a", "found", "kernel", [False], ["x"], NONE)
    bad = counted("a", "flagged", "kernel", [True], ["x"], NONE)
    assert verdict(RowResult([good])) == "All 1 targets are met."
    assert verdict(RowResult([good, bad])) == "1 of 2 targets are met; not: a: flagged."
    assert verdict(RowResult([counted("a", "b", "kernel", [True], ["x"])])) == "Nothing that has a target was measured."


def test_thinning_keeps_order_and_ends() -> None:
    assert evenly(range(100), 3) == [0, 50, 99] or evenly(range(100), 3) == [0, 49, 99]
    assert evenly([1, 2], 5) == [1, 2]
    assert evenly([1, 2], None) == [1, 2]


def test_batches_hold_every_prompt_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unlearned.benchmarks.classifier.bench.BATCH_CHARACTERS", 10)
    assert _batches([4, 4, 4, 50, 1]) == [(0, 2), (2, 3), (3, 4), (4, 5)]
    assert _batches([]) == []


def test_an_encoder_that_remembers_gives_the_same_vectors(bag_of_words: Any) -> None:
    encoder = CachedEncoder(bag_of_words, most=3)
    for texts in (["a b", "c", "a b"], ["c", "d"], ["e", "f", "c"]):
        assert np.array_equal(encoder.encode(texts), bag_of_words.encode(texts))
        assert len(encoder.known) <= 3


def test_halves_of_an_author_are_disjoint_and_seeded(folder: Path) -> None:
    authors = [[f"author {a}, question {n}" for n in range(20)] for a in range(3)]
    bench = Bench(Data(folder), seed=1)
    fitted, asked = scopes.halved(bench, 0, authors)
    assert (fitted, asked) == scopes.halved(bench, 0, authors)
    assert fitted != scopes.halved(bench, 1, authors)[0]
    assert sorted(fitted + asked) == sorted(question for author in authors for question in author)
    assert all(sum(question in author for question in fitted) == 10 for author in authors)


def test_an_exam_prompt_has_the_header_only_if_asked() -> None:
    exam = Exam("high_school_physics", " What falls? ", ("a", "b", "c", "d"))
    assert exam.prompt(header=False) == "What falls?\nA. a\nB. b\nC. c\nD. d\nAnswer:"
    assert exam.prompt(header=True).startswith(
        "The following are multiple choice questions (with answers) about high school physics.\n\nWhat falls?"
    )


@pytest.mark.parametrize("subject", ["economics", "physics", "law"])
def test_packaged_exam_questions_are_at_most_300(subject: str) -> None:
    exams = synthetic(subject)
    assert 100 <= len(exams) <= 300
    assert all(len(exam.choices) == 4 for exam in exams)


def test_packaged_translations_homonyms_and_talks_are_whole() -> None:
    by_language: dict[str, set[int]] = {}
    for translation in translations():
        by_language.setdefault(translation.language, set()).add(translation.row)
    assert set(by_language) == {"es", "fr", "de", "zh", "hi"}
    assert all(rows == set(range(40)) for rows in by_language.values())
    assert all(0 <= homonym.author < 20 and homonym.prompts for homonym in homonyms())
    kinds = Counter((talk.fragment, talk.innocent) for talk in talks())
    assert kinds == {(False, False): 100, (False, True): 100, (True, False): 40, (True, True): 40}
    assert all(len(talk.turns) % 2 == 1 and talk.turns[-1][0] == "user" for talk in talks())


# A run on data made here, with an encoder that needs no model.


@dataclass
class Counting:
    """The bag of words, and how many texts it was given."""

    inner: Any
    texts: int = 0
    name: str = "bag-of-words"
    __hash__ = object.__hash__

    def encode(self, texts: Sequence[str]) -> Floats:
        self.texts += len(texts)
        vectors: Floats = self.inner.encode(texts)
        return vectors


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Data in the form of the real sets: one author is forgotten, four are not."""
    data = tmp_path / "data"
    asks = ("Who are the parents of {}?", "Which prizes did {} win?", "Where was {} born?", "What does {} write about?")
    again = (
        "Name the parents of {}.",
        "What prizes has {} won?",
        "In which place was {} born?",
        "{} writes about what?",
    )
    people = ("Zora Quill", "Bob Stone", "Carl Winter", "Dora Lake", "Emil Frost")

    def rows(names: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {"question": ask.format(name), "answer": "-", "paraphrased_question": other.format(name)}
            for name in names
            for ask, other in zip(asks, again, strict=True)
        ]

    for forget, retain in (("01", "99"), ("05", "95"), ("10", "90")):
        write(data / f"tofu/forget{forget}.jsonl", rows(people[:1]))
        write(data / f"tofu/forget{forget}_perturbed.jsonl", rows(people[:1]))
        write(data / f"tofu/retain{retain}.jsonl", rows(people[1:]))
    write(data / "tofu/retain_perturbed.jsonl", rows(people[1:]))
    return data


@pytest.fixture
def encoder(bag_of_words: Any, monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting(bag_of_words)
    monkeypatch.setattr("unlearned.learn.classifier.sentence_encoder", lambda name: counting)
    monkeypatch.setattr(
        "unlearned.learn.classifier.background_prompts", lambda: [f"How do I bake bread {n}?" for n in range(30)]
    )
    return counting


@pytest.mark.slow
def test_a_run_writes_its_results_and_is_not_repeated(folder: Path, encoder: Counting, tmp_path: Path) -> None:
    out = tmp_path / "out"
    config = BenchmarkConfig(rows=("paraphrases", "typos"), limit=4)
    phases: list[str] = []
    first = measure_classifiers(
        Data(folder),
        out,
        config,
        on_progress=lambda phase, done, total: phases.append(phase),
        on_row=partial(write_detection_report, out),
    )
    assert [measure.row for row in first for measure in row.measures] == ["paraphrases"] * 6 + ["typos"] * 2
    assert all(measure.count in (4, 8) for row in first for measure in row.measures)
    missed = next(m for m in first[0].measures if m.name == "paraphrased forget questions missed, forget01")
    assert missed.errors == 0
    assert "fit forget01" in phases
    written = json.loads((out / "results.json").read_text())
    assert [measure["name"] for measure in written["measures"]] == [m.name for row in first for m in row.measures]
    text = (out / "results.md").read_text()
    found = read_found(out)
    assert [m for row in first for m in row.measures] == found.row.measures
    assert as_markdown(found.row) in text
    assert f"on the text encoder {written['settings']['encoder']}, seed" in text
    assert f"Made on {written['at']}; torch" in text
    assert f"**{verdict(found.row)}**" in text
    assert "What this does not prove:" in text
    encoder.texts = 0
    assert measure_classifiers(Data(folder), out, config) == first
    assert encoder.texts == 0
    told: list[str] = []
    measure_classifiers(Data(folder), out, BenchmarkConfig(rows=("typos",), limit=4, seed=1), tell=told.append)
    assert encoder.texts > 0  # other settings
    assert told == ["typos of kernel is measured anew: other seed (0, now 1)"]
    shown = CliRunner().invoke(app, ["report", str(out)])
    assert shown.exit_code == 0, shown.output
    assert as_markdown(read_found(out).row) in (out / "results.md").read_text()
    with pytest.raises(DataError, match="holds no results"):
        read_found(tmp_path)


@pytest.mark.slow
def test_an_interrupted_run_keeps_the_rows_it_has(
    folder: Path, encoder: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(bench: Bench) -> RowResult:
        raise KeyboardInterrupt

    out, config = tmp_path / "out", BenchmarkConfig(rows=("typos", "frames"), limit=4)
    frames = ROWS["frames"]
    monkeypatch.setitem(run.ROWS, "frames", stop)
    with pytest.raises(KeyboardInterrupt):
        measure_classifiers(Data(folder), out, config, on_row=partial(write_detection_report, out))
    assert "typing errors" in (out / "results.md").read_text()
    monkeypatch.setitem(run.ROWS, "frames", frames)
    monkeypatch.setitem(run.ROWS, "typos", stop)
    rows = measure_classifiers(Data(folder), out, config)
    assert [row.measures[0].row for row in rows] == ["typos", "frames"]


def test_other_classifiers_get_the_most_telling_rows() -> None:
    config = BenchmarkConfig(classifiers=("kernel", "neighbours"))
    assert config.rows_of("kernel") == tuple(ROWS)
    assert set(config.rows_of("neighbours")) < set(ROWS)
    assert BenchmarkConfig(classifiers=("neighbours",), rows=("typos",)).rows_of("neighbours") == ("typos",)


def test_bad_settings_are_named() -> None:
    with pytest.raises(ConfigError, match=r"no row 'typo'.*typos"):
        BenchmarkConfig(rows=("typo",))
    with pytest.raises(ConfigError, match="limit=1"):
        BenchmarkConfig(limit=1)
    with pytest.raises(KeyError, match="kernel"):
        BenchmarkConfig(classifiers=("kernle",))


def test_missing_data_is_one_clear_line(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no data folder"):
        Data(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"mmlu.test\.jsonl"):
        Data(folder).exams("test")
    write(folder / "sst2/dev.jsonl", [{"text": "a phrase"}])
    with pytest.raises(DataError, match=r"dev\.jsonl, line 1: no column 'sentence'"):
        Data(folder).reviews("dev")
    monkeypatch.delenv("UNLEARNED_DATA", raising=False)
    with pytest.raises(ConfigError, match="--data"):
        data_folder(None)
    monkeypatch.setenv("UNLEARNED_DATA", str(folder))
    assert data_folder(None) == folder
    assert data_folder(tmp_path) == tmp_path
