"""Login, logout, the profile and the funds."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sandbox.account import Funds
from sandbox.broker import Broker
from sandbox.errors import invalid
from sandbox.money import Number, rupees
from sandbox.rest.answers import fields, success
from sandbox.sessions import Sessions, profile_body, session_body

COMMODITY = "commodity"
EQUITY = "equity"


class UserEndpoints:
    """/session and /user."""

    def __init__(self, broker: Broker, sessions: Sessions) -> None:
        self._broker = broker
        self._sessions = sessions

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [
            web.post("/session/token", self._open),
            web.delete("/session/token", self._close),
            web.get("/user/profile", self._profile),
            web.get("/user/margins", self._margins),
            web.get("/user/margins/{segment}", self._segment),
        ]

    async def _open(self, request: web.Request) -> web.Response:
        form = await fields(request)
        given = [form.get(name, "") for name in ("api_key", "request_token", "checksum")]
        if not all(given):
            raise invalid("Missing `api_key`, `request_token` or `checksum`.")
        token = self._sessions.open(given[0], given[1], given[2])
        return success(session_body(self._sessions, token, self._broker.clock.stamp))

    async def _close(self, request: web.Request) -> web.Response:
        self._sessions.close(request.query.get("api_key", ""), request.query.get("access_token", ""))
        return success(True)

    async def _profile(self, _: web.Request) -> web.Response:
        return success(profile_body())

    async def _margins(self, _: web.Request) -> web.Response:
        return success({EQUITY: self._body(EQUITY), COMMODITY: self._body(COMMODITY)})

    async def _segment(self, request: web.Request) -> web.Response:
        segment = request.match_info["segment"]
        if segment not in (EQUITY, COMMODITY):
            raise invalid("Invalid `segment`.")
        return success(self._body(segment))

    def _body(self, segment: str) -> dict[str, Any]:
        return _funds_body(self._broker.account.funds() if segment == EQUITY else None)


def _funds_body(funds: Funds | None) -> dict[str, Any]:
    """None is a segment that is enabled and empty."""
    available: dict[str, Number] = {
        "adhoc_margin": 0,
        "cash": 0,
        "opening_balance": 0,
        "live_balance": 0,
        "collateral": 0,
    }
    utilised = dict.fromkeys(
        (
            "debits", "exposure", "m2m_realised", "m2m_unrealised", "option_premium", "payout", "span",
            "holding_sales", "turnover", "liquid_collateral", "stock_collateral", "delivery",
        ),
        rupees(0),
    )  # fmt: skip
    body: dict[str, Any] = {"enabled": True, "net": 0, "available": available | {"intraday_payin": 0}}
    if funds is None:
        return body | {"utilised": utilised}
    opening, net = rupees(funds.opening), rupees(funds.net)
    available |= {"cash": opening, "opening_balance": opening, "live_balance": net}
    utilised |= {
        "debits": rupees(funds.debits),
        "exposure": rupees(funds.margin.exposure),
        "m2m_realised": rupees(-funds.realised),
        "m2m_unrealised": rupees(-funds.unrealised),
        "option_premium": rupees(funds.margin.option_premium),
        "span": rupees(funds.margin.span + funds.margin.var),
        "holding_sales": rupees(-funds.sales),
        "delivery": rupees(funds.delivery),
    }
    return body | {
        "net": net,
        "available": available | {"intraday_payin": rupees(funds.payin)},
        "utilised": utilised,
    }
