"""Keys that sign artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PEM, SSH = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.OpenSSH


def write_key(path: Path, form: Any = PEM, password: bytes | None = None, key: Any = None) -> Any:
    """A private key on disk; its raw public key."""
    key = key or Ed25519PrivateKey.generate()
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, lock))
    return key
