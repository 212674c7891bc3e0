"""A real server and real clients, against `model.generate` on the same prompts, in turn and in one run."""

from __future__ import annotations

import http.client
import io
import json
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bench.serving.clients import Prompts, ask, paired, throughput
from unlearned.api import Unlearned
from unlearned.artifact.fingerprint import base_model_record
from unlearned.demo.concepts import CONCEPTS, Concept
from unlearned.learn.config import FitConfig
from unlearned.learn.fit import fit
from unlearned.progress import Progress
from unlearned.server.config import ServeConfig
from unlearned.server.record import Log
from unlearned.server.run import make_server, warm_up
from unlearned.server.service import Service
from unlearned.server.store import Sources

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def measure_serving(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    artifacts: Sequence[Path] = (),
    clients: Sequence[int] = (1, 8, 32),
    new_tokens: int = 64,
    rounds: int = 2,
    repeats: int = 3,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Throughput at each number of clients, and the time to a first token at one.

    Args:
        model: a causal language model of transformers.
        tokenizer: its fast tokenizer.
        artifacts: folders; none = one is fitted to a concept of the demo.
        clients: how many ask at once; the original model gets batches of as many prompts, made by hand.
        new_tokens: longest answer. Greedy; only tokens up to the end of an answer count.
        rounds: requests of each client in one turn.
        repeats: pairs.
        on_progress: takes phase, done, total.

    Returns:
        JSON-ready values: the machine, and one row per measure.
    """
    report = on_progress or (lambda phase, done, total: None)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folders = list(artifacts) or [fitted(model, tokenizer, Path(scratch) / "artifact")]
        prompts = Prompts()
        with _running(model, tokenizer, folders, max(clients)) as (service, port):
            for count in clients:
                name = f"throughput, {count} client{'s' if count > 1 else ''}"
                pairs = []
                for turn in range(repeats + 1):
                    report(name, turn, repeats + 1)
                    texts = prompts.next(count * rounds)
                    plain = _plain_throughput(model, tokenizer, texts, count, new_tokens)
                    pairs.append((throughput(port, texts, count, new_tokens), plain))
                rows.append(paired(name, "tokens/s", pairs[1:]))  # the first pair warms up
            pairs = []
            view = service.view
            for turn in range(4 * repeats + 1):
                report("first token", turn, 4 * repeats + 1)
                [text] = prompts.next(1)
                pairs.append((1000 * _server_first_token(port, text), 1000 * _plain_first_token(view, text)))
            rows.append(paired("first token, 1 client, against plain + one detection", "ms", pairs[1:]))
            record = base_model_record(service.engine)
    return {
        "machine": f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, {sys.platform}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "model": record.id,
        "dtype": str(model.dtype),
        "new_tokens": new_tokens,
        "rows": [asdict(row) for row in rows],
    }


def fitted(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> Path:
    """An artifact about the demo's first concept, whose strength is given."""
    """An artifact about a concept of the demo, with a strength by hand, saved in the folder."""
    concept = Concept(CONCEPTS[0])
    config = FitConfig(strength=2, seed=0)
    return fit(model, tokenizer, concept.forget, concept.retain, scope=concept.name, config=config).save_pretrained(
        folder
    )


@contextmanager
def _running(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folders: Sequence[Path], most: int
) -> Iterator[tuple[Service, int]]:
    config = ServeConfig(port=0, served_model_name="bench", max_batch=most)
    service = Service(model, tokenizer, Sources(given=tuple(folders)), config, Log(io.StringIO()))
    warm_up(service)
    server = make_server(service)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield service, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@torch.inference_mode()
def _plain_throughput(
    model: Any, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], batch: int, new_tokens: int
) -> float:
    """What a user without this library writes, from texts to texts."""
    start, tokens = time.perf_counter(), 0
    for first in range(0, len(texts), batch):
        inputs = _encoded(model, tokenizer, texts[first : first + batch])
        output = model.generate(**inputs, max_new_tokens=new_tokens, do_sample=False)
        answers = output[:, inputs["input_ids"].shape[1] :]
        tokenizer.batch_decode(answers, skip_special_tokens=True)
        tokens += sum(_length(row, model) for row in answers.tolist())
    return tokens / (time.perf_counter() - start)


def _encoded(model: Any, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Any:
    chats = [[{"role": "user", "content": text}] for text in texts]
    inputs: Any = tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True,
        tokenizer_kwargs={"padding_side": "left"},
    )  # fmt: skip
    return inputs.to(model.device)


def _length(row: Sequence[int], model: Any) -> int:
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return next((place + 1 for place, token in enumerate(row) if token in ends), len(row))


def _server_first_token(port: int, text: str) -> float:
    """Seconds from the request to the first piece of text."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    start = time.perf_counter()
    ask(connection, text, stream=True, max_tokens=4)
    response = connection.getresponse()
    for line in response:
        if line.startswith(b"data: {") and json.loads(line[6:])["choices"][0]["delta"].get("content"):
            break
    seconds = time.perf_counter() - start
    response.read()
    connection.close()
    return seconds


@torch.inference_mode()
def _plain_first_token(view: Unlearned, text: str) -> float:
    model: Any = view.engine.model
    start = time.perf_counter()
    view.classify([text])
    model.generate(**_encoded(model, view.engine.tokenizer, [text]), max_new_tokens=1, do_sample=False)
    return time.perf_counter() - start
