"""What the broker does with orders before, around and after the exchange: rejections, changes, families of orders."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.bodies import order_body
from sandbox.errors import Refused
from sandbox.orders import Order
from tests.floor import Floor

TAKEN = ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN"]
CHANGED = ["MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED", "OPEN"]


@pytest.fixture
def floor() -> Floor:
    found = Floor()
    found.tick(1000)
    return found


def test_order_that_cannot_be_paid_for_is_rejected_with_both_figures() -> None:
    floor = Floor(rules={"opening_cash": 1000})
    floor.tick(1000)
    assert floor.place(quantity=5, price=1000).status == "OPEN"
    order = floor.place(quantity=1, price=1000)
    assert order.status == "REJECTED"
    assert order.message == "Insufficient funds. Required margin is 200.00 but available margin is 0.00."


def test_rejected_and_cancelled_orders_block_nothing() -> None:
    floor = Floor(rules={"opening_cash": 1000})
    floor.tick(1000)
    floor.cancel(floor.place(quantity=5, price=999))
    assert floor.place(quantity=5, price=999).status == "OPEN"


@pytest.mark.parametrize(("quantity", "taken"), [(50, True), (51, False)])
def test_freeze_quantity_is_the_most_of_one_order(quantity: int, taken: bool) -> None:
    floor = Floor(rules={"freeze_quantities": {"NSE:INFY": 50}})
    floor.tick(1000)
    if taken:
        assert floor.place(quantity=quantity, price=999).status == "OPEN"
        return
    with pytest.raises(Refused, match="exceeds the freeze quantity of 50 for INFY"):
        floor.place(quantity=quantity, price=999)


@pytest.mark.parametrize(
    ("reason", "text"),
    [("margin", "Insufficient funds"), ("circuit", "upper circuit limit"), ("freeze", "exceeds the freeze quantity")],
)
async def test_fault_rejects_for_each_reason(floor: Floor, reason: str, text: str) -> None:
    floor.fault("reject", reason=reason, count=1)
    order = floor.place(price=999)
    assert (order.status, text in (order.message or "")) == ("REJECTED", True)
    assert await floor.updates() == [("REJECTED", 0)]
    assert floor.place(price=999).status == "OPEN"


async def test_modification_goes_through_its_states(floor: Floor) -> None:
    order = floor.place(price=990)
    assert await floor.updates() == []  # none is sent when an order is just placed
    floor.modify(order, price=991, quantity=12)
    assert floor.statuses(order) == [*TAKEN, *CHANGED]
    prices = [state.terms.price for state in floor.broker.book.history(order.order_id)]
    assert prices == [9_900_000] * 6 + [9_910_000] * 2
    assert await floor.updates() == [("UPDATE", 0)]


def test_modified_order_trades_at_once_when_it_can(floor: Floor) -> None:
    order = floor.place(price=990)
    floor.modify(order, price=1000.05)
    assert floor.statuses(order)[-2:] == ["OPEN", "COMPLETE"]
    assert floor.trades(order) == [(1000.05, 10)]


def test_stop_changed_keeps_waiting_and_changed_to_limit_does_not(floor: Floor) -> None:
    order = floor.place("SELL", 3, 994, order_type="SL", trigger_price=995)
    floor.modify(order, trigger_price=994.5)
    assert (order.status, order.terms.trigger_price) == ("TRIGGER PENDING", 9_945_000)
    floor.modify(order, order_type="LIMIT", price=1001)
    assert order.status == "OPEN"
    floor.modify(order, order_type="SL", price=990, trigger_price=991)
    assert order.status == "TRIGGER PENDING"


def test_twenty_five_modifications_and_no_more(floor: Floor) -> None:
    order = floor.place(price=990)
    for number in range(25):
        floor.modify(order, price=980 + number % 2)
    with pytest.raises(Refused, match=r"^Maximum allowed order modifications exceeded\.$") as refused:
        floor.modify(order, price=985)
    assert refused.value.kind == "NetworkException"


def test_modification_below_the_filled_quantity_is_refused(floor: Floor) -> None:
    floor.tick(1000, sell=[(1000, 4)])
    order = floor.place(price=1000)
    assert order.filled_quantity == 4
    for quantity in (3, 4):
        with pytest.raises(Refused, match="already filled"):
            floor.modify(order, quantity=quantity)
    floor.modify(order, quantity=5)
    assert order.pending_quantity == 1


def test_modification_that_cannot_be_paid_for_changes_nothing() -> None:
    floor = Floor(rules={"opening_cash": 1000})
    floor.tick(1000)
    order = floor.place(quantity=5, price=1000)
    floor.modify(order, quantity=6)
    assert floor.statuses(order)[-2:] == ["NOT MODIFIED", "OPEN"]
    assert order.terms.quantity == 5


def test_one_change_at_a_time(floor: Floor) -> None:
    order = floor.place(price=990)
    floor.fault("slow_modification", seconds=2, count=1)
    floor.modify(order, price=991)
    assert order.status == "MODIFY PENDING"
    for change in (lambda: floor.modify(order, price=992), lambda: floor.cancel(order)):
        with pytest.raises(Refused, match="as it is being processed. Try later"):
            change()
    floor.tick(980)
    assert order.filled_quantity == 0
    floor.clock.advance(2)
    assert (order.status, order.terms.price) == ("COMPLETE", 9_910_000)


def test_slow_validation_keeps_the_first_state(floor: Floor) -> None:
    floor.fault("slow_validation", seconds=8, count=1)
    order = floor.place(price=1001)
    floor.clock.advance(7.9)
    assert floor.statuses(order) == TAKEN[:1]
    floor.clock.advance(0.1)
    assert order.status == "COMPLETE"


def test_slowly_validated_order_takes_changes_once_it_is_open(floor: Floor) -> None:
    floor.fault("slow_validation", seconds=8, count=1)
    order = floor.place(price=990)
    with pytest.raises(Refused, match="as it is being processed"):
        floor.cancel(order)
    floor.clock.advance(8)
    floor.cancel(order)
    assert order.status == "CANCELLED"


def test_exchange_may_refuse_changes(floor: Floor) -> None:
    order = floor.place(price=990)
    floor.fault("modification_refused", count=1)
    floor.modify(order, price=991)
    assert floor.statuses(order)[-2:] == ["NOT MODIFIED", "OPEN"]
    floor.fault("cancellation_refused", count=1)
    floor.cancel(order)
    assert floor.statuses(order)[-3:] == ["CANCEL PENDING", "NOT CANCELLED", "OPEN"]
    floor.cancel(order)
    assert order.status == "CANCELLED"


async def test_cancellation_goes_through_its_states_once(floor: Floor) -> None:
    order = floor.place(price=990)
    floor.cancel(order)
    assert floor.statuses(order) == [*TAKEN, "CANCEL PENDING", "CANCELLED"]
    assert order.cancelled_quantity == 10
    assert await floor.updates() == [("CANCELLED", 0)]
    with pytest.raises(Refused, match="as it is already cancelled"):
        floor.cancel(order)


async def test_order_can_fill_after_it_was_cancelled(floor: Floor) -> None:
    floor.fault("fill_after_cancel", seconds=1, count=1)
    order = floor.place(price=990)
    floor.cancel(order)
    assert order.status == "CANCEL PENDING"
    floor.clock.advance(1)
    assert (order.status, floor.trades(order)) == ("COMPLETE", [(990, 10)])
    assert await floor.updates() == [("COMPLETE", 10)]


async def test_order_can_fill_in_part_and_be_cancelled(floor: Floor) -> None:
    floor.fault("partial_then_cancel", count=1)
    order = floor.place(price=1001)
    assert (order.status, order.filled_quantity, order.cancelled_quantity) == ("CANCELLED", 5, 5)
    assert await floor.updates() == [("UPDATE", 5), ("CANCELLED", 5)]
    assert floor.position().quantity == 5


def test_unknown_order_or_variety_is_not_found(floor: Floor) -> None:
    order = floor.place(price=990)
    for variety, name in (("regular", "1"), ("amo", order.order_id)):
        with pytest.raises(Refused, match="Couldn't find that `order_id`"):
            floor.broker.changes.find(variety, name)


@pytest.mark.parametrize(("held", "quantity", "taken"), [(10, 10, True), (10, 11, False), (0, 1, False)])
def test_delivery_sale_needs_holdings(held: int, quantity: int, taken: bool) -> None:
    holdings = [{"instrument": "NSE:INFY", "quantity": held, "average_price": 900}]
    floor = Floor(account={"holdings": holdings})
    floor.tick(1000)
    if taken:
        floor.place("SELL", quantity - 1, 1001, product="CNC")
        assert floor.place("SELL", 1, 1001, product="CNC").status == "OPEN"
        with pytest.raises(Refused, match="0 can be sold as CNC, not 1"):  # working sales count
            floor.place("SELL", 1, 1001, product="CNC")
        return
    with pytest.raises(Refused, match=f"{held} can be sold as CNC, not {quantity}"):
        floor.place("SELL", quantity, 1001, product="CNC")


def test_iceberg_shows_one_leg_after_the_other(floor: Floor) -> None:
    first = floor.place(quantity=25, price=999, variety="iceberg", iceberg_legs=3, iceberg_quantity=10, tag="ice")
    assert [one.terms.quantity for one in floor.broker.book] == [10]
    assert order_body(first)["meta"]["iceberg"] == {
        "leg": 1, "legs": 3, "leg_quantity": 10, "total_quantity": 25, "remaining_quantity": 15,
    }  # fmt: skip
    floor.tick(999, sell=[(999, 12)])
    legs = list(floor.broker.book)
    assert [(one.terms.quantity, one.filled_quantity) for one in legs] == [(10, 10), (10, 2)]
    floor.tick(999, sell=[(998, 100)])
    assert [one.filled_quantity for one in floor.broker.book] == [10, 10, 5]
    assert {one.terms.tag for one in floor.broker.book} == {"ice"}
    assert floor.position().quantity == 25


def test_cover_order_is_followed_by_its_stop_and_left_at_the_market(floor: Floor) -> None:
    entry = floor.place(variety="co", trigger_price=990)
    assert entry.status == "COMPLETE"
    (stop,) = floor.broker.book.children(entry.order_id)
    assert (stop.status, stop.terms.side, stop.terms.trigger_price) == ("TRIGGER PENDING", "SELL", 9_900_000)
    floor.cancel(stop)
    assert stop.status == "COMPLETE"
    assert floor.position().quantity == 0


def test_slices_stand_for_themselves() -> None:
    floor = Floor(rules={"freeze_quantities": {"NSE:INFY": 50}, "opening_cash": 24_000})
    floor.tick(1000)
    terms = replace(floor.place(quantity=1, price=990).terms, quantity=120)
    whole, parts = floor.broker.desk.place_sliced(terms)
    assert [isinstance(part, Order) for part in parts] == [True, True, True]
    assert [part.tags for part in parts if isinstance(part, Order)] == [["autoslice", f"autoslice:{whole}"]] * 3
    assert floor.broker.book.find(whole) is None
    _, parts = floor.broker.desk.place_sliced(replace(terms, quantity=20))
    assert [str(part) for part in parts] == [
        "Insufficient funds. Required margin is 3960.00 but available margin is 42.00."
    ]
    with pytest.raises(Refused, match="more than 10 slices"):
        floor.broker.desk.place_sliced(replace(terms, quantity=501))


def test_after_market_order_waits_for_the_next_session(floor: Floor) -> None:
    with pytest.raises(Refused, match="while the market is open"):
        floor.place(price=990, variety="amo")
    floor.clock.advance(8 * 3600)
    order = floor.place(price=990, variety="amo")
    assert floor.statuses(order) == ["AMO REQ RECEIVED"]
    floor.modify(order, price=991)
    assert floor.statuses(order)[1:] == ["MODIFY AMO REQ RECEIVED", "AMO REQ RECEIVED"]
    floor.clock.advance(16 * 3600 - 1)
    assert order.status == "AMO REQ RECEIVED"
    floor.clock.advance(1)
    assert (order.status, order.terms.price) == ("OPEN", 9_910_000)
    assert order_body(order)["exchange_timestamp"] == "2026-08-21 09:15:00"


def test_auction_order_rests_apart_from_the_book(floor: Floor) -> None:
    order = floor.place("SELL", 1, 990, variety="auction", auction_number="22", product="CNC")
    floor.tick(1005)
    assert (order.status, order_body(order)["auction_number"]) == ("OPEN", "22")
