"""Kite's REST API for one account, through its own client, without blocking the event loop.

A bounded number of calls is in flight, each in a thread with a client of its own; writes never wait behind reads. A
write is sent once, whatever happens: no retry, no redirect. Its answer is a value. Reads raise.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

from kiteconnect import KiteConnect
from kiteconnect.exceptions import PermissionException, TokenException
from requests import Response
from requests.exceptions import InvalidURL

from brokers.answers import Answer, Taken, Unknown
from brokers.errors import BrokerFailure, SessionRefused
from brokers.zerodha.egress import leave_from
from brokers.zerodha.mapping import is_number
from brokers.zerodha.outcomes import WireError, answer_of

T = TypeVar("T")
Row = dict[str, Any]
Token = Callable[[], str]


READERS = 2
READ_SECONDS = 0.15
UNANSWERED = "unanswered"  # the route of a call without a response


@dataclass(frozen=True)
class Endpoint:
    """Where Kite is, and who asks. `root` None is Kite's own; `token` gives today's access token, empty for none.

    `refused` hears of a token that Kite does not accept.
    Calls leave from `bind_address`, an address of this machine; empty is the system's choice.
    `most_in_flight` is of writes.
    `heard` is told of each call in its thread: the route, the seconds, and the kind of error, empty for an answer.
    """

    root: str | None
    api_key: str
    token: Token
    timeout_seconds: float = 7.0
    most_in_flight: int = 4
    bind_address: str = ""
    refused: Callable[[str], None] = lambda _: None
    heard: Callable[[str, float, str], None] = lambda _route, _seconds, _error: None


@dataclass(frozen=True)
class Greeting:
    """How the broker answers who we are: the user, or why not; its `Date`, and our wall clock before and after.

    `date` is empty when there was no answer at all.
    """

    user: Row | BrokerFailure
    date: str
    asked_at: float
    answered_at: float


class _Caller(threading.local):
    """A thread's own client, and what the last response in it said when it was an error."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.wire: WireError | None = None
        self.date = ""
        self.route = UNANSWERED
        self.kite = KiteConnect(endpoint.api_key, root=endpoint.root, timeout=endpoint.timeout_seconds)
        self.kite.reqsession.trust_env = False  # no proxy of the environment sees the token
        self.kite.reqsession.hooks["response"].append(self._note)
        if endpoint.bind_address:
            leave_from(self.kite.reqsession, endpoint.bind_address)

    def _note(self, response: Response, **_: Any) -> None:
        self.wire = WireError(response.status_code, _error_type(response))
        self.date = response.headers.get("Date", "")
        self.route = _route(response)
        if response.is_redirect or response.is_permanent_redirect:
            raise InvalidURL("The broker answered with a redirect")


def _route(response: Response) -> str:
    """`POST orders`: the method and the first part of the path, of which there are few."""
    request = response.request
    return f"{request.method} {urlsplit(request.url or '').path.strip('/').split('/')[0]}"


