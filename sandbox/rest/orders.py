"""Order calls, the order book and the trades."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sandbox.bodies import order_body, trade_body
from sandbox.broker import Broker
from sandbox.errors import Refused, invalid
from sandbox.order_form import read_changes, read_order
from sandbox.orders import Order
from sandbox.rest.answers import FIELDS, HOLD_SECONDS, ORDER_ID, success


class OrderEndpoints:
    """/orders and /trades."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [
            web.get("/orders", self._all),
            web.get("/orders/{order_id}", self._history),
            web.get("/orders/{order_id}/trades", self._trades_of),
            web.get("/trades", self._trades),
            web.post("/orders/{variety}", self._place),
            web.put("/orders/{variety}/{order_id}", self._modify),
            web.delete("/orders/{variety}/{order_id}", self._cancel),
        ]

    async def _all(self, _: web.Request) -> web.Response:
        return success([order_body(order) for order in self._broker.book])

    async def _history(self, request: web.Request) -> web.Response:
        states = self._broker.book.history(request.match_info["order_id"])
        if not states:
            raise invalid("Couldn't find that `order_id`.")
        return success([order_body(state) for state in states])

    async def _trades(self, _: web.Request) -> web.Response:
        return success([trade_body(trade) for trade in self._broker.book.trades()])

    async def _trades_of(self, request: web.Request) -> web.Response:
        order_id = request.match_info["order_id"]
        if self._broker.book.find(order_id) is None:
            raise invalid("Couldn't find that `order_id`.")
        return success([trade_body(trade) for trade in self._broker.book.trades(order_id)])

    async def _place(self, request: web.Request) -> web.Response:
        given, hold = request[FIELDS], request.get(HOLD_SECONDS, 0.0)
        terms = read_order(given, request.match_info["variety"], self._broker.catalogue)
        if given.get("autoslice") == "true":
            whole, parts = self._broker.desk.place_sliced(terms, hold_seconds=hold)
            request[ORDER_ID] = whole
            return success({"order_id": whole, "children": [_child(part) for part in parts]})
        order = self._broker.desk.place(terms, hold_seconds=hold)
        request[ORDER_ID] = order.order_id
        return success({"order_id": order.order_id})

    async def _modify(self, request: web.Request) -> web.Response:
        order, given = self._named(request), request[FIELDS]
        self._broker.changes.modify(order, lambda known: read_changes(given, known))
        return success({"order_id": order.order_id})

    async def _cancel(self, request: web.Request) -> web.Response:
        order = self._named(request)
        self._broker.changes.cancel(order)
        return success({"order_id": order.order_id})

    def _named(self, request: web.Request) -> Order:
        order_id = request[ORDER_ID] = request.match_info["order_id"]
        return self._broker.changes.find(request.match_info["variety"], order_id)


def _child(part: Order | Refused) -> dict[str, Any]:
    if isinstance(part, Order):
        return {"order_id": part.order_id}
    return {"error": {"code": part.status, "error_type": part.kind, "message": str(part), "data": None}}
