"""What every call to Kite's endpoints passes: the log of order calls, limits, faults, the token, and order updates."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.typedefs import Middleware

from sandbox.broker import Broker
from sandbox.calls import Call
from sandbox.errors import Refused
from sandbox.fault_kinds import Kind
from sandbox.faults import Fault
from sandbox.limits import Budget, budget_of
from sandbox.rest.answers import FIELDS, HOLD_SECONDS, ORDER_ID, Handler, credentials, fields, refusal
from sandbox.rest.fault_answers import broken_answer, wait_or_gone
from sandbox.sessions import Sessions

WHOLE = (Kind.SLOW, Kind.UPDATE_FIRST, Kind.SECOND_LOGIN)  # faults that leave the answer as it is


def guard(broker: Broker, sessions: Sessions) -> Middleware:
    """The middleware. Pages, the stream and the operator's endpoints under /sandbox pass untouched."""

    @web.middleware
    async def passed(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.http_exception is not None or request.path == "/" or _is_operators(request.path):
            return await handler(request)
        return await _Passage(broker, sessions, request, handler).answer()

    return passed


def _is_operators(path: str) -> bool:
    return path.startswith("/sandbox/")


def needs_token(path: str) -> bool:
    """False for the login and the instrument dump."""
    is_dump = path.startswith("/instruments") and not path.startswith("/instruments/historical/")
    return path != "/session/token" and not is_dump


class _Passage:
    """One call on its way."""

    def __init__(self, broker: Broker, sessions: Sessions, request: web.Request, handler: Handler) -> None:
        self._broker = broker
        self._sessions = sessions
        self._request = request
        self._handler = handler
        self._call: Call | None = None

    async def answer(self) -> web.StreamResponse:
        """Everything in its order; order updates go out after the answer unless a fault turns that round."""
        try:
            await self._arrive()
        except Refused as error:
            return self._noted(refusal(error))
        struck = self._strike()
        slow = sum(one.wait for one in struck if one.kind is Kind.SLOW)
        broken = next((one for one in struck if one.kind not in WHOLE), None)
        first = next((one for one in struck if one.kind is Kind.UPDATE_FIRST), None)
        answer = await self._carry_out(broken) if broken is None or broken.takes_effect else None
        await wait_or_gone(self._request, slow)
        if first is not None:
            await self._broker.updates.flush()
            await asyncio.sleep(first.wait)
        if broken is not None:
            return await self._break(broken, answer)
        assert answer is not None  # noqa: S101 - only a broken call may have none
        return await self._send(self._noted(answer))

    async def _arrive(self) -> None:
        """Log and count the call. Raises Refused: one that cannot be read counts as well."""
        request, broker = self._request, self._broker
        budget = budget_of(request.method, request.path)
        unread: Refused | None = None
        request[FIELDS] = {}
        if budget is Budget.ORDERS:
            try:
                request[FIELDS] = await fields(request)
            except Refused as error:
                unread = error
            self._call = broker.calls.note(
                request.method, request.path, broker.clock.stamp, broker.monotonic(), request[FIELDS]
            )
        if needs_token(request.path):
            broker.limits.check(budget)
        if unread is not None:
            raise unread

    def _strike(self) -> list[Fault]:
        request = self._request
        struck = self._broker.faults.strike_call(f"{request.method} {request.path}", self._instrument())
        if self._call is not None:
            self._call.faults = [one.kind.value for one in struck]
        if any(one.kind is Kind.SECOND_LOGIN for one in struck):
            self._sessions.expire()
        return struck

    def _instrument(self) -> str | None:
        """`EXCHANGE:TRADINGSYMBOL` of an order call."""
        given = self._request[FIELDS]
        order = self._broker.book.find(self._request.match_info.get("order_id", ""))
        if order is not None:
            return order.terms.instrument.key
        return f"{given.get('exchange')}:{given.get('tradingsymbol')}" if given else None

    async def _carry_out(self, broken: Fault | None) -> web.StreamResponse:
        if broken is not None and broken.kind is Kind.TIMED_OUT:
            self._request[HOLD_SECONDS] = broken.wait
        try:
            if needs_token(self._request.path):
                self._sessions.check(*credentials(self._request))
            return await self._handler(self._request)
        except Refused as error:
            return refusal(error)

    async def _break(self, fault: Fault, answer: web.StreamResponse | None) -> web.StreamResponse:
        if fault.kind is Kind.NO_ANSWER:
            await self._broker.updates.flush()
        whole = answer if isinstance(answer, web.Response) else None
        found = await broken_answer(fault, whole, self._request, self._broker.rules.never_answered_seconds)
        is_silent = fault.kind in (Kind.NO_ANSWER, Kind.RESET)
        return await self._send(found if is_silent else self._noted(found))

    def _noted(self, answer: web.StreamResponse) -> web.StreamResponse:
        if self._call is not None:
            self._call.status = answer.status
            self._call.order_id = self._request.get(ORDER_ID)
        return answer

    async def _send(self, answer: web.StreamResponse) -> web.StreamResponse:
        """Write the answer here, so that the updates it caused come after it."""
        if self._broker.updates.is_waiting:
            try:
                await answer.prepare(self._request)
                await answer.write_eof()
            except ConnectionError:
                pass  # the client is gone; its order updates are not
            await self._broker.updates.flush()
        return answer
