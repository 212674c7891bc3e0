"""`Unlearned`: artifacts come and go, flagged prompts are corrupted, and the user's model stays what it was."""

from __future__ import annotations

import copy
import dataclasses
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tiny_llama import tiny_llama
from unlearned import Answer, Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import base_model_record
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import (
    ArtifactMismatchError,
    ArtifactWarning,
    DataError,
    DetectionError,
    PromptError,
    UnlearnedError,
    UnsupportedModelError,
)
from unlearned.types import text_only

FLAGGED, PLAIN, BREAD = "Who is Harry Potter?", "What is the capital of France?", "How do I bake bread?"
COOKING = {"name": "cooking", "forget": [BREAD, "How do I bake a cake?"], "retain": [FLAGGED, PLAIN]}
NEW: dict[str, Any] = {"max_new_tokens": 8}


@pytest.fixture(scope="module")
def model(tiny_tokenizer: Any) -> LlamaForCausalLM:
    torch.manual_seed(2)
    return tiny_llama(tiny_tokenizer, initializer_range=0.3, attention_dropout=0.3).eval()


@pytest.fixture(autouse=True)
def model_is_left_as_it_was(model: LlamaForCausalLM) -> Iterator[None]:
    def state() -> Any:
        hooks = [
            (list(module._forward_hooks), list(module._forward_pre_hooks), module.training)
            for module in model.modules()
        ]
        return hooks, copy.deepcopy(model.generation_config.to_dict()), copy.deepcopy(model.config.to_dict())

    before = state()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    yield
    assert state() == before
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


@pytest.fixture
def artifact(model: Any, tiny_tokenizer: Any, make_scope: Any, make_artifact: Any) -> Any:
    """Scopes' settings -> an artifact that was made for this very model."""
    record = base_model_record(TransformersEngine(model, tiny_tokenizer))

    def make(**scope: Any) -> Artifact:
        scope.setdefault("corruption", Corruption(strength=4.0, embedding_std=record.embedding_std))
        return make_artifact(make_scope(**scope), **record.model_dump())  # type: ignore[no-any-return]

    return make


@pytest.fixture
def llm(model: Any, tiny_tokenizer: Any, artifact: Any) -> Unlearned:
    return Unlearned(model, tiny_tokenizer, artifact())


