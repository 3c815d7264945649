"""One port: Kite's REST endpoints, and at `/` the WebSocket."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from models.messages.validation import LATEST_SECOND
from sandbox.errors import Refused
from sandbox.hub import Connection, Hub
from sandbox.listing import dump
from sandbox.market import Market
from sandbox.page import page
from sandbox.player import Player, Stage
from sandbox.sessions import MOST_CONNECTIONS, Sessions, profile_body, session_body
from trading.market.sessions import IST

CLOSE_SECONDS = 1.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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
    ) -> None:
        self.sessions = sessions or Sessions()
        self._market = market
        self._hub = Hub({one.instrument_token for one in market.instruments})
        self._player = Player(market, self._hub, speed=speed, autostart=autostart, begin_at=begin_at, end_at=end_at)
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None

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
        app = web.Application(middlewares=[_kite_errors])
        app.add_routes(
            [
                web.get("/", self._root),
                web.post("/session/token", self._open_session),
                web.delete("/session/token", self._close_session),
                web.get("/user/profile", self._profile),
                web.get("/instruments", self._instruments),
                web.get("/instruments/{exchange}", self._instruments),
                web.get("/sandbox/status", self._status),
                web.post("/sandbox/request_token", self._request_token),
            ]
        )
        return app

    def status(self) -> dict[str, Any]:
        """How the session stands."""
        clock = datetime.fromtimestamp(self._player.clock, UTC).astimezone(IST)
        return {
            "stage": self._player.stage.value,
            "finished": self._player.stage is Stage.FINISHED,
            "session_date": clock.date().isoformat(),
            "clock": clock.strftime("%H:%M:%S"),
            "instruments": len(self._market.instruments),
            "connections": len(self._hub.connections),
            "subscriptions": self._hub.subscriptions,
            "ticks_sent": self._hub.sent,
        }

    async def _root(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request)
        return web.Response(text=page(self.status()), content_type="text/html")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if not self.sessions.is_valid(request.query.get("api_key", ""), request.query.get("access_token", "")):
            return web.Response(status=403, text="Forbidden")
        if len(self._hub.connections) >= MOST_CONNECTIONS:
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

    async def _open_session(self, request: web.Request) -> web.Response:
        form = await request.post()
        fields = [str(form.get(name, "")) for name in ("api_key", "request_token", "checksum")]
        if not all(fields):
            raise Refused(400, "InputException", "Missing `api_key`, `request_token` or `checksum`.")
        token = self.sessions.open(fields[0], fields[1], fields[2])
        now = datetime.now(IST).strftime("%Y-%m-%d %H:%M:%S")
        return _success(session_body(self.sessions, token, now))

    async def _close_session(self, request: web.Request) -> web.Response:
        self.sessions.close(request.query.get("api_key", ""), request.query.get("access_token", ""))
        return _success(True)

    async def _profile(self, request: web.Request) -> web.Response:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        api_key, _, access_token = credentials.partition(":")
        if scheme != "token":
            raise Refused(403, "TokenException", "Incorrect `api_key` or `access_token`.")
        self.sessions.check(api_key, access_token)
        return _success(profile_body())

    async def _instruments(self, request: web.Request) -> web.Response:
        exchange = request.match_info.get("exchange")
        return web.Response(text=dump(self._market.instruments, exchange), content_type="text/csv")

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(self.status())

    async def _request_token(self, request: web.Request) -> web.Response:
        form = await request.post()
        token = self.sessions.request_token_for(str(form.get("api_key", "")), str(form.get("api_secret", "")))
        return _success({"request_token": token})


def _success(data: Any) -> web.Response:
    return web.json_response({"status": "success", "data": data})


def _error(status: int, kind: str, message: str) -> web.Response:
    body = {"status": "error", "message": message, "data": None, "error_type": kind}
    return web.json_response(body, status=status)


@web.middleware
async def _kite_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal has Kite's error body."""
    try:
        return await handler(request)
    except Refused as error:
        return _error(error.status, error.kind, str(error))
    except web.HTTPNotFound:
        return _error(404, "GeneralException", "Route not found")
    except web.HTTPMethodNotAllowed:
        return _error(405, "GeneralException", "Method not allowed")
