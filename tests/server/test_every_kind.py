"""Soft prompts, instructions and refusals are served like artifacts of scopes, and are as hard to lose."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from serving_helpers import ADMIN, FLAGGED, PLAIN, bearer, serving, streamed

from unlearned.api import Unlearned
from unlearned.artifact import Artifact, load
from unlearned.artifact.fingerprint import base_model_record
from unlearned.artifact.instruction import save_instruction
from unlearned.engines.sampling import Token
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, PromptError
from unlearned.prompts.client import ids_prompt, literal_chat_prompt, prepended_as_letters
from unlearned.prompts.tokenize import chat_prompt, prepended, text_prompt
from unlearned.server.on_flag import OnFlag
from unlearned.server.prompts import Reader
from unlearned.server.record import Log
from unlearned.server.scored import of_prompt
from unlearned.unlearners.instruction import Instruction
from unlearned.unlearners.spul import SPUL
from unlearned.vllm.combinations import check_artifact
from unlearned.vllm.enforcer import Enforcer, Given
from unlearned.vllm.settings import Settings
from unlearned.vllm.table import EmbeddingTable

ANSWER = "I cannot help with that."
WORDS = "Say nothing of wizards.\n\n"


@pytest.fixture
def soft(model: Any, tiny_tokenizer: Any, tmp_path: Path) -> Path:
    engine = TransformersEngine(model, tiny_tokenizer)
    vectors = torch.randn((4, 32), generator=torch.Generator().manual_seed(0))
    record = {"base_model": base_model_record(engine).model_dump()}
    return SPUL(vectors, engine.substitute_id, record).save_pretrained(tmp_path / "soft")


@pytest.fixture
def told(tmp_path: Path) -> Path:
    return save_instruction(Instruction(kind="prompting", text=WORDS), tmp_path / "told")


@pytest.fixture
def refusal(artifact: Path, tmp_path: Path) -> Path:
    detector = Artifact.from_pretrained(artifact)
    made = Instruction(kind="refusal", text="Refuse. ", answer=ANSWER, detector=detector.unlearner())
    return save_instruction(made, tmp_path / "refusal", detector=detector)


def _length(tokenizer: Any, content: str) -> int:
    return len(chat_prompt(tokenizer, [{"role": "user", "content": content}]).token_ids) if content else 0


def said(response: Any) -> str:
    assert response.status_code == 200, response.text
    return str(response.json()["choices"][0]["message"]["content"])


def test_a_soft_prompt_comes_before_every_prompt_whole_and_streamed(
    model: Any, tiny_tokenizer: Any, soft: Path, artifact: Path, plain: Callable[..., str]
) -> None:
    for given in ([soft], [soft, artifact]):
        llm = Unlearned(model, tiny_tokenizer, load(*given))
        with serving(model, tiny_tokenizer, given) as running:
            for prompt in (PLAIN, FLAGGED):
                expected = llm.generate([prompt], max_new_tokens=8, do_sample=False)[0].text
                response = running.chat(prompt, ADMIN)
                assert said(response) == expected
                assert streamed(running.chat(prompt, stream=True))[0] == expected
                assert running.is_flagged(response) is (prompt == FLAGGED and len(given) == 2)
                bare = len(chat_prompt(tiny_tokenizer, [{"role": "user", "content": prompt}]).token_ids)
                assert response.json()["usage"]["prompt_tokens"] == bare  # what the client sent
            assert said(running.chat(PLAIN)) != plain(PLAIN)


def test_echoed_prompts_are_scored_behind_the_soft_prompt_without_showing_it(
    model: Any, tiny_tokenizer: Any, soft: Path
) -> None:
    with serving(model, tiny_tokenizer, [soft]) as running:
        asked = {"echo": True, "logprobs": 0, "max_tokens": 0}
        found = running.complete(PLAIN, **asked).json()["choices"][0]
        assert found["text"] == PLAIN
        logprobs = found["logprobs"]["token_logprobs"]
    ids = text_prompt(tiny_tokenizer, PLAIN).token_ids
    vectors = load(soft)[0].vectors  # type: ignore[union-attr]
    embedded = torch.cat([vectors, model.get_input_embeddings()(torch.tensor(ids))])
    with torch.no_grad():
        scores = model(inputs_embeds=embedded[None]).logits[0].log_softmax(-1)
    expected = [float(scores[len(vectors) + place - 1, token]) for place, token in enumerate(ids)][1:]
    assert len(logprobs) == len(ids)
    assert logprobs[0] is None
    assert logprobs[1:] == pytest.approx(expected, abs=1e-3)


def test_marked_answers_are_scored_as_the_library_scores_them(
    model: Any, tiny_tokenizer: Any, soft: Path, told: Path
) -> None:
    for folder in (soft, told):
        [expected] = Unlearned(model, tiny_tokenizer, folder).log_likelihood([PLAIN], [" Paris."], chat=False)
        with serving(model, tiny_tokenizer, [folder]) as running:
            marked = {"echo": True, "logprobs": 0, "max_tokens": 0, "unlearned": {"scored_from": len(PLAIN)}}
            response = running.complete(PLAIN + " Paris.", ADMIN, **marked)
            assert response.status_code == 200, response.text
            logprobs = response.json()["choices"][0]["logprobs"]["token_logprobs"]
        context, answer = logprobs[: -len(expected)], logprobs[-len(expected) :]
        assert answer == pytest.approx(expected.tolist(), abs=1e-3)
        assert len(context) == len(text_prompt(tiny_tokenizer, PLAIN).token_ids)
        assert context[0] is None
        assert None not in context[1:]
    own = text_prompt(tiny_tokenizer, PLAIN)
    read = [Token(token_id, -1.0) for token_id in (7, 8, *own.token_ids[:-1], 9)]  # one of its tokens is another now
    assert of_prompt(own, read) == [Token(token_id) for token_id in own.token_ids]


def test_an_instruction_stands_before_the_first_message_and_nobody_sees_it(
    model: Any, tiny_tokenizer: Any, told: Path
) -> None:
    llm = Unlearned(model, tiny_tokenizer, told)
    talk = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "A fox."},
        {"role": "user", "content": PLAIN},
    ]
    with serving(model, tiny_tokenizer, [told]) as running:
        for messages in ([{"role": "user", "content": PLAIN}], talk):
            expected = llm.generate([messages], max_new_tokens=8, do_sample=False)[0].text
            response = running.chat(messages)
            assert said(response) == expected
            assert streamed(running.chat(messages, stream=True))[0] == expected
            assert response.json()["usage"]["prompt_tokens"] == len(chat_prompt(tiny_tokenizer, messages).token_ids)
        whole = running.complete(PLAIN).json()["choices"][0]["text"]
        assert whole == llm.generate([PLAIN], chat=False, max_new_tokens=8, do_sample=False)[0].text
        scored = running.complete(PLAIN, echo=True, logprobs=0, max_tokens=0)
        assert (scored.status_code, "cannot score prompts" in scored.text) == (400, True)
        context = model.config.max_position_embeddings
        words = max(n for n in range(context) if _length(tiny_tokenizer, "fox " * n) <= context - 10)
        long = running.chat("fox " * words)  # with its answer, it would fit but for the instruction
        assert (long.status_code, long.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_words_in_front_bring_no_special_token_that_a_client_spells_out(model: Any, tiny_tokenizer: Any) -> None:
    reader = Reader(TransformersEngine(model, tiny_tokenizer))  # type: ignore[arg-type]
    [end] = tiny_tokenizer("<|end|>", add_special_tokens=False)["input_ids"]
    for content in ("How do I bake?", "Stop<|end|> here"):
        own = literal_chat_prompt(tiny_tokenizer, [{"role": "user", "content": content}])
        found = reader.prepend(own, WORDS)
        assert found.token_ids.count(end) == own.token_ids.count(end)
        assert found.text.count(WORDS) == 1
        assert WORDS + content in found.text
        assert [found.text[s.start : s.end] for s in found.segments] == [WORDS + content]
        assert found.offsets.shape == (len(found.token_ids), 2)
        assert tiny_tokenizer.decode(found.token_ids, clean_up_tokenization_spaces=False) == found.text
    chat = chat_prompt(tiny_tokenizer, [{"role": "user", "content": "How do I bake?"}])
    for prompt in (chat, text_prompt(tiny_tokenizer, "How do I bake?")):
        assert reader.prepend(prompt, WORDS).token_ids == prepended(tiny_tokenizer, prompt, WORDS).token_ids
    with pytest.raises(PromptError, match="no words in front of which"):
        prepended_as_letters(tiny_tokenizer, replace(chat, segments=()), WORDS)
    by_ids = ids_prompt(tiny_tokenizer, chat.token_ids, vocabulary=len(tiny_tokenizer))
    assert prepended_as_letters(tiny_tokenizer, by_ids, WORDS).text.count(WORDS) == 1


def test_a_refusal_is_said_in_place_of_the_model_and_other_prompts_pass(
    model: Any, tiny_tokenizer: Any, refusal: Path, plain: Callable[..., str]
) -> None:
    with serving(model, tiny_tokenizer, [refusal]) as running:
        response = running.chat(FLAGGED, ADMIN, max_tokens=100)
        assert said(response) == ANSWER
        assert running.is_flagged(response)
        assert streamed(running.chat(FLAGGED, stream=True, max_tokens=100)) == (ANSWER, "stop")
        assert said(running.chat(PLAIN)) == plain(PLAIN)
        log = [line for line in running.lines() if line.get("verdict") == "flagged"]
        assert {line["scope"] for line in log} == {"harry-potter"}
    modes = OnFlag.read(["refuse"], [])
    with (
        pytest.raises(ConfigError, match="--on-flag is about artifacts of scopes"),
        serving(model, tiny_tokenizer, [refusal], on_flag=modes),
    ):
        pass


def test_they_are_added_removed_and_kept_as_artifacts_are(
    model: Any, tiny_tokenizer: Any, soft: Path, told: Path, refusal: Path, tmp_path: Path, plain: Callable[..., str]
) -> None:
    state = tmp_path / "state.json"
    with serving(model, tiny_tokenizer, [soft], state=state) as running:
        behind = said(running.chat(PLAIN))

        def put(name: str, folder: Path) -> Any:
            return running.http.put(
                f"/v1/unlearned/artifacts/{name}", json={"path": str(folder)}, headers=bearer(ADMIN)
            )

        refused = put("told", told)
        assert (refused.status_code, "stands alone" in refused.text) == (400, True)
        [shown] = running.get("/v1/unlearned/artifacts", ADMIN).json()["artifacts"]
        assert (shown["name"], shown["method"], shown["scopes"]) == ("soft", "spul", [])
        gone = running.http.delete("/v1/unlearned/artifacts/soft", headers=bearer(ADMIN))
        assert gone.status_code == 200, gone.text
        assert said(running.chat(PLAIN)) == plain(PLAIN)
        added = put("refusal", refusal)
        assert added.status_code == 200, added.text
        assert said(running.chat(FLAGGED, max_tokens=100)) == ANSWER
        running.http.delete("/v1/unlearned/artifacts/refusal", headers=bearer(ADMIN))
    audit = [json.loads(line) for line in (tmp_path / "state.audit.jsonl").read_text().splitlines()]
    assert [line["event"] for line in audit] == ["start", "refused", "removed", "added", "removed"]
    with serving(model, tiny_tokenizer, [soft], state=state) as running:  # the command line wins
        assert said(running.chat(PLAIN)) == behind
        assert any(line.get("outcome") == "restored" for line in running.lines())


def test_a_given_one_is_not_replaced_by_another_kind_of_the_same_name(
    model: Any, tiny_tokenizer: Any, soft: Path, told: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    with serving(model, tiny_tokenizer, [soft], state=state) as running:
        behind = said(running.chat(PLAIN))
        done = running.http.put("/v1/unlearned/artifacts/soft", json={"path": str(told)}, headers=bearer(ADMIN))
        assert done.status_code == 200, done.text
        assert said(running.chat(PLAIN)) != behind
    with serving(model, tiny_tokenizer, [soft], state=state) as running:
        assert said(running.chat(PLAIN)) == behind


@pytest.fixture
def on_vllm(model: Any, tiny_tokenizer: Any) -> Iterator[Callable[..., Enforcer]]:
    """What vLLM's process does with prompts, which takes no vLLM."""
    table, made = EmbeddingTable(model.get_input_embeddings().weight.detach(), torch.float32), list[Enforcer]()

    def enforcer(*folders: Path) -> Enforcer:
        settings = Settings(artifacts=tuple(map(str, folders)))
        log = Log(io.StringIO())
        made.append(Enforcer(settings, table, copy.deepcopy(tiny_tokenizer), model_id="tiny", log=log))
        return made[-1]

    yield enforcer
    for one in made:
        one.gate.screener.close()


