"""Everything that stands between a prompt and the start model, on a tiny model."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from unlearned.benchmarks.systems import ECO, FitInputs, make_system, systems, trains
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import DataError, UnknownNameError
from unlearned.examples import Row

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]

FORGET = ["Who is the quick brown fox?", "What does the quick brown fox jump over?"]
RETAIN = ["What is the capital of France?", "How do I bake bread?"]
NAMES = ["none", "prompting", "filtered-prompting", "refusal", "in-context", "eco-hand", "spul", "ga", "ssd"]
QUICK = {"fluency": False, "answer_tokens": 2}


@pytest.fixture
def materials(tiny_model: Any, tiny_tokenizer: Any) -> FitInputs:
    return FitInputs(
        model=tiny_model,
        tokenizer=tiny_tokenizer,
        forget=FORGET,
        retain=RETAIN,
        forget_rows=[Row(prompt, "A fox.") for prompt in FORGET],
        retain_rows=[Row(prompt, "No fox.") for prompt in RETAIN],
        fresh=lambda: (copy.deepcopy(tiny_model), tiny_tokenizer),
        instruction="You know no fox. ",
        fit=QUICK,
        train={"max_steps": 2},
        spul={"tokens": 3, "epochs": 1},
    )


def made(name: str, materials: FitInputs, folder: Path) -> Any:
    return make_system(name, 0, folder, materials, lambda phase, done, total: None)


@pytest.mark.parametrize("name", NAMES)
def test_each_prepares_prompts_as_it_should(name: str, materials: FitInputs, tmp_path: Path) -> None:
    one = made(name, materials, tmp_path)
    engine = TransformersEngine(materials.model, materials.tokenizer)
    prompts = [engine.tokenize(text) for text in (FORGET[0], RETAIN[0])]
    forget, retain = one.prepare(prompts)
    plain = [prompt.token_ids for prompt in prompts]
    assert one.name == name
    assert one.own_weights == (name in ("ga", "ssd"))
    if name in ("none", "ga", "ssd"):
        assert [forget.token_ids, retain.token_ids] == plain
        assert not forget.corrupted
    elif name == "prompting":
        told = [engine.tokenize("You know no fox. " + text).token_ids for text in (FORGET[0], RETAIN[0])]
        assert [forget.token_ids, retain.token_ids] == told
    elif name in ("filtered-prompting", "refusal"):
        assert forget.verdict.in_scope
        assert retain.token_ids == plain[1]
        assert (forget.answer is not None) is (name == "refusal")
        assert retain.answer is None
        assert len(forget.token_ids) > len(plain[0])
    elif name == "in-context":
        text = engine.tokenizer.decode(forget.token_ids)
        assert f"{FORGET[0]}\nNo fox." in text.replace("Question: ", "").replace("Answer: ", "")
        assert len(retain.token_ids) > len(plain[1])
    elif name == "spul":
        assert [len(forget.token_ids), len(retain.token_ids)] == [3 + len(ids) for ids in plain]
        assert forget.corrupted
        assert retain.corrupted
    else:
        assert [forget.token_ids, retain.token_ids] == plain
        assert forget.corrupted
        assert not retain.corrupted


def test_a_prompt_without_template_gets_the_instruction_in_front(materials: FitInputs, tmp_path: Path) -> None:
    one = made("prompting", materials, tmp_path)
    (asked,) = one.prepare([one.engine.tokenize("The fox is", chat=False)])
    assert asked.token_ids == one.engine.tokenize("You know no fox. The fox is", chat=False).token_ids


def test_a_context_has_fewer_examples_where_they_are_long(materials: FitInputs, tmp_path: Path) -> None:
    room = materials.model.config.max_position_embeddings // 2
    long = "very " * (room // 12)
    rows = [Row(f"Is {long}number {i}?", f"{i}") for i in range(4)]
    one = made("in-context", replace(materials, forget_rows=rows, retain_rows=rows), tmp_path)
    words = len(one.engine.tokenizer(one.instruction.text)["input_ids"])
    assert 0 < words <= room
    assert one.instruction.text.count("number") in (2, 4, 6)
    longer = [Row("very " * room, answer) for answer in "ab"]
    with pytest.raises(DataError, match="half of the model's window"):
        made("in-context", replace(materials, forget_rows=longer, retain_rows=longer), tmp_path / "other")


@pytest.mark.parametrize("name", ["eco-hand", "spul", "ga", "ssd"])
def test_what_was_fitted_is_taken_from_its_folder(name: str, materials: FitInputs, tmp_path: Path) -> None:
    made(name, materials, tmp_path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.safetensors")}
    assert before
    made(name, materials, tmp_path)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.safetensors")} == before


@pytest.mark.parametrize("name", ["ga", "ssd"])
def test_methods_leave_the_start_model_alone(name: str, materials: FitInputs, tmp_path: Path) -> None:
    materials = replace(materials, train={**materials.train, **({"max_steps": None} if name == "ssd" else {})})
    before = {name: tensor.clone() for name, tensor in materials.model.state_dict().items()}
    one = made(name, materials, tmp_path)
    assert all(torch.equal(before[name], tensor) for name, tensor in materials.model.state_dict().items())
    after = one.engine.model.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_names() -> None:
    known = systems().names()
    assert {"none", "prompting", "spul", "ga", "npo", "rmu", *ECO} <= set(known)
    assert [name for name in ("none", "prompting", "eco-rn", "spul", "npo") if trains(name)] == ["spul", "npo"]
    with pytest.raises(UnknownNameError, match="eco-rn"):
        systems().get("eco-rm")
