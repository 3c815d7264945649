"""The paper exchange on markets as they come: padded books, stale trades, ends of days, redelivered ticks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from models.messages.orders import OrderStatus, OrderUpdate, PlannedOrder, Side, Validity
from models.messages.ticks import Level, Tick
from tests.factories import AT, TOKEN, levels, limit_order, order, tick
from trading.market.sessions import Phase
from trading.matching.book import PaperBook
from trading.matching.exchange import PaperExchange
from trading.matching.phases import Moment, Seen
from trading.matching.reports import broker_order_id
from trading.matching.rules import MatchingRules

S = OrderStatus
NOTHING = Level(0, 0, 0)  # how a packet fills up a book with fewer than five levels
DAY = 86_400


def fills(updates: list[OrderUpdate]) -> list[tuple[int, str]]:
    """(quantity, rupees) of each fill."""
    return [(one.fill_quantity, str(one.fill_price)) for one in updates if one.fill_price is not None]


def exchange_with(*orders: PlannedOrder, latency_ms: int = 150) -> PaperExchange:
    exchange = PaperExchange(MatchingRules(latency_ms=latency_ms))
    for one in orders:
        exchange.submit(one)
    return exchange


def match(exchange: PaperExchange, one: Tick, run_id: str = "run") -> list[OrderUpdate]:
    return exchange.on_tick(one, Moment(one.exchange_time), run_id)


def stored(exchange: PaperExchange) -> PaperBook:
    """The book as it comes back from the table."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(exchange.books[TOKEN]), type=PaperBook)


def seen(*ticks: Tick) -> list[Seen]:
    return [Seen(Moment(one.exchange_time), (one,)) for one in ticks]


def later(seconds: int = 1, sequence: int = 2, **values: Any) -> Tick:
    return tick(sequence=sequence, at=AT + seconds, **values)


def test_levels_that_are_only_padding_have_no_price() -> None:
    """Two real levels of 100 and three empty ones: the rest costs a little more than the last real one."""
    padded = (*levels(15_000_500, 500)[:2], NOTHING, NOTHING, NOTHING)
    found = match(exchange_with(order(quantity=250)), later(sell=padded))
    assert fills(found) == [(100, "1500.0500"), (100, "1500.1000"), (50, "1500.8600")]
    below = (*levels(14_999_500, -500)[:2], NOTHING, NOTHING, NOTHING)
    found = match(exchange_with(order(quantity=250, side=Side.SELL)), later(buy=below))
    assert fills(found) == [(100, "1499.9500"), (100, "1499.9000"), (50, "1499.1500")]


@pytest.mark.parametrize("side", Side)
def test_an_empty_side_has_nobody_to_trade_with(side: Side) -> None:
    """At a circuit limit there are only buyers, or only sellers."""
    empty: dict[str, Any] = {"sell" if side is Side.BUY else "buy": (NOTHING,) * 5}
    exchange = exchange_with(order(side=side))
    assert match(exchange, later(**empty)) == []
    assert len(fills(match(exchange, later(2, 3)))) == 1


def test_a_tick_without_any_book_fills_at_its_last_price() -> None:
    assert fills(match(exchange_with(order()), later(buy=(), sell=()))) == [(10, "1500.0000")]


def test_a_tick_without_any_price_fills_nothing() -> None:
    exchange = exchange_with(order(), limit_order("1400", order_id="limit"))
    assert match(exchange, later(price=0, buy=(), sell=())) == []
    assert len(exchange.books[TOKEN].resting) == 2


@pytest.mark.parametrize(
    ("side", "last_level", "price"),
    [
        (Side.BUY, 15_000_000, "1500.7500"),  # 0.05 % is 75 paise exactly
        (Side.BUY, 15_000_100, "1500.7700"),  # 0.750005 rupees more, up to the paisa
        (Side.SELL, 15_000_100, "1499.2500"),
        (Side.BUY, 100_000, "10.0100"),  # half a paisa is a paisa
        (Side.SELL, 100_000, "9.9900"),
        (Side.SELL, 100, "0.0100"),  # never below a paisa
    ],
)
def test_what_the_book_does_not_hold_costs_more_to_the_paisa(side: Side, last_level: int, price: str) -> None:
    book: dict[str, Any] = {"buy": (), "sell": ()} | {"sell" if side is Side.BUY else "buy": (Level(last_level, 5, 1),)}
    one = order(side=side, market_protection=Decimal(100))
    found = match(exchange_with(one), later(price=last_level, **book))
    assert fills(found)[-1] == (5, price)


