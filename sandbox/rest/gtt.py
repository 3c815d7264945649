"""Good-till-triggered orders."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from sandbox.bodies import APP_ID
from sandbox.broker import Broker
from sandbox.clock import stamp
from sandbox.gtt import Trigger, read_plan
from sandbox.money import rupees
from sandbox.orders import Terms
from sandbox.rest.answers import fields, success
from sandbox.sessions import USER_ID


class GttEndpoints:
    """/gtt/triggers."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [
            web.post("/gtt/triggers", self._add),
            web.get("/gtt/triggers", self._all),
            web.get("/gtt/triggers/{number}", self._one),
            web.put("/gtt/triggers/{number}", self._change),
            web.delete("/gtt/triggers/{number}", self._delete),
        ]

    async def _add(self, request: web.Request) -> web.Response:
        plan = read_plan(await fields(request), self._broker.catalogue)
        return success({"trigger_id": self._broker.gtts.add(plan).number})

    async def _all(self, _: web.Request) -> web.Response:
        return success([_body(one) for one in self._broker.gtts])

    async def _one(self, request: web.Request) -> web.Response:
        return success(_body(self._named(request)))

    async def _change(self, request: web.Request) -> web.Response:
        trigger = self._named(request)
        self._broker.gtts.change(trigger, read_plan(await fields(request), self._broker.catalogue))
        return success({"trigger_id": trigger.number})

    async def _delete(self, request: web.Request) -> web.Response:
        trigger = self._named(request)
        self._broker.gtts.delete(trigger)
        return success({"trigger_id": trigger.number})

    def _named(self, request: web.Request) -> Trigger:
        return self._broker.gtts.find(request.match_info["number"])


def _body(one: Trigger) -> dict[str, Any]:
    plan = one.plan
    return {
        "id": one.number,
        "user_id": USER_ID,
        "parent_trigger": None,
        "type": plan.kind,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "expires_at": stamp(one.expires_at),
        "status": one.status.value,
        "condition": {
            "exchange": plan.instrument.exchange,
            "last_price": rupees(plan.last_price),
            "tradingsymbol": plan.instrument.tradingsymbol,
            "trigger_values": [rupees(value) for value in plan.triggers],
            "instrument_token": plan.instrument.instrument_token,
        },
        "orders": [_leg(one, number, terms) for number, terms in enumerate(plan.legs)],
        "meta": {},
    }


def _leg(one: Trigger, number: int, terms: Terms) -> dict[str, Any]:
    body = {
        "exchange": terms.instrument.exchange,
        "tradingsymbol": terms.instrument.tradingsymbol,
        "product": terms.product.value,
        "order_type": terms.order_type.value,
        "transaction_type": terms.side.value,
        "quantity": terms.quantity,
        "price": rupees(terms.price),
    }
    found = one.results.get(number)
    if found is None:
        return body | {"result": None}
    result = body | {
        "account_id": USER_ID,
        "validity": terms.validity.value,
        "meta": json.dumps({"app_id": APP_ID, "gtt": one.number}),
        "timestamp": stamp(found["at"]),
        "triggered_at": rupees(found["price"]),
        "order_result": found["order_result"],
    }
    return body | {"result": result}
