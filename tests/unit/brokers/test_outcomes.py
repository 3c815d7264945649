"""What a failed write means."""

from __future__ import annotations

import pytest
from kiteconnect import exceptions as kite
from requests import ConnectionError as RequestsConnectionError
from requests import ConnectTimeout, ReadTimeout
from requests.exceptions import ChunkedEncodingError, InvalidURL, SSLError
from urllib3.connection import HTTPConnection
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from brokers.answers import RefusalKind, Refused, Unknown
from brokers.zerodha.outcomes import WireError, answer_of

TIMED_OUT = "Order request timed out. Please check the order book and confirm before placing again."


def refused_connection() -> RequestsConnectionError:
    connection = HTTPConnection("127.0.0.1", 1)
    cause = NewConnectionError(connection, "refused")
    return RequestsConnectionError(MaxRetryError(None, "/orders/regular", cause))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (kite.InputException("bad"), 400, RefusalKind.REJECTED),
        (kite.GeneralException("no margin", code=400), 400, RefusalKind.REJECTED),
        (kite.TokenException("expired"), 403, RefusalKind.SESSION),
        (kite.PermissionException("not allowed"), 403, RefusalKind.SESSION),
        (kite.NetworkException("Too many requests", code=429), 429, RefusalKind.RATE),
    ],
)
def test_a_definite_no(error: kite.KiteException, status: int, kind: RefusalKind) -> None:
    error_type = "MarginException" if type(error) is kite.GeneralException else type(error).__name__
    answer = answer_of(error, WireError(status, error_type))
    assert isinstance(answer, Refused)
    assert answer.kind is kind
    assert str(error) in answer.reason


@pytest.mark.parametrize("error", [refused_connection(), ConnectTimeout("connect")])
def test_what_never_left_is_a_no(error: Exception) -> None:
    assert answer_of(error, None) == Refused(RefusalKind.UNREACHED, type(error).__name__)


@pytest.mark.parametrize(
    ("error", "wire"),
    [
        (kite.InputException(TIMED_OUT), WireError(400, "InputException")),
        (kite.NetworkException("Gateway timed out", code=429), WireError(429, "NetworkException")),
        (kite.OrderException("OMS", code=500), WireError(500, "OrderException")),
        (kite.OrderException("OMS", code=400), WireError(400, "OrderException")),
        (kite.GeneralException("?", code=500), WireError(500, "MarginException")),
        (kite.GeneralException("?", code=400), WireError(400, "SomethingNew")),
        (kite.DataException("html"), WireError(502, "")),
        (kite.DataException("html"), WireError(400, "")),
        (KeyError("content-type"), WireError(200, "")),
        (KeyError("data"), WireError(200, "")),
        (TypeError("getattr"), WireError(400, "")),
        (InvalidURL("a redirect"), WireError(307, "")),
        (ReadTimeout("read"), None),
        (ChunkedEncodingError("cut"), None),
        (SSLError("handshake"), None),
        (RequestsConnectionError(ProtocolError("Connection aborted")), None),
        (RequestsConnectionError(), None),
    ],
)
def test_everything_else_is_unknown(error: Exception, wire: WireError | None) -> None:
    assert isinstance(answer_of(error, wire), Unknown)


def test_a_transport_errors_own_text_is_not_told() -> None:
    answer = answer_of(ReadTimeout("https://broker/?access_token=secret"), None)
    assert answer.reason == "ReadTimeout"
