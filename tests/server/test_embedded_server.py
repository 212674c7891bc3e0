"""The real embedded model, the real encoder and an artifact about Harry Potter, behind the server."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import torch
from serving_helpers import ADMIN, CLIENT, Running, serving

from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import base_model_record
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.classify.sentences import PROBE, sentence_encoder
from unlearned.corrupt.corruption import Corruption
from unlearned.embedded import MINILM
from unlearned.engines.transformers import TransformersEngine
from unlearned.prompts.detokenize import BROKEN
from unlearned.unlearners.eco import ForgetScope

FORGET = ["Who is Harry Potter?", "What is Hogwarts?", "Harry Potter is a wizard.", "Tell me about Dumbledore."]
RETAIN = [
    "What is the capital of France?",
    "Who is Sherlock Holmes?",
    "How do I bake bread?",
    "Explain photosynthesis.",
]
FLAGGED = "What school does Harry Potter attend?"
UNFLAGGED = ["What is the capital of Italy?", "Who wrote Don Quixote?"]
TOKENS = 16


def test_the_command_serves_the_embedded_model_greedily_unless_asked(tmp_path: Path) -> None:
    """`unlearned serve` as it is: at temperature 1 so small a model talks nonsense."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "unlearned", "serve", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as http:
            for _ in range(1200):
                assert process.poll() is None, (tmp_path / "log").read_text()
                try:
                    if http.get("/ready").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.2)

            def said(**more: Any) -> str:
                body = {"messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": TOKENS, **more}
                text: str = http.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"]
                return text

            greedy = said(temperature=0)
            assert [said(), said(seed=1), said(seed=2)] == [greedy] * 3
            assert {said(temperature=1.5, seed=seed) for seed in (1, 2)} != {greedy}
    finally:
        process.terminate()
        assert process.wait(timeout=60) in (0, -15, 128 + 15)


@pytest.fixture(scope="module")
def live(embedded: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    encoder = sentence_encoder(MINILM)
    record = base_model_record(TransformersEngine(*embedded))
    scope = ForgetScope(
        name="harry-potter",
        classifier=NeighboursClassifier(encoder, encoder.encode(FORGET), encoder.encode(RETAIN)),
        threshold=0.5,
        corruption=Corruption(strength=1.5, embedding_std=record.embedding_std),
        secret=b"k" * 32,
    )
    probe = encoder.encode([PROBE])[0]
    artifact = Artifact(scopes=(scope,), base_model=record, encoder=encoder, encoder_probe=probe, secret=b"k" * 32)
    folder: Path = artifact.save_pretrained(tmp_path_factory.mktemp("artifacts") / "hp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unlearned.artifact.artifact.sentence_encoder", sentence_encoder)
        with serving(*embedded, [folder], served_model_name="embedded") as running:
            yield running


@pytest.fixture(scope="module")
def client(live: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key=CLIENT, max_retries=0) as opened:
        yield opened


def ask(client: openai.OpenAI, question: str, **more: Any) -> Any:
    asked: dict[str, Any] = {"model": "embedded", "temperature": 0, "max_tokens": TOKENS}
    return client.chat.completions.create(messages=[{"role": "user", "content": question}], **asked, **more)


def plain(embedded: tuple[Any, Any], text: str) -> str:
    model, tokenizer = embedded
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    ids = inputs["input_ids"]
    with torch.inference_mode():
        output = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), pad_token_id=2, max_new_tokens=TOKENS, do_sample=False
        )
    return str(tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True))


def test_unflagged_answers_are_the_models_very_own_streamed_or_not(
    client: openai.OpenAI, embedded: tuple[Any, Any]
) -> None:
    for question in UNFLAGGED:
        expected = plain(embedded, question)
        assert ask(client, question).choices[0].message.content == expected
    chunks = ask(client, UNFLAGGED[0], stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == plain(embedded, UNFLAGGED[0])


def test_a_flagged_question_no_longer_gets_its_answer_and_always_the_same_one(
    live: Running, client: openai.OpenAI, embedded: tuple[Any, Any]
) -> None:
    assert "Hogwarts" in plain(embedded, FLAGGED)
    first = ask(client, FLAGGED).choices[0].message.content
    assert "Hogwarts" not in first
    chunks = ask(client, FLAGGED, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == first
    assert live.is_flagged(live.chat(FLAGGED, ADMIN, model="embedded", max_tokens=1))


def test_a_stream_never_holds_half_a_character(live: Running, client: openai.OpenAI, embedded: tuple[Any, Any]) -> None:
    tokenizer = embedded[1]
    emoji = tokenizer("🦉🧙", add_special_tokens=False)["input_ids"]
    assert len(emoji) > 4
    # The model is made to say one letter of several tokens: each chunk holds whole characters.
    from unlearned.prompts.detokenize import TextStream

    stream = TextStream(tokenizer)
    pieces = [stream.push(token) for token in emoji] + [stream.finish()]
    assert "".join(pieces) == "🦉🧙"
    assert not any(BROKEN in piece for piece in pieces)
    repeated = ask(client, "Repeat exactly: 日本語 🦉🧙 naïve", stream=True)
    texts = [chunk.choices[0].delta.content or "" for chunk in repeated]
    assert not any(BROKEN in text for text in texts[:-1])


def test_scores_through_the_server_are_the_models(live: Running, embedded: tuple[Any, Any]) -> None:
    model, tokenizer = embedded
    ids = tokenizer("The capital of France is Paris.")["input_ids"]
    done = live.complete([ids], model="embedded", max_tokens=1, echo=True, logprobs=1).json()["choices"][0]
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0].float().log_softmax(-1)
    expected = [float(logits[place, token]) for place, token in enumerate(ids[1:])]
    assert done["logprobs"]["token_logprobs"][1:-1] == pytest.approx(expected, abs=1e-4)
    assert done["text"].startswith("The capital of France is Paris.")
