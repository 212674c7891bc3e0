"""Fitting on a tiny model that knows its answers by heart."""

from __future__ import annotations

import copy
import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learn_rows import FORGET_ROWS, KNOWN, RETAIN_ROWS, fit_on_bag_of_words

from model_hooks import hooks
from unlearned.api import Unlearned
from unlearned.artifact import Artifact
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.errors import (
    ArtifactMismatchError,
    ConfigError,
    DataError,
    FitError,
    FitWarning,
    ModelLoadError,
    UnknownNameError,
    UnlearnedError,
)
from unlearned.examples import Row, as_rows
from unlearned.learn.config import FitConfig
from unlearned.learn.fit import add_strength, fit, fit_detector, with_strength
from unlearned.learn.strength_problem import evenly
from unlearned.types import text_only

# The tiny model is trained until it recites, which is said at every fit.
pytestmark = pytest.mark.filterwarnings("ignore:The model recites:unlearned.errors.FitWarning")

SHORT = {"points": 3, "max_evaluations": 5}
QUICK = FitConfig(seed=1, search=SHORT)


def _fit(model: Any, tokenizer: Any, forget: Any = FORGET_ROWS, retain: Any = RETAIN_ROWS, **more: Any) -> Artifact:
    config = more.pop("config", QUICK)
    return fit(model, tokenizer, forget, retain, scope=more.pop("scope", "potter"), config=config, **more)


@pytest.fixture(scope="module")
def fitted(knowing_model: Any, tiny_tokenizer: Any, bag_of_words: Any) -> Artifact:
    with pytest.MonkeyPatch.context() as patch:
        fit_on_bag_of_words(patch, bag_of_words)
        return _fit(knowing_model, tiny_tokenizer, config=FitConfig(seed=1))


def test_the_fitted_artifact_makes_the_model_forget_and_keep(
    fitted: Artifact, knowing_model: Any, tiny_tokenizer: Any
) -> None:
    llm = Unlearned(knowing_model, tiny_tokenizer, fitted)
    plain = Unlearned(knowing_model, tiny_tokenizer)
    questions = [question for question, _ in KNOWN]
    before = plain.generate(questions, max_new_tokens=16, do_sample=False)
    after = llm.generate(questions, max_new_tokens=16, do_sample=False)
    assert [answer.text for answer in before] == [answer for _, answer in KNOWN]
    assert [answer.flagged for answer in after] == [True] * 3 + [False] * 3
    assert all(answer.text != known for answer, (_, known) in zip(after[:3], KNOWN[:3], strict=True))
    assert [answer.token_ids for answer in after[3:]] == [answer.token_ids for answer in before[3:]]


def test_the_record_says_how_threshold_and_strength_were_found(fitted: Artifact) -> None:
    (scope,) = fitted.scopes
    calibration, strength = fitted.calibrations["potter"], fitted.strengths["potter"]
    assert scope.name == "potter"
    assert calibration.threshold == scope.threshold
    assert (calibration.forget_count, calibration.negative_count) == (3, 3 + 4)
    assert strength.examples == 3
    assert (strength.surrogate, strength.optimiser, strength.candidates) == ("unrelated", "bracketing", [])
    [measure] = strength.measures
    assert measure.name == "likelihood"
    assert measure.plain > measure.surrogate + 1
    assert measure.found == strength.chosen.values["likelihood"]
    assert strength.chosen in strength.trace
    assert strength.chosen.parameter == scope.corruption.strength
    assert strength.chosen.distance == pytest.approx(
        abs(measure.found - measure.surrogate) / (measure.plain - measure.surrogate)
    )
    parameters = [evaluation.parameter for evaluation in strength.trace]
    assert parameters == sorted(set(parameters))
    assert strength.chosen.value <= min(evaluation.value for evaluation in strength.trace) + 0.05
    assert all(evaluation.value == evaluation.distance + evaluation.penalty for evaluation in strength.trace)
    assert strength.chosen.value < 0.6
    assert strength.reference_perplexity is None  # the model recites, so it is no judge of fluency