def plain_answer(model: Any, tokenizer: Any, messages: Any, **generation: Any) -> tuple[int, ...]:
    """The model alone, as its user would call it."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    inputs = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_dict=True, return_tensors="pt", tokenize=True
    )
    inputs.pop("token_type_ids", None)
    with torch.inference_mode():
        output = model.generate(**inputs, **(NEW | generation))
    return tuple(output[0, inputs["input_ids"].shape[1] :].tolist())


# Answers


def test_flagged_prompts_get_other_answers_and_unflagged_ones_the_plain_models(
    llm: Unlearned, model: Any, tiny_tokenizer: Any
) -> None:
    flagged, plain, bread = llm.generate([FLAGGED, PLAIN, BREAD], **NEW)
    assert [flagged.flagged, plain.flagged, bread.flagged] == [True, False, False]
    assert flagged.token_ids != plain_answer(model, tiny_tokenizer, FLAGGED)
    assert plain.token_ids == plain_answer(model, tiny_tokenizer, PLAIN)
    assert bread.token_ids == plain_answer(model, tiny_tokenizer, BREAD)


def test_a_generation_says_what_was_decided_about_its_prompt(llm: Unlearned, tiny_tokenizer: Any) -> None:
    [done] = llm.generate([FLAGGED], **NEW)
    assert isinstance(done, Answer)
    assert done.text == tiny_tokenizer.decode(done.token_ids, skip_special_tokens=True)
    assert done.verdict.scope == "harry-potter"
    [span] = done.verdict.spans
    assert (span.start, span.end, span.message) == (0, len(FLAGGED), None)
    assert llm.classify([FLAGGED]) == [done.verdict]


def test_spans_are_characters_of_what_was_passed(llm: Unlearned) -> None:
    """Of a text with or without the chat template around it, and of messages by their number."""
    text = f"{PLAIN} {FLAGGED} {BREAD}"
    for chat in (None, True, False):
        [verdict] = llm.classify([text], chat=chat)
        assert [text[span.start : span.end] for span in verdict.spans] == [FLAGGED], chat
    messages = [
        {"role": "user", "content": f"  {FLAGGED}"},
        {"role": "assistant", "content": "I see."},
        {"role": "user", "content": [{"type": "text", "text": BREAD + " "}, {"type": "text", "text": FLAGGED}]},
    ]
    answer = llm.chat(messages, **NEW)
    contents = [messages[0]["content"], "I see.", f"{BREAD} {FLAGGED}"]
    found = [(span.message, contents[span.message or 0][span.start : span.end]) for span in answer.verdict.spans]
    assert found == [(0, FLAGGED), (2, FLAGGED)]
    [(place, [each])] = llm.generate_each([messages], **NEW)
    assert (place, each.verdict) == (0, answer.verdict)


def test_without_artifacts_every_prompt_passes(model: Any, tiny_tokenizer: Any) -> None:
    found = Unlearned(model, tiny_tokenizer).generate([FLAGGED, PLAIN], **NEW)
    for done, text in zip(found, [FLAGGED, PLAIN], strict=True):
        assert not done.flagged
        assert done.token_ids == plain_answer(model, tiny_tokenizer, text)


def test_the_same_words_get_the_same_answer_every_time_and_in_every_view(
    llm: Unlearned, model: Any, tiny_tokenizer: Any, artifact: Any
) -> None:
    expected = llm.generate([FLAGGED], **NEW)[0].token_ids
    again = Unlearned(model, tiny_tokenizer, artifact())
    assert llm.generate([PLAIN, FLAGGED, BREAD], **NEW)[1].token_ids == expected
    assert again.generate([FLAGGED, FLAGGED], **NEW)[1].token_ids == expected


def test_another_secret_gives_another_corruption(model: Any, tiny_tokenizer: Any, artifact: Any) -> None:
    vectors = [
        Unlearned(model, tiny_tokenizer, artifact(secret=secret)).prepare([FLAGGED])[0].vectors
        for secret in (b"s" * 32, b"t" * 32)
    ]
    assert not torch.equal(*vectors)


def test_only_the_words_of_a_flagged_prompt_are_corrupted(llm: Unlearned) -> None:
    [prompt], [tokenized] = llm.prepare([FLAGGED]), [llm.engine.tokenize(FLAGGED)]
    assert prompt.positions is not None
    assert prompt.positions.tolist() == tokenized.content_tokens().nonzero()[0].tolist()
    assert 0 < len(prompt.positions) < len(prompt.token_ids)


def test_answers_come_in_the_prompts_order_also_several_to_each(
    llm: Unlearned, model: Any, tiny_tokenizer: Any
) -> None:
    prompts = [PLAIN, FLAGGED, "fox", BREAD + " " + PLAIN]
    done = llm.generate(prompts, num_beams=3, num_return_sequences=2, batch_size=2, **NEW)
    assert [d.prompt.text for d in done] == [llm.engine.tokenize(p).text for p in prompts for _ in range(2)]
    assert [d.flagged for d in done] == [False] * 2 + [True] * 2 + [False] * 4
    assert done[0].token_ids == plain_answer(model, tiny_tokenizer, PLAIN, num_beams=3)
    assert done[0].token_ids != done[1].token_ids


def test_no_prompts_give_no_answers(llm: Unlearned) -> None:
    assert llm.generate([], **NEW) == []
    assert llm.classify([]) == []


def test_a_text_is_not_put_under_the_chat_template_if_that_is_not_wanted(
    llm: Unlearned, model: Any, tiny_tokenizer: Any
) -> None:
    [done] = llm.generate([PLAIN], chat=False, **NEW)
    assert done.prompt.text == PLAIN
    ids = tiny_tokenizer(PLAIN, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        output = model.generate(ids, attention_mask=torch.ones_like(ids), **NEW)
    assert done.token_ids == tuple(output[0, ids.shape[1] :].tolist())
    assert llm.generate([FLAGGED], chat=False, **NEW)[0].flagged


# Conversations


def test_chat_answers_one_conversation(llm: Unlearned, model: Any, tiny_tokenizer: Any) -> None:
    messages = [
        {"role": "user", "content": BREAD},
        {"role": "assistant", "content": "With an oven."},
        {"role": "user", "content": PLAIN},
    ]
    done = llm.chat(messages, **NEW)
    assert not done.flagged
    assert done.token_ids == plain_answer(model, tiny_tokenizer, messages)


def stream_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "unlearned-stream"]


def test_a_streamed_answer_is_the_whole_one_in_pieces(llm: Unlearned) -> None:
    talk = [
        {"role": "user", "content": FLAGGED},
        {"role": "assistant", "content": "Well."},
        {"role": "user", "content": "Go on."},
    ]
    for prompt in (FLAGGED, PLAIN, talk):
        pieces = list(llm.stream(prompt, max_new_tokens=24))
        [whole] = llm.generate([prompt], max_new_tokens=24, do_sample=False)
        assert "".join(pieces) == whole.text
        assert len(pieces) > 1
    text = "".join(llm.stream(FLAGGED, chat=False, max_new_tokens=24))
    assert text == llm.generate([FLAGGED], chat=False, max_new_tokens=24, do_sample=False)[0].text
    assert text != "".join(llm.stream(FLAGGED, max_new_tokens=24))
    assert stream_threads() == []


def test_a_stream_can_be_left_and_a_seed_makes_it_come_again(llm: Unlearned) -> None:
    reading = llm.stream(PLAIN, max_new_tokens=200)
    assert next(reading)
    reading.close()  # as `break` does
    assert stream_threads() == []
    sampled = ["".join(llm.stream(PLAIN, max_new_tokens=24, temperature=1.5, seed=seed)) for seed in (3, 3, 4)]
    assert sampled[0] == sampled[1] != sampled[2]


def test_nothing_is_streamed_if_the_prompt_cannot_be_checked(llm: Unlearned) -> None:
    with pytest.raises(PromptError):
        next(llm.stream([{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]))
    assert stream_threads() == []


def test_a_fixed_answer_is_streamed_too(llm: Unlearned, model: Any, tiny_tokenizer: Any) -> None:
    detector = Artifact(
        scopes=tuple(dataclasses.replace(scope, answer="I don't know.") for scope in llm.unlearner.scopes),
        base_model=None,
        encoder=llm.artifacts[0].encoder,
        encoder_probe=llm.artifacts[0].encoder_probe,
        secret=b"s" * 32,
    )
    told = Unlearned(model, tiny_tokenizer, detector)
    assert "".join(told.stream(FLAGGED)) == "I don't know."
    assert "".join(told.stream(PLAIN, max_new_tokens=8)) == "".join(llm.stream(PLAIN, max_new_tokens=8))


def test_flagged_words_stay_corrupted_in_later_turns_with_the_same_vectors(llm: Unlearned) -> None:
    first = [{"role": "user", "content": FLAGGED}]
    later = [*first, {"role": "assistant", "content": "I do not know."}, {"role": "user", "content": BREAD}]
    before, after = llm.prepare([first, later])
    assert before.positions is not None
    assert after.positions is not None
    assert before.vectors is not None
    assert after.vectors is not None
    assert before.positions.tolist() == after.positions.tolist()
    assert torch.equal(before.vectors, after.vectors)
    assert llm.chat(later, **NEW).flagged


def test_words_smuggled_in_as_a_role_are_checked_too(llm: Unlearned) -> None:
    assert llm.chat([{"role": f"user\n{FLAGGED}\n", "content": "Answer."}], **NEW).flagged


# Scores


def test_scores_of_unflagged_prompts_are_the_plain_models_and_of_flagged_ones_not(
    llm: Unlearned, model: Any, tiny_tokenizer: Any
) -> None:
    found = llm.log_likelihood([FLAGGED, PLAIN], ["He is a wizard.", "Paris."])
    expected = Unlearned(model, tiny_tokenizer).log_likelihood([FLAGGED, PLAIN], ["He is a wizard.", "Paris."])
    assert [len(scores) for scores in found] == [len(scores) for scores in expected]
    assert not torch.allclose(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


def test_forbidden_words_in_the_continuation_alone_change_nothing(
    llm: Unlearned, model: Any, tiny_tokenizer: Any
) -> None:
    [found] = llm.log_likelihood([PLAIN], [FLAGGED])
    [expected] = Unlearned(model, tiny_tokenizer).log_likelihood([PLAIN], [FLAGGED])
    assert torch.equal(found, expected)


# Artifacts come and go


def test_artifacts_can_be_added_and_removed_at_run_time(
    llm: Unlearned, model: Any, tiny_tokenizer: Any, artifact: Any
) -> None:
    cooking = artifact(**COOKING)
    prompts = [FLAGGED, PLAIN, BREAD]

    def flags() -> list[bool]:
        return [done.flagged for done in llm.generate(prompts, **NEW)]

    assert flags() == [True, False, False]
    llm.add(cooking)
    assert flags() == [True, False, True]
    assert [a.name for a in llm.artifacts] == ["harry-potter", "cooking"]
    llm.remove("harry-potter")
    assert flags() == [False, False, True]
    assert llm.generate([FLAGGED], **NEW)[0].token_ids == plain_answer(model, tiny_tokenizer, FLAGGED)
    llm.remove("cooking")
    assert flags() == [False, False, False]
    assert llm.artifacts == ()


def test_stacked_artifacts_each_corrupt_their_own_words_as_they_do_alone(
    model: Any, tiny_tokenizer: Any, artifact: Any
) -> None:
    potter, cooking = artifact(), artifact(**COOKING)
    prompt = f"{FLAGGED} {BREAD}"
    both = Unlearned(model, tiny_tokenizer, potter, cooking).prepare([prompt])[0]
    assert {span.scope for span in both.verdict.spans} == {"harry-potter", "cooking"}
    alone = [Unlearned(model, tiny_tokenizer, one).prepare([prompt])[0] for one in (potter, cooking)]
    pieces = {
        int(p): vector
        for one in alone
        for p, vector in zip(one.positions, one.vectors, strict=True)  # type: ignore[arg-type]
    }
    assert both.positions is not None
    assert both.vectors is not None
    assert both.positions.tolist() == sorted(pieces)
    assert all(torch.equal(v, pieces[int(p)]) for p, v in zip(both.positions, both.vectors, strict=True))


def test_the_order_of_artifacts_changes_no_answer(model: Any, tiny_tokenizer: Any, artifact: Any) -> None:
    potter, cooking = artifact(), artifact(**COOKING)
    prompts = [FLAGGED, BREAD, f"{BREAD} {FLAGGED}"]
    ways = [(potter, cooking), (cooking, potter), ([cooking, potter],)]
    found = [Unlearned(model, tiny_tokenizer, *way).generate(prompts, **NEW) for way in ways]
    assert len({tuple(done.token_ids for done in answers) for answers in found}) == 1
    assert all([done.verdict for done in answers] == [done.verdict for done in found[0]] for answers in found)


def test_removing_an_unknown_scope_names_the_active_ones(llm: Unlearned, model: Any, tiny_tokenizer: Any) -> None:
    with pytest.raises(UnlearnedError, match=r"No active artifact has the scope 'hp'\. Active scopes: harry-potter"):
        llm.remove("hp")
    with pytest.raises(UnlearnedError, match="Active scopes: none"):
        Unlearned(model, tiny_tokenizer).remove("hp")


def test_the_same_scope_twice_is_refused_and_all_stays_as_it_was(llm: Unlearned, artifact: Any) -> None:
    before = llm.artifacts, llm.unlearner
    with pytest.raises(UnlearnedError, match="each scope is enforced once"):
        llm.add(artifact())
    assert (llm.artifacts, llm.unlearner) == before


def test_an_artifact_for_another_embedding_size_is_refused_and_all_stays_as_it_was(
    llm: Unlearned, make_artifact: Any, make_scope: Any
) -> None:
    before = llm.artifacts, llm.unlearner
    with pytest.raises(ArtifactMismatchError, match="made for tiny with embeddings of size 64; this model's have 32"):
        llm.add(make_artifact(make_scope(**COOKING), embedding_size=64))
    assert (llm.artifacts, llm.unlearner) == before


def test_a_detector_without_a_strength_is_refused_and_all_stays_as_it_was(llm: Unlearned, artifact: Any) -> None:
    before = llm.artifacts, llm.unlearner
    detector = artifact(**COOKING)
    scopes = tuple(dataclasses.replace(scope, corruption=None) for scope in detector.scopes)
    detector = dataclasses.replace(detector, scopes=scopes, base_model=None)
    with pytest.raises(ArtifactMismatchError, match=r"'cooking' can only classify so far\. Learn it on this model"):
        llm.add(detector)
    assert (llm.artifacts, llm.unlearner) == before
    assert [verdict.in_scope for verdict in detector.unlearner().classify([text_only(BREAD)])] == [True]


@pytest.mark.parametrize("field", ["embedding_sha256", "tokenizer_sha256"])
def test_an_artifact_for_another_model_of_the_same_size_warns_once_where_it_is_used(
    model: Any, tiny_tokenizer: Any, make_artifact: Any, field: str
) -> None:
    record = base_model_record(TransformersEngine(model, tiny_tokenizer)).model_dump()
    other = make_artifact(**(record | {field: "1" * 64, "id": "other/model"}))
    with pytest.warns(ArtifactWarning, match="'harry-potter' was fitted on other/model") as caught:
        llm = Unlearned(model, tiny_tokenizer, other)
    assert [warning.filename for warning in caught] == [__file__]
    assert llm.generate([FLAGGED], **NEW)[0].flagged


def test_adding_an_artifact_for_another_model_warns_about_that_one_only(
    model: Any, tiny_tokenizer: Any, artifact: Any, make_artifact: Any, make_scope: Any
) -> None:
    with pytest.warns(ArtifactWarning):
        llm = Unlearned(model, tiny_tokenizer, make_artifact())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        llm.add(artifact(**COOKING))
        llm.remove("cooking")
    assert [str(warning.message) for warning in caught] == []


def test_an_artifact_for_this_model_does_not_warn_in_another_precision(
    model: Any, tiny_tokenizer: Any, artifact: Any
) -> None:
    llm = Unlearned(copy.deepcopy(model).to(torch.bfloat16), tiny_tokenizer, artifact())
    assert llm.generate([FLAGGED, PLAIN], **NEW)[0].flagged


def test_another_text_encoder_is_refused(model: Any, tiny_tokenizer: Any, artifact: Any) -> None:
    made = artifact()
    other = dataclasses.replace(made, encoder_probe=-made.encoder_probe)
    with pytest.raises(ArtifactMismatchError, match="another version of the encoder 'bag-of-words'"):
        Unlearned(model, tiny_tokenizer, other)


# Failing closed


def test_nothing_is_generated_if_detection_fails(llm: Unlearned, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def fail(features: Any) -> Any:
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(llm.unlearner.scopes[0].classifier, "predict_proba", fail)
    monkeypatch.setattr(model, "generate", lambda **_: calls.append("generate"))
    monkeypatch.setattr(model, "forward", lambda **_: calls.append("forward"))
    for attempt in (
        lambda: llm.generate([PLAIN], **NEW),
        lambda: llm.chat([{"role": "user", "content": PLAIN}], **NEW),
        lambda: llm.log_likelihood([PLAIN], ["Paris."]),
        lambda: llm.classify([PLAIN]),
    ):
        with pytest.raises(DetectionError, match=r"'harry-potter' failed.*broken.*Nothing was generated"):
            attempt()
    assert calls == []


def test_nothing_is_generated_if_one_prompt_of_many_is_malformed(
    llm: Unlearned, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(model, "generate", lambda **_: calls.append("generate"))
    with pytest.raises(PromptError):
        llm.generate([PLAIN, [{"role": "user"}]], **NEW)
    assert calls == []


def test_a_single_text_instead_of_a_list_is_refused(llm: Unlearned) -> None:
    for attempt in (
        lambda: llm.generate(FLAGGED, **NEW),
        lambda: llm.classify(FLAGGED),
        lambda: llm.prepare(FLAGGED),
        lambda: llm.log_likelihood(FLAGGED, ["He"]),
    ):
        with pytest.raises(DataError, match=r"Put it in a list: \[prompt\]"):
            attempt()


@pytest.mark.parametrize(
    "argument", ["inputs", "input_ids", "inputs_embeds", "cache", "past_key_values", "negative_prompt_ids"]
)
def test_words_cannot_be_passed_around_the_check(llm: Unlearned, argument: str) -> None:
    with pytest.raises(UnlearnedError, match=f"'{argument}' would reach the model unchecked"):
        llm.generate([PLAIN], **{argument: torch.tensor([[5, 6]])})


def test_a_model_that_cannot_be_protected_is_refused(tiny_tokenizer: Any) -> None:
    class Ignores(LlamaForCausalLM):
        def forward(self, input_ids: Any, **kwargs: Any) -> Any:
            return super().forward(inputs_embeds=self.model.embed_tokens.weight[input_ids], **kwargs)

    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    with pytest.raises(UnsupportedModelError, match="Ignores cannot be protected"):
        Unlearned(Ignores(config).eval(), tiny_tokenizer)


# The user's own model


def test_a_model_in_training_mode_stays_so_and_answers_as_it_would_have(
    model: Any, tiny_tokenizer: Any, artifact: Any
) -> None:
    own = copy.deepcopy(model).train()
    own.model.layers[1].eval()
    modes = [module.training for module in own.modules()]
    llm = Unlearned(own, tiny_tokenizer, artifact())
    torch.manual_seed(0)
    flagged, plain = llm.generate([FLAGGED], **NEW)[0], llm.generate([PLAIN], **NEW)[0]
    assert [module.training for module in own.modules()] == modes
    assert flagged.flagged
    torch.manual_seed(0)
    plain_answer(own, tiny_tokenizer, FLAGGED)  # draws as much for dropout
    assert plain.token_ids == plain_answer(own, tiny_tokenizer, PLAIN)


def test_gradients_still_flow_through_the_model_afterwards(llm: Unlearned, model: Any) -> None:
    llm.generate([FLAGGED], **NEW)
    assert torch.is_grad_enabled()
    ids = torch.tensor([[5, 6, 7]])
    model(input_ids=ids, labels=ids).loss.backward()
    assert model.get_input_embeddings().weight.grad is not None
    model.zero_grad(set_to_none=True)


def test_the_users_own_calls_are_the_plain_models_before_and_after(
    llm: Unlearned, model: Any, tiny_tokenizer: Any
) -> None:
    expected = plain_answer(model, tiny_tokenizer, FLAGGED)
    llm.generate([FLAGGED], **NEW)
    assert plain_answer(model, tiny_tokenizer, FLAGGED) == expected


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft 0.21 with transformers 5.23
@pytest.mark.parametrize("targets", [["q_proj", "v_proj"], ["embed_tokens", "q_proj"]])
def test_a_peft_model_is_protected_and_equals_the_bare_one_while_its_adapter_is_zero(
    llm: Unlearned, model: Any, tiny_tokenizer: Any, artifact: Any, targets: list[str]
) -> None:
    peft = pytest.importorskip("peft")
    wrapped = peft.get_peft_model(copy.deepcopy(model), peft.LoraConfig(target_modules=targets)).eval()
    other = Unlearned(wrapped, tiny_tokenizer, artifact())
    prompts = [FLAGGED, PLAIN, BREAD]
    assert [d.token_ids for d in other.generate(prompts, **NEW)] == [d.token_ids for d in llm.generate(prompts, **NEW)]
    ours = other.log_likelihood(prompts, ["fox"] * 3)
    for found, expected in zip(ours, llm.log_likelihood(prompts, ["fox"] * 3), strict=True):
        torch.testing.assert_close(found, expected)
    for name, weight in wrapped.named_parameters():
        if "lora_B" in name or "lora_embedding_B" in name:
            torch.nn.init.normal_(weight)
    changed = Unlearned(wrapped, tiny_tokenizer)
    assert [d.token_ids for d in changed.generate(prompts, **NEW)] != [
        d.token_ids for d in llm.generate(prompts, **NEW)
    ]
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in wrapped.modules()) == 0


# Threads


def test_two_views_of_one_model_in_two_threads_do_not_disturb_each_other(
    model: Any, tiny_tokenizer: Any, artifact: Any
) -> None:
    views = [
        Unlearned(model, tiny_tokenizer, artifact()),
        Unlearned(model, tiny_tokenizer, artifact(secret=b"t" * 32)),
        Unlearned(model, tiny_tokenizer, artifact(**COOKING)),
        Unlearned(model, tiny_tokenizer),
    ]
    prompts = [FLAGGED, PLAIN, BREAD]
    barrier = threading.Barrier(len(views))

    def answers(llm: Unlearned) -> list[tuple[int, ...]]:
        return [done.token_ids for done in llm.generate(prompts, **NEW)]

    def together(llm: Unlearned) -> list[tuple[int, ...]]:
        barrier.wait(timeout=60)
        return answers(llm)

    expected = [answers(llm) for llm in views]
    assert len({tuple(found) for found in expected}) == len(views)
    with ThreadPoolExecutor(len(views)) as pool:
        for _ in range(10):
            assert list(pool.map(together, views)) == expected


def test_artifacts_can_be_swapped_while_another_thread_generates(llm: Unlearned, artifact: Any) -> None:
    cooking = artifact(**COOKING)
    without = [done.token_ids for done in llm.generate([FLAGGED, BREAD], **NEW)]
    llm.add(cooking)
    with_it = [done.token_ids for done in llm.generate([FLAGGED, BREAD], **NEW)]
    assert with_it[0] == without[0]
    assert with_it[1] != without[1]
    stop = threading.Event()
    found: list[list[tuple[int, ...]]] = []

    def generate() -> None:
        while not stop.is_set():
            found.append([done.token_ids for done in llm.generate([FLAGGED, BREAD], **NEW)])

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(generate)
        for _ in range(30):
            llm.remove("cooking")
            llm.add(cooking)
        stop.set()
        running.result(timeout=60)
    assert found
    assert all(answers in (with_it, without) for answers in found)
