"""The socket of a server, taken before a model is loaded for minutes."""

from __future__ import annotations

import socket

from unlearned.errors import ConfigError
from unlearned.server.config import ServeConfig


def listen(config: ServeConfig) -> socket.socket:
    """A socket bound to the server's address.

    Raises:
        ConfigError: the address is taken or not this machine's.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((config.host.strip("[]"), config.port))
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"Cannot listen on {config.host}, port {config.port}: {error.strerror or error}. Choose another --port."
        ) from error
    return bound
