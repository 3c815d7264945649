"""What the terminal shows while the stack runs: a live table on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from stack import figures
from stack.scrape import Totals
from stack.supervisor import Service, State

LINE_SECONDS = 5.0
MILLISECONDS = 1000
STYLES = {State.READY: "green", State.STARTING: "yellow", State.RESTARTING: "red", State.STOPPED: "dim"}


class Watcher:
    """Shows the totals; `live` asks for the table, which needs a terminal."""

    def __init__(self, services: Mapping[str, Service], totals: Totals, *, live: bool) -> None:
        self._services = services
        self._totals = totals
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False) if live and self._console.is_terminal else None
        self._line_due = 0.0
        self._ticks = (time.monotonic(), 0.0)
        self._rate = 0.0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, seconds: float) -> None:
        """Show the totals as of now."""
        self._note_rate()
        if self._live is not None:
            self._live.update(Group(self._figures(seconds), self._workers()), refresh=True)
        elif time.monotonic() >= self._line_due:
            self._line_due = time.monotonic() + LINE_SECONDS
            sys.stdout.write(self._line(seconds) + "\n")
            sys.stdout.flush()

    def _note_rate(self) -> None:
        now, ticks = time.monotonic(), self._totals.sum("ticks_published_total")
        before, had = self._ticks
        if now - before >= 1.0:
            self._rate = (ticks - had) / (now - before)
            self._ticks = now, ticks

    def _figures(self, seconds: float) -> Table:
        totals = self._totals
        table = Table(title=f"Alpha Panda, {clock(seconds)}", title_justify="left", show_header=False, box=None)
        age = figures.tick_age(totals, time.time())
        last = "" if age is None else f", last {age:.1f} s ago"
        table.add_row("ticks", f"{totals.sum('ticks_published_total'):,.0f}", f"{self._rate:,.0f}/s{last}")
        table.add_row("signals", f"{totals.sum('signals_total'):,.0f}", "")
        denied = totals.by("signals_denied_total", "code")
        codes = ", ".join(f"{code} {count:,.0f}" for code, count in sorted(denied.items(), key=lambda row: -row[1])[:4])
        table.add_row("denied", f"{sum(denied.values()):,.0f}", codes)
        table.add_row("orders", f"{totals.sum('orders_submitted_total'):,.0f}", "")
        table.add_row("fills", f"{totals.sum('fills_total'):,.0f}", "")
        table.add_row("tick to order", *self._latency())
        table.add_row("lag", *self._lag())
        table.add_row("dead letters", f"{totals.sum('dead_letters_total'):,.0f}", "")
        states, equity = figures.trading_states(totals), totals.by("equity_rupees", "broker")
        for broker, profit in sorted(figures.profits(totals).items()):
            details = f"equity {equity[broker]:,.2f}, {states.get(broker, 'trading state unknown')}"
            table.add_row(f"P&L {broker}", f"{profit:+,.2f}", details)
        return table

    def _lag(self) -> tuple[str, str]:
        waiting = figures.waiting(self._totals)
        worker, most = max(waiting.items(), key=lambda row: row[1], default=("", 0))
        return f"{sum(waiting.values()):,}", f"messages, {most:,} of them for {worker}" if most else "messages"

    def _latency(self) -> tuple[str, str]:
        p50, p99 = self._totals.quantiles("tick_to_order_seconds", 0.5, 0.99)
        if p50 is None or p99 is None:
            return "-", ""
        return f"{p50 * MILLISECONDS:.1f} ms", f"p99 {p99 * MILLISECONDS:.1f} ms"

    def _workers(self) -> Table:
        table = Table("process", "state", "restarts", box=None)
        for service in self._services.values():
            style = STYLES[service.state]
            table.add_row(service.name, f"[{style}]{service.state.value}[/{style}]", str(service.restarts or ""))
        return table

    def _line(self, seconds: float) -> str:
        totals = self._totals
        down = [name for name, service in self._services.items() if service.state is not State.READY]
        parts = [
            clock(seconds),
            f"ticks {totals.sum('ticks_published_total'):,.0f} ({self._rate:,.0f}/s)",
            f"signals {totals.sum('signals_total'):,.0f}",
            f"denied {totals.sum('signals_denied_total'):,.0f}",
            f"orders {totals.sum('orders_submitted_total'):,.0f}",
            f"fills {totals.sum('fills_total'):,.0f}",
            f"tick to order {' '.join(self._latency())}",
            f"lag {self._lag()[0]}",
        ]
        return "  ".join(parts) + (f"  not ready: {', '.join(down)}" if down else "")


def clock(seconds: float) -> str:
    """`1:02:03` or `02:03`."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"
