"""The rules of `EmbeddingInjection`, one by one, on toy modules that show what each of them is for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from model_hooks import hooks
from unlearned.engines.injection import EmbeddingInjection, embedding_module, inner_model
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import InjectionError, UnsupportedModelError
from unlearned.types import PromptInput

WIDTH, SUBSTITUTE = 4, 19


class Toy(nn.Module):
    """Looks its ids up and returns the vectors; keeps the ids that its `forward` was given."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, WIDTH)
        self.seen: list[Tensor] = []

    def get_input_embeddings(self) -> Any:
        return self.table

    def forward(self, input_ids: Tensor | None = None, **_: Any) -> Tensor:
        assert input_ids is not None
        self.seen.append(input_ids.clone())
        return self.look_up(input_ids)

    def look_up(self, ids: Tensor) -> Tensor:
        return self.table(ids)  # type: ignore[no-any-return]


class Transposed(Toy):
    def look_up(self, ids: Tensor) -> Tensor:
        return super().look_up(ids.T).transpose(0, 1)


class BehindPrefix(Toy):
    def look_up(self, ids: Tensor) -> Tensor:
        prefix = torch.full((len(ids), 3), 7)
        return super().look_up(torch.cat([prefix, ids], dim=1))[:, 3:]


class PaddedToChunks(Toy):
    def look_up(self, ids: Tensor) -> Tensor:
        padding = torch.zeros((len(ids), 8 - ids.shape[1] % 8), dtype=torch.long)
        return super().look_up(torch.cat([ids, padding], dim=1))[:, : ids.shape[1]]


class AsksPlaceholderFirst(Toy):
    def look_up(self, ids: Tensor) -> Tensor:
        self.placeholder = self.table(torch.tensor(5))
        self.other_rows = self.table(torch.tensor([[1, 2], [3, 4]]))
        return super().look_up(ids)


class CallsByKeyword(Toy):
    def look_up(self, ids: Tensor) -> Tensor:
        return self.table(input=ids)  # type: ignore[no-any-return]


class LooksUpTwice(Toy):
    def look_up(self, ids: Tensor) -> Tensor:
        first = super().look_up(ids)
        self.second = super().look_up(ids)
        return first


class LooksUpElsewhere(Toy):
    def look_up(self, ids: Tensor) -> Tensor:
        return self.table.weight[ids]


