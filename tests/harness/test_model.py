"""The model of lm-evaluation-harness, against the harness's own on the same tasks, item by item and bit for bit."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("lm_eval")

import lm_eval
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from local_tasks import KINDS, write_tasks

from commands import run
from tiny_rows import FORGET, RETAIN
from unlearned.answers.guard import Bans
from unlearned.answers.withheld import Withheld
from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.classify.lexicon import ScopeName
from unlearned.corrupt.corruption import Corruption
from unlearned.errors import ConfigError, InjectionError
from unlearned.harness.model import UnlearnedLM
from unlearned.unlearners.instruction import Instruction

# The artifact is of another tiny model; lm-eval takes a generator's seed as it comes.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::unlearned.errors.ArtifactWarning"),
]

Samples = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> TaskManager:
    folder = write_tasks(tmp_path_factory.mktemp("tasks"))
    return TaskManager(include_path=str(folder), include_defaults=False)


@pytest.fixture
def models(tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any) -> tuple[HFLM, UnlearnedLM]:
    """The harness's own model and ours, on the same weights."""
    settings = {"tokenizer": copy.deepcopy(tiny_tokenizer), "batch_size": 3, "max_length": 128}
    return HFLM(tiny_model, **settings), UnlearnedLM(tiny_model, artifact=make_artifact(), **settings)


def samples(lm: HFLM, tasks: TaskManager, names: list[str], **options: Any) -> Samples:
    found: Samples = lm_eval.simple_evaluate(lm, tasks=names, task_manager=tasks, bootstrap_iters=0, **options)[
        "samples"
    ]
    return found


def contexts(sample: dict[str, Any]) -> list[str]:
    return [arguments[0] for arguments in sample["arguments"]]


@pytest.mark.parametrize(
    "options",
    [{}, {"num_fewshot": 1}, {"apply_chat_template": True}, {"apply_chat_template": True, "num_fewshot": 2}],
    ids=["plain", "few-shot", "chat", "chat with few-shot"],
)
def test_unflagged_requests_give_the_harness_own_numbers_bit_for_bit(
    models: tuple[HFLM, UnlearnedLM], tasks: TaskManager, options: dict[str, Any]
) -> None:
    plain, ours = (samples(lm, tasks, list(KINDS), **options) for lm in models)
    unlearned = models[1]
    for name in KINDS:
        flagged = [any(map(unlearned.contexts.flagged, contexts(sample))) for sample in ours[name]]
        same = [p["resps"] == o["resps"] for p, o in zip(plain[name], ours[name], strict=True)]
        if name == "local_text":  # all of it is continuation
            assert all(same)
            continue
        assert all(flagged[: len(FORGET)])
        assert not all(flagged)
        assert all(equal for equal, is_flagged in zip(same, flagged, strict=True) if not is_flagged)
        if name != "local_answer":  # a random model's texts can be the same
            assert not any(equal for equal, is_flagged in zip(same, flagged, strict=True) if is_flagged)
        assert [p["arguments"] for p in plain[name]] == [o["arguments"] for o in ours[name]]


@pytest.fixture(params=["rand_noise_first_n", "entity_substitution"])
def corrupted(request: pytest.FixtureRequest, make_artifact: Any, make_scope: Any) -> Artifact:
    """With noise, and with strangers that have to be turned back."""
    return make_artifact(make_scope(corruption=Corruption(function=request.param, strength=3.0, embedding_std=0.02)))


def test_flagged_continuations_score_as_the_library_scores_them(
    tiny_model: Any, tiny_tokenizer: Any, corrupted: Artifact, tasks: TaskManager
) -> None:
    lm = UnlearnedLM(tiny_model, corrupted, tokenizer=copy.deepcopy(tiny_tokenizer), batch_size=3, max_length=128)
    ours = samples(lm, tasks, ["local_choice"])["local_choice"]
    llm = Unlearned(lm.model, lm.tokenizer, corrupted)
    for sample in ours[: len(FORGET)]:
        for (context, continuation), ((score, _),) in zip(sample["arguments"], sample["resps"], strict=True):
            expected = llm.log_likelihood([context], [continuation], chat=False)[0].sum()
            assert float(score) == pytest.approx(float(expected), abs=1e-4)


def test_flagged_prompts_generate_what_the_library_generates(
    tiny_model: Any, tiny_tokenizer: Any, corrupted: Artifact, tasks: TaskManager
) -> None:
    lm = UnlearnedLM(tiny_model, corrupted, tokenizer=copy.deepcopy(tiny_tokenizer), batch_size=3, max_length=128)
    ours = samples(lm, tasks, ["local_answer"])["local_answer"]
    llm = Unlearned(lm.model, lm.tokenizer, corrupted)
    for sample in ours:
        expected = llm.generate([sample["arguments"][0][0]], chat=False, max_new_tokens=6, do_sample=False)[0].text
        assert sample["resps"][0][0] == expected.split("\n")[0]


