"""A soft prompt that was trained is put in front of prompts: from Python, by `generate` and by `chat`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from method_rows import FORGET, RETAIN
from typer.testing import CliRunner

from unlearned.api import Unlearned
from unlearned.artifact.fingerprint import base_model_record
from unlearned.cli.main import app
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ArtifactError, ArtifactMismatchError, ArtifactWarning
from unlearned.types import PromptInput
from unlearned.unlearners.spul import SPUL


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, knowing: Any, tiny_tokenizer: Any, soft: SPUL) -> Path:
    folder = tmp_path_factory.mktemp("user")
    knowing.save_pretrained(folder / "model")
    tiny_tokenizer.save_pretrained(folder / "model")
    soft.save_pretrained(folder / "soft")
    rows = [{"prompt": row["prompt"]} for row in [*FORGET, *RETAIN]]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_every_prompt_is_answered_behind_the_soft_prompt(soft: SPUL, knowing: Any, tiny_tokenizer: Any) -> None:
    llm = Unlearned(knowing, tiny_tokenizer, soft)
    prompts = [row["prompt"] for row in [*FORGET, *RETAIN]]
    found = llm.generate(prompts, max_new_tokens=8, do_sample=False)
    engine = TransformersEngine(knowing, tiny_tokenizer)
    inputs = soft.prepare([engine.tokenize(prompt) for prompt in prompts], engine)
    expected = engine.generate(inputs, max_new_tokens=8, do_sample=False)
    assert [answer.token_ids for answer in found] == [answer.token_ids for answer in expected]
    assert [answer.text for answer in found] != [
        answer.text
        for answer in Unlearned(knowing, tiny_tokenizer).generate(prompts, max_new_tokens=8, do_sample=False)
    ]
    assert not any(answer.flagged for answer in found)
    [scores] = llm.log_likelihood(prompts[:1], ["unknown<|end|>"])
    assert torch.equal(scores, engine.log_likelihood(inputs[:1], ["unknown<|end|>"])[0])


def test_what_an_artifact_corrupts_stays_corrupted_behind_the_soft_prompt(
    soft: SPUL, knowing: Any, tiny_tokenizer: Any, make_artifact: Any
) -> None:
    record = base_model_record(TransformersEngine(knowing, tiny_tokenizer)).model_dump()
    artifact = make_artifact(**{key: value for key, value in record.items() if key != "embedding_std"})
    prompts = ["Who is Harry Potter?", "How do I bake bread?"]
    alone = Unlearned(knowing, tiny_tokenizer, artifact).prepare(prompts)
    both = Unlearned(knowing, tiny_tokenizer, artifact, soft).prepare(prompts)
    assert alone[0].positions is not None
    assert alone[0].vectors is not None
    assert both[0].positions is not None
    assert both[0].vectors is not None
    assert both[0].positions.tolist() == [0, 1, 2, 3, *(alone[0].positions + 4).tolist()]
    assert torch.equal(both[0].vectors, torch.cat([soft.vectors, alone[0].vectors]))
    assert both[0].verdict == alone[0].verdict
    assert alone[1].positions is None
    assert both[1].positions is not None
    assert both[1].positions.tolist() == [0, 1, 2, 3]
    # And the engine reads all of it: the same as the model's own embeddings with both put in.
    embedded = knowing.get_input_embeddings()(torch.tensor([both[0].token_ids])).clone()
    embedded[0, both[0].positions] = both[0].vectors
    engine = TransformersEngine(knowing, tiny_tokenizer)
    with torch.no_grad():
        expected = knowing(inputs_embeds=embedded).logits[0, -1]
    found = engine.next_token_scores(both[:1], range(len(expected)))[0]
    assert torch.allclose(found, expected, atol=1e-4)


def test_a_soft_prompt_of_another_model_is_refused_or_warned_about(
    soft: SPUL, knowing: Any, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    with pytest.warns(ArtifactWarning, match="Train it on this model"):
        Unlearned(tiny_model, tiny_tokenizer, soft)
    wide = {**soft.record, "base_model": {**soft.record["base_model"], "embedding_size": 64}}
    with pytest.raises(ArtifactMismatchError, match="embeddings of size 64"):
        Unlearned(knowing, tiny_tokenizer, SPUL(torch.zeros(2, 64), 100, wide))
    engine = TransformersEngine(knowing, tiny_tokenizer)
    given = PromptInput(engine.tokenize("Who?").token_ids)
    with pytest.raises(ArtifactMismatchError, match="64 numbers"):
        SPUL(torch.zeros(2, 64), 100).prepended_to([given], engine)


def test_generate_takes_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    command = ["generate", "--model", "model", "--input", "prompts.jsonl", "--max-new-tokens", "12"]
    for out, more in (("plain.jsonl", []), ("soft.jsonl", ["--artifact", "soft"])):
        done = CliRunner().invoke(app, [*command, "--out", out, *more])
        assert done.exit_code == 0, done.output
    plain, soft = (
        [json.loads(line)["answer"] for line in (place / name).read_text().splitlines()]
        for name in ("plain.jsonl", "soft.jsonl")
    )
    assert plain[: len(FORGET)] == [row["answer"] for row in FORGET]
    assert all(one != other for one, other in zip(plain[: len(FORGET)], soft[: len(FORGET)], strict=True))


def test_chat_takes_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    command = ["chat", "--model", "model", "--artifact", "soft", "--max-new-tokens", "12"]
    done = CliRunner().invoke(app, command, input="Who is Harry Potter?\n/quit\n")
    assert done.exit_code == 0, done.output
    assert "model>" in done.output
    assert "Harry Potter is a wizard." not in done.output


def test_a_folder_without_one_is_an_error_before_the_model_is_loaded(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["generate", "--model", "none", "--prompt", "Who?", "--artifact", str(tmp_path)])
    assert isinstance(done.exception, ArtifactError)
    assert "so it is no artifact" in str(done.exception)
