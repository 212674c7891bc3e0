"""Strangers are the default only where they help."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers_at_hand import of_word_pieces

from unlearned.corrupt.functions import SUBSTITUTION
from unlearned.errors import ConfigError
from unlearned.examples import Row
from unlearned.learn.config import AUTO, BEST, WITHOUT_NAMES, StrengthConfig
from unlearned.learn.default_corruption import decided, may_substitute, named_share, unsupported
from unlearned.substitution.bank import Bank
from unlearned.substitution.pieces import Pieces


@pytest.fixture(scope="module")
def bank(embedded: Any) -> Bank:
    return Bank(Pieces(embedded[1]))


def test_a_tokenizer_that_gives_no_word_back_has_no_strangers(bank: Bank) -> None:
    assert unsupported(bank) is None
    assert unsupported(Bank(Pieces(of_word_pieces()))) is not None


def test_strangers_are_chosen_where_at_least_half_of_the_prompts_name_somebody(bank: Bank) -> None:
    named, plain = Row("Who is Ada Byron?"), Row("What is demand?")
    for rows, chosen in (
        ([named, plain], SUBSTITUTION),
        ([named, plain, plain], WITHOUT_NAMES),
        ([plain], WITHOUT_NAMES),
    ):
        config, why = decided(StrengthConfig(corruption=BEST), rows, bank)
        assert config.corruption == chosen, rows
        assert "%" in why
    assert named_share([named, plain], bank) == 0.5


def test_what_was_chosen_stays_and_what_a_tokenizer_cannot_do_is_refused(bank: Bank) -> None:
    rows = [Row("Who is Ada Byron?")]
    for name in (WITHOUT_NAMES, SUBSTITUTION, AUTO):
        config = StrengthConfig(corruption=name)
        assert decided(config, rows, bank) == (config, "")
    lacking = Bank(Pieces(of_word_pieces()))
    with pytest.raises(ConfigError, match=SUBSTITUTION):
        decided(StrengthConfig(corruption=SUBSTITUTION), rows, lacking)
    assert decided(StrengthConfig(corruption=BEST), rows, lacking)[0].corruption == WITHOUT_NAMES
    assert SUBSTITUTION not in decided(StrengthConfig(corruption=AUTO), rows, lacking)[0].auto_functions
    assert [may_substitute(name) for name in (AUTO, BEST, SUBSTITUTION, WITHOUT_NAMES)] == [True, False, True, False]
