"""How to serve: every setting once, checked at the start. Imports nothing heavy."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from unlearned.errors import ConfigError
from unlearned.server.answer_policies import AnswerPolicies
from unlearned.server.keys import Keys
from unlearned.server.on_flag import OnFlag
from unlearned.settings import LIMITS, SERVER, setting


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeConfig:
    """Settings of one server."""

    host: str = setting("127.0.0.1", "Address to listen on; others than this machine's own need a key.", group=SERVER)
    port: int = setting(8000, "0 = any free one.", min=0, max=65535, group=SERVER)

    served_model_name: str = "embedded"
    """What requests call the model."""

    keys: Keys = field(default_factory=Keys)

    on_flag: OnFlag = field(default_factory=OnFlag)
    """What happens to flagged prompts."""

    answers: AnswerPolicies = field(default_factory=AnswerPolicies)
    """What is held back in answers."""

    max_batch: int = setting(
        32,
        "Answers that share a forward pass; 1 = each is computed alone, and is model.generate's to the last bit.",
        min=1,
        group=LIMITS,
    )

    max_batch_tokens: int = 65_536
    """Rows times their longest prompt and answer, which bounds the memory of a batch."""

    patience_ms: float = 20.0
    """How long the clients of the last batch are waited for. A client that is alone never waits."""

    gather_ms: float = 1000.0
    """How long requests are waited for that are being checked already, so that they share a batch."""

    max_queue: int = setting(1024, "Answers that may wait; more are refused with 429.", min=1, group=LIMITS)

    default_temperature: float | None = None
    """Where a request does not say; None = the model's own, if it samples, else OpenAI's 1. 0 = greedy."""

    default_max_tokens: int = setting(512, "Longest chat answer where a request does not say.", min=1, group=LIMITS)

    max_choices: int = 16
    """Largest `n`."""

    max_body_bytes: int = setting(4 * 2**20, "Largest request, in bytes.", flag="--max-body", min=1, group=LIMITS)
    max_json_depth: int = 32
    read_timeout: float = 20.0
    """Seconds within which a request's body must have come."""

    write_timeout: float = 60.0
    """Seconds after which a client that reads nothing is dropped."""

    detection_timeout: float = setting(
        60.0,
        "Seconds after which a request is refused with 503 because it could not be checked; waiting for others does "
        "not count.",
        group=LIMITS,
    )
    max_check_characters: int = setting(
        1_000_000,
        "Characters that may wait to be checked, of requests up to 1,000 characters and of longer ones each; then 429.",
        min=1,
        group=LIMITS,
    )

    verdict_cache: int = 10_000
    """Verdicts that are kept; 0 = none."""

    rate_limit: int | None = setting(
        None, "Requests a minute of each key, or of each address where there are no keys.", min=1, group=LIMITS
    )
    watch_seconds: float = setting(2.0, "How often --artifact-dir is looked at, in seconds.", group=SERVER)
    log_prompts: bool = setting(False, "Write prompts into the log.", group=SERVER)

    def __post_init__(self) -> None:
        for name in (
            "max_batch",
            "max_batch_tokens",
            "max_queue",
            "default_max_tokens",
            "max_choices",
            "max_check_characters",
        ):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)}: must be at least 1.")
        for name in ("max_body_bytes", "max_json_depth", "read_timeout", "write_timeout", "detection_timeout"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name}={getattr(self, name)}: must be above 0.")
        if min(self.patience_ms, self.gather_ms, self.verdict_cache) < 0 or not self.watch_seconds > 0:
            raise ConfigError("patience_ms, gather_ms and verdict_cache must be 0 or more, watch_seconds above 0.")
        if self.rate_limit is not None and self.rate_limit < 1:
            raise ConfigError(f"rate_limit={self.rate_limit}: must be at least 1 request per minute.")
        if not is_loopback(self.host) and not self.keys.client:
            raise ConfigError(
                f"--host {self.host} can be reached from other machines, and there is no key. Give --api-key-file, or "
                "stay on 127.0.0.1."
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on this address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