@pytest.mark.parametrize(
    ("side", "price", "goes_through"),
    [
        (Side.BUY, 14_899_900, True),
        (Side.BUY, 14_900_000, False),
        (Side.SELL, 15_100_100, True),
        (Side.SELL, 15_100_000, False),
    ],
)
def test_a_trade_at_the_limit_is_not_yet_through_it(side: Side, price: int, goes_through: bool) -> None:
    limit = "1490" if side is Side.BUY else "1510"
    exchange = exchange_with(limit_order(limit, side=side))
    wide: dict[str, Any] = {"buy": levels(14_000_000, -500), "sell": levels(16_000_000, 500)}
    assert match(exchange, later(**wide)) == []
    found = match(exchange, later(2, 3, price=price, **wide))
    assert fills(found) == ([(10, f"{limit}.0000")] if goes_through else [])


def test_a_trade_of_before_does_not_fill_an_order_when_it_is_shown_again() -> None:
    """Each packet repeats the last trade; only a rise of the day's volume is a new one."""
    wide: dict[str, Any] = {"buy": levels(14_000_000, -500), "sell": levels(16_000_000, 500), "price": 14_800_000}
    exchange = exchange_with(limit_order("1490"))
    assert match(exchange, later(1, 2, volume=500, **wide)) == []
    assert match(exchange, later(2, 3, volume=500, **wide)) == []  # only the quotes have changed
    assert match(exchange, later(3, 4, volume=400, **wide)) == []  # a volume that goes back proves nothing
    assert fills(match(exchange, later(4, 5, volume=501, **wide))) == [(10, "1490.0000")]


def test_an_order_fills_against_the_opposite_side_when_it_reaches_the_limit() -> None:
    exchange = exchange_with(limit_order("1490", quantity=150))
    assert match(exchange, later()) == []
    found = match(exchange, later(2, 3, sell=levels(14_900_000, 500)))
    assert fills(found) == [(100, "1490.0000")]
    assert found[0].status is S.PARTIALLY_FILLED


@pytest.mark.parametrize(("latency_ms", "seconds"), [(0, 0), (1, 1), (150, 1), (1000, 1), (1001, 2)])
def test_latency_is_rounded_up_to_the_packets_seconds(latency_ms: int, seconds: int) -> None:
    exchange = exchange_with(order(), latency_ms=latency_ms)
    if seconds:
        assert match(exchange, later(seconds - 1, 2)) == []
    assert len(fills(match(exchange, later(seconds, 3)))) == 1


def test_ticks_that_an_order_has_met_on_arrival_are_not_met_again() -> None:
    """After a crash ticks come again; the order was placed, and matched with them, before it."""
    passed = [later(1, 2, volume=500), later(2, 3, volume=500)]
    exchange = PaperExchange()
    placed = exchange.submit(limit_order("1500.05", quantity=500), passed=seen(*passed))
    assert fills(placed) == [(100, "1500.0500"), (100, "1500.0500")]
    assert [match(exchange, one) for one in passed] == [[], []]
    assert fills(match(exchange, later(3, 4, volume=500))) == [(100, "1500.0500")]


def test_an_order_on_arrival_takes_nothing_from_the_others() -> None:
    """One that waits has not met the tick yet that one which arrives has already passed."""
    exchange = exchange_with(limit_order("1500.05", order_id="waits"))
    exchange.submit(limit_order("1500.05", order_id="arrives"), passed=seen(later(1, 2)))
    found = match(exchange, later(1, 2))
    assert [one.order_id for one in found] == ["waits"]


def test_a_new_run_of_the_feed_counts_its_ticks_anew() -> None:
    exchange = exchange_with(limit_order("1500.05", quantity=500))
    match(exchange, later(1, 50))
    assert len(fills(match(exchange, later(2, 1), "next run"))) == 1
    assert match(exchange, later(2, 1), "next run") == []


