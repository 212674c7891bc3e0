"""Soft prompts and instructions on vLLM: what stands in a prompt is read by the model and told to nobody."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from vllm_helpers import (
    ADMIN,
    CASES,
    FLAGGED,
    PLAIN,
    TOOLS,
    Server,
    Servers,
    chat,
    complete,
    make_artifact,
    normal,
    run_script,
    text_of,
)

from unlearned.answers.withheld import Withheld
from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.instruction import save_instruction
from unlearned.classify.lexicon import ScopeName
from unlearned.prompts.tokenize import chat_prompt, text_prompt
from unlearned.unlearners.instruction import Instruction
from unlearned.unlearners.spul import SPUL

WORDS = "You are a pirate and answer as pirates do. "
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Who wrote Romeo and Juliet?"},
    {"role": "assistant", "content": "Shakespeare did."},
    {"role": "user", "content": "And which school does Harry Potter attend?"},
]
PROMPTS: list[Any] = [PLAIN, FLAGGED, "How do I bake bread?", TALK]
LONG = 24
SCORING = ("chat, echo", "chat, prompt log-probabilities", "completions, echo and log-probabilities")

InForce = Callable[..., Server]


@pytest.fixture(scope="module")
def words_ids(plain_model: Any) -> tuple[int, ...]:
    return tuple(plain_model[1](WORDS, add_special_tokens=False)["input_ids"])


@pytest.fixture(scope="module")
def folders(plain_model: Any, words_ids: tuple[int, ...], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every kind of what can stand in front, and an artifact of scopes that also holds back a name in answers."""
    from unlearned.engines.transformers import TransformersEngine

    folder, engine = tmp_path_factory.mktemp("front"), TransformersEngine(*plain_model)
    rows = engine.embed(words_ids).float()
    noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(0)) * rows.std() / 2
    paris = Withheld(names=(ScopeName(name="Paris", kind="place", given=False),))
    make_artifact(folder / "hp", withheld=paris)
    detector = Artifact.from_pretrained(make_artifact(folder / "detector"))
    SPUL(rows, engine.substitute_id).save_pretrained(folder / "words")
    SPUL(rows + noise, engine.substitute_id).save_pretrained(folder / "soft")
    save_instruction(Instruction(kind="prompting", text=WORDS), folder / "told")
    filtered = Instruction(kind="filtered-prompting", text=WORDS, detector=detector.unlearner())
    save_instruction(filtered, folder / "filtered", detector=detector)
    return {name: folder / name for name in ("hp", "words", "soft", "told", "filtered")}


@pytest.fixture
def in_force(servers: Servers, folders: dict[str, Path]) -> InForce:
    """A server under exactly the artifacts that are named."""
    place = servers.folder / "front"
    place.mkdir(exist_ok=True)
    (place / "admin").write_text(ADMIN)

    def serving(*names: str) -> Server:
        options = ["--unlearned", str(folders["soft"]), "--unlearned-state", str(place / "state.json")]
        server = servers.start("front", *options, "--unlearned-admin-key-file", str(place / "admin"), *TOOLS)
        headers = {"Authorization": f"Bearer {ADMIN}"}
        for shown in server.http.get("/v1/unlearned/artifacts", headers=headers).json()["artifacts"]:
            assert server.http.delete(f"/v1/unlearned/artifacts/{shown['name']}", headers=headers).status_code == 200
        for name in names:
            path = {"path": str(folders[name])}
            put = server.http.put(f"/v1/unlearned/artifacts/{name}", json=path, headers=headers)
            assert put.status_code == 200, put.text
        return server

    return serving


