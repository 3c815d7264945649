"""Which of Kite's failures to write mean no, and which mean that nobody knows.

A definite no: an input, margin, holding or permission error with status 400 or 403, 429, and a request that never
left. Everything else is unknown: time-outs after sending, a broken connection, 5xx, answers that cannot be read. So is
any text with "timed out", whatever its status: such orders have filled seconds later.
Source: kite.trade forum, discussions 8124, 9602, 35732, 41029; exceptions of kiteconnect 5.2.2.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from kiteconnect.exceptions import KiteException
from requests import ConnectionError as RequestsConnectionError
from requests import ConnectTimeout
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError

from brokers.answers import RefusalKind, Refused, Unknown

LONGEST_REASON = 300
TIMED_OUT = "timed out"
DEFINITE = frozenset({"InputException", "MarginException", "HoldingException", "UserException"})
SESSION = frozenset({"TokenException", "PermissionException"})


class WireError(msgspec.Struct, frozen=True):
    """What an error response said: its HTTP status, and Kite's `error_type` where it had one."""

    status: int
    error_type: str


def answer_of(error: Exception, wire: WireError | None) -> Refused | Unknown:
    """What a failed write means. `wire` is the response, None when there was none. Raises nothing."""
    reason = _reason(error)
    if wire is None:
        return Refused(RefusalKind.UNREACHED, reason) if never_left(error) else Unknown(reason)
    if not isinstance(error, KiteException) or TIMED_OUT in str(error).lower():
        return Unknown(reason)
    if wire.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Refused(RefusalKind.RATE, reason)
    if wire.status == HTTPStatus.FORBIDDEN and wire.error_type in SESSION:
        return Refused(RefusalKind.SESSION, reason)
    if wire.status == HTTPStatus.BAD_REQUEST and wire.error_type in DEFINITE:
        return Refused(RefusalKind.REJECTED, reason)
    return Unknown(reason)


def never_left(error: Exception) -> bool:
    """True when no connection was made, so that nothing can have been sent."""
    if isinstance(error, ConnectTimeout):
        return True
    if not isinstance(error, RequestsConnectionError) or not error.args:
        return False
    cause = error.args[0]
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError | NameResolutionError)


def _reason(error: Exception) -> str:
    """Kite's own words, or the name of what went wrong: a transport error's text may hold the address asked for."""
    text = str(error) if isinstance(error, KiteException) else ""
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__)[:LONGEST_REASON]
