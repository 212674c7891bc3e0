"""A tiny random model that answers differently to different prompts, an artifact for it on disk, and a server."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

import torch
from serving_helpers import KEYS, Running, serving
from starlette.testclient import TestClient
from transformers import LlamaForCausalLM

from tiny_llama import tiny_llama
from tiny_rows import FORGET, RETAIN
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import base_model_record
from unlearned.classify.base import Features
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.classify.sentences import PROBE
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.transformers import TransformersEngine
from unlearned.server.app import build_app
from unlearned.server.config import ServeConfig
from unlearned.server.record import Log
from unlearned.server.service import Service
from unlearned.server.store import Sources
from unlearned.unlearners.eco import ForgetScope


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that ask servers, and so take something from serving_helpers, are slow."""
    for item in items:
        if isinstance(item, pytest.Function) and {"FLAGGED", "Running", "serving"} & vars(item.module).keys():
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def model(tiny_tokenizer: Any) -> LlamaForCausalLM:
    torch.manual_seed(2)
    return tiny_llama(tiny_tokenizer, initializer_range=0.3, max_position_embeddings=512).eval()


@pytest.fixture(scope="module", autouse=True)
def encoder_on_disk(bag_of_words: Any) -> Iterator[None]:
    """Artifacts that name the bag-of-words encoder get it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unlearned.artifact.artifact.sentence_encoder", lambda name: bag_of_words)
        yield


@pytest.fixture(scope="session")
def save(model: Any, tiny_tokenizer: Any, bag_of_words: Any) -> Callable[..., Path]:
    """(folder, scope name, forget prompts) -> a saved artifact for the tiny model."""
    record = base_model_record(TransformersEngine(model, tiny_tokenizer))

    def make(folder: Path, name: str = "harry-potter", forget: list[str] = FORGET, strength: float = 4.0) -> Path:
        examples = (Features.of(texts, bag_of_words) for texts in (forget, RETAIN))
        scope = ForgetScope(
            name=name,
            classifier=NeighboursClassifier.fit(bag_of_words, *examples, {}),
            threshold=0.5,
            corruption=Corruption(strength=strength, embedding_std=record.embedding_std),
            secret=b"s" * 32,
        )
        artifact = Artifact(
            scopes=(scope,),
            base_model=record,
            encoder=bag_of_words,
            encoder_probe=bag_of_words.encode([PROBE])[0],
            secret=b"s" * 32,
        )
        return artifact.save_pretrained(folder)

    return make


@pytest.fixture(scope="session")
def artifact(save: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("artifacts") / "hp")  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def server(model: Any, tiny_tokenizer: Any, artifact: Path) -> Iterator[Running]:
    """With keys for clients and administrators, shared by all tests of a file that change nothing."""
    with serving(model, tiny_tokenizer, [artifact]) as running:
        yield running


@pytest.fixture(scope="module")
def service(model: Any, tiny_tokenizer: Any, artifact: Path) -> Iterator[Service]:
    """What a server runs, without a socket: for tests of its parts."""
    config = ServeConfig(served_model_name="tiny", keys=KEYS)
    made = Service(model, tiny_tokenizer, Sources(given=(artifact,)), config, Log(io.StringIO()))
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(service: Service) -> TestClient:
    """Asks the service in this process."""
    return TestClient(build_app(service), raise_server_exceptions=False)


@pytest.fixture(scope="session")
def plain(model: Any, tiny_tokenizer: Any) -> Callable[..., str]:
    """A conversation -> the original model's own greedy answer, one at a time."""

    def answer(messages: Any, max_new_tokens: int = 8) -> str:
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        text = tiny_tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids = tiny_tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            output = model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_new_tokens, do_sample=False
            )
        return str(tiny_tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True))

    return answer