@pytest.mark.parametrize("names", [["soft"], ["soft", "hp"], ["told"], ["filtered"]])
def test_answers_are_those_of_transformers_whole_and_streamed(
    in_force: InForce, folders: dict[str, Path], plain_model: Any, names: Sequence[str]
) -> None:
    server, llm = in_force(*names), Unlearned(*plain_model, [folders[name] for name in names])
    free, tokenizer = Unlearned(*plain_model), plain_model[1]
    setting = {"max_new_tokens": LONG, "do_sample": False, "batch_size": 1}
    changed = 0
    for prompt in PROMPTS:
        [own] = llm.generate([prompt], **setting)
        whole = server.ask(chat(prompt, max_tokens=LONG), ADMIN)
        assert text_of(whole) == own.text, prompt
        assert text_of(server.ask(chat(prompt, max_tokens=LONG, stream=True), ADMIN)) == own.text
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        assert whole.json()["usage"]["prompt_tokens"] == len(chat_prompt(tokenizer, messages).token_ids)
        detects = prompt in (FLAGGED, TALK) and names[-1] in ("hp", "filtered")
        assert (whole.headers["x-unlearned-verdict"] == "flagged") is detects
        changed += own.text != free.generate([prompt], **setting)[0].text
        if isinstance(prompt, str):
            [own] = llm.generate([prompt], chat=False, **setting)
            whole = server.ask(complete(prompt, max_tokens=LONG), ADMIN)
            assert text_of(whole) == own.text, prompt
            assert text_of(server.ask(complete(prompt, max_tokens=LONG, stream=True), ADMIN)) == own.text
            assert whole.json()["usage"]["prompt_tokens"] == len(text_prompt(tokenizer, prompt).token_ids)
    assert changed >= 2


def test_a_filter_leaves_unflagged_prompts_to_vllm(stock: dict[str, Any], in_force: InForce) -> None:
    server = in_force("filtered")
    for name, case in CASES.items():
        if name.startswith("plain") and not name.endswith(SCORING):
            response = server.ask(case, ADMIN)
            assert normal(response) == stock[name], name


SETTINGS: dict[str, dict[str, Any]] = {
    "log-probabilities": {"logprobs": 3},
    "n and seed": {"n": 3, "seed": 7, "temperature": 0.8},
    "beams": {"use_beam_search": True, "n": 2, "max_tokens": 6},
    "stop": {"stop": ["."], "max_tokens": 24},
    "penalties": {"presence_penalty": 0.5, "frequency_penalty": 0.5},
    "longest by far": {"max_tokens": 40, "min_tokens": 30},
}


@pytest.mark.parametrize("name", ["told", "words"])
def test_vllm_answers_as_if_it_had_been_asked_with_what_stands_in_front(
    in_force: InForce, words_ids: tuple[int, ...], name: str
) -> None:
    """Here the soft prompt is made of words as well, so that whoever sends the words gets the same answer."""
    server = in_force()
    own = server.ask(("/tokenize", {"model": "embedded", "prompt": PLAIN}), ADMIN).json()["tokens"]
    asked: Any = WORDS + PLAIN if name == "told" else [*words_ids, *own]
    expected = {key: server.ask(complete(asked, **more), ADMIN).json() for key, more in SETTINGS.items()}
    server = in_force(name)
    for key, more in SETTINGS.items():
        found = server.ask(complete(PLAIN, **more), ADMIN).json()
        assert found["choices"] == expected[key]["choices"], key
        assert found["usage"]["completion_tokens"] == expected[key]["usage"]["completion_tokens"]
        assert found["usage"]["prompt_tokens"] == len(own)


@pytest.mark.parametrize("names", [["soft"], ["soft", "hp"]])
def test_scores_of_a_prompt_are_read_behind_the_soft_prompt_without_showing_it(
    in_force: InForce, folders: dict[str, Path], plain_model: Any, names: Sequence[str]
) -> None:
    server = in_force(*names)
    ids = text_prompt(plain_model[1], PLAIN).token_ids
    soft = SPUL.from_pretrained(folders["soft"])
    rows = torch.cat([soft.vectors, plain_model[0].get_input_embeddings()(torch.tensor(ids))])
    with torch.no_grad():
        scores = plain_model[0](inputs_embeds=rows[None]).logits[0].log_softmax(-1)
    expected = [float(scores[len(soft.vectors) + place - 1, token]) for place, token in enumerate(ids)][1:]
    choice = server.ask(complete(PLAIN, echo=True, logprobs=1, max_tokens=1), ADMIN).json()["choices"][0]
    assert choice["text"].startswith(PLAIN)
    found = choice["logprobs"]["token_logprobs"]
    assert len(found) == len(ids) + 1
    assert found[0] is None
    assert found[1:-1] == pytest.approx(expected, abs=1e-3)
    told = server.ask(chat(PLAIN, prompt_logprobs=1, return_token_ids=True, max_tokens=1), ADMIN).json()
    own = chat_prompt(plain_model[1], [{"role": "user", "content": PLAIN}]).token_ids
    assert tuple(told["prompt_token_ids"]) == own
    assert [str(token) in (row or {str(token): 0}) for token, row in zip(own, told["prompt_logprobs"], strict=True)]


