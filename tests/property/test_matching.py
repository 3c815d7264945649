"""The paper exchange on random markets: the same fills however late orders arrive, and only fills there could be."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import OrderStatus, OrderType, OrderUpdate, PlannedOrder, Side
from models.messages.ticks import Tick, to_rupees, to_units
from tests.factories import AT, TOKEN, order
from tests.factories import tick as made_tick
from tests.property.paper_markets import MIDDLE, STEP, Market, markets
from trading.market.sessions import Phase, Stage
from trading.matching.book import PaperBook
from trading.matching.exchange import PaperExchange
from trading.matching.phases import Moment, Seen
from trading.matching.rules import MatchingRules
from trading.orders.state import fold, submitted

ENDS = {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED}
Reports = dict[str, list[OrderUpdate]]


def no_reports() -> Reports:
    return defaultdict(list)


def collect(found: Reports, updates: list[OrderUpdate]) -> bool:
    for one in updates:
        found[one.order_id].append(one)
    return bool(updates)


def show(exchange: PaperExchange, frame: Seen) -> list[OrderUpdate]:
    """What the exchange reports of a frame, in the order the pipeline works in: the clock, then the ticks."""
    updates = exchange.on_clock(TOKEN, frame.moment)
    return updates + [one for tick in frame.ticks for one in exchange.on_tick(tick, frame.moment, "run")]


def in_time(market: Market) -> Reports:
    """Every order arrives before the tick that follows its own."""
    exchange, found = PaperExchange(market.rules), no_reports()
    for frame in market.frames:
        collect(found, exchange.on_clock(TOKEN, frame.moment))
        for tick in frame.ticks:
            collect(found, exchange.on_tick(tick, frame.moment, "run"))
            for _, one in market.orders:
                if one.tick_sequence == tick.sequence:
                    collect(found, exchange.submit(one))
    return found


def late(market: Market, arrivals: list[int], restarts: set[int], again: set[int]) -> Reports:
    """Each order arrives so many frames later; restarts go back to the book as stored, frames are delivered again."""
    exchange, found = PaperExchange(market.rules), no_reports()
    stored = msgspec.msgpack.encode(PaperBook())
    for number, frame in enumerate(market.frames):
        must_store = collect(found, show(exchange, frame))
        for (answers, one), delay in zip(market.orders, arrivals, strict=True):
            if min(answers + delay, len(market.frames) - 1) == number:
                passed = [seen for seen in market.frames[: number + 1] if seen.moment.clock >= one.event_time]
                must_store = collect(found, exchange.submit(one, passed=passed)) or must_store
                collect(found, exchange.submit(one, passed=passed))
        if must_store or exchange.changed:
            exchange.changed.clear()
            stored = msgspec.msgpack.encode(exchange.books.get(TOKEN, PaperBook()))
        if number in restarts:
            exchange.books[TOKEN] = msgspec.msgpack.decode(stored, type=PaperBook)
        elif number in again:
            for repeated in market.frames[: number + 1]:
                collect(found, [one for tick in repeated.ticks for one in exchange.on_tick(tick, frame.moment, "run")])
    return found


numbers = st.sets(st.integers(0, 11))


@given(market=markets(), delays=st.lists(st.integers(0, 12), min_size=4, max_size=4), restarts=numbers, again=numbers)
def test_reports_do_not_depend_on_arrival_restarts_or_repeats(
    market: Market, delays: list[int], restarts: set[int], again: set[int]
) -> None:
    expected = in_time(market)
    assert late(market, delays[: len(market.orders)], restarts, again) == expected


@given(market=markets())
def test_the_same_orders_and_ticks_give_the_same_reports(market: Market) -> None:
    assert in_time(market) == in_time(market)


@given(market=markets())
def test_orders_do_not_disturb_each_other(market: Market) -> None:
    together = in_time(market)
    for one in market.orders:
        alone = in_time(Market(market.frames, [one], market.rules))
        assert alone[one[1].order_id] == together[one[1].order_id]


@given(market=markets())
def test_no_more_is_filled_than_was_ordered_and_there_is_one_end(market: Market) -> None:
    found = in_time(market)
    for _, one in market.orders:
        reports = found[one.order_id]
        filled, turnover = 0, Decimal(0)
        for report in reports:
            filled += report.fill_quantity
            turnover += report.fill_quantity * (report.fill_price or 0)
            assert (report.fill_quantity > 0) is (report.fill_price is not None)
            assert report.cumulative_quantity == filled <= one.quantity
            if filled:
                assert report.average_price == (turnover / filled).quantize(Decimal("0.000001"))
        ends = [report.status for report in reports if report.status in ENDS]
        assert len(ends) <= 1
        assert not ends or reports[-1].status in ENDS
        assert (OrderStatus.FILLED in ends) is (filled == one.quantity)


@given(market=markets())
def test_nothing_fills_before_it_could_or_outside_the_market(market: Market) -> None:
    moments = {tick.sequence: frame.moment for frame in market.frames for tick in frame.ticks}
    found = in_time(market)
    for _, one in market.orders:
        for report in found[one.order_id]:
            if report.fill_price is None:
                continue
            assert report.event_time >= one.event_time + -(-market.rules.latency_ms // 1000)
            assert report.tick_sequence > one.tick_sequence
            assert moments[report.tick_sequence].phase in (Phase.CONTINUOUS, Phase.CLOSING_AUCTION)


@given(market=markets())
def test_no_fill_is_worse_than_the_limit_or_the_protection(market: Market) -> None:
    found = in_time(market)
    for _, one in market.orders:
        prices = [report.fill_price for report in found[one.order_id] if report.fill_price is not None]
        bounds = [one.limit_price] if one.limit_price is not None else []
        if one.limit_price is None and one.market_protection == Decimal("0.05"):
            base = one.trigger_price or max(tick.last_price * one.side.sign for tick in market.ticks.values())
            bounds = [abs(base) * (1 + one.side.sign * one.market_protection / 100)]
        for price in prices:
            assert price > 0
            assert all((price - bound) * one.side.sign <= 0 for bound in bounds)


@given(market=markets())
def test_there_is_no_fill_without_somebody_to_trade_with(market: Market) -> None:
    """A level gives no more than it holds; the rest is a trade through the limit, slippage, or the auction's price."""
    ticks, found = market.ticks, in_time(market)
    for _, one in market.orders:
        for report in found[one.order_id]:
            if report.fill_price is not None:
                assert report.fill_quantity <= _offered(market, one, ticks, report) or _is_explained(
                    market, one, ticks, report
                )


