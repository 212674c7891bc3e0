"""How a server is loaded. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from unlearned.errors import ConfigError
from unlearned.settings import ANSWERS, SERVER, setting


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadConfig:
    """How much of what."""

    seconds: float = setting(600.0, "How long.", min=1, group=SERVER)
    clients: int = setting(64, "How many ask at once.", min=1, group=SERVER)
    leave: float = 0.2
    """Share of requests whose client goes away before the answer has ended."""

    bad: float = 0.1
    """Share of requests that must be refused."""

    stream: float = 0.5
    """Share of the others that are streamed."""

    new_tokens: int = setting(24, "Longest answer.", min=1, group=ANSWERS)
    kill: bool = setting(False, "Kill the server in the middle, and start it again.", group=SERVER)
    seed: int = setting(0, "Of what clients ask.", group=SERVER)

    def __post_init__(self) -> None:
        if not self.seconds > 0 or min(self.clients, self.new_tokens) < 1:
            raise ConfigError("seconds must be above 0, clients and new_tokens at least 1.")
        if min(self.leave, self.bad, self.stream) < 0 or self.leave + self.bad > 1 or self.stream > 1:
            raise ConfigError("leave, bad and stream are shares; leave and bad together at most 1.")
