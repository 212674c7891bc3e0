"""Sequence classifiers, on random models of two layers with a vocabulary of a dozen words."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    LlamaConfig,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from oracles.features import given_features
from unlearned.classify.base import Features, Floats, classifiers
from unlearned.classify.sequence import SequenceClassifier, SequenceEncoder, reading_window, sequence_encoder
from unlearned.errors import ConfigError, ModelLoadError

WORDS = ["who", "is", "harry", "potter", "what", "hogwarts", "how", "do", "i", "bake", "bread", "?"]
SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXTS = ["who is harry potter ?", "bread", "", "how do i bake bread ? " * 3, "what is hogwarts", "an unknown thing"]


def make_tokenizer(**more: Any) -> PreTrainedTokenizerFast:
    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **(special | more))


def make_model(seed: int = 0, **more: Any) -> BertForSequenceClassification:
    torch.manual_seed(seed)
    more = {"max_position_embeddings": 32, "initializer_range": 0.5} | more
    return BertForSequenceClassification(BertConfig(vocab_size=16, **SIZES, **more)).eval()


@pytest.fixture
def save(tmp_path: Path) -> Any:
    """A model, saved with the tokenizer -> the folder's name."""

    def saved(model: Any, tokenizer: Any = None) -> str:
        folder = tmp_path / f"model{len(list(tmp_path.iterdir()))}"
        model.save_pretrained(folder)
        (tokenizer or make_tokenizer()).save_pretrained(folder)
        return str(folder)

    return saved


def logits(model: Any, text: str) -> torch.Tensor:
    with torch.no_grad():
        return model(**make_tokenizer()(text, return_tensors="pt")).logits[0]


def test_it_is_registered_under_its_name() -> None:
    assert classifiers.get("encoder") is SequenceClassifier


def test_the_second_of_two_labels_is_forget(save: Any) -> None:
    model = make_model()
    found = SequenceEncoder(save(model)).encode(TEXTS)
    assert found.shape == (len(TEXTS), 1)
    assert found.dtype == np.float32
    expected = [float(logits(model, text).softmax(0)[1]) for text in TEXTS]
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-5)
    assert np.ptp(found) > 0.01


@pytest.mark.parametrize("labels", [["Forget", "retain"], ["a", "b", "FORGET", "c"]])
def test_the_label_called_forget_is_it_wherever_it_stands(save: Any, labels: list[str]) -> None:
    model = make_model(id2label=dict(enumerate(labels)), label2id={label: n for n, label in enumerate(labels)})
    place = [label.lower() for label in labels].index("forget")
    found = SequenceEncoder(save(model)).encode(TEXTS)[:, 0]
    np.testing.assert_allclose(found, [float(logits(model, t).softmax(0)[place]) for t in TEXTS], atol=1e-5)


def test_a_single_logit_is_that_of_forget(save: Any) -> None:
    model = make_model(num_labels=1)
    found = SequenceEncoder(save(model)).encode(TEXTS)[:, 0]
    np.testing.assert_allclose(found, [float(logits(model, t).sigmoid()) for t in TEXTS], atol=1e-5)


def test_three_labels_without_a_forget_are_refused(save: Any) -> None:
    with pytest.raises(ModelLoadError, match=r"3 labels \(LABEL_0, LABEL_1, LABEL_2\).*id2label"):
        SequenceEncoder(save(make_model(num_labels=3))).encode(["x"])


def test_texts_keep_their_order_across_batches(save: Any) -> None:
    encoder = SequenceEncoder(save(make_model()))
    many = [" ".join(WORDS[: n % 11 + 1]) for n in range(80)]
    alone = np.concatenate([encoder.encode([text]) for text in many])
    np.testing.assert_allclose(encoder.encode(many), alone, atol=1e-5)
    assert encoder.encode([]).shape == (0, 1)


def test_a_long_text_is_read_up_to_the_window(save: Any) -> None:
    encoder = SequenceEncoder(save(make_model()))
    assert encoder.loaded.window == 32
    long, longer = "harry potter " * 15, "harry potter " * 400
    assert encoder.encode([longer]).tolist() == encoder.encode([long + "bread " * 9]).tolist()


