"""The transformers engine: the contract of every engine, and what only `model.generate` offers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    StoppingCriteriaList,
    TextIteratorStreamer,
)

from contracts.engine_contract import CONTINUATIONS, NEW, TEXTS, EngineContract, Subject, flagged, mixed, plain
from tiny_llama import tiny_llama
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, InjectionError
from unlearned.types import PromptInput


def _llama(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    return tiny_llama(tokenizer, initializer_range=0.3)


def _gpt2(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=3,
        n_head=4,
        n_positions=256,
        initializer_range=0.3,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    return GPT2LMHeadModel(config)


MODELS: dict[str, Callable[[PreTrainedTokenizerFast], PreTrainedModel]] = {"llama": _llama, "gpt2": _gpt2}


@pytest.fixture(scope="module", params=list(MODELS))
def engine(request: pytest.FixtureRequest, tiny_tokenizer: PreTrainedTokenizerFast) -> TransformersEngine:
    torch.manual_seed(1)
    model = MODELS[request.param](tiny_tokenizer).eval()
    # Random models hardly ever end; a likelier end lets some answers stop early and others not.
    head = model.get_output_embeddings()
    head.weight = torch.nn.Parameter(head.weight.detach().clone())
    head.weight.data[1] *= 1.7
    return TransformersEngine(model, tiny_tokenizer)


@pytest.fixture(autouse=True)
def model_is_left_as_it_was(engine: TransformersEngine) -> Iterator[None]:
    weights = {name: value.clone() for name, value in engine.model.state_dict().items()}
    config = engine.model.generation_config.to_dict()
    yield
    assert hooks(engine.model) == 0
    assert engine.model.generation_config.to_dict() == config
    assert not engine.model.training
    assert all(torch.equal(value, weights[name]) for name, value in engine.model.state_dict().items())


def hooks(model: torch.nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)


def embeddings_of(engine: TransformersEngine, prompt: PromptInput, extra: Sequence[int] = ()) -> Tensor:
    """(1, T, D) what the model should see: looked up by hand, the corrupted positions replaced."""
    ids = torch.tensor([*prompt.token_ids, *extra])
    vectors = engine.model.get_input_embeddings().weight[ids].detach().clone()
    if prompt.positions is not None and prompt.vectors is not None:
        vectors[prompt.positions] = prompt.vectors
    return vectors[None]


def by_hand(engine: TransformersEngine, prompt: PromptInput, count: int = NEW, **generation: Any) -> tuple[int, ...]:
    """The oracle: `generate` from embeddings instead of tokens."""
    vectors = embeddings_of(engine, prompt)
    mask = torch.ones(vectors.shape[:2], dtype=torch.long)
    with torch.inference_mode():
        output = engine.model.generate(
            inputs_embeds=vectors, attention_mask=mask, max_new_tokens=count, pad_token_id=0, **generation
        )
    return tuple(output[0].tolist())


@pytest.fixture
def subject(engine: TransformersEngine) -> Subject:
    @torch.inference_mode()
    def score(prompt: PromptInput, continuation: str) -> Tensor:
        target = engine.tokenizer(continuation, add_special_tokens=False)["input_ids"]
        logits = engine.model(inputs_embeds=embeddings_of(engine, prompt, target)).logits[0]
        logs = torch.log_softmax(logits.float(), dim=-1)
        first = len(prompt.token_ids)
        return torch.tensor([float(logs[first - 1 + n, token]) for n, token in enumerate(target)])

    return Subject(
        engine=engine,
        answer=lambda prompt, count: by_hand(engine, prompt, count),
        score=score,
        eos=1,
        is_clean=lambda: hooks(engine.model) == 0,
    )


class TestTransformersEngine(EngineContract):
    @pytest.fixture
    def subject(self, subject: Subject) -> Subject:
        return subject


# Bit for bit


@pytest.fixture
def generated(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every call that the engine makes of `model.generate`: (its arguments, what it returned)."""
    calls: list[Any] = []
    original = engine.model.generate

    def spy(**arguments: Any) -> Any:
        output = original(**arguments)
        calls.append((arguments, output))
        return output

    monkeypatch.setattr(engine.model, "generate", spy)
    return calls


