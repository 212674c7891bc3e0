"""Who may ask what: keys of clients and of administrators, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from unlearned.errors import ConfigError, DataError
from unlearned.texts import read_user_text

_LABELLED = re.compile(r"(?P<label>[A-Za-z0-9][A-Za-z0-9._-]{0,31}):\s*(?P<secret>\S.*)")

_SENDABLE = re.compile(r"(?!:)[!-~]+(?<!:)")


class Access(Enum):
    """What a request's key allows."""

    NONE = "none"
    CLIENT = "client"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Key:
    """A secret, and what it is called where it must not be shown: in logs and in the audit."""

    label: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a server. An administrator's key is good for everything.

    Args:
        client: keys, as `Key`s or as lines of a key file: `KEY` or `LABEL:KEY`.
        admin: the same, of administrators.

    Raises:
        ConfigError: a label or a key occurs twice.
    """

    client: Sequence[str | Key] = field(default=(), repr=False)
    admin: Sequence[str | Key] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        labels: set[str] = set()
        label_of: dict[str, str] = {}
        for kind in ("client", "admin"):
            keys = tuple(_key(given, f"{kind}-{n}") for n, given in enumerate(getattr(self, kind), start=1))
            for key in keys:
                if key.label in labels:
                    raise ConfigError(f"Two keys have the label {key.label!r}. Rename one: LABEL:KEY.")
                labels.add(key.label)
                if (other := label_of.setdefault(key.secret, key.label)) != key.label:
                    raise ConfigError(
                        f"{other!r} and {key.label!r} are the same key: nobody could tell whose it is, or what it may "
                        "do. Give each a key of its own."
                    )
            object.__setattr__(self, kind, keys)

    @classmethod
    def from_files(cls, client: Path | None, admin: Path | None) -> Keys:
        """Read key files: one `KEY` or `LABEL:KEY` a line, empty lines and lines that start with # left out."""
        return cls(_read(client), _read(admin))

    @property
    def any(self) -> bool:
        return bool(self.client or self.admin)

    def access(self, authorization: str | None) -> Access:
        """What `Authorization: Bearer KEY` allows."""
        return self.holder(authorization)[0]

    def holder(self, authorization: str | None) -> tuple[Access, str | None]:
        """What `Authorization: Bearer KEY` allows, and the key's label; None if there is no such key."""
        given = key_in(authorization)
        admin, client = _among(given, self.admin), _among(given, self.client)
        if admin is not None:
            return Access.ADMIN, admin
        return (Access.NONE, None) if client is None else (Access.CLIENT, client)


def key_in(authorization: str | None) -> str:
    """The key of `Authorization: Bearer KEY`, however that is spelled; empty if there is none."""
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _among(given: str, keys: Sequence[str | Key]) -> str | None:
    """The label of the key. Every key is compared, by digests of one length: the time taken tells nothing."""
    digest = hashlib.sha256(given.encode("utf-8", "surrogateescape")).digest()
    found: str | None = None
    for key in keys:
        assert isinstance(key, Key)  # made so above
        if hmac.compare_digest(digest, hashlib.sha256(key.secret.encode()).digest()):
            found = key.label
    return found if given else None


def _key(given: str | Key, label: str) -> Key:
    if isinstance(given, Key):
        return given
    match = _LABELLED.fullmatch(given)
    return Key(match["label"], match["secret"]) if match else Key(label, given)


def _read(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    try:
        lines = [line.strip() for line in read_user_text(path).splitlines()]
    except DataError as error:
        raise ConfigError(str(error)) from error
    keys = {number: line for number, line in enumerate(lines, start=1) if line and not line.startswith("#")}
    if not keys:
        raise ConfigError(f"{path} holds no key. Write one key a line.")
    for number, line in keys.items():  # which no client could send, or anybody could guess
        if not _SENDABLE.fullmatch(_key(line, "").secret):
            raise ConfigError(
                f"{path}, line {number}: no key. Write KEY or LABEL:KEY, the key in ASCII without blanks, the label in "
                "at most 32 of A-Z, a-z, 0-9, '.', '_' and '-'. Remarks have a line of their own that begins with #."
            )
    return tuple(keys.values())
