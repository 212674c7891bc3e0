"""`/v1/completions`: texts, token ids, batches, and what lm-eval's `local-completions` asks for."""

from __future__ import annotations

from typing import Any

import openai
import pytest
import torch
from serving_helpers import ADMIN, CLIENT, FLAGGED, PLAIN, Running, streamed


@pytest.fixture
def ids(tiny_tokenizer: Any) -> Any:
    return lambda text: tiny_tokenizer(text, add_special_tokens=False)["input_ids"]


def logprobs_of(model: Any, token_ids: list[int]) -> list[float]:
    with torch.inference_mode():
        scores = model(torch.tensor([token_ids])).logits[0].float().log_softmax(-1)
    return [float(scores[place, token]) for place, token in enumerate(token_ids[1:])]


def test_texts_and_token_ids_get_one_answer(server: Running, ids: Any) -> None:
    done = server.complete([PLAIN, FLAGGED], max_tokens=12).json()
    assert [choice["index"] for choice in done["choices"]] == [0, 1]
    by_ids = server.complete([ids(PLAIN), ids(FLAGGED)], max_tokens=12).json()
    assert [c["text"] for c in by_ids["choices"]] == [c["text"] for c in done["choices"]]
    assert done["usage"]["prompt_tokens"] == len(ids(PLAIN)) + len(ids(FLAGGED))
    assert server.complete(ids(PLAIN), max_tokens=12).json()["choices"][0]["text"] == done["choices"][0]["text"]
    assert streamed(server.complete(PLAIN, max_tokens=12, stream=True))[0] == done["choices"][0]["text"]


def test_the_answer_is_the_plain_models(server: Running, model: Any, tiny_tokenizer: Any, ids: Any) -> None:
    with torch.inference_mode():
        output = model.generate(input_ids=torch.tensor([ids(PLAIN)]), max_new_tokens=12, do_sample=False)
    expected = tiny_tokenizer.decode(output[0, len(ids(PLAIN)) :], skip_special_tokens=True)
    assert server.complete(PLAIN, max_tokens=12).json()["choices"][0]["text"] == expected


def test_scores_are_the_plain_models_as_lm_eval_reads_them(server: Running, model: Any, ids: Any) -> None:
    context, continuation = ids("What is the capital of"), ids(" France?")
    batch = [context + continuation, ids(PLAIN)]
    # What lm-eval's local-completions sends, and how it reads the answer.
    body = {"model": "tiny", "prompt": batch, "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1, "echo": True}
    done = server.post("/v1/completions", body).json()
    for choice, own in zip(done["choices"], batch, strict=True):
        found = choice["logprobs"]
        assert found["token_logprobs"][0] is None
        assert len(found["tokens"]) == len(found["text_offset"]) == len(own) + 1
        assert found["token_logprobs"][1:-1] == pytest.approx(logprobs_of(model, own), abs=1e-5)
        for logprob, top in zip(found["token_logprobs"][1:], found["top_logprobs"][1:], strict=True):
            assert max(top.values()) >= logprob
    scored = done["choices"][0]["logprobs"]["token_logprobs"][len(context) : -1]
    assert sum(scored) == pytest.approx(sum(logprobs_of(model, batch[0])[len(context) - 1 :]), abs=1e-4)


def test_scores_of_a_flagged_prompt_are_not_the_plain_models(server: Running, model: Any, ids: Any) -> None:
    found = server.complete(FLAGGED, max_tokens=0, echo=True, logprobs=3).json()["choices"][0]
    assert found["text"] == FLAGGED
    assert found["finish_reason"] == "length"
    scores, plain = found["logprobs"]["token_logprobs"][1:], logprobs_of(model, ids(FLAGGED))
    assert max(abs(a - b) for a, b in zip(scores, plain, strict=True)) > 0.1


def test_echo_repeats_the_prompt_before_the_answer_streamed_or_not(server: Running) -> None:
    answer = server.complete(PLAIN).json()["choices"][0]["text"]
    assert server.complete(PLAIN, echo=True).json()["choices"][0]["text"] == PLAIN + answer
    assert streamed(server.complete(PLAIN, echo=True, stream=True))[0] == PLAIN + answer
    assert streamed(server.complete(PLAIN, echo=True, stream=True, max_tokens=0)) == (PLAIN, "length")
    # A stop string counts in the answer, not in what is repeated.
    assert server.complete(PLAIN, echo=True, stop="capital").json()["choices"][0]["text"].startswith(PLAIN)


def test_every_prompt_of_a_batch_is_checked(server: Running) -> None:
    response = server.complete([PLAIN, "How do I bake bread?", FLAGGED], ADMIN)
    assert server.is_flagged(response)
    scores = [float(score) for score in response.headers["x-unlearned-scores"].split(",")]
    assert [score >= 0.5 for score in scores] == [False, False, True]
    line = next(line for line in reversed(server.lines()) if line["route"] == "/v1/completions")
    assert (line["verdict"], line["scope"], line["prompts_flagged"]) == ("flagged", "harry-potter", 1)


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ({"suffix": "x"}, 400),
        ({"best_of": 3}, 400),
        ({"best_of": 1}, 200),
        ({"n": 2, "best_of": 2}, 200),
        ({"max_tokens": 0}, 400),
        ({"logprobs": 21}, 400),
        ({"prompt": []}, 400),
        ({"prompt": ""}, 400),
        ({"prompt": [[]]}, 400),
        ({"prompt": [10**6]}, 400),
        ({"prompt": [-1]}, 400),
        ({"prompt": [True]}, 400),
        ({"prompt": [[1, 2], "text"]}, 400),
        ({"prompt": "\ud800"}, 400),
        ({"prompt": None}, 400),
    ],
)
def test_what_cannot_be_checked_or_answered_is_refused(server: Running, field: Any, status: int) -> None:
    import json

    body = json.dumps({"prompt": PLAIN, "max_tokens": 4} | field)
    headers = {"Authorization": f"Bearer {CLIENT}", "Content-Type": "application/json"}
    response = server.http.post("/v1/completions", content=body, headers=headers)
    assert response.status_code == status, response.text
    if status != 200:
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}
        assert "x-unlearned" not in response.headers


def test_the_openai_client_reads_completions(server: Running) -> None:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=CLIENT, max_retries=0) as client:
        done = client.completions.create(model="tiny", prompt=PLAIN, max_tokens=4, temperature=0, logprobs=2)
        assert done.choices[0].logprobs is not None
        assert len(done.choices[0].logprobs.token_logprobs or []) == 4
        chunks = client.completions.create(model="tiny", prompt=PLAIN, max_tokens=4, temperature=0, stream=True)
        assert "".join(chunk.choices[0].text for chunk in chunks) == done.choices[0].text
