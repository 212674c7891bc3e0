"""Any kind of artifact from its folder, by what its record says that it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Union

from unlearned.artifact.artifact import Artifact
from unlearned.artifact.instruction import load_instruction
from unlearned.artifact.record import folder_of, identify
from unlearned.artifact.signing import TrustedKey, read_trusted, verified
from unlearned.envelope import INSTRUCTION, SPUL, named
from unlearned.errors import ArtifactIntegrityError
from unlearned.unlearners import instruction, spul

Loaded = Union[Artifact, spul.SPUL, instruction.Instruction]  # noqa: UP007
"""What `load` returns: an artifact of scopes, a soft prompt, or an instruction."""

Given = Union[Loaded, str, Path, Iterable[Union[Loaded, str, Path]]]  # noqa: UP007
"""An artifact of any kind, its folder, or several."""


def load(*paths: str | Path, trusted_keys: str | Path | None = None) -> tuple[Loaded, ...]:
    """Read artifacts of any kind that are to be used together: of `fit` and `forget`, soft prompts, instructions.

    Args:
        paths: folders or hub ids.
        trusted_keys: file of public keys; each artifact must be signed by one of them. None = no signature is needed.

    Returns:
        An `Artifact`, a `SPUL` or an `Instruction` for each path, in their order.

    Raises:
        ArtifactError: a folder holds something else; says what it is, and what to do.
        ArtifactIntegrityError: a file is missing, truncated or altered; or it is not signed by a trusted key.
        ArtifactVersionError: written by another version of the format.
        ArtifactSchemaError: `unlearner.json` has unknown, missing or ill-typed fields.

    Examples:
        >>> from unlearned import Unlearned, load, load_model
        >>> llm = Unlearned(*load_model("embedded"), load("artifacts/hp", "artifacts/star-wars"))
    """
    trusted = None if trusted_keys is None else read_trusted(Path(trusted_keys))
    return tuple(read(path, trusted=trusted) for path in paths)


def read(path: str | Path, *, trusted: Sequence[TrustedKey] | None = None) -> Loaded:
    """Load one artifact; see `load`.

    Args:
        path: folder or hub id.
        trusted: keys of which one must have signed it; None = it need not be signed.
    """
    folder = folder_of(path)
    known = identify(folder)
    if known.method not in (SPUL, INSTRUCTION):
        return Artifact.from_pretrained(folder, trusted=trusted)
    if trusted is not None and known.is_older:
        made_by = "train spul" if known.method == SPUL else "instruct"
        raise ArtifactIntegrityError(
            f"{folder} holds {named(known.method)} of an older format, which cannot be signed, so no trusted key "
            f"vouches for it. Make it anew (unlearned {made_by}) and sign it."
        )
    found = spul.SPUL.from_pretrained(folder) if known.method == SPUL else load_instruction(folder)
    if trusted is not None:
        verified(folder, trusted)
        if identify(folder).sha256 != found.sha256:
            raise ArtifactIntegrityError(f"{folder} was replaced while it was read. Try again.")
    return found


def flatten(given: Iterable[Given]) -> list[Loaded]:
    """Artifacts of any kind that are given one by one, as their folders, or as what `load` returns."""
    flat: list[Loaded] = []
    for item in given:
        several = item if isinstance(item, Iterable) and not isinstance(item, str) else [item]
        flat.extend(read(one) if isinstance(one, (str, Path)) else one for one in several)
    return flat
