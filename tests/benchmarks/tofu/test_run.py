"""A whole run on a random model: what is asked, what is taken over, what is kept, and whether it can be verified."""

from __future__ import annotations

import copy
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from tofu_asking import SHORT
from tofu_rows import write_tofu
from typer.testing import CliRunner

from unlearned.benchmarks.systems import Corrupted, FitInputs, make_system
from unlearned.benchmarks.tofu import run as module
from unlearned.benchmarks.tofu.config import EvaluationConfig, FinetuneConfig, TofuRunConfig, TofuSplit
from unlearned.benchmarks.tofu.data import load_tofu
from unlearned.benchmarks.tofu.evaluate import evaluate
from unlearned.benchmarks.tofu.log import SETS, read_log
from unlearned.benchmarks.tofu.prepared import ask
from unlearned.benchmarks.tofu.prompts import instruction
from unlearned.benchmarks.tofu.questions import questions
from unlearned.benchmarks.tofu.run import run_tofu
from unlearned.benchmarks.tofu.scoring import Scorer
from unlearned.benchmarks.tofu.verify import verify
from unlearned.cli.main import app
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, DataError, UnknownNameError
from unlearned.examples import Row
from unlearned.models import ModelOptions
from unlearned.report.read import read_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
    pytest.mark.filterwarnings("ignore::unlearned.errors.FitWarning"),  # a random model knows nothing
    pytest.mark.filterwarnings("ignore:ks_2samp:RuntimeWarning"),  # p just above 1 where five values hardly differ
]

BACKGROUND = ["What is the weather like?", "Write a poem about the sea.", "Is seven a prime?", "Translate good night."]
QUICK = {"classifier": "neighbours", "search": {"max_evaluations": 6}, "fluency": False, "max_examples": 3}


def on_bag_of_words(patch: pytest.MonkeyPatch, bag_of_words: Any) -> None:
    for where in ("unlearned.learn.classifier", "unlearned.artifact.artifact"):
        patch.setattr(f"{where}.sentence_encoder", lambda name: bag_of_words)
    patch.setattr("unlearned.learn.classifier.background_vectors", lambda encoder: {})
    for where in ("classifier", "strength_problem"):
        patch.setattr(f"unlearned.learn.{where}.background_prompts", lambda: list(BACKGROUND))


@pytest.fixture(autouse=True)
def _encoder(monkeypatch: pytest.MonkeyPatch, bag_of_words: Any) -> None:
    on_bag_of_words(monkeypatch, bag_of_words)


def config(place: Path, **changes: Any) -> TofuRunConfig:
    values: dict[str, Any] = {
        "data": str(place / "data"),
        "model": ModelOptions(model=str(place / "model")),
        "split": TofuSplit(authors=3, limit=5),
        "unlearners": ("none", "eco-hand", "prompting", "refusal"),
        "adapters": (str(place / "start"), str(place / "retained")),
        "fit": QUICK,
        "evaluation": SHORT,
        "speed_questions": 2,
    }
    return TofuRunConfig(**(values | changes))


@pytest.fixture(scope="module")
def done(place: Path, tmp_path_factory: pytest.TempPathFactory, bag_of_words: Any) -> Path:
    """Folder of a finished run."""
    out = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        on_bag_of_words(patch, bag_of_words)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run_tofu(config(place), out)
    return out


@pytest.fixture
def mine(done: Path, tmp_path: Path) -> Path:
    """A copy of the finished run."""
    return Path(shutil.copytree(done, tmp_path / "run"))


def results(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "results.json").read_text())
    return found


def test_a_run_writes_results_and_a_log_of_every_model(done: Path) -> None:
    found = results(done)
    names = [model["name"] for model in found["models"]]
    assert names == ["start", "retained", "none-seed0", "eco-hand-seed0", "prompting-seed0", "refusal-seed0"]
    for model in found["models"]:
        log = read_log(done / "logs" / f"{model['name']}.json")
        assert [len(getattr(log, name)) for name in SETS] == [5, 5, 5, 5]
        assert {name: len(items) for name, items in model["items"].items()} == {
            **dict.fromkeys(SETS, 5),
            "paraphrased": 5,
            "paired": 4,
        }
        assert 0 <= model["scores"]["forget_quality"] <= 1
        assert model["items"]["forget"][0]["id"] == "full/60"
        assert {"probability", "log_truth_ratio", "over_forgotten"} <= set(model["items"]["forget"][0])
    assert found["data"]["rows"] == {**dict.fromkeys(SETS, 5), "paraphrased": 5, "paired": 4}
    assert found["config"]["model"]["model"].endswith("model")
    assert found["speed"]["largest_difference"] < 1e-4
    assert {"torch", "peft", "transformers"} <= set(found["versions"])
    assert found["summary"][1]["forget_quality"] == found["summary"][1]["spearman"] == 1.0  # the retained model
    assert TofuRunConfig.from_json(found["config"]) == TofuRunConfig.from_json(json.loads(json.dumps(found["config"])))


