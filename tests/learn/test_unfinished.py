"""A fit that was killed goes on with the same detector, the same secret and the evaluations that were made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from learn_rows import FORGET_ROWS, RETAIN_ROWS

from unlearned.artifact import Artifact
from unlearned.errors import DataError
from unlearned.learn.config import FitConfig
from unlearned.learn.fit import add_strength, fit, fit_detector
from unlearned.learn.objective import Objective
from unlearned.learn.unfinished import DETECTOR, LEDGER, MISTAKES, OF, Unfinished

SEARCH = {"points": 4, "max_evaluations": 8, "tolerance": 0.0}


class Killed(BaseException):
    """Like Ctrl-C."""


class Watch:
    """Counts the parameters that are really evaluated; `after` so many batches it raises."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.batches: list[list[float]] = []
        self.after = 10**9
        evaluate = Objective.__call__

        def watched(objective: Objective, parameters: Any) -> Any:
            if len(self.batches) >= self.after:
                raise Killed
            self.batches.append(list(parameters))
            return evaluate(objective, parameters)

        patch.setattr(Objective, "__call__", watched)

    @property
    def asked(self) -> list[float]:
        return [parameter for batch in self.batches for parameter in batch]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch, on_bag_of_words: Any, bag_of_words: Any) -> Watch:
    monkeypatch.setattr("unlearned.artifact.artifact.sentence_encoder", lambda name: bag_of_words)
    monkeypatch.setattr("unlearned.learn.bracketing.PART_OF_ERROR", -1.0)  # no secret ends the search early
    return Watch(monkeypatch)


@pytest.fixture
def start(knowing_model: Any, tiny_tokenizer: Any) -> Any:
    def start(folder: Path | None, forget: Any = FORGET_ROWS, retain: Any = RETAIN_ROWS, **more: Any) -> Artifact:
        exempt = more.pop("exempt", ())
        config = FitConfig(**({"checkpoints": folder, "search": SEARCH, "fluency": False} | more))
        return fit(knowing_model, tiny_tokenizer, forget, retain, scope="potter", exempt=exempt, config=config)

    return start


def test_a_fit_that_was_killed_goes_on_where_it_was(start: Any, watch: Watch, tmp_path: Path) -> None:
    folder = tmp_path / "potter.unfinished"
    watch.after = 2
    with pytest.raises(Killed):
        start(folder)
    before = watch.asked
    assert len(before) >= 5
    assert {path.name for path in folder.iterdir()} == {DETECTOR, OF, LEDGER, MISTAKES}
    kept = Artifact.from_pretrained(folder / DETECTOR)
    watch.after, watch.batches = 10**9, []
    artifact = start(folder)
    record = artifact.strengths["potter"]
    assert artifact.secret == kept.secret == artifact.scopes[0].secret
    assert artifact.made[0] == kept.made[0]
    assert artifact.scopes[0].threshold == kept.scopes[0].threshold
    assert not set(watch.asked) & set(before)
    assert sorted(watch.asked + before) == [evaluation.parameter for evaluation in record.trace]
    assert not folder.exists()


def test_going_on_ends_where_a_fit_without_interruption_ends(start: Any, watch: Watch, tmp_path: Path) -> None:
    whole = start(None, seed=4)
    assert len(watch.batches) > 2
    for after in range(len(watch.batches)):
        watch.after, watch.batches = after, []
        with pytest.raises(Killed):
            start(tmp_path / "u", seed=4)
        watch.after, watch.batches = 10**9, []
        again = start(tmp_path / "u", seed=4)
        assert again.secret == whole.secret
        assert again.scopes[0].corruption == whole.scopes[0].corruption
        chosen, expected = again.strengths["potter"].chosen, whole.strengths["potter"].chosen
        assert chosen.model_copy(update={"seconds": 0}) == expected.model_copy(update={"seconds": 0})


def test_killed_twice_evaluates_nothing_twice(start: Any, watch: Watch, tmp_path: Path) -> None:
    asked: list[float] = []
    for _ in range(3):
        watch.after, watch.batches = 1, []
        with pytest.raises(Killed):
            start(tmp_path / "u", corruption="auto")
        asked += watch.asked
    watch.after, watch.batches = 10**9, []
    record = start(tmp_path / "u", corruption="auto").strengths["potter"]
    asked += watch.asked
    assert len(asked) == sum(candidate.evaluations for candidate in record.candidates)


