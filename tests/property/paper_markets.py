"""Random markets for the paper exchange: frames of ticks with books around a walking price, through a day's phases."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import strategies as st

from models.messages.orders import OrderType, PlannedOrder, Side, Validity
from models.messages.ticks import Level, Tick
from tests.factories import AT, order, tick
from trading.market.sessions import Phase, Stage
from trading.matching.phases import Moment, Seen
from trading.matching.rules import MatchingRules

MIDDLE, STEP, DAY, PADDING = 10_000_000, 500, 86_400, Level(0, 0, 0)
AFTER_CONTINUOUS = (
    (Phase.CLOSING_AUCTION, Stage.REFERENCE),
    (Phase.CLOSING_AUCTION, Stage.ENTRY),
    (Phase.CLOSING_AUCTION, Stage.LIMIT_ENTRY),
    (Phase.CLOSING_AUCTION, Stage.MATCHING),
    (Phase.CLOSED, Stage.CLOSED),
)


@dataclass
class Market:
    """Frames, orders by the number of the frame they answer, and how the exchange behaves."""

    frames: list[Seen]
    orders: list[tuple[int, PlannedOrder]]
    rules: MatchingRules

    @property
    def ticks(self) -> dict[int, Tick]:
        """Ticks by sequence."""
        return {tick.sequence: tick for frame in self.frames for tick in frame.ticks}


@st.composite
def levels(draw: st.DrawFn, side: Side, middle: int) -> tuple[Level, ...]:
    """Up to five levels away from the middle, padded to five as packets are."""
    found, price = [], middle
    for _ in range(draw(st.integers(0, 5))):
        price -= side.sign * STEP * draw(st.integers(1, 3))
        found.append(Level(price, draw(st.integers(0, 60)), 1))
    return (*found, *(PADDING,) * (5 - len(found)))


@st.composite
def schedules(draw: st.DrawFn) -> list[tuple[int, Phase, Stage]]:
    """(seconds after the day's first, phase, stage): continuous, then the closing auction's stages, then the close."""
    at, found = 0, [(0, Phase.CONTINUOUS, Stage.CONTINUOUS)]
    for phase, stage in AFTER_CONTINUOUS:
        at += draw(st.sampled_from([0, 1, 3, 10_000]))
        found.append((at, phase, stage))
    return found


def moment_at(schedule: list[tuple[int, Phase, Stage]], clock: int) -> Moment:
    second = (clock - AT) % DAY
    _, phase, stage = [row for row in schedule if row[0] <= second][-1]
    return Moment(clock, phase, stage)


@st.composite
def frames(draw: st.DrawFn) -> list[Seen]:
    """A walk of the price; a frame without a tick only moves the clock. The last price changes with a trade only."""
    schedule, found, middle, last, clock, volume = draw(schedules()), [], MIDDLE, MIDDLE, AT, 100
    high = low = MIDDLE
    for number in range(1, draw(st.integers(2, 14)) + 1):
        middle += STEP * draw(st.integers(-4, 4))
        clock += draw(st.sampled_from([0, 0, 1, 1, 2, 30, DAY]))
        if draw(st.booleans()):
            volume, last = volume + 5, middle
            high, low = (
                max(high, last + STEP * draw(st.integers(0, 2))),
                min(low, last - STEP * draw(st.integers(0, 2))),
            )
        sell, buy = draw(levels(Side.SELL, middle)), draw(levels(Side.BUY, middle))
        stale = draw(st.sampled_from([0, 0, 0, 1]))
        packet = tick(
            price=last,
            sequence=number,
            at=clock - stale,
            volume=volume,
            high_units=high,
            low_units=low,
            buy=buy,
            sell=sell,
        )
        shown = (packet,) if number == 1 or draw(st.integers(0, 5)) else ()
        if found and found[-1].moment.clock == clock and draw(st.booleans()):
            found[-1] = Seen(found[-1].moment, (*found[-1].ticks, *shown))
        else:
            found.append(Seen(moment_at(schedule, clock), shown))
    return found


@st.composite
def planned(draw: st.DrawFn, market: list[Seen], name: str) -> tuple[int, PlannedOrder]:
    """An order that answers one of the ticks."""
    number = draw(st.sampled_from([at for at, frame in enumerate(market) if frame.ticks]))
    answered = draw(st.sampled_from(market[number].ticks))
    kind, side = draw(st.sampled_from(OrderType)), draw(st.sampled_from(Side))
    trigger = limit = None
    if kind in (OrderType.SL, OrderType.SL_M):
        trigger = MIDDLE + draw(st.integers(-8, 8)) * STEP
    if kind in (OrderType.LIMIT, OrderType.SL):
        limit = MIDDLE + draw(st.integers(-8, 8)) * STEP if trigger is None else trigger + side.sign * 2 * STEP
    made = order(
        order_id=name,
        side=side,
        quantity=draw(st.integers(1, 200)),
        order_type=kind,
        limit_price=None if limit is None else Decimal(limit) / 10_000,
        trigger_price=None if trigger is None else Decimal(trigger) / 10_000,
        market_protection=draw(st.sampled_from([Decimal(-1), Decimal("0.05"), Decimal(100)])),
        validity=draw(st.sampled_from(Validity)),
        validity_minutes=1,
        event_time=answered.exchange_time,
        tick_sequence=answered.sequence,
    )
    return number, made


rules = st.builds(
    MatchingRules,
    latency_ms=st.sampled_from([0, 150, 1000, 2500]),
    latency_jitter_ms=st.sampled_from([0, 0, 3000]),
    slippage_percent=st.sampled_from([Decimal("0.05"), Decimal(0), None]),
    level_share_percent=st.sampled_from([100, 100, 30]),
    partial_percent=st.sampled_from([0, 0, 50, 100]),
    seed=st.integers(0, 3),
)


@st.composite
def markets(draw: st.DrawFn) -> Market:
    """Frames, and up to four orders."""
    shown = draw(frames())
    count = draw(st.integers(1, 4))
    orders = [draw(planned(shown, f"order-{number}")) for number in range(count)]
    return Market(shown, sorted(orders, key=lambda one: one[0]), draw(rules))
