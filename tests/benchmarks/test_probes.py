"""The probes: what is read out of features, how models are asked, and the whole run on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import PreTrainedTokenizerFast
from typer.testing import CliRunner

from tiny_llama import tiny_llama
from tiny_rows import FORGET, RETAIN
from unlearned.api import Unlearned
from unlearned.benchmarks.probes.ask import ask, nearest_tokens
from unlearned.benchmarks.probes.config import AskConfig, ProbeConfig, ProbesConfig
from unlearned.benchmarks.probes.data import Question, load_questions, parse_where
from unlearned.benchmarks.probes.labelled import facts_of, prompts_of, told_prompt
from unlearned.benchmarks.probes.linear import compact, guessing, read_out, share
from unlearned.benchmarks.probes.run import run_probes
from unlearned.benchmarks.probes.spec import BEST, LOGITS, OWN, RELEARNING, REPEAT, aggregate
from unlearned.benchmarks.probes.states import last_states
from unlearned.benchmarks.results import read_results
from unlearned.benchmarks.systems import Corrupted, Plain
from unlearned.cli.main import app
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.base import Completion
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, DataError, MissingExtraError
from unlearned.models import ModelOptions

pytestmark = pytest.mark.filterwarnings("ignore::unlearned.errors.ArtifactWarning")

CHOICES = ("a wizard", "a school", "a fox", "a dog")


def silent(phase: str, done: int, total: int) -> None:
    pass


def write(folder: Path, rows: list[dict[str, Any]], name: str = "questions.jsonl") -> Path:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder / name


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return [
        {"question": text, "choices": list(CHOICES), "answer": index % 4, "subject": "forget" if index < 4 else "other"}
        for index, text in enumerate([*FORGET, *RETAIN])
    ]


def test_compact_features_give_the_probe_of_the_standardised_ones() -> None:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((60, 300)).astype(np.float32) * generator.uniform(0.1, 50, 300).astype(
        np.float32
    )
    labels = (features[:, 0] + features[:, 1] > 0).astype(int)
    plain, small = StandardScaler().fit_transform(features.astype(np.float64)), compact(features)
    assert small.shape[1] < 60
    probes = [LogisticRegression(max_iter=2000, tol=1e-8).fit(x[:40], labels[:40]) for x in (plain, small)]
    expected, found = probes[0].predict_proba(plain[40:]), probes[1].predict_proba(small[40:])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_planted_label_is_read_out_and_noise_is_not() -> None:
    generator = np.random.default_rng(0)
    labels = ["left", "right"] * 60
    features = generator.standard_normal((120, 40)).astype(np.float32)
    groups = list(range(120))
    assert read_out(features, labels, groups, ProbeConfig()).mean() < 0.65
    features[:, 7] += 4 * (np.array(labels) == "left")
    assert read_out(features, labels, groups, ProbeConfig()).mean() > 0.9


def test_rows_of_one_group_are_not_fitted_with_and_asked() -> None:
    """Features name the group, and labels are made up for each group: only a probe that has seen the group knows."""
    generator = np.random.default_rng(1)
    groups = [number for number in range(40) for _ in range(5)]
    features = np.eye(40, dtype=np.float32)[groups] + 0.01 * generator.standard_normal((200, 40)).astype(np.float32)
    labels = [number % 2 for number in groups]
    assert read_out(features, labels, groups, ProbeConfig()).mean() < 0.6
    assert read_out(features, labels, list(range(200)), ProbeConfig()).mean() > 0.95


def test_the_same_features_everywhere_tell_nothing() -> None:
    labels = ["a"] * 10 + ["b"] * 10
    right = read_out(np.ones((20, 5), dtype=np.float32), labels, range(20), ProbeConfig())
    assert right.mean() == pytest.approx(0.5)


def test_features_that_cannot_be_probed_are_refused() -> None:
    features = np.ones((4, 2), dtype=np.float32)
    with pytest.raises(DataError, match="two labels"):
        read_out(features, ["a"] * 4, range(4), ProbeConfig())
    with pytest.raises(DataError, match="two labels, and each"):
        read_out(features, ["a", "a", "a", "b"], range(4), ProbeConfig())
    features[0, 0] = np.nan
    with pytest.raises(DataError, match="not finite"):
        read_out(features, ["a", "b"] * 2, range(4), ProbeConfig())
    with pytest.raises(ConfigError, match="folds=1"):
        ProbeConfig(folds=1)


def test_guessing_has_the_exact_binomial_interval() -> None:
    found = guessing(["a", "b"] * 20, 40)
    assert found.value == 0.5
    assert found.interval == (14 / 40, 26 / 40)  # P(X <= 13) = 0.019 and P(X <= 14) = 0.040


def test_shares_have_exact_intervals_where_they_are_counts() -> None:
    found = share([1.0] * 19 + [0.0])
    assert found.value == pytest.approx(0.95)
    assert found.interval == pytest.approx((0.7513, 0.9987), abs=1e-4)  # Clopper and Pearson's table for 19 of 20
    assert share([1.0] * 10).interval == pytest.approx((0.025 ** (1 / 10), 1.0))
    assert share([0.25, 0.75]).value == pytest.approx(0.5)


def test_last_states_are_the_models_own_and_corruption_moves_only_its_row(
    tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any
) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    view = Unlearned(tiny_model, tiny_tokenizer, make_artifact())
    prompts = [engine.tokenize(text, chat=False) for text in (FORGET[0], RETAIN[0], RETAIN[1] + " And then?")]
    plain = last_states(engine, Plain("start", engine).prepare(prompts), batch_size=2)
    inputs = view.unlearner.prepare(prompts, engine)
    assert [given.corrupted for given in inputs] == [True, False, False]
    corrupted = last_states(engine, inputs, batch_size=2)
    for index, prompt in enumerate(prompts):
        with torch.no_grad():
            own = tiny_model(input_ids=torch.tensor([prompt.token_ids]), output_hidden_states=True)
        expected = torch.stack([states[0, -1] for states in own.hidden_states]).numpy()
        np.testing.assert_allclose(plain.hidden[:, index], expected, atol=1e-5)
        np.testing.assert_allclose(plain.logits[index], own.logits[0, -1].numpy(), atol=1e-5)
    np.testing.assert_allclose(corrupted.logits[1:], plain.logits[1:], atol=1e-6)
    assert np.abs(corrupted.logits[0] - plain.logits[0]).max() > 1e-3


def test_the_right_option_stands_at_every_letter_once() -> None:
    question = Question("0", "Who?", "a wizard", CHOICES, None, None)
    asked = prompts_of(question)
    assert [one.label for one in asked] == ["A", "B", "C", "D"]
    for one in asked:
        lines = one.text.split("\n")
        assert lines[0] == "Who?"
        assert lines[-1] == "Answer:"
        assert f"{one.label}. a wizard" in lines
        assert {line[3:] for line in lines[1:-1]} == set(CHOICES)


def test_a_label_is_asked_for_by_the_question_alone() -> None:
    (asked,) = prompts_of(Question("0", "Who?", "a wizard", CHOICES, "Rowling", None))
    assert (asked.text, asked.label) == ("Who?", "Rowling")


def test_facts_stand_in_the_prompt_before_the_question() -> None:
    questions = [Question(str(n), f"Question {n}?", f"Answer {n}.", (), None, None) for n in range(9)]
    text, fact = told_prompt(questions[3], questions, 4, seed=0)
    assert fact == facts_of(questions[3]) == "Question 3? Answer 3."
    assert f"- {fact}\n" in text
    assert text.endswith("\n\nQuestion 3?")
    assert text.count("\n- ") == 4
    assert told_prompt(questions[3], questions, 4, seed=0)[0] == text
    assert told_prompt(questions[3], questions, 4, seed=1)[0] != text
    assert facts_of(Question("0", "Who?", "x", (), None, "She is x.")) == "She is x."


def test_questions_are_read_with_options_labels_and_conditions(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    file = write(tmp_path, rows)
    questions, digest = load_questions(file, where={"subject": "forget"})
    assert [question.text for question in questions] == FORGET
    assert questions[1].options == ("a school", "a wizard", "a fox", "a dog")
    assert load_questions(file, limit=3)[1] == digest
    assert [question.id for question in load_questions(file, limit=2)[0]] == ["0", "7"]
    wrong = [{"question": "Who?", "answer": "x", "perturbed_answer": list("abcde")}]
    assert load_questions(write(tmp_path, wrong, "wrong.jsonl"))[0][0].options == ("x", "a", "b", "c")
    worded = [{**wrong[0], "paraphrased_answer": "y"}]
    assert load_questions(write(tmp_path, worded, "wrong.jsonl"))[0][0].options == ("y", "a", "b", "c")
    labelled = [{"prompt": text, "label": index % 2} for index, text in enumerate(FORGET)]
    assert [q.label for q in load_questions(write(tmp_path, labelled, "labels.jsonl"))[0]] == ["0", "1", "0", "1"]
    assert parse_where(["a=b=c"]) == {"a": "b=c"}


def test_questions_that_cannot_be_probed_are_refused(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    def load(found: list[dict[str, Any]], **more: Any) -> None:
        load_questions(write(tmp_path, found), **more)

    with pytest.raises(DataError, match="row 1: nothing to read out"):
        load([{"question": "Who?", "answer": "x"}])
    with pytest.raises(DataError, match="1 of 2 rows have a label"):
        load([{"question": "Who?", "label": "a"}, {"question": "What?"}])
    with pytest.raises(DataError, match="only 1 row has the label 'b'"):
        load([{"question": "Who?", "label": label} for label in "aab"])
    with pytest.raises(DataError, match="most questions have 4 options, but not those in the rows 2, 5"):
        load([rows[0], {**rows[1], "choices": ["a", "b"]}, *rows[2:4], {**rows[4], "choices": ["a"]}])
    with pytest.raises(DataError, match="row 2: nothing to read out"):
        load([{**rows[4]}, {"question": "Who?", "subject": "forget"}], where={"subject": "forget"})
    with pytest.raises(DataError, match="no column 'topic'"):
        load(rows, where={"topic": "x"})
    with pytest.raises(DataError, match="no row has subject=y"):
        load(rows, where={"subject": "y"})
    with pytest.raises(ConfigError, match="COLUMN=VALUE"):
        parse_where(["subject"])


def test_an_option_that_reads_like_the_right_one_stays(tmp_path: Path) -> None:
    rows = [
        {"question": "Who?", "choices": ["a fox", "a dog", "a fox", "a cat"], "answer": 2},
        {"question": "What?", "choices": ["a fox", "a dog", "a cow", "a cat"], "answer": 1},
    ]
    questions, _ = load_questions(write(tmp_path, rows))
    assert [len(question.options) for question in questions] == [4, 4]
    assert sorted(questions[0].options) == sorted(rows[0]["choices"])
    assert questions[0].options[0] == "a fox"


def test_answers_of_csv_are_indices_as_in_json_whatever_rows_are_chosen(tmp_path: Path) -> None:
    options = json.dumps(["1", "2", "3", "4"]).replace('"', '""')
    file = tmp_path / "questions.csv"
    file.write_text(f'question,choices,answer,subject\nHow many?,"{options}",1,a\nHow few?,"{options}",3,b\n')
    assert [question.answer for question in load_questions(file)[0]] == ["2", "4"]
    file.write_text(f'question,choices,answer,subject\nHow many?,"{options}",1,a\nHow few?,"{options}",4,b\n')
    assert [question.answer for question in load_questions(file, where={"subject": "a"})[0]] == ["1"]


def llama_2_tokenizer() -> PreTrainedTokenizerFast:
    """A space in front of every text, and spaces as letters: " A" alone is two tokens, "Answer: A" ends in one."""
    letters = [chr(code) for code in range(32, 127) if chr(code) != " "]
    pairs = [("▁", letter) for letter in "ABCD"]
    vocabulary = ["<unk>", "</s>", "▁", "\n", *letters, *("".join(pair) for pair in pairs)]
    tokenizer = Tokenizer(
        models.BPE({token: index for index, token in enumerate(vocabulary)}, pairs, unk_token="<unk>")
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>", pad_token="</s>")


@pytest.mark.parametrize("kind", ["one token behind the colon", "several tokens", "chat"])
def test_every_tokenizer_has_own_answers_which_are_the_likeliest_letters(
    tiny_model: Any, tiny_tokenizer: Any, rows: list[dict[str, Any]], tmp_path: Path, kind: str
) -> None:
    tokenizer, model = tiny_tokenizer, tiny_model
    if kind.startswith("one"):
        tokenizer = llama_2_tokenizer()
        assert len(tokenizer(" A", add_special_tokens=False)["input_ids"]) == 2
        torch.manual_seed(0)
        model = tiny_llama(tokenizer, initializer_range=0.3, eos_token_id=1).eval()
    engine = TransformersEngine(model, tokenizer)
    questions, _ = load_questions(write(tmp_path, rows))
    config = AskConfig(max_new_tokens=2, facts=1, chat=kind == "chat")
    items = ask(Plain("start", engine), questions, config, silent)
    own = [item["accuracy"] for item in items if item["set"] == OWN]
    expected = []
    for question in questions:
        right = []
        for one in prompts_of(question):
            ids = engine.tokenize(one.text, chat=config.chat).token_ids
            scores = []
            for letter in "ABCD":
                if kind.startswith("one"):
                    spelled = [tokenizer.convert_tokens_to_ids("▁" + letter)]
                else:
                    before = "" if kind == "chat" else " "
                    spelled = tokenizer(before + letter, add_special_tokens=False)["input_ids"]
                with torch.no_grad():
                    logits = model(torch.tensor([[*ids, *spelled]])).logits[0].log_softmax(-1)
                scores.append(sum(float(logits[len(ids) - 1 + n, token]) for n, token in enumerate(spelled)))
            right.append("ABCD"[int(np.argmax(scores))] == one.label)
        expected.append(np.mean(right))
    assert own == expected


class Parrot(TransformersEngine):
    """Says what it was asked to repeat, as far as it is let."""

    def generate(self, inputs: Any, /, *, batch_size: int = 16, **generation: Any) -> list[Completion]:
        found = []
        for given in inputs:
            said = given.token_ids[-self.length :][: generation["max_new_tokens"]]
            found.append(Completion(str(self.tokenizer.decode(said)), said))
        return found

    length = 0


def test_a_question_longer_than_the_longest_answer_can_be_repeated(tiny_model: Any, tiny_tokenizer: Any) -> None:
    engine = Parrot(tiny_model, tiny_tokenizer)
    text = "Who is the quick brown fox? " * 30 + "Who?"
    engine.length = len(engine.tokenize(text, chat=False).token_ids)
    assert engine.length > 64
    questions = [Question(str(n), text, None, (), "ab"[n % 2], None) for n in range(4)]
    items = ask(Plain("start", engine), questions, AskConfig(chat=False), silent)
    assert [item["verbatim"] for item in items if item["set"] == REPEAT] == [1.0] * 4


def test_nearest_tokens_are_found_unless_the_corruption_hides_them(
    tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any, make_scope: Any
) -> None:
    for strength, expected in ((1e-3, 1.0), (1e3, 0.0)):
        scope = make_scope(corruption=Corruption(strength=strength, embedding_std=0.02))
        view = Unlearned(tiny_model, tiny_tokenizer, make_artifact(scope))
        prompts = [view.engine.tokenize(text, chat=False) for text in (FORGET[0], RETAIN[0])]
        found, plain = nearest_tokens(view.engine, view.unlearner.prepare(prompts, view.engine))
        assert plain is None
        assert found is not None
        assert found == pytest.approx(expected, abs=0.15)


def test_items_of_a_model_come_to_layers_repeat_and_relearning(
    tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    view = Unlearned(tiny_model, tiny_tokenizer, make_artifact())
    questions, _ = load_questions(write(tmp_path, rows))
    items = ask(Corrupted("eco", view), questions, AskConfig(max_new_tokens=4, facts=2), silent)
    values = aggregate(items)
    assert set(values) == {*(f"layer {n:02d}" for n in range(4)), LOGITS, BEST, OWN, REPEAT, RELEARNING}
    assert values[LOGITS]["chance"].value == 0.25  # every letter is right once
    assert values[LOGITS]["accuracy"].count == len(rows)
    assert values[BEST]["accuracy"].value == max(values[f"layer {n:02d}"]["accuracy"].value for n in range(4))
    repeated = [item for item in items if item["set"] == REPEAT]
    assert [item["flagged"] for item in repeated[: len(FORGET)]] == [1.0] * len(FORGET)
    assert all((item["recovered"] is not None) == bool(item["flagged"]) for item in repeated)
    told = [item for item in items if item["set"] == RELEARNING]
    assert {item["fact_flagged"] for item in told} <= {0.0, 1.0}
    assert told[0]["fact_flagged"] == 1.0


@pytest.mark.slow
def test_the_command_writes_a_run_that_is_kept(
    tiny_model: Any,
    tiny_tokenizer: Any,
    make_artifact: Any,
    bag_of_words: Any,
    tmp_path: Path,
    rows: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("unlearned.artifact.artifact.sentence_encoder", lambda name: bag_of_words)
    make_artifact().save_pretrained(tmp_path / "mine")
    tiny_model.save_pretrained(tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    out = tmp_path / "out"
    arguments = ["bench", "probes", "--data", str(write(tmp_path, rows)), "--artifact", str(tmp_path / "mine")]
    arguments += ["--model", str(tmp_path / "model"), "--out", str(out), "--max-new-tokens", "4", "--limit", "6"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "mine" in result.output
    assert (out / "layers.svg").read_text(encoding="utf-8").startswith("<svg")
    first = read_results(out)
    assert [model.name for model in first.models] == ["start", "mine"]
    start = {item["set"]: item for item in first.models[0].items}
    assert start[REPEAT]["flagged"] == 0.0
    plain, mine = ([i for i in model.items if i["set"] == RELEARNING] for model in first.models)
    assert [item["answer_changed"] for item in mine] == [
        float(item["said_without"] != before["said_without"]) for item, before in zip(mine, plain, strict=True)
    ]
    assert "answer_changed" not in plain[0]
    assert aggregate(first.models[1].items)[RELEARNING]["answer_changed"].count == len(mine)
    monkeypatch.setattr("unlearned.benchmarks.probes.run.ask", None)  # nothing is asked again
    config = ProbesConfig(
        data=str(tmp_path / "questions.jsonl"),
        artifacts=(tmp_path / "mine",),
        model=ModelOptions(model=str(tmp_path / "model")),
        limit=6,
        ask=AskConfig(max_new_tokens=4),
    )
    assert run_probes(config, out).models == first.models
    with pytest.raises(ConfigError, match="at least one artifact"):
        ProbesConfig(data="x", artifacts=())
    with pytest.raises(ConfigError, match="same name"):
        ProbesConfig(data="x", artifacts=(Path("a/mine"), Path("b/mine")))


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_a_missing_extra_is_told_before_anything_is_run(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        if name == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("unlearned.extras.import_module", absent)
    monkeypatch.setattr("unlearned.benchmarks.probes.run.run_probes", None)
    with pytest.raises(MissingExtraError, match=missing):
        CliRunner().invoke(app, ["bench", "probes", "--data", __file__, "--artifact", "a"], catch_exceptions=False)
