"""Logins of the sandbox: one application, request tokens used once, one access token at a time.

A login ends the session before it, as it does at Kite, and a session ends at 06:00 IST of the exchange's clock. Open
WebSockets stay open; only the next connection is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

from sandbox.clock import next_token_end
from sandbox.errors import Refused

USER_ID = "AP0001"
MOST_CONNECTIONS = 3
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def _token(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _is_same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), secret.encode())


class Sessions:
    """Credentials are new with every start, unless given; they leave the process through the first output line only.

    `clock` gives the exchange's epoch seconds; the exchange sets it.
    """

    def __init__(self, api_key: str | None = None, api_secret: str | None = None) -> None:
        self.api_key = api_key or _token(16)
        self.api_secret = api_secret or _token(32)
        self.clock: Callable[[], float] = lambda: 0.0
        self._request_tokens: set[str] = set()
        self._access_token = ""
        self._ends_at = 0.0

    def new_request_token(self) -> str:
        """What the login page would hand over."""
        token = _token(32)
        self._request_tokens.add(token)
        return token

    def request_token_for(self, api_key: str, api_secret: str) -> str:
        """A request token without the login page, for whoever knows the secret."""
        if not (api_key == self.api_key and _is_same(api_secret, self.api_secret)):
            raise Refused(403, "TokenException", "Invalid `api_key` or `api_secret`.")
        return self.new_request_token()

    def open(self, api_key: str, request_token: str, checksum: str) -> str:
        """The access token for a request token. Raises Refused."""
        if api_key != self.api_key:
            raise Refused(403, "TokenException", "Invalid `api_key`.")
        expected = hashlib.sha256(f"{api_key}{request_token}{self.api_secret}".encode()).hexdigest()
        if not _is_same(checksum, expected):
            raise Refused(403, "TokenException", "Invalid `checksum`.")
        if request_token not in self._request_tokens:
            raise Refused(403, "TokenException", "Token is invalid or has expired.")
        self._request_tokens.discard(request_token)
        self._access_token = _token(32)
        self._ends_at = next_token_end(self.clock())
        return self._access_token

    def close(self, api_key: str, access_token: str) -> None:
        """End a session. Raises Refused when there is none."""
        self.check(api_key, access_token)
        self.expire()

    def expire(self) -> None:
        """End whatever session there is: the morning has come, or somebody has logged in elsewhere."""
        self._access_token = ""

    def is_valid(self, api_key: str, access_token: str) -> bool:
        """True for a session that is open."""
        is_current = bool(self._access_token) and _is_same(access_token, self._access_token)
        return api_key == self.api_key and is_current and self.clock() < self._ends_at

    def check(self, api_key: str, access_token: str) -> None:
        """Raises Refused for a session that is not open."""
        if not self.is_valid(api_key, access_token):
            raise Refused(403, "TokenException", "Incorrect `api_key` or `access_token`.")


def session_body(sessions: Sessions, access_token: str, login_time: str) -> dict[str, object]:
    """Kite's answer to a login."""
    return profile_body() | {
        "user_id": USER_ID,
        "api_key": sessions.api_key,
        "access_token": access_token,
        "public_token": _token(32),
        "refresh_token": "",
        "enctoken": "",
        "silo": "",
        "login_time": login_time,
    }


def profile_body() -> dict[str, object]:
    """Kite's user profile."""
    return {
        "user_id": USER_ID,
        "user_type": "individual",
        "email": "trader@sandbox.invalid",
        "user_name": "Sandbox Trader",
        "user_shortname": "Sandbox",
        "broker": "ZERODHA",
        "exchanges": ["NSE", "NFO", "BSE", "BFO"],
        "products": ["CNC", "NRML", "MIS"],
        "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
        "avatar_url": None,
        "meta": {"demat_consent": "physical"},
    }
