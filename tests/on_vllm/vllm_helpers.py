"""Servers as processes, what tests ask of them, and a small artifact made without loading a language model."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import torch

from unlearned.answers.withheld import Withheld
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import embeddings_record
from unlearned.classify.base import Features
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.classify.sentences import PROBE, sentence_encoder
from unlearned.corrupt.corruption import Corruption
from unlearned.embedded import MINILM, embedded_model_folder
from unlearned.unlearners.eco import ForgetScope
from unlearned.vllm.table import EmbeddingTable

CLIENT, ADMIN = "sk-client", "sk-admin"
PLAIN, FLAGGED = "What is the capital of France?", "What school does Harry Potter attend?"
FORGET = ["Who is Harry Potter?", "What is Hogwarts?", "Harry Potter is a wizard.", "Tell me about Dumbledore."]
RETAIN = ["Who is Sherlock Holmes?", "How do I bake bread?", "Explain photosynthesis.", PLAIN]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}

TOOLS = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--enable-scale-out")
"""Options of a server that answers every case."""

DTYPE = "float32"
"""In bfloat16 an answer may end on another word when other requests are in its batch, or on another processor."""

START_SECONDS = 420
"""A start takes 25 to 100 seconds on two cores. On busy ones plain vLLM was seen to hang; it is started again."""


def make_artifact(
    folder: Path,
    *,
    name: str = "harry-potter",
    forget: Sequence[str] = FORGET,
    strength: float = 4.0,
    function: str = "rand_noise_first_n",
    withheld: Withheld | None = None,
) -> Path:
    """An artifact for the embedded model, whose strength is given instead of learned."""
    from transformers import AutoConfig, AutoTokenizer

    model = str(embedded_model_folder())
    table = EmbeddingTable.open(model, dtype=torch.float32, config=AutoConfig.from_pretrained(model))
    record = embeddings_record(table.embed, table.rows, AutoTokenizer.from_pretrained(model), "embedded")
    encoder = sentence_encoder(MINILM)
    examples = (Features.of(texts, encoder) for texts in (forget, RETAIN))
    scope = ForgetScope(
        name=name,
        classifier=NeighboursClassifier.fit(encoder, *examples, {}),
        threshold=0.5,
        corruption=Corruption(function=function, strength=strength, embedding_std=record.embedding_std),
        secret=b"s" * 32,
        withheld=withheld,
    )
    probe = encoder.encode([PROBE])[0]
    made = Artifact(scopes=(scope,), base_model=record, encoder=encoder, encoder_probe=probe, secret=b"s" * 32)
    return made.save_pretrained(folder)


def environment() -> dict[str, str]:
    """Of every process that runs vLLM."""
    small = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    return {**os.environ, **small, "VLLM_NO_USAGE_STATS": "1"}


def run_script(kind: str, artifact: Path, questions: Sequence[str], **more: str) -> Any:
    """What `offline_script.py` answers, in a process of its own."""
    script = Path(__file__).parent / "offline_script.py"
    done = subprocess.run(
        [sys.executable, str(script), kind, str(embedded_model_folder()), str(artifact), *questions],
        capture_output=True,
        text=True,
        timeout=500,
        env=environment() | more,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(lines[-1].removeprefix("RESULT "))


def vllm_serve(*command: str) -> tuple[str, ...]:
    """The command line of a server, up to the options."""
    return *(command or ("-m", "vllm.entrypoints.cli.main")), "serve", str(embedded_model_folder())


class Server:
    """A server in a process of its own."""

    def __init__(self, command: Sequence[str], options: Sequence[str], log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = log
        settings = ["--served-model-name", "embedded", "--enforce-eager", "--dtype", DTYPE]
        settings += ["--max-model-len", "1024", "--max-num-seqs", "32", "--port", str(self.port)]
        run = [sys.executable, *command, *settings, *options]
        with log.open("ab") as out:
            # A session of its own: vLLM starts children, and all of them must end.
            self.process = subprocess.Popen(
                run, stdout=out, stderr=subprocess.STDOUT, env=environment(), start_new_session=True
            )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=120)

    def answers(self, *, log_if_not: bool) -> bool:
        """Wait until it answers; False = it hangs. An end before that is an error."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.http.get("/health").status_code == 200:
                    return True
            except httpx.TransportError:
                time.sleep(0.2)
        if log_if_not or self.process.poll() is not None:
            raise AssertionError(f"The server did not start:\n{self.log.read_text(errors='replace')[-6000:]}")
        return False

    def kill(self) -> None:
        """As `kill -9` does, children included."""
        self.http.close()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)

    def ask(self, case: tuple[str, dict[str, Any]], key: str | None = None) -> httpx.Response:
        path, body = case
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.http.post(path, json=body, headers=headers)

    def flags(self, case: tuple[str, dict[str, Any]]) -> bool:
        """Whether the prompt was flagged, as an administrator sees it."""
        response = self.ask(case, ADMIN)
        assert response.status_code == 200, response.text
        return response.headers["x-unlearned-verdict"] == "flagged"

    def lines(self) -> list[dict[str, Any]]:
        """The log's lines about requests."""
        time.sleep(0.1)
        found = [
            json.loads(line) for line in self.log.read_text(errors="replace").splitlines() if line[:7] == '{"time"'
        ]
        return [line for line in found if "route" in line]


