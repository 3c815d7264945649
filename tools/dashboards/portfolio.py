"""Is it making or losing, and how much is at stake."""

from __future__ import annotations

from tools.dashboards.pages import Page, to_page, to_runbook
from tools.dashboards.panels import (
    COUNT,
    NONE_IS_GOOD,
    PER_SECOND,
    RUPEES,
    SIGN,
    Look,
    Panel,
    Query,
    Row,
    bars,
    series,
    stat,
)
from tools.dashboards.promql import Scope
from tools.dashboards.shared import limit_used

S = Scope()
MONEY = Look(RUPEES, decimals=2)
SIGNED = Look(RUPEES, SIGN, decimals=2)
ACCOUNT = "{{account}}"


def page() -> Page:
    """Money, by account and strategy."""
    return Page(
        "ap-portfolio",
        "Is it making or losing, with which strategy, and how far are the limits?",
        [Row("", _now()), Row("Profit and loss", _profit()), Row("Exposure", _exposure()), Row("Snapshots", _fresh())],
        since="now-6h",
    )


def _of(name: str) -> Query:
    return Query(f"max by (broker, account) ({S(name)})", ACCOUNT)


def _now() -> list[Panel]:
    charges = Look(RUPEES, ((None, "orange"),), decimals=2)
    return [
        stat("Equity", "Cash and the value of positions.", MONEY, _of("equity_rupees")),
        stat("P&L of the day", "Profit and loss of the day, charges included.", SIGNED, _of("pnl_day_rupees")),
        stat("Realised", "Realised profit and loss before charges.", SIGNED, _of("pnl_realised_rupees")),
        stat("Unrealised", "Unrealised profit and loss of open positions.", SIGNED, _of("pnl_unrealised_rupees")),
        stat("Charges", "Brokerage, taxes and fees booked.", charges, _of("pnl_charges_rupees")),
        limit_used(S),
        stat("Drawdown", "Equity below the most it has been.", MONEY, _of("drawdown_rupees")),
        stat("Positions needing a person", "Positions near delivery, expired, short of shares or carried over night.",
             Look("short", NONE_IS_GOOD), Query(f'sum by (account) ({S("account_alarms")})', ACCOUNT)),
    ]  # fmt: skip


def _profit() -> list[Panel]:
    parts = (
        ("realised", "pnl_realised_rupees"),
        ("unrealised", "pnl_unrealised_rupees"),
        ("charges", "pnl_charges_rupees"),
    )
    strategy = f"sum by (broker, strategy) ({S('strategy_day_pnl_rupees')})"
    return [
        series("P&L of the day", "Profit and loss of the day by account, charges included, and the loss at which the "
               "account enters no more.", MONEY, _of("pnl_day_rupees"),
               Query(f'-max by (broker, account) ({S("day_loss_limit_rupees")})', f"{ACCOUNT} limit"), width=12),
        series("P&L of the day by strategy", "Profit and loss of the day of each strategy, before charges.", MONEY,
               Query(strategy, "{{broker}} {{strategy}}"), width=12),
        series("Equity", "Cash and the value of positions.", MONEY, _of("equity_rupees")),
        series("What the P&L is made of", "Realised and unrealised profit and loss, and the charges, as the account's "
               "totals.", MONEY,
               *(Query(_of(name).expr, f"{ACCOUNT} {text}") for text, name in parts)),
        series("Drawdown", "Equity below the most it has been.", MONEY, _of("drawdown_rupees")),
    ]  # fmt: skip


def _exposure() -> list[Panel]:
    gross, limit = _of("exposure_gross_rupees").expr, _of("exposure_gross_limit_rupees").expr
    share = Look("percentunit", ((None, "green"), (0.8, "orange"), (1, "red")), least=0)
    return [
        series("Gross exposure", "Value of all positions, long and short added up.", MONEY, Query(gross, ACCOUNT)),
        series("Gross exposure of the limit", "Value of all positions as a share of the limit; the limit counts open "
               "orders, too.", share, Query(f"{gross} / {limit}", ACCOUNT)),
        series("Net exposure", "Value of long positions less that of short ones.", MONEY, _of("exposure_net_rupees")),
        series("Open positions", "Positions that are not flat.", COUNT, _of("positions_open")),
        bars("Positions needing a person by kind", "Near delivery, expired, short of shares or carried over night.",
             Look("short", NONE_IS_GOOD),
             Query(f'sum by (account, kind) ({S("account_alarms")})', "{{account}} {{kind}}")),
    ]  # fmt: skip


def _fresh() -> list[Panel]:
    return [
        series("Since the last snapshot", "Time since the portfolio manager's last snapshot: every second while marks "
               "move.", Look("s", ((None, "green"), (30, "red")), least=0),
               Query(S.since("last_snapshot_timestamp_seconds", by="broker"), "{{broker}}"), width=12,
               links=[to_page("ap-worker-portfolio_manager"), to_runbook("feed-is-silent")]),
        series("Snapshots", "Snapshots published, by what led to them.", PER_SECOND,
               Query(S.rate("snapshots_total", by="broker, cause"), "{{broker}} {{cause}}"), width=12),
    ]  # fmt: skip
