"""What faults do to the WebSocket: to batches of ticks, to the cached tick of a subscription, to connections."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import msgspec

from models.messages.ticks import Mode, Tick
from sandbox.fault_kinds import Kind
from sandbox.faults import Faults
from sandbox.frames import packet

UNKNOWN_LENGTH = 10


class Breakable(Protocol):
    """A connection."""

    is_frozen: bool

    def freeze(self) -> None:
        """Make it half-open."""

    def abort(self) -> None:
        """Cut it."""


class StreamFaults:
    """Asked before anything goes out; without faults nothing changes."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._held: list[Tick] = []

    @property
    def are_on(self) -> bool:
        """True when there is a fault of any kind, or ticks that one has held back."""
        return self._faults.are_on or bool(self._held)

    def disturbed(self, ticks: Sequence[Tick]) -> Sequence[Tick]:
        """The batch as clients get it."""
        if not ticks:
            return ticks
        if self._faults.strike(Kind.HEARTBEATS_ONLY):
            return ()
        if self._faults.strike(Kind.VOLUME_BACKWARDS):
            first = msgspec.structs.replace(ticks[0], volume=ticks[0].volume // 2)
            ticks = (first, *ticks[1:])
        if self._faults.strike(Kind.TICKS_DUPLICATED):
            ticks = (*ticks, *ticks)
        if self._faults.strike(Kind.TICKS_REORDERED):
            self._held += ticks
            return ()
        ticks = (*ticks, *self._held)
        self._held.clear()
        return ticks

    def broken_frames(self, ticks: Sequence[Tick]) -> Iterator[bytes]:
        """Frames no client can read, besides the batch."""
        if not ticks:
            return
        if self._faults.strike(Kind.TRUNCATED_FRAME):
            whole = packet(ticks[0], Mode.QUOTE)
            yield struct.pack(">H", 2) + whole + whole[:1]  # the second packet is not there
        if self._faults.strike(Kind.UNKNOWN_PACKET):
            yield struct.pack(">HHI", 1, UNKNOWN_LENGTH, ticks[0].instrument_token) + bytes(UNKNOWN_LENGTH - 4)

    def cached(self, ticks: Sequence[Tick]) -> Sequence[Tick]:
        """What a new subscriber gets first."""
        fault = self._faults.strike(Kind.STALE_FIRST_TICK) if ticks else None
        return ticks if fault is None else [_older(tick, int(fault.wait)) for tick in ticks]

    def disturb_connections(self, connections: Iterable[Breakable]) -> None:
        """Freeze or cut everyone that is connected now."""
        alive = [one for one in connections if not one.is_frozen]
        if not alive:
            return
        if self._faults.strike(Kind.FROZEN_SOCKET):
            for one in alive:
                one.freeze()
        elif self._faults.strike(Kind.DISCONNECT):
            for one in alive:
                one.abort()


def _older(tick: Tick, seconds: int) -> Tick:
    return msgspec.structs.replace(
        tick,
        exchange_time=max(0, tick.exchange_time - seconds),
        last_trade_time=max(0, tick.last_trade_time - seconds),
    )
