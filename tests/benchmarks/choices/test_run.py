"""A whole run on a random model: what is taught, asked, taken over, remembered and put together."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from choices_rows import exam_tokenizer, question, write_mmlu, write_rows
from typer.testing import CliRunner

from bench.exams.run import run_speed
from tiny_llama import tiny_llama
from unlearned.benchmarks.choices.config import ChoicesRunConfig, training_of
from unlearned.benchmarks.choices.evaluate import Examiner, QuestionSet, by_place
from unlearned.benchmarks.choices.run import run_choices
from unlearned.benchmarks.choices.spec import MMLU_SPEC
from unlearned.benchmarks.models import plain_text
from unlearned.benchmarks.results import ModelResults, Results, merge, part
from unlearned.benchmarks.systems import Plain
from unlearned.benchmarks.tofu.config import FinetuneConfig
from unlearned.cli.main import app
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError
from unlearned.models import ModelOptions, load_model
from unlearned.types import PromptInput
from unlearned.unlearners.eco import ECO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
    pytest.mark.filterwarnings("ignore::unlearned.errors.ArtifactWarning"),  # the tiny artifact is of another model
    pytest.mark.filterwarnings("ignore::unlearned.errors.FitWarning"),  # a random model knows nothing
]

BACKGROUND = ["What is the weather like?", "Write a poem about the sea.", "Is seven a prime?", "Translate good night."]
FIT = {"classifier": "neighbours", "search": {"max_evaluations": 6}, "fluency": False, "max_examples": 3}
TRAINING = FinetuneConfig(epochs=60, batch_size=6, rank=8, alpha=16, learning_rate=1e-2, max_tokens=300)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch, bag_of_words: Any) -> None:
    for where in ("unlearned.learn.classifier", "unlearned.artifact.artifact"):
        monkeypatch.setattr(f"{where}.sentence_encoder", lambda name: bag_of_words)
    monkeypatch.setattr("unlearned.learn.classifier.background_vectors", lambda encoder: {})
    for where in ("classifier", "strength_problem"):
        monkeypatch.setattr(f"unlearned.learn.{where}.background_prompts", lambda: list(BACKGROUND))


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tokenizer = exam_tokenizer()
    torch.manual_seed(0)
    tiny_llama(tokenizer, initializer_range=0.3).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mmlu(tmp_path_factory.mktemp("mmlu"))


def config(model: Path, data: Path, **changes: Any) -> ChoicesRunConfig:
    settings: dict[str, Any] = {
        "data": str(data),
        "model": ModelOptions(model=str(model)),
        "unlearners": ("none", "eco-hand"),
        "synthetic": 4,
        "batch_size": 4,
        "header": "no",
        "fit": FIT,
    }
    return ChoicesRunConfig(**(settings | changes))


def model_of(outcome: Results, name: str) -> ModelResults:
    return next(model for model in outcome.models if model.name.startswith(name))


def test_what_was_taught_is_forgotten_and_the_rest_stays(model_folder: Path, data: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    settings = config(
        model_folder,
        data,
        teach=True,
        training=TRAINING,
        unlearners=("none", "eco-hand", "ga"),
        train={"max_steps": 1},
    )
    outcome = run_choices(settings, tmp_path / "out", cache=tmp_path / "cache", tell=lines.append)
    start, none, eco = (model_of(outcome, name) for name in ("start", "none", "eco-hand"))
    values = {model.name: MMLU_SPEC.aggregate(model.items) for model in outcome.models}
    assert values["start"]["forget, no header"]["forget_accuracy"].value > 0.9
    assert values["start"]["close, no header"]["accuracy"].value > 0.7
    assert "of the letters are right" in lines[-1]
    assert sum("epoch" in line for line in lines) < TRAINING.epochs  # it has ended when enough was known
    assert [item["logits"] for item in none.items] == [item["logits"] for item in start.items]
    assert any(item["identical"] for item in none.items)
    assert not any(item["identical"] is False for item in (*none.items, *eco.items))
    flagged = [item["flagged"] for item in eco.items]
    assert any(flagged)
    assert not all(flagged)
    for item, before in zip(eco.items, start.items, strict=True):
        assert item["flagged"] == (item["logits"] != before["logits"])
    assert not any(item["identical"] is not None for item in model_of(outcome, "ga").items)

    files = list((tmp_path / "out" / "steps").iterdir())
    times = {file: file.stat().st_mtime_ns for file in files}
    again = run_choices(settings, tmp_path / "out", cache=tmp_path / "cache", tell=lines.append)
    assert {file: file.stat().st_mtime_ns for file in files} == times
    assert again.models == outcome.models
    assert "taken from" in lines[-1]


def test_what_was_trained_is_kept_when_only_the_questions_change(
    model_folder: Path, data: Path, tmp_path: Path
) -> None:
    settings = config(model_folder, data, unlearners=("eco-hand", "ga"), train={"max_steps": 2}, limit=2)
    first = run_choices(settings, tmp_path)
    trained = [tmp_path / "artifacts/ga-seed0/ga/training.json", tmp_path / "artifacts/seed0/eco-hand/unlearner.json"]
    times = [file.stat().st_mtime_ns for file in trained]
    second = run_choices(replace(settings, limit=3, words=1), tmp_path)
    assert [file.stat().st_mtime_ns for file in trained] == times
    assert len(model_of(second, "ga").items) > len(model_of(first, "ga").items)
    assert [model.made_of for model in second.models] == [model.made_of for model in first.models]
    assert len({model.made_of for model in second.models}) == 3
    run_choices(replace(settings, unlearners=("ga",)), tmp_path)  # without anything whose strength is learned
    assert [file.stat().st_mtime_ns for file in trained] == times
    run_choices(replace(settings, synthetic=3), tmp_path)  # other rows to learn from
    assert not set(times) & {file.stat().st_mtime_ns for file in trained}


def test_a_shard_without_questions_is_refused_before_the_model_is_loaded(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="shard has no question"):
        run_choices(config(tmp_path / "no model", data, limit=1, others=0), tmp_path / "out", shard=(9, 9))


def test_both_forms_shards_and_words(model_folder: Path, data: Path, tmp_path: Path) -> None:
    settings = config(model_folder, data, header="both", words=2)
    whole = run_choices(settings, tmp_path / "whole")
    for number in (1, 2):
        run_choices(settings, tmp_path / f"part{number}", shard=(number, 2))
    joined = merge([tmp_path / "part1", tmp_path / "part2"], tmp_path / "joined")
    for one, other in zip(whole.models, joined.models, strict=True):
        assert [(i["id"], i["flagged"]) for i in one.items] == [(i["id"], i["flagged"]) for i in other.items]
        for a, b in zip(one.items, other.items, strict=True):
            if "logits" in a:
                assert a["logits"] == pytest.approx(b["logits"], abs=1e-4)
            else:
                assert a["text"] == b["text"]
    sets = {item["set"] for item in whole.models[0].items}
    assert {"forget, header", "forget, no header", "others, header", "forget, in words"} <= sets
    start = whole.models[0].items
    assert sum("logits" in item for item in start) == 60
    assert sum("text" in item for item in start) == 6
    both = [item["logits"] for item in start if item["id"] in ("anatomy/0, header", "anatomy/0, no header")]
    assert both[0] != both[1]


def test_detection_is_done_once(
    model_folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    plain = ECO.classify

    def counted(self: ECO, prompts: Any) -> Any:
        asked.extend(prompt.text for prompt in prompts)
        return plain(self, prompts)

    run_choices(config(model_folder, data, unlearners=("eco-hand",)), tmp_path)
    monkeypatch.setattr(ECO, "classify", counted)
    outcome = run_choices(config(model_folder, data, unlearners=("eco-hand", "eco-zo")), tmp_path)
    tested = {item.prompt(header=False) for own in _questions(data) for item in own}
    assert not tested & set(asked)
    hand, zero = (model_of(outcome, name) for name in ("eco-hand", "eco-zo"))
    assert [item["flagged"] for item in hand.items] == [item["flagged"] for item in zero.items]
    assert len(list((tmp_path / "verdicts").iterdir())) == 1


def _questions(data: Path) -> Any:
    from unlearned.benchmarks.choices.data import load_mmlu

    return load_mmlu(data, "economics").sets.values()


class Reworded(Plain):
    """Puts a word in front of some prompts."""

    def prepare(self, prompts: Any) -> list[PromptInput]:
        first = self.engine.tokenizer("Well,")["input_ids"]
        return [
            PromptInput((*first, *prompt.token_ids) if n % 3 == 0 else prompt.token_ids)
            for n, prompt in enumerate(prompts)
        ]


def test_reworded_prompts_are_asked_as_they_are_worded(model_folder: Path, data: Path, tmp_path: Path) -> None:
    engine = TransformersEngine(*plain_text(partial(load_model, ModelOptions(model=str(model_folder))))())
    (forget, *_) = _questions(data)
    asked = [QuestionSet("forget", False, part(forget, None))]
    examine = Examiner(asked, batch_size=4)
    start = examine(Plain("start", engine, own_weights=True), lambda *_: None)
    examine.start = by_place(start)
    found = examine(Reworded("reworded", engine), lambda *_: None)
    columns = [engine.tokenizer(f"Answer: {letter}")["input_ids"][-1] for letter in "ABCD"]
    for item, before, row in zip(found, start, forget, strict=True):
        if item["index"] % 3 == 0:
            ids = engine.tokenizer("Well,")["input_ids"] + engine.tokenizer(row.prompt(header=False))["input_ids"]
            with torch.inference_mode():
                want = engine.model(input_ids=torch.tensor([ids])).logits[0, -1, columns].tolist()
            assert item["logits"] == pytest.approx(want, abs=1e-4)
            assert item["computed"]
            assert item["identical"] is None
        else:
            assert item["logits"] == before["logits"]


def test_settings_that_cannot_work(model_folder: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both, yes or no"):
        config(model_folder, data, header="maybe")
    with pytest.raises(ConfigError, match="named twice"):
        config(model_folder, data, unlearners=("none", "none"))
    with pytest.raises(ConfigError, match="--fit nonsense: there is no such setting"):
        config(model_folder, data, fit={"nonsense": 1})
    with pytest.raises(ConfigError, match="--train nonsense: there is no such setting"):
        config(model_folder, data, train={"nonsense": 1})
    with pytest.raises(ConfigError, match="--training nonsense: there is no such setting"):
        training_of({"nonsense": 1})
    with pytest.raises(ConfigError, match="choose another --task"):
        run_choices(config(model_folder, data, task="full"), tmp_path)
    wmdp = tmp_path / "wmdp"
    wmdp.mkdir()
    for name in ("bio", "chem", "cyber"):
        write_rows(wmdp / f"wmdp-{name}.jsonl", [question("anatomy", 1)])
    with pytest.raises(ConfigError, match="as --forget"):
        run_choices(config(model_folder, wmdp, benchmark="wmdp", mmlu=str(data)), tmp_path)


def test_the_commands(model_folder: Path, data: Path, tmp_path: Path) -> None:
    shared = ["--model", str(model_folder), "--unlearners", "none", "--no-report", "--header", "yes", "--limit", "2"]
    done = CliRunner().invoke(app, ["bench", "mmlu", "--data", str(data), *shared, "--out", str(tmp_path / "a")])
    assert done.exit_code == 0, done.output
    assert "from guessing" in done.output
    results = json.loads((tmp_path / "a" / "results.json").read_text())
    assert results["benchmark"] == "mmlu"
    assert set(results["models"][0]["values"]["forget, header"]) >= {"forget_accuracy", "from_guessing", "chance"}
    for name in ("bio", "chem", "cyber"):
        rows = [
            {**question("anatomy", number), "question": f"A made-up {name} question {number}?"} for number in range(3)
        ]
        write_rows(tmp_path / f"wmdp-{name}.jsonl", rows)
    arguments = ["bench", "wmdp", "--data", str(tmp_path), "--mmlu", str(data), *shared, "--domains", "bio,chem"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "b")])
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "b" / "results.json").read_text())
    assert results["models"][0]["values"]["biology, header"]["accuracy"]["count"] == 2
    assert "cybersecurity, header" not in results["models"][0]["values"]


@pytest.mark.skipif(find_spec("lm_eval") is None, reason="lm-eval is not installed")
@pytest.mark.filterwarnings("ignore")  # lm-eval's own
def test_lm_eval_gives_the_same_letters(model_folder: Path, data: Path, tmp_path: Path) -> None:
    found = run_speed(ModelOptions(model=str(model_folder)), str(data), tmp_path, limit=2, batch_size=4, rounds=1)
    assert found["questions"] == 10
    assert found["other_answers"] == 0
    assert found["subjects"] == 5
    assert found["subjects_with_other_accuracy"] == {}
    assert found["ratio"] > 0
    assert json.loads((tmp_path / "speed.json").read_text())["accuracy"] == found["accuracy"]
