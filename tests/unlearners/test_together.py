"""Several unlearners do together what each of them does."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import UnlearnedError
from unlearned.types import text_only
from unlearned.unlearners.eco import ECO
from unlearned.unlearners.instruction import Instruction
from unlearned.unlearners.spul import SPUL
from unlearned.unlearners.together import BehindSoftPrompt, together


def test_the_scopes_of_all_stand_side_by_side(make_scope: Any) -> None:
    one, other = ECO([make_scope("potter")]), ECO([make_scope("bread"), make_scope("tea")])
    made = together([one, other])
    assert isinstance(made, ECO)
    assert [scope.name for scope in made.scopes] == ["bread", "potter", "tea"]  # by name
    with pytest.raises(UnlearnedError):
        together([one, one])


def test_one_alone_is_itself_and_of_none_every_prompt_passes() -> None:
    soft, words = SPUL(torch.zeros(1, 32), 5), Instruction(kind="prompting", text="Hush.")
    assert together([soft]) is soft
    assert together([words]) is words
    assert together([]).classify([text_only("Who is Harry Potter?")])[0].spans == ()


def test_behind_a_soft_prompt_a_flagged_prompt_stays_corrupted(
    make_scope: Any, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    eco, soft = ECO([make_scope()]), SPUL(torch.ones(2, 32), 5)
    made = together([eco, soft])
    assert isinstance(made, BehindSoftPrompt)
    assert (made.method, made.lengthens) == ("spul+eco", True)
    prompts = [engine.tokenize(text, chat=False) for text in ("Who is Harry Potter?", "How do I bake bread?")]
    flagged, plain = made.prepare(prompts, engine)
    [own, _] = eco.prepare(prompts, engine)
    assert flagged.token_ids == (5, 5, *prompts[0].token_ids)
    assert flagged.positions is not None
    assert own.positions is not None
    assert flagged.positions.tolist() == [0, 1, *(own.positions + 2).tolist()]
    assert flagged.vectors is not None
    assert own.vectors is not None
    torch.testing.assert_close(flagged.vectors[2:], own.vectors)
    assert plain.positions is not None
    assert plain.positions.tolist() == [0, 1]
    assert [one.verdict.in_scope for one in (flagged, plain)] == [True, False]
