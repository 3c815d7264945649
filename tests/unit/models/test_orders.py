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


def stop(side: Side, *, limit: str, trigger: str) -> dict[str, Any]:
    return {
        "side": side,
        "order_type": OrderType.SL,
        "limit_price": Decimal(limit),
        "trigger_price": Decimal(trigger),
    }


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"order_type": OrderType.LIMIT}, "A LIMIT order needs a limit price"),
        ({"order_type": OrderType.SL, "trigger_price": Decimal(1)}, "A SL order needs a limit price"),
        ({"limit_price": Decimal(1)}, "A MARKET order has no limit price"),
        ({"order_type": OrderType.LIMIT, "limit_price": Decimal(0)}, "limit_price is 0, it must be above 0"),
        ({"order_type": OrderType.LIMIT, "limit_price": Decimal("-0.05")}, "limit_price is -0.05, it must be above"),
        ({"order_type": OrderType.LIMIT, "limit_price": Decimal("1.00001")}, "no multiple of 1/10000 rupee"),
        ({"order_type": OrderType.SL_M}, "A SL-M order needs a trigger price"),
        ({"trigger_price": Decimal(1)}, "A MARKET order has no trigger price"),
        ({"order_type": OrderType.SL_M, "trigger_price": Decimal(0)}, "trigger_price is 0, it must be above 0"),
        (stop(Side.BUY, limit="9.95", trigger="10"), "The limit of 9.95 is below the trigger of 10"),
        (stop(Side.SELL, limit="10.05", trigger="10"), "The limit of 10.05 is above the trigger of 10"),
        ({"stop_loss": Decimal(-1)}, "stop_loss is -1, it must be above 0"),
        ({"target": Decimal("1.00001")}, "no multiple of 1/10000 rupee"),
        ({"stop_loss": Decimal(10), "target": Decimal(10)}, "A BUY with a stop loss of 10 cannot have its target"),
        (
            {"side": Side.SELL, "stop_loss": Decimal(10), "target": Decimal(11)},
            "A SELL with a stop loss of 10 cannot have its target at 11",
        ),
        ({"market_protection": Decimal(0)}, "market_protection is 0, it must be -1 or a percentage"),
        ({"market_protection": Decimal("100.01")}, "market_protection is 100.01, it must be"),
        ({"validity": Validity.TTL}, "A TTL order needs its minutes"),
    ],
)
def test_an_order_no_exchange_could_take_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build.order(**changes)


def test_a_limit_price_may_be_as_fine_as_prices_are() -> None:
    assert build.limit_order("0.0001").limit_price == Decimal("0.0001")


@pytest.mark.parametrize(
    "changes",
    [
        stop(Side.BUY, limit="10", trigger="10"),
        stop(Side.SELL, limit="9.95", trigger="10"),
        {"stop_loss": Decimal("9.95"), "target": Decimal(10)},
        {"side": Side.SELL, "stop_loss": Decimal(10), "target": Decimal("9.95")},
        {"market_protection": Decimal("0.01")},
        {"market_protection": Decimal(100)},
    ],
)
def test_an_order_an_exchange_would_take_is_taken(changes: dict[str, Any]) -> None:
    assert build.order(**changes).quantity == 10


def test_an_order_knows_whether_it_waits_and_whether_it_brings_exits() -> None:
    plain = build.order()
    assert (plain.is_stop, plain.has_exits) == (False, False)
    assert build.order(**stop(Side.BUY, limit="10", trigger="10")).is_stop
    assert build.order(stop_loss=Decimal(9)).has_exits
    assert build.order(target=Decimal(9)).has_exits
