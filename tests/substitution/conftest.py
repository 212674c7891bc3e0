"""Strangers for two families of tokenizers."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers_at_hand import FAMILIES, known_strangers, with_spaces_as_letters
from transformers import PreTrainedTokenizerFast

from unlearned.substitution.bank import Bank
from unlearned.substitution.pieces import Pieces
from unlearned.substitution.substitution import Substitution


@pytest.fixture(scope="module", params=FAMILIES)
def tokenizer(request: pytest.FixtureRequest, embedded: Any) -> PreTrainedTokenizerFast:
    return embedded[1] if request.param == "byte-level" else with_spaces_as_letters()


@pytest.fixture(scope="module")
def bank(tokenizer: PreTrainedTokenizerFast) -> Bank:
    return Bank(Pieces(tokenizer))


@pytest.fixture(scope="module")
def substitution(bank: Bank) -> Substitution:
    return known_strangers(bank)
