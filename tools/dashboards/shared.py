"""Panels that stand on more than one page."""

from __future__ import annotations

from collections.abc import Sequence

from tools.dashboards.panels import (
    BACKLOG,
    IS_SO,
    MARKET,
    NONE_IS_GOOD,
    ORDER_LATENCY,
    SECONDS,
    SILENCE,
    TRADING_STATES,
    UP_DOWN,
    Json,
    Look,
    Panel,
    Query,
    series,
    stat,
    states,
)
from tools.dashboards.promql import Scope

FIRING = 'ALERTS{alertstate="firing",alertname!="Watchdog"}'


def not_ready(s: Scope, *, links: Sequence[Json] = ()) -> Panel:
    """How many workers are not ready, those that do not answer included."""
    query = f"count({s('up')}) - (sum({s('worker_ready')}) or vector(0))"
    about = "Workers that do not answer or say that they are not ready; /readyz and `alpha-panda status` say why."
    return stat("Workers not ready", about, Look("none", NONE_IS_GOOD), Query(query, "workers"), links=links)


def readiness(s: Scope, *, width: int = 12, links: Sequence[Json] = ()) -> Panel:
    """When each worker was ready."""
    about = "1 while the worker is ready. A gap: it did not answer."
    query = Query(f"max by (stage, broker) ({s('worker_ready')})", "{{stage}} {{broker}}")
    return states("Ready", about, IS_SO, query, width=width, links=links)


def market(s: Scope, *, links: Sequence[Json] = ()) -> Panel:
    """Whether silence is an alarm."""
    about = "Whether the segment trades continuously now, by the exchange's clock."
    query = Query(f"max by (segment) ({s('market_open')})", "{{segment}}")
    return stat("Market", about, Look("none", states=MARKET), query, links=links)


def since_tick(s: Scope, *, links: Sequence[Json] = ()) -> Panel:
    """How long the feed brings nothing."""
    about = "Time since the feed received a tick. Seconds while the market is open; without meaning while it is closed."
    query = Query(s.since("feed_last_tick_timestamp_seconds"), "tick")
    return stat("Since the last tick", about, Look("s", SILENCE), query, links=links)


def trading_state(s: Scope, *, links: Sequence[Json] = ()) -> Panel:
    """What the kill switch says."""
    about = "What may be sent: everything, only orders that reduce, or no entries at all."
    query = Query(f"max by (broker) ({s('trading_state')})", "{{broker}}")
    return stat("Trading state", about, Look("none", states=TRADING_STATES), query, links=links)


def dependencies(s: Scope, *, links: Sequence[Json] = ()) -> Panel:
    """Whether what everything stands on is there."""
    about = "Whether Kafka, PostgreSQL and Redis answer the monitor."
    query = Query(f"min by (dependency) ({s('dependency_up')})", "{{dependency}}")
    return stat("Dependencies", about, Look("none", states=UP_DOWN), query, width=6, links=links)


def waiting(s: Scope, *, links: Sequence[Json] = ()) -> Panel:
    """How far behind all groups are together."""
    query = Query(f"sum({s('consumer_lag_messages')})", "messages")
    about = "Log ends less committed offsets, all groups together."
    return stat("Messages waiting", about, Look("short", BACKLOG), query, links=links)


def dead_letters(s: Scope, *, links: Sequence[Json] = ()) -> Panel:
    """What nobody has handled."""
    query = Query(f"sum({s('dlq_messages')})", "messages")
    about = "Messages in the dead-letter topics."
    return stat("Dead letters", about, Look("short", NONE_IS_GOOD), query, links=links)


def limit_used(s: Scope, *, links: Sequence[Json] = ()) -> Panel:
    """Loss of the day as a share of the limit."""
    loss = f"clamp_min(-max by (broker, account) ({s('pnl_day_rupees')}), 0)"
    limit = f"max by (broker, account) ({s('day_loss_limit_rupees')})"
    about = "Loss of the day as a share of the account's limit. At 100 % the account enters no more."
    look = Look("percentunit", ((None, "green"), (0.5, "yellow"), (0.8, "orange"), (1, "red")), decimals=0)
    return stat("Loss limit used", about, look, Query(f"{loss} / {limit}", "{{account}}"), links=links)


def tick_to_order(s: Scope, *, links: Sequence[Json] = ()) -> Panel:
    """The latency the pipeline is measured by."""
    about = "From a tick's arrival at the feed to the order's durable intent. Objectives: p50 15 ms, p99 60 ms."
    queries = [
        Query(s.quantile(fraction, "tick_to_order_seconds", by="broker"), f"{{{{broker}}}} p{100 * fraction:.0f}")
        for fraction in (0.5, 0.99)
    ]
    return series("Tick to order", about, Look("s", ORDER_LATENCY, least=0), *queries, links=links)


def quantiles(
    s: Scope, title: str, about: str, name: str, *, by: str, width: int = 8, fractions: Sequence[float] = (0.5, 0.99),
    links: Sequence[Json] = (),
) -> Panel:  # fmt: skip
    """Quantiles of a histogram over time."""
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(",") if label)
    queries = [
        Query(s.quantile(fraction, name, by=by), f"{legend} p{100 * fraction:.0f}".strip()) for fraction in fractions
    ]
    return series(title, about, SECONDS, *queries, width=width, links=links)