def _error_type(response: Response) -> str:
    try:
        found = response.json().get("error_type")
    except (ValueError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""


class ZerodhaClient:
    """Writes answer with a value; reads raise SessionRefused or BrokerFailure. Close it when done."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._callers = _Caller(endpoint)
        self._writers = ThreadPoolExecutor(endpoint.most_in_flight, thread_name_prefix="kite-write")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="kite-read")  # never in the way of a write
        self._next_read = 0.0

    def close(self) -> None:
        """Give up what has not been called yet; calls in flight end in their own time."""
        for threads in (self._writers, self._readers):
            threads.shutdown(wait=False, cancel_futures=True)

    async def place(self, variety: str, fields: Row) -> Answer:
        """Place an order with Kite's parameters, `brokers.zerodha.mapping.order_fields`."""
        return await self._write(lambda kite: kite.place_order(variety, **fields))

    async def modify(self, variety: str, broker_order_id: str, fields: Row) -> Answer:
        """Ask to change an order; taken means that the request was."""
        return await self._write(lambda kite: kite.modify_order(variety, broker_order_id, **fields))

    async def cancel(self, variety: str, broker_order_id: str) -> Answer:
        """Ask to cancel what rests of an order; taken means that the request was."""
        return await self._write(lambda kite: kite.cancel_order(variety, broker_order_id))

    async def triggers(self) -> list[Row]:
        """Every good-till-triggered order of the account, whoever placed it."""
        return await self._rows(lambda kite: kite.get_gtts())

    async def place_trigger(self, fields: Row) -> Answer:
        """Place a trigger with Kite's parameters, `brokers.zerodha.gtt.trigger_fields`; taken names its number."""
        return await self._write(lambda kite: _trigger_number(kite.place_gtt(**fields)))

    async def modify_trigger(self, trigger_id: str, fields: Row) -> Answer:
        """Give a trigger other terms."""
        return await self._write(lambda kite: _trigger_number(kite.modify_gtt(trigger_id, **fields)))

    async def delete_trigger(self, trigger_id: str) -> Answer:
        """Remove a trigger."""
        return await self._write(lambda kite: _trigger_number(kite.delete_gtt(trigger_id)))

    async def orders(self) -> list[Row]:
        """Every order of the account's day, whoever placed it."""
        return await self._rows(lambda kite: kite.orders())

    async def trades(self) -> list[Row]:
        """Every trade of the account's day."""
        return await self._rows(lambda kite: kite.trades())

    async def holdings(self) -> list[Row]:
        """Delivery holdings."""
        return await self._rows(lambda kite: kite.holdings())

    async def positions(self) -> list[Row]:
        """Net positions, deliveries of the day among them."""
        found = await self._read(lambda kite: kite.positions())
        rows = found.get("net") if isinstance(found, dict) else None
        return _checked_rows(rows)

    async def funds(self) -> Row:
        """Margins of the equity segment."""
        return _checked_row(await self._read(lambda kite: kite.margins("equity")))

    async def greet(self) -> Greeting:
        """Ask for the user, the call that proves a session. Raises SessionRefused when there is no token."""
        try:
            return await self._in_turn(self._greet)
        except _Failed as failed:
            raise _failure_of(failed) from failed.error

    def _greet(self, kite: KiteConnect) -> Greeting:
        """In a thread, so that the times are those of the call."""
        asked_at, self._callers.date = time.time(), ""
        user: Row | BrokerFailure
        try:
            user = _checked_row(self._definite(lambda one: one.profile())(kite))
        except BrokerFailure as error:
            user = error
        except Exception as error:  # of the client: KeyError and TypeError for answers it cannot read
            user = _failure_of(_Failed(error, self._callers.wire))
        return Greeting(user, self._callers.date, asked_at, time.time())

    async def _write(self, call: Callable[[KiteConnect], Any]) -> Answer:
        try:
            taken = await self._in_thread(self._writers, self._definite(call))
        except _Failed as failed:
            return answer_of(failed.error, failed.wire)
        return Taken(taken) if is_number(taken) else Unknown("The answer names no number")

    async def _rows(self, call: Callable[[KiteConnect], Any]) -> list[Row]:
        return _checked_rows(await self._read(call))

    async def _read(self, call: Callable[[KiteConnect], Any]) -> Any:
        try:
            return await self._in_turn(self._definite(call))
        except _Failed as failed:
            raise _failure_of(failed) from failed.error

    async def _in_turn(self, call: Callable[[KiteConnect], T]) -> T:
        """Reads are spread: Kite takes ten a second of all that are not orders (its forum, 8577)."""
        now = time.monotonic()
        turn = max(now, self._next_read)
        self._next_read = turn + READ_SECONDS
        if turn > now:
            await asyncio.sleep(turn - now)
        return await self._in_thread(self._readers, call)

    def _definite(self, call: Callable[[KiteConnect], T]) -> Callable[[KiteConnect], T]:
        """The client takes a yes with an error's status for a yes: we do not."""

        def checked(kite: KiteConnect) -> T:
            found = call(kite)
            wire = self._callers.wire
            if wire is not None and wire.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise ValueError("An answer with an error's status")
            return found

        return checked

    async def _in_thread(self, threads: ThreadPoolExecutor, call: Callable[[KiteConnect], T]) -> T:
        token = self._endpoint.token()
        if not token:
            raise _Failed(TokenException("There is no session: log in", code=403), WireError(403, "TokenException"))
        try:
            calling = asyncio.get_running_loop().run_in_executor(threads, self._call, call, token)
        except RuntimeError as error:  # closed: the process stops
            raise _Failed(error, None) from error
        try:
            return await calling
        except _Failed as failed:
            if isinstance(failed.error, TokenException):
                self._endpoint.refused(token)
            raise

    def _call(self, call: Callable[[KiteConnect], T], token: str) -> T:
        caller = self._callers
        caller.wire, caller.route, failed = None, UNANSWERED, ""
        caller.kite.set_access_token(token)
        began = time.monotonic()
        try:
            return call(caller.kite)
        except Exception as error:  # of the client: KeyError and TypeError for answers it cannot read
            failed = type(error).__name__
            raise _Failed(error, caller.wire) from error
        finally:
            self._endpoint.heard(caller.route, time.monotonic() - began, failed)


class _Failed(Exception):
    """Carries a call's error and the response behind it out of the thread."""

    def __init__(self, error: Exception, wire: WireError | None) -> None:
        super().__init__(type(error).__name__)
        self.error = error
        self.wire = wire


def _failure_of(failed: _Failed) -> BrokerFailure:
    """What a failed read is to whoever asked."""
    is_refusal = isinstance(failed.error, TokenException | PermissionException)
    return (SessionRefused if is_refusal else BrokerFailure)(answer_of(failed.error, failed.wire).reason)


def _trigger_number(answer: Any) -> Any:
    number = answer.get("trigger_id") if isinstance(answer, dict) else None
    return str(number) if isinstance(number, int) else number


def _checked_rows(found: Any) -> list[Row]:
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise BrokerFailure("The answer is no list of rows")
    return found


def _checked_row(found: Any) -> Row:
    if not isinstance(found, dict):
        raise BrokerFailure("The answer is no object")
    return found