@pytest.mark.parametrize("name", ["told", "filtered"])
def test_under_an_instruction_no_prompt_is_scored(in_force: InForce, name: str) -> None:
    server = in_force(name)
    for question in (PLAIN, FLAGGED):
        scored = {"echo": True, "logprobs": 1}
        for case in (
            complete(question, **scored),
            complete(question, **scored, stream=True),
            chat(question, prompt_logprobs=1),
            chat(question, echo=True),
        ):
            refused = server.ask(case, ADMIN)
            assert (refused.status_code, "cannot score prompts" in refused.text) == (400, True)
        shown = text_of(server.ask(complete(question, echo=True), ADMIN))
        assert shown == question + text_of(server.ask(complete(question), ADMIN))


@pytest.mark.parametrize("name", ["told", "soft"])
def test_a_prompt_must_fit_with_what_stands_in_front(in_force: InForce, words_ids: tuple[int, ...], name: str) -> None:
    server, added = in_force(name), len(words_ids)
    [fox] = set(server.ask(("/tokenize", {"model": "embedded", "prompt": " fox fox"}), ADMIN).json()["tokens"])
    for stream in (False, True):
        for length, more in ((1024 - added + 2, {}), (1024 - added - 4, {"max_tokens": 8})):
            refused = server.ask(complete([fox] * length, stream=stream, **{"max_tokens": 1, **more}), ADMIN)
            assert refused.status_code == 400, refused.text
            assert refused.json()["error"]["code"] == "context_length_exceeded"
            assert f"This model's context is 1024 tokens; the prompt has {length + added}" in refused.text
    open_end = complete([fox] * (1024 - added - 4), max_tokens=None, ignore_eos=True)
    left = server.ask(open_end, ADMIN).json()
    assert left["choices"][0]["finish_reason"] == "length"
    assert left["usage"]["total_tokens"] == 1024 - added
    fits = server.ask(complete([fox] * (1024 - added - 4), max_tokens=4, ignore_eos=True), ADMIN).json()["usage"]
    assert (fits["completion_tokens"], fits["total_tokens"]) == (4, 1024 - added)


def test_blocks_of_the_prefix_cache_are_those_of_one_soft_prompt(in_force: InForce) -> None:
    story = "Once upon a time there was a long story that nobody wanted to read. " * 30
    body = {"model": "embedded", "input": story + PLAIN, "max_output_tokens": 12, "temperature": 0}
    answers: dict[tuple[str, ...], str] = {}
    for turn in range(2):
        for names in ((), ("soft",), ("words",), ("told",)):
            server, told = in_force(*names), []
            for _ in range(2):
                response = server.ask(("/v1/responses", body), ADMIN).json()
                text = json.dumps(response["output"][0]["content"])
                assert answers.setdefault(names, text) == text, (names, turn)
                told.append(response["usage"])
            cached = told[1]["input_tokens_details"]["cached_tokens"]
            assert 0 < cached < told[1]["input_tokens"] == told[0]["input_tokens"]
    assert len({*answers.values()}) >= 3


def test_several_prompts_and_other_routes(in_force: InForce) -> None:
    server = in_force("soft", "hp")
    both = server.ask(complete([PLAIN, FLAGGED]), ADMIN)
    alone = [text_of(server.ask(complete(question), ADMIN)) for question in (PLAIN, FLAGGED)]
    assert [one["text"] for one in both.json()["choices"]] == alone
    expected = text_of(server.ask(chat(PLAIN, max_tokens=LONG), ADMIN))
    asked = {
        "model": "embedded",
        "max_tokens": LONG,
        "temperature": 0,
        "messages": [{"role": "user", "content": PLAIN}],
    }
    answer = server.ask(("/v1/messages", asked), ADMIN).json()
    assert "".join(part.get("text", "") for part in answer["content"]) == expected
    assert "Paris" not in expected  # held back behind a soft prompt, too
    line = server.lines()[-1]
    assert line["prompt_tokens"] == answer["usage"]["input_tokens"]


@pytest.mark.parametrize("name", ["soft", "told"])
def test_in_python_too(servers: Servers, folders: dict[str, Path], plain_model: Any, name: str) -> None:
    servers.stop()
    questions = [prompt for prompt in PROMPTS if isinstance(prompt, str)]
    expected = Unlearned(*plain_model, folders[name]).generate(
        questions, max_new_tokens=40, do_sample=False, batch_size=1
    )
    assert run_script("chats", folders[name], questions) == [answer.text for answer in expected]
