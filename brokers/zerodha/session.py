"""The access token: obtained by a login, kept in a file only its owner can read, read again after a refusal."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from kiteconnect import KiteConnect
from kiteconnect.exceptions import KiteException
from requests import RequestException

from brokers.errors import BrokerFailure, SessionRefused


def read_token(file: Path | None) -> str:
    """Today's access token; empty when there is none yet."""
    if file is None:
        return ""
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def write_token(file: Path, token: str) -> None:
    """Replace the file at once, readable by its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(handle, "w") as written:
        written.write(token)
    Path(name).replace(file)


def login(root: str | None, api_key: str, api_secret: str, request_token: str) -> str:
    """The access token of a new session. Raises SessionRefused, or BrokerFailure when there is no answer."""
    client = KiteConnect(api_key, root=root)
    try:
        session = client.generate_session(request_token, api_secret)
    except KiteException as error:
        raise SessionRefused(f"The broker refused the login: {error}") from error
    except RequestException as error:
        raise BrokerFailure(f"The broker does not answer: {type(error).__name__}") from error
    return str(session["access_token"])
