"""`serve --engine vllm --on-flag refuse`: one honest sentence in place of an answer, whole, streamed, counted."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from vllm_helpers import ADMIN, FLAGGED, PLAIN, Server, Servers, chat, complete, make_artifact, text_of

SENTENCE = "I don't know who that is. Ask me about something else!"


@pytest.fixture(scope="module")
def fixed(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Of two scopes, one is answered by a sentence and one as it was fitted."""
    folder = tmp_path_factory.mktemp("fixed")
    made = make_artifact(folder / "hp")
    bread = make_artifact(folder / "bread", name="bread", forget=["How do I bake bread?", "What flour makes bread?"])
    (folder / "admin").write_text(ADMIN)
    return servers.start(
        "fixed",
        *("--unlearned", str(made), "--unlearned", str(bread)),
        *("--unlearned-on-flag=harry-potter=refuse", f"--unlearned-answer=harry-potter={SENTENCE}"),
        *("--unlearned-admin-key-file", str(folder / "admin")),
        *("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
    )


@pytest.mark.parametrize("ask", [chat, complete])
def test_the_whole_answer_and_the_stream_are_the_sentence(fixed: Server, ask: type[chat]) -> None:
    whole = fixed.ask(ask(FLAGGED, max_tokens=64), ADMIN)
    assert whole.headers["x-unlearned-verdict"] == "flagged"
    assert text_of(whole) == SENTENCE
    assert whole.json()["choices"][0]["finish_reason"] == "stop"
    spelled = fixed.ask(("/tokenize", {"model": "embedded", "prompt": SENTENCE}), ADMIN).json()["tokens"]
    assert whole.json()["usage"]["completion_tokens"] == len(spelled) + 1  # and the end token, as of the model's own
    pieces = fixed.ask(ask(FLAGGED, max_tokens=64, stream=True), ADMIN)
    assert text_of(pieces) == SENTENCE
    sampled = fixed.ask(ask(FLAGGED, max_tokens=64, n=3, temperature=1.0, seed=1), ADMIN).json()["choices"]
    assert [one["message"]["content"] if "message" in one else one["text"] for one in sampled] == [SENTENCE] * 3


def test_others_are_answered_as_ever(fixed: Server) -> None:
    assert text_of(fixed.ask(chat(PLAIN), ADMIN)) not in ("", SENTENCE)
    bread = fixed.ask(chat("How do I bake bread?"), ADMIN)
    assert bread.headers["x-unlearned-scopes"] == "bread"
    assert text_of(bread) != SENTENCE
    both = fixed.ask(complete([FLAGGED, PLAIN], max_tokens=64), ADMIN).json()["choices"]
    assert (both[0]["text"], both[1]["text"] == SENTENCE) == (SENTENCE, False)


def test_the_longest_answer_and_stops_hold_for_the_sentence_too(fixed: Server) -> None:
    cut = fixed.ask(chat(FLAGGED, max_tokens=3), ADMIN).json()
    assert (cut["choices"][0]["finish_reason"], cut["usage"]["completion_tokens"]) == ("length", 3)
    assert SENTENCE.startswith(cut["choices"][0]["message"]["content"])
    for stream in (False, True):
        stopped = fixed.ask(chat(FLAGGED, max_tokens=64, stop=["who"], stream=stream), ADMIN)
        assert text_of(stopped) == "I don't know "


def test_log_probabilities_and_scores_tell_nothing(fixed: Server) -> None:
    body = fixed.ask(chat(FLAGGED, max_tokens=64, logprobs=True, top_logprobs=2), ADMIN).json()
    content = body["choices"][0]["logprobs"]["content"]
    assert b"".join(bytes(token["bytes"]) for token in content).decode().startswith(SENTENCE)
    assert {token["logprob"] for token in content} == {0.0}
    echo = fixed.ask(complete(FLAGGED, echo=True, logprobs=1, max_tokens=64), ADMIN).json()["choices"][0]
    assert echo["text"] == FLAGGED + SENTENCE


def test_other_routes_say_the_same(fixed: Server) -> None:
    asked = {"model": "embedded", "input": FLAGGED, "temperature": 0, "max_output_tokens": 64}
    responses = fixed.ask(("/v1/responses", asked), ADMIN)
    [text] = [part["text"] for item in responses.json()["output"] for part in item["content"]]
    assert text == SENTENCE
    messages = {"model": "embedded", "max_tokens": 64, "messages": [{"role": "user", "content": FLAGGED}]}
    answer = fixed.ask(("/v1/messages", messages), ADMIN).json()
    assert "".join(part.get("text", "") for part in answer["content"]) == SENTENCE


def test_what_a_sentence_cannot_be_is_refused(fixed: Server) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    for more in ({"use_beam_search": True, "n": 2}, {"response_format": schema}):
        refused = fixed.ask(chat(FLAGGED, max_tokens=8, **more), ADMIN)
        assert refused.status_code == 400, refused.text
        assert fixed.ask(chat(PLAIN, max_tokens=8, **more), ADMIN).status_code == 200
    assert text_of(fixed.ask(chat(FLAGGED, max_tokens=64), ADMIN)) == SENTENCE  # and it goes on


def test_in_python_too(servers: Servers, tmp_path: Path) -> None:
    import subprocess

    from vllm_helpers import DTYPE, environment

    from unlearned.embedded import embedded_model_folder

    servers.stop()  # its memory
    settings = {"artifacts": [str(make_artifact(tmp_path / "hp"))], "on_flag": "refuse", "answer": [SENTENCE]}
    script = (
        "import json, sys\n"
        "from vllm import LLM, SamplingParams\n"
        "if __name__ == '__main__':\n"
        "    settings = json.loads(sys.argv[1])\n"
        f"    llm = LLM({str(embedded_model_folder())!r}, dtype={DTYPE!r}, enforce_eager=True, max_model_len=512,\n"
        "              additional_config={'unlearned': settings})\n"
        f"    asked = [[{{'role': 'user', 'content': text}}] for text in ({FLAGGED!r}, {PLAIN!r})]\n"
        "    found = llm.chat(asked, SamplingParams(temperature=0, max_tokens=64))\n"
        "    print('FOUND', json.dumps([one.outputs[0].text for one in found]))\n"
    )
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), json.dumps(settings)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=900,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    assert lines, done.stderr[-3000:]
    flagged, plain = json.loads(lines[0].removeprefix("FOUND "))
    assert flagged == SENTENCE
    assert plain not in ("", SENTENCE)
