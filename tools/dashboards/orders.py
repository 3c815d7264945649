"""What became of every signal, and whether our orders are what the broker says."""

from __future__ import annotations

from tools.dashboards.pages import Page, to_page, to_runbook
from tools.dashboards.panels import (
    COUNT,
    NONE_IS_GOOD,
    PER_MINUTE,
    RARE,
    SECONDS,
    Look,
    Panel,
    Query,
    Row,
    bars,
    series,
    stat,
)
from tools.dashboards.promql import RANGE, Scope
from tools.dashboards.shared import quantiles, trading_state

S = Scope()


def page() -> Page:
    """Signals, denials, orders, differences."""
    return Page(
        "ap-orders",
        "Did every signal come to an end: denied why, ordered, filled? Is our book what the broker says?",
        [
            Row("", _now()),
            Row("Signals and denials", _signals()),
            Row("Orders", _orders()),
            Row("Exits and protection", _exits()),
            Row("Reconciliation", _reconciliation()),
            Row("Rate budget", _budget()),
        ],
        since="now-3h",
    )


def _counted(title: str, about: str, name: str) -> Panel:
    return stat(
        title,
        f"{about}, within the time shown.",
        Look("short", decimals=0),
        Query(S.counted(name, by="broker"), "{{broker}}"),
    )


def _now() -> list[Panel]:
    unknown = f"time() - min by (broker) ({S('orders_unknown_since_timestamp_seconds')} > 0)"
    alarms = S.or_zero(f"sum by (broker) (increase({S('order_alarms_total')}[{RANGE}]))", by="broker")
    return [
        _counted("Signals", "Signals raised by strategies", "signals_total"),
        _counted("Accepted", "Signals accepted by risk", "signals_accepted_total"),
        _counted("Denied", "Signals denied by risk", "signals_denied_total"),
        _counted("Orders", "Orders whose intent is durable", "orders_submitted_total"),
        _counted("Fills", "Fills published", "fills_total"),
        stat("Oldest unknown order", "Time since an order's outcome is unknown; 0 when every outcome is known.",
             Look("s", ((None, "green"), (5, "yellow"), (30, "red"))),
             Query(S.or_zero(unknown, by="broker"), "{{broker}}"),
             links=[to_runbook("reconciliation")]),
        stat("Order alarms", "Reports that contradict an order, positions left without exits, within the time shown.",
             Look("short", NONE_IS_GOOD), Query(alarms, "{{broker}}"), links=[to_runbook("reconciliation")]),
        trading_state(S, links=[to_runbook("flatten")]),
    ]  # fmt: skip


def _signals() -> list[Panel]:
    return [
        series("Signals by strategy", "Signals raised, per minute.", PER_MINUTE,
               Query(S.a_minute("signals_total", by="broker, strategy"), "{{broker}} {{strategy}}"), stack=True),
        series("Accepted and denied", "What risk made of the signals, per minute.", PER_MINUTE,
               Query(S.a_minute("signals_accepted_total", by="broker"), "{{broker}} accepted"),
               Query(S.a_minute("signals_denied_total", by="broker"), "{{broker}} denied")),
        series("Denials by code", "Why signals were denied, per minute. docs/reason_codes.md explains the codes.",
               PER_MINUTE, Query(S.a_minute("signals_denied_total", by="code"), "{{code}}"), stack=True),
        bars("Denials", "Denials within the time shown, by broker and reason code.", Look("short"),
             Query(f'sum by (broker, code) (increase({S("signals_denied_total")}[{RANGE}]))', "{{broker}} {{code}}")),
        series("Errors of strategies", "Exceptions raised by a strategy.", RARE,
               Query(S.a_minute("strategy_errors_total", by="strategy"), "{{strategy}}")),
        quantiles(S, "Tick to fill", "From a tick's arrival at the feed to the fill.", "tick_to_fill_seconds",
                  by="broker"),
    ]  # fmt: skip


