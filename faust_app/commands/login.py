"""`alpha-panda login`: the day's session with Kite."""

from __future__ import annotations

import sys
import time
import webbrowser
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qs, urlencode, urlsplit

import typer

from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.settings import Settings, settings

if TYPE_CHECKING:
    from brokers.zerodha.session import Session, SessionStore

LOGIN_URL = "https://kite.zerodha.com/connect/login"
VERSION = "3"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def login(
        new_key: Annotated[
            bool, typer.Option("--new-key", help="Print a new key that encrypts sessions, for kite.session_key.")
        ] = False,
        status: Annotated[bool, typer.Option("--status", help="Say how it stands with the session.")] = False,
        browser: Annotated[bool, typer.Option(help="Open the login page in a browser.")] = True,
    ) -> None:
        """Log in to Kite for today; running workers take the new session up within a second.

        Log in on the page it opens, then paste the address the page sends you to (or its request_token) here, or give
        it on standard input. It is asked for because an argument could be seen by every user of the machine.
        A session ends at 06:00 IST. Kite clears tokens until about 07:30: log in after that.
        Needs kite.api_key, kite.api_secret and kite.session_key, best as environment variables.
        """
        if new_key:
            from brokers.zerodha.session import new_session_key

            typer.echo(new_session_key())
        elif status:
            _status(settings())
        else:
            _login(settings(), browser=browser)


def _status(config: Settings) -> None:
    from brokers.zerodha.session import SessionState
    from faust_app.runtime.kite_session import session_view

    view = session_view(config)
    is_valid = view.state is SessionState.VALID
    typer.echo(f"{view.reason}{f' until {_ist(view.expires_at)}' if is_valid else ''}")
    if not is_valid:
        raise typer.Exit(1)


def _login(config: Settings, *, browser: bool) -> None:
    api_key, api_secret, store = _credentials(config)
    if sys.stdin.isatty():
        url = f"{LOGIN_URL}?{urlencode({'v': VERSION, 'api_key': api_key})}"
        typer.echo(f"Log in at {url}")
        if browser:
            webbrowser.open(url)
        given = typer.prompt("The address you were sent to, or its request_token", hide_input=True)
    else:
        given = sys.stdin.readline()
    session = _exchange(config, api_key, api_secret, request_token(given))
    store.write(session)
    typer.echo(f"Logged in as {session.user_id}; the session ends at {_ist(session.expires_at)}")


def _credentials(config: Settings) -> tuple[str, str, SessionStore]:
    from faust_app.runtime.kite_session import session_store

    kite, store = config.kite, session_store(config)
    missing = [name for name in ("api_key", "api_secret", "session_key") if getattr(kite, name) is None]
    if store is None or kite.api_key is None or kite.api_secret is None:
        variables = ", ".join(f"ALPHA_PANDA__KITE__{name.upper()}" for name in missing)
        raise ConfigurationError(f"Set {variables}; `alpha-panda login --new-key` makes a session key")
    return kite.api_key.get_secret_value(), kite.api_secret.get_secret_value(), store


def request_token(given: str) -> str:
    """The request token in a redirect address, or given as such. Raises ConfigurationError, which never repeats it."""
    text = given.strip()
    if "=" in text:
        found = parse_qs(urlsplit(text).query or text)
        if found.get("status", ["success"])[0] != "success":
            raise ConfigurationError("The login was not completed: the address says so")
        text = found.get("request_token", [""])[0]
    if not text:
        raise ConfigurationError("There is no request_token in what was given")
    if not (text.isascii() and text.isalnum()):
        raise ConfigurationError("What was given is no address of a login and no request_token")
    return text


def _exchange(config: Settings, api_key: str, api_secret: str, token: str) -> Session:
    from brokers.errors import BrokerFailure, SessionRefused
    from brokers.zerodha.session import login

    try:
        return login(config.kite.root, api_key, api_secret, token, time.time())
    except SessionRefused as error:
        raise ConfigurationError(f"{error}. A request_token is good for one login within a few minutes") from error
    except BrokerFailure as error:
        raise TransientError(str(error)) from error


def _ist(second: int) -> str:
    from trading.market.sessions import IST

    return datetime.fromtimestamp(second, UTC).astimezone(IST).strftime("%Y-%m-%d %H:%M IST")
