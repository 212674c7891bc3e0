"""Who may ask what: keys of clients and of administrators, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from unlearned.errors import ConfigError, DataError
from unlearned.texts import read_user_text


class Access(Enum):
    """What a request's key allows."""

    NONE = "none"
    CLIENT = "client"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a server. An administrator's key is good for everything."""

    client: tuple[str, ...] = field(default=(), repr=False)
    admin: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def from_files(cls, client: Path | None, admin: Path | None) -> Keys:
        """Read key files: one key a line, empty lines and lines that start with # left out."""
        return cls(_read(client), _read(admin))

    @property
    def any(self) -> bool:
        return bool(self.client or self.admin)

    def access(self, authorization: str | None) -> Access:
        """What `Authorization: Bearer KEY` allows."""
        given = key_in(authorization)
        is_admin, is_client = _among(given, self.admin), _among(given, self.client)
        return Access.ADMIN if is_admin else Access.CLIENT if is_client else Access.NONE


def key_in(authorization: str | None) -> str:
    """The key of `Authorization: Bearer KEY`, however that is spelled; empty if there is none."""
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _among(given: str, keys: tuple[str, ...]) -> bool:
    """Every key is compared, by digests of one length: the time taken tells nothing."""
    digest = hashlib.sha256(given.encode("utf-8", "surrogateescape")).digest()
    found = False
    for key in keys:
        found |= hmac.compare_digest(digest, hashlib.sha256(key.encode()).digest())
    return found and bool(given)


def _read(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    try:
        lines = [line.strip() for line in read_user_text(path).splitlines()]
    except DataError as error:
        raise ConfigError(str(error)) from error
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not keys:
        raise ConfigError(f"{path} holds no key. Write one key a line.")
    return keys