def _orders() -> list[Panel]:
    alarms = S.a_minute("order_alarms_total", by="broker, kind")
    return [
        series("Submitted", "Orders whose intent became durable, per minute.", PER_MINUTE,
               Query(S.a_minute("orders_submitted_total", by="broker"), "{{broker}}")),
        series("Finished by outcome", "Orders that reached a terminal state, per minute.", PER_MINUTE,
               Query(S.a_minute("orders_finished_total", by="broker, outcome"), "{{broker}} {{outcome}}"), stack=True),
        series("Open and unknown", "Orders that are not terminal, and those whose outcome nobody knows.",
               COUNT, Query(f'sum by (broker) ({S("orders_open")})', "{{broker}} open"),
               Query(f'sum by (broker) ({S("orders_unknown")})', "{{broker}} unknown"),
               links=[to_runbook("reconciliation")]),
        series("Fills", "Fills published, per minute.", PER_MINUTE,
               Query(S.a_minute("fills_total", by="broker"), "{{broker}}")),
        series("Since the last fill", "Time since the last fill.", SECONDS,
               Query(S.since("last_fill_timestamp_seconds", by="broker"), "{{broker}}")),
        series("Order alarms", "Reports that contradict an order, positions left without exits, by kind.",
               RARE, Query(alarms, "{{broker}} {{kind}}"), links=[to_runbook("reconciliation")]),
    ]  # fmt: skip


def _exits() -> list[Panel]:
    exits = (
        ("exits_overdue_total", "overdue"),
        ("exits_repriced_total", "repriced"),
        ("exits_given_up_total", "given up"),
    )
    triggers = (
        ("triggers_standing", "ours"),
        ("triggers_foreign", "foreign"),
        ("positions_unprotected", "unprotected"),
    )
    return [
        series("Exits in trouble", "Exits cancelled because they had not filled in time, those that followed them, and "
               "those given up: the last ones need a person.", PER_MINUTE,
               *(Query(S.rarely(name, by="broker"), f"{{{{broker}}}} {text}") for name, text in exits),
               links=[to_runbook("flatten")]),
        series("Withdrawn", "Orders cancelled because their position is being closed.", PER_MINUTE,
               Query(S.rarely("orders_withdrawn_total", by="broker"), "{{broker}}")),
        series("Triggers at the exchange", "Protective triggers of ours and of others, and positions without the stop "
               "their strategy asks for.", COUNT,
               *(Query(f"sum by (broker) ({S(name)})", f"{{{{broker}}}} {text}") for name, text in triggers),
               links=[to_runbook("live-trading")]),
    ]  # fmt: skip


def _reconciliation() -> list[Panel]:
    others = (("orders_foreign", "foreign"), ("orders_doubled", "with a doubled tag"))
    differences = f"sum by (broker, severity, accepted) ({S('reconciliation_differences')})"
    return [
        series("Differences", "Open differences from the broker, by what they stop and whether somebody accepted them.",
               COUNT, Query(differences, "{{broker}} {{severity}} accepted={{accepted}}"),
               width=12, links=[to_runbook("reconciliation")]),
        series("Since the last comparison", "Time since everything was last read and compared.", SECONDS,
               Query(S.since("last_reconciliation_timestamp_seconds", by="broker"), "{{broker}}"),
               width=12, links=[to_runbook("reconciliation")]),
        series("Comparisons", "Comparisons with the broker, by whether all was read.", PER_MINUTE,
               Query(S.a_minute("reconciliations_total", by="broker, result"), "{{broker}} {{result}}"), width=12),
        series("Orders of others", "Orders in the broker's book that are not ours, and with a tag another one has.",
               COUNT,
               *(Query(f"sum by (broker) ({S(name)})", f"{{{{broker}}}} {text}") for name, text in others), width=12),
    ]  # fmt: skip


def _budget() -> list[Panel]:
    windows = (("a minute", 'window="minute"'), ("today", 'window="day"'))
    left = [
        series(f"Order calls left, {text}", "Calls the account's budget still has for entries; exits have a reserve.",
               COUNT, Query(f"min by (broker) ({S('order_calls_left', window)})", "{{broker}}"))
        for text, window in windows
    ]  # fmt: skip
    calls = Query(S.a_minute("broker_calls_total", by="broker, call, answer"), "{{broker}} {{call}} {{answer}}")
    about = "Order calls to the broker by call and answer. Unknown: neither a yes nor a no came."
    return [*left, series("Order calls", about, RARE, calls, links=[to_page("ap-broker")])]
