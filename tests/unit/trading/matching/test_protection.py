"""Market orders become limit orders at their protection price, in Zerodha's steps or as they say themselves."""

from __future__ import annotations

from decimal import Decimal

import pytest

from models.messages.orders import Side
from models.messages.ticks import Level
from tests.factories import TOKEN, instrument, order
from tests.unit.trading.matching.paper import exchange_with, fills, later, show
from trading.matching.exchange import PaperExchange
from trading.matching.liquidity import protected
from trading.matching.rules import is_option, protection_percent


@pytest.mark.parametrize(
    ("symbol", "rupees", "percent"),
    [
        ("NSE:INFY", "99.99", "2"),
        ("NSE:INFY", "100", "1"),
        ("NSE:INFY", "500", "1"),
        ("NSE:INFY", "500.05", "0.5"),
        ("NFO:INFY26AUGFUT", "1500", "0.5"),
        ("NFO:NIFTY2682524000CE", "9.95", "5"),
        ("NFO:NIFTY2682524000CE", "10", "3"),
        ("NFO:NIFTY2682524000PE", "99.95", "3"),
        ("NFO:NIFTY2682524000PE", "100", "2"),
        ("NFO:NIFTY2682524000PE", "500", "2"),
        ("BFO:SENSEX2682780000PE", "500.05", "1"),
    ],
)
def test_automatic_protection_is_that_of_the_kind_and_the_price(symbol: str, rupees: str, percent: str) -> None:
    units = int(Decimal(rupees) * 10_000)
    assert protection_percent(order(instrument=symbol), units) == Decimal(percent)
    assert protection_percent(order(instrument=symbol, market_protection=Decimal(7)), units) == 7


@pytest.mark.parametrize(
    ("symbol", "yes"), [("NSE:RELIANCE", False), ("NFO:RELIANCE26AUGFUT", False), ("NFO:RELIANCE26AUG3000CE", True)]
)
def test_an_option_is_known_by_its_symbol(symbol: str, yes: bool) -> None:
    assert is_option(symbol) is yes


@pytest.mark.parametrize(
    ("side", "tick_size", "price"),
    [(Side.BUY, "0.05", 15_074_500), (Side.SELL, "0.05", 14_925_000), (Side.BUY, "0.1", 15_074_000)],
)
def test_the_protection_price_is_on_the_tick_and_not_beyond_the_percentage(
    side: Side, tick_size: str, price: int
) -> None:
    """Half a percent from 1499.99 is 1507.4899 and 1492.4900."""
    assert protected(order(side=side), 14_999_900, Decimal(tick_size)) == price


def test_a_penny_stock_is_protected_at_a_tick_at_least() -> None:
    assert protected(order(side=Side.BUY), 100, Decimal("0.05")) == 500


def test_a_market_order_rests_with_what_it_cannot_have_within_its_protection() -> None:
    """The last price is 1500: above 1507.50 nothing fills, neither from the levels nor beyond them."""
    one = order(quantity=150, market_protection=Decimal("0.5"))
    exchange = exchange_with(one)
    levels = (Level(15_075_000, 100, 1), Level(15_075_500, 100, 1))
    assert fills(show(exchange, later(sell=levels, volume=500))) == [(100, "1507.5000")]
    assert show(exchange, later(2, 3, sell=levels[1:], volume=500)) == []
    assert fills(show(exchange, later(3, 4, volume=500))) == [(50, "1500.0500")]


def test_a_market_order_that_rests_pays_no_more_slippage() -> None:
    exchange = exchange_with(order(quantity=300, market_protection=Decimal("0.05")))
    dear, cheap = (Level(15_007_500, 100, 1),), (Level(15_000_500, 100, 1),)
    found = show(exchange, later(sell=dear, volume=500))
    assert fills(found) == [(100, "1500.7500")], "slippage would go beyond the protection"
    assert fills(show(exchange, later(2, 3, sell=cheap, volume=500))) == [(100, "1500.0500")]


def test_the_protection_price_stays_that_of_the_first_tick() -> None:
    exchange = exchange_with(order(market_protection=Decimal(1)))
    nobody = {"sell": (), "buy": (Level(14_999_500, 10, 1),)}
    assert show(exchange, later(**nobody)) == []
    assert show(exchange, later(2, 3, price=15_200_000)) == []
    assert exchange.books[TOKEN].resting[order().order_id].limit_units == 15_150_000


def test_protection_is_measured_from_the_best_level_when_nothing_has_traded() -> None:
    exchange = exchange_with(order(quantity=20, market_protection=Decimal(1)))
    found = show(exchange, later(price=0, sell=(Level(10_000_000, 10, 1), Level(10_200_000, 10, 1)), buy=()))
    assert fills(found) == [(10, "1000.0000")]


def test_the_instrument_says_what_the_tick_is() -> None:
    exchange = PaperExchange(find=lambda token: instrument(instrument_token=token, tick_size=Decimal(5)))
    exchange.submit(order(quantity=20))
    nobody = {"sell": (), "buy": (Level(14_999_500, 10, 1),)}
    show(exchange, later(price=14_999_900, **nobody))
    assert exchange.books[TOKEN].resting[order().order_id].limit_units == 15_050_000
