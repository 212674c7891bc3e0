"""`vllm serve MODEL --unlearned ARTIFACT`: our options among vLLM's own."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

from unlearned.errors import ConfigError
from unlearned.vllm.hooks import ADD_FLAGS, READ_FLAGS, wrap
from unlearned.vllm.settings import KEY, Settings

MIDDLEWARE = "unlearned.vllm.middleware.AccessMiddleware"
PREFIX = "unlearned_"
NOT_OPTIONS = ("artifacts", "host", "keys_of_vllm")


def install() -> None:
    """Wrap where vLLM makes and reads its options."""
    wrap(ADD_FLAGS, _adding)
    wrap(READ_FLAGS, _reading)


def _adding(add: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(parser: Any) -> Any:
        parser = add(parser)
        group = parser.add_argument_group(title="unlearned", description="Artifacts that are enforced on every prompt.")
        group.add_argument(
            "--unlearned", action=_Artifact, default=None, metavar="FOLDER", help="Artifact; repeatable."
        )
        for field in fields(Settings):
            if field.name in NOT_OPTIONS:
                continue
            flag = f"--{PREFIX}{field.name}".replace("_", "-")
            if str(field.type).startswith("tuple"):
                group.add_argument(flag, action="append", default=None, help="Repeatable.")
            elif field.type == "bool":
                group.add_argument(flag, action="store_true", default=None)
            else:
                group.add_argument(flag, type=_kind(str(field.type)), default=None)
        return parser

    return wrapper


def _kind(annotation: str) -> Callable[[str], Any]:
    return {"int": int, "float": float}.get(annotation.partition(" ")[0], str)


class _Artifact(argparse.Action):
    """Collects artifacts; where no address was named, vLLM listens on this machine only, not on all addresses."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or ()), values])
        if getattr(namespace, "host", "given") is None:
            namespace.host = "127.0.0.1"


def _reading(read: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(cls: Any, args: argparse.Namespace) -> Any:
        settings = read_settings(args)
        if settings is None:
            return read(cls, args)
        # Children of vLLM read their options before they load plug-ins: they learn it from the environment.
        settings.export()
        if hasattr(args, "middleware") and MIDDLEWARE not in (args.middleware or ()):
            args.middleware = [*(args.middleware or ()), MIDDLEWARE]
        engine_args = read(cls, args)
        engine_args.additional_config = {**(engine_args.additional_config or {}), KEY: settings.json_ready()}
        return engine_args

    return wrapper


def read_settings(args: argparse.Namespace) -> Settings | None:
    """What the options and the environment ask for.

    Raises:
        ConfigError: an option stands without artifacts, strangers could reach the server without a key, or requests
            could bring templates of their own.
    """
    base = Settings.from_environment()
    names = [field.name for field in fields(Settings) if field.name not in NOT_OPTIONS]
    given = {name: value for name in names if (value := getattr(args, f"{PREFIX}{name}", None)) is not None}
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    if artifacts := getattr(args, "unlearned", None):
        given["artifacts"] = tuple(artifacts)
    if base is None and not given:
        return None
    if getattr(args, "trust_request_chat_template", False):
        raise ConfigError(
            "A chat template of a request can hold any words, so --trust-request-chat-template cannot be combined with "
            "artifacts. Leave it out."
        )
    settings = replace(base, **given) if base is not None else Settings(**given)
    if not hasattr(args, "middleware") or getattr(args, "headless", False):
        return settings  # no server
    own_keys = bool(getattr(args, "api_key", None) or os.environ.get("VLLM_API_KEY"))
    everywhere = "127.0.0.1" if getattr(args, "uds", None) else "0.0.0.0"  # a Unix socket, else vLLM's default
    settings = replace(settings, host=args.host or everywhere, keys_of_vllm=own_keys)
    settings.serve_config()  # a stranger's address without a key is refused before a model is loaded
    return settings