def test_every_context_is_looked_at_once_over_requests_tasks_and_runs(
    models: tuple[HFLM, UnlearnedLM], tasks: TaskManager
) -> None:
    unlearned = models[1]
    samples(unlearned, tasks, ["local_choice"])
    assert unlearned.contexts.classified == len(FORGET) + len(RETAIN)  # and not once per choice
    samples(unlearned, tasks, ["local_choice", "local_answer"])
    assert unlearned.contexts.classified == len(FORGET) + len(RETAIN)


def test_only_messages_of_a_chat_are_checked(tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any) -> None:
    lm = UnlearnedLM(tiny_model, make_artifact(), tokenizer=copy.deepcopy(tiny_tokenizer))
    history = [{"role": "user", "content": "Who is Harry Potter?"}]
    text = lm.apply_chat_template(history)
    context = text.rstrip()
    lm.contexts.look([context])
    placed = lm.contexts.placed(context, lm.tok_encode(context))
    assert placed is not None
    assert placed.positions is not None
    corrupted = {lm.tokenizer.decode([placed.token_ids[position]]) for position in placed.positions.tolist()}
    assert {"system", "user", "You", "<|turn|>"}.isdisjoint(corrupted)
    words = "".join(lm.tokenizer.decode([placed.token_ids[position]]) for position in placed.positions.tolist())
    assert words == "Who is Harry Potter?"


def test_a_truncated_context_is_corrupted_where_the_model_reads_it(
    tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any
) -> None:
    settings = {"tokenizer": copy.deepcopy(tiny_tokenizer), "batch_size": 2, "max_length": 24}
    plain, ours = HFLM(tiny_model, **settings), UnlearnedLM(tiny_model, make_artifact(), **settings)
    filler = "The quick brown fox jumps over the lazy dog. " * 3
    pairs = [(filler + "Who is Harry Potter?", " a"), ("Who is Harry Potter? " + filler, " a")]
    expected, found = plain.loglikelihood(requests(pairs)), ours.loglikelihood(requests(pairs))
    assert found[0] != expected[0]  # the name is still there
    assert found[1] == expected[1]  # the model never reads it
    placed = ours.contexts.placed(pairs[0][0], ours.tok_encode(pairs[0][0])[-24:])
    assert placed is not None
    assert len(placed.token_ids) == 24
    assert ours.contexts.placed(pairs[0][0], ours.tok_encode(pairs[0][0])[-24:]) is placed


def test_a_context_that_is_tokenised_otherwise_is_corrupted_too(
    tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any
) -> None:
    """Cut off on the right, say, as some tokenizers truncate."""
    ours = UnlearnedLM(tiny_model, make_artifact(), tokenizer=copy.deepcopy(tiny_tokenizer))
    text = "Who is Harry Potter? How do I bake bread?"
    ids = ours.tok_encode(text)
    ours.contexts.look([text])
    placed = ours.contexts.placed(text, ids[:-4])
    assert placed is not None
    assert placed.token_ids == tuple(ids[:-4])
    whole = ours.contexts.placed(text, ids)
    assert whole is not None
    assert torch.equal(placed.positions, whole.positions)


def test_equal_rows_of_other_contexts_are_told_apart(tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any) -> None:
    """With "Who is Harry Potter" as context its tokens are corrupted; as a continuation, they are scored."""
    settings = {"tokenizer": copy.deepcopy(tiny_tokenizer), "batch_size": 4}
    plain, ours = HFLM(tiny_model, **settings), UnlearnedLM(tiny_model, make_artifact(), **settings)
    whole = "How do I bake bread? Who is Harry Potter? Harry"
    borders = [whole.index(" Who"), whole.index(" Harry P"), len("How do I bake bread? Who is Harry Potter?")]
    pairs = [(whole[:border], whole[border:]) for border in borders]
    found = ours.loglikelihood(requests(pairs))
    assert ours.contexts.flagged(pairs[2][0])
    assert not ours.contexts.flagged(pairs[0][0])
    expected = plain.loglikelihood(requests(pairs))
    assert found[:2] == expected[:2]
    assert found[2] != expected[2]
    assert found[2][0] == pytest.approx(ours.loglikelihood(requests(pairs[2:]))[0][0], abs=1e-4)


def test_without_an_artifact_it_is_the_plain_model(tiny_model: Any, tiny_tokenizer: Any, tasks: TaskManager) -> None:
    settings = {"tokenizer": copy.deepcopy(tiny_tokenizer), "batch_size": 3}
    plain, ours = HFLM(tiny_model, **settings), UnlearnedLM(tiny_model, **settings)
    names = ["local_letters", "local_answer"]
    for name, expected in samples(plain, tasks, names).items():
        assert [s["resps"] for s in samples(ours, tasks, names)[name]] == [s["resps"] for s in expected]


