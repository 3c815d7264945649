"""One port: Kite's REST endpoints, the operator's, and at `/` the WebSocket and the page."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from models.messages.validation import LATEST_SECOND
from sandbox.broker import Broker
from sandbox.clock import Clock, ist
from sandbox.errors import Refused
from sandbox.hub import Connection, Hub
from sandbox.market import Batch, Market
from sandbox.page import page
from sandbox.player import Player, Stage
from sandbox.rest.admin import AdminEndpoints
from sandbox.rest.answers import Handler, failure, refusal
from sandbox.rest.fault_answers import remove_type
from sandbox.rest.gtt import GttEndpoints
from sandbox.rest.guard import guard
from sandbox.rest.margins import MarginEndpoints
from sandbox.rest.market import MarketEndpoints
from sandbox.rest.orders import OrderEndpoints
from sandbox.rest.portfolio import PortfolioEndpoints
from sandbox.rest.user import UserEndpoints
from sandbox.scenario import Scenario
from sandbox.sessions import MOST_CONNECTIONS, Sessions

CLOSE_SECONDS = 1.0


class Sandbox:
    """The exchange on one market. `start` returns the port it listens on."""

    def __init__(
        self,
        market: Market,
        *,
        speed: float,
        autostart: bool = False,
        begin_at: int = 0,
        end_at: int = LATEST_SECOND,
        sessions: Sessions | None = None,
        scenario: Scenario | None = None,
    ) -> None:
        self.sessions = sessions or Sessions()
        self._market = market
        clock = Clock(float(max(market.session_start, begin_at)))
        self.sessions.clock = lambda: clock.now
        self.broker = Broker(market.instruments, clock, scenario or Scenario(), self._announce)
        self._hub = Hub({one.instrument_token for one in market.instruments}, self.broker.faults)
        self._player = Player(
            market, self._hub, speed=speed, autostart=autostart, begin_at=begin_at, end_at=end_at,
            on_batch=self._on_batch,
        )  # fmt: skip
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None

    async def _announce(self, text: str) -> None:
        await self._hub.announce(text)

    async def _on_batch(self, batch: Batch) -> None:
        self.broker.clock.play(batch.at)
        self.broker.on_ticks(batch.ticks)
        await self.broker.updates.flush()

    async def start(self, host: str, port: int) -> int:
        """Listen and begin to play. Raises OSError when the port is taken."""
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=CLOSE_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self._tasks = [asyncio.create_task(self._player.play()), asyncio.create_task(self._hub.beat())]
        return int(self._runner.addresses[0][1])

    async def run(self) -> None:
        """Until cancelled; an error of the market ends it."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Close every connection and the port."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        closing = [one.close(WSCloseCode.GOING_AWAY, b"The exchange stops") for one in self._hub.connections]
        await asyncio.gather(*closing, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    def _app(self) -> web.Application:
        broker, sessions = self.broker, self.sessions
        app = web.Application(middlewares=[_kite_errors, guard(broker, sessions)])
        app.on_response_prepare.append(remove_type)
        app.add_routes([web.get("/", self._root)])
        for family in (
            UserEndpoints(broker, sessions),
            OrderEndpoints(broker),
            PortfolioEndpoints(broker),
            GttEndpoints(broker),
            MarketEndpoints(broker),
            MarginEndpoints(broker),
            AdminEndpoints(broker, sessions, self._hub, self.status),
        ):
            app.add_routes(family.routes())
        return app

    def status(self) -> dict[str, Any]:
        """How the session stands."""
        clock = ist(self.broker.clock.now)
        return {
            "stage": self._player.stage.value,
            "finished": self._player.stage is Stage.FINISHED,
            "session_date": clock.date().isoformat(),
            "clock": clock.strftime("%H:%M:%S"),
            "instruments": len(self.broker.catalogue),
            "connections": len(self._hub.connections),
            "subscriptions": self._hub.subscriptions,
            "ticks_sent": self._hub.sent,
            "orders": len(self.broker.book),
            "orders_resting": self.broker.exchange.resting,
            "order_calls": self.broker.calls.total,
        }

    async def _root(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request)
        return web.Response(text=page(self.status(), self.broker), content_type="text/html")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if not self.sessions.is_valid(request.query.get("api_key", ""), request.query.get("access_token", "")):
            return web.Response(status=403, text="Forbidden")
        if self._hub.served >= MOST_CONNECTIONS:
            return web.Response(status=429, text="Too many connections")
        # flow control is the hub's: aiohttp's own would let one client that does not read hold up all
        socket = web.WebSocketResponse(timeout=CLOSE_SECONDS, compress=False, writer_limit=sys.maxsize)
        await socket.prepare(request)
        connection = Connection(socket, request.transport)
        self._hub.connections.add(connection)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._hub.handle(connection, message.data)
        finally:
            self._hub.connections.discard(connection)
        return socket


@web.middleware
async def _kite_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal has Kite's error body."""
    try:
        return await handler(request)
    except Refused as error:
        return refusal(error)
    except web.HTTPNotFound:
        return failure(404, "GeneralException", "Route not found")
    except web.HTTPMethodNotAllowed:
        return failure(405, "GeneralException", "Method not allowed")