@pytest.mark.parametrize(
    "changed",
    [
        {"forget": FORGET_ROWS[:2]},
        {"retain": RETAIN_ROWS[:2]},
        {"exempt": ["Who is Harry Potter the ice hockey coach?"]},
        {"classifier": "neighbours"},
        {"selector": "attribution"},
    ],
)
@pytest.mark.parametrize("seed", [None, 3])
def test_changed_data_or_settings_start_anew(
    start: Any, watch: Watch, tmp_path: Path, changed: dict[str, Any], seed: int | None
) -> None:
    watch.after = 1
    with pytest.raises(Killed):
        start(tmp_path / "u", seed=seed, surrogate=-4.0)
    before, kept = watch.asked, Artifact.from_pretrained(tmp_path / "u" / DETECTOR)
    watch.after, watch.batches = 10**9, []
    artifact = start(tmp_path / "u", seed=seed, surrogate=-4.0, **changed)
    assert set(before) <= set(watch.asked)
    assert (artifact.secret == kept.secret) == (seed is not None)
    assert not (tmp_path / "u").exists()


def test_changed_answers_keep_the_detector_but_no_evaluation(start: Any, watch: Watch, tmp_path: Path) -> None:
    watch.after = 1
    with pytest.raises(Killed):
        start(tmp_path / "u")
    before, kept = watch.asked, Artifact.from_pretrained(tmp_path / "u" / DETECTOR)
    watch.after, watch.batches = 10**9, []
    forget = [FORGET_ROWS[0] | {"answer": "Potter is a wizard."}, *FORGET_ROWS[1:]]
    assert start(tmp_path / "u", forget).secret == kept.secret
    assert set(before) <= set(watch.asked)


def test_files_that_are_not_ours_stay(start: Any, watch: Watch, tmp_path: Path) -> None:
    folder = tmp_path / "u"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    start(folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"notes.txt": "mine"}


def test_a_strength_alone_is_kept_and_then_removed_too(
    knowing_model: Any, tiny_tokenizer: Any, watch: Watch, tmp_path: Path
) -> None:
    config = FitConfig(checkpoints=tmp_path / "u", search=SEARCH, fluency=False)
    detector = fit_detector(FORGET_ROWS, RETAIN_ROWS, scope="potter", config=config)
    watch.after = 1
    with pytest.raises(Killed):
        add_strength(knowing_model, tiny_tokenizer, detector, FORGET_ROWS, RETAIN_ROWS, config=config)
    assert (tmp_path / "u" / LEDGER).is_file()
    before = watch.asked
    watch.after, watch.batches = 10**9, []
    add_strength(knowing_model, tiny_tokenizer, detector, FORGET_ROWS, RETAIN_ROWS, config=config)
    assert not set(before) & set(watch.asked)
    assert not (tmp_path / "u").exists()


def test_a_strength_alone_for_another_detector_starts_anew(
    knowing_model: Any, tiny_tokenizer: Any, watch: Watch, tmp_path: Path
) -> None:
    """The same secret, but another threshold may let other tokens be corrupted."""
    config = FitConfig(checkpoints=tmp_path / "u", search=SEARCH, fluency=False, seed=3)
    detector = fit_detector(FORGET_ROWS, RETAIN_ROWS, scope="potter", config=config)
    watch.after = 1
    with pytest.raises(Killed):
        add_strength(knowing_model, tiny_tokenizer, detector, FORGET_ROWS, RETAIN_ROWS, config=config)
    before = watch.asked
    watch.after, watch.batches = 10**9, []
    scope = detector.scopes[0]
    other = replace(detector, scopes=(replace(scope, threshold=scope.threshold * 0.9),))
    add_strength(knowing_model, tiny_tokenizer, other, FORGET_ROWS, RETAIN_ROWS, config=config)
    assert set(before) <= set(watch.asked)


def test_a_given_strength_leaves_nothing_behind(start: Any, watch: Watch, tmp_path: Path) -> None:
    start(tmp_path / "u", strength=1.0)
    assert watch.batches == []
    assert not (tmp_path / "u").exists()


@pytest.mark.parametrize("broken", ["nothing", OF, "record", "fingerprint"])
def test_a_detector_that_was_not_written_to_its_end_is_made_anew(
    make_artifact: Any, tmp_path: Path, broken: str
) -> None:
    unfinished = Unfinished(tmp_path / "u", "f")
    if broken != "nothing":
        unfinished.keep(make_artifact())
    if broken == OF:
        (tmp_path / "u" / OF).unlink()
    if broken == "record":
        (tmp_path / "u" / DETECTOR / "unlearner.json").write_text("{")
    assert Unfinished(tmp_path / "u", "g" if broken == "fingerprint" else "f").detector() is None


def test_without_a_folder_nothing_is_kept(make_artifact: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    unfinished = Unfinished(None, "f")
    unfinished.keep(make_artifact())
    assert unfinished.detector() is None
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(make_artifact: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"Cannot write to .*file/u"):
        Unfinished(tmp_path / "file/u", "f").keep(make_artifact())
