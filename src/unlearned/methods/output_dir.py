"""Where the result of a training goes: beside its place first, and there as a whole."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from unlearned.checkpoints import read_json
from unlearned.errors import ConfigError, DataError, FitError
from unlearned.extras import require
from unlearned.files import write_text
from unlearned.methods.base import Method
from unlearned.methods.negation import negate_adapter
from unlearned.methods.record import RECORD, versions
from unlearned.methods.weights import Prepared


def is_there(target: Path, sha256: str, *, overwrite: bool = False) -> bool:
    """Whether the place holds this very result; refuses any other content, unless another result may be replaced."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return False
    known = read_json(target / RECORD)
    if isinstance(known, dict) and known.get("fingerprint") == sha256:
        return True
    if overwrite and isinstance(known, dict) and "fingerprint" in known:
        return False
    raise ConfigError(
        f"{target} exists and holds something else. Choose another --out, or remove it; another training's result is "
        f"replaced with --overwrite (and kept as {target.name}.previous)."
    )


def check_place(target: Path) -> None:
    """Raise `DataError` where the result could not be written; now, and not after hours."""
    if not first_process():
        return
    scratch = _scratch(target)
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        scratch.rmdir()
    except OSError as error:
        raise DataError(f"Cannot write to {target.parent}: {error.strerror}.") from error


def write_weights(prepared: Prepared, trainer: Any, tokenizer: Any, target: Path) -> None:
    """Write the weights beside the target. A `trainer` is given if they are sharded: it gathers them."""
    scratch = _scratch(target)
    if first_process():
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
    if trainer is not None:
        trainer.accelerator.wait_for_everyone()
        if trainer.is_fsdp_enabled:  # of sharded states, it would save no model
            trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
        trainer.save_model(str(scratch))
    elif first_process():
        if prepared.adapter is None:
            prepared.model.to(prepared.dtype)
        prepared.model.save_pretrained(scratch)
    if first_process():
        if prepared.adapter is None:
            tokenizer.save_pretrained(scratch)
        (scratch / "training_args.bin").unlink(missing_ok=True)  # a pickle, which nobody needs


def finish(method: Method, prepared: Prepared, target: Path, record: dict[str, Any]) -> None:
    """Complete what `write_weights` wrote, and put it in its place.

    Raises:
        FitError: there are no weights. The checkpoints stay where they are.
    """
    scratch = _scratch(target)
    if not any(scratch.glob("*.safetensors")):
        raise FitError(
            f"The Trainer wrote no weights; the checkpoints in {unfinished(target)} stay. With DeepSpeed "
            "ZeRO-3, let it gather 16-bit weights on saving."
        )
    if method.negation is not None and prepared.adapter is not None:
        negate_adapter(scratch, prepared.start_of_adapter(), method.negation)
    record = {**record, "adapter": prepared.adapter, "versions": versions()}
    write_text(scratch / RECORD, json.dumps(record, indent=1) + "\n")
    if target.is_dir():
        if any(target.iterdir()):  # may be replaced, as was checked
            previous = target.with_name(f"{target.name}.previous")
            shutil.rmtree(previous, ignore_errors=True)
            os.replace(target, previous)
        else:
            target.rmdir()
    os.replace(scratch, target)


def _scratch(target: Path) -> Path:
    return target.with_name(f".{target.name}.new")  # the same for all processes of a distributed run


def unfinished(target: Path) -> Path:
    """The folder of checkpoints."""
    return target.with_name(f"{target.name}.unfinished")


def first_process() -> bool:
    """Whether this process is the one that writes."""
    return bool(process().is_main_process)


def process(*, cpu: bool = False) -> Any:
    """accelerate's view of this process; raises `MissingExtraError` without accelerate.

    `cpu` counts at the first call: without it, several processes on a CPU do not know of each other.
    """
    return require("accelerate", extra="train", purpose="Training").PartialState(cpu=cpu)
