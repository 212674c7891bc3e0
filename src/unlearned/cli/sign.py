"""`unlearned sign`: vouch for an artifact."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def sign(
    artifact: Annotated[Path, typer.Argument(help="Artifact folder.")],
    key: Annotated[Path, typer.Option(help="Private Ed25519 key: PEM, or of ssh-keygen -t ed25519.")],
) -> None:
    """Sign an artifact: record, arrays, card and evidence.

    A password of the key is read from UNLEARNED_KEY_PASSWORD.
    """
    from unlearned.artifact.signing import sign as sign_folder

    password = os.environ.get("UNLEARNED_KEY_PASSWORD")
    made = sign_folder(artifact, key, password=password.encode() if password else None)
    typer.echo(f"Signed {', '.join(made.files)} with {made.fingerprint}")
    typer.echo(
        f"To trust it: a line '{artifact.resolve().name} {made.public_key.hex()}' in the file of --trusted-keys."
    )
