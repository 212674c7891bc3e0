"""Soft prompts (SPUL): learned vectors in front of every prompt.

Source: Bhaila et al. 2024, "Soft Prompting for Unlearning in Large Language Models", arXiv:2406.12038. There is no
classifier: the vectors themselves tell what is to be forgotten from what is not, so every prompt gets them, and none
passes bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from unlearned import envelope
from unlearned.engines.base import Embedder
from unlearned.envelope import VECTORS
from unlearned.errors import ArtifactError, ArtifactMismatchError, ArtifactVersionError
from unlearned.files import new_folder, write_bytes
from unlearned.types import Prompt, PromptInput, Verdict

if TYPE_CHECKING:
    from torch import Tensor

OLDER, OLDER_VECTORS = "soft_prompt.json", "soft_prompt.safetensors"
"""Files of earlier releases."""


@dataclass(frozen=True, eq=False)
class SPUL:
    """A soft prompt that is ready to be used."""

    vectors: Tensor
    """(P, D) float32 on the CPU, in the units of the embedding module's output."""

    placeholder_id: int
    """An ordinary token, which stands at the P positions for whoever reads ids."""

    record: Mapping[str, Any] = field(default_factory=dict)
    """How it was made, as JSON values."""

    sha256: str = ""
    """Hash of the record that it was read from, which covers its vectors; empty if it was not read."""

    method: ClassVar[str] = envelope.SPUL
    lengthens: ClassVar[bool] = True

    def classify(self, prompts: Sequence[Prompt]) -> list[Verdict]:
        """Nothing is flagged: there is no detector."""
        return [Verdict() for _ in prompts]

    def prepare(self, prompts: Sequence[Prompt], embedder: Embedder) -> list[PromptInput]:
        """Put the vectors in front of each prompt, special tokens included; the engine generates from the result.

        Raises:
            ArtifactMismatchError: the model has another embedding size.
        """
        return self.prepared(prompts, self.classify(prompts), embedder)

    def prepared(self, prompts: Sequence[Prompt], verdicts: Sequence[Verdict], embedder: Embedder) -> list[PromptInput]:
        """Prepare prompts that were classified before."""
        given = [PromptInput(prompt.token_ids, verdict) for prompt, verdict in zip(prompts, verdicts, strict=True)]
        return self.prepended_to(given, embedder)

    def prepended_to(self, inputs: Sequence[PromptInput], embedder: Embedder) -> list[PromptInput]:
        """Put the soft prompt in front of what another unlearner has prepared; what it corrupted stays corrupted.

        Raises:
            ArtifactMismatchError: the model has another embedding size.
        """
        self.check_width(embedder.embed([self.placeholder_id]).shape[1])
        return [
            _behind(given, with_soft_prompt(given.token_ids, self.vectors, self.placeholder_id)) for given in inputs
        ]

    def check_width(self, width: int) -> None:
        """Raise `ArtifactMismatchError` for a model whose embeddings have another number of coordinates."""
        if width != self.vectors.shape[1]:
            raise ArtifactMismatchError(
                f"The soft prompt was trained for embeddings of {self.vectors.shape[1]} numbers, and the model's have "
                f"{width}. Give the model it was trained on."
            )

    def save_pretrained(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write JSON and safetensors. The folder appears as a whole, or not at all.

        Args:
            folder: where.
            overwrite: replace an older soft prompt, which is kept as `NAME.previous`.

        Raises:
            ArtifactError: the place is taken.
        """
        from safetensors.torch import save

        target = envelope.check_method_place(folder, self.method, overwrite=overwrite)
        content = save({"vectors": self.vectors.float().contiguous()})
        own = {"placeholder_id": self.placeholder_id, "record": dict(self.record)}
        with new_folder(target, keep_previous=overwrite) as new:
            write_bytes(new / VECTORS, content)
            envelope.write_record(new, self.method, own, {VECTORS: content})
        return target

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> SPUL:
        """Read what `save_pretrained` wrote, also what earlier releases wrote.

        Raises:
            ArtifactError: the folder holds none, or something else; says what.
            ArtifactVersionError: it has another format.
            ArtifactIntegrityError: it is not what was saved.
        """
        from safetensors.torch import load

        place = Path(folder)
        if envelope.record_file(place).name == OLDER:
            return cls._older(place)
        data = envelope.read_content(place, cls.method, ("placeholder_id", "record"))
        content = envelope.read_file(place, VECTORS, data["files"].get(VECTORS))
        return cls(load(content)["vectors"], data["placeholder_id"], data["record"], data["sha256"])

    @classmethod
    def _older(cls, place: Path) -> SPUL:
        """The format of earlier releases, whose record has no hash of its own."""
        from safetensors.torch import load

        try:
            record = json.loads((place / OLDER).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ArtifactError(f"{place} holds no soft prompt that can be read ({error}).") from error
        if not isinstance(record, dict) or record.get("format") != 1:
            raise ArtifactVersionError(f"The soft prompt in {place} has a format that is not read here. Train it anew.")
        content = envelope.read_file(place, OLDER_VECTORS, record.get("vectors_sha256"))
        if not isinstance(record.get("placeholder_id"), int) or not isinstance(record.get("record"), dict):
            raise ArtifactError(f"{place / OLDER} lacks fields. Copy the folder again.")
        own = record["record"]
        return cls(load(content)["vectors"], record["placeholder_id"], own, envelope.older_sha256(place))


def with_soft_prompt(token_ids: Sequence[int], vectors: Tensor, placeholder_id: int) -> PromptInput:
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
