"""Soft prompts (SPUL): learned vectors in front of every prompt.

Source: Bhaila et al. 2024, "Soft Prompting for Unlearning in Large Language Models", arXiv:2406.12038. There is no
classifier: the vectors themselves tell what is to be forgotten from what is not, so every prompt gets them, and none
passes bit for bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from unlearned.engines.base import Engine
from unlearned.errors import ArtifactError, ArtifactIntegrityError, ArtifactMismatchError, ArtifactVersionError
from unlearned.files import check_place, new_folder, write_bytes, write_text
from unlearned.stages import Prompt, PromptInput

if TYPE_CHECKING:
    from torch import Tensor

RECORD, VECTORS = "soft_prompt.json", "soft_prompt.safetensors"
FORMAT = 1


@dataclass(frozen=True, eq=False)
class SPUL:
    """A soft prompt that is ready to be used."""

    vectors: Tensor
    """(P, D) float32 on the CPU, in the units of the embedding module's output."""

    placeholder_id: int
    """An ordinary token, which stands at the P positions for whoever reads ids."""

    record: Mapping[str, Any] = field(default_factory=dict)
    """How it was made, as JSON values."""

    def prepare(self, prompts: Sequence[Prompt], engine: Engine) -> list[PromptInput]:
        """Put the vectors in front of each prompt, special tokens included; the engine generates from the result.

        Raises:
            ArtifactMismatchError: the engine's model has another embedding size.
        """
        return self.in_front([PromptInput(prompt.token_ids) for prompt in prompts], engine)

    def in_front(self, inputs: Sequence[PromptInput], engine: Engine) -> list[PromptInput]:
        """The same for prompts that another unlearner has prepared; what it corrupted stays corrupted.

        Raises:
            ArtifactMismatchError: the engine's model has another embedding size.
        """
        width = engine.embed([self.placeholder_id]).shape[1]
        if width != self.vectors.shape[1]:
            raise ArtifactMismatchError(
                f"The soft prompt was trained for embeddings of {self.vectors.shape[1]} numbers, and the model's have "
                f"{width}. Give the model it was trained on."
            )
        return [_behind(given, prefixed(given.token_ids, self.vectors, self.placeholder_id)) for given in inputs]

    def save_pretrained(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write JSON and safetensors. The folder appears as a whole, or not at all.

        Args:
            folder: where.
            overwrite: replace an older soft prompt, which is kept as `NAME.previous`.

        Raises:
            ArtifactError: the place is taken.
        """
        from safetensors.torch import save

        target = check_place(folder, replaces=RECORD if overwrite else None)
        content = save({"vectors": self.vectors.float().contiguous()})
        record = {
            "format": FORMAT,
            "method": "spul",
            "placeholder_id": self.placeholder_id,
            "vectors_sha256": hashlib.sha256(content).hexdigest(),
            "record": dict(self.record),
        }
        with new_folder(target, keep_previous=overwrite) as new:
            write_bytes(new / VECTORS, content)
            write_text(new / RECORD, json.dumps(record, indent=1) + "\n")
        return target

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> SPUL:
        """Read what `save_pretrained` wrote.

        Raises:
            ArtifactError: there is none, or it cannot be read.
            ArtifactVersionError: it has another format.
            ArtifactIntegrityError: the vectors are not those that were saved.
        """
        from safetensors.torch import load

        place = Path(folder)
        try:
            record = json.loads((place / RECORD).read_text(encoding="utf-8"))
            content = (place / VECTORS).read_bytes()
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{place} holds no soft prompt that can be read ({error}).") from error
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise ArtifactVersionError(f"The soft prompt in {place} has a format that is not read here. Train it anew.")
        if hashlib.sha256(content).hexdigest() != record.get("vectors_sha256"):
            raise ArtifactIntegrityError(f"{place / VECTORS} is not what was saved. Copy the folder again.")
        if not isinstance(record.get("placeholder_id"), int) or not isinstance(record.get("record"), dict):
            raise ArtifactError(f"{place / RECORD} lacks fields. Copy the folder again.")
        return cls(load(content)["vectors"], record["placeholder_id"], record["record"])


def prefixed(token_ids: Sequence[int], vectors: Tensor, placeholder_id: int) -> PromptInput:
    """(T,) ids and (P, D) vectors -> a prompt of P + T tokens whose first P are the vectors."""
    count = len(vectors)
    ids = (*[placeholder_id] * count, *token_ids)
    return PromptInput(ids, positions=torch.arange(count), vectors=vectors)


def _behind(given: PromptInput, soft: PromptInput) -> PromptInput:
    """The soft prompt with the verdict and the corrupted vectors of what stands behind it."""
    if given.positions is None or given.vectors is None or soft.positions is None or soft.vectors is None:
        return replace(soft, verdict=given.verdict, answer=given.answer, guard=given.guard)
    return replace(
        soft,
        verdict=given.verdict,
        answer=given.answer,
        guard=given.guard,
        positions=torch.cat([soft.positions, given.positions + len(soft.positions)]),
        vectors=torch.cat([soft.vectors, given.vectors.float()]),
        substitution=given.substitution and given.substitution.behind(soft.token_ids[: len(soft.positions)]),
    )
