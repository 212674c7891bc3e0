"""MUSE: splits, pieces, questions, scores, and a whole run on a random model."""

from __future__ import annotations

import copy
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
from muse_rows import LINES, OTHERS, STRANGE, WORK, write_muse
from typer.testing import CliRunner

from unlearned.benchmarks.copyright.config import StartConfig
from unlearned.benchmarks.muse import run as module
from unlearned.benchmarks.muse.config import MuseEvaluation, MuseRunConfig
from unlearned.benchmarks.muse.data import load_muse
from unlearned.benchmarks.muse.run import run_muse
from unlearned.benchmarks.results import read_results
from unlearned.cli.main import app
from unlearned.engines.transformers import TransformersEngine
from unlearned.metrics.membership import min_k
from unlearned.models import ModelOptions
from unlearned.types import PromptInput

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
    pytest.mark.filterwarnings("ignore::unlearned.errors.FitWarning"),  # a random model knows nothing
]


def test_the_start_model_learns_everything_and_the_retained_model_all_that_stays(
    tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(write_muse(tmp_path))
    data = load_muse("books", folder)
    assert data.train == (*LINES, *OTHERS)
    assert data.train_retained == tuple(OTHERS), "its utility is measured on retain2"
    assert data.retain == tuple(OTHERS[:3])
    learned = {}

    def learn(load: Any, options: Any, texts: list[str], *arguments: Any, name: str, **more: Any) -> None:
        learned[name] = "".join(texts)

    monkeypatch.setattr(module, "learned_by_heart", learn)
    monkeypatch.setattr(module, "load_model", lambda options: (tiny_model, tiny_tokenizer))
    config = MuseRunConfig(style="open-unlearning")
    module.Muse(config)._trained(data, WORK)
    assert learned == {"start": "\n\n".join([*LINES, *OTHERS]), "retained": "\n\n".join(OTHERS)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_model: Any, tiny_tokenizer: Any) -> Path:
    folder = tmp_path_factory.mktemp("muse")
    copy.deepcopy(tiny_model).save_pretrained(folder / "model")
    tiny_tokenizer.save_pretrained(folder / "model")
    return write_muse(folder)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, bag_of_words: Any) -> None:
    for where in ("unlearned.learn.classifier", "unlearned.artifact.artifact"):
        monkeypatch.setattr(f"{where}.sentence_encoder", lambda name: bag_of_words)
    monkeypatch.setattr("unlearned.learn.classifier.background_vectors", lambda encoder: {})
    monkeypatch.setattr("unlearned.learn.classifier.background_prompts", lambda: ["What is the weather like?", "Sing."])


