"""The arrays of `semantic` and `adversarial`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learn_rows import KNOWN
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from model_hooks import hooks
from tiny_llama import tiny_llama
from unlearned.artifact import Artifact
from unlearned.corrupt.corruption import Corruption
from unlearned.corrupt.functions import corruptions
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import FitError
from unlearned.learn import stored as module
from unlearned.learn.forget_prompts import ForgetPrompts
from unlearned.learn.stored import adversarial_direction, ordinary_bank, stored_arrays

ANSWERS = [answer for _, answer in KNOWN[:3]]


@pytest.fixture
def forget_prompts(engine: TransformersEngine, make_scope: Any) -> ForgetPrompts:
    return ForgetPrompts(engine, make_scope(), [engine.tokenize(question) for question, _ in KNOWN[:3]])


@pytest.fixture
def std(engine: TransformersEngine) -> float:
    return float(engine.embedding.weight.detach().std())


def _bank(engine: TransformersEngine, avoid: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens of which a bank is made."""
    used: list[int] = []
    embed = engine.embed
    with monkeypatch.context() as patch:
        patch.setattr(engine, "embed", lambda ids: used.extend(ids) or embed(ids))
        bank = ordinary_bank(engine, avoid)
    assert np.array_equal(bank, engine.embedding.weight.detach().float().numpy()[used])
    assert bank.dtype == np.float32
    assert used == sorted(set(used))
    return [str(engine.tokenizer.decode([token])) for token in used]


def test_most_functions_need_no_array(engine: TransformersEngine, forget_prompts: ForgetPrompts) -> None:
    needed = {name: set(stored_arrays(name, engine, forget_prompts, ANSWERS, 1.0)) for name in corruptions.names()}
    assert {name: arrays for name, arrays in needed.items() if arrays} == {
        "semantic": {"bank"},
        "adversarial": {"direction"},
    }


