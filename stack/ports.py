"""Free ports on loopback."""

from __future__ import annotations

import socket

from stack.errors import CannotStart

HOST = "127.0.0.1"


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
    """A free port chosen by the system."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def choose(name: str, port: int, default: int) -> int:
    """`port` when it is free, another when it is only the default. Raises CannotStart for one that was asked for."""
    if is_free(port):
        return port
    if port != default:
        raise CannotStart(f"Port {port} for {name} is taken: free it or configure another one")
    return any_free()
