"""The paper exchange on random markets: the same fills however late orders arrive, and only fills there could be."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import OrderStatus, OrderType, OrderUpdate, PlannedOrder, Side, Validity
from models.messages.ticks import Level, Tick
from tests.factories import AT, order, tick
from trading.market.sessions import Phase
from trading.matching.book import PaperBook, expire, match, place
from trading.orders.state import fold, submitted

MIDDLE, STEP, PADDING = 10_000_000, 500, Level(0, 0, 0)
ENDS = {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED}
Reports = dict[str, list[OrderUpdate]]


@dataclass
class Market:
    """Ticks, and orders by the number of the tick they answer."""

    ticks: list[Tick]
    orders: list[tuple[int, PlannedOrder]]
    latency_ms: int


@st.composite
def levels(draw: st.DrawFn, side: Side, middle: int) -> tuple[Level, ...]:
    """Up to five levels away from the middle, padded to five as packets are."""
    found, price = [], middle
    for _ in range(draw(st.integers(0, 5))):
        price -= side.sign * STEP * draw(st.integers(1, 3))
        found.append(Level(price, draw(st.integers(0, 60)), 1))
    return (*found, *(PADDING,) * (5 - len(found)))


@st.composite
def markets(draw: st.DrawFn) -> Market:
    """A walk of the price with books around it, and up to four orders."""
    ticks, middle, at, volume = [], MIDDLE, AT, 100
    for number in range(1, draw(st.integers(2, 10)) + 1):
        middle += STEP * draw(st.integers(-4, 4))
        at += draw(st.sampled_from([0, 0, 1, 1, 2, 30, 86_400]))
        volume += draw(st.sampled_from([0, 5]))
        sell, buy = draw(levels(Side.SELL, middle)), draw(levels(Side.BUY, middle))
        ticks.append(tick(price=middle, sequence=number, at=at, volume=volume, buy=buy, sell=sell))
    count = draw(st.integers(1, 4))
    orders = [draw(planned(ticks, f"order-{number}")) for number in range(count)]
    return Market(ticks, sorted(orders, key=lambda one: one[0]), draw(st.sampled_from([0, 150, 1000, 2500])))


@st.composite
def planned(draw: st.DrawFn, ticks: list[Tick], name: str) -> tuple[int, PlannedOrder]:
    """An order that answers one of the ticks."""
    number = draw(st.integers(0, len(ticks) - 1))
    limit = draw(st.one_of(st.none(), st.integers(-8, 8)))
    made = order(
        order_id=name,
        side=draw(st.sampled_from(Side)),
        quantity=draw(st.integers(1, 200)),
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        limit_price=None if limit is None else Decimal(MIDDLE + limit * STEP) / 10_000,
        validity=draw(st.sampled_from(Validity)),
        validity_minutes=1,
        event_time=ticks[number].exchange_time,
        tick_sequence=ticks[number].sequence,
    )
    return number, made


def no_reports() -> Reports:
    return defaultdict(list)


def collect(found: Reports, updates: list[OrderUpdate]) -> None:
    for one in updates:
        found[one.order_id].append(one)


def in_time(market: Market) -> Reports:
    """Every order arrives before the tick that follows its own."""
    book, found = PaperBook(), no_reports()
    for number, each in enumerate(market.ticks):
        collect(found, expire(book, each.exchange_time, Phase.CONTINUOUS))
        collect(found, match(book, each, "run"))
        for answers, one in market.orders:
            if answers == number:
                collect(found, place(book, one, [], market.latency_ms))
    return found


def late(market: Market, arrivals: list[int], stored: set[int], again: set[int]) -> Reports:
    """Each order arrives so many ticks later; the book is stored in between, and ticks are delivered again."""
    book, found = PaperBook(), no_reports()
    for number, each in enumerate(market.ticks):
        collect(found, expire(book, each.exchange_time, Phase.CONTINUOUS))
        collect(found, match(book, each, "run"))
        if number in stored:
            book = msgspec.msgpack.decode(msgspec.msgpack.encode(book), type=PaperBook)
        for (answers, one), delay in zip(market.orders, arrivals, strict=True):
            if min(answers + delay, len(market.ticks) - 1) == number:
                passed = [tick for tick in market.ticks[: number + 1] if tick.exchange_time >= one.event_time]
                collect(found, place(book, one, passed, market.latency_ms))
                collect(found, place(book, one, passed, market.latency_ms))
        if number in again:
            for repeated in market.ticks[: number + 1]:
                collect(found, match(book, repeated, "run"))
    return found


numbers = st.sets(st.integers(0, 9))


@given(market=markets(), delays=st.lists(st.integers(0, 10), min_size=4, max_size=4), stored=numbers, again=numbers)
def test_fills_do_not_depend_on_arrival_storage_or_repeats(
    market: Market, delays: list[int], stored: set[int], again: set[int]
) -> None:
    expected = in_time(market)
    assert late(market, delays[: len(market.orders)], stored, again) == expected


@given(market=markets())
def test_only_what_was_ordered_at_prices_that_were_allowed(market: Market) -> None:
    found = in_time(market)
    for _, one in market.orders:
        reports = found[one.order_id]
        fills = [report for report in reports if report.fill_price is not None]
        filled = sum(report.fill_quantity for report in fills)
        assert filled <= one.quantity
        assert [report.cumulative_quantity for report in fills] == sorted(
            {report.cumulative_quantity for report in fills}
        )
        for report in fills:
            assert report.fill_price is not None
            assert report.fill_price > 0
            assert report.event_time >= one.event_time + -(-market.latency_ms // 1000)
            assert report.tick_sequence > one.tick_sequence
            if one.limit_price is not None:
                assert (report.fill_price - one.limit_price) * one.side.sign <= 0
        ends = [report.status for report in reports if report.status in ENDS]
        assert len(ends) <= 1
        assert not ends or reports[-1].status in ENDS
        assert (OrderStatus.FILLED in ends) is (filled == one.quantity)


@given(market=markets())
def test_no_order_gets_more_from_a_level_than_it_holds(market: Market) -> None:
    ticks = {one.sequence: one for one in market.ticks}
    found = in_time(market)
    for _, one in market.orders:
        for report in found[one.order_id]:
            if report.fill_price is None or one.limit_price is None:
                continue
            book = ticks[report.tick_sequence].sell if one.side is Side.BUY else ticks[report.tick_sequence].buy
            offered = sum(level.quantity for level in book if level.price == report.fill_price)
            went_through = (
                report.fill_price == one.limit_price
                and (ticks[report.tick_sequence].last_price - one.limit_price) * one.side.sign < 0
            )
            assert report.fill_quantity <= offered or went_through


@given(market=markets())
def test_the_order_book_understands_what_the_exchange_reports(market: Market) -> None:
    found = in_time(market)
    for _, one in market.orders:
        record, booked, failures = submitted(one), Decimal(0), 0
        for report in found[one.order_id]:
            folded = fold(record, report)
            assert folded.alarm is None
            assert not folded.is_repeat
            record = folded.record
            booked += sum((fill.quantity * fill.price for fill in folded.fills), Decimal(0))
            failures += folded.failed is not None
        fills = [report for report in found[one.order_id] if report.fill_price is not None]
        assert booked == sum((one.fill_quantity * (one.fill_price or 0) for one in fills), Decimal(0))
        assert record.acknowledged
        assert failures == (record.status.is_terminal and record.status is not OrderStatus.FILLED)
