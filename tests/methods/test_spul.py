"""The soft prompt: its size, its loss, its training, and that the engine reads what was trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from method_rows import FORGET, RETAIN
from torch import Tensor

from unlearned.engines.transformers import TransformersEngine
from unlearned.envelope import RECORD, VECTORS
from unlearned.errors import (
    ArtifactError,
    ArtifactIntegrityError,
    ArtifactMismatchError,
    ArtifactVersionError,
    ConfigError,
    DataError,
)
from unlearned.methods.config import Form
from unlearned.methods.data import Encoder, Example
from unlearned.methods.spul import PromptEncoder, SpulConfig, batch_loss, cosine, train_soft_prompt
from unlearned.types import PromptInput
from unlearned.unlearners.spul import SPUL


@pytest.mark.parametrize(("width", "expected"), [(2048, 604_416), (4096, 1_192_192), (5120, 1_486_080)])
def test_the_papers_counts_of_trained_parameters(width: int, expected: int) -> None:
    """OPT-1.3B, Llama-2-7B and 13B at p = 30."""
    config = SpulConfig()
    with torch.device("meta"):
        encoder = PromptEncoder(config.tokens, width, config.hidden)
    assert config.tokens == 30
    assert sum(weight.numel() for weight in encoder.parameters()) == expected


def test_the_encoder_is_pefts() -> None:
    config = peft.PromptEncoderConfig(
        num_virtual_tokens=3, token_dim=8, encoder_hidden_size=5, num_transformer_submodules=1, num_layers=1
    )
    theirs, ours = peft.PromptEncoder(config), PromptEncoder(3, 8, 5)
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(ours(), theirs(torch.arange(3)))


def naive(model: Any, vectors: Tensor, example: Example, pad: int) -> tuple[float, float]:
    """(mean NLL with the prompt, mean divergence from the original model where a target is predicted), of one row."""
    ids = torch.tensor([[*example.prompt, *example.target]])
    embedded = torch.cat([vectors[None], model.get_input_embeddings()(ids)], dim=1)
    prompted = model(inputs_embeds=embedded).logits[0, len(vectors) :].double().log_softmax(-1)
    plain = model(input_ids=ids).logits[0].double().log_softmax(-1)
    first, count = len(example.prompt) - 1, len(example.target)
    nll = -sum(float(prompted[first + i, token]) for i, token in enumerate(example.target)) / count
    gaps = [(plain[t].exp() * (plain[t] - prompted[t])).sum() for t in range(first, first + count)]
    return nll, float(sum(gaps)) / count


@torch.no_grad()
def test_the_loss_is_the_formula_in_a_padded_batch(fresh: Any, tiny_tokenizer: Any) -> None:
    engine, encoder = TransformersEngine(fresh, tiny_tokenizer), Encoder(tiny_tokenizer, Form(), 512)
    examples = [encoder.pair(row["prompt"], row["answer"]) for row in [*FORGET[:2], *RETAIN[:3]]]
    batch = [(index < 2, example) for index, example in enumerate(examples)]
    vectors = torch.randn(4, 32, generator=torch.Generator().manual_seed(0)) * 0.1
    parts = [naive(fresh, vectors, example, 0) for example in examples]
    forget = sum(nll for nll, _ in parts[:2]) / 2
    retain = sum(nll for nll, _ in parts[2:]) / 3
    divergence = sum(gap for _, gap in parts[2:]) / 3
    assert divergence > 1e-3
    config = SpulConfig(alpha=0.7, beta=0.3)
    assert float(batch_loss(engine, vectors, batch, config)) == pytest.approx(
        forget + 0.7 * retain + 0.3 * divergence, rel=1e-5
    )
    # A side that a batch lacks is 0.
    assert float(batch_loss(engine, vectors, batch[:2], config)) == pytest.approx(forget, rel=1e-5)
    assert float(batch_loss(engine, vectors, batch[2:], config)) == pytest.approx(
        0.7 * retain + 0.3 * divergence, rel=1e-5
    )


def likelihood(engine: TransformersEngine, rows: list[dict[str, str]], answer: str | None, soft: SPUL | None) -> float:
    prompts = [engine.tokenize(row["prompt"]) for row in rows]
    inputs = soft.prepare(prompts, engine) if soft else [PromptInput(prompt.token_ids) for prompt in prompts]
    found = engine.log_likelihood(inputs, [f"{answer or row['answer']}<|end|>" for row in rows])
    return float(torch.stack([row.mean() for row in found]).mean())


def test_it_answers_forget_prompts_generically_and_leaves_the_others(
    soft: SPUL, knowing: Any, tiny_tokenizer: Any
) -> None:
    engine = TransformersEngine(knowing, tiny_tokenizer)
    assert likelihood(engine, FORGET, None, None) > -0.1
    assert likelihood(engine, FORGET, None, soft) < -0.7
    assert likelihood(engine, FORGET, "unknown", soft) > likelihood(engine, FORGET, "unknown", None) + 3.0
    assert likelihood(engine, RETAIN, None, soft) > -0.3
    assert soft.record["epoch_losses"][-1] < soft.record["epoch_losses"][0]


def test_generation_reads_the_vectors_in_front_of_the_prompt(soft: SPUL, knowing: Any, tiny_tokenizer: Any) -> None:
    """As the model itself does with embeddings: left-padded in a batch, and step by step with its cache."""
    engine = TransformersEngine(knowing, tiny_tokenizer)
    prompts = [engine.tokenize(row["prompt"]) for row in [*FORGET, *RETAIN]]
    found = engine.generate(soft.prepare(prompts, engine), max_new_tokens=8, do_sample=False)
    for prompt, answer in zip(prompts, found, strict=True):
        ids = torch.tensor([prompt.token_ids])
        with torch.no_grad():
            embedded = torch.cat([soft.vectors[None], knowing.get_input_embeddings()(ids)], dim=1)
            expected = knowing.generate(
                inputs_embeds=embedded,
                attention_mask=torch.ones(embedded.shape[:2], dtype=torch.long),
                max_new_tokens=8,
                do_sample=False,
                pad_token_id=0,
            )
        assert answer.token_ids == tuple(expected[0].tolist())


def test_training_leaves_the_model_as_it_was(fresh: Any, tiny_tokenizer: Any) -> None:
    before = {name: weight.clone() for name, weight in fresh.state_dict().items()}
    fresh.train()
    state = torch.get_rng_state()
    first = train_soft_prompt(fresh, tiny_tokenizer, FORGET, RETAIN, SpulConfig(tokens=2, epochs=1))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], weight) for name, weight in fresh.state_dict().items())
    assert all(weight.grad is None and weight.requires_grad for weight in fresh.parameters())
    assert fresh.training
    again = train_soft_prompt(fresh, tiny_tokenizer, FORGET, RETAIN, SpulConfig(tokens=2, epochs=1))
    assert torch.equal(first.vectors, again.vectors)
    other = train_soft_prompt(fresh, tiny_tokenizer, FORGET, RETAIN, SpulConfig(tokens=2, epochs=1, seed=1))
    assert not torch.equal(first.vectors, other.vectors)


def test_only_columns_with_a_target_go_through_the_head(fresh: Any, tiny_tokenizer: Any) -> None:
    engine, encoder = TransformersEngine(fresh, tiny_tokenizer), Encoder(tiny_tokenizer, Form(), 512)
    batch = [(False, encoder.pair(row["prompt"], row["answer"])) for row in RETAIN[:3]]
    widths = []
    handle = fresh.get_output_embeddings().register_forward_hook(lambda _, given, __: widths.append(given[0].shape[1]))
    try:
        batch_loss(engine, torch.zeros(4, 32), batch, SpulConfig())
    finally:
        handle.remove()
    columns = {len(item.prompt) - 1 + i for _, item in batch for i in range(len(item.target))}
    assert widths == [len(columns)] * 2
    assert len(columns) < max(map(len, (item for _, item in batch)))


def test_it_is_saved_and_loaded_as_it_was(soft: SPUL, tmp_path: Path) -> None:
    found = SPUL.from_pretrained(soft.save_pretrained(tmp_path / "soft"))
    assert torch.equal(found.vectors, soft.vectors)
    assert found.placeholder_id == soft.placeholder_id
    assert found.record["trainable_parameters"] == 4 * 32 + 32 * 16 + 16 + 16 * 16 + 16 + 16 * 32 + 32
    with pytest.raises(ArtifactError, match="exists"):
        soft.save_pretrained(tmp_path / "soft")


def test_what_was_altered_is_refused(soft: SPUL, tmp_path: Path) -> None:
    folder = soft.save_pretrained(tmp_path / "soft")
    content = bytearray((folder / VECTORS).read_bytes())
    content[-1] ^= 1
    (folder / VECTORS).write_bytes(bytes(content))
    with pytest.raises(ArtifactIntegrityError):
        SPUL.from_pretrained(folder)
    record = json.loads((folder / RECORD).read_text())
    (folder / RECORD).write_text(json.dumps({**record, "schema_version": 99}))
    with pytest.raises(ArtifactVersionError):
        SPUL.from_pretrained(folder)
    with pytest.raises(ArtifactError, match="so it is no artifact"):
        SPUL.from_pretrained(tmp_path)


def test_a_model_of_another_size_is_refused(tiny_model: Any, tiny_tokenizer: Any) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    with pytest.raises(ArtifactMismatchError, match="16 numbers, and the model's have 32"):
        SPUL(torch.zeros(3, 16), 100).prepare([engine.tokenize("Who?")], engine)


def test_mistakes_are_refused(fresh: Any, tiny_tokenizer: Any) -> None:
    with pytest.raises(DataError, match="retain rows that all have an answer"):
        train_soft_prompt(fresh, tiny_tokenizer, FORGET, ["Who?"])
    with pytest.raises(ConfigError, match="labels"):
        SpulConfig(labels=())
    with pytest.raises(ConfigError, match="tokens"):
        SpulConfig(tokens=0)


def test_the_learning_rate_rises_and_falls() -> None:
    found = [cosine(step, 10, 0.2) for step in range(10)]
    assert found[:3] == [0.5, 1.0, 1.0]
    assert found == sorted(found[:2]) + sorted(found[2:], reverse=True)
    assert found[6] == pytest.approx(0.5)
