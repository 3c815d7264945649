"""Fills become trades, from flat to flat."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from models.messages.orders import Product, Side
from tests.factories import filled, order
from trading.accounting.account import new_account
from trading.backtest.result import Recorder, Result
from trading.backtest.statistics import Trade

B, S = Side.BUY, Side.SELL
Fill = tuple[Side, int, int]  # side, quantity, price


def record(*fills: Fill | tuple[Fill, dict[str, Any]]) -> Result:
    """One fill a second, from second 1 on."""
    recorder = Recorder(Decimal(1000))
    for second, given in enumerate(fills, 1):
        (side, quantity, price), values = given if isinstance(given[0], tuple) else (given, {})
        planned = order(order_id=str(second), side=side, quantity=quantity, **values)
        recorder.fill(filled(planned, quantity, str(price), quantity, event_time=second), Decimal(0))
    return recorder.result(new_account("a", Decimal(1000)), ticks=0, errors={})


def shown(trades: list[Trade]) -> list[tuple[Any, ...]]:
    return [
        (one.side, one.quantity, one.entered_at, one.left_at, one.entry_price, one.exit_price, one.profit)
        for one in trades
    ]


def test_a_long_trade() -> None:
    assert shown(record((B, 10, 100), (S, 10, 103)).trades) == [(B, 10, 1, 2, 100, 103, 30)]


def test_a_short_trade() -> None:
    assert shown(record((S, 10, 100), (B, 10, 103)).trades) == [(S, 10, 1, 2, 100, 103, -30)]


def test_scaling_in_and_out_averages() -> None:
    found = record((B, 10, 100), (B, 30, 104), (S, 10, 106), (S, 30, 102)).trades
    assert shown(found) == [(B, 40, 1, 4, 103, 103, 0)]


def test_adding_after_a_part_was_sold_is_the_same_trade() -> None:
    found = record((B, 10, 100), (S, 5, 110), (B, 5, 120), (S, 10, 130)).trades
    assert shown(found) == [(B, 15, 1, 4, Decimal("106.6667"), Decimal("123.3333"), 250)]


def test_what_goes_through_zero_ends_one_trade_and_begins_the_next() -> None:
    """Sold 10 of the 25 from long at 110: 100; short 15 at 110, bought back at 105 and 120: 1650 - 1725."""
    found = record((B, 10, 100), (S, 25, 110), (B, 5, 105), (B, 10, 120)).trades
    assert shown(found) == [(B, 10, 1, 2, 100, 110, 100), (S, 15, 2, 4, 110, 115, -75)]


def test_a_flip_back_and_forth() -> None:
    found = record((S, 5, 100), (B, 10, 90), (S, 10, 95), (B, 5, 96)).trades
    assert shown(found) == [(S, 5, 1, 2, 100, 90, 50), (B, 5, 2, 3, 90, 95, 25), (S, 5, 3, 4, 95, 96, -5)]


def test_an_open_position_is_no_trade() -> None:
    found = record((B, 10, 100), (S, 9, 110))
    assert found.trades == []
    assert (found.win_rate, found.turnover) == (None, 1990)


def test_strategies_instruments_and_products_are_kept_apart() -> None:
    found = record(
        ((B, 10, 100), {"strategy": "one"}),
        ((S, 10, 101), {"strategy": "two"}),
        ((S, 10, 102), {"strategy": "one", "product": Product.CNC}),
        ((S, 10, 103), {"strategy": "one", "instrument": "NSE:TCS"}),
        ((S, 10, 104), {"strategy": "one"}),
        ((B, 10, 105), {"strategy": "two"}),
    ).trades
    assert [(one.strategy, one.instrument, one.product, one.profit) for one in found] == [
        ("one", "NSE:INFY", Product.MIS, 40),
        ("two", "NSE:INFY", Product.MIS, -40),
    ]
