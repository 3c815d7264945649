"""Which working orders are taken back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from models.messages.orders import OrderStatus, OrderType
from tests.factories import order
from trading.orders.state import OrderRecord
from trading.orders.withdrawals import IN_THE_WAY, Withdrawal, withdrawal

DEADLINE = 10
LIMIT = {"order_type": OrderType.LIMIT, "limit_price": Decimal(1500)}
STOP = {"order_type": OrderType.SL_M, "trigger_price": Decimal(1500)}
OF_A_BRACKET = {"oco_group": "entry"}
ENTRIES: list[dict[str, Any]] = [{}, LIMIT, STOP]
RESTING: list[dict[str, Any]] = [{"reduces": True, **kind} for kind in (LIMIT, STOP)]
EXIT = {"reduces": True}


def found(record: OrderRecord, *, leaves: bool = False, waited: int = 0) -> Withdrawal | None:
    return withdrawal(record, leaves=leaves, waited_seconds=waited, deadline_seconds=DEADLINE)


@pytest.mark.parametrize("values", [*ENTRIES, *RESTING])
def test_entries_and_resting_exits_are_in_the_way_of_leaving(values: dict[str, Any]) -> None:
    record = OrderRecord(order=order(**values))
    assert found(record, leaves=True) == Withdrawal(IN_THE_WAY)
    assert found(record, waited=10**6) is None, "they rest on purpose"


@pytest.mark.parametrize("values", [EXIT, *({**one, **OF_A_BRACKET} for one in (EXIT, *RESTING))])
def test_exits_at_the_market_and_those_of_brackets_are_not(values: dict[str, Any]) -> None:
    assert found(OrderRecord(order=order(**values)), leaves=True) is None


@pytest.mark.parametrize("leaves", [True, False])
def test_an_exit_at_the_market_has_a_deadline(leaves: bool) -> None:
    record = OrderRecord(order=order(**EXIT), status=OrderStatus.PARTIALLY_FILLED, filled_quantity=3)
    assert found(record, leaves=leaves, waited=DEADLINE - 1) is None
    overdue = found(record, leaves=leaves, waited=DEADLINE)
    assert overdue is not None
    assert overdue.is_overdue
    assert overdue.reason == "Not filled within 10 s: it is priced again"


def test_the_deadline_of_a_brackets_exit_is_its_own() -> None:
    assert found(OrderRecord(order=order(**EXIT, **OF_A_BRACKET)), waited=10**6) is None


@pytest.mark.parametrize("status", [one for one in OrderStatus if one.is_terminal])
def test_what_has_ended_is_left_alone(status: OrderStatus) -> None:
    assert found(OrderRecord(order=order(), status=status), leaves=True, waited=10**6) is None


def test_what_is_being_cancelled_is_not_cancelled_again() -> None:
    record = OrderRecord(order=order(**EXIT), cancel_wanted=True)
    assert found(record, leaves=True, waited=10**6) is None
