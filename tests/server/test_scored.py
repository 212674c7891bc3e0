"""What is marked as scored over `/v1/completions` is the answer's text: its scores are those of `log_likelihood`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from names_tokenizer import names_tokenizer
from serving_helpers import ADMIN, CLIENT, FLAGGED, PLAIN, Running, serving

from tiny_llama import tiny_llama
from tiny_rows import FORGET, RETAIN
from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import base_model_record
from unlearned.classify.base import Features
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.classify.sentences import PROBE
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.transformers import TransformersEngine
from unlearned.examples import Row
from unlearned.learn.naming import name_table
from unlearned.unlearners.eco import ForgetScope

PAIRS = [
    (PLAIN, " Paris."),
    (PLAIN, f" {FLAGGED}"),  # the context passes, and what is scored is in scope
    (FLAGGED, " A wizard."),
    (FLAGGED, " Harry Potter, Potter's friend. Who is Harry Potter?"),
]
FUNCTIONS = ("rand_noise_first_n", "entity_substitution")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return copy.deepcopy(names_tokenizer())


@pytest.fixture(scope="module", params=FUNCTIONS)
def view(request: Any, tokenizer: Any, bag_of_words: Any, tmp_path_factory: pytest.TempPathFactory) -> Unlearned:
    import torch

    torch.manual_seed(7)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.eos_token_id}
    model = tiny_llama(tokenizer, initializer_range=0.3, max_position_embeddings=256, **ends).eval()
    engine = TransformersEngine(model, tokenizer)
    record = base_model_record(engine)
    examples = (Features.of(texts, bag_of_words) for texts in (FORGET, RETAIN))
    substitutes = request.param == FUNCTIONS[1]
    scope = ForgetScope(
        name="harry-potter",
        classifier=NeighboursClassifier.fit(bag_of_words, *examples, {}),
        threshold=0.5,
        secret=b"s" * 32,
        corruption=Corruption(function=request.param, strength=1.0, embedding_std=record.embedding_std),
        **({"enrolled": name_table(b"s" * 32, "harry-potter", [Row(FLAGGED)], [], engine.bank)} if substitutes else {}),
    )
    probe = bag_of_words.encode([PROBE])[0]
    artifact = Artifact(scopes=(scope,), base_model=record, encoder=bag_of_words, encoder_probe=probe, secret=b"s" * 32)
    folder = artifact.save_pretrained(tmp_path_factory.mktemp("artifacts") / "hp")
    return Unlearned(model, tokenizer, folder)


@pytest.fixture(scope="module")
def server(view: Unlearned, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = view.artifacts[0].save_pretrained(tmp_path_factory.mktemp("artifacts") / "hp")
    with serving(view.engine.model, tokenizer, [folder]) as running:
        yield running


def scores(server: Running, prompt: Any, start: Any, **more: Any) -> Any:
    asked = {"echo": True, "logprobs": 1, "max_tokens": 1, "unlearned": {"scored_from": start}}
    return server.complete(prompt, more.pop("key", ADMIN), **(asked | more))


def ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("max_tokens", [0, 1])
@pytest.mark.parametrize("as_ids", [False, True])
def test_scores_over_http_are_those_of_log_likelihood(
    server: Running, view: Unlearned, tokenizer: Any, as_ids: bool, max_tokens: int
) -> None:
    contexts, texts = [pair[0] for pair in PAIRS], [pair[1] for pair in PAIRS]
    expected = view.log_likelihood(contexts, texts, chat=False)
    if as_ids:
        prompts: list[Any] = [ids(tokenizer, context) + ids(tokenizer, text) for context, text in PAIRS]
        starts = [len(ids(tokenizer, context)) for context in contexts]
    else:
        prompts, starts = [context + text for context, text in PAIRS], [len(context) for context in contexts]
    done = scores(server, prompts, starts, max_tokens=max_tokens)
    assert done.status_code == 200, done.text
    assert done.headers["x-unlearned-verdict"] == "flagged"
    assert done.json()["unlearned"] == {"scored_from": starts}
    for choice, (context, text), values in zip(done.json()["choices"], PAIRS, expected, strict=True):
        found, count = choice["logprobs"], len(ids(tokenizer, context))
        own = found["token_logprobs"][count : count + len(ids(tokenizer, text))]
        assert own == pytest.approx(values.tolist(), abs=1e-4)
        assert len(found["tokens"]) == count + len(values) + max_tokens
        assert choice["text"].startswith(context + text)
        assert "".join(found["tokens"]).startswith(context + text)
    unmarked = server.complete(prompts[1], echo=True, logprobs=1, max_tokens=0).json()["choices"][0]["logprobs"]
    count = len(ids(tokenizer, contexts[1]))
    assert abs(sum(unmarked["token_logprobs"][count:]) - float(expected[1].sum())) > 0.1  # there it is a prompt


def test_one_place_for_all_and_a_context_that_passes_is_the_plain_model_s(
    server: Running, view: Unlearned, tokenizer: Any
) -> None:
    plain = Unlearned(view.engine.model, tokenizer).log_likelihood([PLAIN], [f" {FLAGGED}"], chat=False)[0]
    done = scores(server, PLAIN + f" {FLAGGED}", len(PLAIN)).json()["choices"][0]["logprobs"]
    count = len(ids(tokenizer, PLAIN))
    assert done["token_logprobs"][count:-1] == pytest.approx(plain.tolist(), abs=1e-4)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"key": CLIENT}, 403),
        ({"key": None}, 401),
        ({"max_tokens": 2}, 400),
        ({"max_tokens": None}, 400),
        ({"n": 2}, 400),
        ({"stream": True}, 400),
        ({"echo": False}, 400),
        ({"logprobs": None}, 400),
        ({"unlearned": {"scored_from": [3, 4]}}, 400),
        ({"unlearned": {"scored_from": 0}}, 400),
        ({"unlearned": {"scored_from": len(PLAIN)}}, 400),
        ({"unlearned": {"scored_from": -1}}, 400),
        ({"unlearned": {"scored": 3}}, 400),
        ({"unlearned": {}}, 400),
        ({"prompt": "x" * 3000}, 400),
    ],
)
def test_only_administrators_mark_and_only_for_scores(server: Running, more: Any, status: int) -> None:
    body = {"prompt": PLAIN} | more
    response = scores(server, body.pop("prompt"), 5, **body)
    assert response.status_code == status, response.text
    assert "\n" not in response.json()["error"]["message"]


def test_nobody_marks_on_a_server_without_keys(view: Unlearned, tokenizer: Any) -> None:
    from unlearned.server.keys import Keys

    with serving(view.engine.model, tokenizer, keys=Keys()) as running:
        assert scores(running, PLAIN, 5, key=None).status_code == 403


@pytest.mark.parametrize("concurrent", [1, 2])
def test_lm_eval_gets_the_scores_of_the_package(
    server: Running, view: Unlearned, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, concurrent: int
) -> None:
    pytest.importorskip("lm_eval")
    pytest.importorskip("tenacity", reason="lm-eval's extra 'api' is not installed")
    from lm_eval.api.instance import Instance

    from unlearned.errors import ConfigError
    from unlearned.harness.completions import UnlearnedCompletions

    monkeypatch.setenv("OPENAI_API_KEY", ADMIN)
    tokenizer.save_pretrained(tmp_path)
    settings: dict[str, Any] = {
        "model": "tiny",
        "tokenizer": str(tmp_path),
        "base_url": f"{server.url}/v1/completions",
        "batch_size": 2,
        "num_concurrent": concurrent,
        "max_retries": 1,
        "max_length": 200,
    }
    lm = UnlearnedCompletions(**settings)
    requests = [Instance("loglikelihood", {}, pair, n) for n, pair in enumerate(PAIRS)]
    expected = view.log_likelihood([pair[0] for pair in PAIRS], [pair[1] for pair in PAIRS], chat=False)
    found = lm.loglikelihood(requests)
    assert [score for score, _ in found] == pytest.approx([float(values.sum()) for values in expected], abs=1e-3)
    with pytest.raises(ConfigError, match="leave out"):
        UnlearnedCompletions(**settings, tokenized_requests=False)


def test_a_server_that_does_not_know_the_mark_is_told_apart() -> None:
    pytest.importorskip("lm_eval")
    from unlearned.errors import ConfigError
    from unlearned.harness.completions import UnlearnedCompletions

    with pytest.raises(ConfigError, match="read the scored answers as prompts"):
        UnlearnedCompletions.parse_logprobs({"choices": []}, ctxlens=[])
