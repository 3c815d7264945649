"""What holds for every decision on every valid signal, and for every story that follows from them."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from models.messages.control import TradingState
from models.messages.orders import OrderFailed, OrderStatus, OrderType, PlannedOrder, Product, Side, Validity
from models.messages.signals import AcceptedSignal, DeniedSignal, Intent, Signal
from models.messages.validation import LATEST_SECOND, MAX_MONEY, MAX_QUANTITY
from tests.factories import AT, exposure, filled, instrument, limits, market, origin, signal
from trading.accounting.account import equity, position_quantity
from trading.market.instruments import Instrument
from trading.market.sessions import Phase
from trading.orders.rounding import MOST_SLICES
from trading.risk.chain import decide
from trading.risk.codes import ReasonCode
from trading.risk.exposure import Exposure, apply_failed, apply_fill, reserve, roll_day

KEY = "NSE:INFY"
amounts = st.decimals(-MAX_MONEY, MAX_MONEY, places=4)
prices = st.integers(1, 40_000).map(lambda steps: Decimal(steps * 5) / 100)
seconds = st.one_of(st.integers(0, LATEST_SECOND), st.integers(AT - 40, AT + 40))
quantities = st.one_of(st.integers(1, 100), st.integers(1, MAX_QUANTITY))


@st.composite
def any_signal(draw: st.DrawFn) -> Signal:
    """Any signal that is valid on the wire."""
    intent = draw(st.sampled_from(Intent))
    limit = draw(st.one_of(st.none(), prices, amounts))
    validity = draw(st.sampled_from(Validity))
    clock = draw(seconds)
    values: dict[str, Any] = {
        "signal_id": draw(st.text(min_size=1, max_size=5)),
        "intent": intent,
        "side": draw(st.sampled_from(Side)) if intent is Intent.OPEN else None,
        "quantity": draw(quantities) if intent is Intent.OPEN else None,
        "target_quantity": draw(st.integers(-MAX_QUANTITY, MAX_QUANTITY)) if intent is Intent.TARGET else None,
        "order_type": OrderType.MARKET if limit is None else OrderType.LIMIT,
        "limit_price": limit,
        "product": draw(st.sampled_from(Product)),
        "validity": validity,
        "validity_minutes": draw(st.integers(1, 10)) if validity is Validity.TTL else 0,
        "origin": origin(event_time=draw(seconds), clock=clock, price=draw(st.one_of(prices, amounts))),
    }
    made = signal(**values)
    assert msgspec.json.decode(msgspec.json.encode(made), type=Signal) == made
    return made


@st.composite
def any_instrument(draw: st.DrawFn) -> Instrument | None:
    """Any instrument a dump can hold, an index, or none."""
    if draw(st.integers(0, 9)) == 0:
        return None
    return instrument(
        tick_size=draw(st.sampled_from([Decimal(size) for size in ("0.0001", "0.01", "0.05", "0.1", "5", "0")])),
        lot_size=draw(st.sampled_from([0, 1, 25, 65, 10**15])),
        freeze_quantity=draw(st.one_of(st.none(), st.integers(1, 2000))),
    )


@st.composite
def any_exposure(draw: st.DrawFn) -> Exposure:
    """What is left by a few accepted signals, partly filled."""
    found = exposure()
    for number in range(draw(st.integers(0, 4))):
        wish = signal(
            signal_id=f"before-{number}",
            strategy=draw(st.sampled_from(["momentum", "rsi"])),
            side=draw(st.sampled_from(Side)),
            quantity=draw(st.integers(1, 200)),
            product=draw(st.sampled_from(Product)),
            origin=origin(event_time=AT + 10 * number, clock=AT + 10 * number),
        )
        result = decide(wish, found, limits(), market(clock=AT + 10 * number), instrument())
        if isinstance(result, AcceptedSignal):
            reserve(found, result)
            for order in result.orders:
                quantity = draw(st.integers(0, order.quantity))
                if quantity:
                    apply_fill(found, filled(order, quantity, str(draw(prices)), quantity), instrument())
    return found


pictures = st.builds(
    market,
    clock=seconds,
    phase=st.one_of(st.just(Phase.CONTINUOUS), st.sampled_from(Phase)),
    trading_state=st.one_of(st.just(TradingState.ACTIVE), st.sampled_from(TradingState)),
    marks=st.dictionaries(st.just(KEY), prices),
)


@given(wish=any_signal(), before=any_exposure(), picture=pictures, of=any_instrument())
def test_a_decision_is_a_value_and_changes_nothing(
    wish: Signal, before: Exposure, picture: Any, of: Instrument | None
) -> None:
    untouched = deepcopy(before)
    result = decide(wish, before, limits(), picture, of)
    assert before == untouched
    assert result == decide(wish, deepcopy(before), limits(), picture, of)
    if isinstance(result, DeniedSignal):
        assert result.code in set(ReasonCode)
        assert result.message
    encoded = msgspec.json.encode(result)
    assert msgspec.json.decode(encoded, type=type(result)) == result  # what is sent can be read


@given(wish=any_signal(), before=any_exposure(), picture=pictures, of=any_instrument())
def test_what_is_accepted_can_be_sent_as_it_is(
    wish: Signal, before: Exposure, picture: Any, of: Instrument | None
) -> None:
    wide = limits(max_order_quantity=MAX_QUANTITY, max_order_notional=MAX_MONEY, max_gross_exposure=MAX_MONEY)
    result = decide(wish, before, wide, picture, of)
    if not isinstance(result, AcceptedSignal):
        return
    assert of is not None
    assert picture.phase is Phase.CONTINUOUS
    assert 0 < len(result.orders) <= MOST_SLICES
    assert len({order.order_id for order in result.orders} | {order.tag for order in result.orders}) == 2 * len(
        result.orders
    )
    for order in result.orders:
        assert order.quantity % of.lot_size == 0
        assert of.freeze_quantity is None or order.quantity <= of.freeze_quantity
        assert order.limit_price is None or order.limit_price % of.tick_size == 0
        assert order.reduces or picture.trading_state is TradingState.ACTIVE
    after = before.certain(wish.strategy, KEY, wish.product) + sum(
        order.side.sign * order.quantity for order in result.orders
    )
    if wish.intent is Intent.CLOSE:
        held = before.certain(wish.strategy, KEY, wish.product)
        assert all(order.reduces for order in result.orders)
        assert abs(after) < abs(held)
        assert after * held >= 0


class Story:
    """One strategy at one broker: signals decided, orders filled or ended in any order."""

    def __init__(self) -> None:
        self.exposure = exposure()
        self.open: dict[str, tuple[PlannedOrder, int]] = {}
        self.clock = AT
        self.signals = 0

    def wish(self, values: dict[str, Any]) -> None:
        self.clock += 1
        self.signals += 1
        at = origin(event_time=self.clock, clock=self.clock)
        made = signal(signal_id=str(self.signals), origin=at, **values)
        result = decide(made, self.exposure, limits(), market(clock=self.clock), instrument(freeze_quantity=300))
        if isinstance(result, AcceptedSignal):
            reserve(self.exposure, result)
            self.open |= {order.order_id: (order, 0) for order in result.orders}

    def fill(self, number: int, quantity: int) -> None:
        if not self.open:
            return
        order, done = self.open[sorted(self.open)[number % len(self.open)]]
        quantity = min(quantity, order.quantity - done)
        report = filled(order, quantity, "1500", done + quantity)
        apply_fill(self.exposure, report, instrument())
        if report.complete:
            del self.open[order.order_id]
            return
        apply_fill(self.exposure, report, instrument())  # a repeat
        self.open[order.order_id] = order, done + quantity

    def fail(self, number: int) -> None:
        """A limit order ends. Market orders fill: the paper exchange always fills them."""
        limited = sorted(name for name, (order, _) in self.open.items() if order.order_type is OrderType.LIMIT)
        if not limited:
            return
        order, done = self.open.pop(limited[number % len(limited)])
        for _ in range(2):
            apply_failed(
                self.exposure,
                OrderFailed(
                    order=order,
                    broker_order_id="B1",
                    outcome=OrderStatus.EXPIRED,
                    filled_quantity=done,
                    reason="",
                    event_time=self.clock,
                ),
            )

    def end(self) -> int:
        """Everything still working ends the way it must; the strategy's position then."""
        while any(order.order_type is OrderType.LIMIT for order, _ in self.open.values()):
            self.fail(0)
        while self.open:
            self.fill(0, 10**6)
        assert self.exposure.open_orders == {}
        return position_quantity(self.exposure.account, "momentum", KEY)


