"""One screen: is it alive, is it making or losing, what is wrong."""

from __future__ import annotations

from tools.dashboards.pages import Page, to_page, to_runbook
from tools.dashboards.panels import (
    NONE_IS_GOOD,
    ORDER_LATENCY,
    PER_MINUTE,
    PER_SECOND,
    RUPEES,
    SIGN,
    Look,
    Panel,
    Query,
    Row,
    series,
    stat,
    table,
)
from tools.dashboards.promql import Scope
from tools.dashboards.shared import (
    FIRING,
    dead_letters,
    dependencies,
    limit_used,
    market,
    not_ready,
    since_tick,
    tick_to_order,
    trading_state,
    waiting,
)

S = Scope()


def page() -> Page:
    """The page to keep open."""
    return Page(
        "ap-overview",
        "One screen: is it alive, is it making or losing, what is wrong?",
        [Row("", [*_state(), *_troubles(), *_wrong_and_money(), *_flow()])],
    )


def _state() -> list[Panel]:
    alerts = f"count({FIRING}) or 0 * count({S('worker_ready')})"
    return [
        stat("Alerts firing", "Alerts of Prometheus that fire now, without Watchdog, which always does.",
             Look("none", NONE_IS_GOOD), Query(alerts, "alerts")),
        not_ready(S, links=[to_page("ap-pipeline"), to_runbook("stack-does-not-start")]),
        market(S, links=[to_page("ap-feed")]),
        since_tick(S, links=[to_page("ap-feed"), to_runbook("feed-is-silent")]),
        trading_state(S, links=[to_page("ap-orders"), to_runbook("flatten")]),
        stat("P&L of the day", "Profit and loss of the day, charges included.", Look(RUPEES, SIGN, decimals=2),
             Query(f'sum by (broker) ({S("pnl_day_rupees")})', "{{broker}}"), links=[to_page("ap-portfolio")]),
        limit_used(S, links=[to_page("ap-portfolio")]),
        stat("Tick to order, p99", "From a tick's arrival at the feed to the order's durable intent. "
             "Objective: p99 at most 60 ms.", Look("s", ORDER_LATENCY),
             Query(S.quantile(0.99, "tick_to_order_seconds", by="broker"), "{{broker}}"),
             links=[to_page("ap-pipeline")]),
    ]  # fmt: skip


def _troubles() -> list[Panel]:
    blocking = S("reconciliation_differences", 'severity=~"blocks_.+"', 'accepted="false"')
    return [
        dependencies(S, links=[to_page("ap-kafka"), to_runbook("dependency-away")]),
        waiting(S, links=[to_page("ap-kafka")]),
        dead_letters(S, links=[to_page("ap-kafka"), to_runbook("dead-letters")]),
        stat("Open orders", "Orders that are not terminal.", Look("short"),
             Query(f'sum by (broker) ({S("orders_open")})', "{{broker}}"), links=[to_page("ap-orders")]),
        stat("Unknown orders", "Orders at the broker whose outcome nobody knows yet.", Look("short", NONE_IS_GOOD),
             Query(S.or_zero(f'sum by (broker) ({S("orders_unknown")})', by="broker"), "{{broker}}"),
             links=[to_page("ap-orders"), to_runbook("reconciliation")]),
        stat("Blocking differences", "Open differences from the broker that keep entries back and nobody has accepted.",
             Look("short", NONE_IS_GOOD), Query(S.or_zero(f"sum by (broker) ({blocking})", by="broker"), "{{broker}}"),
             links=[to_page("ap-orders"), to_runbook("reconciliation")]),
        stat("Open positions", "Positions that are not flat.", Look("short"),
             Query(f'sum by (broker) ({S("positions_open")})', "{{broker}}"), links=[to_page("ap-portfolio")]),
    ]  # fmt: skip


def _wrong_and_money() -> list[Panel]:
    return [
        table("What is wrong", "Alerts that fire now. docs/runbooks says what to do.", Query(FIRING, "{{alertname}}"),
              {"alertname": "Alert", "severity": "Severity", "broker": "Broker", "stage": "Stage"}, width=10),
        series("P&L of the day", "Profit and loss of the day by account, charges included.",
               Look(RUPEES, ((None, "transparent"), (0, "green")), decimals=2),
               Query(S("pnl_day_rupees"), "{{account}}"), width=14, height=8, links=[to_page("ap-portfolio")]),
    ]  # fmt: skip


def _flow() -> list[Panel]:
    return [
        series("Ticks", "Ticks from the socket, and handed to strategies and to the matching of paper orders.",
               PER_SECOND, Query(S.rate("ticks_received_total"), "received"),
               Query(S.rate("ticks_processed_total", by="stage, broker"), "{{stage}} {{broker}}"),
               links=[to_page("ap-feed")]),
        series("Decisions", "From signals to fills, per minute.", PER_MINUTE,
               Query(S.a_minute("signals_total", by="broker"), "{{broker}} signals"),
               Query(S.a_minute("signals_denied_total", by="broker"), "{{broker}} denied"),
               Query(S.a_minute("orders_submitted_total", by="broker"), "{{broker}} orders"),
               Query(S.a_minute("fills_total", by="broker"), "{{broker}} fills"), links=[to_page("ap-orders")]),
        tick_to_order(S, links=[to_page("ap-pipeline")]),
    ]  # fmt: skip