@torch.inference_mode()
def plain_batch(engine: TransformersEngine, arguments: dict[str, Any]) -> Any:
    """The original model on the very batch of an engine's call."""
    return type(engine.model).generate(engine.model, **arguments)


def test_logits_of_unflagged_rows_are_bit_identical_beside_flagged_ones(
    engine: TransformersEngine, generated: list[Any]
) -> None:
    inputs = mixed(engine)
    engine.generate(inputs, max_new_tokens=NEW, output_logits=True, return_dict_in_generate=True)
    [(arguments, found)] = generated
    expected = plain_batch(engine, arguments)
    order = sorted(range(len(inputs)), key=lambda index: (-len(inputs[index].token_ids), index))
    for row, index in enumerate(order):
        same = [
            torch.equal(ours[row], theirs[row]) for ours, theirs in zip(found.logits, expected.logits, strict=False)
        ]
        if inputs[index].corrupted:
            assert not same[0]
        else:
            assert all(same)
            ours, theirs = found.sequences[row].tolist(), expected.sequences[row].tolist()
            shorter = min(len(ours), len(theirs))  # the longer one is padded: another row went on
            assert ours[:shorter] == theirs[:shorter]
            assert not any(ours[shorter:] + theirs[shorter:])


def test_logits_of_unflagged_prompts_alone_are_bit_identical(engine: TransformersEngine, generated: list[Any]) -> None:
    for text in TEXTS:
        engine.generate([plain(engine, text)], max_new_tokens=4, output_logits=True, return_dict_in_generate=True)
    for arguments, found in generated:
        expected = plain_batch(engine, arguments)
        assert torch.equal(torch.stack(found.logits), torch.stack(expected.logits))
        assert torch.equal(found.sequences, expected.sequences)
        assert "disable_compile" not in arguments


def test_an_unflagged_batch_runs_without_any_hook(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = engine.model.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        seen.append(hooks(engine.model))
        return original(*args, **kwargs)

    monkeypatch.setattr(engine.model, "forward", forward)
    prompts = [plain(engine, text) for text in TEXTS]
    engine.generate(prompts, max_new_tokens=2)
    engine.log_likelihood(prompts, CONTINUATIONS)
    assert set(seen) == {0}


def test_plain_scores_are_bit_identical_to_the_plain_models_on_the_same_row(engine: TransformersEngine) -> None:
    prompt = plain(engine, TEXTS[0])
    target = engine.tokenizer("He is a wizard.")["input_ids"]
    [found] = engine.log_likelihood([prompt], ["He is a wizard."])
    ids = torch.tensor([[*prompt.token_ids, *target]])
    kept = len(target) + 1
    with torch.inference_mode():
        logits = engine.model(
            input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, logits_to_keep=kept
        ).logits[0, :-1]
    assert torch.equal(found, logits.log_softmax(-1).gather(1, torch.tensor(target)[:, None])[:, 0])


# Everything that `generate` can do


MODES: dict[str, dict[str, Any]] = {
    "no cache": {"use_cache": False},
    "cache": {"use_cache": True},
    "chunked prefill": {"prefill_chunk_size": 3},
    "chunks of one": {"prefill_chunk_size": 1},
    "prompt lookup": {"prompt_lookup_num_tokens": 3},
    "static cache": {"cache_implementation": "static"},
}


@pytest.mark.parametrize("mode", MODES)
def test_a_flagged_prompt_has_one_answer_however_it_is_generated(engine: TransformersEngine, mode: str) -> None:
    for prompt in mixed(engine):
        [done] = engine.generate([prompt], max_new_tokens=NEW, **MODES[mode])
        assert done.token_ids == by_hand(engine, prompt)


def test_a_draft_model_that_reads_the_words_changes_no_answer(engine: TransformersEngine) -> None:
    torch.manual_seed(8)
    draft = type(engine.model)(engine.model.config).eval()
    for prompt in mixed(engine):
        for assistant in (draft, copy.deepcopy(engine.model)):
            [done] = engine.generate([prompt], max_new_tokens=NEW, assistant_model=assistant)
            assert done.token_ids == by_hand(engine, prompt)


def test_a_model_that_drafts_with_its_own_first_layers_sees_the_corrupted_prompt(engine: TransformersEngine) -> None:
    if not isinstance(engine.model, LlamaForCausalLM):
        pytest.skip("transformers skips layers of Llama-like models only")
    for prompt in mixed(engine):
        [done] = engine.generate([prompt], max_new_tokens=NEW, assistant_early_exit=2)
        assert done.token_ids == by_hand(engine, prompt)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "prompt lookup"])  # which takes one row only
