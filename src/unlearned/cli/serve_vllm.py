"""`unlearned serve --engine vllm`: vLLM's own `serve`, told which artifacts to enforce."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from unlearned.models import EMBEDDED, ModelOptions

OWN = {
    "max_batch": "--max-num-seqs",
    "max_queue": "--max-num-queued-reqs",
    "default_max_tokens": "--override-generation-config",
    "device": "its own choice of devices",
    "device_map": "--tensor-parallel-size or --pipeline-parallel-size",
    "attn_implementation": "--attention-backend",
    "load_in_4bit": "--quantization bitsandbytes",
    "load_in_8bit": "--quantization bitsandbytes",
    "adapter": "--enable-lora and --lora-modules",
}
"""Options of the transformers engine, and what vLLM has instead."""


def arguments(options: ModelOptions, settings: Mapping[str, Any], further: Sequence[str]) -> list[str]:
    """The command line of `vllm serve`.

    Args:
        options: the model.
        settings: host, port, served_model_name, artifact; and those of `vllm.settings.Settings` by their name.
        further: options of vLLM, which are handed on as they are.
    """
    line = ["serve", *model_arguments(options), "--host", settings["host"], "--port", str(settings["port"])]
    line += ["--served-model-name", settings["served_model_name"] or options.model]
    for path in settings["artifact"] or ():
        line += ["--unlearned", str(path)]
    for name, value in settings.items():
        if name not in ("host", "port", "served_model_name", "artifact") and value not in (None, False):
            flag = f"--unlearned-{name.replace('_', '-')}"
            if isinstance(value, (list, tuple)):
                line += [f"{flag}={one}" for one in value]  # a text may begin with a dash
            else:
                line += [flag] if value is True else [flag, str(value)]
    return [*line, *further]


def model_arguments(options: ModelOptions) -> list[str]:
    """The model as `vllm serve` takes it: folder or hub id first, then what else is said about it."""
    from unlearned.embedded import embedded_model_folder

    found = [str(embedded_model_folder()) if options.model == EMBEDDED else options.model]
    if options.revision is not None:
        found += ["--revision", options.revision]
    if options.dtype != "auto":
        found += ["--dtype", options.dtype]
    return found


def run_vllm(line: Sequence[str]) -> None:
    """Run `vllm` with this command line in this process.

    Raises:
        MissingExtraError: vLLM is not installed.
        ConfigError: our plug-in is switched off.
    """
    import os

    from unlearned.errors import ConfigError
    from unlearned.extras import require

    chosen = os.environ.get("VLLM_PLUGINS")
    if chosen is not None and "unlearned" not in chosen.split(","):
        raise ConfigError(f"VLLM_PLUGINS={chosen} leaves out the plug-in 'unlearned'. Add it, or unset the variable.")
    require("vllm", extra="vllm", purpose="unlearned serve --engine vllm")
    from vllm.entrypoints.cli.main import main

    sys.argv = ["vllm", *line]
    main()
