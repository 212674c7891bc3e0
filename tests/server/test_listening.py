"""The socket is taken before anything else, or there is one clear error."""

from __future__ import annotations

import socket

import pytest

from unlearned.errors import ConfigError
from unlearned.server.config import ServeConfig
from unlearned.server.keys import Keys
from unlearned.server.listening import listen


def test_port_0_is_any_free_one_of_the_address() -> None:
    with listen(ServeConfig(port=0)) as first, listen(ServeConfig(port=0)) as second:
        assert first.getsockname()[0] == "127.0.0.1"
        assert 0 not in {first.getsockname()[1], second.getsockname()[1]}
        assert first.getsockname() != second.getsockname()


def test_an_address_with_colons_is_of_version_6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    for host in ("::1", "[::1]"):
        try:
            with listen(ServeConfig(host=host, port=0)) as bound:
                assert bound.family is socket.AF_INET6
        except ConfigError:
            pytest.skip("no IPv6 here")


def test_a_port_that_is_taken_and_an_address_of_others_are_refused_by_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {taken}"):
            listen(ServeConfig(port=taken))
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"):
        listen(ServeConfig(host="192.0.2.1", port=0, keys=Keys(("k",))))
