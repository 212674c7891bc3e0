"""Who vouches for an artifact: an Ed25519 signature over its record, arrays, card and evidence."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearned.artifact.record import CARD, EVIDENCE, RECORD, SIGNATURE, VECTORS, identify
from unlearned.envelope import named
from unlearned.errors import ArtifactError, ArtifactIntegrityError, ConfigError, DataError
from unlearned.extras import require
from unlearned.files import write_text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT = 1
SIGNED = (RECORD, VECTORS, CARD, EVIDENCE)
PURPOSE = "Signatures"


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key that may sign."""

    label: str
    raw: bytes
    """(32,) bytes."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What `signature.json` says; see `verified` for whether that is true."""

    public_key: bytes
    at: str
    """UTC, ISO 8601."""

    files: Mapping[str, str]
    """Name -> SHA-256 of what was signed."""

    signature: bytes

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public_key)


def sign(folder: Path, key: Path, *, password: bytes | None = None) -> Signature:
    """Sign the artifact as it is now; an older signature is replaced.

    Args:
        folder: of an artifact of any kind. That of an instruction vouches for the detector inside it by its hash.
        key: private Ed25519 key: PEM (`openssl genpkey -algorithm ed25519`) or OpenSSH (`ssh-keygen -t ed25519`).
        password: of the key, if it has one.

    Raises:
        ConfigError: the key is none.
        ArtifactError: the artifact cannot be read.
    """
    private = _private_key(key, password)
    if (known := identify(folder)).is_older:
        raise ArtifactError(
            f"{folder} holds {named(known.method)} of an older format, whose record vouches for nothing else. Make it "
            "anew, and sign that."
        )
    at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    files = _hashes(folder)
    made = Signature(private.public_key().public_bytes_raw(), at, files, private.sign(_message(at, files)))
    content = {
        "format": FORMAT,
        "algorithm": "ed25519",
        "public_key": made.public_key.hex(),
        "at": at,
        "files": files,
        "signature": made.signature.hex(),
    }
    write_text(folder / SIGNATURE, json.dumps(content, indent=2) + "\n")
    return made


