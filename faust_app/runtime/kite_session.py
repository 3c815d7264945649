"""The session of the settings, as workers and commands see it."""

from __future__ import annotations

import time

from brokers.zerodha.client import Endpoint
from brokers.zerodha.session import SessionStore, SessionView
from faust_app.runtime import metrics
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.redaction import KNOWN
from faust_app.runtime.settings import PROJECT, Settings


def session_store(config: Settings) -> SessionStore | None:
    """Where the session is kept; None without a key. Raises ConfigurationError for a key that is none."""
    key = config.kite.session_key
    if key is None:
        return None
    try:
        return SessionStore(PROJECT / config.kite.session_file, key.get_secret_value())
    except ValueError as error:
        raise ConfigurationError("kite.session_key is no key: `alpha-panda login --new-key` makes one") from error


class _HiddenView(SessionView):
    """Its token is blanked in logs from the moment somebody has asked for it."""

    def token(self) -> str:
        """Today's access token; empty while there is none that may be used."""
        found = super().token()
        KNOWN.hide((found,))
        return found


def session_view(config: Settings) -> SessionView:
    """The session for a process. Raises ConfigurationError for a session key that is none."""
    api_key = config.kite.api_key
    return _HiddenView(session_store(config), api_key.get_secret_value() if api_key else "", time.time)


def endpoint(config: Settings, session: SessionView, broker: str) -> Endpoint:
    """Where Kite is and who asks, with the tokens of a session; calls are counted for `broker`."""

    def heard(route: str, seconds: float, error: str) -> None:
        metrics.BROKER_CALL_SECONDS.labels(broker, route).observe(seconds)
        if error:
            metrics.BROKER_FAILURES.labels(broker, error).inc()

    kite = config.kite
    return Endpoint(
        kite.root,
        kite.api_key.get_secret_value() if kite.api_key else "",
        session.token,
        kite.timeout_seconds,
        bind_address=str(kite.bind_address or ""),
        refused=session.refuse,
        heard=heard,
    )
