"""What the plug-in enforces, and how each process of vLLM learns it: by its configuration, else by the environment."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from unlearned.errors import ConfigError
from unlearned.server.answer_policies import AnswerPolicies
from unlearned.server.config import ServeConfig
from unlearned.server.keys import Keys
from unlearned.server.on_flag import OnFlag
from unlearned.server.store import Sources

ENV = "UNLEARNED_VLLM"
"""Artifact folders, separated as in PATH, or a JSON object of `Settings`."""

KEY = "unlearned"
"""Key in vLLM's `additional_config`; its value is a folder, a list of them, or an object of `Settings`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What is enforced, and how it is served."""

    artifacts: tuple[str, ...] = ()
    """Artifact folders."""

    artifact_dir: str | None = None
    """Watched folder of artifact folders; changes in it take effect by themselves."""

    state: str | None = None
    """File that keeps an administrator's changes; default: one inside `artifact_dir`."""

    audit: str | None = None
    """File that keeps the history of changes; default: beside the state file."""

    trusted_keys: str | None = None
    """File of public keys, of which one must have signed every artifact."""

    on_flag: tuple[str, ...] = ()
    """What happens to flagged prompts: MODE or SCOPE=MODE, as of `unlearned serve --on-flag`."""

    answer: tuple[str, ...] = ()
    """What is said to them under "refuse": TEXT or SCOPE=TEXT."""

    api_key_file: str | None = None
    """Keys of clients, one KEY or LABEL:KEY a line."""

    admin_key_file: str | None = None
    """Keys of administrators, one a line."""

    host: str = "127.0.0.1"
    """Where vLLM listens; others than this machine's own addresses need a key."""

    keys_of_vllm: bool = False
    """vLLM checks clients' keys itself (--api-key), so strangers may reach it."""

    max_body: int = 4 * 2**20
    """Largest request, in bytes."""

    detection_timeout: float = 60.0
    """Seconds; then 503 and no answer."""

    max_check_characters: int = 1_000_000
    """Characters that may wait to be checked; then 429."""

    rate_limit: int | None = None
    """Requests a minute of each key or address."""

    watch_seconds: float = 2.0
    """How often `artifact_dir` and `state` are looked at."""

    log_prompts: bool = False
    """Write prompts into the log."""

    answers: str | None = None
    """What may not be said unasked: off, names or names+quotes, or SCOPE=one of them, separated by commas. Default:
    what the artifact was fitted with."""

    def __post_init__(self) -> None:
        AnswerPolicies.read(self.answer_policies)  # refused before a model is loaded
        if not (self.artifacts or self.artifact_dir or self.state):
            raise ConfigError("Nothing would be enforced: name an artifact folder, a folder to watch or a state file.")
        for name in ("artifact_dir", "state", "audit", "trusted_keys", "api_key_file", "admin_key_file"):
            if (value := getattr(self, name)) is not None:  # other processes may work in another folder
                object.__setattr__(self, name, str(Path(value).absolute()))
        object.__setattr__(self, "artifacts", tuple(str(Path(path).absolute()) for path in self.artifacts))
        for name in ("on_flag", "answer"):  # of JSON: a text, or a list of them
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))

    @property
    def answer_policies(self) -> list[str]:
        return [one.strip() for one in (self.answers or "").split(",") if one.strip()]

    @property
    def holds_back(self) -> bool:
        """Whether anything may be held back in answers."""
        return self.answer_policies != ["off"]

    @classmethod
    def read(cls, value: Any) -> Settings:
        """A folder, a list of folders, or a mapping of these settings."""
        if isinstance(value, (str, Path)):
            value = [value]
        if isinstance(value, Mapping):
            known = {field.name for field in fields(cls)}
            if unknown := sorted(set(value) - known):
                raise ConfigError(f"There is no setting {unknown[0]!r}. Known: {', '.join(sorted(known))}.")
            return cls(**{**value, "artifacts": tuple(value.get("artifacts", ()))})
        if isinstance(value, (list, tuple)) and all(isinstance(path, (str, Path)) for path in value):
            return cls(artifacts=tuple(map(str, value)))
        raise ConfigError(f"{KEY}={value!r}: give an artifact folder, a list of them, or an object of settings.")

    @classmethod
    def from_environment(cls) -> Settings | None:
        """What `UNLEARNED_VLLM` says; None where it is not set."""
        text = os.environ.get(ENV, "").strip()
        if not text:
            return None
        if not text.startswith("{"):
            return cls.read([path for path in text.split(os.pathsep) if path])
        try:
            return cls.read(json.loads(text))
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{ENV} is no JSON object of settings: {error}") from error

    @classmethod
    def of(cls, vllm_config: Any) -> Settings | None:
        """Those of a vLLM engine; None = it runs without the plug-in."""
        additional = getattr(vllm_config, "additional_config", None)
        if isinstance(additional, Mapping) and additional.get(KEY):
            return cls.read(additional[KEY])
        return cls.from_environment()

    def json_ready(self) -> dict[str, Any]:
        return asdict(self)

    def export(self) -> None:
        """Tell the processes that this one starts."""
        os.environ[ENV] = json.dumps(self.json_ready())

    def sources(self) -> Sources:
        """The artifacts' sources."""
        return Sources(
            given=tuple(map(Path, self.artifacts)),
            folder=Path(self.artifact_dir) if self.artifact_dir else None,
            state=_path(self.state),
            audit=_path(self.audit),
            trusted_keys=_path(self.trusted_keys),
        )

    def serve_config(self) -> ServeConfig:
        """The server's settings."""
        keys = Keys.from_files(_path(self.api_key_file), _path(self.admin_key_file))
        if self.keys_of_vllm:
            # vLLM knows its clients. A key that nobody has closes to them what is for administrators.
            keys = Keys(keys.client, (*keys.admin, secrets.token_hex(32)))
        return ServeConfig(
            host="127.0.0.1" if self.keys_of_vllm else self.host,
            keys=keys,
            on_flag=OnFlag.read(self.on_flag, self.answer),
            answers=AnswerPolicies.read(self.answer_policies),
            max_body_bytes=self.max_body,
            detection_timeout=self.detection_timeout,
            max_check_characters=self.max_check_characters,
            rate_limit=self.rate_limit,
            watch_seconds=self.watch_seconds,
            log_prompts=self.log_prompts,
        )


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None