def test_a_mixed_batch_has_the_same_answers_however_it_is_generated(engine: TransformersEngine, mode: str) -> None:
    inputs = mixed(engine)
    done = engine.generate(inputs, max_new_tokens=NEW, **MODES[mode])
    assert [d.token_ids for d in done] == [by_hand(engine, prompt) for prompt in inputs]


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("beams", [2, 3])
def test_beams_explore_the_corrupted_prompt(engine: TransformersEngine, beams: int, use_cache: bool) -> None:
    inputs = mixed(engine)
    done = engine.generate(inputs, max_new_tokens=NEW, num_beams=beams, use_cache=use_cache)
    assert [d.token_ids for d in done] == [by_hand(engine, prompt, num_beams=beams) for prompt in inputs]


def test_every_returned_beam_is_the_corrupted_prompts(engine: TransformersEngine) -> None:
    inputs = mixed(engine)
    done = engine.generate(inputs, max_new_tokens=NEW, num_beams=3, num_return_sequences=2)
    assert len(done) == 2 * len(inputs)
    for index, prompt in enumerate(inputs):
        vectors = embeddings_of(engine, prompt)
        with torch.inference_mode():
            rows = engine.model.generate(
                inputs_embeds=vectors,
                attention_mask=torch.ones(vectors.shape[:2], dtype=torch.long),
                max_new_tokens=NEW,
                pad_token_id=0,
                num_beams=3,
                num_return_sequences=2,
            ).tolist()
        expected = [tuple(row[: row.index(1) + 1] if 1 in row else row) for row in rows]
        assert [d.token_ids for d in done[2 * index : 2 * index + 2]] == expected


@pytest.mark.parametrize("use_cache", [True, False])
def test_samples_with_a_seed_are_those_of_the_corrupted_prompt(engine: TransformersEngine, use_cache: bool) -> None:
    for prompt in (flagged(engine, TEXTS[0]), plain(engine, TEXTS[0])):
        sampling = {"do_sample": True, "temperature": 1.5, "num_return_sequences": 4, "use_cache": use_cache}
        torch.manual_seed(3)
        done = engine.generate([prompt], max_new_tokens=NEW, **sampling)
        vectors = embeddings_of(engine, prompt)
        torch.manual_seed(3)
        with torch.inference_mode():
            rows = engine.model.generate(
                inputs_embeds=vectors,
                attention_mask=torch.ones(vectors.shape[:2], dtype=torch.long),
                max_new_tokens=NEW,
                pad_token_id=0,
                **sampling,
            ).tolist()
        assert [d.token_ids for d in done] == [tuple(row[: row.index(1) + 1] if 1 in row else row) for row in rows]
        assert len({d.token_ids for d in done}) > 1


def test_samples_of_unflagged_rows_beside_flagged_ones_are_the_plain_models(
    engine: TransformersEngine, generated: list[Any]
) -> None:
    inputs = [flagged(engine, "fox?"), plain(engine, "fox."), plain(engine, "fox!")]
    torch.manual_seed(5)
    engine.generate(inputs, max_new_tokens=1, do_sample=True, num_return_sequences=2)
    [(arguments, found)] = generated
    torch.manual_seed(5)
    assert torch.equal(plain_batch(engine, arguments)[2:], found[2:])


