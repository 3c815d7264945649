from __future__ import annotations

import time

import pytest

from stack.process import Command
from stack.scrape import Samples, Totals
from stack.supervisor import Service, State
from stack.view import Watcher, clock


async def never() -> bool:
    return False


def services(**states: State) -> dict[str, Service]:
    return {name: Service(name, lambda: Command("x", []), never, state=state) for name, state in states.items()}


def totals() -> Totals:
    found: Samples = {
        ("alpha_panda_ticks_published_total", ()): 12345,
        ("alpha_panda_signals_total", ()): 40,
        ("alpha_panda_signals_denied_total", (("broker", "paper"), ("code", "price_collar"))): 7,
        ("alpha_panda_orders_submitted_total", ()): 33,
        ("alpha_panda_fills_total", ()): 31,
        ("alpha_panda_consumer_lag_messages", (("group", "alpha-panda.ledger"), ("partition", "0"))): 4,
        ("alpha_panda_consumer_lag_messages", (("group", "alpha-panda.risk_manager.paper"), ("partition", "1"))): 1,
        ("alpha_panda_feed_last_tick_timestamp_seconds", ()): time.time() - 41.25,
        ("alpha_panda_trading_state", (("broker", "paper"),)): 2.0,
        ("alpha_panda_equity_rupees", (("account", "main"), ("broker", "paper"))): 1000150.0,
        ("alpha_panda_pnl_realised_rupees", (("account", "main"), ("broker", "paper"))): 200.0,
        ("alpha_panda_pnl_unrealised_rupees", (("account", "main"), ("broker", "paper"))): -30.0,
        ("alpha_panda_pnl_charges_rupees", (("account", "main"), ("broker", "paper"))): 20.0,
    }
    created = Totals()
    created.add("all", found)
    return created


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "00:00"), (59.9, "00:59"), (60, "01:00"), (3599, "59:59"), (3600, "1:00:00")]
)
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_without_a_terminal_a_line_is_shown_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with Watcher(services(market_feed=State.READY), totals(), live=True) as watcher:
        watcher.show(61)
        watcher.show(62)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    for part in ("01:01", "ticks 12,345", "signals 40", "denied 7", "orders 33", "fills 31", "lag 5"):
        assert part in lines[0]
    assert "not ready" not in lines[0]


def test_line_names_what_is_not_ready(capsys: pytest.CaptureFixture[str]) -> None:
    with Watcher(services(ledger=State.RESTARTING, monitor=State.READY), totals(), live=False) as watcher:
        watcher.show(1)
    assert capsys.readouterr().out.endswith("not ready: ledger\n")


def test_terminal_shows_figures_money_and_every_process(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    with Watcher(services(ledger=State.RESTARTING, monitor=State.READY), totals(), live=True) as watcher:
        watcher.show(1)
    shown = capsys.readouterr().out
    parts = ("12,345", "price_collar 7", "+150.00", "1,000,150.00", "halted", "ledger", "restarting", "monitor")
    for part in (*parts, "last 41.", "messages, 4 of them for ledger"):
        assert part in shown