@given(side=st.sampled_from(Side), moves=st.lists(st.integers(-2, 2), min_size=1, max_size=8))
def test_a_resting_limit_is_filled_by_the_first_trade_beyond_it(side: Side, moves: list[int]) -> None:
    """Not by one at it. Without a book, and with the first tick after the order's own the exchange begins to watch."""
    one = order(side=side, order_type=OrderType.LIMIT, limit_price=Decimal(MIDDLE) / 10_000)
    steps = [3 * side.sign, 3 * side.sign, *moves]
    values = {"buy": (), "sell": ()}
    ticks = [
        made_tick(price=MIDDLE + step * STEP, sequence=at, volume=at, at=AT + at, **values)
        for at, step in enumerate(steps, 1)
    ]
    one = msgspec.structs.replace(one, event_time=AT + 1, tick_sequence=1)
    frames = [Seen(Moment(shown.exchange_time, Phase.CONTINUOUS, Stage.CONTINUOUS), (shown,)) for shown in ticks]
    beyond = [at for at, step in enumerate(moves, 3) if step * side.sign < 0]
    found = in_time(Market(frames, [(0, one)], MatchingRules(slippage_percent=None)))[one.order_id]
    filled = [(report.tick_sequence, report.fill_price, report.fill_quantity) for report in found if report.fill_price]
    assert filled == [(at, one.limit_price, one.quantity) for at in beyond[:1]]


def _side(one: PlannedOrder, tick: Tick) -> list[tuple[Decimal, int]]:
    return [(level.price, level.quantity) for level in (tick.sell if one.side is Side.BUY else tick.buy)]


def _offered(market: Market, one: PlannedOrder, ticks: dict[int, Tick], report: OrderUpdate) -> int:
    offered = sum(quantity for price, quantity in _side(one, ticks[report.tick_sequence]) if price == report.fill_price)
    return offered * market.rules.level_share_percent // 100


def _is_explained(market: Market, one: PlannedOrder, ticks: dict[int, Tick], report: OrderUpdate) -> bool:
    packet, price = ticks[report.tick_sequence], report.fill_price
    assert price is not None
    earlier = [tick.volume for tick in ticks.values() if tick.sequence < packet.sequence]
    traded = packet.volume > min(earlier, default=0)
    phase = next(frame.moment.phase for frame in market.frames if packet in frame.ticks)
    if phase is Phase.CLOSING_AUCTION:
        return traded and price == packet.last_price
    through = traded and (packet.last_price - price) * one.side.sign < 0
    slipped = market.rules.slippage_percent
    is_market = one.order_type in (OrderType.MARKET, OrderType.SL_M)
    if slipped is None or not is_market:
        return through
    last = [level for level, _ in _side(one, packet) if level]
    worst = last[-1] * (1 + one.side.sign * slipped / 100) if last else packet.last_price
    return through or (price - worst) * one.side.sign >= 0


@given(market=markets())
def test_a_stop_fills_only_when_its_trigger_was_reached(market: Market) -> None:
    found = in_time(market)
    for _, one in market.orders:
        if one.trigger_price is None:
            continue
        trigger = to_units(one.trigger_price)
        for report in found[one.order_id]:
            if report.fill_price is None:
                continue
            met = [tick for tick in market.ticks.values() if one.tick_sequence < tick.sequence <= report.tick_sequence]
            prices = [price for tick in met for price in (tick.last_price_units, tick.high_units, tick.low_units)]
            assert any((price - trigger) * one.side.sign >= 0 for price in prices), to_rupees(trigger)


@given(market=markets())
def test_the_state_machine_understands_what_the_exchange_reports(market: Market) -> None:
    found = in_time(market)
    for _, one in market.orders:
        record, booked, failures = submitted(one), Decimal(0), 0
        for report in found[one.order_id]:
            folded = fold(record, report)
            assert folded.alarms == ()
            assert not folded.is_repeat
            record = folded.record
            booked += sum((fill.quantity * fill.price for fill in folded.fills), Decimal(0))
            failures += folded.failed is not None
        fills = [report for report in found[one.order_id] if report.fill_price is not None]
        assert booked == sum((one.fill_quantity * (one.fill_price or 0) for one in fills), Decimal(0))
        assert record.acknowledged
        assert failures == (record.status.is_terminal and record.status is not OrderStatus.FILLED)