def test_roberta_counts_its_positions_from_behind_the_pad_id(save: Any) -> None:
    config = RobertaConfig(vocab_size=16, max_position_embeddings=34, pad_token_id=0, **SIZES)
    encoder = SequenceEncoder(save(RobertaForSequenceClassification(config)))
    assert encoder.loaded.window == 33
    assert 0 < encoder.encode(["bread " * 100])[0, 0] < 1


def test_the_tokenizers_limit_counts_too() -> None:
    assert reading_window(make_model(), make_tokenizer(model_max_length=9)) == 9
    assert reading_window(make_model(), make_tokenizer()) == 32


def test_a_model_without_a_pad_token_reads_one_text_at_a_time(save: Any) -> None:
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=16, max_position_embeddings=32, initializer_range=0.5, pad_token_id=None, **SIZES)
    model = LlamaForSequenceClassification(config).eval()
    encoder = SequenceEncoder(save(model, make_tokenizer(pad_token=None)))
    found = encoder.encode(TEXTS)[:, 0]
    np.testing.assert_allclose(found, [float(logits(model, text).softmax(0)[1]) for text in TEXTS], atol=1e-5)


def test_two_threads_can_encode_at_once_and_load_once(save: Any) -> None:
    encoder = SequenceEncoder(save(make_model()))
    barrier, results, loaded = threading.Barrier(2), [], []

    def work() -> None:
        barrier.wait()
        loaded.append(encoder.loaded)
        results.extend(encoder.encode(TEXTS) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded[0] is loaded[1]
    assert len(results) == 10
    assert all(np.array_equal(result, results[0]) for result in results)


def test_all_who_name_a_model_share_its_encoder(save: Any) -> None:
    name = save(make_model())
    encoder = sequence_encoder(name)
    assert encoder is sequence_encoder(Path(name)) is sequence_encoder(name=name, device=None)
    assert SequenceClassifier.from_state({"model": name}, {}, encoder).encoder is encoder
    assert SequenceClassifier.from_state({"model": name}, {}, sequence_encoder("other")).encoder is encoder


def test_making_an_encoder_loads_nothing() -> None:
    assert SequenceEncoder("no/such-classifier").name == "no/such-classifier"


@pytest.mark.parametrize("name", ["no-such-org/no-such-classifier", "/no/such/folder", "./nothing"])
def test_a_model_that_does_not_exist_is_an_error_of_one_line(name: str) -> None:
    with pytest.raises(ModelLoadError, match=name) as caught:
        SequenceEncoder(name).encode(["x"])
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_not_read(save: Any) -> None:
    model = make_model()
    folder = Path(save(model))
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ModelLoadError, match="pickled weights are not read") as caught:
        SequenceEncoder(str(folder)).encode(["x"])
    assert "\n" not in str(caught.value)


def test_truncated_weights_are_an_error(save: Any) -> None:
    folder = Path(save(make_model()))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelLoadError, match="Cannot load the sequence classifier"):
        SequenceEncoder(str(folder)).encode(["x"])


def test_a_model_without_a_trained_head_is_refused(save: Any) -> None:
    encoder = SequenceEncoder(save(BertModel(BertConfig(vocab_size=16, **SIZES))))
    with pytest.raises(ModelLoadError, match=r"no trained sequence classifier.*'classifier\.bias'"):
        encoder.encode(["x"])


def test_the_classifier_hands_on_what_its_encoder_says(save: Any) -> None:
    classifier = SequenceClassifier(sequence_encoder(save(make_model())))
    features = Features.of(TEXTS, classifier.encoder)
    assert np.array_equal(classifier.predict_proba(features), classifier.encoder.encode(TEXTS)[:, 0])
    assert classifier.predict_proba(features.take(np.array([2, 0]))).shape == (2,)
    assert classifier.state() == ({"model": classifier.encoder.name}, {})
    with pytest.raises(ConfigError, match="its own encoder"):
        classifier.predict_proba(given_features(("x",), np.zeros((1, 8), dtype=np.float32)))


def fine_tuned() -> SequenceClassifier:
    model = make_model(id2label={0: "retain", 1: "forget"}, label2id={"retain": 0, "forget": 1})
    return SequenceClassifier(SequenceEncoder.of(model, make_tokenizer(model_max_length=20), "tiny, fine-tuned"))


