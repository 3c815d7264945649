"""Which channel a line belongs to, by the name of its logger. An event may name another one as `channel`."""

from __future__ import annotations

from enum import StrEnum
from functools import cache


class Channel(StrEnum):
    """What a line is about."""

    TRADING = "trading"
    AUDIT = "audit"
    MARKET = "market"
    INFRASTRUCTURE = "infrastructure"


MEANINGS = {
    Channel.TRADING: "signals, decisions, orders, fills, exits, triggers",
    Channel.AUDIT: "what an operator has changed, who may trade, whether the books agree with the broker's",
    Channel.MARKET: "the feed: connections, frames, subscriptions",
    Channel.INFRASTRUCTURE: "workers, Kafka, PostgreSQL, Redis, everything else",
}

_T, _A, _M, _I = Channel.TRADING, Channel.AUDIT, Channel.MARKET, Channel.INFRASTRUCTURE
CHANNELS = {  # the longest name that a logger begins with decides
    "agents.exits": _T,
    "agents.hosts": _T,
    "agents.limits": _A,
    "agents.live": _T,
    "agents.live.differences": _A,
    "agents.live.preflight": _A,
    "agents.live.reconciliation": _A,
    "agents.market_feed": _M,
    "agents.feed": _M,
    "agents.monitor": _I,
    "agents.notices": _I,
    "agents.order_lines": _T,
    "agents.portfolio_manager": _T,
    "agents.risk_manager": _T,
    "agents.strategy_runner": _T,
    "agents.trading_engine": _T,
    "agents.withdrawals": _T,
    "brokers.zerodha.ticker": _M,
    "faust_app.commands.record": _M,
    "faust_app.runtime": _I,
    "faust_app.runtime.lease": _A,
    "faust_app.runtime.trading_state": _A,
    "tables": _I,
    # Libraries
    "aiohttp": _I,
    "aiokafka": _I,
    "alembic": _I,
    "apprise": _I,
    "asyncio": _I,
    "autobahn": _M,
    "faust": _I,
    "kafka": _I,
    "kiteconnect": _M,
    "mode": _I,
    "py.warnings": _I,
    "sqlalchemy": _I,
    "twisted": _M,
    "urllib3": _I,
}


@cache
def channel_of(logger: str) -> Channel:
    """The channel of a logger; infrastructure when the table has none."""
    return next((CHANNELS[name] for name in above(logger) if name in CHANNELS), Channel.INFRASTRUCTURE)


def above(logger: str) -> list[str]:
    """The logger's name and those it is below, the longest first."""
    parts = logger.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
