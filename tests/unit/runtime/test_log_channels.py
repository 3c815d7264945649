"""The table of channels: every logger of the code is in it, and nothing that is none."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from faust_app.runtime.log_channels import CHANNELS, MEANINGS, Channel, above, channel_of
from faust_app.runtime.logging import NOISY
from faust_app.runtime.settings import PROJECT

LOGGER = re.compile(r"get_logger\(|getLogger\(|\bself\.log\.|class \w+\((?:faust\.|driver\.|\w*Service)")
PACKAGES = ("agents", "brokers", "faust_app", "models", "recordings", "tables", "trading")


def loggers() -> list[str]:
    """Modules that log, by themselves or as one of Faust's services."""
    found: list[Path] = []
    for package in PACKAGES:
        found += [path for path in (PROJECT / package).rglob("*.py") if LOGGER.search(path.read_text())]
    names = (".".join(path.relative_to(PROJECT).with_suffix("").parts) for path in found)
    return sorted(name.removesuffix(".__init__") for name in names)


def test_there_are_loggers() -> None:
    assert {"agents.trading_engine", "faust_app.runtime.exact", "brokers.zerodha.ticker"} <= set(loggers())


@pytest.mark.parametrize("name", [*loggers(), *NOISY])
def test_every_logger_has_a_channel_in_the_table(name: str) -> None:
    assert name.startswith("faust_app.commands.cli") or any(one in CHANNELS for one in above(name))


@pytest.mark.parametrize("name", [one for one in CHANNELS if one.partition(".")[0] in PACKAGES])
def test_the_table_names_what_exists(name: str) -> None:
    assert importlib.util.find_spec(name) is not None


def test_the_longest_name_decides() -> None:
    assert channel_of("agents.live.broker") is Channel.TRADING
    assert channel_of("agents.live.preflight.watch") is Channel.AUDIT
    assert channel_of("agents.livery") is Channel.INFRASTRUCTURE
    assert channel_of("somebody.else") is Channel.INFRASTRUCTURE


def test_every_channel_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Channel)
