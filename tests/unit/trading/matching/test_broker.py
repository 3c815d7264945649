"""The simulated broker: orders, brackets and the exchange as one, in the order of the clock."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from models.messages.orders import OrderAcknowledged, OrderFailed, OrderFilled, OrderStatus, OrderType, Product, Side
from tests.factories import AT, TOKEN, order, tick
from trading.market.sessions import Phase
from trading.matching.broker import Event, SimulatedBroker
from trading.matching.phases import Moment
from trading.matching.rules import MatchingRules

S = OrderStatus
DAY = 86_400


def broker(close_at: int = 10**12) -> SimulatedBroker:
    """Its market trades until `close_at`."""

    def moment_at(token: int, second: int) -> Moment:
        return Moment(second, Phase.CONTINUOUS if second < close_at else Phase.CLOSED)

    return SimulatedBroker(MatchingRules(), moment_at)


def show(to: SimulatedBroker, seconds: int, rupees: int, **values: Any) -> list[Event]:
    """A tick so many seconds after the orders' own."""
    return to.on_tick(tick(price=rupees * 10_000, sequence=seconds + 1, at=AT + seconds, **values), "run")


def filled(events: list[Event]) -> list[tuple[Side, int, Decimal]]:
    return [(one.order.side, one.quantity, one.price) for one in events if isinstance(one, OrderFilled)]


def bracketed(**values: Any) -> Any:
    return order(stop_loss=Decimal(1490), target=Decimal(1520), **values)


def test_an_order_is_acknowledged_filled_and_remembered() -> None:
    one = broker()
    (acknowledged,) = one.submit(order())
    assert isinstance(acknowledged, OrderAcknowledged)
    assert one.submit(order()) == []
    assert filled(show(one, 1, 1500)) == [(Side.BUY, 10, Decimal("1500.05"))]
    assert one.records[order().order_id].status is S.FILLED


def test_a_refused_order_fails_and_never_reaches_the_exchange() -> None:
    one = broker()
    (failed,) = one.submit(order(), refusal="Trading is halted")
    assert isinstance(failed, OrderFailed)
    assert one.exchange.books == {}
    assert filled(show(one, 1, 1500)) == []


def test_a_stop_loss_leaves_the_position() -> None:
    one = broker()
    one.submit(bracketed())
    show(one, 1, 1500)
    show(one, 2, 1500)
    assert filled(show(one, 3, 1490)) == [(Side.SELL, 10, Decimal("1489.95"))]
    show(one, 5, 1530)
    show(one, 9, 1530)
    assert len(one.records) == 2


def test_a_target_leaves_the_position_after_the_stop_is_cancelled() -> None:
    one = broker()
    one.submit(bracketed())
    for second, rupees in ((1, 1500), (2, 1500), (3, 1521), (4, 1521)):
        show(one, second, rupees)
    failed = [event for event in show(one, 5, 1521) if isinstance(event, OrderFailed)]
    assert [(event.outcome, event.order.order_type) for event in failed] == [(S.CANCELLED, OrderType.SL_M)]
    show(one, 6, 1521)
    assert filled(show(one, 7, 1521)) == [(Side.SELL, 10, Decimal("1520.95"))]


def test_the_rest_of_an_entry_is_cancelled_when_the_stop_is_hit() -> None:
    one = broker()
    entry = bracketed(quantity=150, order_type=OrderType.LIMIT, limit_price=Decimal("1500.05"))
    one.submit(entry)
    show(one, 1, 1500)  # 100 of 150
    show(one, 2, 1502, volume=1002)
    assert filled(show(one, 4, 1489, sell=())) == [
        (Side.BUY, 50, Decimal("1500.05")),  # the market fell through the limit
        (Side.SELL, 100, Decimal("1488.95")),
    ]


def test_the_strategy_may_leave_before_its_bracket() -> None:
    one = broker()
    one.submit(bracketed())
    show(one, 1, 1500)
    show(one, 2, 1500)
    leave = order(order_id="own", side=Side.SELL, reduces=True, event_time=AT + 2, tick_sequence=3)
    assert one.submit(leave) == []
    found = [one_event for second in range(3, 9) for one_event in show(one, second, 1500)]
    assert filled(found) == [(Side.SELL, 10, Decimal("1499.95"))]
    assert one.records["own"].status is S.FILLED


def test_the_close_ends_what_rests_and_the_clock_needs_no_tick() -> None:
    one = broker(close_at=AT + 10)
    one.submit(order(order_type=OrderType.LIMIT, limit_price=Decimal(1400)))
    assert one.on_clock(AT + 9) == []
    (failed,) = one.on_clock(AT + 10)
    assert isinstance(failed, OrderFailed)
    assert failed.outcome is S.EXPIRED


def test_memory_is_flat_over_days() -> None:
    one = broker()
    for day in range(5):
        at = AT + day * DAY
        one.submit(order(order_id=f"order-{day}", event_time=at, tick_sequence=10 * day))
        one.on_tick(tick(sequence=10 * day + 1, at=at + 1), "run")
    assert set(one.records) == {"order-4"}
    assert set(one.exchange.books[TOKEN].known) == {"order-4"}


def test_a_bracket_that_lives_overnight_is_remembered() -> None:
    one = broker()
    one.submit(bracketed(order_id="entry", product=Product.CNC))
    show(one, 1, 1500)
    show(one, 2, 1500)
    one.on_clock(AT + DAY)
    one.on_clock(AT + DAY + 1)
    stops = [record for record in one.records.values() if record.order.oco_group]
    assert [record.status for record in stops] == [S.EXPIRED, S.WORKING]
    assert "entry" in one.records
