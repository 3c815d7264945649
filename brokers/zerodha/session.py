"""The session with Kite: obtained by a login, kept encrypted in a file, read again when it changes.

Kite ends every session in the morning: from 06:00 IST a token counts as dead, whenever it was obtained. It also ends
with a login elsewhere, which only a refusal shows. Source: Kite Connect documentation, "User"; its forum.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from datetime import datetime, time, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from kiteconnect import KiteConnect
from kiteconnect.exceptions import KiteException
from requests import RequestException

from brokers.errors import BrokerFailure, SessionRefused
from trading.market.sessions import IST

DIES_AT = time(6)
OWNER_ONLY = 0o600


class Session(msgspec.Struct, frozen=True):
    """One login of one API key. `obtained_at` in epoch seconds. The token is a secret: it goes nowhere but to Kite."""

    api_key: str
    access_token: str
    user_id: str
    obtained_at: int

    @property
    def expires_at(self) -> int:
        """Epoch second of the first 06:00 IST after the login."""
        obtained = datetime.fromtimestamp(self.obtained_at, IST)
        death = datetime.combine(obtained.date(), DIES_AT, IST)
        return int((death if obtained < death else death + timedelta(days=1)).timestamp())

    def __repr__(self) -> str:
        return f"Session(user_id={self.user_id!r}, obtained_at={self.obtained_at})"


class SessionState(StrEnum):
    """How it stands with the session."""

    VALID = "valid"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    OTHER_KEY = "other_key"
    EXPIRED = "expired"
    REFUSED = "refused"


WORDS = {
    SessionState.VALID: "There is a session",
    SessionState.MISSING: "Nobody has logged in: run `alpha-panda login`",
    SessionState.UNREADABLE: "The stored session cannot be read with kite.session_key: log in again",
    SessionState.OTHER_KEY: "The stored session is of another API key: log in again",
    SessionState.EXPIRED: "The session ended at 06:00 IST: run `alpha-panda login`",
    SessionState.REFUSED: "Kite does not accept the session any more: run `alpha-panda login`",
}


def new_session_key() -> str:
    """A key to encrypt sessions with."""
    return Fernet.generate_key().decode()


class SessionStore:
    """The encrypted file. Raises ValueError for a key that is none."""

    def __init__(self, file: Path, key: str) -> None:
        self.file = file
        self._fernet = Fernet(key)

    def write(self, session: Session) -> None:
        """Replace the file at once, readable by its owner only."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.file.parent, prefix=f".{self.file.name}.")
        with os.fdopen(handle, "wb") as written:
            written.write(self._fernet.encrypt(msgspec.json.encode(session)))
        Path(name).replace(self.file)

    def read(self) -> Session | SessionState:
        """The session, or why there is none."""
        try:
            return msgspec.json.decode(self._fernet.decrypt(self.file.read_bytes()), type=Session)
        except OSError:
            return SessionState.MISSING
        except (InvalidToken, msgspec.MsgspecError):
            return SessionState.UNREADABLE


class SessionView:
    """A process's current session. Cheap to ask: the file is read again when it was replaced. Any thread may ask."""

    def __init__(self, store: SessionStore | None, api_key: str, now: Callable[[], float]) -> None:
        self._store = store
        self._api_key = api_key
        self._now = now
        self._seen: tuple[int, int] | None = None
        self._found: Session | SessionState = SessionState.MISSING
        self._refused = b""

    @property
    def state(self) -> SessionState:
        """How it stands now."""
        found = self._current()
        return found if isinstance(found, SessionState) else SessionState.VALID

    @property
    def reason(self) -> str:
        """The state in a sentence, with what to do."""
        return WORDS[self.state]

    @property
    def expires_at(self) -> int:
        """Epoch second at which the session ends; 0 without one."""
        found = self._current()
        return 0 if isinstance(found, SessionState) else found.expires_at

    def token(self) -> str:
        """Today's access token; empty while there is none that may be used."""
        found = self._current()
        return "" if isinstance(found, SessionState) else found.access_token

    def refuse(self, token: str) -> None:
        """Kite has refused this token: it is not used again, another one is."""
        self._refused = _digest(token)

    def _current(self) -> Session | SessionState:
        found = self._read()
        if isinstance(found, SessionState):
            return found
        if found.api_key != self._api_key:
            return SessionState.OTHER_KEY
        if self._now() >= found.expires_at:
            return SessionState.EXPIRED
        return SessionState.REFUSED if _digest(found.access_token) == self._refused else found

    def _read(self) -> Session | SessionState:
        if self._store is None:
            return SessionState.MISSING
        try:
            status = self._store.file.stat()
        except OSError:
            self._seen = None
            return SessionState.MISSING
        seen = status.st_mtime_ns, status.st_ino
        if seen != self._seen:
            self._found, self._seen = self._store.read(), seen
        return self._found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def login(root: str | None, api_key: str, api_secret: str, request_token: str, now: float) -> Session:
    """Exchange a request token for a session. Raises SessionRefused, or BrokerFailure when there is no answer."""
    client = KiteConnect(api_key, root=root)
    client.reqsession.trust_env = False
    try:
        found = client.generate_session(request_token, api_secret)
        return Session(api_key, str(found["access_token"]), str(found["user_id"]), int(now))
    except KiteException as error:
        raise SessionRefused(f"The broker refused the login: {error}") from error
    except RequestException as error:
        raise BrokerFailure(f"The broker does not answer: {type(error).__name__}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise BrokerFailure("The broker's answer to the login cannot be read") from error
