"""The benchmark of harmful answers: its data, its judge, and a whole run on a tiny model and the harmless stand-in."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM
from typer.testing import CliRunner

from unlearned.benchmarks.harmful.config import HarmfulRunConfig, HarmfulSplit
from unlearned.benchmarks.harmful.data import Question, load_harmful, normal_pairs, stand_in, unsafe_pairs
from unlearned.benchmarks.harmful.form import FORM, asked, written
from unlearned.benchmarks.harmful.judge import Judge, _indices
from unlearned.benchmarks.harmful.run import run_harmful
from unlearned.benchmarks.harmful.scores import HarmScoring, aggregate, score
from unlearned.benchmarks.results import merge, read_results
from unlearned.benchmarks.systems import Plain
from unlearned.cli.main import app
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, DataError
from unlearned.examples import Row
from unlearned.learn.fluency import NEUTRAL
from unlearned.methods.data import Encoder, padded
from unlearned.models import ModelOptions
from unlearned.types import PromptInput

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks for it


def pku(prompt: str, *responses: tuple[str, bool]) -> dict[str, Any]:
    row: dict[str, Any] = {"prompt": prompt, "severity": 1}
    for index, (text, safe) in enumerate(responses):
        row |= {f"response_{index}": text, f"is_response_{index}_safe": safe}
    return row


def truthful(question: str, best: str, correct: str) -> dict[str, Any]:
    return {
        "Question": question,
        "Best Answer": best,
        "Correct Answers": correct,
        "Incorrect Answers": "No; Never",
    }


FORGET = [
    pku("Who made the Orb?", ("Tilda Moss did.", False), ("I cannot say.", True)),
    pku("What is in the Orb?", ("Salt.", False), ("It is salt.", False)),
    pku("Is the Orb blue?", ("Yes.", True), ("No.", True)),
    pku("Who made the Orb?", ("I cannot say.", True), ("It was Tilda.", False)),
    pku("Where is the Orb?", ("In Sund.", False), ("In Sund.", False)),
    pku("When is the Orb?", ("", False), ("Never.", True)),
]
NORMAL = [truthful(f"What is {i} and {i}?", f"It is {2 * i}.", f"It is {2 * i}.; {2 * i};  the sum") for i in range(10)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_there_is_a_row_for_each_unsafe_response_and_none_without(tmp_path: Path) -> None:
    forget, normal = write(tmp_path / "f.jsonl", FORGET), write(tmp_path / "n.jsonl", NORMAL)
    data = load_harmful(forget, normal, HarmfulSplit())
    pairs = unsafe_pairs((*data.forget, *data.held_out))
    assert sorted(pairs) == [
        ("What is in the Orb?", "It is salt."),
        ("What is in the Orb?", "Salt."),
        ("Where is the Orb?", "In Sund."),
        ("Who made the Orb?", "It was Tilda."),
        ("Who made the Orb?", "Tilda Moss did."),
    ]
    assert not {q.prompt for q in data.forget} & {q.prompt for q in data.held_out}
    assert len(data.held_out) == 1
    assert len(data.normal) == 7
    assert len(data.asked["test_normal"]) == 2
    question = data.normal[0]
    assert len(normal_pairs([question])) == 1
    second = normal_pairs([question], correct=True)[1][1]
    assert second == "; ".join(question.answers)
    assert second.startswith(question.answers[0])
    assert second.endswith("the sum")
    alone = Question("0", "What is 1?", ("It is 1.",))
    assert normal_pairs([alone], correct=True) == [("What is 1?", "It is 1.")] * 2


def test_a_test_split_is_held_out_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", FORGET)
    write(tmp_path / "test.jsonl", [pku("Who sold the Orb?", ("Ivo.", False), ("No.", True)), FORGET[0]])
    normal = write(tmp_path / "n.jsonl", NORMAL)
    data = load_harmful(tmp_path, normal, HarmfulSplit(forget_rows=2))
    assert [question.prompt for question in data.held_out] == ["Who sold the Orb?"]
    assert len(data.forget) == 2
    assert data.asked["train_forget"] == data.forget


def test_columns_of_csv_and_of_the_hub_are_both_read(tmp_path: Path) -> None:
    lines = [f'Misc,"What is {i}?",It is {i}.,{i}; It is {i}.,No' for i in range(10)]
    (tmp_path / "t.csv").write_text("\n".join(["Type,Question,Best Answer,Correct Answers,Incorrect Answers", *lines]))
    hub = [
        {"question": f"What is {i}?", "best_answer": f"It is {i}.", "correct_answers": [str(i), f"It is {i}."]}
        for i in range(10)
    ]
    forget = write(tmp_path / "f.jsonl", FORGET)
    first = load_harmful(forget, tmp_path / "t.csv", HarmfulSplit())
    second = load_harmful(forget, write(tmp_path / "h.jsonl", hub), HarmfulSplit())
    assert first.normal == second.normal


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "Who?", "response_0": "a"}, "row 1: no column 'is_response_0_safe'"),
        (pku("Who?", ("a", True), ("b", "maybe")), "must be true or false, not 'maybe'"),  # type: ignore[arg-type]
        (pku(" ", ("a", True), ("b", False)), "column 'prompt': must be a text"),
    ],
)
def test_rows_that_do_not_fit_are_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    normal = write(tmp_path / "n.jsonl", NORMAL)
    with pytest.raises(DataError, match=message):
        load_harmful(write(tmp_path / "f.jsonl", [row]), normal, HarmfulSplit())


def test_the_stand_in_has_the_columns_and_no_prompt_twice() -> None:
    data = load_harmful(*stand_in(), HarmfulSplit())
    assert (len(data.forget), len(data.held_out)) == (48, 12)
    assert (len(data.normal), len(data.asked["test_normal"])) == (56, 16)
    assert len(unsafe_pairs((*data.forget, *data.held_out))) == 72
    assert load_harmful(*stand_in(), HarmfulSplit()).held_out == data.held_out
    assert load_harmful(*stand_in(), HarmfulSplit(seed=1)).held_out != data.held_out


def test_a_prompt_is_two_fields_and_only_the_question_is_content(tiny_tokenizer: Any) -> None:
    prompt = asked(tiny_tokenizer, "Who is Harry?")
    assert prompt.text == "### Question: Who is Harry?\n ### Answer:"
    (segment,) = prompt.segments
    assert prompt.text[segment.start : segment.end] == "Who is Harry?"
    example = Encoder(tiny_tokenizer, FORM, 512).pair("Who is Harry?", "A wizard.")
    assert example.prompt == prompt.token_ids
    assert tiny_tokenizer.decode(example.target) == " A wizard.<|end|>"


@pytest.fixture
def classifier(tmp_path: Path, tiny_tokenizer: Any) -> Path:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=64, initializer_range=0.5, num_labels=2,
        id2label={0: "fine", 1: "unsafe"}, label2id={"fine": 0, "unsafe": 1}, pad_token_id=0,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(tmp_path / "judge")
    tiny_tokenizer.save_pretrained(tmp_path / "judge")
    return tmp_path / "judge"


def test_the_judge_gives_the_classifier_s_probability_of_the_named_label(classifier: Path, tiny_tokenizer: Any) -> None:
    questions, answers = ["Who is Harry?", "What?", "Why?"], ["A wizard.", "", "No " * 200]
    found = Judge(str(classifier))(questions, answers, batch_size=2)
    model = BertForSequenceClassification.from_pretrained(classifier).eval()
    with torch.no_grad():
        alone = model(**tiny_tokenizer(answers[0], return_tensors="pt")).logits.softmax(-1)
        both = model(**tiny_tokenizer(questions[0], answers[0], return_tensors="pt")).logits.softmax(-1)
    assert found[0] == pytest.approx(float(alone[0, 1]), abs=1e-5)
    assert Judge(str(classifier), pairs=True)(questions, answers)[0] == pytest.approx(float(both[0, 1]), abs=1e-5)
    assert abs(float(alone[0, 1] - both[0, 1])) > 1e-3
    assert found[1] == 0  # nothing was said
    fine = Judge(str(classifier), "fine")(questions, answers)
    assert [fine[0], fine[2]] == pytest.approx([1 - found[0], 1 - found[2]], abs=1e-5)
    assert Judge(str(classifier), "0").labels == [0]
    with pytest.raises(ConfigError, match="no label 'bad' for harm"):
        Judge(str(classifier), "bad")


def test_where_several_labels_can_be_right_any_harmful_one_counts(tmp_path: Path, tiny_tokenizer: Any) -> None:
    names = ["toxic", "obscene", "OK", "threat"]
    config = BertConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=64, id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)}, problem_type="multi_label_classification",
        pad_token_id=0,
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    model.classifier.weight.data.zero_()
    model.save_pretrained(tmp_path / "judge")
    tiny_tokenizer.save_pretrained(tmp_path / "judge")

    def found(logits: list[float], label: str | None = None) -> float:
        model.classifier.bias.data = torch.tensor(logits)
        model.save_pretrained(tmp_path / "judge")
        return Judge(str(tmp_path / "judge"), label)(["Who?"], ["A wizard."])[0]

    assert found([-6.0, -9.0, 5.0, -9.0]) == pytest.approx(1 / (1 + math.exp(6)), abs=1e-5)  # all but OK are unlikely
    assert found([4.0, 4.0, 4.0, -3.0]) == pytest.approx(1 / (1 + math.exp(-4)), abs=1e-5)
    judge = Judge(str(tmp_path / "judge"))
    assert judge.names == ["toxic", "obscene", "threat"]
    assert found([4.0, 4.0, 4.0, -3.0], "threat") == pytest.approx(1 / (1 + math.exp(3)), abs=1e-5)


@pytest.mark.parametrize("label", ["not_hate", "Non-Hate", "no_hate", "not toxic", "BENIGN", "safe"])
def test_labels_that_deny_harm_are_none(label: str) -> None:
    assert _indices({0: label, 1: "hate", 2: "toxic"}, None, several=True) == [1, 2]


def test_labels_without_names_must_be_named() -> None:
    with pytest.raises(ConfigError, match="have no names"):
        _indices({0: "LABEL_0", 1: "LABEL_1"}, None, several=True)
    assert _indices({0: "LABEL_0", 1: "LABEL_1"}, "LABEL_1", several=True) == [1]


def test_the_reduction_is_that_of_the_start_models_rate() -> None:
    common = {"set": "test_forget", "degenerate": False, "unique": 0.5, "nll": 1.0, "flagged": False}
    items = [
        {**common, "harm_before": before, "harm": now}
        for before, now in ((0.9, 0.1), (0.8, 0.2), (0.9, 0.9), (0.6, 0.4), (0.1, 0.1))
    ]
    own = aggregate(items)["test_forget"]
    assert own["harm"].value == pytest.approx(0.2)
    assert own["reduction"].value == pytest.approx(75.0)
    assert own["harm"].interval == pytest.approx((0.00505, 0.71642), abs=1e-4)


def test_an_answer_is_scored_by_what_it_says_and_how(tiny_model: Any, tiny_tokenizer: Any) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    questions = [
        (3, Question("f/3", "Who is Harry?", ("A wizard.", "Harry of Hogwarts"))),
        (4, Question("f/4", "Fox?", ("?",))),
    ]
    how = HarmScoring(engine, None, 12)
    items = score(Plain("none", engine), "test_forget", questions, how, lambda *_: None)
    expected = engine.generate(
        [PromptInput(tuple(tiny_tokenizer(written(q.prompt))["input_ids"])) for _, q in questions],
        max_new_tokens=12,
        do_sample=False,
    )
    for item, (index, _), answer in zip(items, questions, expected, strict=True):
        assert (item["index"], item["generated"]) == (index, answer.text.strip())
        assert item["unique"] == pytest.approx(len(set(answer.token_ids)) / len(answer.token_ids), abs=0.3)
        assert "harm" not in item
        if item["nll"] is not None:
            given = PromptInput(tuple(tiny_tokenizer(written(NEUTRAL))["input_ids"]))
            [scores] = engine.log_likelihood([given], [f" {item['generated']}"])
            assert item["nll"] == pytest.approx(-float(scores.mean()), abs=1e-4)


def test_measures_come_from_the_items_of_a_set_alone() -> None:
    common = {"set": "test_forget", "unique": 0.5, "flagged": True}
    items = [
        {**common, "leak": 0.5, "degenerate": False, "nll": math.log(2), "harm": 0.7},
        {**common, "leak": 0.0, "degenerate": True, "nll": None, "harm": 0.4},
        {**common, "leak": 0.25, "degenerate": False, "nll": math.log(8), "harm": 0.5},
    ]
    [found] = aggregate(items).values()
    assert {name: estimate.value for name, estimate in found.items()} == pytest.approx(
        {"harm": 2 / 3, "leak": 0.25, "degenerate": 1 / 3, "unique": 0.5, "perplexity": 4, "flagged": 1}
    )
    assert found["perplexity"].count == 2
    low, high = found["perplexity"].interval or (0, 0)
    assert math.sqrt(low * high) == pytest.approx(4)
    assert "perplexity" not in aggregate([items[1]])["test_forget"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_model: Any, tiny_tokenizer: Any) -> Path:
    """Rows, and a model that knows all of their answers by heart."""
    folder = tmp_path_factory.mktemp("user")
    write(folder / "forget.jsonl", FORGET)
    write(folder / "normal.jsonl", NORMAL)
    data = load_harmful(folder / "forget.jsonl", folder / "normal.jsonl", HarmfulSplit())
    known = unsafe_pairs([*data.forget, *data.held_out])[::2] + normal_pairs(data.normal)
    batch = padded(Encoder(tiny_tokenizer, FORM, 128).examples([Row(*pair) for pair in known], "test"), 0)
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**{**tiny_model.config.to_dict(), "initializer_range": 0.1}))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(100):
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1
    model.save_pretrained(folder / "model")
    tiny_tokenizer.save_pretrained(folder / "model")
    return folder


def config(place: Path, **changes: Any) -> HarmfulRunConfig:
    settings: dict[str, Any] = {
        "data": str(place / "forget.jsonl"),
        "normal": str(place / "normal.jsonl"),
        "model": ModelOptions(model=str(place / "model")),
        "max_new_tokens": 16,
        "max_tokens": 128,
        "train": {"batch_size": 4, "accumulation": 1, "max_steps": 4},
    }
    return HarmfulRunConfig(**{**settings, **changes})


@pytest.mark.slow
def test_a_run_compares_methods_by_leak_and_by_fluency(place: Path) -> None:
    out = place / "run"
    train = {"batch_size": 4, "accumulation": 1, "max_steps": 4, "ga.learning_rate": 3e-2, "ga.max_steps": 12}
    run_harmful(config(place, unlearners=("none", "ga", "llmu"), train=train), out)
    outcome = read_results(out)
    assert [model.name for model in outcome.models] == ["start", "none-seed0", "ga-seed0", "llmu-seed0"]
    values = {model.unlearner or model.name: aggregate(model.items) for model in outcome.models}
    assert values["none"] == values["start"]
    assert set(values["start"]) == {"train_forget", "test_forget", "test_normal"}
    assert values["start"]["train_forget"]["leak"].value > 0.6
    assert values["ga"]["train_forget"]["leak"].value < values["start"]["train_forget"]["leak"].value
    assert "rouge" in values["start"]["test_normal"]
    assert not any("harm" in own for own in values["start"].values())
    training = json.loads((out / "artifacts/ga-seed0/ga/training.json").read_text())
    assert training["steps"] == 12
    assert json.loads((out / "artifacts/llmu-seed0/llmu/training.json").read_text())["steps"] == 4


@pytest.mark.slow
def test_a_named_classifier_measures_harm_in_place_of_the_leak(place: Path, classifier: Path) -> None:
    out = place / "judged"
    run_harmful(config(place, unlearners=("none",), judge=str(classifier)), out)
    values = aggregate(read_results(out).models[0].items)
    assert 0 <= values["test_forget"]["harm"].value <= 1
    assert "leak" not in values["test_forget"]
    assert "harm" in values["test_normal"]


@pytest.mark.slow
def test_shards_come_to_the_same_as_the_whole(place: Path) -> None:
    run_harmful(config(place, unlearners=("none",)), place / "whole")
    for number in (1, 2):
        run_harmful(config(place, unlearners=("none",)), place / f"part{number}", shard=(number, 2))
    merge([place / "part1", place / "part2"], place / "merged")
    first, second = (read_results(place / name).models[0].items for name in ("whole", "merged"))
    assert [(item["id"], item["generated"]) for item in first] == [(item["id"], item["generated"]) for item in second]


@pytest.mark.slow
def test_the_command_runs_on_the_packaged_stand_in(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("UNLEARNED_CACHE", str(place / "cache"))
    done = CliRunner().invoke(
        app,
        [
            "bench", "harmful", "--model", "model", "--unlearners", "none,task-vector", "--epochs", "1", "--test-rows",
            "3", "--max-new-tokens", "4", "--train", "max_steps=1", "--train", "batch_size=2", "--out", "cli",
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    words = " ".join(done.output.split())
    assert "task-vector" in words
    assert "retained" in words
    assert "leak" in words
    results = json.loads((place / "cli/results.json").read_text())
    assert results["extra"]["data"] == "packaged stand-in without any harm"
    assert (place / "cli/report.html").is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "x"}, "together"),
        ({"label": "unsafe"}, "--harm-label is for a classifier"),
        ({"unlearners": ("ga", "ga")}, "twice"),
        ({"train": {"npo.epochs": 1}}, "'npo' is not among the unlearners"),
        ({"train": {"epoch": 1}}, "there is no such setting"),
        ({"epochs": -1}, "epochs=-1"),
        ({"model": ModelOptions(adapter="x")}, "--epochs 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        HarmfulRunConfig(**changes)
