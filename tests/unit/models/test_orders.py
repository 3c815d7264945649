"""Sides, statuses, and what a planned order must hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from models.messages.control import TradingState
from models.messages.orders import OrderStatus, OrderType, Side, Validity
from tests import factories as build


def test_a_side_has_a_sign_and_an_opposite() -> None:
    assert [(side.sign, side.opposite) for side in (Side.BUY, Side.SELL)] == [(1, Side.SELL), (-1, Side.BUY)]


def test_terminal_statuses_are_those_after_which_nothing_fills() -> None:
    open_ones = {OrderStatus.SUBMITTED, OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED, OrderStatus.UNKNOWN}
    assert {status for status in OrderStatus if not status.is_terminal} == open_ones


def test_the_strictest_trading_state_has_the_highest_severity() -> None:
    strictest_last = [TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED]
    assert sorted(TradingState, key=lambda state: state.severity) == strictest_last


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"order_type": OrderType.LIMIT}, "A LIMIT order needs a limit price"),
        ({"order_type": OrderType.SL, "trigger_price": Decimal(1)}, "A SL order needs a limit price"),
        ({"limit_price": Decimal(1)}, "A MARKET order has no limit price"),
        ({"order_type": OrderType.LIMIT, "limit_price": Decimal(0)}, "limit_price is 0, it must be above 0"),
        ({"order_type": OrderType.LIMIT, "limit_price": Decimal("-0.05")}, "limit_price is -0.05, it must be above"),
        ({"order_type": OrderType.LIMIT, "limit_price": Decimal("1.00001")}, "no multiple of 1/10000 rupee"),
        ({"validity": Validity.TTL}, "A TTL order needs its minutes"),
    ],
)
def test_an_order_no_exchange_could_take_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build.order(**changes)


def test_a_limit_price_may_be_as_fine_as_prices_are() -> None:
    assert build.limit_order("0.0001").limit_price == Decimal("0.0001")