def through_files(settings: dict[str, Any], arrays: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """As an artifact keeps them."""
    from safetensors.numpy import load, save

    return json.loads(json.dumps(settings)), load(save({name: np.ascontiguousarray(a) for name, a in arrays.items()}))


def test_a_fine_tuned_classifier_comes_from_its_state_with_equal_scores(bag_of_words: Any) -> None:
    classifier = fine_tuned()
    before = score(classifier)
    settings, arrays = classifier.state()
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}
    assert all(name.startswith("model.") for name in arrays)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    again = SequenceClassifier.from_state(*through_files(settings, arrays), bag_of_words)
    assert torch.equal(torch.rand(1), expected)  # nobody else's random numbers changed
    assert again.encoder is not bag_of_words
    assert np.array_equal(score(again), before)
    assert np.array_equal(score(classifier), before)
    assert again.encoder.loaded.window == 20
    assert again.encoder.name == "tiny, fine-tuned"
    second, more = again.state()
    assert second == json.loads(json.dumps(settings))
    assert all(np.array_equal(more[name], arrays[name]) for name in arrays)


def score(classifier: SequenceClassifier) -> Floats:
    return classifier.predict_proba(Features.of([*TEXTS, "harry " * 50], classifier.encoder))


def test_the_state_says_nothing_of_the_place_it_was_made_at(save: Any) -> None:
    folder = save(make_model())
    model = BertForSequenceClassification.from_pretrained(folder)
    settings, _ = SequenceEncoder.of(model, make_tokenizer(), "tiny").state()
    assert folder not in json.dumps(settings)


def test_a_weight_that_float16_cannot_hold_is_refused() -> None:
    model = make_model()
    with torch.no_grad():
        model.classifier.weight[0, 0] = 1e6
    with pytest.raises(ConfigError, match=r"classifier\.weight.*float16"):
        SequenceEncoder.of(model, make_tokenizer(), "tiny")


def test_a_state_that_is_not_whole_is_refused(bag_of_words: Any) -> None:
    settings, arrays = fine_tuned().state()
    rest = {name: array for name, array in arrays.items() if name != "model.classifier.bias"}
    with pytest.raises(ModelLoadError, match=r"classifier\.bias"):
        SequenceClassifier.from_state(settings, rest, bag_of_words)
    with pytest.raises(ModelLoadError, match="unexpected array 'other'"):
        SequenceClassifier.from_state(settings, arrays | {"other": np.zeros(1)}, bag_of_words)
    with pytest.raises(ModelLoadError, match="tokenizer"):
        SequenceClassifier.from_state(settings | {"tokenizer": "{}"}, arrays, bag_of_words)
    config = settings["config"] | {"model_type": "no-such-type"}
    with pytest.raises(ModelLoadError, match="no-such-type"):
        SequenceClassifier.from_state(settings | {"config": config}, arrays, bag_of_words)


@pytest.mark.parametrize("change", [{"more": 1}, {"model": "x"}])
def test_unknown_settings_are_refused(bag_of_words: Any, change: dict[str, Any]) -> None:
    settings, arrays = fine_tuned().state()
    with pytest.raises(ConfigError, match="Fit again"):
        SequenceClassifier.from_state(settings | change, arrays, bag_of_words)
    with pytest.raises(ConfigError, match="Fit again"):
        SequenceClassifier.from_state(change, arrays, bag_of_words)


def test_tokenizers_of_other_kinds_survive_the_state() -> None:
    """MiniLM's own: lower-cased WordPiece with an accent-stripping normaliser."""
    from transformers import AutoTokenizer

    from unlearned.embedded import embedded_encoder_folder

    folder = embedded_encoder_folder()
    assert folder is not None
    original = AutoTokenizer.from_pretrained(folder)
    encoder = SequenceEncoder.of(make_model(), original, "tiny")
    texts = ["Who is Harry Potter?", "Ça va, Zoë?", "我们 [MASK] unaffable"]
    assert dict(encoder.loaded.tokenizer(texts)) == dict(original(texts))
