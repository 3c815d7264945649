"""What each kind of worker does, in the panels only its own page has this way."""

from __future__ import annotations

from collections.abc import Callable

from tools.dashboards.pages import to_page, to_runbook
from tools.dashboards.panels import (
    COUNT,
    PER_MINUTE,
    PER_SECOND,
    RARE,
    RUPEES,
    SECONDS,
    UP_DOWN,
    Look,
    Panel,
    Query,
    series,
    states,
)
from tools.dashboards.promql import Scope
from tools.dashboards.shared import quantiles, tick_to_order

BROKER = "{{broker}}"


def market_feed(s: Scope) -> list[Panel]:
    """From the socket to Kafka."""
    more = [to_page("ap-feed"), to_runbook("feed-is-silent")]
    return [
        series("Ticks", "Ticks decoded from the socket, and acknowledged by Kafka.", PER_SECOND,
               Query(s.rate("ticks_received_total"), "received"), Query(s.rate("ticks_published_total"), "published"),
               links=more),
        series("Silence", "Time since the last frame and the last tick.", SECONDS,
               Query(s.since("feed_last_frame_timestamp_seconds"), "frame"),
               Query(s.since("feed_last_tick_timestamp_seconds"), "tick"), links=more),
        series("Queue and drops", "Ticks waiting between socket and event loop, and those dropped per second.", COUNT,
               Query(f'max({s("feed_queue_ticks")})', "waiting"),
               Query(s.rate("ticks_dropped_total", by="reason"), "dropped: {{reason}}"), links=more),
    ]  # fmt: skip


def strategy_runner(s: Scope) -> list[Panel]:
    """From ticks to signals."""
    return [
        series("Ticks", "Ticks handed to strategies.", PER_SECOND, Query(s.rate("ticks_processed_total"), "ticks")),
        series("Signals", "Signals raised, by strategy.", PER_MINUTE,
               Query(s.a_minute("signals_total", by="broker, strategy"), "{{broker}} {{strategy}}"), stack=True,
               links=[to_page("ap-orders")]),
        quantiles(s, "Tick to signal", "From a tick's arrival at the feed to its signal acknowledged by Kafka.",
                  "tick_to_signal_seconds", by="broker"),
        series("Errors of strategies", "Exceptions raised by a strategy.", RARE,
               Query(s.a_minute("strategy_errors_total", by="strategy"), "{{strategy}}"), width=12),
        series("Checkpoints", "Strategy states written to their table.", PER_MINUTE,
               Query(s.a_minute("strategy_checkpoints_total"), "checkpoints"), width=12),
    ]  # fmt: skip


def risk_manager(s: Scope) -> list[Panel]:
    """From signals to decisions."""
    more = [to_page("ap-orders")]
    return [
        series("Decisions", "Signals accepted and denied.", PER_MINUTE,
               Query(s.a_minute("signals_accepted_total", by="broker"), f"{BROKER} accepted"),
               Query(s.a_minute("signals_denied_total", by="broker"), f"{BROKER} denied"), links=more),
        series("Denials by code", "Why signals were denied. docs/reason_codes.md explains the codes.", PER_MINUTE,
               Query(s.a_minute("signals_denied_total", by="broker, code"), "{{broker}} {{code}}"), stack=True,
               links=more),
        series("Trading state", "0: active, 1: reducing, 2: halted.", Look("none", least=0, most=2, decimals=0),
               Query(f'max by (broker) ({s("trading_state")})', BROKER), links=[to_runbook("flatten")]),
        series("Limit of the day's loss", "Loss of a day at which the account enters no more.", Look(RUPEES, least=0),
               Query(f'max by (broker, account) ({s("day_loss_limit_rupees")})', "{{account}}"), width=12,
               links=[to_page("ap-portfolio")]),
        series("Limit of the gross exposure", "Most value of positions and open orders.", Look(RUPEES, least=0),
               Query(f'max by (broker, account) ({s("exposure_gross_limit_rupees")})', "{{account}}"), width=12,
               links=[to_page("ap-portfolio")]),
    ]  # fmt: skip