class Wrapper(nn.Module):
    """As PEFT: calls on it that matter go to the model inside."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base

    def get_base_model(self) -> nn.Module:
        return self.base


PROMPTS = [[11, 12, 13, 14], [15, 16]]  # the second one behind two tokens of padding
IDS = torch.tensor([[11, 12, 13, 14], [0, 0, 15, 16]])


def corrupted(ids: Sequence[int], positions: Sequence[int]) -> PromptInput:
    vectors = torch.tensor([[100.0 * ids[p] + d for d in range(WIDTH)] for p in positions])
    return PromptInput(tuple(ids), positions=torch.tensor(positions), vectors=vectors)


def injecting(model: nn.Module, first: Sequence[int] = (1, 2), second: Sequence[int] = (1,)) -> EmbeddingInjection:
    """Positions `first` of the first prompt and `second` of the second are corrupted."""
    inputs = [
        corrupted(ids, positions) if positions else PromptInput(tuple(ids))
        for ids, positions in zip(PROMPTS, (first, second), strict=True)
    ]
    return EmbeddingInjection(model, IDS, inputs, [0, 2], SUBSTITUTE)


def expected(model: Toy, first: Sequence[int] = (1, 2), second: Sequence[int] = (1,)) -> Tensor:
    vectors = model.table(IDS).detach().clone()
    for row, gap, positions in ((0, 0, first), (1, 2, second)):
        for p in positions:
            vectors[row, gap + p] = torch.tensor([100.0 * PROMPTS[row][p] + d for d in range(WIDTH)])
    return vectors


@pytest.fixture(autouse=True)
def no_gradients() -> Any:
    torch.manual_seed(0)
    with torch.no_grad():
        yield


# Rules 1 and 2: which modules


def test_the_model_inside_a_wrapper_is_the_one_that_is_hooked() -> None:
    model = Toy()
    wrapper = Wrapper(model)
    assert inner_model(wrapper) is model
    assert embedding_module(wrapper) is model.table
    with injecting(wrapper):
        found = model(input_ids=IDS)  # what PEFT's `generate` calls
    assert torch.equal(found, expected(model))


def test_a_model_without_wrapper_is_its_own_inner_model() -> None:
    model = Toy()
    assert inner_model(model) is model


def test_an_embedding_module_may_be_of_any_class_and_scale_its_vectors() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = nn.Embedding(20, WIDTH)

        def forward(self, ids: Tensor) -> Tensor:
            return 50 * self.inside(ids)  # type: ignore[no-any-return]

    model = Toy()
    model.table = Scaled()  # type: ignore[assignment]
    with injecting(model):
        found = model(input_ids=IDS)
    assert torch.equal(found, expected(model))  # the vectors are in the units of the module's output


@pytest.mark.parametrize("returned", [None, nn.ModuleList([nn.Embedding(3, 2)]), torch.zeros(3, 2)])
def test_a_model_without_one_embedding_module_is_refused(returned: Any) -> None:
    model = Toy()
    model.get_input_embeddings = lambda: returned  # type: ignore[method-assign]
    with pytest.raises(UnsupportedModelError, match="not one embedding module"):
        embedding_module(model)


def test_a_model_that_cannot_name_its_embeddings_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="Linear has no input embeddings"):
        embedding_module(nn.Linear(2, 2))


# Rule 3: where the tokens are in the embedding's input


@pytest.mark.parametrize(
    "kind",
    [Toy, Transposed, BehindPrefix, PaddedToChunks, AsksPlaceholderFirst, CallsByKeyword, LooksUpTwice],
)
def test_the_vectors_reach_their_positions_however_the_ids_are_looked_up(kind: type[Toy]) -> None:
    model = kind()
    with injecting(model) as injection:
        found = model(input_ids=IDS)
    assert torch.equal(found, expected(model))
    assert injection.injections == 1
    assert not hooks(model)


def test_a_square_batch_is_not_taken_for_its_transpose() -> None:
    ids = torch.tensor([[11, 12], [12, 13]])
    inputs = [corrupted([11, 12], [1]), PromptInput((12, 13))]
    for model in (Toy(), Transposed()):
        with EmbeddingInjection(model, ids, inputs, [0, 0], SUBSTITUTE):
            found = model(input_ids=ids)
        plain = model.table(ids)
        assert torch.equal(found[0, 1], inputs[0].vectors[0])  # type: ignore[index]
        assert torch.equal(found[[0, 1, 1], [0, 0, 1]], plain[[0, 1, 1], [0, 0, 1]])


def test_look_ups_of_other_things_are_left_alone() -> None:
    model = AsksPlaceholderFirst()
    with injecting(model):
        model(input_ids=IDS)
    assert torch.equal(model.placeholder, model.table(torch.tensor(5)))
    assert torch.equal(model.other_rows, model.table(torch.tensor([[1, 2], [3, 4]])))


def test_a_second_look_up_sees_the_substitute_and_not_the_words() -> None:
    model = LooksUpTwice()
    with injecting(model, first=[1], second=[]):
        model(input_ids=IDS)
    assert torch.equal(model.second[0, 1], model.table.weight[SUBSTITUTE])


def test_ids_may_be_given_by_position() -> None:
    model = Toy()
    with injecting(model):
        found = model(IDS)
    assert torch.equal(found, expected(model))


def test_vectors_take_the_models_precision() -> None:
    model = Toy().to(torch.bfloat16)
    with injecting(model):
        found = model(input_ids=IDS)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, expected(model))


# Rule 4: which positions a forward covers


def test_decode_steps_are_not_touched() -> None:
    model = Toy()
    with injecting(model) as injection:
        model(input_ids=IDS)
        for token in (12, 13, 16):  # also tokens that were corrupted in the prompt
            step = torch.tensor([[token], [token]])
            assert torch.equal(model(input_ids=step), model.table(step))
    assert injection.injections == 1


def test_a_one_token_prompt_is_not_taken_for_a_decode_step() -> None:
    model = Toy()
    prompt = corrupted([12], [0])
    with EmbeddingInjection(model, torch.tensor([[12]]), [prompt], [0], SUBSTITUTE) as injection:
        assert torch.equal(model(input_ids=torch.tensor([[12]]))[0], prompt.vectors)
        assert torch.equal(model(input_ids=torch.tensor([[12]]))[0, 0], model.table.weight[12])
    assert injection.injections == 1


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_prompt_may_come_in_chunks(size: int) -> None:
    model = Toy()
    with injecting(model):
        chunks = [model(input_ids=IDS[:, start : start + size]) for start in range(0, 4, size)]
        step = torch.tensor([[12], [16]])
        assert torch.equal(model(input_ids=step), model.table(step))
    assert torch.equal(torch.cat(chunks, dim=1), expected(model))


def test_a_call_of_the_whole_sequence_again_is_corrupted_again() -> None:
    model = Toy()
    ids = IDS
    with injecting(model) as injection:
        for token in (12, 13, 16):
            found = model(input_ids=ids)
            assert torch.equal(found[:, :4], expected(model))
            assert torch.equal(found[:, 4:], model.table(ids[:, 4:]))
            ids = torch.cat([ids, torch.full((2, 1), token)], dim=1)
    assert injection.injections == 3


@pytest.mark.parametrize("name", ["cache", "past_key_values", "cache_params", "a name of a later release"])
def test_a_cache_that_was_filled_before_shifts_the_positions(name: str) -> None:
    model = Toy()
    cache = SimpleNamespace(get_seq_length=lambda: 2)
    with injecting(model):
        found = model(input_ids=IDS[:, 2:], **{name: cache})
    assert torch.equal(found, expected(model)[:, 2:])


@pytest.mark.parametrize("corrupted_at", [(0, 1), (2, 3)])
def test_a_start_that_cannot_be_told_is_refused(corrupted_at: tuple[int, int]) -> None:
    model = Toy()
    with pytest.raises(InjectionError, match="other tokens than the prompt's"), injecting(model, corrupted_at):
        model(input_ids=IDS[:, 2:], kept=object())  # a filled cache, were it one that says so


@pytest.mark.parametrize("name", ["cache", "past_key_values"])
def test_tokens_taken_back_are_corrupted_when_they_are_read_again(name: str) -> None:
    model = Toy()
    with injecting(model):
        model(input_ids=IDS)
        model(input_ids=torch.full((2, 3), 12), **{name: SimpleNamespace(get_seq_length=lambda: 4)})  # guesses
        found = model(input_ids=IDS[:, 2:], **{name: SimpleNamespace(get_seq_length=lambda: 2)})
    assert torch.equal(found, expected(model)[:, 2:])


def test_a_prompt_read_again_with_more_than_one_new_token_is_corrupted_again() -> None:
    model = Toy()
    longer = torch.cat([IDS, torch.tensor([[12, 13], [14, 15]])], dim=1)
    with injecting(model) as injection:
        model(input_ids=IDS)
        found = model(input_ids=longer)
    assert torch.equal(found[:, :4], expected(model))
    assert injection.injections == 2


class ReadsTheRest(Toy):
    """As xlm: is given all tokens each time, and reads those that its cache does not hold."""

    def forward(self, input_ids: Tensor | None = None, cache: Any = None, **_: Any) -> Tensor:
        assert input_ids is not None
        return self.table(input_ids[:, cache.get_seq_length() :])  # type: ignore[no-any-return]


def test_tokens_that_the_cache_holds_need_not_be_read_again() -> None:
    model = ReadsTheRest()
    longer = torch.cat([IDS, torch.tensor([[12], [14]])], dim=1)
    with injecting(model) as injection:
        assert torch.equal(model(input_ids=IDS, cache=SimpleNamespace(get_seq_length=lambda: 0)), expected(model))
        found = model(input_ids=longer, cache=SimpleNamespace(get_seq_length=lambda: 4))
    assert torch.equal(found, model.table(longer[:, 4:]))
    assert injection.injections == 1


def test_tokens_that_the_cache_holds_are_corrupted_if_they_are_read_again() -> None:
    model = Toy()
    longer = torch.cat([IDS, torch.tensor([[12], [14]])], dim=1)
    with injecting(model):
        model(input_ids=IDS)
        found = model(input_ids=longer, cache=SimpleNamespace(get_seq_length=lambda: 4))
    assert torch.equal(found[:, :4], expected(model))


def test_corrupted_tokens_that_the_cache_lacks_must_be_read() -> None:
    model = ReadsTheRest()
    longer = torch.cat([IDS, torch.tensor([[12], [14]])], dim=1)

    def calls() -> None:
        with injecting(model):
            model(input_ids=IDS, cache=SimpleNamespace(get_seq_length=lambda: 0))
            model(input_ids=longer, cache=SimpleNamespace(get_seq_length=lambda: 2))

    with pytest.raises(InjectionError, match="did not look up its corrupted tokens"):
        calls()


def test_the_end_of_a_prompt_read_again_without_a_cache_is_refused() -> None:
    model = Toy()
    window = torch.cat([IDS[:, 1:], torch.tensor([[12], [13]])], dim=1)  # the last four tokens, as some windows are
    with injecting(model):
        model(input_ids=IDS)
        with pytest.raises(InjectionError, match="no cache after its prompt"):
            model(input_ids=window)


@pytest.mark.parametrize("error", [AttributeError, TypeError, ValueError, NotImplementedError, IndexError, KeyError])
def test_a_cache_whose_length_cannot_be_read_counts_as_empty(error: type[Exception]) -> None:
    def fail() -> int:
        raise error

    model = Toy()
    with injecting(model):
        found = model(input_ids=IDS, past_key_values=SimpleNamespace(get_seq_length=fail))
    assert torch.equal(found, expected(model))


def test_a_memory_says_where_a_call_starts() -> None:
    model = Toy()
    with injecting(model, first=[2, 3], second=[1]):
        model(input_ids=IDS)
        again = torch.cat([IDS[:, 3:], torch.tensor([[5], [6]])], dim=1)  # xlnet reads the last token once more
        found = model(input_ids=again, mems=[torch.zeros(3, 2, WIDTH)])
    assert torch.equal(found[:, 0], expected(model, [2, 3], [1])[:, 3])
    assert torch.equal(found[:, 1], model.table(again[:, 1]))


def test_calls_with_embeddings_after_the_prompt_are_left_alone() -> None:
    class TakesVectors(Toy):
        def forward(self, input_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, **_: Any) -> Tensor:
            return self.table(input_ids) if inputs_embeds is None else inputs_embeds  # type: ignore[no-any-return]

    model = TakesVectors()
    with injecting(model):
        assert torch.equal(model(input_ids=IDS), expected(model))
        vectors = torch.zeros(2, 1, WIDTH)
        assert torch.equal(model(inputs_embeds=vectors), vectors)


# Rule 5: the same vectors for every copy


def test_beams_and_samples_of_a_prompt_share_its_vectors() -> None:
    model = Toy()
    with injecting(model):
        found = model(input_ids=IDS.repeat_interleave(3, dim=0))
    assert torch.equal(found, expected(model).repeat_interleave(3, dim=0))


def test_beams_in_chunks_share_their_vectors() -> None:
    model = Toy()
    beams = IDS.repeat_interleave(2, dim=0)
    with injecting(model):
        chunks = [model(input_ids=beams[:, :3]), model(input_ids=beams[:, 3:])]
    assert torch.equal(torch.cat(chunks, dim=1), expected(model).repeat_interleave(2, dim=0))


# Rule 6: what everybody else sees


def test_readers_of_the_ids_see_the_substitute_where_words_are_corrupted() -> None:
    model = Toy()
    before = IDS.clone()
    with injecting(model):
        model(input_ids=IDS)
    assert model.seen[0].tolist() == [[11, SUBSTITUTE, SUBSTITUTE, 14], [0, 0, 15, SUBSTITUTE]]
    assert torch.equal(IDS, before)  # `generate` goes on with the real ones


def test_unflagged_rows_keep_their_ids_and_their_very_vectors() -> None:
    model = Toy()
    with injecting(model, first=[], second=[0, 1]):
        found = model(input_ids=IDS)
    assert model.seen[0][0].tolist() == PROMPTS[0]
    assert torch.equal(found[0], model.table(IDS[0]))
    assert torch.equal(found[1, :2], model.table(IDS[1, :2]))  # padding is nobody's word


def test_the_embedding_table_is_never_written_to() -> None:
    class Passes(nn.Module):
        """Gives out the same tensor at every call: writing to it would outlive the call."""

        def __init__(self, vectors: Tensor) -> None:
            super().__init__()
            self.vectors = vectors

        def forward(self, ids: Tensor) -> Tensor:
            return self.vectors

    model = Toy()
    kept = model.table(IDS).clone()
    model.table = Passes(kept)  # type: ignore[assignment]
    before = kept.clone()
    with injecting(model):
        assert not torch.equal(model(input_ids=IDS), before)
    assert torch.equal(kept, before)


# What is refused


def test_a_batch_without_a_corrupted_prompt_needs_no_injection() -> None:
    with pytest.raises(InjectionError, match="No prompt of this batch is corrupted"):
        injecting(Toy(), first=[], second=[])


def test_a_model_that_was_never_called_is_an_error() -> None:
    model = Toy()
    with pytest.raises(InjectionError, match="never reached the model"), injecting(model):
        pass
    assert not hooks(model)


def test_an_embedding_that_is_not_called_is_an_error() -> None:
    model = LooksUpElsewhere()
    reason = "LooksUpElsewhere did not look up its corrupted tokens in Embedding"
    with pytest.raises(InjectionError, match=reason), injecting(model):
        model(input_ids=IDS)
    assert not hooks(model)


def test_an_embedding_that_is_not_called_is_an_error_at_the_next_step_already() -> None:
    model = LooksUpElsewhere()
    with injecting(model, first=[1], second=[]) as injection:
        model(input_ids=IDS)
        with pytest.raises(InjectionError, match="answered unprotected"):
            model(input_ids=torch.tensor([[5], [6]]))
        injection._pending, injection.injections = None, 1  # so that leaving does not raise it once more


def test_other_tokens_than_the_prompts_are_an_error() -> None:
    model = Toy()
    with pytest.raises(InjectionError, match="other tokens than the prompt's"), injecting(model):
        model(input_ids=IDS + 1)
    assert not hooks(model)


def test_rows_that_are_no_multiple_of_the_batch_are_an_error() -> None:
    model = Toy()
    with pytest.raises(InjectionError, match="A forward of 3 rows cannot be matched with 2 prompts"), injecting(model):
        model(input_ids=IDS[[0, 1, 1]])
    assert not hooks(model)


@pytest.mark.parametrize("arguments", [{}, {"inputs_embeds": torch.zeros(2, 4, WIDTH)}, {"input_ids": IDS[0]}])
def test_a_first_call_without_a_batch_of_ids_is_an_error(arguments: dict[str, Any]) -> None:
    model = Toy()
    with pytest.raises(InjectionError, match="called without input_ids"), injecting(model):
        model(**arguments)
    assert not hooks(model)


# Rule 7: nothing left, nobody disturbed


def test_an_error_of_the_caller_passes_through_and_leaves_nothing() -> None:
    model = Toy()
    with pytest.raises(ZeroDivisionError), injecting(model):
        1 / int(0 * model(input_ids=IDS).sum())
    assert not hooks(model)
    assert torch.equal(model(input_ids=IDS), model.table(IDS))


def test_an_error_before_the_first_call_is_not_replaced_by_one_about_injection() -> None:
    model = Toy()
    with pytest.raises(ZeroDivisionError), injecting(model):
        raise ZeroDivisionError


def test_a_hook_that_cannot_be_registered_leaves_the_other_one_not_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Toy()

    def fail(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(model.table, "register_forward_hook", fail)
    with pytest.raises(MemoryError), injecting(model):
        raise AssertionError("not reached")
    assert not hooks(model)


def test_foreign_hooks_stay_also_those_registered_meanwhile() -> None:
    model = Toy()
    before = model.register_forward_pre_hook(lambda *_: None)
    with injecting(model):
        meanwhile = model.table.register_forward_hook(lambda *_: None)
        model(input_ids=IDS)
    assert list(model._forward_pre_hooks) == [before.id]
    assert list(model.table._forward_hooks) == [meanwhile.id]


def test_a_call_from_another_thread_passes_untouched() -> None:
    model = Toy()
    with injecting(model), ThreadPoolExecutor(1) as pool:
        other = pool.submit(lambda: model(input_ids=IDS)).result()
        own = model(input_ids=IDS)
    assert torch.equal(other, model.table(IDS))
    assert torch.equal(own, expected(model))


def test_a_look_up_from_another_thread_in_the_middle_of_a_forward_passes_untouched() -> None:
    found: list[Tensor] = []

    class Interrupted(Toy):
        def look_up(self, ids: Tensor) -> Tensor:
            with ThreadPoolExecutor(1) as pool:  # the very ids that are waited for
                found.append(pool.submit(self.table, ids).result())
            return super().look_up(ids)

    model = Interrupted()
    with injecting(model):
        assert torch.equal(model(input_ids=IDS), expected(model))
    assert torch.equal(found[0], model.table(model.seen[0]))


def test_two_threads_with_two_corruptions_on_one_model_answer_as_one_after_the_other(
    tiny_model: Any, tiny_tokenizer: Any
) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    before = hooks(tiny_model)
    ids = engine.tokenize("Who is Harry Potter?", chat=False).token_ids

    def prompt(seed: int) -> PromptInput:
        noise = torch.randn(len(ids), 32, generator=torch.Generator().manual_seed(seed))
        return PromptInput(ids, positions=torch.arange(len(ids)), vectors=noise)

    prompts = [prompt(1), prompt(2), PromptInput(ids)]

    def work(index: int) -> tuple[Any, Tensor]:
        answers = engine.generate([prompts[index], PromptInput(ids[1:])], max_new_tokens=6, output_logits=False)
        return answers, engine.log_likelihood([prompts[index]], ["He is a wizard."])[0]

    alone = [work(index) for index in range(3)]
    assert len({tuple(scores.tolist()) for _, scores in alone}) == 3
    barrier = threading.Barrier(3)

    def together(index: int) -> tuple[Any, Tensor]:
        barrier.wait(timeout=60)
        return work(index)

    with ThreadPoolExecutor(3) as pool:
        for _ in range(20):
            found = list(pool.map(together, range(3)))
            for (answers, scores), (expected_answers, expected_scores) in zip(found, alone, strict=True):
                assert answers == expected_answers
                assert torch.equal(scores, expected_scores)
    assert hooks(tiny_model) == before


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft 0.21 with transformers 5.23
def test_lora_on_the_embedding_itself_is_reached() -> None:
    peft = pytest.importorskip("peft")
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=20, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    base = LlamaForCausalLM(config).eval()
    ids = torch.tensor([[11, 12, 13, 14]])
    run: Callable[[Any], Tensor] = lambda model: model(input_ids=ids).logits  # noqa: E731
    prompt = PromptInput((11, 12, 13, 14), positions=torch.tensor([1]), vectors=torch.ones(1, 16))
    vectors = base.get_input_embeddings()(ids).clone()
    vectors[0, 1] = 1.0
    wanted = base(inputs_embeds=vectors).logits
    wrapped = peft.get_peft_model(base, peft.LoraConfig(target_modules=["embed_tokens", "q_proj"])).eval()
    with EmbeddingInjection(wrapped, ids, [prompt], [0], SUBSTITUTE):
        found = run(wrapped)
    torch.testing.assert_close(found, wanted)  # LoRA starts at zero
    assert not hooks(wrapped)
