"""Checks before work: what would stop a command after minutes stops it now, before torch is imported."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearned.errors import ArtifactError, ConfigError, DataError, ModelLoadError

if TYPE_CHECKING:
    from unlearned.artifact.record import Identity
    from unlearned.artifact.schema import DataRecord
    from unlearned.examples import Row

NER, NER_VARIABLE = "dslim/bert-base-NER", "UNLEARNED_NER_MODEL"
"""Selectors of `select.entities`."""


def check_writable_folder(out: Path) -> None:
    """Raise `ArtifactError` where a folder of this name could not be made."""
    parent = out.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise ArtifactError(f"{parent} is no folder, so {out} cannot be made. Choose another --out.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ArtifactError(f"The folder {parent} cannot be written to. Choose another --out.")


def check_artifact_place(out: Path, *, scopes: Sequence[str], data: Sequence[DataRecord], overwrite: bool) -> None:
    """May an artifact of these scopes and data be written here?

    An artifact of the same scopes and data may be replaced, another one, one that is in force, and one that somebody
    signed only with `overwrite`; anything else never.

    Raises:
        ArtifactError: no; says what is there and what to do.
    """
    check_writable_folder(out)
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    from unlearned.artifact.record import SIGNATURE, check_target, read_record

    check_target(out)
    if overwrite:
        return
    kept = f"Add --overwrite (it is kept as {out.name}.previous), or choose another --out."
    try:
        record = read_record(out)
    except ArtifactError as error:
        raise ArtifactError(f"{out} holds an artifact that cannot be read. {kept} ({error})") from error
    own = [scope.name for scope in record.scopes]
    if sorted(own) != sorted(scopes):
        raise ArtifactError(f"{out} holds an artifact of another scope: {', '.join(own)}. {kept}")
    known = {(one.role, one.sha256) for step in record.made for one in step.data}
    if not {(one.role, one.sha256) for one in data} <= known:
        raise ArtifactError(
            f"{out} holds an artifact of {', '.join(own)} that was fitted on other data ({record.created}). {kept}"
        )
    from unlearned.artifact.in_force import is_in_force

    if is_in_force(out):
        raise ArtifactError(f"{out} is in force: a running server enforces it. {kept}")
    if (out / SIGNATURE).exists():
        raise ArtifactError(f"{out} holds an artifact that is signed; the new one would not be. {kept}")


def refuse_both(forget: Sequence[Row], others: Sequence[Row], what: str) -> None:
    """Raise `DataError` for prompts that are to be forgotten and something else; `fit` looks again, at normal forms."""
    if both := {row.prompt for row in forget} & {row.prompt for row in others}:
        raise DataError(
            f"{len(both)} prompts are to be both forgotten and {what}, for example {min(both)!r}. Choose one."
        )


def check_model_at_hand(name: str, what: str, hint: str = "") -> None:
    """Raise `ModelLoadError` if a model is neither a folder, nor in the hub's cache, nor to be had from the hub.

    Args:
        name: hub id or folder.
        what: what an error calls it.
        hint: what else could be done.
    """
    from unlearned.embedded import MINILM

    if name == MINILM or Path(name).expanduser().is_dir():
        return
    if _is_path(name):
        raise ModelLoadError(f"There is no folder {name!r} of {what}. Check the path. {hint}".strip())
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_OFFLINE

    if isinstance(try_to_load_from_cache(name, "config.json"), str):
        return
    if HF_HUB_OFFLINE:
        reason = "it is not in the cache, and HF_HUB_OFFLINE forbids to fetch it"
    else:
        try:
            HfApi().model_info(name, timeout=5.0)
        except Exception as error:
            reason = f"it is not in the cache, and the hub does not give it ({type(error).__name__})"
        else:
            return
    raise ModelLoadError(f"Cannot load {what} {name!r}: {reason}. {hint}".strip())


def check_selector(name: str | None) -> None:
    """Raise `ModelLoadError` if the selector's model is not at hand."""
    if name == "entities":
        hint = f"Set {NER_VARIABLE} to another one, or use the selector 'spans'."
        check_model_at_hand(os.environ.get(NER_VARIABLE, NER), "the entity tagger", hint)


def check_places(given: Mapping[str, Any]) -> None:
    """Are the models, adapters, data and runs that a command was given by a path where they should be?

    Args:
        given: the command's parameters by name.

    Raises:
        ModelLoadError: a model or adapter is not there, or the device is none.
        DataError: data or a run is not there.
    """
    if (model := given.get("model")) is not None:
        _check_model(str(model))
    adapter = given.get("adapter")
    if adapter is not None and _is_path(adapter) and not Path(adapter).expanduser().is_dir():
        raise ModelLoadError(f"There is no folder {str(adapter)!r}. Check the path of the adapter.")
    device = given.get("device")
    if device is not None and not _DEVICE.fullmatch(device):
        raise ModelLoadError(f"--device {device}: is none. Use, for example, cpu, cuda, cuda:1 or mps.")
    data = given.get("data")
    is_of_hub = isinstance(data, str) and "/" in data and not _is_path(data)
    if data is not None and not is_of_hub and not Path(data).expanduser().exists():
        raise DataError(f"There is no file or folder {str(data)!r}. Check the path of --data.")
    run = given.get("run")
    if isinstance(run, Path) and not run.is_dir():
        raise DataError(f"There is no folder {str(run)!r}. Give the one of a finished run.")


_DEVICE = re.compile(r"[a-z]+(?::\d+)?")


def _is_path(name: object) -> bool:
    text = str(name)
    return text.startswith((".", "/", "~")) or text.count("/") > 1


def _check_model(name: str) -> None:
    if name.endswith(".gguf"):
        if not Path(name).expanduser().is_file():
            raise ModelLoadError(f"There is no file {name!r}. Check the path of the .gguf model.")
    elif _is_path(name) and not Path(name).expanduser().exists():
        raise ModelLoadError(f"There is no folder {name!r}. Check the path of the model.")


def check_enforced(artifacts: Sequence[Path] | None) -> list[Identity]:
    """What is to stand in front of a model.

    Raises:
        ArtifactError: a folder is not there, or holds something else.
        ConfigError: they do not stand together.
    """
    from unlearned.artifact.record import folder_of, identify
    from unlearned.unlearners.base import check_together

    found = [identify(folder_of(path)) for path in artifacts or ()]
    check_together([one.method for one in found])
    return found


def check_files(*files: Path | None) -> None:
    """Raise `ConfigError` for a file that cannot be read."""
    for file in files:
        if file is not None and not os.access(file, os.R_OK):
            reason = "It cannot be read" if file.exists() else "There is no such file"
            raise ConfigError(f"{file}: {reason}. Check the path.")