def read_signature(folder: Path) -> Signature | None:
    """What the folder says; None where nobody signed.

    Raises:
        ArtifactIntegrityError: it is no signature.
    """
    path = folder / SIGNATURE
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT or data["algorithm"] != "ed25519":
            raise ArtifactIntegrityError(f"{path} has a format that is not read here. Sign the artifact again.")
        files = {str(name): str(digest) for name, digest in data["files"].items()}
        return Signature(bytes.fromhex(data["public_key"]), str(data["at"]), files, bytes.fromhex(data["signature"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ArtifactIntegrityError(f"{path} is no signature: {error}. Sign the artifact again.") from error


def verified(folder: Path, trusted: Sequence[TrustedKey] | None = None) -> tuple[Signature, str | None]:
    """The signature, if it holds for every file, and the label of its key.

    Args:
        folder: of the artifact.
        trusted: keys that may have signed; None = any, and then there is no label.

    Raises:
        ArtifactIntegrityError: there is no signature, a file is not what was signed, or somebody else signed.
    """
    found = read_signature(folder)
    if found is None:
        raise ArtifactIntegrityError(f"{folder} is not signed. Sign it: unlearned sign {folder} --key KEY.")
    module = require("cryptography.hazmat.primitives.asymmetric.ed25519", extra="sign", purpose=PURPOSE)
    exceptions = require("cryptography.exceptions", extra="sign", purpose=PURPOSE)
    try:
        key = module.Ed25519PublicKey.from_public_bytes(found.public_key)
        key.verify(found.signature, _message(found.at, found.files))
    except (exceptions.InvalidSignature, ValueError) as error:
        raise ArtifactIntegrityError(f"{folder}: the signature does not hold. Copy the artifact again.") from error
    here = _hashes(folder)
    if changed := sorted(name for name in {*here, *found.files} if here.get(name) != found.files.get(name)):
        raise ArtifactIntegrityError(
            f"{folder}: {', '.join(changed)} is not what {found.fingerprint} signed at {found.at}. Copy the artifact "
            "again, or have it signed again."
        )
    if trusted is None:
        return found, None
    label = next((one.label for one in trusted if one.raw == found.public_key), None)
    if label is None:
        raise ArtifactIntegrityError(f"{folder} is signed by {found.fingerprint}, which is not a trusted key.")
    return found, label


def read_trusted(path: Path) -> list[TrustedKey]:
    """Public keys of a file: lines as in `authorized_keys` (`ssh-ed25519 AAAA... LABEL`) or `LABEL HEX`, or PEM.

    Raises:
        DataError: the file cannot be read, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read {path}: {getattr(error, 'strerror', None) or error}. Check the path.") from error
    if "-----BEGIN PUBLIC KEY-----" in text:
        return [TrustedKey(path.stem, _pem(path, text))]
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        raw, label = _line(words)
        if raw is None:
            raise DataError(
                f"{path}, line {number}: no Ed25519 public key. Write 'ssh-ed25519 AAAA... LABEL' or 'LABEL HEX'."
            )
        found.append(TrustedKey(label or f"line {number}", raw))
    if not found:
        raise DataError(f"{path} holds no key. Write one public key a line.")
    return found


def fingerprint(public_key: bytes) -> str:
    """Fingerprint of a key, as `ssh-keygen -l` shows it."""
    head = b"".join(len(part).to_bytes(4, "big") + part for part in (b"ssh-ed25519", public_key))
    return "SHA256:" + base64.b64encode(hashlib.sha256(head).digest()).decode().rstrip("=")


def _line(words: Sequence[str]) -> tuple[bytes | None, str]:
    try:
        if words[0] == "ssh-ed25519" and len(words) > 1:
            blob = base64.b64decode(words[1], validate=True)
            is_one = blob[:19] == (11).to_bytes(4, "big") + b"ssh-ed25519" + (32).to_bytes(4, "big")
            return (blob[19:], " ".join(words[2:])) if is_one and len(blob) == 51 else (None, "")
        raw = bytes.fromhex(words[-1])
        return (raw, " ".join(words[:-1])) if len(raw) == 32 else (None, "")
    except (ValueError, binascii.Error):
        return None, ""


def _pem(path: Path, text: str) -> bytes:
    serialization = require("cryptography.hazmat.primitives.serialization", extra="sign", purpose=PURPOSE)
    try:
        raw: bytes = serialization.load_pem_public_key(text.encode()).public_bytes_raw()
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path} holds no Ed25519 public key.") from error
    if len(raw) != 32:
        raise DataError(f"{path} holds no Ed25519 public key.")
    return raw


def _private_key(path: Path, password: bytes | None) -> Ed25519PrivateKey:
    serialization = require("cryptography.hazmat.primitives.serialization", extra="sign", purpose=PURPOSE)
    module = require("cryptography.hazmat.primitives.asymmetric.ed25519", extra="sign", purpose=PURPOSE)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}. Check --key.") from error
    is_ssh = b"BEGIN OPENSSH PRIVATE KEY" in content
    load = serialization.load_ssh_private_key if is_ssh else serialization.load_pem_private_key
    try:
        key = load(content, password)
    except TypeError as error:
        raise ConfigError(f"{path}: {error}. Give the password in UNLEARNED_KEY_PASSWORD.") from error
    except ValueError as error:
        raise ConfigError(
            f"{path} is no private key that can be read. Make one: ssh-keygen -t ed25519 -f KEY."
        ) from error
    if not isinstance(key, module.Ed25519PrivateKey):
        raise ConfigError(f"{path} is no Ed25519 key. Make one: ssh-keygen -t ed25519 -f KEY.")
    found: Ed25519PrivateKey = key
    return found


def _hashes(folder: Path) -> dict[str, str]:
    """Hashes of the files that are there."""
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in SIGNED if (folder / name).is_file()
    }


def _message(at: str, files: Mapping[str, str]) -> bytes:
    """What is signed."""
    return json.dumps({"unlearned": "artifact", "at": at, "files": dict(files)}, sort_keys=True).encode()
