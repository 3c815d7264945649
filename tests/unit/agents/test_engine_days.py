"""The trading engine forgets finished orders of earlier days, and only those of the partition at hand."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from agents.order_desk import OrderDesks
from agents.trading_engine import TradingEngine
from models.messages.orders import OrderStatus, Product
from tables.orders import orders_table
from tests.factories import AT, order
from trading.orders.brackets import new_bracket
from trading.orders.state import OrderRecord

DAY = 86_400


def engine(raw: dict[str, bytes]) -> Any:
    """An engine of which only the orders table is there; tokens are their own partitions."""
    made = object.__new__(TradingEngine)
    made._days = {}
    made._orders = orders_table(raw)
    made._exchange = SimpleNamespace(group=str)  # type: ignore[assignment]
    made._worker = SimpleNamespace(topics=SimpleNamespace(partition=int))  # type: ignore[assignment]
    nobody: Any = None
    made._desks = OrderDesks(made._orders, nobody, nobody, stage="trading_engine", broker="paper", told=nobody)
    return made


def put(made: Any, name: str, status: OrderStatus, *, token: int, at: int, **values: Any) -> None:
    one = order(order_id=name, instrument_token=token, event_time=at, **values)
    made._orders.write(name, {}, OrderRecord(order=one, status=status, updated_at=at, bracket=new_bracket(one)))


def test_finished_orders_of_earlier_days_of_this_partition_are_forgotten() -> None:
    raw: dict[str, bytes] = {}
    made = engine(raw)
    put(made, "old", OrderStatus.FILLED, token=1, at=AT - DAY)
    put(made, "old elsewhere", OrderStatus.FILLED, token=2, at=AT - DAY)
    put(made, "old and open", OrderStatus.WORKING, token=1, at=AT - DAY)
    put(made, "today's", OrderStatus.CANCELLED, token=1, at=AT)
    made._forget_old_days(1, AT)
    assert set(raw) == {"old elsewhere", "old and open", "today's"}


def test_an_entry_whose_bracket_goes_on_is_remembered() -> None:
    raw: dict[str, bytes] = {}
    made = engine(raw)
    with_stop: dict[str, Any] = {"token": 1, "at": AT - DAY, "stop_loss": Decimal(1400)}
    put(made, "goes on", OrderStatus.FILLED, product=Product.CNC, **with_stop)
    put(made, "closed with its day", OrderStatus.FILLED, product=Product.MIS, **with_stop)
    record = made._orders.row("goes on")[1]
    record.filled_quantity = 10
    made._orders.write("goes on", {}, record)
    made._desks.rebuild(lambda one: one.instrument_token)
    made._forget_old_days(1, AT)
    assert set(raw) == {"goes on"}


def test_it_looks_once_a_day() -> None:
    raw: dict[str, bytes] = {}
    made = engine(raw)
    made._forget_old_days(1, AT)
    put(made, "old", OrderStatus.FILLED, token=1, at=AT - DAY)
    made._forget_old_days(1, AT + 60)
    assert set(raw) == {"old"}
    made._forget_old_days(1, AT + DAY)
    assert not raw
