"""Which message is being handled: the lines logged meanwhile carry its chain's id."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

from faust_app.runtime.codec import chain_of


class Handled(Protocol):
    """What is needed of a message."""

    @property
    def value(self) -> bytes | None:
        """Its bytes."""


_handled: ContextVar[Handled | None] = ContextVar("handled", default=None)


def handling(message: Handled | None) -> None:
    """From now on this task handles `message`, or none. Costs next to nothing: it is decoded when a line is logged."""
    _handled.set(message)


def correlation_id() -> str | None:
    """Id of the chain the message at hand belongs to; None without one."""
    message = _handled.get()
    return None if message is None else chain_of(message.value)
