"""From artifacts to what stands in front of one model: do they hold on it, and together?"""

from __future__ import annotations

from collections.abc import Sequence

from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import check_base_model
from unlearned.artifact.loading import Loaded
from unlearned.artifact.schema import BaseModelRecord
from unlearned.errors import ArtifactMismatchError
from unlearned.unlearners.base import Unlearner
from unlearned.unlearners.eco import ECO, LEARN_IT
from unlearned.unlearners.instruction import Instruction
from unlearned.unlearners.spul import SPUL
from unlearned.unlearners.together import together


def enforcing(loaded: Sequence[Loaded]) -> Unlearner:
    """One unlearner that does what all of these do, ready for its first prompt.

    Raises:
        ConfigError: they do not stand together.
        ArtifactMismatchError: one was fitted with another version of its text encoder.
        UnlearnedError: two of them have a scope of the same name.
    """
    for one in loaded:
        if isinstance(one, Artifact):
            one.check_encoder()
    found = together([ECO(one.scopes) if isinstance(one, Artifact) else one for one in loaded])
    if isinstance(found, ECO):
        found.ready()
    return found


def check_model(loaded: Loaded, here: BaseModelRecord, *, stacklevel: int) -> None:
    """Does an artifact hold on this model?

    Args:
        loaded: of any kind.
        here: the model.
        stacklevel: of a warning that it was made for another one of the same size, as `warnings.warn` counts it from
            whoever calls this.

    Raises:
        ArtifactMismatchError: it was made for another embedding size, or can only classify so far.
    """
    if isinstance(loaded, Instruction):
        return  # words and fixed answers hold on every model
    if isinstance(loaded, SPUL):
        if (recorded := loaded.record.get("base_model")) is None:
            return loaded.check_width(here.embedding_size)
        made_for = BaseModelRecord.model_validate(recorded)
        name, harm = "The soft prompt", "It may do anything. Train it on this model."
    else:
        name, harm = (
            f"The artifact {loaded.name!r}",
            "Detection holds; the strength may be wrong. Fit again to be sure.",
        )
        if loaded.base_model is None:
            if all(scope.answer is not None for scope in loaded.scopes):
                return  # nothing is corrupted
            raise ArtifactMismatchError(f"{name} can only classify so far. {LEARN_IT}")
        made_for = loaded.base_model
    check_base_model(name, made_for, here, harm, stacklevel=stacklevel + 2)


def scopes_of(loaded: Loaded) -> tuple[str, ...]:
    """Names of what it detects; a soft prompt and plain words in front of all prompts detect nothing."""
    if isinstance(loaded, Artifact):
        return tuple(scope.name for scope in loaded.scopes)
    if isinstance(loaded, Instruction) and loaded.detector is not None:
        return tuple(scope.name for scope in loaded.detector.scopes)
    return ()


def doubts_of(loaded: Loaded) -> dict[str, list[str]]:
    """Scope -> what speaks against relying on its protection, as far as its fit could tell."""
    return loaded.doubts() if isinstance(loaded, Artifact) else {scope: [] for scope in scopes_of(loaded)}


def name_of(loaded: Loaded) -> str:
    """Name of an artifact for messages."""
    if isinstance(loaded, Artifact):
        return repr(loaded.name)
    return f"instruction {loaded.kind}" if isinstance(loaded, Instruction) else "a soft prompt"
