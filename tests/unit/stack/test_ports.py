from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from stack.errors import CannotStart
from stack.ports import HOST, any_free, choose, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_port_with_a_listener_is_not_free(taken: int) -> None:
    assert not is_free(taken)


def test_free_port_is_chosen_as_configured() -> None:
    port = any_free()
    assert is_free(port)
    assert choose("Kafka", port, default=port) == port
    assert choose("Kafka", port, default=1) == port


def test_chosen_ports_differ_and_lie_below_those_of_outgoing_connections() -> None:
    """A port of that range may be taken by any connection before the process that is to listen there starts."""
    chosen = [any_free() for _ in range(50)]
    assert len(set(chosen)) == 50
    assert max(chosen) < 32_768


def test_taken_default_port_is_replaced_by_a_free_one(taken: int) -> None:
    chosen = choose("Kafka", taken, default=taken)
    assert chosen != taken
    assert is_free(chosen)


def test_taken_port_that_was_asked_for_is_refused_by_name(taken: int) -> None:
    with pytest.raises(CannotStart, match=f"^Port {taken} for Redis is taken: free it or configure another one$"):
        choose("Redis", taken, default=taken + 1)
