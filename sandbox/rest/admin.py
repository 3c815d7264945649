"""The operator's endpoints under /sandbox: what tests and people do to the exchange that no client can. No token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from aiohttp import web
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, ValidationError

from models.messages.ticks import Level, to_units
from sandbox.board import tick_at
from sandbox.bodies import order_body
from sandbox.broker import Broker
from sandbox.errors import Refused, invalid
from sandbox.faults import Fault
from sandbox.hub import Hub
from sandbox.order_form import read_order
from sandbox.orders import Order
from sandbox.rest.answers import fields, json_body, success
from sandbox.rules import Key, Planted, PlantedFunds, PlantedHolding, PlantedPosition, Rupees, Strict
from sandbox.scenario import first_problem
from sandbox.sessions import Sessions

Body = TypeVar("Body", bound=Strict)
PlayedLevel = tuple[Rupees, PositiveInt]  # price in rupees, quantity


class PlayedTick(Strict):
    """A tick made by hand. Without levels the book is one tick size round the price, a thousand on each level."""

    instrument: Key
    last_price: Annotated[Decimal, Field(gt=0, le=10**9, decimal_places=4)]
    quantity: NonNegativeInt = 0
    buy: tuple[PlayedLevel, ...] | None = None
    sell: tuple[PlayedLevel, ...] | None = None


class Advance(Strict):
    """Seconds the exchange's clock moves on by itself."""

    seconds: PositiveFloat


class AdminEndpoints:
    """/sandbox."""

    def __init__(self, broker: Broker, sessions: Sessions, hub: Hub, status: Callable[[], dict[str, Any]]) -> None:
        self._broker = broker
        self._sessions = sessions
        self._hub = hub
        self._state = status

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [
            web.get("/sandbox/status", self._status),
            web.post("/sandbox/request_token", self._request_token),
            web.post("/sandbox/token/expire", self._expire),
            web.post("/sandbox/faults", self._add_fault),
            web.get("/sandbox/faults", self._faults),
            web.delete("/sandbox/faults", self._clear_faults),
            web.delete("/sandbox/faults/{number}", self._clear_faults),
            web.get("/sandbox/orders", self._orders),
            web.post("/sandbox/orders", self._flushed(self._place)),
            web.delete("/sandbox/orders/{order_id}", self._flushed(self._cancel)),
            web.post("/sandbox/holdings", self._plant_holding),
            web.post("/sandbox/positions", self._plant_position),
            web.post("/sandbox/funds", self._plant_funds),
            web.post("/sandbox/ticks", self._flushed(self._tick)),
            web.post("/sandbox/clock", self._flushed(self._advance)),
            web.get("/sandbox/calls", self._calls),
        ]

    def _flushed(
        self, handler: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """What happens by hand sends its order updates at once."""

        async def flushed(request: web.Request) -> web.Response:
            answer = await handler(request)
            await self._broker.updates.flush()
            return answer

        return flushed

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(self._state())

    async def _request_token(self, request: web.Request) -> web.Response:
        form = await fields(request)
        token = self._sessions.request_token_for(form.get("api_key", ""), form.get("api_secret", ""))
        return success({"request_token": token})

    async def _expire(self, _: web.Request) -> web.Response:
        self._sessions.expire()
        return success(True)

    async def _add_fault(self, request: web.Request) -> web.Response:
        return success(self._broker.faults.switch_on(await _read(request, Fault)).body())

    async def _faults(self, _: web.Request) -> web.Response:
        return success(self._broker.faults.bodies())

    async def _clear_faults(self, request: web.Request) -> web.Response:
        number = request.match_info.get("number")
        if number is not None and not number.isdigit():
            raise invalid(f"{number!r} is not the id of a fault.")
        removed = self._broker.faults.switch_off(None if number is None else int(number))
        if number is not None and not removed:
            raise Refused(404, "GeneralException", f"There is no fault {number}.")
        return success({"removed": removed})

    async def _orders(self, _: web.Request) -> web.Response:
        return success([order_body(one) for one in self._broker.book])

    async def _place(self, request: web.Request) -> web.Response:
        """An order of another source: no token, no limits, no faults of calls."""
        given = await fields(request)
        terms = read_order(given, given.get("variety", "regular"), self._broker.catalogue)
        terms.source = "hand"
        return success(order_body(self._broker.desk.place(terms)))

    async def _cancel(self, request: web.Request) -> web.Response:
        order = self._order(request.match_info["order_id"])
        self._broker.changes.cancel(order)
        return success(order_body(order))

    def _order(self, order_id: str) -> Order:
        order = self._broker.book.find(order_id)
        if order is None:
            raise invalid("Couldn't find that `order_id`.")
        return order

    async def _plant_holding(self, request: web.Request) -> web.Response:
        return self._plant(Planted(holdings=(await _read(request, PlantedHolding),)))

    async def _plant_position(self, request: web.Request) -> web.Response:
        return self._plant(Planted(positions=(await _read(request, PlantedPosition),)))

    def _plant(self, planted: Planted) -> web.Response:
        try:
            self._broker.plant(planted)
        except KeyError as error:
            raise invalid(str(error.args[0])) from None
        return success(True)

    async def _plant_funds(self, request: web.Request) -> web.Response:
        self._broker.account.plant_funds(await _read(request, PlantedFunds))
        return success(True)

    async def _tick(self, request: web.Request) -> web.Response:
        played = await _read(request, PlayedTick)
        found = self._broker.catalogue.by_key(played.instrument)
        if found is None:
            raise invalid(f"{played.instrument} is not traded here")
        before = self._broker.board.last(found)
        book = None if played.buy is None and played.sell is None else (_levels(played.buy), _levels(played.sell))
        now = int(self._broker.clock.now)
        tick = tick_at(found, to_units(played.last_price), now, before, book, played.quantity)
        self._broker.on_ticks([tick])
        await self._hub.broadcast([tick], wait=False)
        return success(True)

    async def _advance(self, request: web.Request) -> web.Response:
        self._broker.clock.advance((await _read(request, Advance)).seconds)
        return success({"clock": self._broker.clock.stamp})

    async def _calls(self, request: web.Request) -> web.Response:
        return success(self._broker.calls.bodies(request.query.get("tag")))


async def _read(request: web.Request, kind: type[Body]) -> Body:
    try:
        return kind.model_validate(await json_body(request))
    except ValidationError as error:
        raise invalid(first_problem(error)) from None


def _levels(levels: tuple[PlayedLevel, ...] | None) -> list[Level]:
    return [Level(to_units(price), quantity, 1) for price, quantity in levels or ()]
