"""The packed forward pass gives what transformers' BertModel gives."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

from unlearned.classify.mean_pooled import MeanPooledBert
from unlearned.classify.packed import PackedBert
from unlearned.classify.sentences import SentenceEncoder, _packed
from unlearned.embedded import embedded_encoder_folder

SIZES = {"vocab_size": 50, "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 40}


def tiny(**changes: Any) -> BertModel:
    torch.manual_seed(0)
    model = BertModel(BertConfig(**SIZES, max_position_embeddings=16, **changes)).eval()
    for parameter in model.parameters():  # biases and normalisations start as zeros and ones, which would hide mistakes
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def batch(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    ids = torch.randint(1, 50, mask.shape, generator=torch.Generator().manual_seed(1))
    return ids * mask, mask.long()


@pytest.mark.parametrize("lengths", [(7,), (1,), (16,), (5, 5), (3, 16, 1, 9)])
def test_states_are_those_of_the_model(lengths: tuple[int, ...]) -> None:
    model = tiny()
    ids, mask = batch(*lengths)
    with torch.inference_mode():
        expected = model(input_ids=ids, attention_mask=mask).last_hidden_state
    packed = PackedBert(model)(ids, mask)
    torch.testing.assert_close(packed, expected * mask[..., None], atol=1e-5, rtol=1e-5)


def test_padding_may_stand_anywhere() -> None:
    model = tiny()
    ids, mask = batch(5)
    ids, mask = torch.cat([ids, ids * 0], dim=1), torch.cat([mask, mask * 0], dim=1)
    for padded, shown in ((ids, mask), (ids.flip(1), mask.flip(1))):
        with torch.inference_mode():
            expected = model(input_ids=padded, attention_mask=shown).last_hidden_state
        torch.testing.assert_close(PackedBert(model)(padded, shown), expected * shown[..., None], atol=1e-5, rtol=1e-5)


def test_the_model_goes_on_as_before_and_shares_the_weights() -> None:
    model = tiny()
    ids, mask = batch(4, 6)
    with torch.inference_mode():
        before = model(input_ids=ids, attention_mask=mask).last_hidden_state
        packed = PackedBert(model)
        assert torch.equal(model(input_ids=ids, attention_mask=mask).last_hidden_state, before)
        model.encoder.layer[0].attention.self.key.weight.mul_(2)
        changed = model(input_ids=ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(packed(ids, mask), changed * mask[..., None], atol=1e-5, rtol=1e-5)


def test_only_plain_berts_are_taken() -> None:
    assert PackedBert.takes(tiny())
    assert not PackedBert.takes(tiny(hidden_act="relu"))
    assert not PackedBert.takes(tiny(is_decoder=True))
    assert not PackedBert.takes(tiny().bfloat16())
    assert not PackedBert.takes(tiny().train())
    assert not PackedBert.takes(RobertaModel(RobertaConfig(**SIZES)).eval())
    assert not PackedBert.takes(None)


def test_an_encoder_that_computes_something_else_keeps_its_own_forward_pass() -> None:
    model = SentenceEncoder().model
    assert _packed(model) is not None
    model[0].auto_model.encoder.layer[0].register_forward_hook(lambda module, given, found: found * 1.01)
    assert _packed(model) is None


TEXTS = ["Who is Harry Potter?", "", "long " * 400, "é 你好", "  spaces  ", "ÀB\u0301C", "Where is Paris?"]


def test_vectors_are_those_of_sentence_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = TEXTS * 5  # two batches
    expected = torch.tensor(SentenceEncoder().model.encode(texts, normalize_embeddings=True))
    torch.testing.assert_close(torch.tensor(SentenceEncoder().encode(texts)), expected, atol=1e-5, rtol=0)
    # The way of encoders that are more than a mean of BERT's states:
    monkeypatch.setattr(SentenceEncoder, "plain", None)
    encoder = SentenceEncoder()
    torch.testing.assert_close(torch.tensor(encoder.encode(texts)), expected, atol=1e-5, rtol=0)
    assert encoder._packed is not None


def test_without_sentence_transformers_every_token_and_every_bit_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, other = SentenceEncoder(), SentenceEncoder()
    assert plain.plain is not None
    for text in TEXTS:
        own, expected = plain.plain.preprocess([text]), other.model.preprocess([text])
        assert torch.equal(own["input_ids"], expected["input_ids"])
    found = plain.encode(TEXTS)
    monkeypatch.setattr(SentenceEncoder, "plain", None)
    assert (found == other.encode(TEXTS)).all()
    assert [plain.is_common_word(word) for word in ("Martin", "Ozolnieks")] == [True, False]


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("modules.json", lambda found: [*found, {"type": "sentence_transformers.models.Dense", "path": "3_Dense"}]),
        ("modules.json", lambda found: found[:1]),
        ("1_Pooling/config.json", lambda found: {**found, "pooling_mode_cls_token": True}),
        ("sentence_bert_config.json", lambda found: {**found, "do_lower_case": True}),
        ("sentence_bert_config.json", lambda found: {"do_lower_case": False}),
        ("config_sentence_transformers.json", lambda found: {**found, "default_prompt_name": "query"}),
        ("config.json", lambda found: {**found, "model_type": "mpnet"}),
    ],
)
def test_an_encoder_of_another_kind_is_left_to_sentence_transformers(
    file: str, change: Callable[[Any], Any], tmp_path: Path
) -> None:
    source = embedded_encoder_folder()
    assert source is not None
    folder = tmp_path / "encoder"
    shutil.copytree(source, folder)
    assert MeanPooledBert.open(folder) is not None
    place = folder / file
    place.write_text(json.dumps(change(json.loads(place.read_text()))))
    assert MeanPooledBert.open(folder) is None