sides = st.sampled_from(Side)
kinds = st.sampled_from(
    [{}, {"order_type": OrderType.LIMIT, "limit_price": Decimal(1500)}],
)
closes = st.builds(lambda kind: {"intent": Intent.CLOSE, "side": None, "quantity": None, **kind}, kinds)


def opens(of: st.SearchStrategy[Side]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda side, quantity, kind: {"side": side, "quantity": quantity, **kind}, of, st.integers(1, 90), kinds
    )


def targets(low: int, high: int) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda target, kind: {
            "intent": Intent.TARGET,
            "side": None,
            "quantity": None,
            "target_quantity": target,
            **kind,
        },
        st.integers(low, high),
        kinds,
    )


def stories(wishes: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[tuple[str, Any]]]:
    steps = st.one_of(
        st.tuples(st.just("wish"), wishes),
        st.tuples(st.just("fill"), st.tuples(st.integers(0, 9), st.integers(1, 60))),
        st.tuples(st.just("fail"), st.integers(0, 9)),
    )
    return st.lists(steps, max_size=25)


def tell(story: Story, steps: list[tuple[str, Any]]) -> None:
    for step, values in steps:
        if step == "wish":
            story.wish(values)
        elif step == "fill":
            story.fill(*values)
        else:
            story.fail(values)
        reserved = {name: order.remaining for name, order in story.exposure.open_orders.items()}
        assert reserved == {name: order.quantity - done for name, (order, done) in story.open.items()}