def test_what_an_unlearner_leaves_unchanged_is_the_start_model_s_to_the_bit(done: Path) -> None:
    models = {model["unlearner"] or model["name"]: model for model in results(done)["models"]}
    start = models["start"]
    assert models["none"]["scores"]["model_utility"] == start["scores"]["model_utility"]
    assert models["none"]["unchanged"]["prompts"] == 29
    for name in ("none", "eco-hand", "refusal"):
        assert models[name]["unchanged"]["differing"] == 0
        assert models[name]["unchanged"]["computed_again"] > 0
        for kind, items in models[name]["items"].items():
            for item, before in zip(items, start["items"][kind], strict=True):
                if not item["flagged"]:
                    assert {k: v for k, v in item.items() if k not in ("computed", "score", "over_forgotten")} == {
                        k: v for k, v in before.items() if k not in ("computed", "score", "over_forgotten")
                    }
    flagged = models["eco-hand"]["flagged"]
    assert flagged["forget"][0] == 5
    assert flagged["world_facts"][0] == 0
    assert models["prompting"]["unchanged"]["prompts"] == 0
    assert models["eco-hand"]["items"]["forget"] != start["items"]["forget"]


def test_a_refusal_filter_answers_flagged_prompts_with_a_fixed_text(done: Path) -> None:
    items = json.loads((done / "steps" / "refusal-seed0.json").read_text())["items"]
    answers = {item["generated"] for item in items["forget"] if item["flagged"]}
    assert len(answers) == 1
    assert "You do not know" in items["forget"][0]["prompt"]
    assert all(item["generated"] not in answers for item in items["world_facts"])


