"""WebSocket connections: what each has subscribed to, and the frames it gets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from models.messages.ticks import Mode, Tick
from sandbox.faults import Faults
from sandbox.frames import HEARTBEAT, frames, packet
from sandbox.stream_faults import StreamFaults

MOST_TOKENS = 3000
HEARTBEAT_SECONDS = 1.0
MOST_BUFFERED = 16 * 1024 * 1024
MOST_AHEAD = 256 * 1024  # bytes a market that waits for its clients may be ahead of one
LOOK_SECONDS = 0.001
MODES = {"ltp": Mode.LTP, "quote": Mode.QUOTE, "full": Mode.FULL}


class Connection:
    """One client. `modes` holds what it has subscribed to; Kite begins with quote mode."""

    def __init__(self, socket: web.WebSocketResponse, transport: Any) -> None:
        self.modes: dict[int, Mode] = {}
        self.last_sent = time.monotonic()
        self.is_frozen = False
        self._socket = socket
        self._transport = transport

    async def send(self, ticks: Sequence[Tick]) -> int:
        """Send the subscribed ones of `ticks`, without waiting for the client. Returns how many."""
        modes = self.modes
        packets = [packet(tick, modes[tick.instrument_token]) for tick in ticks if tick.instrument_token in modes]
        for frame in frames(packets):
            await self.send_raw(frame)
        return len(packets)

    async def send_raw(self, frame: bytes) -> None:
        """Send a frame; a connection that has gone is noticed by its reader."""
        if self.is_frozen:
            return
        try:
            await self._socket.send_bytes(frame)
        except (ConnectionError, RuntimeError):
            self.modes.clear()
        self.last_sent = time.monotonic()

    async def send_text(self, text: str) -> None:
        """Send a text frame, such as an order update."""
        if self.is_frozen:
            return
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self._socket.send_str(text)

    def freeze(self) -> None:
        """From now on a half-open connection: it stays, and neither says nor hears anything."""
        self.is_frozen = True
        self._transport.pause_reading()

    async def send_error(self, message: str) -> None:
        """A text frame of type `error`, as Kite sends it."""
        await self._socket.send_str(json.dumps({"type": "error", "data": message}))

    async def drained(self) -> None:
        """Wait until the client has read nearly everything, or is gone."""
        while self._transport.get_write_buffer_size() > MOST_AHEAD and not self._transport.is_closing():
            await asyncio.sleep(LOOK_SECONDS)

    @property
    def is_overrun(self) -> bool:
        """True when the client has not read for so long that it has to go."""
        return bool(self._transport.get_write_buffer_size() > MOST_BUFFERED)

    async def close(self, code: int, message: bytes) -> None:
        """Close from this side; a client that does not answer is not waited for beyond the socket's timeout."""
        if self.is_frozen:
            self.abort()
            return
        self.modes.clear()
        await self._socket.close(code=code, message=message, drain=False)

    def abort(self) -> None:
        """Drop the connection with everything it has not read."""
        self.modes.clear()
        self._transport.abort()


class Hub:
    """All connections. Remembers each instrument's last tick, which a new subscriber gets first."""

    def __init__(self, known_tokens: set[int], faults: Faults | None = None) -> None:
        self.connections: set[Connection] = set()
        self.sent = 0
        self.changed = asyncio.Event()  # a subscription changed
        self._known = known_tokens
        self._last: dict[int, Tick] = {}
        self._faults = StreamFaults(faults or Faults())

    @property
    def subscriptions(self) -> int:
        """Subscribed instruments over all connections."""
        return sum(len(one.modes) for one in self.connections)

    async def broadcast(self, ticks: Sequence[Tick], *, wait: bool) -> None:
        """Send to everyone. Without `wait`, a client that does not read is disconnected instead of awaited."""
        self._last.update((tick.instrument_token, tick) for tick in ticks)
        if self._faults.are_on:
            ticks = await self._disturb(ticks)
        for connection in list(self.connections):
            if not wait and connection.is_overrun:
                connection.abort()
                continue
            self.sent += await connection.send(ticks)
            if wait:
                await connection.drained()

    async def _disturb(self, ticks: Sequence[Tick]) -> Sequence[Tick]:
        for frame in self._faults.broken_frames(ticks):
            for connection in list(self.connections):
                await connection.send_raw(frame)
        return self._faults.disturbed(ticks)

    async def announce(self, text: str) -> None:
        """A text frame to everyone."""
        for connection in list(self.connections):
            await connection.send_text(text)

    @property
    def served(self) -> int:
        """Connections that are not frozen."""
        return sum(not one.is_frozen for one in self.connections)

    async def beat(self) -> None:
        """A heartbeat a second to connections that got nothing else."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS / 4)
            if self._faults.are_on:
                self._faults.disturb_connections(self.connections)
            due = time.monotonic() - HEARTBEAT_SECONDS
            for connection in list(self.connections):
                if connection.last_sent < due:
                    await connection.send_raw(HEARTBEAT)

    async def handle(self, connection: Connection, text: str) -> None:
        """One message of a client: subscribe, unsubscribe or mode."""
        try:
            message = json.loads(text)
            action, value = message["a"], message["v"]
            if action == "mode":
                await self._subscribe(connection, _tokens(value[1]), MODES[value[0]])
            elif action == "subscribe":
                await self._subscribe(connection, _tokens(value), Mode.QUOTE)
            elif action == "unsubscribe":
                for token in _tokens(value):
                    connection.modes.pop(token, None)
            else:
                raise KeyError(action)
        except (ValueError, KeyError, TypeError, IndexError):
            await connection.send_error("Invalid message")
            return
        self.changed.set()

    async def _subscribe(self, connection: Connection, tokens: list[int], mode: Mode) -> None:
        known = [token for token in tokens if token in self._known]
        if len(connection.modes.keys() | known) > MOST_TOKENS:
            await connection.send_error(f"Cannot subscribe to more than {MOST_TOKENS} instruments")
            return
        connection.modes.update(dict.fromkeys(known, mode))
        cached = self._faults.cached([self._last[token] for token in known if token in self._last])
        if cached:
            await connection.send(cached)


def _tokens(value: Any) -> list[int]:
    if not isinstance(value, list) or not all(isinstance(token, int) for token in value):
        raise TypeError("Expected a list of tokens")
    return value