@pytest.mark.parametrize("through_config", [False, True])
def test_classifier_free_guidance_is_refused_because_it_reads_the_last_token_unchecked(
    engine: TransformersEngine, through_config: bool
) -> None:
    given = {"generation_config": GenerationConfig(guidance_scale=1.5)} if through_config else {"guidance_scale": 1.5}
    with pytest.raises(ConfigError, match="guidance_scale"):
        engine.generate([flagged(engine, TEXTS[0], [0, 1, 2])], max_new_tokens=NEW, **given)
    assert engine.generate([plain(engine, TEXTS[0])], max_new_tokens=NEW, guidance_scale=1.0)


@pytest.mark.parametrize("batch_size", [1, 2, 4, 100])
def test_the_batch_size_changes_no_answer(engine: TransformersEngine, batch_size: int) -> None:
    inputs = mixed(engine)
    done = engine.generate(inputs, max_new_tokens=NEW, batch_size=batch_size)
    assert [d.token_ids for d in done] == [by_hand(engine, prompt) for prompt in inputs]
    scores = engine.log_likelihood(inputs, CONTINUATIONS, batch_size=batch_size)
    expected = engine.log_likelihood(inputs, CONTINUATIONS)
    for ours, theirs in zip(scores, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_padding_on_the_right_side_of_the_tokenizer_changes_no_answer(engine: TransformersEngine) -> None:
    inputs = mixed(engine)
    expected = engine.generate(inputs, max_new_tokens=NEW)
    other = copy.deepcopy(engine.tokenizer)
    other.padding_side = "left" if engine.tokenizer.padding_side == "right" else "right"
    assert TransformersEngine(engine.model, other).generate(inputs, max_new_tokens=NEW) == expected
    assert other.padding_side != engine.tokenizer.padding_side


def test_a_generation_config_is_taken_as_it_is(engine: TransformersEngine) -> None:
    inputs = mixed(engine)
    done = engine.generate(inputs, generation_config=GenerationConfig(max_new_tokens=3, num_beams=2))
    assert [d.token_ids for d in done] == [by_hand(engine, prompt, 3, num_beams=2) for prompt in inputs]


@pytest.mark.parametrize("more", [{}, {"pad_token_id": 0}])
def test_our_own_settings_go_into_a_copy_of_a_generation_config(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    calls: list[dict[str, Any]] = []
    generate = engine.model.generate
    monkeypatch.setattr(engine.model, "generate", lambda **given: calls.append(given) or generate(**given))
    config = GenerationConfig(max_new_tokens=3)
    before = config.to_dict()
    engine.generate(mixed(engine), generation_config=config, **more)
    assert all(call.keys() == {"input_ids", "attention_mask", "generation_config"} for call in calls)  # or it warns
    assert calls[0]["generation_config"].disable_compile
    assert config.to_dict() == before


# Where an answer ends


def test_an_end_token_of_the_callers_own_ends_the_answer(engine: TransformersEngine) -> None:
    inputs = mixed(engine)
    long = engine.generate(inputs, max_new_tokens=12, eos_token_id=None)
    end = long[0].token_ids[2]
    for way in ({"eos_token_id": end}, {"eos_token_id": [end, 399]}, {"eos_token_id": torch.tensor([end])}):
        done = engine.generate(inputs, max_new_tokens=12, **way)
        for short, full in zip(done, long, strict=True):
            stop = full.token_ids.index(end) + 1 if end in full.token_ids else 12
            assert short.token_ids == full.token_ids[:stop]


def test_an_end_token_in_a_generation_config_ends_the_answer(engine: TransformersEngine) -> None:
    inputs = mixed(engine)
    long = engine.generate(inputs, max_new_tokens=12, eos_token_id=None)
    end = long[0].token_ids[2]
    done = engine.generate(inputs, generation_config=GenerationConfig(max_new_tokens=12, eos_token_id=end))
    for short, full in zip(done, long, strict=True):
        stop = full.token_ids.index(end) + 1 if end in full.token_ids else 12
        assert short.token_ids == full.token_ids[:stop]


def test_without_an_end_token_the_model_goes_on_and_nothing_is_cut(engine: TransformersEngine) -> None:
    done = engine.generate(mixed(engine), max_new_tokens=40, eos_token_id=None)
    assert {len(d.token_ids) for d in done} == {40}
    assert any(1 in d.token_ids[:-1] for d in done)


def test_a_stop_string_ends_the_answer_without_padding_behind_it(engine: TransformersEngine) -> None:
    inputs = mixed(engine)
    long = engine.generate(inputs, max_new_tokens=12)
    string = engine.tokenizer.decode(long[0].token_ids[1:2])
    done = engine.generate(inputs, max_new_tokens=12, stop_strings=[string], tokenizer=engine.tokenizer)
    assert len(done[0].token_ids) <= 2
    assert string in done[0].text
    for short, full in zip(done, long, strict=True):
        assert short.token_ids == full.token_ids[: len(short.token_ids)]


def test_the_text_of_a_completion_has_no_special_tokens(engine: TransformersEngine) -> None:
    for done in engine.generate(mixed(engine), max_new_tokens=40):
        assert done.text == engine.tokenizer.decode(done.token_ids, skip_special_tokens=True)
        assert "<|end|>" not in done.text


# Errors, and other people's hooks


class BrokenError(Exception):
    pass


def _raise(*_: Any, **__: Any) -> Any:
    raise BrokenError


def test_an_error_inside_the_model_leaves_no_hook(engine: TransformersEngine) -> None:
    prompt = flagged(engine, TEXTS[0])
    expected = engine.generate([prompt], max_new_tokens=2)
    last = list(engine.model.modules())[-1]
    handle = last.register_forward_pre_hook(_raise)
    try:
        with pytest.raises(BrokenError):
            engine.generate([prompt], max_new_tokens=2)
        with pytest.raises(BrokenError):
            engine.log_likelihood([prompt], ["fox"])
        assert hooks(engine.model) == 1
    finally:
        handle.remove()
    assert engine.generate([prompt], max_new_tokens=2) == expected


@pytest.mark.parametrize("after", [1, 3])
def test_an_error_in_a_stopping_criterion_leaves_no_hook(engine: TransformersEngine, after: int) -> None:
    calls = []

    def criterion(ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        calls.append(ids.shape)
        if len(calls) == after:
            raise BrokenError
        return torch.zeros(len(ids), dtype=torch.bool)

    with pytest.raises(BrokenError):
        engine.generate(
            [flagged(engine, TEXTS[0])], max_new_tokens=NEW, stopping_criteria=StoppingCriteriaList([criterion])
        )
    assert hooks(engine.model) == 0


def test_an_error_in_a_streamer_leaves_no_hook(engine: TransformersEngine) -> None:
    class Stream:
        def __init__(self) -> None:
            self.puts = 0

        def put(self, value: Tensor) -> None:
            self.puts += 1
            if self.puts == 3:  # the prompt, the first token, the second token
                raise BrokenError

        def end(self) -> None: ...

    with pytest.raises(BrokenError):
        engine.generate([flagged(engine, TEXTS[0])], max_new_tokens=NEW, streamer=Stream())
    assert hooks(engine.model) == 0


def test_an_interrupt_leaves_no_hook(engine: TransformersEngine) -> None:
    def criterion(*_: Any, **__: Any) -> Tensor:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.generate(
            [flagged(engine, TEXTS[0])], max_new_tokens=NEW, stopping_criteria=StoppingCriteriaList([criterion])
        )
    assert hooks(engine.model) == 0


def test_a_streamer_gets_the_answer_of_the_corrupted_prompt(engine: TransformersEngine) -> None:
    prompt = flagged(engine, TEXTS[0])
    streamer = TextIteratorStreamer(engine.tokenizer, skip_prompt=True, skip_special_tokens=True)
    [done] = engine.generate([prompt], max_new_tokens=NEW, streamer=streamer)
    assert "".join(streamer) == done.text


def test_a_stopping_criterion_and_a_logits_processor_see_the_real_tokens(engine: TransformersEngine) -> None:
    prompt = flagged(engine, TEXTS[0])
    seen = []

    def watch(ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        seen.append(ids[0, : len(prompt.token_ids)].tolist())
        return scores

    engine.generate([prompt], max_new_tokens=3, logits_processor=[watch])
    assert seen == [list(prompt.token_ids)] * len(seen)
    assert seen


def test_other_peoples_hooks_run_and_stay(engine: TransformersEngine) -> None:
    calls: list[str] = []
    embedding = engine.model.get_input_embeddings()
    handles = [
        engine.model.register_forward_pre_hook(lambda *_: calls.append("model before")),
        engine.model.register_forward_hook(lambda *_: calls.append("model after")),
        embedding.register_forward_pre_hook(lambda *_: calls.append("embedding before")),
        embedding.register_forward_hook(lambda *_: calls.append("embedding after")),
    ]
    try:
        inputs = mixed(engine)
        done = engine.generate(inputs, max_new_tokens=2)
        assert set(calls) == {"model before", "model after", "embedding before", "embedding after"}
        assert hooks(engine.model) == 4
        with pytest.raises(BrokenError):
            engine.generate(inputs, max_new_tokens=2, logits_processor=[_raise])
        assert hooks(engine.model) == 4
    finally:
        for handle in handles:
            handle.remove()
    assert done == engine.generate(inputs, max_new_tokens=2)


def test_a_model_that_no_longer_looks_up_its_tokens_gives_an_error_and_no_answer(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = engine.model.forward
    table = engine.model.get_input_embeddings().weight

    def around(input_ids: Tensor, **kwargs: Any) -> Any:
        return original(inputs_embeds=table[input_ids], **kwargs)

    monkeypatch.setattr(engine.model, "forward", around)
    with pytest.raises(InjectionError, match="did not look up its corrupted tokens"):
        engine.log_likelihood([flagged(engine, TEXTS[0])], ["fox"])


# Next-token scores


@torch.inference_mode()
def _next_logits(engine: TransformersEngine, prompt: PromptInput) -> Tensor:
    """(V,) of one prompt alone, from embeddings."""
    return engine.model(inputs_embeds=embeddings_of(engine, prompt)).logits[0, -1].float()


PREFIX = "You help. The quick brown fox jumps over the lazy dog. "


@pytest.mark.parametrize("size", [1, 2, 16])
@pytest.mark.parametrize("prefix", ["", PREFIX])
def test_next_token_scores_are_the_full_logits_of_each_prompt_alone(
    engine: TransformersEngine, size: int, prefix: str
) -> None:
    start = len(plain(engine, prefix.rstrip()).token_ids) if prefix else 0
    assert not prefix or start >= 8  # long enough to be run once for all
    inputs = [plain(engine, prefix + text) for text in TEXTS]
    inputs += [flagged(engine, prefix + text, [start], seed=n) for n, text in enumerate(TEXTS)]
    if not prefix:
        inputs += mixed(engine)
    wanted = [5, 1, 300, 17, 5]
    found = engine.next_token_scores(inputs, wanted, batch_size=size)
    assert found.dtype == torch.float32
    assert found.device.type == "cpu"
    expected = torch.stack([_next_logits(engine, prompt)[wanted] for prompt in inputs])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert len({tuple(row) for row in found.round(decimals=3).tolist()}) > len(TEXTS)


def test_next_token_scores_of_no_prompts_and_of_no_tokens_are_empty(engine: TransformersEngine) -> None:
    assert engine.next_token_scores([], [5, 6]).shape == (0, 2)
    assert engine.next_token_scores([plain(engine, "fox")], []).shape == (1, 0)


# Gradients


@pytest.fixture(scope="module")
def exact(engine: TransformersEngine) -> TransformersEngine:
    """The same model in float64, as far as its layers allow, for differences that are nearly derivatives."""
    return TransformersEngine(copy.deepcopy(engine.model).double(), engine.tokenizer)


def _mean(engine: TransformersEngine, prompt: PromptInput, answer: str) -> float:
    """Mean log-probability in the model's own precision, by hand."""
    target = engine.tokenizer(answer, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = engine.model(inputs_embeds=embeddings_of(engine, prompt, target)).logits[0].log_softmax(-1)
    first = len(prompt.token_ids) - 1
    return float(sum(logits[first + n, token] for n, token in enumerate(target)) / len(target))


def test_gradients_are_finite_differences_of_the_mean_log_probability(exact: TransformersEngine) -> None:
    places = [None, [0], [1, -1]]
    inputs = [
        flagged(exact, text, where, seed=n) for n, (text, where) in enumerate(zip(TEXTS[:3], places, strict=True))
    ]
    answers = ["He is a wizard.", " jumps", "Paris."]
    found = exact.likelihood_gradients(inputs, answers, batch_size=2)
    generator = torch.Generator().manual_seed(0)
    for prompt, answer, gradient in zip(inputs, answers, found, strict=True):
        assert prompt.vectors is not None
        assert gradient.shape == prompt.vectors.shape
        assert gradient.dtype == torch.float32
        assert not gradient.requires_grad
        for _ in range(6):
            direction = torch.randn(prompt.vectors.shape, generator=generator, dtype=torch.float64)
            ahead, behind = (
                _mean(exact, replace(prompt, vectors=prompt.vectors + sign * 1e-3 * direction), answer)
                for sign in (1, -1)
            )
            assert float((gradient.double() * direction).sum()) == pytest.approx(
                (ahead - behind) / 2e-3, rel=2e-3, abs=2e-3
            )


def test_gradients_are_those_of_the_scores_and_the_same_in_any_batch(engine: TransformersEngine) -> None:
    inputs = [flagged(engine, text, seed=n) for n, text in enumerate(TEXTS[:4])]
    answers = [*CONTINUATIONS[:3], "5"]
    together = engine.likelihood_gradients(inputs, answers)
    for prompt, answer, gradient in zip(inputs, answers, together, strict=True):
        for size in (1, 3):
            [alone] = engine.likelihood_gradients([prompt], [answer], batch_size=size)
            torch.testing.assert_close(alone, gradient, atol=1e-4, rtol=1e-3)
        # A small step along it makes the answer likelier.
        before, after = (
            float(engine.log_likelihood([p], [answer])[0].mean())
            for p in (prompt, replace(prompt, vectors=prompt.vectors + 1e-3 * gradient / gradient.norm()))
        )
        assert after > before


def test_gradients_leave_none_on_the_model_nor_on_what_was_given(engine: TransformersEngine) -> None:
    prompt = flagged(engine, TEXTS[0])
    assert prompt.vectors is not None
    before = prompt.vectors.clone()
    with torch.no_grad():  # as callers may be
        engine.likelihood_gradients([prompt], ["He is a wizard."])
    assert all(parameter.grad is None and parameter.requires_grad for parameter in engine.model.parameters())
    assert torch.equal(prompt.vectors, before)
    assert not prompt.vectors.requires_grad
    assert prompt.vectors.grad is None


def test_gradients_of_a_frozen_model_and_in_half_precision(engine: TransformersEngine) -> None:
    prompt, answer = flagged(engine, TEXTS[0]), "He is a wizard."
    [expected] = engine.likelihood_gradients([prompt], [answer])
    frozen = TransformersEngine(copy.deepcopy(engine.model).requires_grad_(False), engine.tokenizer)
    assert torch.equal(frozen.likelihood_gradients([prompt], [answer])[0], expected)
    half = TransformersEngine(copy.deepcopy(engine.model).bfloat16(), engine.tokenizer)
    assert prompt.vectors is not None
    [rough] = half.likelihood_gradients([replace(prompt, vectors=prompt.vectors.bfloat16())], [answer])
    assert rough.dtype == torch.float32
    cosine = torch.nn.functional.cosine_similarity(rough.flatten(), expected.flatten(), dim=0)
    assert float(cosine) > 0.95
