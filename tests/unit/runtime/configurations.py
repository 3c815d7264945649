"""Settings as tests need them, from values alone: no file, no environment."""

from __future__ import annotations

from typing import Any

from faust_app.runtime.sections import BrokerSettings, Execution
from faust_app.runtime.settings import Settings

BROKERS = {
    "paper": {"enabled": True},
    "zerodha": {"enabled": True},
    "dormant": {"enabled": False},
}


def configured(**values: Any) -> Settings:
    """Two enabled brokers and one that is configured only."""
    return Settings(**{"brokers": BROKERS, **values})


def with_live(settings: Settings, broker: str = "zerodha") -> Settings:
    """The broker executes live, as `config/live.yaml` has it."""
    live: BrokerSettings = settings.brokers[broker].model_copy(update={"execution": Execution.LIVE})
    return settings.model_copy(update={"brokers": {**settings.brokers, broker: live}})
