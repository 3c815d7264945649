"""Stop orders wait for a trade at their trigger, then are market or limit orders."""

from __future__ import annotations

import pytest

from models.messages.orders import Side
from models.messages.ticks import Level
from tests.unit.trading.matching.paper import exchange_with, fills, later, show, stop


@pytest.mark.parametrize(
    ("side", "last", "triggers"),
    [
        (Side.BUY, 15_009_900, False),
        (Side.BUY, 15_010_000, True),
        (Side.SELL, 14_990_100, False),
        (Side.SELL, 14_990_000, True),
    ],
)
def test_a_trade_at_the_trigger_releases_the_order(side: Side, last: int, triggers: bool) -> None:
    exchange = exchange_with(stop(side, "1501" if side is Side.BUY else "1499"))
    assert bool(fills(show(exchange, later(price=last)))) is triggers


@pytest.mark.parametrize(("side", "extreme"), [(Side.BUY, "high_units"), (Side.SELL, "low_units")])
def test_a_new_extreme_of_the_day_shows_a_trade_between_two_packets(side: Side, extreme: str) -> None:
    trigger, beyond = ("1501", 15_010_000) if side is Side.BUY else ("1499", 14_990_000)
    exchange = exchange_with(stop(side, trigger))
    assert show(exchange, later(**{extreme: beyond})) == [], "that trade was before the order"
    assert show(exchange, later(2, 3, **{extreme: beyond})) == [], "and is only shown again"
    further = beyond + side.sign * 500
    assert len(fills(show(exchange, later(3, 4, **{extreme: further})))) == 1


def test_a_stop_at_the_market_fills_from_the_book_of_the_tick_that_triggers_it() -> None:
    exchange = exchange_with(stop(Side.SELL, "1499"))
    assert fills(show(exchange, later(price=14_980_000))) == [(10, "1497.9500")]


def test_a_stop_at_the_market_is_protected_from_its_trigger_on() -> None:
    """0.5 % of 1499 is 7.495 rupees: not below 1491.51 when the market gapped to 1480."""
    exchange = exchange_with(stop(Side.SELL, "1499"))
    assert show(exchange, later(price=14_800_000)) == []
    assert fills(show(exchange, later(2, 3, price=14_930_000))) == [(10, "1492.9500")]


def test_a_stop_with_a_limit_rests_at_its_limit() -> None:
    exchange = exchange_with(stop(Side.SELL, "1499", "1498"))
    assert show(exchange, later(price=14_970_000)) == []
    assert fills(show(exchange, later(2, 3, price=14_985_000))) == [(10, "1498.4500")]


def test_the_trade_that_triggers_a_stop_does_not_go_through_its_limit() -> None:
    """The tick's volume has risen and its price is beyond the limit, but the order was no limit order yet."""
    exchange = exchange_with(stop(Side.BUY, "1499", "1501"))
    far = {"buy": (Level(14_000_000, 10, 1),), "sell": (Level(16_000_000, 10, 1),)}
    assert show(exchange, later(price=14_980_000, volume=5, **far)) == []
    assert show(exchange, later(2, 3, price=15_000_000, volume=6, **far)) == [], (
        "triggered, and nobody sells below 1501"
    )
    assert fills(show(exchange, later(3, 4, price=15_005_000, volume=7, **far))) == [(10, "1501.0000")]


def test_a_stop_that_has_been_triggered_stays_so_over_a_restart() -> None:
    import msgspec

    from tests.factories import TOKEN
    from trading.matching.book import PaperBook

    exchange = exchange_with(stop(Side.SELL, "1499", "1498"))
    exchange.changed.clear()
    show(exchange, later(price=14_970_000))
    assert exchange.changed == {TOKEN}
    exchange.books[TOKEN] = msgspec.msgpack.decode(msgspec.msgpack.encode(exchange.books[TOKEN]), type=PaperBook)
    assert len(fills(show(exchange, later(2, 3)))) == 1, "although the price is above the trigger again"


def test_a_packet_without_a_price_triggers_nothing() -> None:
    exchange = exchange_with(stop(Side.SELL, "1499"))
    assert show(exchange, later(price=0, buy=(Level(14_980_000, 100, 1),), sell=())) == []


@pytest.mark.parametrize(("high", "triggers"), [(15_009_900, False), (15_010_000, True)])
def test_a_new_high_at_the_trigger_itself_is_enough(high: int, triggers: bool) -> None:
    exchange = exchange_with(stop(Side.BUY, "1501"))
    assert show(exchange, later(high_units=15_000_000)) == []
    assert bool(fills(show(exchange, later(2, 3, high_units=high)))) is triggers
