"""The summary of a run, all of it measured: counts of effects from the audit trail, the rest from the metrics."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from faust_app.runtime.database import create_engine, transaction
from faust_app.runtime.settings import Settings
from models.rows.audit import AuditRow
from models.rows.trading import NEWEST_FIRST, FillRow, OrderRow, SignalRow, SnapshotRow
from stack.scrape import Totals

MILLISECONDS = 1000
ERRORS = ("strategy_errors_total", "send_errors_total", "order_alarms_total")


@dataclass(frozen=True)
class Effects:
    """What the audit trail says happened since the run began, each event counted once."""

    events: Mapping[str, int] = field(default_factory=dict)  # by type
    denied: Mapping[str, int] = field(default_factory=dict)  # by code
    pnl: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by broker


async def read_effects(settings: Settings, since: datetime) -> Effects:
    """Counts and the newest snapshot of every account, from PostgreSQL."""
    engine = create_engine(settings, pool_size=1)
    recent = AuditRow.recorded_at >= since
    code = AuditRow.data["code"].astext
    try:
        async with transaction(engine) as connection:
            events = await connection.execute(select(AuditRow.type, func.count()).where(recent).group_by(AuditRow.type))
            denied = await connection.execute(
                select(code, func.count()).where(recent, AuditRow.type == "signal.denied").group_by(code)
            )
            snapshots = await connection.execute(
                select(SnapshotRow.__table__).distinct(SnapshotRow.account).order_by(SnapshotRow.account, *NEWEST_FIRST)
            )
            return Effects(
                {row[0]: row[1] for row in events},
                {row[0]: row[1] for row in denied},
                {row.broker: _pnl(row) for row in snapshots},
            )
    finally:
        await engine.dispose()


def _pnl(row: Any) -> dict[str, Any]:
    names = ("account", "cash", "realised", "unrealised", "charges", "equity", "fills")
    return {name: _text(getattr(row, name)) for name in names}


def _text(value: Any) -> Any:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


async def read_digest(settings: Settings) -> dict[str, Any]:
    """What two replays of the same recording must agree on: every signal, order and fill, and the final money."""
    fills = select(FillRow.fill_id, FillRow.order_id, FillRow.quantity, FillRow.price, FillRow.occurred_at).order_by(
        FillRow.fill_id
    )
    orders = select(
        OrderRow.order_id, OrderRow.signal_id, OrderRow.side, OrderRow.quantity, OrderRow.limit_price, OrderRow.status
    ).order_by(OrderRow.order_id)
    signals = select(SignalRow.signal_id, SignalRow.decision, SignalRow.code).order_by(SignalRow.signal_id)
    money = (
        select(SnapshotRow.account, SnapshotRow.cash, SnapshotRow.realised, SnapshotRow.charges, SnapshotRow.fills)
        .distinct(SnapshotRow.account)
        .order_by(SnapshotRow.account, *NEWEST_FIRST)
    )
    engine = create_engine(settings, pool_size=1)
    try:
        async with transaction(engine) as connection:
            named = {"signals": signals, "orders": orders, "fills": fills, "money": money}
            return {name: _digest(await connection.execute(query)) for name, query in named.items()}
    finally:
        await engine.dispose()


def _digest(rows: Iterable[Any]) -> str:
    found = hashlib.sha256()
    count = 0
    for row in rows:
        found.update(repr([str(value) for value in row]).encode())
        count += 1
    return f"{count}:{found.hexdigest()[:32]}"


def summarise(totals: Totals, effects: Effects, *, restarts: int, seconds: float, lag_end: int) -> dict[str, Any]:
    """The summary as it is printed and written."""
    longest = totals.highest("tick_to_order_max_seconds") or None
    p50, p99 = (_at_most(value, longest) for value in totals.quantiles("tick_to_order_seconds", 0.5, 0.99))
    events = effects.events
    return {
        "seconds": round(seconds, 1),
        "ticks_published": int(totals.sum("ticks_published_total")),
        "ticks_processed": int(totals.sum("ticks_processed_total", "strategy_runner")),
        "ticks_dropped": {name: int(value) for name, value in totals.by("ticks_dropped_total", "reason").items()},
        "signals": events.get("signal.raised", 0),
        "signals_accepted": events.get("signal.accepted", 0),
        "signals_denied": dict(effects.denied),
        "orders": events.get("order.submitted", 0),
        "fills": events.get("order.filled", 0),
        "orders_failed": events.get("order.failed", 0),
        "snapshots": events.get("portfolio.snapshot", 0),
        "dead_letters": int(totals.sum("dead_letters_total")),
        "duplicates_suppressed": int(totals.sum("duplicates_suppressed_total")),
        "worker_restarts": restarts,
        "tick_to_order_ms": {
            "p50": _milliseconds(p50),
            "p99": _milliseconds(p99),
            "max": _milliseconds(longest),
        },
        "lag_end": lag_end,
        "pnl": {broker: dict(pnl) for broker, pnl in effects.pnl.items()},
        "errors": int(sum(totals.sum(name) for name in ERRORS)),
    }


def _at_most(seconds: float | None, longest: float | None) -> float | None:
    """A quantile interpolated within its bucket may lie above what was ever seen."""
    return seconds if seconds is None or longest is None else min(seconds, longest)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * MILLISECONDS, 2)
