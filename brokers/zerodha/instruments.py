"""Kite's instrument dump, through its own client."""

from __future__ import annotations

from kiteconnect import KiteConnect
from kiteconnect.exceptions import KiteException, PermissionException, TokenException
from requests import RequestException

from brokers.errors import BrokerFailure, SessionRefused

DOWNLOAD_SECONDS = 30.0  # between two bytes


def download_dump(root: str | None, api_key: str, access_token: str) -> bytes:
    """The CSV of all exchanges as Kite sends it. Blocks. Kite asks for no session here (Kite forum 48095).

    Raises SessionRefused when a session is asked for all the same, BrokerFailure when there is no dump.
    """
    client = KiteConnect(api_key, access_token=access_token or None, root=root, timeout=DOWNLOAD_SECONDS)
    try:
        # not client.instruments(): that raises at the first malformed line, and makes floats of prices
        raw = client._get("market.instruments.all")
    except (TokenException, PermissionException) as error:
        raise SessionRefused(f"The broker refused the instrument dump ({type(error).__name__})") from error
    except (KiteException, RequestException) as error:
        raise BrokerFailure(f"The broker sent no instrument dump: {type(error).__name__}") from error
    except (KeyError, TypeError) as error:  # how the client meets an answer without content type or data
        raise BrokerFailure("The broker sent no instrument dump, but an answer its client cannot read") from error
    if not isinstance(raw, bytes):
        raise BrokerFailure("The broker sent no instrument dump, but JSON")
    return raw