def test_a_bank_holds_words_and_none_of_the_forget_texts(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = _bank(engine, [], monkeypatch)
    assert {" wizard", " quick", " lazy"} <= set(everything)
    assert all(re.fullmatch(r" [^\W\d_]+", token) for token in everything)
    bank = _bank(engine, ["Is the quick fox a wizard?", "LAZY"], monkeypatch)
    spared = {" quick", " fox", " wizard", " the", " a", " lazy", " is"}
    assert {token for token in everything if token.lower() not in spared} == set(bank)


def test_a_vocabulary_that_decodes_words_without_their_space_gives_no_pieces_of_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    corpus = ["the wizard walks", "walking and talking wizards", "the lazy fox talks"] * 3
    trainer = trainers.BpeTrainer(vocab_size=120, special_tokens=["<pad>", "<end>", "<unk>"], show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", eos_token="<end>")
    engine = TransformersEngine(tiny_llama(fast).eval(), fast)
    assert fast.decode(fast.convert_tokens_to_ids(["\u2581the"])) == "the"
    used: list[int] = []
    monkeypatch.setattr(engine, "embed", lambda ids: used.extend(ids) or torch.zeros(len(ids), 32))
    ordinary_bank(engine, [])
    assert used
    assert all(name.startswith("\u2581") for name in fast.convert_ids_to_tokens(used))


def test_the_first_word_of_an_answer_is_not_in_the_bank_with_a_space_before_it(
    embedded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TransformersEngine(*embedded)
    monkeypatch.setattr(module, "BANK", 10**6)
    everything = set(_bank(engine, [], monkeypatch))
    bank = set(_bank(engine, ["London", "In (Paris)."], monkeypatch))
    assert {" London", " Paris", " Berlin"} <= everything
    assert not bank & {" London", " Paris"}
    assert " Berlin" in bank


def test_a_bank_of_a_large_vocabulary_is_spread_over_it(embedded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TransformersEngine(*embedded)
    few = _bank(engine, ["Harry Potter"], monkeypatch)
    assert len(few) == module.BANK
    monkeypatch.setattr(module, "BANK", 10**6)
    everything = _bank(engine, ["Harry Potter"], monkeypatch)
    places = np.array([everything.index(token) for token in few])
    np.testing.assert_allclose(places, np.linspace(0, len(everything) - 1, len(few)), atol=1)


def test_a_vocabulary_without_words_is_refused(engine: TransformersEngine) -> None:
    everything = engine.tokenizer.batch_decode([[n] for n in range(len(engine.tokenizer))])
    with pytest.raises(FitError, match="no ordinary word"):
        ordinary_bank(engine, everything)


def _likelihood(
    engine: TransformersEngine, forget_prompts: ForgetPrompts, direction: Any, std: float, strength: float
) -> float:
    corruption = Corruption(
        function="adversarial", strength=strength, embedding_std=std, stored={"direction": direction}
    )
    scores = engine.log_likelihood(forget_prompts.inputs(corruption), ANSWERS)
    return float(np.mean([float(tokens.mean()) for tokens in scores]))


def test_an_adversarial_direction_takes_the_answers_away(
    engine: TransformersEngine, forget_prompts: ForgetPrompts, std: float
) -> None:
    direction = adversarial_direction(engine, forget_prompts, ANSWERS, std)
    assert direction.shape == (32,)
    assert direction.dtype == np.float32
    assert float(np.linalg.norm(direction)) == pytest.approx(1, abs=1e-5)
    generator = np.random.default_rng(0)
    others = [-direction]
    for _ in range(8):
        drawn = generator.standard_normal(32)
        others.append((drawn / np.linalg.norm(drawn)).astype(np.float32))
    for strength in (0.5, 1.0):
        ours = _likelihood(engine, forget_prompts, direction, std, strength)
        assert ours < _likelihood(engine, forget_prompts, direction, std, 0.0) - 0.1
        assert ours < min(_likelihood(engine, forget_prompts, other, std, strength) for other in others)


def test_a_direction_is_the_same_every_time_and_leaves_the_model_as_it_was(
    engine: TransformersEngine, forget_prompts: ForgetPrompts, std: float
) -> None:
    before = {name: value.clone() for name, value in engine.model.state_dict().items()}
    hooked = hooks(engine.model)
    first, second = (adversarial_direction(engine, forget_prompts, ANSWERS, std) for _ in range(2))
    assert np.array_equal(first, second)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in engine.model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in engine.model.state_dict().items())
    assert hooks(engine.model) == hooked


def test_a_single_step_is_the_gradient_averaged_over_tokens_then_examples(
    engine: TransformersEngine, forget_prompts: ForgetPrompts, std: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STEPS", 1)
    table = engine.embedding.weight.detach()
    slopes = []
    for prompt, spans, answer in zip(forget_prompts.prompts, forget_prompts.selected, ANSWERS, strict=True):
        target = engine.tokenizer(answer, add_special_tokens=False)["input_ids"]
        embeddings = table[torch.tensor([*prompt.token_ids, *target])].clone().requires_grad_()
        logits = engine.model(inputs_embeds=embeddings[None]).logits[0].log_softmax(-1)
        start = len(prompt.token_ids) - 1
        score = torch.stack([logits[start + n, token] for n, token in enumerate(target)]).mean()
        [gradient] = torch.autograd.grad(score, [embeddings])
        slopes.append(gradient[spans[0].positions].mean(dim=0))
    expected = -torch.stack(slopes).mean(dim=0)
    found = adversarial_direction(engine, forget_prompts, ANSWERS, std)
    np.testing.assert_allclose(found, (expected / expected.norm()).numpy(), atol=1e-4)


@pytest.mark.parametrize("function", ["semantic", "adversarial"])
def test_learned_arrays_survive_saving_and_corrupt_alike(
    engine: TransformersEngine,
    forget_prompts: ForgetPrompts,
    std: float,
    make_scope: Any,
    make_artifact: Any,
    bag_of_words: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    function: str,
) -> None:
    monkeypatch.setattr("unlearned.artifact.artifact.sentence_encoder", lambda name: bag_of_words)
    arrays = stored_arrays(function, engine, forget_prompts, ANSWERS, std)
    corruption = Corruption(function=function, strength=0.7, embedding_std=std, stored=arrays)
    artifact = make_artifact(make_scope(corruption=corruption))
    again = Artifact.from_pretrained(artifact.save_pretrained(tmp_path / "hp"))
    prompts = [engine.tokenize(question) for question, _ in KNOWN[:3]]
    before, after = (a.unlearner().prepare(prompts, engine) for a in (artifact, again))
    for one, other in zip(before, after, strict=True):
        assert one.corrupted
        assert torch.equal(one.vectors, other.vectors)
        assert not torch.equal(one.vectors, engine.embed(one.token_ids)[one.positions])
    assert ForgetPrompts(engine, again.scopes[0], prompts).inputs(corruption)[0].vectors.equal(before[0].vectors)
