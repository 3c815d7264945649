"""What the ledger stores for one event: the audit row, and what the event changes in the tables people read.

Every statement is an upsert that commutes: events may come twice and in any order, statuses and filled
quantities only move forward.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from sqlalchemy import Table, Update, bindparam, case, func, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from faust_app.runtime.codec import decode_any, event_time
from faust_app.runtime.topics import TopicName
from models.messages.envelope import Envelope
from models.messages.orders import OrderFailed, OrderFilled, OrderStatus, OrderSubmitted, OrderUpdate, PlannedOrder
from models.messages.portfolio import PortfolioSnapshot
from models.messages.reconciliation import DifferenceState, ReconciliationDifference, ReconciliationRound
from models.messages.signals import AcceptedSignal, DeniedSignal, Signal
from models.rows.audit import AuditRow
from models.rows.base import Base
from models.rows.trading import FillRow, OrderRow, ReconciliationRow, SignalRow, SnapshotRow

RANK = {
    OrderStatus.SUBMITTED: 0,
    OrderStatus.UNKNOWN: 1,
    OrderStatus.WORKING: 2,
    OrderStatus.PARTIALLY_FILLED: 3,
}
TERMINAL_RANK = 4
Values = dict[str, Any]
Origin = tuple[str, int, int]


def _table(row: type[Base]) -> Table:
    return cast("Table", row.__table__)


def _first_wins(row: type[Base]) -> Insert:
    return insert(_table(row)).on_conflict_do_nothing()


def _fill_in(row: type[Base]) -> Insert:
    """Insert, or fill in the columns that are still null."""
    table = _table(row)
    statement = insert(table)
    missing = {
        column.name: func.coalesce(column, statement.excluded[column.name])
        for column in table.columns
        if not column.primary_key and column.nullable
    }
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=missing)


def _order_upsert() -> Insert:
    table = _table(OrderRow)
    statement = insert(table)
    new, old = statement.excluded, table.c
    ahead = new["rank"] > old["rank"]
    not_older = new["filled_quantity"] >= old["filled_quantity"]
    is_known = new["broker_order_id"] != ""
    plan = {
        name: func.coalesce(old[name], new[name]) for name in (*PLAN_COLUMNS, "signal_id", "account", "limit_price")
    }
    return statement.on_conflict_do_update(
        index_elements=[old.order_id],
        set_=plan
        | {
            "status": case((ahead, new["status"]), else_=old["status"]),
            "reason": case((ahead, new["reason"]), else_=old["reason"]),
            "rank": func.greatest(old["rank"], new["rank"]),
            "average_price": case(
                (not_older, func.coalesce(new["average_price"], old["average_price"])),
                else_=old["average_price"],
            ),
            "filled_quantity": func.greatest(old["filled_quantity"], new["filled_quantity"]),
            "broker_order_id": case((is_known, new["broker_order_id"]), else_=old["broker_order_id"]),
            "occurred_at": func.least(old["occurred_at"], new["occurred_at"]),
            "updated_at": func.greatest(old["updated_at"], new["updated_at"]),
        },
    )


def _difference_upsert() -> Insert:
    """The newest word on a difference counts, whatever comes again."""
    statement = insert(_table(ReconciliationRow))
    new = {column.name: column for column in statement.excluded if not column.primary_key}
    return statement.on_conflict_do_update(
        index_elements=list(_table(ReconciliationRow).primary_key),
        set_=new,
        where=_table(ReconciliationRow).c.updated_at <= statement.excluded.updated_at,
    )


def _difference_clearance() -> Update:
    """What a round does not name any more has been resolved, also while nobody looked."""
    columns = _table(ReconciliationRow).c
    return (
        update(_table(ReconciliationRow))
        .where(columns.account == bindparam("of_account"), columns.updated_at <= bindparam("at"))
        .where(~columns.is_resolved, columns.difference_key.not_in(bindparam("open_keys", expanding=True)))
        .values(is_resolved=True, updated_at=bindparam("at"))
    )


PLAN_COLUMNS = ("strategy", "instrument", "side", "order_type", "product", "validity", "quantity")
INSERT_AUDIT = _first_wins(AuditRow)
UPSERT_SIGNAL = _fill_in(SignalRow)
UPSERT_ORDER = _order_upsert()
INSERT_FILL = _first_wins(FillRow)
INSERT_SNAPSHOT = _first_wins(SnapshotRow)
UPSERT_DIFFERENCE = _difference_upsert()
CLEAR_DIFFERENCES = _difference_clearance()


async def record(
    connection: AsyncConnection, topic: TopicName, raw: bytes, origin: Origin, sent_at: float = 0.0
) -> Envelope[Any]:
    """Store one event in the connection's transaction. Raises DecodeError when `raw` is not a message.

    `sent_at` is Kafka's time of the message in epoch seconds, 0 when it has none.
    """
    envelope = decode_any(raw)
    at = {"sent_at": datetime.fromtimestamp(sent_at, UTC) if sent_at else None}
    await connection.execute(INSERT_AUDIT, _audit_values(envelope, topic, raw, origin) | at)
    projection = PROJECTIONS.get(type(envelope.data))
    if projection is not None:
        statement, values = projection
        await connection.execute(statement, values(envelope))
    if isinstance(envelope.data, OrderFilled):
        await connection.execute(INSERT_FILL, _fill_values(envelope))
    return envelope


class _Body(msgspec.Struct):
    data: dict[str, Any]


_decode_body = msgspec.json.Decoder(_Body).decode


def _audit_values(envelope: Envelope[Any], topic: TopicName, raw: bytes, origin: Origin) -> Values:
    return {
        "event_id": envelope.id,
        "type": envelope.type,
        "version": envelope.version,
        "broker": envelope.broker,
        "key": envelope.key,
        "source": envelope.source,
        "topic": topic.topic.value,
        "partition": origin[1],
        "offset": origin[2],
        "correlation_id": envelope.correlation_id,
        "causation_id": envelope.causation_id,
        "trace_id": envelope.trace_id,
        "occurred_at": envelope.occurred_at,
        "recorded_at": datetime.now(UTC),
        "data": _decode_body(raw).data,
    }


def _signal_values(envelope: Envelope[Signal]) -> Values:
    signal = envelope.data
    return _signal_row(
        envelope,
        instrument=signal.instrument,
        intent=signal.intent.value,
        body=msgspec.to_builtins(signal, builtin_types=()),
    )


def _accepted_values(envelope: Envelope[AcceptedSignal]) -> Values:
    return _signal_row(envelope, decision="accepted")


def _denied_values(envelope: Envelope[DeniedSignal]) -> Values:
    """Where only the rest of a signal was denied, it stays accepted; the code says that there was a rest."""
    denied = envelope.data
    decision = None if denied.is_rest else "denied"
    return _signal_row(envelope, decision=decision, code=denied.code, instrument=denied.instrument)


def _signal_row(envelope: Envelope[Any], **known: Any) -> Values:
    blank = {"instrument": None, "intent": None, "decision": None, "code": None, "body": None}
    data = envelope.data
    return {
        **blank,
        **known,
        "signal_id": data.signal_id,
        "broker": envelope.broker,
        "account": data.account,
        "strategy": data.strategy,
        "correlation_id": envelope.correlation_id,
        "occurred_at": envelope.occurred_at,
    }


def _order_row(envelope: Envelope[Any], order_id: str, status: OrderStatus, plan: Values, **known: Any) -> Values:
    blank = dict.fromkeys((*PLAN_COLUMNS, "signal_id", "account", "limit_price", "average_price"))
    return {
        **blank,
        "broker_order_id": "",
        "reason": "",
        "filled_quantity": 0,
        **plan,
        **known,
        "order_id": order_id,
        "broker": envelope.broker,
        "status": status.value,
        "rank": RANK.get(status, TERMINAL_RANK),
        "correlation_id": envelope.correlation_id,
        "occurred_at": envelope.occurred_at,
        "updated_at": envelope.occurred_at,
    }


def _plan(order: PlannedOrder) -> Values:
    return {
        "signal_id": order.signal_id,
        "account": order.account,
        "strategy": order.strategy,
        "instrument": order.instrument,
        "side": order.side.value,
        "order_type": order.order_type.value,
        "product": order.product.value,
        "validity": order.validity.value,
        "quantity": order.quantity,
        "limit_price": order.limit_price,
    }


def _submitted_values(envelope: Envelope[OrderSubmitted]) -> Values:
    order = envelope.data.order
    return _order_row(envelope, order.order_id, OrderStatus.SUBMITTED, _plan(order))


def _update_values(envelope: Envelope[OrderUpdate]) -> Values:
    update = envelope.data
    return _order_row(
        envelope,
        update.order_id,
        update.status,
        {},
        broker_order_id=update.broker_order_id,
        reason=update.reason,
        filled_quantity=update.cumulative_quantity,
        average_price=update.average_price if update.cumulative_quantity else None,
    )


def _filled_values(envelope: Envelope[OrderFilled]) -> Values:
    filled = envelope.data
    status = OrderStatus.FILLED if filled.complete else OrderStatus.PARTIALLY_FILLED
    known = {
        "broker_order_id": filled.broker_order_id,
        "filled_quantity": filled.cumulative_quantity,
        "average_price": filled.average_price,
    }
    return _order_row(envelope, filled.order.order_id, status, _plan(filled.order), **known)


def _failed_values(envelope: Envelope[OrderFailed]) -> Values:
    failed = envelope.data
    return _order_row(
        envelope,
        failed.order.order_id,
        failed.outcome,
        _plan(failed.order),
        broker_order_id=failed.broker_order_id,
        filled_quantity=failed.filled_quantity,
        reason=failed.reason,
    )


def _fill_values(envelope: Envelope[OrderFilled]) -> Values:
    filled, order = envelope.data, envelope.data.order
    return {
        "fill_id": filled.fill_id,
        "order_id": order.order_id,
        "signal_id": order.signal_id,
        "broker": envelope.broker,
        "account": order.account,
        "strategy": order.strategy,
        "instrument": order.instrument,
        "side": order.side.value,
        "quantity": filled.quantity,
        "price": filled.price,
        "cumulative_quantity": filled.cumulative_quantity,
        "correlation_id": envelope.correlation_id,
        "occurred_at": envelope.occurred_at,
    }


SNAPSHOT_MONEY = (
    *("start_cash", "cash", "position_value", "realised", "unrealised", "charges", "equity"),
    *("day_pnl", "high_water_mark", "drawdown", "margin_used"),
)


def _snapshot_values(envelope: Envelope[PortfolioSnapshot]) -> Values:
    body = envelope.data
    return {name: getattr(body, name) for name in SNAPSHOT_MONEY} | {
        "snapshot_id": envelope.id,
        "broker": envelope.broker,
        "account": body.account,
        "cause": body.cause.value,
        "fills": body.fills,
        "occurred_at": envelope.occurred_at,
        "positions": msgspec.to_builtins(body.positions),
        "alarms": msgspec.to_builtins(body.alarms),
    }


def _difference_values(envelope: Envelope[ReconciliationDifference]) -> Values:
    body, found = envelope.data, envelope.data.difference
    names = ("kind", "subject", "severity", "instrument", "ours", "theirs", "value", "is_accepted")
    return {name: getattr(found, name) for name in names} | {
        "account": body.account,
        "difference_key": found.key,
        "broker": envelope.broker,
        "since": event_time(found.since),
        "is_resolved": body.state is DifferenceState.RESOLVED,
        "updated_at": envelope.occurred_at,
    }


def _round_values(envelope: Envelope[ReconciliationRound]) -> Values:
    body = envelope.data
    return {"of_account": body.account, "at": envelope.occurred_at, "open_keys": [one.key for one in body.open]}


PROJECTIONS: dict[type[msgspec.Struct], tuple[Insert | Update, Callable[[Any], Values]]] = {
    Signal: (UPSERT_SIGNAL, _signal_values),
    AcceptedSignal: (UPSERT_SIGNAL, _accepted_values),
    DeniedSignal: (UPSERT_SIGNAL, _denied_values),
    OrderSubmitted: (UPSERT_ORDER, _submitted_values),
    OrderUpdate: (UPSERT_ORDER, _update_values),
    OrderFilled: (UPSERT_ORDER, _filled_values),
    OrderFailed: (UPSERT_ORDER, _failed_values),
    PortfolioSnapshot: (INSERT_SNAPSHOT, _snapshot_values),
    ReconciliationDifference: (UPSERT_DIFFERENCE, _difference_values),
    ReconciliationRound: (CLEAR_DIFFERENCES, _round_values),
}
