"""The broker's side of live trading: session, calls, checks, clock."""

from __future__ import annotations

from tools.dashboards.pages import Page, to_page, to_runbook
from tools.dashboards.panels import (
    IS_SO,
    NONE_IS_GOOD,
    PER_MINUTE,
    RARE,
    SECONDS,
    SOME_IS_GOOD,
    YES_NO,
    Look,
    Panel,
    Query,
    Row,
    bars,
    series,
    stat,
    states,
)
from tools.dashboards.promql import RANGE, Scope
from tools.dashboards.shared import quantiles

S = Scope()
LIVE, PREFLIGHT = to_runbook("live-trading"), to_runbook("preflight")
BROKER = "{{broker}}"
OF_TODAY = 'window="day"'


def page() -> Page:
    """Everything a broker answers."""
    return Page(
        "ap-broker",
        "Does the broker take our session and our calls, how fast, and what keeps entries back?",
        [Row("", _now()), Row("Calls", _calls()), Row("Session and checks", _session())],
        since="now-1h",
    )


def _of(name: str) -> Query:
    return Query(f"max by (broker) ({S(name)})", BROKER)


def _now() -> list[Panel]:
    left = f"max by (broker) ({S('kite_session_expiry_timestamp_seconds')} > 0) - time()"
    failures = f"sum by (broker) (increase({S('broker_failures_total')}[{RANGE}]))"
    return [
        stat("Session valid", "Whether Kite accepts the day's session.", Look("none", SOME_IS_GOOD, YES_NO),
             _of("kite_session_valid"), links=[LIVE]),
        stat("Session ends in", "Time until the stored session ends. Kite ends it early in the morning.",
             Look("dtdurations", ((None, "red"), (0, "green"))), Query(left, BROKER), links=[LIVE]),
        stat("Account held", "Whether this process runs the account: one at a time may.", IS_SO,
             _of("account_lease_held"), links=[LIVE]),
        stat("Breaker open", "Whether the broker fails too often to be asked for entries.",
             Look("none", states={0: ("No", "green"), 1: ("Yes", "red")}), _of("broker_breaker_open"), links=[LIVE]),
        stat("Checks failed", "Checks of preflight that keep entries back.", Look("none", NONE_IS_GOOD),
             Query(f'sum by (broker) ({S("preflight_failed")})', BROKER), links=[PREFLIGHT]),
        stat("Calls left today", "Order calls the account's budget still has for entries today.",
             Look("short", ((None, "red"), (100, "yellow"), (1000, "green"))),
             Query(f"min by (broker) ({S('order_calls_left', OF_TODAY)})", BROKER)),
        stat("Failed calls", "Calls to the broker that failed within the time shown.", Look("short", NONE_IS_GOOD),
             Query(S.or_zero(failures, by="broker"), BROKER)),
        stat("Clock ahead", "This machine's clock ahead of the broker's.",
             Look("s", ((None, "red"), (-2, "green"), (2, "red"))), _of("clock_skew_seconds"), links=[PREFLIGHT]),
    ]  # fmt: skip


def _calls() -> list[Panel]:
    return [
        series("Calls by route", "Calls to the broker, by route.", PER_MINUTE,
               Query(S.a_minute("broker_call_duration_seconds_count", by="broker, route"), "{{broker}} {{route}}")),
        quantiles(S, "Answering", "Time the broker took for an answer, all routes.", "broker_call_duration_seconds",
                  by="broker"),
        quantiles(S, "Answering by route, p99", "Time the broker took for an answer, by route.",
                  "broker_call_duration_seconds", by="broker, route", fractions=(0.99,)),
        series("Order calls", "Order calls by call and answer. Unknown: neither a yes nor a no came.", RARE,
               Query(S.a_minute("broker_calls_total", by="broker, call, answer"), "{{broker}} {{call}} {{answer}}"),
               links=[to_page("ap-orders")]),
        series("Failures by kind", "Calls that failed, by kind of error.", RARE,
               Query(S.a_minute("broker_failures_total", by="broker, kind"), "{{broker}} {{kind}}"), links=[LIVE]),
        series("Answers without sense", "Rows of the broker that could not be read, and statuses nobody knows.",
               PER_MINUTE,
               Query(S.rarely("broker_rows_unreadable_total", by="broker"), "{{broker}} rows"),
               Query(S.rarely("unknown_order_statuses_total", by="broker"), "{{broker}} statuses")),
    ]  # fmt: skip


def _session() -> list[Panel]:
    return [
        states("Session valid", "When Kite accepted the session.", IS_SO, _of("kite_session_valid"),
               links=[LIVE]),
        states("Account held", "When this process ran the account.", IS_SO,
               _of("account_lease_held"), links=[LIVE]),
        bars("Checks of preflight", "1: the check keeps entries back.", Look("none", NONE_IS_GOOD),
             Query(f'max by (broker, check) ({S("preflight_failed")})', "{{broker}} {{check}}"), links=[PREFLIGHT]),
        series("Since all checks passed", "Time since every check of a live engine last passed.", SECONDS,
               Query(S.since("preflight_passed_timestamp_seconds", by="broker"), BROKER), links=[PREFLIGHT]),
        series("Clock ahead", "This machine's clock ahead of the broker's.", Look("s"), _of("clock_skew_seconds"),
               links=[PREFLIGHT]),
    ]  # fmt: skip
