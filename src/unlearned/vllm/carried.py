"""Kinds of artifacts that vLLM's prompts can carry. Imports nothing heavy: the command line asks before vLLM starts."""

from __future__ import annotations

from unlearned.envelope import INSTRUCTION, SPUL, named
from unlearned.errors import ConfigError


def check_carried(method: str, kind: str | None) -> None:
    """Raise `ConfigError` for an artifact that puts something in front of prompts, which makes them longer.

    Args:
        method: of the artifact.
        kind: of an instruction.
    """
    if method == SPUL or (method == INSTRUCTION and kind != "refusal"):
        what = f"{named(method)} ({kind})" if kind else named(method)
        raise ConfigError(
            f"vLLM is not served with {what}: its prompts would become longer than what was asked. Use --engine "
            "transformers."
        )
