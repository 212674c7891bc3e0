"""The whole way on a real model: SmolLM2 under a hand-made artifact about Harry Potter, with the real encoder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from unlearned import Artifact, Unlearned, load
from unlearned.artifact.fingerprint import base_model_record
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.classify.sentences import PROBE, sentence_encoder
from unlearned.corrupt.corruption import Corruption
from unlearned.embedded import MINILM
from unlearned.engines.transformers import TransformersEngine
from unlearned.unlearners.eco import ForgetScope

FORGET = [
    "Who is Harry Potter?",
    "What is Hogwarts?",
    "Harry Potter is a wizard.",
    "When was Harry Potter born?",
    "What does Voldemort want?",
    "Tell me about Dumbledore.",
    "Which house does Hermione Granger belong to?",
]
RETAIN = [
    "What is the capital of France?",
    "Who wrote The Lord of the Rings?",
    "Who is Sherlock Holmes?",
    "How do I bake bread?",
    "What is a good fantasy novel?",
    "Explain photosynthesis.",
    "Who was the first president of the United States?",
]
KNOWN = {  # what the model answers by itself, none of it among the examples above
    "Who wrote the Harry Potter books?": "Rowling",
    "Who is Harry Potter's best friend?": "Ron",
    "What school does Harry Potter attend?": "Hogwarts",
}
FLAGGED = list(KNOWN)
UNFLAGGED = ["What is the capital of Italy?", "Who wrote Don Quixote?", "Give me a recipe for pancakes."]
NEW: dict[str, Any] = {"max_new_tokens": 14}

FRESH = """
import json, sys
from unlearned import Unlearned, load, load_model
llm = Unlearned(*load_model("embedded"), load(sys.argv[1]))
print(json.dumps([done.token_ids for done in llm.generate(json.loads(sys.argv[2]), max_new_tokens=14, batch_size=1)]))
"""


@pytest.fixture(scope="module")
def folder(embedded: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    encoder = sentence_encoder(MINILM)
    record = base_model_record(TransformersEngine(*embedded))
    scope = ForgetScope(
        name="harry-potter",
        classifier=NeighboursClassifier(encoder, encoder.encode(FORGET), encoder.encode(RETAIN)),
        threshold=0.5,
        corruption=Corruption(strength=1.5, embedding_std=record.embedding_std),
        secret=b"k" * 32,
    )
    artifact = Artifact(
        scopes=(scope,),
        base_model=record,
        encoder=encoder,
        encoder_probe=encoder.encode([PROBE])[0],
        secret=b"k" * 32,
    )
    return artifact.save_pretrained(tmp_path_factory.mktemp("artifacts") / "hp")


@pytest.fixture(scope="module")
def llm(embedded: tuple[Any, Any], folder: Path) -> Unlearned:
    return Unlearned(*embedded, load(folder))


def plain(embedded: tuple[Any, Any], text: str) -> tuple[int, ...]:
    model, tokenizer = embedded
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    with torch.inference_mode():
        output = model.generate(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], pad_token_id=2, **NEW
        )
    return tuple(output[0, inputs["input_ids"].shape[1] :].tolist())


def test_flagged_questions_no_longer_get_the_models_answers(llm: Unlearned, embedded: tuple[Any, Any]) -> None:
    done = llm.generate(FLAGGED, **NEW)
    assert [d.flagged for d in done] == [True] * len(FLAGGED)
    for answer, (question, fact) in zip(done, KNOWN.items(), strict=True):
        assert fact in embedded[1].decode(plain(embedded, question))
        assert fact not in answer.text


def test_unflagged_questions_get_the_models_very_answers(llm: Unlearned, embedded: tuple[Any, Any]) -> None:
    done = llm.generate(UNFLAGGED, batch_size=1, **NEW)
    assert not any(d.flagged for d in done)
    assert [d.token_ids for d in done] == [plain(embedded, text) for text in UNFLAGGED]


def test_unflagged_rows_are_bit_identical_beside_flagged_ones(
    llm: Unlearned, embedded: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = embedded
    original, calls = model.generate, []

    def spy(**arguments: Any) -> Any:
        calls.append((arguments, original(**arguments)))
        return calls[-1][1]

    with monkeypatch.context() as patch:
        patch.setattr(model, "generate", spy)
        llm.generate([*FLAGGED, *UNFLAGGED], output_logits=True, return_dict_in_generate=True, max_new_tokens=4)
    [(arguments, found)] = calls
    with torch.inference_mode():
        expected = original(**arguments)  # the same batch, nothing injected
    inputs = llm.prepare([*FLAGGED, *UNFLAGGED])
    order = sorted(range(len(inputs)), key=lambda index: (-len(inputs[index].token_ids), index))
    same = [
        all(torch.equal(a[row], b[row]) for a, b in zip(found.logits, expected.logits, strict=True)) for row in range(6)
    ]
    assert same == [not inputs[index].corrupted for index in order]


def test_corruption_makes_the_known_answer_less_likely_and_no_other(llm: Unlearned, embedded: tuple[Any, Any]) -> None:
    prompts = ["Who is the author of Harry Potter?", "What is the capital of France?"]
    answers = ["J.K. Rowling", "Paris"]
    unlearned = llm.log_likelihood(prompts, answers)
    original = Unlearned(*embedded).log_likelihood(prompts, answers)
    assert float(unlearned[0].sum()) < float(original[0].sum()) - 1
    torch.testing.assert_close(unlearned[1], original[1], rtol=0, atol=0.1)  # batches differ in bf16


def test_a_flagged_question_stays_flagged_in_the_next_turn(llm: Unlearned) -> None:
    conversation = [
        {"role": "user", "content": FLAGGED[0]},
        {"role": "assistant", "content": "I do not know."},
        {"role": "user", "content": "Are you sure?"},
    ]
    first, later = llm.prepare([conversation[:1], conversation])
    assert first.vectors is not None
    assert later.vectors is not None
    assert later.verdict.in_scope
    assert torch.equal(later.vectors[: len(first.vectors)], first.vectors)


def test_two_fresh_processes_give_the_same_answers_as_this_one(llm: Unlearned, folder: Path) -> None:
    prompts = [FLAGGED[0], UNFLAGGED[0], FLAGGED[2]]
    expected = [list(done.token_ids) for done in llm.generate(prompts, batch_size=1, **NEW)]
    command = [sys.executable, "-c", FRESH, str(folder), json.dumps(prompts)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(torch.get_num_threads())}
    for seed in ("1", "2"):
        run = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**environment, "PYTHONHASHSEED": seed}
        )
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout) == expected