@pytest.mark.parametrize("validity", [Validity.DAY, Validity.TTL])
def test_an_order_does_not_live_into_the_next_day(validity: Validity) -> None:
    """The feed stopped before the close, and goes on in the middle of another session."""
    one = limit_order("1500.05", validity=validity, validity_minutes=10**6)
    exchange = exchange_with(one)
    found = match(exchange, later(DAY), "next run")
    assert [(each.status, each.cumulative_quantity) for each in found] == [(S.EXPIRED, 0)]
    exchange = exchange_with(one)
    assert [each.status for each in exchange.on_clock(TOKEN, Moment(AT + DAY))] == [S.EXPIRED]


@pytest.mark.parametrize(
    ("phase", "ended"),
    [(Phase.PRE_OPEN, 0), (Phase.CONTINUOUS, 0), (Phase.CLOSING_AUCTION, 0), (Phase.POST_CLOSE, 1), (Phase.CLOSED, 1)],
)
def test_the_close_ends_what_rests(phase: Phase, ended: int) -> None:
    exchange = exchange_with(order(), limit_order("1400", order_id="limit"))
    assert len(exchange.on_clock(TOKEN, Moment(AT + 5, phase))) == 2 * ended
    assert len(exchange.books[TOKEN].resting) == 2 - 2 * ended


def test_an_expiry_reports_what_had_filled() -> None:
    exchange = exchange_with(limit_order("1500.05", quantity=150))
    match(exchange, later())
    (report,) = exchange.on_clock(TOKEN, Moment(AT + 9, Phase.CLOSED))
    assert (report.status, report.cumulative_quantity, report.average_price) == (S.EXPIRED, 100, Decimal("1500.05"))
    assert report.reason


def test_an_immediate_order_without_a_counterpart_is_cancelled_at_its_first_tick() -> None:
    exchange = exchange_with(limit_order("1400", validity=Validity.IOC))
    assert [one.status for one in match(exchange, later())] == [S.CANCELLED]
    assert exchange.books[TOKEN].resting == {}


def test_several_orders_meet_a_tick_in_the_order_of_their_arrival() -> None:
    names = ["c", "a", "b"]
    exchange = exchange_with(*(order(order_id=name) for name in names))
    exchange.books[TOKEN] = stored(exchange)
    assert [one.order_id for one in match(exchange, later())] == names


def test_reports_say_what_happened() -> None:
    one = order(quantity=150)
    exchange = PaperExchange()
    (working,) = exchange.submit(one)
    first, last = match(exchange, later())
    assert (working.status, working.cumulative_quantity, working.event_time) == (S.WORKING, 0, one.event_time)
    assert (first.status, last.status) == (S.PARTIALLY_FILLED, S.FILLED)
    assert (first.cumulative_quantity, last.cumulative_quantity) == (100, 150)
    assert last.average_price == ((100 * Decimal("1500.05") + 50 * Decimal("1500.10")) / 150).quantize(
        Decimal("0.000001")
    )
    assert {report.broker_order_id for report in (working, first, last)} == {broker_order_id(one.order_id)}
    assert (last.event_time, last.tick_sequence, last.reporter) == (AT + 1, 2, "paper")


def test_an_order_that_has_ended_is_still_known() -> None:
    one = order()
    exchange = exchange_with(one)
    match(exchange, later())
    assert exchange.submit(one, passed=seen(later(2, 3))) == []
    exchange.books[TOKEN].forget_before(AT)
    assert exchange.submit(one) == []
    exchange.books[TOKEN].forget_before(AT + 1)
    assert len(exchange.submit(one)) == 1


def test_what_rests_is_not_forgotten() -> None:
    one = limit_order("1400")
    exchange = exchange_with(one)
    exchange.books[TOKEN].forget_before(AT + DAY)
    assert exchange.submit(one) == []
    assert set(exchange.books[TOKEN].resting) == {one.order_id}


def test_a_book_can_be_stored_whatever_rests_in_it() -> None:
    exchange = exchange_with(order(quantity=2**53))
    match(exchange, later(price=2**46, sell=(Level(2**46, 2**52, 1),)))
    assert stored(exchange) == exchange.books[TOKEN]
    exchange = exchange_with(limit_order("1000000000", quantity=2**53))
    match(exchange, later(sell=(Level(10**13, 2**52, 1),)))
    assert stored(exchange) == exchange.books[TOKEN]
    assert stored(exchange).resting[order().order_id].remaining == 2**52


def test_nothing_resting_costs_nothing_and_changes_nothing() -> None:
    exchange = PaperExchange()
    assert match(exchange, later()) == []
    assert exchange.books == {}