def test_finished_steps_are_not_repeated(
    mine: Path, place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = results(mine)
    monkeypatch.setattr(module, "evaluate", lambda *_, **__: pytest.fail("evaluated again"))
    again = run_tofu(config(place), mine)
    assert again["models"] == before["models"]


def test_a_lost_step_is_done_again_and_gives_the_same(mine: Path, place: Path) -> None:
    before = results(mine)
    (mine / "steps" / "eco-hand-seed0.json").unlink()
    (mine / "steps" / "retained.json").write_text("{")
    after = run_tofu(config(place), mine)
    for old, new in zip(before["models"], after["models"], strict=True):
        assert (old["scores"], old["items"]) == (json.loads(json.dumps(new["scores"])), new["items"])


def test_other_settings_repeat_what_depends_on_them(mine: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = module.evaluate

    def counted(unlearner: Any, *arguments: Any, **named: Any) -> Any:
        asked.append(unlearner.name)
        return real(unlearner, *arguments, **named)

    monkeypatch.setattr(module, "evaluate", counted)
    artifact = (mine / "artifacts" / "seed0" / "eco-hand" / "vectors.safetensors").read_bytes()
    run_tofu(config(place, unlearners=("eco-hand",), fit={**QUICK, "max_examples": 4}), mine)
    assert asked == ["eco-hand"]
    assert (mine / "artifacts" / "seed0" / "eco-hand" / "vectors.safetensors").read_bytes() == artifact
    run_tofu(config(place, unlearners=("none",), split=TofuSplit(authors=3, limit=4), speed_questions=0), mine)
    assert asked == ["eco-hand", "start", "retained", "none"]


def test_numbers_that_hold_are_verified_and_forged_ones_are_found(mine: Path) -> None:
    found = verify(mine, sample=12, seed=3)
    checks = found.checks
    assert found.holds
    assert found.recomputed.numbers > 100
    assert len(checks) == 12
    assert all(check.holds and check.largest_difference == 0 for check in checks)
    assert len({check.model for check in checks}) > 3
    assert verify(mine, sample=5, seed=1) == verify(mine, sample=5, seed=1)
    for step in (mine / "steps").glob("*seed0.json"):
        data = json.loads(step.read_text())
        for items in data["items"].values():
            for item in items:
                item["leak"] = 0.123
        step.write_text(json.dumps(data))
    assert not all(check.holds for check in verify(mine, sample=12, seed=3).checks)
    differing = verify(mine, sample=0).recomputed.differences
    assert any("leak" in place for place in differing)


def test_every_headline_number_that_was_set_is_found_without_a_model(mine: Path, tmp_path: Path) -> None:
    true = results(mine)
    assert verify(mine, sample=0).holds
    for change in (
        lambda model, line: line.update(model_utility=0.99),
        lambda model, line: line.update(forget_quality=0.99),
        lambda model, line: model["scores"].update(model_utility=0.99),
        lambda model, line: model["generations"]["forget"]["leak_rate"].update(value=0.0 - 1),
        lambda model, line: model["items"]["forget"].pop(),
        lambda model, line: model["unchanged"].update(differing=7),
    ):
        forged = json.loads(json.dumps(true))
        change(forged["models"][-1], forged["summary"][-1])
        (mine / "results.json").write_text(json.dumps(forged))
        found = verify(mine, sample=0)
        assert not found.holds, change
        assert found.recomputed.differences, change
    (mine / "results.json").write_text(json.dumps(true))


def test_verification_refuses_other_data_and_adapters(mine: Path, place: Path, tmp_path: Path) -> None:
    data = results(mine)
    elsewhere = write_tofu(tmp_path / "other", real_authors_perturbed=None)
    (elsewhere / "real_authors_perturbed.jsonl").write_text((elsewhere / "world_facts_perturbed.jsonl").read_text())
    data["config"]["data"] = str(elsewhere)
    (mine / "results.json").write_text(json.dumps(data))
    with pytest.raises(DataError, match="data is not that of the run"):
        verify(mine)
    data["config"]["data"] = str(place / "data")
    data["adapters"][0]["sha256"] = "0"
    (mine / "results.json").write_text(json.dumps(data))
    with pytest.raises(DataError, match="start is not that of the run"):
        verify(mine)
    with pytest.raises(DataError, match="Cannot read"):
        verify(tmp_path)
    (mine / "results.json").write_text("{}")
    with pytest.raises(DataError, match="not of a TOFU run"):
        verify(mine)


def test_the_commands_run_train_and_verify(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLEARNED_CACHE", str(tmp_path / "cache"))
    for kind, values in ((FinetuneConfig, {"epochs": 1, "rank": 2}), (EvaluationConfig, {"max_new_tokens": 6})):
        monkeypatch.setattr(kind, "__init__", with_defaults(kind.__init__, values))
    out = tmp_path / "runs" / "x"
    arguments = ["bench", "tofu", "--model", str(place / "model"), "--data", str(place / "data"), "--out", str(out)]
    arguments += ["--authors", "3", "--forget-authors", "1", "--limit", "3", "--unlearners", "none,eco-hand"]
    shown = CliRunner().invoke(app, [*arguments, "--seeds", "2"], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert "start: epoch 1 of 1" in shown.output
    assert "eco-hand" in shown.output
    assert "utility" in shown.output
    found = results(out)
    assert [line["seeds"] for line in found["summary"]] == [1, 1, 1, 2]  # nothing is fitted for `none`
    assert len(list((tmp_path / "cache" / "finetuned").iterdir())) == 2
    checked = CliRunner().invoke(app, ["bench", "verify", str(out), "--sample", "3"], catch_exceptions=False)
    assert checked.exit_code == 0, checked.output
    assert "3 of 3 items came out again" in checked.output
    assert json.loads((out / "verified.json").read_text())["held"] == 3
    assert "Whether the numbers come out again was not tried" in (out / "report.html").read_text()
    again = CliRunner().invoke(app, ["report", str(out)], catch_exceptions=False)
    assert again.exit_code == 0, again.output
    assert "a sample of 3 was computed anew with the models: 3 held" in (out / "report.html").read_text()
    for model in found["models"]:
        for items in model["items"].values():
            for item in items:
                item["leak"] = 0.5
    (out / "results.json").write_text(json.dumps(found))
    assert read_run(out).verified is None  # of other results
    checked = CliRunner().invoke(app, ["bench", "verify", str(out), "--sample", "3"], catch_exceptions=False)
    assert checked.exit_code == 1
    assert "DIFFERS" in checked.output


def with_defaults(init: Any, defaults: dict[str, int]) -> Any:
    def quick(self: Any, **values: Any) -> None:
        init(self, **{**defaults, **values})

    return quick


def test_the_command_s_mistakes_are_named(place: Path) -> None:
    with pytest.raises(ConfigError, match="start and the retained model"):
        CliRunner().invoke(app, ["bench", "tofu", "--adapters", "one"], catch_exceptions=False)
    with pytest.raises(UnknownNameError, match="Did you mean 'eco-rn'"):
        config(place, unlearners=("ecorn",))
    with pytest.raises(ConfigError, match="twice"):
        config(place, unlearners=("none", "none"))
    with pytest.raises(ConfigError, match="adapters"):
        config(place, model=ModelOptions(adapter="one"))
    with pytest.raises(ConfigError, match="seeds"):
        config(place, seeds=0)


def test_each_question_is_classified_once(
    place: Path, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_tofu(place / "data", TofuSplit(authors=3, limit=4))
    made = make("eco-hand", tiny_model, tiny_tokenizer, data, tmp_path)
    assert isinstance(made, Corrupted)
    seen: list[str] = []
    classify = made._view.unlearner.classify

    def counted(prompts: Any) -> Any:
        seen.extend(prompt.text for prompt in prompts)
        return classify(prompts)

    monkeypatch.setattr(made._view.unlearner, "classify", counted)
    asked = questions(data, SHORT)
    evaluate(made, Scorer(TransformersEngine(tiny_model, tiny_tokenizer)), asked, SHORT)
    assert len(seen) == sum(map(len, asked.values()))


@pytest.mark.parametrize("name", ["eco", "eco-rn", "eco-zo", "eco-auto"])
def test_strengths_are_learned_from_questions_only(
    place: Path, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path, name: str
) -> None:
    data = load_tofu(place / "data", TofuSplit(authors=3, limit=4))
    made = make(name, tiny_model, tiny_tokenizer, data, tmp_path)
    assert isinstance(made, Corrupted)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.safetensors")}
    assert len(before) == 2  # detector and artifact
    again = make(name, tiny_model, tiny_tokenizer, data, tmp_path)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.safetensors")} == before
    question = data.forget[0].question
    [first], [second] = ask(made, [question]), ask(again, [question])
    assert first.changed
    assert first.input.vectors is not None
    assert second.input.vectors is not None
    assert torch.equal(first.input.vectors, second.input.vectors)


def make(name: str, model: Any, tokenizer: Any, data: Any, folder: Path) -> Any:
    materials = FitInputs(
        model=model,
        tokenizer=tokenizer,
        forget=[pair.question for pair in data.forget_pairs],
        retain=[pair.question for pair in data.retain_pairs],
        forget_rows=[Row(pair.question, pair.answer) for pair in data.forget_pairs],
        retain_rows=[Row(pair.question, pair.answer) for pair in data.retain_pairs],
        fresh=lambda: (copy.deepcopy(model), tokenizer),
        instruction=instruction(["Guy Hall"]),
        fit=QUICK,
    )
    return make_system(name, 0, folder, materials, lambda phase, done, total: None)


def test_what_trains_is_compared_beside_what_does_not(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    found = run_tofu(config(place, unlearners=("none", "ga", "task-vector", "spul"), speed_questions=0), out)
    models = {model["unlearner"] or model["name"]: model for model in found["models"]}
    forget = {name: model["scores"]["forget_prob"] for name, model in models.items()}
    assert forget["ga"] < forget["start"]
    assert forget["task-vector"] != forget["start"]
    assert forget["spul"] != forget["start"]
    for name in ("ga", "task-vector", "spul"):
        assert all(item["computed"] for items in models[name]["items"].values() for item in items)
    assert (out / "artifacts/ga-seed0/ga/training.json").is_file()
    assert (out / "artifacts/spul-seed0/spul/unlearner.json").is_file()
    assert verify(out, sample=12, seed=1).holds
