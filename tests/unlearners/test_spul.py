"""A soft prompt stands in front of every prompt of its width, and is read as it was saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from unlearned.engines.transformers import TransformersEngine
from unlearned.envelope import RECORD, VECTORS
from unlearned.errors import ArtifactError, ArtifactIntegrityError, ArtifactMismatchError
from unlearned.types import PromptInput, Verdict
from unlearned.unlearners.spul import SPUL, with_soft_prompt

SOFT = SPUL(torch.randn(3, 32, generator=torch.Generator().manual_seed(0)), 7, {"epochs": 2})


def test_it_stands_in_front_of_every_prompt_and_flags_none(tiny_model: Any, tiny_tokenizer: Any) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    prompts = [engine.tokenize(text, chat=False) for text in ("Who is Harry Potter?", "🦊")]
    for prompt, found in zip(prompts, SOFT.prepare(prompts, engine), strict=True):
        assert found.token_ids == (7, 7, 7, *prompt.token_ids)
        assert found.positions is not None
        assert found.positions.tolist() == [0, 1, 2]
        assert found.vectors is SOFT.vectors
        assert found.verdict == Verdict()
    assert SOFT.prepare([], engine) == []
    with pytest.raises(ArtifactMismatchError):
        SPUL(torch.zeros(1, 16), 7).prepare(prompts, engine)


def test_what_another_one_prepared_stays_as_it_is_behind_it(tiny_model: Any, tiny_tokenizer: Any) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    given = PromptInput((1, 2, 3), positions=torch.tensor([1]), vectors=torch.ones(1, 32), answer="No.")
    [found] = SOFT.prepended_to([given], engine)
    assert (found.answer, found.token_ids) == ("No.", (7, 7, 7, 1, 2, 3))
    assert found.positions is not None
    assert found.vectors is not None
    assert found.positions.tolist() == [0, 1, 2, 4]
    torch.testing.assert_close(found.vectors, torch.cat([SOFT.vectors, torch.ones(1, 32)]))
    assert given.token_ids == (1, 2, 3)


def test_no_tokens_behind_it_leave_the_vectors_alone() -> None:
    found = with_soft_prompt([], SOFT.vectors, 7)
    assert found.token_ids == (7, 7, 7)


def test_it_is_read_bit_for_bit_and_anything_altered_is_refused(tmp_path: Path) -> None:
    folder = SOFT.save_pretrained(tmp_path / "soft")
    found = SPUL.from_pretrained(folder)
    assert torch.equal(found.vectors, SOFT.vectors)
    assert (found.placeholder_id, found.record) == (7, {"epochs": 2})
    assert found.sha256 == json.loads((folder / RECORD).read_text())["sha256"]
    with pytest.raises(ArtifactError):
        SOFT.save_pretrained(folder)
    content = bytearray((folder / VECTORS).read_bytes())
    content[-1] ^= 1
    (folder / VECTORS).write_bytes(content)
    with pytest.raises(ArtifactIntegrityError):
        SPUL.from_pretrained(folder)
    with pytest.raises(ArtifactError):
        SPUL.from_pretrained(tmp_path / "none")