@pytest.mark.slow
def test_a_whole_run(place: Path, tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any) -> None:
    config = MuseRunConfig(
        corpus="books",
        data=str(place),
        model=ModelOptions(model=str(place / "model")),
        training=StartConfig(adapter=True, epochs=1, batch_size=4),
        max_tokens=60,
        unlearners=("none", "prompting", "eco-hand", "ga"),
        fit={"classifier": "neighbours"},
        train={"max_steps": 2, "accumulation": 1, "warmup": 0.0},
        evaluation=MuseEvaluation(verbatim_tokens=6, answer_tokens=4, batch_size=4),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_muse(config, tmp_path / "run", cache=place / "cache")
    models = {model.unlearner or model.name: model.items for model in read_results(tmp_path / "run").models}
    assert list(models) == ["start", "retained", "none", "prompting", "eco-hand", "ga"]
    start = {item["id"]: item for item in models["start"]}
    assert {item["set"] for item in models["start"]} == {
        "verbmem", "knowmem_forget", "knowmem_retain", "privleak_forget", "privleak_holdout",
    }  # fmt: skip
    assert models["none"] == models["start"]
    changed = [item for item in models["eco-hand"] if item["changed"]]
    assert {"verbmem", "privleak_forget"} <= {item["set"] for item in changed}
    assert all(item["min_k"] != start[item["id"]]["min_k"] for item in changed if "min_k" in item)
    assert all(item == start[item["id"]] for item in models["eco-hand"] if not item["changed"])
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    retained = {item["id"]: item for item in models["retained"]}
    assert retained["privleak_forget/0"]["min_k"] != pytest.approx(
        min_k(
            engine.prompt_log_probabilities([PromptInput(engine.tokenize(LINES[0], chat=False).token_ids)])[0].numpy()
        )
    ), "the retained model was trained, too"


@pytest.mark.slow
def test_models_that_are_named_are_not_trained(
    place: Path, tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    model = str(place / "model")
    command = ["bench", "muse", "--corpus", "books", "--data", str(place), "--start", model, "--retained", model]
    command += ["--model", model, "--unlearners", "none", "--limit", "2", "--out", str(tmp_path / "run"), "--no-report"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    values = results["models"][0]["values"]["muse"]
    assert values["privleak"]["value"] == pytest.approx(0), "start and retained model are the same"
    item = json.loads((tmp_path / "run" / "items" / "start.jsonl").read_text().split("\n")[-2])
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    whole = PromptInput(engine.tokenize(STRANGE[1], chat=False).token_ids)
    assert item["min_k"] == pytest.approx(min_k(engine.prompt_log_probabilities([whole])[0].numpy()), abs=1e-4)


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that are evaluated, and not taken from an earlier run."""
    names: list[str] = []
    original = module.evaluate

    def evaluate(system: Any, *arguments: Any, **more: Any) -> Any:
        names.append(system.name)
        return original(system, *arguments, **more)

    monkeypatch.setattr(module, "evaluate", evaluate)
    return names


def run_named(place: Path, out: Path, retained: Path, **changes: Any) -> dict[str, list[Any]]:
    settings = {"limit": 2, "unlearners": ("none",), **changes}
    model = str(place / "model")
    config = MuseRunConfig(
        corpus="books", data=str(place), start=model, retained=str(retained), model=ModelOptions(model=model),
        evaluation=MuseEvaluation(verbatim_tokens=3, answer_tokens=3), **settings,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_muse(config, out)
    return {model.name: list(model.items) for model in read_results(out).models}


@pytest.mark.slow
def test_a_retained_model_with_other_weights_in_the_same_place_is_asked_anew(
    place: Path, tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any, evaluated: list[str]
) -> None:
    retained = tmp_path / "retrain"
    shutil.copytree(place / "model", retained)
    before = run_named(place, tmp_path / "run", retained)
    assert run_named(place, tmp_path / "run", retained) == before
    assert evaluated == ["start", "retained", "none"]
    other = copy.deepcopy(tiny_model)
    for weight in other.parameters():
        weight.data.mul_(1.5)
    other.save_pretrained(retained)
    after = run_named(place, tmp_path / "run", retained)
    assert evaluated[3:] == ["retained"]
    scores = [[item["min_k"] for item in found["retained"] if "min_k" in item] for found in (before, after)]
    assert all(old != new for old, new in zip(*scores, strict=True))


@pytest.mark.slow
def test_models_are_asked_anew_only_if_something_about_the_asking_has_changed(
    place: Path, tmp_path: Path, evaluated: list[str]
) -> None:
    model, out = place / "model", tmp_path / "run"
    run_named(place, out, model)
    marker = out / "artifacts" / "seed0" / "marker"
    marker.write_text("fitted")
    evaluated.clear()
    run_named(place, out, model, limit=3)
    assert evaluated == ["start", "retained", "none"]
    assert marker.is_file(), "more rows are asked, and nothing else is fitted"
    evaluated.clear()
    run_named(place, out, model, limit=3, style="open-unlearning", max_tokens=64)
    assert evaluated == ["none"], "how texts are cut is nothing to models that are named"
    assert not marker.exists(), "what trains learns other pieces"
