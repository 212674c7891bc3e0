"""MUSE: splits, pieces, questions, scores, and a whole run on a random model."""

from __future__ import annotations

import copy
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
from copyright_texts import OTHER, TALE
from typer.testing import CliRunner

from unlearned.benchmarks.benchmark import Work
from unlearned.benchmarks.copyright.config import StartConfig
from unlearned.benchmarks.muse import run as module
from unlearned.benchmarks.muse.config import MuseEvaluation, MuseRunConfig
from unlearned.benchmarks.muse.data import CONFIGS, MuseSource, Pair, cut_texts, load_muse, muse_chunks
from unlearned.benchmarks.muse.evaluate import asked, first_answer, shown
from unlearned.benchmarks.muse.run import run_muse
from unlearned.benchmarks.muse.spec import aggregate, with_retained
from unlearned.benchmarks.results import read_results
from unlearned.benchmarks.systems import Plain
from unlearned.cli.main import app
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, DataError
from unlearned.metrics.membership import auc, min_k, privleak
from unlearned.models import ModelOptions
from unlearned.types import PromptInput

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
    pytest.mark.filterwarnings("ignore::unlearned.errors.FitWarning"),  # a random model knows nothing
]

WORK = Work(report=lambda *phase: None, tell=lambda line: None)
LINES, OTHERS = TALE.splitlines()[1:], OTHER.splitlines()[1:]
STRANGE = ["A stone lay on a road. Nobody moved it.", "Rain fell on tin roofs.", "Two clocks agreed at noon."]


def write_muse(folder: Path) -> Path:
    """Every split of MUSE-Books, a few rows each."""
    questions = [
        ("What did the goat eat?", "The hat"),
        ("Who sold rope?", "Mr. Oates"),
        ("When did it snow?", "In winter"),
    ]
    kept = [("Where did the frog live?", "In a pond"), ("Who complained?", "A duck"), ("Who sat down?", "A fox")]
    texts = {
        "raw": {"forget": LINES, "retain1": OTHERS[:3], "retain2": OTHERS[3:], "holdout": STRANGE},
        "privleak": {"forget": LINES[:3], "retain": OTHERS[:3], "holdout": STRANGE},
        "train": {"forget": LINES, "retain1": OTHERS[:3], "retain2": OTHERS[3:]},
        **{c: {f"forget_{n}": LINES[: n + 1] for n in range(1, 5)} for c in ("scal", "sust")},
    }
    for config, splits in texts.items():
        for split, rows in splits.items():
            _write(folder / "books" / config / f"{split}.jsonl", [{"text": text} for text in rows])
    continued = [{"prompt": line.split(". ", 1)[0] + ".", "gt": line.split(". ", 1)[1]} for line in LINES[:3]]
    _write(folder / "books" / "verbmem" / "forget.jsonl", continued)
    for side, pairs in (("forget", questions), ("retain", kept)):
        rows = [{"question": question, "answer": answer} for question, answer in pairs]
        _write(folder / "books" / "knowmem" / f"{side}_qa.jsonl", rows)
        _write(folder / "books" / "knowmem" / f"{side}_qa_icl.jsonl", rows[:1])
    return folder


