"""Artifacts hold on a model, and together, or there is one clear error."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch

from unlearned.artifact.activation import check_model, doubts_of, enforcing, name_of, scopes_of
from unlearned.artifact.fingerprint import base_model_record
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ArtifactMismatchError, ArtifactWarning, ConfigError, UnlearnedError
from unlearned.types import text_only
from unlearned.unlearners.eco import ECO
from unlearned.unlearners.instruction import Instruction
from unlearned.unlearners.spul import SPUL

PROMPTING = Instruction(kind="prompting", text="Be quiet.")


@pytest.fixture(scope="module")
def here(tiny_model: Any, tiny_tokenizer: Any) -> Any:
    return base_model_record(TransformersEngine(tiny_model, tiny_tokenizer))


def test_scopes_of_all_artifacts_are_enforced_as_one(make_artifact: Any, make_scope: Any) -> None:
    one, other = make_artifact(make_scope("potter")), make_artifact(make_scope("bread", forget=["Bake bread."]))
    found = enforcing([one, other])
    assert isinstance(found, ECO)
    verdicts = found.classify([text_only("Who is Harry Potter?"), text_only("Bake bread."), text_only("Hm.")])
    assert [verdict.scope for verdict in verdicts] == ["potter", "bread", None]
    assert enforcing([]).classify([text_only("Who is Harry Potter?")])[0].in_scope is False
    with pytest.raises(UnlearnedError, match="potter"):
        enforcing([one, one])
    with pytest.raises(ConfigError):
        enforcing([PROMPTING, one])
    assert enforcing([PROMPTING]) is PROMPTING


def test_an_artifact_holds_on_its_own_model_and_is_refused_on_one_of_another_size(
    make_artifact: Any, here: Any
) -> None:
    own = here.model_dump()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_model(make_artifact(**own), here, stacklevel=1)
        check_model(PROMPTING, here, stacklevel=1)
    with pytest.raises(ArtifactMismatchError):
        check_model(make_artifact(**(own | {"embedding_size": 64})), here, stacklevel=1)


def test_a_warning_of_another_model_points_at_whoever_asked(make_artifact: Any, here: Any) -> None:
    with pytest.warns(ArtifactWarning, match="tiny") as said:
        check_model(make_artifact(), here, stacklevel=1)
    assert said[0].filename == __file__


def test_a_detector_alone_holds_on_no_model_unless_it_answers_itself(make_artifact: Any, here: Any) -> None:
    from dataclasses import replace

    artifact = make_artifact()
    detector = replace(artifact, base_model=None)
    with pytest.raises(ArtifactMismatchError):
        check_model(detector, here, stacklevel=1)
    refusing = replace(detector, scopes=tuple(replace(scope, answer="No.") for scope in artifact.scopes))
    check_model(refusing, here, stacklevel=1)


def test_a_soft_prompt_is_for_its_width(here: Any) -> None:
    check_model(SPUL(torch.zeros(2, 32), 5), here, stacklevel=1)
    with pytest.raises(ArtifactMismatchError):
        check_model(SPUL(torch.zeros(2, 16), 5), here, stacklevel=1)
    record = here.model_dump() | {"tokenizer_sha256": "0" * 64}
    with pytest.warns(ArtifactWarning, match="soft prompt"):
        check_model(SPUL(torch.zeros(2, 32), 5, {"base_model": record}), here, stacklevel=1)


def test_what_is_detected_and_doubted_by_kind(make_artifact: Any, make_scope: Any) -> None:
    artifact = make_artifact(make_scope("bread"), make_scope("potter"))
    filtering = Instruction(kind="filtered-prompting", text="Be quiet.", detector=artifact.unlearner())
    soft = SPUL(torch.zeros(1, 32), 5)
    assert [scopes_of(one) for one in (artifact, filtering, PROMPTING, soft)] == [("bread", "potter")] * 2 + [()] * 2
    assert doubts_of(filtering) == {"potter": [], "bread": []}
    assert set(doubts_of(artifact)) == {"potter", "bread"}
    assert doubts_of(soft) == {}
    assert len({name_of(one) for one in (artifact, filtering, soft)}) == 3
