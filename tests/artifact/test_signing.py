"""Signatures: made, checked at load, and lost with any change."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography")

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from keys import PEM, SSH, write_key

from unlearned.artifact import Artifact, load, read_record
from unlearned.artifact.record import CARD, RECORD, SIGNATURE, VECTORS
from unlearned.artifact.signing import TrustedKey, fingerprint, read_trusted, sign, verified
from unlearned.errors import ArtifactIntegrityError, ConfigError, DataError


@pytest.fixture(autouse=True)
def _on_bag_of_words(monkeypatch: pytest.MonkeyPatch, bag_of_words: Any) -> None:
    monkeypatch.setattr("unlearned.artifact.artifact.sentence_encoder", lambda name: bag_of_words)


@pytest.fixture
def saved(make_artifact: Any, tmp_path: Path) -> Path:
    folder: Path = make_artifact().save_pretrained(tmp_path / "hp")
    return folder


def test_what_is_signed_by_a_trusted_key_is_loaded_and_nothing_else(saved: Path, tmp_path: Path) -> None:
    key = write_key(tmp_path / "key", SSH)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    trusted = tmp_path / "trusted"
    trusted.write_text(f"# ours\n\n{public.decode()} anna of legal\n")
    with pytest.raises(ArtifactIntegrityError, match="is not signed"):
        load(saved, trusted_keys=trusted)
    sha256 = read_record(saved).sha256
    made = sign(saved, tmp_path / "key")
    [artifact] = load(saved, trusted_keys=trusted)
    assert artifact.sha256 == sha256  # the artifact's hash stays
    assert verified(saved, read_trusted(trusted)) == (made, "anna of legal")
    other = write_key(tmp_path / "other").public_key().public_bytes_raw()
    with pytest.raises(ArtifactIntegrityError, match="not a trusted key"):
        Artifact.from_pretrained(saved, trusted=[TrustedKey("other", other)])
    for name in (RECORD, CARD, VECTORS, SIGNATURE):
        copy = tmp_path / f"copy-{name}"
        shutil.copytree(saved, copy)
        content = (copy / name).read_bytes()
        if name == SIGNATURE:
            data = json.loads(content)
            content = json.dumps({**data, "at": "2020-01-01T00:00:00+00:00"}).encode()
        (copy / name).write_bytes(content if name == SIGNATURE else content + b" ")
        with pytest.raises(ArtifactIntegrityError, match=r"signed at|does not hold"):
            verified(copy)


def test_keys_of_all_forms(saved: Path, tmp_path: Path) -> None:
    key = write_key(tmp_path / "locked", PEM, b"word")
    with pytest.raises(ConfigError, match="UNLEARNED_KEY_PASSWORD"):
        sign(saved, tmp_path / "locked")
    made = sign(saved, tmp_path / "locked", password=b"word")
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for name, text in (("anna.pem", pem.decode()), ("lines", f"anna {made.public_key.hex()}\n")):
        (tmp_path / name).write_text(text)
        assert [one.raw for one in read_trusted(tmp_path / name)] == [made.public_key]
    write_key(tmp_path / "rsa", key=generate_private_key(65537, 2048))
    (tmp_path / "text").write_text("no key")
    for name in ("rsa", "text", "none"):
        with pytest.raises(ConfigError, match=r"Ed25519 key|no private key|Cannot read"):
            sign(saved, tmp_path / name)
    for text in ("", "anna 00ff\n", "ssh-ed25519 AAAA anna\n", "ssh-rsa AAAAB3NzaC1yc2E= x\n"):
        (tmp_path / "bad").write_text(text)
        with pytest.raises(DataError, match=r"public key|holds no key"):
            read_trusted(tmp_path / "bad")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_the_fingerprint_is_that_of_ssh_keygen(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    [key] = read_trusted(tmp_path / "key.pub")
    shown = subprocess.run(["ssh-keygen", "-l", "-f", tmp_path / "key.pub"], capture_output=True, text=True, check=True)
    assert fingerprint(key.raw) in shown.stdout