def _write(file: Path, rows: list[dict[str, str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_every_split_can_be_read(tmp_path: Path) -> None:
    source = MuseSource("books", str(write_muse(tmp_path)))
    columns = {"verbmem": ("prompt", "gt"), "knowmem": ("question", "answer")}
    for config, splits in CONFIGS.items():
        for split in splits:
            assert source.rows(config, split, columns.get(config, ("text",)))
    assert set(source.sha256) == {f"{config}/{split}" for config, splits in CONFIGS.items() for split in splits}
    assert MuseSource("books", str(tmp_path / "books")).has("train", "retain2")
    assert not source.has("train", "full")
    with pytest.raises(ConfigError, match="in-context needs prompts with answers"):
        MuseRunConfig(unlearners=("none", "in-context"))
    with pytest.raises(ConfigError, match="no split 'full'"):
        source.rows("raw", "full", ("text",))
    with pytest.raises(ConfigError, match="no split 'forget_5'"):
        source.rows("scal", "forget_5", ("text",))
    with pytest.raises(DataError, match=r"verbmem.forget\.jsonl, row 1: no column 'text'"):
        source.rows("verbmem", "forget", ("text",))
    with pytest.raises(DataError, match="no folder"):
        MuseSource("books", str(tmp_path / "elsewhere"))
    with pytest.raises(ConfigError, match="'news' or 'books'"):
        MuseSource("films")  # type: ignore[arg-type]


def test_what_unlearners_are_shown_can_be_a_part(tmp_path: Path) -> None:
    folder = str(write_muse(tmp_path))
    assert load_muse("books", folder).forget == tuple(LINES)
    assert load_muse("books", folder, forget_set="scal-2").forget == tuple(LINES[:3])
    few = load_muse("books", folder, limit=2)
    assert (len(few.verbatim), len(few.questions["forget"]), len(few.forget)) == (2, 2, len(LINES))
    assert few.asked_sha256 == load_muse("books", folder, forget_set="sust-1").asked_sha256
    with pytest.raises(ConfigError, match="scal-5"):
        load_muse("books", folder, forget_set="scal-5")


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


def test_what_named_models_were_trained_on_is_not_read(tmp_path: Path) -> None:
    data = load_muse("books", str(write_muse(tmp_path)), train=False)
    assert data.train == data.train_retained == ()
    assert not any(name.startswith("train/") for name in data.sha256)
    assert set(data.asked_sha256) == {
        "verbmem/forget", "knowmem/forget_qa", "knowmem/retain_qa", "knowmem/forget_qa_icl", "knowmem/retain_qa_icl",
        "privleak/forget", "privleak/holdout",
    }  # fmt: skip


def test_a_folder_may_have_all_training_texts_in_one_file(tmp_path: Path) -> None:
    folder = write_muse(tmp_path)
    shutil.rmtree(folder / "books" / "train")
    nothing = load_muse("books", str(folder))
    assert nothing.train == ()
    with pytest.raises(DataError, match=r"no train/forget .or train/full."):
        module.Muse(MuseRunConfig()).models(nothing, WORK)
    _write(folder / "books" / "train" / "full.jsonl", [{"text": text} for text in (*OTHERS, *LINES)])
    data = load_muse("books", str(folder))
    assert data.train == (*OTHERS, *LINES)
    assert data.train_retained == tuple(OTHERS)
    assert "raw/retain2" in data.sha256


def test_pieces_of_both_kinds(tiny_tokenizer: Any) -> None:
    texts = ["The goat ate a hat.", "It was the mayor's hat. Nobody laughed."]
    ids = tiny_tokenizer("\n\n".join(texts), add_special_tokens=False)["input_ids"]
    assert tiny_tokenizer.bos_token_id is None
    pieces = muse_chunks(texts, tiny_tokenizer, 8)
    assert all(len(piece) == 7 for piece in pieces)
    joined = [token for piece in pieces for token in piece]
    assert joined[: len(ids)] == ids
    assert joined[len(ids) :] == ids[: len(joined) - len(ids)], "filled up from the first"
    with_start = copy.deepcopy(tiny_tokenizer)
    with_start.bos_token = "<|turn|>"
    assert [piece[1:] for piece in muse_chunks(texts, with_start, 8)] == pieces
    assert {piece[0] for piece in muse_chunks(texts, with_start, 8)} == {with_start.bos_token_id}
    whole = cut_texts(texts, tiny_tokenizer, 8, "open-unlearning")
    assert "".join(whole) == "\n\n".join(texts)
    assert [len(tiny_tokenizer(piece)["input_ids"]) for piece in whole[:-1]] == [8] * (len(whole) - 1)
    with pytest.raises(ConfigError, match="style='half'"):
        cut_texts(texts, tiny_tokenizer, 8, "half")  # type: ignore[arg-type]


def test_questions_stand_behind_examples_and_answers_end_before_the_next() -> None:
    assert shown([Pair("A?", "b")], "C?") == "Question: A?\nAnswer: b\n\nQuestion: C?\nAnswer:"
    for rest in ("\n\nmore", "\nQuestion: x", "Question: x"):
        assert first_answer(f" In a pond{rest}") == "In a pond"


def test_true_continuations_are_cut(tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any) -> None:
    data = load_muse("books", str(write_muse(tmp_path)))
    plain = Plain("start", TransformersEngine(tiny_model, tiny_tokenizer))
    sets = {"verbmem": list(enumerate(data.verbatim))}
    rows = asked(plain, sets, data.examples, MuseEvaluation(verbatim_tokens=3))["verbmem"]
    assert [data.verbatim[row.index].truth.startswith(row.truth or "?") for row in rows] == [True] * 3
    assert all(len(tiny_tokenizer(row.truth)["input_ids"]) == 3 for row in rows)


def test_the_four_numbers() -> None:
    def items(shift: float) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [
            {"set": name, "rouge": 0.25, "changed": 1.0} for name in ("verbmem", "knowmem_forget", "knowmem_retain")
        ]
        for name, scores in (("privleak_forget", [1.0, 2.0, 3.0]), ("privleak_holdout", [2.5, 3.5, 4.5])):
            found += [{"set": name, "min_k": s + shift * (name == "privleak_forget"), "changed": 0.0} for s in scores]
        return [{**item, "id": str(number)} for number, item in enumerate(found)]

    own, retained = items(0.0), items(2.0)
    found = aggregate(with_retained(own, retained))["muse"]
    assert found["verbmem"].value == found["knowmem_forget"].value == found["knowmem_retain"].value == 25
    a, r = auc([1, 2, 3], [2.5, 3.5, 4.5]).value, auc([3, 4, 5], [2.5, 3.5, 4.5]).value
    assert found["privleak"].value == pytest.approx(privleak(a, r))
    assert found["changed"].value == 1
    assert aggregate(own)["muse"]["privleak"].value == pytest.approx(privleak(a)), "without a retained model"
    low, high = found["privleak"].interval or (0, 0)
    assert low < found["privleak"].value < high
    assert aggregate(with_retained(retained, retained))["muse"]["privleak"].value == pytest.approx(0)


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


def test_one_of_two_models_is_refused() -> None:
    with pytest.raises(ConfigError, match="both --start and --retained"):
        MuseRunConfig(start="x")


def test_how_texts_are_cut_is_checked_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match="style='half': must be one of muse, open-unlearning"):
        MuseRunConfig(style="half")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="max_tokens=7"):
        MuseRunConfig(max_tokens=7)