def test_what_stands_in_front_of_prompts_is_refused_by_name(tiny_model: Any, tiny_tokenizer: Any) -> None:
    told = Instruction(kind="prompting", text="Know nothing. ")
    with pytest.raises(ConfigError, match="leave out soft prompts and instructions"):
        UnlearnedLM(tiny_model, told, tokenizer=copy.deepcopy(tiny_tokenizer))


def test_batch_sizes_can_be_found_by_the_harness(tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any) -> None:
    settings = {"tokenizer": copy.deepcopy(tiny_tokenizer), "batch_size": "auto", "max_batch_size": 4, "max_length": 32}
    plain, ours = HFLM(tiny_model, **settings), UnlearnedLM(tiny_model, make_artifact(), **settings)
    pairs = [(RETAIN[0], " a"), (FORGET[0], " b")]
    expected, found = plain.loglikelihood(requests(pairs)), ours.loglikelihood(requests(pairs))
    assert found[0] == expected[0]
    assert found[1] != expected[1]


def test_the_model_is_found_by_its_name(
    tiny_model: Any, tiny_tokenizer: Any, tasks: TaskManager, tmp_path: Path
) -> None:
    tiny_model.save_pretrained(tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    results = lm_eval.simple_evaluate(
        "unlearned",
        {"pretrained": str(tmp_path / "model"), "device": "cpu"},
        tasks=["local_letters"],
        task_manager=tasks,
        bootstrap_iters=0,
        batch_size=2,
    )
    assert results["n-samples"]["local_letters"]["effective"] == len(FORGET) + len(RETAIN)


def test_a_call_that_nobody_checked_is_refused(models: tuple[HFLM, UnlearnedLM]) -> None:
    ids = torch.tensor([[5, 6, 7]])
    with pytest.raises(InjectionError, match="outside of a request"):
        models[1]._model_call(ids)
    with pytest.raises(InjectionError, match="not known"):
        models[1]._model_generate(ids, 5, [], attention_mask=torch.ones_like(ids))


def test_generation_settings_that_bypass_the_check_are_refused(models: tuple[HFLM, UnlearnedLM]) -> None:
    (request,) = requests([(FORGET[0], {"until": ["\n"], "max_gen_toks": 2, "guidance_scale": 2.0})])
    with pytest.raises(ConfigError, match="guidance_scale"):
        models[1].generate_until([request])


def test_answers_say_no_name_that_their_context_does_not_hold_and_others_are_the_harness_own(
    tiny_model: Any, tiny_tokenizer: Any, make_scope: Any, make_artifact: Any
) -> None:
    settings = {"tokenizer": copy.deepcopy(tiny_tokenizer), "batch_size": 3, "max_length": 128}
    options = {"until": ["\n\n"], "max_gen_toks": 40}
    asked = requests([(text, options) for text in RETAIN])
    plain = HFLM(tiny_model, **settings).generate_until(asked)
    words = [word for answer in plain for word in answer.split()[1:-1]]  # the last one may be cut at the length limit
    word = next(word for word in words if len(word) > 3 and word.isalpha())
    held = Withheld(names=(ScopeName(name=word, given=False),))
    ours = UnlearnedLM(tiny_model, artifact=make_artifact(make_scope(withheld=held)), **settings)
    found = ours.generate_until(asked)
    bans = Bans([held])
    for text, before, after in zip(RETAIN, plain, found, strict=True):
        assert not bans.unasked(text, after)
        assert (before == after) == (not bans.unasked(text, before))
    assert found != plain


def test_the_model_is_left_as_it_was(models: tuple[HFLM, UnlearnedLM], tasks: TaskManager) -> None:
    before = samples(models[0], tasks, ["local_choice"])
    samples(models[1], tasks, ["local_choice", "local_answer"])
    after = samples(models[0], tasks, ["local_choice"])
    assert [s["resps"] for s in before["local_choice"]] == [s["resps"] for s in after["local_choice"]]


def requests(pairs: list[tuple[str, Any]]) -> list[Any]:
    from lm_eval.api.instance import Instance

    return [Instance("loglikelihood", {}, pair, index) for index, pair in enumerate(pairs)]


def test_the_harness_own_command_knows_the_model(tmp_path: Path) -> None:
    """Its device is cuda unless something is said, also on a machine without one."""
    tasks = write_tasks(tmp_path)
    command = ["run", "--model", "unlearned", "--model_args", "pretrained=embedded", "--tasks", "local_letters"]
    command += ["--include_path", str(tasks), "--output_path", str(tmp_path / "out")]
    done = run(*command, cwd=tmp_path, module="unlearned.harness")
    assert done.returncode == 0, done.stderr[-2000:]
    (results,) = (tmp_path / "out").rglob("results_*.json")
    assert 0 <= json.loads(results.read_text())["results"]["local_letters"]["acc,none"] <= 1
