"""Free ports on loopback."""

from __future__ import annotations

import socket
from random import SystemRandom

from stack.errors import CannotStart

HOST = "127.0.0.1"
RANGE = range(20_000, 32_000)  # below what systems hand to outgoing connections, which would take a port in between
_given: set[int] = set()


def is_free(port: int) -> bool:
    """True when nothing listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def any_free() -> int:
    """A free port, chosen at random, never the same twice. Raises CannotStart when there is none."""
    for port in SystemRandom().sample(RANGE, len(RANGE)):
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise CannotStart(f"No port between {RANGE.start} and {RANGE.stop} is free")


def choose(name: str, port: int, default: int) -> int:
    """`port` when it is free, another when it is only the default. Raises CannotStart for one that was asked for."""
    if is_free(port):
        return port
    if port != default:
        raise CannotStart(f"Port {port} for {name} is taken: free it or configure another one")
    return any_free()
