"""Redis keys: built and parsed here and nowhere else. All begin with the namespace and `alpha-panda`."""

from __future__ import annotations

from faust_app.runtime.settings import Settings

ALL = "all"


class RedisKeys:
    """Keys of one configuration."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = f"{settings.namespace}alpha-panda"

    @property
    def trading_states(self) -> str:
        """Hash of scope -> `state|revision|actor|reason`; the state ends in `+flatten` while positions are closed."""
        return f"{self._prefix}:trading-state"

    @property
    def trading_revision(self) -> str:
        """Counter of changes to the trading states."""
        return f"{self._prefix}:trading-state:revision"

    @property
    def trading_channel(self) -> str:
        """Channel on which a change is announced."""
        return f"{self._prefix}:trading-state:changed"

    @property
    def workers(self) -> str:
        """Hash of worker -> `applied revision|wall time|calls in flight`, written by each view."""
        return f"{self._prefix}:trading-state:workers"

    @property
    def left(self) -> str:
        """Hash of worker -> `applied revision|wall time|JSON list of what is left`, while positions are closed."""
        return f"{self._prefix}:trading-state:left"

    def told(self, what: str) -> str:
        """There once people have been told of it."""
        return f"{self._prefix}:told:{what}"

    def lease(self, account: str) -> str:
        """Who may place orders of an account: `fence|owner`, gone when not renewed."""
        return f"{self._prefix}:lease:{account}"

    def fence(self, account: str) -> str:
        """Counter of an account's leases."""
        return f"{self._prefix}:lease:{account}:fence"

    def order_calls(self, account: str, what: str) -> str:
        """What an account has used of its order calls: `pace`, `minute`, `day:YYYY-MM-DD`."""
        return f"{self._prefix}:order-calls:{account}:{what}"
