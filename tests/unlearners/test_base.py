"""Every unlearner is one type to the rest, and one rule says which of them stand together."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError
from unlearned.types import PromptInput, Verdict
from unlearned.unlearners.base import Unlearner, check_together
from unlearned.unlearners.eco import ECO
from unlearned.unlearners.instruction import Instruction
from unlearned.unlearners.spul import SPUL
from unlearned.unlearners.together import together

FORGET, OTHER = "Who is Harry Potter?", "How do I bake bread?"


@pytest.fixture
def engine(tiny_model: Any, tiny_tokenizer: Any) -> TransformersEngine:
    return TransformersEngine(tiny_model, tiny_tokenizer)


@pytest.fixture
def soft(engine: TransformersEngine) -> SPUL:
    vectors = torch.randn((3, 32), generator=torch.Generator().manual_seed(0))
    return SPUL(vectors, engine.substitute_id)


def as_lists(inputs: list[PromptInput]) -> list[Any]:
    return [
        (
            one.token_ids,
            one.verdict,
            one.answer,
            None if one.positions is None else one.positions.tolist(),
            None if one.vectors is None else one.vectors.tolist(),
        )
        for one in inputs
    ]


def test_each_kind_prepares_what_it_has_classified(engine: TransformersEngine, soft: SPUL, make_artifact: Any) -> None:
    eco = make_artifact().unlearner()
    kinds: list[tuple[Unlearner, str, bool, bool]] = [
        (eco, "eco", False, True),
        (soft, "spul", True, False),
        (Instruction(kind="prompting", text="Hush. "), "instruction", True, False),
        (Instruction(kind="refusal", text="Hush. ", answer="No.", detector=eco), "instruction", True, True),
        (together([eco, soft]), "spul+eco", True, True),
    ]
    prompts = [engine.tokenize(text) for text in (FORGET, OTHER)]
    for unlearner, method, lengthens, detects in kinds:
        verdicts = unlearner.classify(prompts)
        assert (unlearner.method, unlearner.lengthens) == (method, lengthens)
        assert [verdict.in_scope for verdict in verdicts] == [detects, False], method
        found = unlearner.prepared(prompts, verdicts, engine)
        assert as_lists(found) == as_lists(unlearner.prepare(prompts, engine)), method
        assert as_lists(found) != as_lists(ECO([]).prepare(prompts, engine)), method
        longer = [len(given.token_ids) > len(own.token_ids) for given, own in zip(found, prompts, strict=True)]
        assert any(longer) is lengthens, method


def test_behind_a_soft_prompt_artifacts_do_what_they_do_alone(
    engine: TransformersEngine, soft: SPUL, make_scope: Any
) -> None:
    parts = [ECO([make_scope("b")]), soft, ECO([make_scope("a", secret=b"t" * 32)])]
    prompts = [engine.tokenize(text) for text in (FORGET, OTHER)]
    alone = together([parts[0], parts[2]])
    assert isinstance(alone, ECO)
    assert [scope.name for scope in alone.scopes] == ["a", "b"]
    found, bare = together(parts).prepare(prompts, engine), alone.prepare(prompts, engine)
    assert [given.verdict for given in found] == [given.verdict for given in bare]
    assert bare[0].vectors is not None
    assert found[0].vectors is not None
    assert torch.equal(found[0].vectors, torch.cat([soft.vectors, bare[0].vectors]))
    assert together([soft]) is soft
    assert together([]).prepare(prompts, engine)[0].token_ids == prompts[0].token_ids
    assert together([]).classify(prompts) == [Verdict(), Verdict()]


@pytest.mark.parametrize("methods", [[], ["eco"], ["eco", "eco", "spul"], ["spul"], ["instruction"]])
def test_these_stand_together(methods: list[str]) -> None:
    check_together(methods)


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (["eco", "instruction"], "stands alone, and here is an artifact of scopes beside it"),
        (["instruction", "spul"], "stands alone, and here is a soft prompt beside it"),
        (["instruction", "instruction"], "stands alone, and here is another instruction beside it"),
        (["spul", "eco", "spul"], "Two soft prompts"),
    ],
)
def test_these_do_not(methods: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_together(methods)