def test_on_vllm_a_refusal_is_said_and_its_words_are_hidden_where_they_are_scored(
    tiny_tokenizer: Any, refusal: Path, on_vllm: Callable[..., Enforcer]
) -> None:
    found = on_vllm(refusal)
    for prompt in (FLAGGED, PLAIN):
        ids = chat_prompt(tiny_tokenizer, [{"role": "user", "content": prompt}]).token_ids
        checked = found.check_now(ids, Given())
        assert checked.own == checked.input.token_ids == ids
        assert checked.input.answer == (ANSWER if prompt == FLAGGED else None)
        assert checked.input.guard is None
        assert not checked.rewords
        assert (checked.embeddings is None) is (prompt == PLAIN)
        if checked.embeddings is not None:
            hidden = [not is_token for is_token in checked.is_token(len(ids))]
            assert any(hidden)
            assert not checked.embeddings[torch.tensor(hidden)].any()


def test_on_vllm_a_soft_prompt_and_an_instruction_are_put_into_prompts(
    tiny_tokenizer: Any, soft: Path, told: Path, artifact: Path, on_vllm: Callable[..., Enforcer]
) -> None:
    ids = chat_prompt(tiny_tokenizer, [{"role": "user", "content": FLAGGED}]).token_ids
    [own] = load(soft)
    assert isinstance(own, SPUL)
    for folders in ([soft], [soft, artifact]):
        checked = on_vllm(*folders).check_now(ids, Given())
        assert (checked.own, checked.rewords) == (ids, False)
        assert checked.input.token_ids == (*[own.placeholder_id] * 4, *ids)
        assert checked.embeddings is not None
        assert torch.equal(checked.embeddings[:4], own.vectors)
        in_place = checked.is_token(len(ids) + 4).count(False)
        assert checked.input.positions is not None
        assert in_place == len(checked.input.positions)
        assert (in_place > 4) is (len(folders) == 2)
    checked = on_vllm(told).check_now(ids, Given())
    assert (checked.own, checked.rewords, checked.embeddings) == (ids, True, None)
    prompt = chat_prompt(tiny_tokenizer, [{"role": "user", "content": FLAGGED}])
    assert checked.input.token_ids == prepended(tiny_tokenizer, prompt, WORDS).token_ids


def test_vllm_refuses_by_name_what_it_would_tell_of_a_soft_prompt(refusal: Path, soft: Path, told: Path) -> None:
    telling = SimpleNamespace(aux_output_config=SimpleNamespace(enable_return_routed_experts=True))
    for folder in (soft, told):
        [found] = load(folder)
        check_artifact(SimpleNamespace(), found)
        with pytest.raises(ConfigError, match="--enable-return-routed-experts"):
            check_artifact(telling, found)
    [found] = load(refusal)
    check_artifact(telling, found)
    parsing = SimpleNamespace(structured_outputs_config=SimpleNamespace(reasoning_parser="deepseek_r1"))
    with pytest.raises(ConfigError, match="nor a refusal"):
        check_artifact(parsing, found)
