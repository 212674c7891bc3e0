"""Fine-tuning on random models of one layer: it learns, weighs, goes on after an interruption, and cleans up."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from unlearned.classify.base import Features
from unlearned.classify.sequence import SequenceClassifier
from unlearned.errors import ConfigError, FitError, FitWarning, ModelLoadError
from unlearned.learn import train_encoder as module
from unlearned.learn.train_encoder import (
    EncoderTraining,
    class_weights,
    split,
    train_encoder,
    validation_metrics,
)

pytestmark = pytest.mark.slow

VERBS, THINGS = ["bake", "buy", "eat", "see", "like"], ["bread", "cake", "rice", "fish", "tea", "wine"]
ASKED = [f"does harry {verb} {thing} ?" for verb in VERBS for thing in THINGS]
FORGET, UNSEEN = ASKED[::2], ASKED[1::2]
OTHERS = [f"does {who} {verb} {thing} ?" for who in ("anna", "paul") for verb in VERBS for thing in THINGS]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with an untrained encoder."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "does", "harry", "anna", "paul", "?", *VERBS, *THINGS]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder = tmp_path_factory.mktemp("base")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=32,
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(folder)
    return str(folder)


def recipe(base: str, **more: Any) -> EncoderTraining:
    return EncoderTraining(**({"model": base, "epochs": 6, "learning_rate": 1e-2, "device": "cpu"} | more))


def weights(classifier: SequenceClassifier) -> dict[str, Any]:
    return classifier.state()[1]


def equal(left: SequenceClassifier, right: SequenceClassifier) -> bool:
    ours, theirs = weights(left), weights(right)
    return all(np.array_equal(ours[name], theirs[name]) for name in ours)


class InterruptedHereError(Exception):
    pass


class StopAt:
    """Progress that raises at a step; remembers all it was told."""

    def __init__(self, step: int | None = None) -> None:
        self.step = step
        self.told: list[tuple[str, int, int]] = []

    def __call__(self, phase: str, done: int, total: int) -> None:
        self.told.append((phase, done, total))
        if done == self.step:
            raise InterruptedHereError


def test_it_learns_what_can_be_told_apart(base: str) -> None:
    progress = StopAt()
    classifier = train_encoder(FORGET, OTHERS[::2], recipe(base, epochs=12, batch_size=4, patience=12), None, progress)
    texts = [*UNSEEN, *OTHERS[1::2]]
    scores = classifier.predict_proba(Features.of(texts, classifier.encoder))
    assert (scores[: len(UNSEEN)] > 0.8).all()
    assert (scores[len(UNSEEN) :] < 0.2).all()
    settings, _ = classifier.state()
    assert settings["config"]["id2label"] == {"0": "retain", "1": "forget"}
    again = SequenceClassifier.from_state(*json_round(classifier), classifier.encoder)
    assert np.array_equal(again.predict_proba(Features.of(texts, again.encoder)), scores)
    steps = 12 * math.ceil((13 + 27) / 4)  # 10 % of each side are held out: of 15, round(1.5) = 2; of 30, 3
    assert progress.told[0] == ("training", 1, steps)
    assert progress.told[-1] == ("training", steps, steps)


def json_round(classifier: SequenceClassifier) -> tuple[dict[str, Any], dict[str, Any]]:
    settings, arrays = classifier.state()
    return json.loads(json.dumps(settings)), arrays


def test_the_same_call_gives_the_same_weights_and_leaves_all_generators_alone(base: str) -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    first = train_encoder(FORGET, OTHERS, recipe(base, epochs=1))
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])
    torch.manual_seed(2)
    assert equal(first, train_encoder(FORGET, OTHERS, recipe(base, epochs=1)))
    assert not equal(first, train_encoder(FORGET, OTHERS, recipe(base, epochs=1, seed=1)))


def test_class_weights_are_the_inverse_frequencies() -> None:
    assert class_weights([0, 0, 0, 1]).tolist() == pytest.approx([4 / 3, 4])


def test_the_training_loss_is_the_weighted_cross_entropy(base: str) -> None:
    """By hand: sum_i w_i (-log p_i) / sum_i w_i with w_c = N / N_c."""
    rows = torch.tensor([[1.0, 3.0], [0.5, 0.0], [2.0, 2.0]])
    labels = [1, 0, 0]

    class Fixed(torch.nn.Module):
        def forward(self, index: torch.Tensor) -> Any:
            from transformers.modeling_outputs import SequenceClassifierOutput

            return SequenceClassifierOutput(logits=rows[index])

    trainer = module._trainer_class().__new__(module._trainer_class())
    trainer.weights = torch.tensor([3 / 2, 3 / 1])
    found = trainer.compute_loss(Fixed(), {"index": torch.arange(3), "labels": torch.tensor(labels)})
    minus_log = [math.log(1 + math.exp(-2)), math.log(1 + math.exp(-0.5)), math.log(2)]
    expected = (3 * minus_log[0] + 1.5 * minus_log[1] + 1.5 * minus_log[2]) / (3 + 1.5 + 1.5)
    assert float(found) == pytest.approx(expected, rel=1e-6)
    metrics = validation_metrics(rows.numpy(), np.array(labels), torch.tensor([1.5, 3.0]))
    assert metrics["weighted_loss"] == pytest.approx(expected, rel=1e-6)
    assert metrics["errors"] == 0.5  # FNR 0; of the others one of two, as p = 1/2 is flagged


def test_the_trainer_gets_the_papers_recipe(tmp_path: Path) -> None:
    found = module._arguments(EncoderTraining(device="cpu"), tmp_path, validated=True)
    assert (found.learning_rate, found.weight_decay, found.adam_epsilon) == (2e-5, 0.1, 1e-6)
    assert (found.adam_beta1, found.adam_beta2, found.max_grad_norm) == (0.9, 0.98, 0.0)
    assert (found.lr_scheduler_type, found.get_warmup_steps(1000)) == ("cosine", 100)
    assert (found.num_train_epochs, found.train_batch_size, found.gradient_accumulation_steps) == (30, 16, 1)
    assert found.report_to == []
    assert EncoderTraining().model == "roberta-base"
    assert EncoderTraining().max_length == 512


def test_the_split_is_stratified_and_never_takes_the_only_text() -> None:
    labels = [1] * 20 + [0] * 100
    held_out = split(labels, 0.1, seed=0)
    assert (held_out[:20].sum(), held_out[20:].sum()) == (2, 10)
    assert np.array_equal(held_out, split(labels, 0.1, seed=0))
    assert not np.array_equal(held_out, split(labels, 0.1, seed=1))
    few = split([1, 0, 0], 0.1, seed=0)
    assert (bool(few[0]), few.sum()) == (False, 1)
    assert not split(labels, 0.0, seed=0).any()


def test_an_interrupted_training_goes_on_and_ends_where_it_would_have(base: str, tmp_path: Path) -> None:
    whole = train_encoder(FORGET, OTHERS, recipe(base, epochs=4))
    out = tmp_path / "out"
    with pytest.raises(InterruptedHereError):
        train_encoder(FORGET, OTHERS, recipe(base, epochs=4), out, StopAt(13))  # 5 steps per epoch: in the third
    assert (out / "checkpoints" / "checkpoint-10").is_dir()
    progress = StopAt()
    resumed = train_encoder(FORGET, OTHERS, recipe(base, epochs=4), out, progress)
    assert progress.told[0] == ("training", 11, 20)
    assert equal(whole, resumed)
    assert list(out.iterdir()) == []


def test_a_checkpoint_that_was_not_finished_is_passed_over(base: str, tmp_path: Path) -> None:
    with pytest.raises(InterruptedHereError):
        train_encoder(FORGET, OTHERS, recipe(base, epochs=4), tmp_path, StopAt(13))
    half = tmp_path / "checkpoints" / "checkpoint-12"
    half.mkdir()
    (half / "trainer_state.json").write_text('{"global_')
    progress = StopAt()
    train_encoder(FORGET, OTHERS, recipe(base, epochs=4), tmp_path, progress)
    assert progress.told[0] == ("training", 11, 20)


@pytest.mark.parametrize("other", ["data", "settings"])
def test_checkpoints_of_another_fit_are_not_used(base: str, tmp_path: Path, other: str) -> None:
    with pytest.raises(InterruptedHereError):
        train_encoder(FORGET, OTHERS, recipe(base, epochs=2), tmp_path, StopAt(7))
    forget = [*FORGET[:-1], "does harry like wine ?"] if other == "data" else FORGET
    config = recipe(base, epochs=2, seed=0 if other == "data" else 1)
    progress = StopAt()
    with pytest.warns(FitWarning, match="starts over"):
        found = train_encoder(forget, OTHERS, config, tmp_path, progress)
    assert progress.told[0] == ("training", 1, 10)
    assert equal(found, train_encoder(forget, OTHERS, config))


def test_a_folder_that_no_fit_made_is_left_alone(base: str, tmp_path: Path) -> None:
    mine = tmp_path / "checkpoints" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(ConfigError, match="not made by a fit"):
        train_encoder(FORGET, OTHERS, recipe(base), tmp_path)
    assert mine.read_text() == "mine"


def test_it_stops_early_and_keeps_the_best_epoch(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([0.5, 0.2, 0.3, 0.4, 0.1])
    monkeypatch.setattr(module, "validation_metrics", lambda *_: {"weighted_loss": next(losses), "errors": 0.0})
    progress = StopAt()
    stopped = train_encoder(FORGET, OTHERS, recipe(base, epochs=6, patience=2), tmp_path, progress)
    assert progress.told[-2][1] == 20  # after the fourth epoch of five steps
    assert progress.told[-1] == ("training", 30, 30)
    # The best one is the second; a run that is interrupted after it has the same weights in its checkpoint.
    losses = iter([0.5, 0.2, 0.3, 0.4])
    with pytest.raises(InterruptedHereError):
        train_encoder(FORGET, OTHERS, recipe(base, epochs=6, patience=2), tmp_path, StopAt(11))
    from safetensors.numpy import load_file

    second = load_file(tmp_path / "checkpoints" / "checkpoint-10" / "model.safetensors")
    assert all(np.array_equal(weights(stopped)[f"model.{n}"], a.astype(np.float16)) for n, a in second.items())
    # And early stopping goes on counting from there.
    progress = StopAt()
    resumed = train_encoder(FORGET, OTHERS, recipe(base, epochs=6, patience=2), tmp_path, progress)
    assert progress.told[-2][1] == 20
    assert equal(resumed, stopped)


def test_without_validation_the_last_epoch_counts(base: str) -> None:
    progress = StopAt()
    classifier = train_encoder(FORGET[:1], OTHERS[:3], recipe(base, epochs=3, validation=0), None, progress)
    assert progress.told[-1] == ("training", 3, 3)
    assert classifier.encoder.encode(["does harry ?"]).shape == (1, 1)


def test_errors_can_choose_the_epoch_and_long_texts_are_cut(base: str) -> None:
    config = recipe(base, epochs=1, select="errors", max_length=8)
    classifier = train_encoder(["harry " * 99, *FORGET], OTHERS, config)
    assert classifier.encoder.loaded.window == 8


def test_a_training_that_diverges_is_an_error(base: str) -> None:
    with pytest.raises(FitError, match="Lower learning_rate"):
        train_encoder(FORGET, OTHERS, recipe(base, epochs=1, learning_rate=1e20))


def test_both_sides_need_a_text(base: str) -> None:
    with pytest.raises(FitError, match="0 forget and 60 other"):
        train_encoder([], OTHERS, recipe(base))
    with pytest.raises(FitError, match="15 forget and 0 other"):
        train_encoder(FORGET, [], recipe(base))


def test_a_model_that_does_not_exist_is_an_error(base: str, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="no-such-org/no-such-encoder"):
        train_encoder(FORGET, OTHERS, recipe("no-such-org/no-such-encoder"))
    broken = tmp_path / "broken"
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=20, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(
        broken, state_dict={"embeddings.word_embeddings.weight": torch.zeros(20, 16)}
    )
    PreTrainedTokenizerFast.from_pretrained(base).save_pretrained(broken)
    with pytest.raises(ModelLoadError, match="lacks"):
        train_encoder(FORGET, OTHERS, recipe(str(broken)))


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_minilm_comes_from_its_package(name: str) -> None:
    model, tokenizer = module._start(EncoderTraining(model=name))
    assert model.config.hidden_size == 384
    assert model.config.id2label == {0: "retain", 1: "forget"}
    assert tokenizer.model_max_length == 512


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"patience": 0},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"epsilon": 0.0},
        {"weight_decay": -0.1},
        {"betas": (0.9, 1.0)},
        {"betas": (0.9,)},
        {"warmup": 1.0},
        {"max_length": 2},
        {"validation": 0.9},
        {"select": "accuracy"},
        {"device": "cuda:1"},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        EncoderTraining(**wrong)
