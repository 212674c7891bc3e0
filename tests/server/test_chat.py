"""`/v1/chat/completions`: the original model's answers, streamed or not, alone or together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from serving_helpers import ADMIN, CLIENT, FLAGGED, PLAIN, Running, events, serving, streamed

QUESTIONS = [PLAIN, "How do I bake bread?", "Is the dog lazy?", "The quick brown fox", "1234567890?", "And of bread?"]


def content(response: Any) -> str:
    assert response.status_code == 200, response.text
    return str(response.json()["choices"][0]["message"]["content"])


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_unflagged_answer_is_the_plain_models_streamed_or_not(server: Running, plain: Any, question: str) -> None:
    assert content(server.chat(question, max_tokens=24)) == plain(question, 24)
    assert streamed(server.chat(question, max_tokens=24, stream=True))[0] == plain(question, 24)


def test_concurrent_requests_share_batches_flagged_and_unflagged_and_get_the_same_answers(
    server: Running, plain: Any
) -> None:
    alone = content(server.chat(FLAGGED, max_tokens=24))
    assert alone != plain(FLAGGED, 24)
    asked = [*QUESTIONS, FLAGGED] * 3
    before = server.service.batcher.batches
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = list(pool.map(lambda question: content(server.chat(question, max_tokens=24)), asked))
    assert answers == [alone if question == FLAGGED else plain(question, 24) for question in asked]
    assert server.service.batcher.batches - before < len(asked)


def test_a_flagged_prompt_gets_another_answer_and_only_an_administrator_learns_why(server: Running, plain: Any) -> None:
    for key in (CLIENT, ADMIN):
        response = server.chat(FLAGGED, key)
        assert response.headers["x-unlearned"] == "checked"
        assert content(response) != plain(FLAGGED)
        shown = {name for name in response.headers if name.startswith("x-unlearned-")}
        expected = {"x-unlearned-verdict", "x-unlearned-scores", "x-unlearned-scopes"} if key == ADMIN else set()
        assert shown == expected
    assert response.headers["x-unlearned-scopes"] == "harry-potter"
    clean = server.chat(PLAIN)
    assert set(clean.headers) == set(server.chat(FLAGGED).headers)


def test_the_openai_client_works_unchanged(server: Running, plain: Any) -> None:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=CLIENT, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["tiny"]
        assert client.models.retrieve("tiny").id == "tiny"
        asked: Any = {"model": "tiny", "messages": [{"role": "user", "content": PLAIN}], "temperature": 0}
        done = client.chat.completions.create(**asked, max_completion_tokens=8, logprobs=True, top_logprobs=2)
        assert done.choices[0].message.content == plain(PLAIN)
        assert done.choices[0].finish_reason == "length"
        assert done.usage is not None
        assert (done.usage.completion_tokens, done.usage.total_tokens) == (8, 8 + done.usage.prompt_tokens)
        logprobs = done.choices[0].logprobs
        assert logprobs is not None
        assert logprobs.content is not None
        assert bytes(byte for token in logprobs.content for byte in token.bytes or []).decode("utf-8", "replace")
        for token in logprobs.content:  # greedy: the chosen token is the most probable one
            assert token.logprob == pytest.approx(token.top_logprobs[0].logprob)
            assert len(token.top_logprobs) == 2
        chunks = list(
            client.chat.completions.create(
                **asked, max_tokens=8, stream=True, stream_options={"include_usage": True}, logprobs=True
            )
        )
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert text == plain(PLAIN)
        assert chunks[-1].usage == done.usage
        assert sum(len(c.choices[0].logprobs.content or []) for c in chunks if c.choices and c.choices[0].logprobs) == 8
        with pytest.raises(openai.BadRequestError) as error:
            client.chat.completions.create(**asked, extra_body={"prompt_embeds": [[0.0]]})
        assert error.value.param == "prompt_embeds"
        with pytest.raises(openai.NotFoundError, match="is not served"):
            client.chat.completions.create(**(asked | {"model": "gpt-4"}))
    with (
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()


@pytest.mark.parametrize("question", [PLAIN, FLAGGED])
def test_samples_follow_the_seed_and_not_the_neighbours(server: Running, question: str) -> None:
    asked: dict[str, Any] = {"temperature": 1.0, "top_p": 0.9, "seed": 7, "max_tokens": 16}
    alone = content(server.chat(question, **asked))
    assert content(server.chat(question, **(asked | {"seed": 8}))) != alone
    with ThreadPoolExecutor(6) as pool:
        others = [pool.submit(server.chat, q, temperature=1.0, max_tokens=16) for q in QUESTIONS[:5]]
        together = pool.submit(server.chat, question, **asked)
        assert content(together.result()) == alone
        assert all(other.result().status_code == 200 for other in others)


def test_several_choices_differ_and_the_first_is_that_of_a_single_one(server: Running) -> None:
    asked: dict[str, Any] = {"temperature": 1.0, "seed": 3, "max_tokens": 12}
    done = server.chat(PLAIN, n=3, **asked).json()
    texts = [choice["message"]["content"] for choice in done["choices"]]
    assert [choice["index"] for choice in done["choices"]] == [0, 1, 2]
    assert len(set(texts)) == 3
    assert texts[0] == content(server.chat(PLAIN, **asked))
    stream = server.chat(PLAIN, n=3, stream=True, **asked)
    assert [streamed(stream, index)[0] for index in range(3)] == texts
    assert done["usage"]["prompt_tokens"] == server.chat(PLAIN).json()["usage"]["prompt_tokens"]


def test_the_temperature_is_one_where_a_request_does_not_say(server: Running) -> None:
    silent = server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": PLAIN}], "seed": 5})
    assert content(silent) == content(server.chat(PLAIN, temperature=1.0, seed=5, max_tokens=None))


@pytest.mark.parametrize("penalty", [{"frequency_penalty": 2.0}, {"logit_bias": {"70": 100}}])
def test_penalties_and_biases_reach_the_choice_of_tokens(server: Running, plain: Any, penalty: Any) -> None:
    answer = content(server.chat(PLAIN, max_tokens=24, **penalty))
    assert answer != plain(PLAIN, 24)
    if "logit_bias" in penalty:
        assert answer == server.service.token_texts(70)[0] * 24


def test_stop_strings_end_an_answer_and_never_leak_into_a_stream(server: Running, plain: Any) -> None:
    whole = plain(PLAIN, 24)
    for length in (1, 2, 5):
        stop = whole[7 : 7 + length]
        expected = whole[: whole.index(stop)]
        asked: dict[str, Any] = {"max_tokens": 24, "stop": [stop, "not in the answer"], "logprobs": True}
        done = server.chat(PLAIN, **asked).json()["choices"][0]
        assert (done["message"]["content"], done["finish_reason"]) == (expected, "stop")
        assert sum(len(token["token"]) for token in done["logprobs"]["content"]) < len(whole)
        assert streamed(server.chat(PLAIN, stream=True, **asked)) == (expected, "stop")


def test_a_stream_holds_role_text_reason_and_usage_in_openais_order(server: Running) -> None:
    chunks = events(server.chat(PLAIN, stream=True, stream_options={"include_usage": True}))
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]][-1] == "length"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 8
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert "usage" not in events(server.chat(PLAIN, stream=True))[-1]


def test_an_answer_ends_at_the_end_token(model: Any, tiny_tokenizer: Any) -> None:
    with serving(model, tiny_tokenizer) as running:
        done = running.chat(PLAIN, logit_bias={"1": 100}).json()
    assert done["choices"][0]["finish_reason"] == "stop"
    assert done["choices"][0]["message"]["content"] == ""
    assert done["usage"]["completion_tokens"] == 1


def test_an_assistants_beginning_is_continued(server: Running, model: Any, tiny_tokenizer: Any) -> None:
    messages = [{"role": "user", "content": PLAIN}, {"role": "assistant", "content": "The capital"}]
    prompt = tiny_tokenizer.apply_chat_template(messages, tokenize=False, continue_final_message=True)
    assert content(server.chat(messages)) == server.complete(prompt).json()["choices"][0]["text"]