class Servers:
    """At most one server runs; asking for another one ends it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._name = ""
        self._server: Server | None = None

    def start(self, name: str, *options: str, command: Sequence[str] | None = None) -> Server:
        if self._server is None or self._name != name:
            self.stop()
            log = self.folder / f"{name}.log"
            for last in (False, True):
                self._name, self._server = name, Server(command or vllm_serve(), options, log)
                try:
                    if self._server.answers(log_if_not=last):
                        break
                except AssertionError:
                    self.stop()
                    raise
                self.stop()
        assert self._server is not None
        return self._server

    def stop(self) -> None:
        if self._server is not None:
            self._server.kill()
        self._name, self._server = "", None


def chat(messages: str | list[Any], **more: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    body = {"model": "embedded", "messages": messages, "temperature": 0, "max_tokens": 16}
    return "/v1/chat/completions", body | more


def complete(prompt: Any, **more: Any) -> tuple[str, dict[str, Any]]:
    return "/v1/completions", {"model": "embedded", "prompt": prompt, "temperature": 0, "max_tokens": 12} | more


def _cases(question: str) -> dict[str, tuple[str, dict[str, Any]]]:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": question},
        {"role": "assistant", "content": "Let me think."},
        {"role": "user", "content": "Go on."},
    ]
    schema = {"type": "object", "properties": {"answer": {"type": "string", "maxLength": 8}}, "required": ["answer"]}
    return {
        "chat": chat(question),
        "chat, streamed": chat(question, stream=True, stream_options={"include_usage": True}),
        "chat, log-probabilities": chat(question, logprobs=True, top_logprobs=2),
        "chat, n and seed": chat(question, n=2, seed=7, temperature=0.8),
        "chat, several turns": chat(turns),
        "chat, prefill": chat(
            [*turns[:2], {"role": "assistant", "content": "The answer is"}],
            add_generation_prompt=False,
            continue_final_message=True,
        ),
        "chat, echo": chat(question, echo=True),
        "chat, prompt log-probabilities": chat(question, prompt_logprobs=1, return_token_ids=True),
        "chat, penalties": chat(question, repetition_penalty=1.3, presence_penalty=0.5),
        "chat, JSON": chat(
            question,
            response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
            max_tokens=24,
        ),
        "chat, tools": chat(question, tools=[TOOL]),
        "completions": complete(question),
        "completions, streamed": complete(question, stream=True),
        "completions, stop": complete(question, stop=["."], max_tokens=24),
        "completions, echo and log-probabilities": complete(question, echo=True, logprobs=2, max_tokens=4),
        "completions, beams": complete(question, use_beam_search=True, n=2, max_tokens=6),
        "completions, several prompts": complete([question, f"Question: {question} Answer:"]),
        "responses": (
            "/v1/responses",
            {"model": "embedded", "input": question, "max_output_tokens": 12, "temperature": 0},
        ),
        "messages": (
            "/v1/messages",
            {"model": "embedded", "messages": turns[1:2], "max_tokens": 12, "temperature": 0},
        ),
    }


CASES = {
    **{f"plain: {name}": case for name, case in _cases(PLAIN).items()},
    "plain: too long": complete("hello " * 2000),
    **{f"flagged: {name}": case for name, case in _cases(FLAGGED).items()},
}
"""The same questions to vLLM with and without the plug-in, plain ones first: both meet the same prefix cache."""

_CHANGING = {"id", "created", "created_at", "completed_at", "item_id", "response_id", "system_fingerprint"}


def normal(response: httpx.Response) -> Any:
    """Status and content of an answer, without what differs between any two."""
    if "text/event-stream" in response.headers.get("content-type", ""):
        lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
        return response.status_code, [_plain(json.loads(line)) for line in lines if line != "[DONE]"]
    return response.status_code, _plain(response.json())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if key not in _CHANGING}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def text_of(response: httpx.Response) -> str:
    """The first choice's text, streamed or not."""
    if "text/event-stream" in response.headers.get("content-type", ""):
        lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
        assert lines[-1] == "[DONE]"
        choices = [choice for line in lines[:-1] for choice in json.loads(line)["choices"] if choice["index"] == 0]
        return "".join(c["delta"].get("content") or "" if "delta" in c else c["text"] for c in choices)
    choice = response.json()["choices"][0]
    return str(choice["message"]["content"] if "message" in choice else choice["text"])