def test_the_artifact_names_the_model_it_was_made_for(fitted: Artifact, knowing_model: Any) -> None:
    weight = knowing_model.get_input_embeddings().weight.detach()
    assert fitted.base_model.embedding_size == 32
    assert fitted.base_model.embedding_std == pytest.approx(float(weight.std()), rel=1e-3)
    assert fitted.scopes[0].corruption.embedding_std == fitted.base_model.embedding_std
    np.testing.assert_allclose(np.linalg.norm(fitted.encoder_probe), 1, rtol=1e-5)


def test_fitting_leaves_the_model_as_it_was(knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any) -> None:
    model = copy.deepcopy(knowing_model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    flags = (model.training, tiny_tokenizer.padding_side, model.generation_config.to_dict())
    hooked = hooks(model)
    _fit(model, tiny_tokenizer)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert (model.training, tiny_tokenizer.padding_side, model.generation_config.to_dict()) == flags
    assert hooks(model) == hooked


def test_the_same_seed_gives_the_same_artifact(
    fitted: Artifact, knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    config = FitConfig(seed=7, search=SHORT)
    first, second = (_fit(knowing_model, tiny_tokenizer, config=config) for _ in range(2))
    assert first.secret == second.secret != fitted.secret
    assert _timeless(first) == _timeless(second)
    assert first.scopes[0].corruption == second.scopes[0].corruption


def test_without_a_seed_every_artifact_has_its_own_secret(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    config = FitConfig(strength=2.0)
    secrets = {_fit(knowing_model, tiny_tokenizer, config=config).secret for _ in range(3)}
    assert len(secrets) == 3
    assert all(len(secret) == 32 for secret in secrets)


def test_fitting_with_a_seed_leaves_the_global_generators_alone(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    _fit(knowing_model, tiny_tokenizer, config=FitConfig(seed=1, strength=2.0))
    assert torch.equal(torch.rand(2), expected)


def test_a_given_strength_is_used_and_not_learned(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    artifact = _fit(knowing_model, tiny_tokenizer, config=FitConfig(strength=2.5, dims=4))
    assert artifact.scopes[0].corruption.strength == 2.5
    assert artifact.scopes[0].corruption.dims == 4
    assert artifact.strengths == {}


@pytest.mark.parametrize("strength", [0, 5, 32])
def test_for_a_function_without_strength_the_given_number_is_its_dims(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any, strength: int
) -> None:
    config = FitConfig(corruption="zero_out_top_k", strength=strength)
    assert _fit(knowing_model, tiny_tokenizer, config=config).scopes[0].corruption.dims == strength


@pytest.mark.parametrize(
    "config", [FitConfig(corruption="zero_out_top_k", strength=33), FitConfig(dims=33, strength=1)]
)
def test_more_dims_than_the_model_has_are_refused_at_once(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any, config: FitConfig
) -> None:
    with pytest.raises(ConfigError, match=r"33.*32"):
        _fit(knowing_model, tiny_tokenizer, config=config)


def test_dims_are_learned_for_a_function_without_strength(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    artifact = _fit(knowing_model, tiny_tokenizer, config=FitConfig(seed=1, corruption="zero_out_top_k"))
    corruption, record = artifact.scopes[0].corruption, artifact.strengths["potter"]
    assert corruption.strength is None
    assert isinstance(corruption.dims, int)
    assert 1 <= corruption.dims <= 32
    tried = [evaluation.parameter for evaluation in record.trace]
    assert all(dims == int(dims) and 1 <= dims <= 32 for dims in tried)
    assert corruption.dims in tried
    assert record.chosen.value < 0.9


def test_rows_without_answers_get_the_models_own(
    fitted: Artifact, knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    prompts = [row["prompt"] for row in FORGET_ROWS]
    artifact = _fit(knowing_model, tiny_tokenizer, prompts)
    # The model knows its answers by heart, so its own greedy ones are the given ones.
    [measure] = fitted.strengths["potter"].measures
    assert artifact.strengths["potter"].measures[0].plain == pytest.approx(measure.plain, abs=1e-3)
    mixed = _fit(knowing_model, tiny_tokenizer, [FORGET_ROWS[0], *prompts[1:]])
    assert mixed.strengths["potter"].measures[0].plain == pytest.approx(measure.plain, abs=1e-3)


def test_rows_may_be_texts_mappings_and_row_objects(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    forget = ["What is Hogwarts?", Row("Who is Harry Potter?", "a"), {"question": "Tell me about Hogwarts magic."}]
    artifact = _fit(knowing_model, tiny_tokenizer, forget, config=FitConfig(strength=1.0))
    assert artifact.calibrations["potter"].forget_count == 3


def test_repeated_prompts_count_once(knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any) -> None:
    artifact = _fit(
        knowing_model,
        tiny_tokenizer,
        [*FORGET_ROWS, *FORGET_ROWS],
        [*RETAIN_ROWS, RETAIN_ROWS[0]],
        config=FitConfig(strength=1.0),
    )
    assert artifact.calibrations["potter"].forget_count == 3
    assert artifact.calibrations["potter"].negative_count == 3 + len(on_bag_of_words)


def test_one_forget_prompt_is_enough(knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any) -> None:
    artifact = _fit(knowing_model, tiny_tokenizer, FORGET_ROWS[:1])
    assert "one forget example" in artifact.calibrations["potter"].method
    assert Unlearned(knowing_model, tiny_tokenizer, artifact).classify(["Who is Harry Potter?"])[0].in_scope


def test_without_retain_prompts_the_background_stands_in(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    artifact = _fit(knowing_model, tiny_tokenizer, retain=())
    assert artifact.calibrations["potter"].negative_count == len(on_bag_of_words)
    assert artifact.strengths["potter"].examples == 3


def test_a_forget_prompt_that_is_also_in_the_background_is_forgotten(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    artifact = _fit(knowing_model, tiny_tokenizer, [*FORGET_ROWS, on_bag_of_words[0]], config=FitConfig(strength=1.0))
    assert artifact.calibrations["potter"].negative_count == 3 + len(on_bag_of_words) - 1
    assert Unlearned(knowing_model, tiny_tokenizer, artifact).classify([on_bag_of_words[0]])[0].in_scope


def test_the_strength_is_learned_on_examples_from_all_of_a_long_set(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    forget = [{"prompt": f"Who is Harry Potter {n}?", "answer": str(n)} for n in range(15)]
    rows = evenly(as_rows(forget, name="forget"), 10)
    numbers = [int(str(row.answer)) for row in rows]
    assert len(numbers) == 10
    assert (numbers[0], numbers[-1]) == (0, 14)
    assert max(b - a for a, b in zip(numbers[:-1], numbers[1:], strict=True)) == 2
    config = FitConfig(seed=1, max_examples=10, search=SHORT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        artifact = _fit(knowing_model, tiny_tokenizer, forget, config=config)
    assert artifact.strengths["potter"].examples == 10


@pytest.mark.parametrize(("count", "most"), [(1, 1), (3, 5), (5, 5), (9, 1), (100, 7)])
def test_items_are_spread_evenly_in_order(count: int, most: int) -> None:
    found = evenly(range(count), most)
    assert len(found) == min(count, most)
    assert found == sorted(set(found))
    assert found[0] == 0
    assert most == 1 or found[-1] == count - 1


def test_progress_is_reported_phase_by_phase(knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any) -> None:
    heard: list[tuple[str, int, int]] = []
    _fit(knowing_model, tiny_tokenizer, ["Who is Harry Potter?"], on_progress=lambda *step: heard.append(step))
    assert list(dict.fromkeys(phase for phase, _, _ in heard)) == ["classifier", "answers", "surrogate", "strength"]
    assert all(0 <= done <= total for _, done, total in heard)
    for phase in {phase for phase, _, _ in heard}:
        steps = [done for name, done, _ in heard if name == phase]
        assert steps == sorted(steps)
        assert [step for step in heard if step[0] == phase][-1][1:] == (heard[-1][2],) * 2 or phase != "strength"


def test_a_model_that_does_not_know_the_answers_is_warned_about(
    tiny_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    silent = replace(QUICK, fluency=False)
    with pytest.warns(
        FitWarning, match=r"'potter'.*no better than a model that never saw them would .*Check the answers"
    ) as caught:
        _fit(tiny_model, tiny_tokenizer, config=silent)
    detector = fit_detector(FORGET_ROWS, RETAIN_ROWS, scope="potter", config=QUICK)
    with pytest.warns(FitWarning, match="'potter'") as caught_too:
        add_strength(tiny_model, tiny_tokenizer, detector, FORGET_ROWS, RETAIN_ROWS, config=silent)
    assert [Path(w.filename).name for w in [*caught, *caught_too]] == ["test_fit.py"] * 2  # points at the caller


def test_a_prompt_in_both_sets_is_refused_by_name(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    with pytest.raises(DataError, match=r"1 prompts? .*both forgotten and retained.*'Who is Harry Potter\?'"):
        _fit(knowing_model, tiny_tokenizer, retain=[*RETAIN_ROWS, "Who is Harry Potter?"])


def test_no_forget_prompts_are_refused(knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any) -> None:
    with pytest.raises(FitError, match="no forget prompt"):
        _fit(knowing_model, tiny_tokenizer, [])


def test_no_negatives_at_all_are_refused(knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any) -> None:
    with pytest.raises(FitError, match="everything would be in scope"):
        _fit(knowing_model, tiny_tokenizer, retain=[], config=FitConfig(background=False))


@pytest.mark.parametrize("scope", ["", "  ", "\n"])
def test_an_empty_scope_name_is_refused(knowing_model: Any, tiny_tokenizer: Any, scope: str) -> None:
    with pytest.raises(ConfigError, match="scope needs a name"):
        _fit(knowing_model, tiny_tokenizer, scope=scope)


@pytest.mark.parametrize("side", ["forget", "retain"])
def test_a_bad_row_is_named_by_its_side_and_index(knowing_model: Any, tiny_tokenizer: Any, side: str) -> None:
    rows = {"forget": ["a"], "retain": ["b"]} | {side: ["fine", {"answer": "no prompt"}]}
    with pytest.raises(DataError, match=rf"{side}\[1\]"):
        _fit(knowing_model, tiny_tokenizer, rows["forget"], rows["retain"])


def test_an_encoder_that_does_not_exist_is_named(knowing_model: Any, tiny_tokenizer: Any) -> None:
    with pytest.raises(ModelLoadError, match="no-such/encoder"):
        _fit(knowing_model, tiny_tokenizer, config=FitConfig(encoder="no-such/encoder", background=False))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"corruption": "rand_noise"}, UnknownNameError, "rand_noise"),
        ({"selector": "span"}, UnknownNameError, "'spans'"),
        ({"max_examples": 0}, ConfigError, "max_examples"),
        ({"answer_tokens": 0}, ConfigError, "answer_tokens"),
        ({"batch_size": 0}, ConfigError, "batch_size"),
        ({"strength": -1.0}, ConfigError, "strength=-1.0"),
        ({"strength": math.nan}, ConfigError, "strength=nan"),
        ({"strength": math.inf}, ConfigError, "strength=inf"),
        ({"dims": -1}, ConfigError, "dims=-1"),
        ({"fluency_examples": 0}, ConfigError, "fluency_examples"),
        ({"corruption": "auto", "strength": 1.0}, ConfigError, "'auto' chooses the strength"),
        ({"objectives": ("likelihood", "truth")}, UnknownNameError, "'truth_ratio'"),
        ({"surrogate": "unrelatd"}, ConfigError, "surrogate='unrelatd'"),
        ({"surrogate": math.nan}, ConfigError, "surrogate=nan"),
        ({"optimiser": "brackets"}, UnknownNameError, "'bracketing'"),
        ({"search": {"points": 2}}, ConfigError, "points=2"),
        ({"search": {"pionts": 9}}, ConfigError, r"search=\{'pionts': 9\}: .*pionts"),
        ({"search": {"points": 6}, "optimiser": "tpe"}, ConfigError, r"search=\{'points': 6\}"),
        ({"classifier": "kernels"}, UnknownNameError, "Did you mean 'kernel'"),
        ({"calibration": "accuracy"}, ConfigError, "calibration='accuracy': must be one of errors, fpr, conformal"),
        ({"max_fpr": 1.1}, ConfigError, r"max_fpr=1\.1"),
        ({"max_fpr": -0.1}, ConfigError, r"max_fpr=-0\.1"),
        ({"max_fpr": math.nan}, ConfigError, "max_fpr=nan"),
        ({"alpha": 0.0}, ConfigError, r"alpha=0\.0"),
        ({"alpha": 1.0}, ConfigError, r"alpha=1\.0"),
        ({"alpha": math.nan}, ConfigError, "alpha=nan"),
        ({"other_languages": "drop"}, ConfigError, "other_languages='drop'"),
        ({"ready": "some/model"}, ConfigError, "classifier='encoder'"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_any_work(
    settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        FitConfig(**settings)


def test_another_selector_classifier_and_its_settings_reach_the_artifact(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    config = FitConfig(
        classifier="neighbours",
        settings={"temperature": 0.1, "floor": 0.3},
        selector="all_but_last",
        other_languages="corrupt",
        strength=1.0,
    )
    (scope,) = _fit(knowing_model, tiny_tokenizer, config=config).scopes
    assert scope.selector == "all_but_last"
    assert scope.other_languages == "corrupt"
    assert isinstance(scope.classifier, NeighboursClassifier)
    assert scope.classifier.state()[0] == {"temperature": 0.1, "floor": 0.3}


def test_with_strength_sets_the_strength_by_hand_and_drops_the_record(fitted: Artifact) -> None:
    changed = with_strength(fitted, 9.0)
    assert changed.scopes[0].corruption.strength == 9.0
    assert changed.strengths == {}
    assert fitted.scopes[0].corruption.strength != 9.0
    assert changed.secret == fitted.secret


def test_fitting_works_on_the_real_sentence_encoder(knowing_model: Any, tiny_tokenizer: Any, tmp_path: Path) -> None:
    artifact = _fit(knowing_model, tiny_tokenizer, config=FitConfig(background=False, strength=3.0, seed=1))
    again = Artifact.from_pretrained(artifact.save_pretrained(tmp_path / "potter"))
    questions = [question for question, _ in KNOWN]
    verdicts = Unlearned(knowing_model, tiny_tokenizer, again).classify(questions)
    assert [verdict.in_scope for verdict in verdicts] == [True] * 3 + [False] * 3
    assert verdicts == Unlearned(knowing_model, tiny_tokenizer, artifact).classify(questions)


def test_noise_on_fewer_coordinates_is_searched_at_a_larger_strength(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    def tried(dims: int | None) -> list[float]:
        artifact = _fit(
            knowing_model,
            tiny_tokenizer,
            config=FitConfig(corruption="rand_noise_first_n", dims=dims, seed=0, search=SHORT),
        )
        return [evaluation.parameter for evaluation in artifact.strengths["potter"].trace]

    everywhere, one = tried(None), tried(1)
    assert min(one) / min(everywhere) == pytest.approx(knowing_model.config.hidden_size**0.5)
    assert max(one) / max(everywhere) == pytest.approx(knowing_model.config.hidden_size**0.5)


# The two halves


def _timeless(artifact: Artifact) -> Any:
    """The strengths' records without the seconds that evaluations took."""

    def without(data: Any) -> Any:
        if isinstance(data, dict):
            return {key: without(value) for key, value in data.items() if key != "seconds"}
        return [without(value) for value in data] if isinstance(data, list) else data

    return {name: without(record.model_dump()) for name, record in artifact.strengths.items()}


def _alike(one: Artifact, other: Artifact) -> None:
    """Equal in everything but the time at which they were made and the time it took."""
    (a,), (b,) = one.scopes, other.scopes
    for name in ("name", "threshold", "secret", "corruption", "selector", "other_languages"):
        assert getattr(a, name) == getattr(b, name), name
    for name in ("base_model", "secret", "calibrations", "name"):
        assert getattr(one, name) == getattr(other, name), name
    assert _timeless(one) == _timeless(other)
    (settings, arrays), (settings_too, arrays_too) = a.classifier.state(), b.classifier.state()
    assert settings == settings_too
    for name, array in arrays.items():
        assert np.array_equal(array, arrays_too[name]), name
    assert np.array_equal(one.encoder_probe, other.encoder_probe)


EXEMPT = ["Who is Harry Potter the ice hockey coach?"]


@pytest.mark.parametrize(
    "config", [FitConfig(seed=5, search=SHORT), FitConfig(seed=5, strength=2.0, selector="attribution")]
)
def test_a_detector_and_a_strength_make_what_fit_makes(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any, config: FitConfig
) -> None:
    whole = _fit(knowing_model, tiny_tokenizer, config=config, exempt=EXEMPT)
    detector = fit_detector(FORGET_ROWS, RETAIN_ROWS, scope="potter", exempt=EXEMPT, config=config)
    _alike(add_strength(knowing_model, tiny_tokenizer, detector, FORGET_ROWS, RETAIN_ROWS, config=config), whole)
    for one, other in zip(
        (detector.scopes[0].exemptions.examples, detector.scopes[0].exemptions.forget),
        (whole.scopes[0].exemptions.examples, whole.scopes[0].exemptions.forget),
        strict=True,
    ):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(("fitted", "asked", "found"), [
    (None, None, "spans"), ("all_but_last", None, "all_but_last"), (None, "all_but_last", "all_but_last"),
])  # fmt: skip
def test_the_selector_is_the_detector_s_unless_another_one_is_asked_for(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any, fitted: str, asked: str, found: str
) -> None:
    config = FitConfig(seed=5, selector=fitted)
    detector = fit_detector(FORGET_ROWS, RETAIN_ROWS, scope="potter", config=config)
    by_hand = FitConfig(strength=3.0, selector=asked)
    learned = add_strength(knowing_model, tiny_tokenizer, detector, FORGET_ROWS, RETAIN_ROWS, config=by_hand)
    assert learned.scopes[0].selector == found


def test_a_detector_can_be_saved_before_it_gets_its_strength(
    knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any, bag_of_words: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("unlearned.artifact.artifact.sentence_encoder", lambda name: bag_of_words)
    config = FitConfig(seed=5, search=SHORT)
    detector = fit_detector(FORGET_ROWS, RETAIN_ROWS, scope="potter", exempt=EXEMPT, config=config)
    again = Artifact.from_pretrained(detector.save_pretrained(tmp_path / "detector"))
    _alike(again, detector)
    learned = add_strength(knowing_model, tiny_tokenizer, again, FORGET_ROWS, RETAIN_ROWS, config=config)
    _alike(learned, _fit(knowing_model, tiny_tokenizer, config=config, exempt=EXEMPT))
    assert learned.scopes[0].exemptions is again.scopes[0].exemptions
    questions = [question for question, _ in KNOWN]
    verdicts = Unlearned(knowing_model, tiny_tokenizer, learned).classify(questions)
    assert [verdict.in_scope for verdict in verdicts] == [True] * 3 + [False] * 3


def test_a_detector_classifies_and_names_no_model(on_bag_of_words: Any) -> None:
    detector = fit_detector(FORGET_ROWS, RETAIN_ROWS, scope="potter", config=QUICK)
    assert detector.base_model is None
    assert detector.strengths == {}
    assert detector.scopes[0].corruption is None
    assert detector.scopes[0].exemptions is None
    verdicts = detector.unlearner().classify([text_only(question) for question, _ in KNOWN])
    assert [verdict.in_scope for verdict in verdicts] == [True] * 3 + [False] * 3


def test_a_detector_cannot_protect_a_model_yet(knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any) -> None:
    detector = fit_detector(FORGET_ROWS, RETAIN_ROWS, scope="potter", config=QUICK)
    with pytest.raises(ArtifactMismatchError, match=r"can only classify so far\. Learn it on this model: ") as e:
        Unlearned(knowing_model, tiny_tokenizer, detector)
    assert "\n" not in str(e.value)
    with pytest.raises(UnlearnedError, match=r"The scope 'potter' has no strength yet\. Learn it"):
        with_strength(detector, 3.0)


def test_a_strength_that_is_learned_anew_replaces_the_older_one(
    fitted: Artifact, knowing_model: Any, tiny_tokenizer: Any, on_bag_of_words: Any
) -> None:
    changed = add_strength(
        knowing_model, tiny_tokenizer, fitted, FORGET_ROWS, RETAIN_ROWS, config=FitConfig(strength=0.5, dims=3)
    )
    assert (changed.scopes[0].corruption.strength, changed.scopes[0].corruption.dims) == (0.5, 3)
    assert changed.strengths == {}
    assert changed.scopes[0].classifier is fitted.scopes[0].classifier
    assert fitted.strengths


def test_a_strength_is_learned_for_one_scope_at_a_time(
    fitted: Artifact, knowing_model: Any, tiny_tokenizer: Any
) -> None:
    two = replace(fitted, scopes=(fitted.scopes[0], replace(fitted.scopes[0], name="other")))
    with pytest.raises(ConfigError, match=r"'potter\+other' has 2 scopes; learn them one by one"):
        add_strength(knowing_model, tiny_tokenizer, two, FORGET_ROWS, RETAIN_ROWS, config=QUICK)


# Exemptions


def test_an_exempt_namesake_passes_and_the_forget_prompts_do_not(on_bag_of_words: Any) -> None:
    namesake = "Who is Harry Potter the ice hockey coach?"
    asked = [text_only(text) for text in [namesake, *(question for question, _ in KNOWN[:3])]]
    plain = fit_detector(FORGET_ROWS, RETAIN_ROWS, scope="potter", config=QUICK)
    assert [verdict.in_scope for verdict in plain.unlearner().classify(asked)] == [True] * 4
    spared = fit_detector(FORGET_ROWS, RETAIN_ROWS, scope="potter", exempt=EXEMPT, config=QUICK)
    verdicts = spared.unlearner().classify(asked)
    assert [verdict.in_scope for verdict in verdicts[1:]] == [True] * 3
    assert all((span.start, span.end) != (0, len(namesake)) for span in verdicts[0].spans)
    assert spared.scopes[0].threshold == plain.scopes[0].threshold  # calibrated without them


def test_a_bad_exempt_row_is_named(on_bag_of_words: Any) -> None:
    with pytest.raises(DataError, match=r"exempt\[1\]"):
        fit_detector(FORGET_ROWS, RETAIN_ROWS, scope="potter", exempt=["fine", {"answer": "no prompt"}])
