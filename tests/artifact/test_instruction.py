"""An instruction is read as it was saved, with the detector that was saved with it, or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from unlearned.artifact.instruction import load_instruction, save_instruction
from unlearned.envelope import DETECTOR, RECORD
from unlearned.errors import ArtifactError, ArtifactIntegrityError
from unlearned.unlearners.instruction import Instruction

PROMPTING = Instruction(kind="prompting", text="Say nothing of Zoé.\n\n")


def test_words_are_read_as_they_were_saved(tmp_path: Path) -> None:
    folder = save_instruction(PROMPTING, tmp_path / "said")
    found = load_instruction(folder)
    assert (found.kind, found.text, found.answer, found.detector) == ("prompting", PROMPTING.text, None, None)
    assert found.sha256 == json.loads((folder / RECORD).read_text())["sha256"]


def test_a_filter_keeps_its_detector_and_takes_no_other_one(
    make_artifact: Any, make_scope: Any, tmp_path: Path
) -> None:
    artifact, other = make_artifact(), make_artifact(make_scope("bread"))
    made = Instruction(kind="refusal", text="Be quiet.", answer="No.", detector=artifact.unlearner())
    folder = save_instruction(made, tmp_path / "said", detector=artifact)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unlearned.artifact.artifact.sentence_encoder", lambda name: artifact.encoder)
        found = load_instruction(folder)
        assert found.answer == "No."
        assert found.detector is not None
        assert [scope.name for scope in found.detector.scopes] == ["harry-potter"]
        shutil.rmtree(folder / DETECTOR)
        other.save_pretrained(folder / DETECTOR)
        with pytest.raises(ArtifactIntegrityError):
            load_instruction(folder)


def test_a_detector_belongs_to_a_filter_and_to_nothing_else(make_artifact: Any, tmp_path: Path) -> None:
    artifact = make_artifact()
    with pytest.raises(ArtifactError):
        save_instruction(PROMPTING, tmp_path / "said", detector=artifact)
    made = Instruction(kind="filtered-prompting", text="Be quiet.", detector=artifact.unlearner())
    with pytest.raises(ArtifactError):
        save_instruction(made, tmp_path / "said")
    assert not (tmp_path / "said").exists()


def test_a_place_is_taken_once_and_the_older_instruction_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    folder = save_instruction(PROMPTING, tmp_path / "said")
    newer = Instruction(kind="prompting", text="Hush.")
    with pytest.raises(ArtifactError):
        save_instruction(newer, folder)
    assert load_instruction(folder).text == PROMPTING.text
    save_instruction(newer, folder, overwrite=True)
    assert load_instruction(folder).text == "Hush."
    assert load_instruction(tmp_path / "said.previous").text == PROMPTING.text


def test_an_altered_word_is_noticed(tmp_path: Path) -> None:
    folder = save_instruction(PROMPTING, tmp_path / "said")
    data = json.loads((folder / RECORD).read_text())
    (folder / RECORD).write_text(json.dumps(data | {"text": "Tell all."}))
    with pytest.raises(ArtifactIntegrityError):
        load_instruction(folder)
    with pytest.raises(ArtifactError):
        load_instruction(tmp_path)
