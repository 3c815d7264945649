"""From which of this machine's addresses calls to the broker leave: asked of the system, not of any other server.

Since 2026-04-01 Kite takes orders only from the registered static address (its forum, 15912). Behind address
translation the world sees another one than the machine itself.
"""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

from requests import Session
from requests.adapters import HTTPAdapter

from brokers.errors import BrokerFailure

KITE = "https://api.kite.trade"
PORTS = {"https": 443, "http": 80}
ANY_PORT = 0


class _BoundAdapter(HTTPAdapter):
    """Connects from one address."""

    def __init__(self, address: str) -> None:
        self._source = address, ANY_PORT
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Called by the base class."""
        super().init_poolmanager(*arguments, **{**options, "source_address": self._source})


def leave_from(session: Session, address: str) -> None:
    """Let every connection of `session` leave from an address of this machine; without it there is no connection."""
    for scheme in PORTS:
        session.mount(f"{scheme}://", _BoundAdapter(address))


def host_of(root: str | None) -> str:
    """The name of the REST root's server."""
    return urlsplit(root or KITE).hostname or ""


def local_address(root: str | None, bind_address: str) -> tuple[str, str]:
    """The local and the remote address of a connection to the REST root. Resolving its name blocks; nothing is sent.

    Raises BrokerFailure when there is no way there, or none from `bind_address`.
    """
    parts = urlsplit(root or KITE)
    host, port = host_of(root), parts.port or PORTS.get(parts.scheme, 443)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise BrokerFailure(f"The name {host} cannot be resolved") from error
    for family, kind, protocol, _, remote in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                if bind_address:
                    probe.bind((bind_address, ANY_PORT))
                probe.connect(remote)  # of a datagram socket: chooses the way, sends nothing
                return str(probe.getsockname()[0]), str(remote[0])
        except OSError:
            continue
    from_there = f" from {bind_address}" if bind_address else ""
    raise BrokerFailure(f"There is no way to {host}{from_there}")
