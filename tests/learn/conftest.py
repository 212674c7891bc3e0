"""A tiny model that knows a few answers by heart, and fitting without the real sentence encoder."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from learn_rows import DEFAULT, KNOWN, fit_on_bag_of_words
from transformers import LlamaConfig, LlamaForCausalLM

from once import made_once
from tiny_tokenizer import byte_level
from unlearned.engines.transformers import TransformersEngine


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Faster on matrices this small, and always the same rounding."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def knowing_model(tiny_model: Any, tiny_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny model after it learned `KNOWN`: its answers depend on the question."""
    model = copy.deepcopy(tiny_model)
    file = made_once(
        tmp_path_factory, "knowing_model.pt", lambda path: torch.save(_learned(tiny_model, tiny_tokenizer), path)
    )
    model.load_state_dict(torch.load(file, weights_only=True))
    return model.eval()


def _learned(tiny_model: Any, tokenizer: Any) -> dict[str, torch.Tensor]:
    """Weights of a tiny model that knows `KNOWN` by heart."""
    model = copy.deepcopy(tiny_model)
    engine = TransformersEngine(model, tokenizer)
    rows, labels = [], []
    # Anything else has one default answer, so that a question the model cannot read brings it none of the known ones.
    generator = torch.Generator().manual_seed(0)
    unknown = [torch.randint(3, len(tokenizer), (n % 9 + 2,), generator=generator).tolist() for n in range(40)]
    for question, answer in [*KNOWN, *((tokenizer.decode(tokens), DEFAULT) for tokens in unknown)]:
        prompt = list(engine.tokenize(question).token_ids)
        target = [*tokenizer(answer, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        rows.append(prompt + target)
        labels.append([-100] * len(prompt) + target)
    length = max(map(len, rows))
    ids = torch.tensor([row + [0] * (length - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    wanted = torch.tensor([row + [-100] * (length - len(row)) for row in labels])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    torch.manual_seed(0)
    for _ in range(150):
        loss = model(input_ids=ids, attention_mask=mask, labels=wanted).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.set_num_threads(threads)
    assert float(loss.detach()) < 0.1
    return dict(model.state_dict())


@pytest.fixture(scope="session")
def engine(knowing_model: Any, tiny_tokenizer: Any) -> TransformersEngine:
    """Runs the knowing model."""
    return TransformersEngine(knowing_model, tiny_tokenizer)


@pytest.fixture(scope="session")
def lettered(tiny_tokenizer: Any) -> TransformersEngine:
    """Runs a random model whose tokenizer has " A" to " F" as tokens; no chat template; far from uniform logits."""
    corpus = ["x A B C D E F"] * 50 + ["Which one? Answer:"] * 10
    tokenizer = byte_level(corpus, 320, ["<pad>", "<|end|>"], end="<|end|>")
    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    return TransformersEngine(LlamaForCausalLM(config).eval(), tokenizer)


@pytest.fixture
def on_bag_of_words(monkeypatch: pytest.MonkeyPatch, bag_of_words: Any) -> list[str]:
    return fit_on_bag_of_words(monkeypatch, bag_of_words)