@given(stories(st.one_of(closes, opens(st.just(Side.BUY)), targets(0, 60))))
def test_a_strategy_that_only_buys_and_closes_is_never_short(steps: list[tuple[str, Any]]) -> None:
    story = Story()
    tell(story, steps)
    assert story.end() >= 0


@given(stories(st.one_of(closes, opens(st.just(Side.SELL)), targets(-60, 0))))
def test_a_strategy_that_only_sells_and_closes_is_never_long(steps: list[tuple[str, Any]]) -> None:
    story = Story()
    tell(story, steps)
    assert story.end() <= 0


@given(stories(st.one_of(closes, opens(sides), targets(-60, 60))), st.integers(1, 60))
def test_a_close_and_its_repeats_leave_a_strategy_flat(steps: list[tuple[str, Any]], part: int) -> None:
    story = Story()
    tell(story, steps)
    story.end()
    close = {"intent": Intent.CLOSE, "side": None, "quantity": None}
    story.wish(close)
    story.fill(0, part)
    story.wish(close)
    assert story.end() == 0


@given(stories(st.one_of(closes, opens(sides), targets(-60, 60))), st.integers(-60, 60))
def test_a_target_is_reached(steps: list[tuple[str, Any]], target: int) -> None:
    story = Story()
    tell(story, steps)
    story.end()
    story.wish({"intent": Intent.TARGET, "side": None, "quantity": None, "target_quantity": target})
    assert story.end() == target


@given(stories(st.one_of(closes, opens(sides), targets(-60, 60))), prices)
def test_state_survives_bytes_and_a_day_roll_keeps_what_is_held(steps: list[tuple[str, Any]], mark: Decimal) -> None:
    story = Story()
    tell(story, steps)
    found = msgspec.msgpack.decode(msgspec.msgpack.encode(story.exposure), type=Exposure)
    assert found == story.exposure
    held, worth = found.projected("momentum", KEY), equity(found.account, {KEY: mark})
    roll_day(found, date(2026, 8, 21), {KEY: mark})
    assert found.projected("momentum", KEY) == held
    assert equity(found.account, {KEY: mark}) == worth
    assert found.day_loss({KEY: mark}) == 0
