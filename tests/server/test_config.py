"""Settings of a server are checked before it starts."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.errors import ConfigError
from unlearned.server.config import ServeConfig, is_loopback
from unlearned.server.keys import Keys


@pytest.mark.parametrize(
    "setting",
    [{"max_batch": 0}, {"read_timeout": 0}, {"rate_limit": 0}, {"patience_ms": -1}, {"watch_seconds": 0}],
)
def test_settings_outside_their_range_are_refused(setting: Any) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        ServeConfig(**setting)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org"])
def test_an_open_address_needs_a_key(host: str) -> None:
    with pytest.raises(ConfigError, match="--api-key-file"):
        ServeConfig(host=host)
    with pytest.raises(ConfigError, match="--api-key-file"):
        ServeConfig(host=host, keys=Keys((), ("admin",)))
    ServeConfig(host=host, keys=Keys(("k",)))
    for loopback in ("127.0.0.1", "localhost", "::1"):
        ServeConfig(host=loopback)


def test_the_defaults_are_sound_and_every_limit_has_its_border() -> None:
    ServeConfig()
    for name in ("max_batch", "max_batch_tokens", "max_queue", "default_max_tokens", "max_choices", "rate_limit"):
        ServeConfig(**{name: 1})
        with pytest.raises(ConfigError, match=name):
            ServeConfig(**{name: 0})
    for name in ("read_timeout", "write_timeout", "detection_timeout", "watch_seconds"):
        for wrong in (0.0, -1.0, float("nan")):
            with pytest.raises(ConfigError, match=name):
                ServeConfig(**{name: wrong})


def test_only_addresses_of_this_machine_are_its_own() -> None:
    own = ("127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]")
    others = ("0.0.0.0", "::", "[::]", "10.0.0.1", "localhost.example.org", "", "127.0.0.1.example.org")
    assert [host for host in (*own, *others) if is_loopback(host)] == list(own)
