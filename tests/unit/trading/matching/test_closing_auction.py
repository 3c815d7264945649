"""The closing auction: what is taken when, what is carried over, one price."""

from __future__ import annotations

from typing import Any

import pytest

from models.messages.orders import OrderStatus, Side, Validity
from tests.factories import AT, TOKEN, levels, limit_order, order
from tests.unit.trading.matching.paper import exchange_with, fills, later, show, stop
from trading.market.sessions import Phase, Stage
from trading.matching.exchange import PaperExchange
from trading.matching.phases import Moment

S = OrderStatus
AUCTION = Phase.CLOSING_AUCTION
WIDE: dict[str, Any] = {"buy": levels(14_000_000, -500), "sell": levels(16_000_000, 500)}


def carried(*orders: Any) -> PaperExchange:
    """Orders that met the last tick of continuous trading, at 1500 with a volume of 500, and are now in the auction."""
    exchange = exchange_with(*orders)
    assert show(exchange, later(1, 2, volume=500, **WIDE)) == []
    assert show(exchange, later(2, 3, volume=500, **WIDE), AUCTION, Stage.REFERENCE) == []
    return exchange


def print_at(exchange: PaperExchange, price: int, volume: int = 1000) -> list[tuple[int, str]]:
    """Fills of the tick that shows the auction's price."""
    return fills(show(exchange, later(9, 9, price=price, volume=volume, **WIDE), AUCTION, Stage.MATCHING))


def test_an_untriggered_stop_is_cancelled_when_the_auction_begins() -> None:
    exchange = exchange_with(stop(Side.SELL, "1499"), limit_order("1490", order_id="limit"))
    show(exchange, later())
    found = exchange.on_clock(TOKEN, Moment(AT + 2, AUCTION, Stage.REFERENCE))
    assert [(one.status, one.reason) for one in found] == [(S.CANCELLED, "The closing auction began")]
    assert set(exchange.books[TOKEN].resting) == {"limit"}


def test_a_stop_that_was_triggered_goes_on_into_the_auction() -> None:
    exchange = exchange_with(stop(Side.SELL, "1499", "1498"))
    show(exchange, later(price=14_970_000))
    assert exchange.on_clock(TOKEN, Moment(AT + 2, AUCTION, Stage.REFERENCE)) == []


@pytest.mark.parametrize("stage", [Stage.REFERENCE, Stage.ENTRY, Stage.LIMIT_ENTRY, Stage.RANDOM_END, Stage.MATCHING])
def test_the_book_of_the_auction_fills_nothing(stage: Stage) -> None:
    exchange = carried(limit_order("1490"))
    assert show(exchange, later(3, 4, volume=500, sell=levels(14_000_000, 500)), AUCTION, stage) == []


@pytest.mark.parametrize(
    ("side", "limit", "filled"),
    [
        (Side.BUY, "1490.05", True),
        (Side.BUY, "1490", False),  # others may have been before us at that price
        (Side.BUY, "1489.95", False),
        (Side.SELL, "1509.95", True),
        (Side.SELL, "1510", False),
    ],
)
def test_a_better_limit_has_the_auctions_price(side: Side, limit: str, filled: bool) -> None:
    price = 14_900_000 if side is Side.BUY else 15_100_000
    found = print_at(carried(limit_order(limit, side=side)), price)
    assert found == ([(10, f"{price / 10_000:.4f}")] if filled else [])


def test_the_auction_gives_no_more_than_it_traded() -> None:
    assert print_at(carried(limit_order("1499", quantity=600)), 14_900_000, volume=1000) == [(500, "1490.0000")]


def test_a_trade_seen_before_the_matching_is_one_of_continuous_trading() -> None:
    exchange = carried(limit_order("1495"))
    late_packet = later(3, 4, price=14_900_000, volume=600, **WIDE)
    assert show(exchange, late_packet, AUCTION, Stage.ENTRY) == []
    assert print_at(exchange, 14_900_000, volume=600) == []
    assert print_at(exchange, 14_900_000, volume=600) == []


def test_what_the_auction_does_not_fill_ends_with_the_session() -> None:
    exchange = carried(limit_order("1480"))
    assert print_at(exchange, 14_900_000) == []
    assert [one.status for one in exchange.on_clock(TOKEN, Moment(AT + 99, Phase.CLOSED, Stage.CLOSED))] == [S.EXPIRED]


@pytest.mark.parametrize(
    ("stage", "limits", "markets"),
    [
        (Stage.REFERENCE, False, False),
        (Stage.ENTRY, True, True),
        (Stage.LIMIT_ENTRY, True, False),
        (Stage.RANDOM_END, True, False),
        (Stage.MATCHING, False, False),
    ],
)
def test_orders_are_taken_stage_by_stage(stage: Stage, limits: bool, markets: bool) -> None:
    exchange = exchange_with(limit_order("1490", order_id="limit"), order(order_id="market"))
    found = exchange.on_clock(TOKEN, Moment(AT + 1, AUCTION, stage))
    assert all(one.status is S.REJECTED and "closing auction takes" in one.reason for one in found)
    assert {one.order_id for one in found} == {
        name for name, taken in (("limit", limits), ("market", markets)) if not taken
    }


@pytest.mark.parametrize("one", [stop(Side.SELL, "1499"), limit_order("1490", validity=Validity.IOC)], ids=str)
def test_the_auction_takes_no_stops_and_nothing_immediate(one: Any) -> None:
    (report,) = exchange_with(one).on_clock(TOKEN, Moment(AT + 1, AUCTION, Stage.ENTRY))
    assert report.status is S.REJECTED


@pytest.mark.parametrize(("limit", "taken"), [("1545", True), ("1545.05", False), ("1455", True), ("1454.95", False)])
def test_a_limit_outside_the_band_round_the_last_price_is_rejected(limit: str, taken: bool) -> None:
    exchange = exchange_with(limit_order(limit))
    found = show(exchange, later(price=15_000_000, **WIDE), AUCTION, Stage.ENTRY)
    assert [one.status for one in found] == ([] if taken else [S.REJECTED])


def test_an_order_from_before_the_auction_is_not_measured_by_its_band() -> None:
    assert set(carried(limit_order("1400")).books[TOKEN].resting) == {limit_order("1400").order_id}


def test_a_market_order_of_the_auction_fills_at_its_price() -> None:
    exchange = exchange_with(order())
    assert show(exchange, later(1, 2, volume=500, **WIDE), AUCTION, Stage.ENTRY) == []
    assert print_at(exchange, 15_300_000) == [(10, "1530.0000")]


def test_nothing_trades_before_the_market_opens() -> None:
    exchange = exchange_with(order())
    assert show(exchange, later(), Phase.PRE_OPEN, Stage.ENTRY) == []
    assert len(fills(show(exchange, later(2, 3)))) == 1


def test_one_unit_that_trades_is_the_auctions_price() -> None:
    assert print_at(carried(limit_order("1499")), 14_900_000, volume=501) == [(1, "1490.0000")]


def test_a_second_print_fills_only_what_it_adds() -> None:
    exchange = carried(limit_order("1499", quantity=600))
    assert print_at(exchange, 14_900_000, volume=600) == [(100, "1490.0000")]
    again = later(10, 10, price=14_900_000, volume=650, **WIDE)
    assert fills(show(exchange, again, AUCTION, Stage.MATCHING)) == [(50, "1490.0000")]
