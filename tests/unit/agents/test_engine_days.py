"""The trading engine forgets finished orders of earlier days, and only those of the partition at hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from agents.trading_engine import TradingEngine
from models.messages.orders import OrderStatus
from tables.orders import orders_table
from tests.factories import AT, order
from trading.orders.state import OrderRecord

DAY = 86_400


def engine(raw: dict[str, bytes]) -> Any:
    """An engine of which only the orders table is there; tokens are their own partitions."""
    made = object.__new__(TradingEngine)
    made._days = {}
    made._orders = orders_table(raw)
    made._exchange = SimpleNamespace(group=str)  # type: ignore[assignment]
    made._worker = SimpleNamespace(topics=SimpleNamespace(partition=int))  # type: ignore[assignment]
    return made


def put(made: Any, name: str, status: OrderStatus, *, token: int, at: int) -> None:
    made._orders.write(name, {}, OrderRecord(order=order(instrument_token=token), status=status, updated_at=at))


def test_finished_orders_of_earlier_days_of_this_partition_are_forgotten() -> None:
    raw: dict[str, bytes] = {}
    made = engine(raw)
    put(made, "old", OrderStatus.FILLED, token=1, at=AT - DAY)
    put(made, "old elsewhere", OrderStatus.FILLED, token=2, at=AT - DAY)
    put(made, "old and open", OrderStatus.WORKING, token=1, at=AT - DAY)
    put(made, "today's", OrderStatus.CANCELLED, token=1, at=AT)
    made._forget_old_days(1, AT)
    assert set(raw) == {"old elsewhere", "old and open", "today's"}


def test_it_looks_once_a_day() -> None:
    raw: dict[str, bytes] = {}
    made = engine(raw)
    made._forget_old_days(1, AT)
    put(made, "old", OrderStatus.FILLED, token=1, at=AT - DAY)
    made._forget_old_days(1, AT + 60)
    assert set(raw) == {"old"}
    made._forget_old_days(1, AT + DAY)
    assert not raw