def trading_engine(s: Scope) -> list[Panel]:
    """From decisions to fills."""
    more = [to_page("ap-orders"), to_runbook("reconciliation")]
    return [
        tick_to_order(s, links=[to_page("ap-pipeline")]),
        series("Orders and fills", "Orders whose intent became durable, orders that ended, fills.", PER_MINUTE,
               Query(s.a_minute("orders_submitted_total", by="broker"), f"{BROKER} submitted"),
               Query(s.a_minute("orders_finished_total", by="broker, outcome"), "{{broker}} {{outcome}}"),
               Query(s.a_minute("fills_total", by="broker"), f"{BROKER} fills"), links=more),
        series("Open and unknown", "Orders that are not terminal, and those whose outcome nobody knows.", COUNT,
               Query(f'sum by (broker) ({s("orders_open")})', f"{BROKER} open"),
               Query(f'sum by (broker) ({s("orders_unknown")})', f"{BROKER} unknown"), links=more),
        series("Calls to the broker", "Order calls by call and answer.", RARE,
               Query(s.a_minute("broker_calls_total", by="broker, call, answer"), "{{broker}} {{call}} {{answer}}"),
               links=[to_page("ap-broker")]),
        quantiles(s, "Tick to fill", "From a tick's arrival at the feed to the fill.", "tick_to_fill_seconds",
                  by="broker"),
        series("Ticks", "Ticks handed to the matching of paper orders.", PER_SECOND,
               Query(s.rate("ticks_processed_total", by="broker"), BROKER)),
    ]  # fmt: skip


def portfolio_manager(s: Scope) -> list[Panel]:
    """From fills to snapshots."""
    more = [to_page("ap-portfolio")]
    return [
        series("Snapshots", "Snapshots published, by what led to them.", PER_SECOND,
               Query(s.rate("snapshots_total", by="broker, cause"), "{{broker}} {{cause}}"), links=more),
        series("Since the last snapshot", "Time since the last snapshot: every second while marks move.",
               Look("s", ((None, "green"), (30, "red")), least=0),
               Query(s.since("last_snapshot_timestamp_seconds", by="broker"), BROKER), links=more),
        series("Equity", "Cash and the value of positions.", Look(RUPEES, decimals=2),
               Query(f'max by (broker, account) ({s("equity_rupees")})', "{{account}}"), links=more),
    ]  # fmt: skip


def ledger(s: Scope) -> list[Panel]:
    """From topics to PostgreSQL."""
    return [
        series("Events written", "Events written to the audit trail, by type.", PER_SECOND,
               Query(s.rate("ledger_events_total", by="type"), "{{type}}"), width=12),
        quantiles(s, "Queries", "Time a statement took in PostgreSQL.", "query_duration_seconds", by="worker", width=12,
                  links=[to_page("ap-kafka"), to_runbook("dependency-away")]),
    ]  # fmt: skip


def monitor(s: Scope) -> list[Panel]:
    """What is looked at from outside."""
    more = [to_page("ap-kafka"), to_runbook("dependency-away")]
    return [
        series("Since the last probe", "Time since the monitor last looked at everything. It looks every second.",
               Look("s", ((None, "green"), (15, "red")), least=0),
               Query(s.since("last_probe_timestamp_seconds"), "probe")),
        series("Answering", "How long each dependency's last answer took.", SECONDS,
               Query(f'max by (dependency) ({s("dependency_answer_seconds")})', "{{dependency}}"), links=more),
        states("Dependencies", "When each dependency answered.", Look("none", states=UP_DOWN),
               Query(f'min by (dependency) ({s("dependency_up")})', "{{dependency}}"), width=8, links=more),
        series("Notices", "Notices to people, by kind and by whether a service took them.", RARE,
               Query(s.a_minute("notices_total", by="kind, result"), "{{kind}} {{result}}"), width=12),
        series("Disk free", "Free share of the volume that holds the state.",
               Look("percentunit", ((None, "red"), (0.1, "yellow"), (0.2, "green")), least=0, most=1),
               Query(f'min({s("disk_free_bytes")} / {s("disk_size_bytes")})', "free"), width=12),
    ]  # fmt: skip


OWN: dict[str, Callable[[Scope], list[Panel]]] = {
    one.__name__: one
    for one in (market_feed, strategy_runner, risk_manager, trading_engine, portfolio_manager, ledger, monitor)
}
