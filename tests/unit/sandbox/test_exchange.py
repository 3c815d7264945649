"""How orders trade: the book, stops, protection, validity, and that all of it is the same every time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.bodies import order_body, trade_body
from sandbox.errors import Refused
from sandbox.orders import Order
from sandbox.vocabulary import ENDS
from tests.floor import Floor

TAKEN = ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING"]
BOOK: dict[str, Any] = {"buy": [(999, 5), (998, 50)], "sell": [(1001, 5), (1002, 50)]}


@pytest.fixture
def floor() -> Floor:
    found = Floor()
    found.tick(1000, **BOOK)
    return found


async def test_limit_order_takes_what_the_book_gives_and_rests(floor: Floor) -> None:
    order = floor.place(quantity=20, price=1001)
    assert floor.trades(order) == [(1001, 5)]
    assert floor.statuses(order) == [*TAKEN, "OPEN", "OPEN"]
    assert (order.filled_quantity, order.pending_quantity, order.cancelled_quantity) == (5, 15, 0)
    assert await floor.updates() == [("UPDATE", 5)]


async def test_arriving_order_walks_the_levels_at_their_prices(floor: Floor) -> None:
    order = floor.place("SELL", 15, 998)
    assert floor.trades(order) == [(999, 5), (998, 10)]
    assert floor.statuses(order) == [*TAKEN, "OPEN", "COMPLETE"]
    assert float(order_body(order)["average_price"]) == pytest.approx((999 * 5 + 998 * 10) / 15)
    assert await floor.updates() == [("COMPLETE", 15)]


def test_resting_order_trades_at_its_own_price_when_the_book_reaches_it(floor: Floor) -> None:
    order = floor.place(quantity=20, price=1000)
    floor.tick(999, buy=[(998, 9)], sell=[(999, 12), (999.5, 2), (1000.05, 99)])
    assert floor.trades(order) == [(1000, 14)]
    floor.tick(999, buy=[(998, 9)], sell=[(1000, 6)])
    assert order.status == "COMPLETE"
    assert floor.broker.exchange.resting == 0


def test_two_orders_share_what_one_tick_offers(floor: Floor) -> None:
    first, second = floor.place(quantity=4, price=1001), floor.place(quantity=4, price=1001)
    assert (first.filled_quantity, second.filled_quantity) == (4, 1)
    floor.tick(1000, **BOOK)
    assert second.filled_quantity == 4


def test_nothing_trades_in_another_instrument_or_without_a_price(floor: Floor) -> None:
    other = floor.place(price=2000, tradingsymbol="TCS")
    floor.tick(900, buy=[(899, 9)], sell=[(901, 9)])
    assert other.status == "OPEN"
    assert other.filled_quantity == 0
    blocked = floor.place(tradingsymbol="TCS")
    assert (blocked.status, blocked.message) == (
        "REJECTED",
        "Market orders are blocked for TCS: there is no last traded price.",
    )


def test_market_without_any_depth_trades_at_the_last_price() -> None:
    floor = Floor()
    floor.tick(1000, buy=[], sell=[])
    assert floor.trades(floor.place(quantity=7, price=1005)) == [(1000, 7)]


@pytest.mark.parametrize(
    ("side", "protection", "limit"), [("BUY", "-1", 1005), ("SELL", "-1", 995), ("BUY", "0.21", 1002.1)]
)
def test_protected_market_order_becomes_a_limit_order(floor: Floor, side: str, protection: str, limit: float) -> None:
    order = floor.place(side, 100, market_protection=protection)
    body = order_body(order)
    assert (body["order_type"], body["price"], body["status"]) == ("LIMIT", limit, "OPEN")
    assert order.filled_quantity == 55


def test_options_are_protected_more_widely() -> None:
    floor = Floor()
    floor.tick(90, "NIFTY26AUG24000CE")
    contract = {"exchange": "NFO", "tradingsymbol": "NIFTY26AUG24000CE", "product": "NRML"}
    assert order_body(floor.place(quantity=65, **contract))["price"] == 92.7


async def test_stop_waits_for_its_trigger_and_then_trades(floor: Floor) -> None:
    order = floor.place("SELL", 3, 994, order_type="SL", trigger_price=995)
    assert floor.statuses(order) == [*TAKEN, "TRIGGER PENDING"]
    floor.tick(995.05)
    assert order.status == "TRIGGER PENDING"
    floor.tick(995, buy=[(994.5, 2)], sell=[(995.5, 2)])
    assert floor.trades(order) == [(994.5, 2)]
    floor.tick(995, buy=[(994.5, 2)], sell=[(995.5, 2)])
    assert floor.statuses(order)[4:] == ["OPEN", "OPEN", "COMPLETE"]
    assert await floor.updates() == [("UPDATE", 0), ("UPDATE", 2), ("COMPLETE", 3)]


def test_stop_market_gets_its_price_when_it_is_triggered(floor: Floor) -> None:
    order = floor.place("BUY", 3, order_type="SL-M", trigger_price=1010)
    assert order_body(order)["order_type"] == "SL-M"
    floor.tick(1012, buy=[(1011, 9)], sell=[(1013, 9)])
    assert (order_body(order)["price"], order.status) == (1017.05, "COMPLETE")
    assert floor.trades(order) == [(1013, 3)]


@pytest.mark.parametrize(("side", "trigger"), [("BUY", 1000), ("SELL", 1000), ("BUY", 999), ("SELL", 1001)])
def test_stop_that_is_triggered_already_is_rejected(floor: Floor, side: str, trigger: float) -> None:
    order = floor.place(side, 3, order_type="SL-M", trigger_price=trigger)
    assert order.status == "REJECTED"
    assert "than the last traded price (1000.00)" in (order.message or "")


def test_ioc_ends_with_what_it_got(floor: Floor) -> None:
    order = floor.place(quantity=20, price=1001, validity="IOC")
    assert (order.status, order.filled_quantity, order.cancelled_quantity) == ("CANCELLED", 5, 15)
    assert floor.statuses(order)[-2:] == ["OPEN", "CANCELLED"]
    assert floor.place(quantity=1, price=990, validity="IOC").filled_quantity == 0


def test_timed_order_ends_by_the_exchanges_clock(floor: Floor) -> None:
    order = floor.place(price=990, validity="TTL", validity_ttl=2)
    floor.clock.advance(119.9)
    assert order.status == "OPEN"
    floor.clock.advance(0.1)
    assert (order.status, order.message) == ("CANCELLED", "The validity of the order has ended.")


def test_day_order_ends_with_the_session(floor: Floor) -> None:
    order = floor.place(price=990)
    floor.clock.advance(6.25 * 3600 - 1)
    assert order.status == "OPEN"
    floor.clock.advance(1)
    assert order.status == "CANCELLED"
    with pytest.raises(Refused, match="Markets are closed right now"):
        floor.place(price=990)


def test_exchange_can_be_open_at_any_hour() -> None:
    floor = Floor(rules={"session_hours": False})
    floor.clock.advance(10 * 3600)
    floor.tick(1000, **BOOK)
    assert floor.place(quantity=5, price=1001).status == "COMPLETE"


@pytest.mark.parametrize(("price", "name"), [(1100.05, "upper circuit limit of 1100.00"), (899.95, "lower circuit")])
async def test_price_beyond_the_circuit_limits_is_rejected(floor: Floor, price: float, name: str) -> None:
    order = floor.place(price=price)
    assert floor.statuses(order) == [*TAKEN[:2], "REJECTED"]
    assert name in (order.message or "")
    assert await floor.updates() == [("REJECTED", 0)]


@pytest.mark.parametrize("price", [1100, 900])
def test_price_at_a_circuit_limit_is_taken(floor: Floor, price: float) -> None:
    assert floor.place("BUY", 1, price).status in ("OPEN", "COMPLETE")


def test_times_of_an_order_are_those_of_its_last_request_its_entry_and_its_last_event(floor: Floor) -> None:
    names = ("order_timestamp", "exchange_timestamp", "exchange_update_timestamp")

    def times(order: Order) -> list[str]:
        return [order_body(order)[name][14:] for name in names]

    order = floor.place(price=990)
    floor.clock.advance(60)
    floor.modify(order, price=991)
    assert times(order) == ["16:00", "16:00", "16:00"]
    floor.clock.advance(60)
    floor.tick(990, buy=[(989, 1)], sell=[(990, 3)])
    assert times(order) == ["16:00", "16:00", "17:00"]
    floor.clock.advance(60)
    floor.cancel(order)
    assert times(order) == ["18:00", "16:00", "18:00"]
    first = order_body(floor.broker.book.history(order.order_id)[0])
    assert [first[name] for name in names] == ["2026-08-20 09:15:00", None, None]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "tick", "cancel", "modify", "wait"]),
        st.integers(980, 1020),
        st.integers(1, 40),
    ),
    max_size=40,
)


def play(actions: list[tuple[str, int, int]], seed: int = 0) -> Floor:
    floor = Floor(
        seed=seed,
        faults=[
            {"kind": "partial_then_cancel", "probability": 0.2},
            {"kind": "fill_after_cancel", "probability": 0.3, "seconds": 1},
            {"kind": "slow_validation", "probability": 0.2, "seconds": 3},
            {"kind": "slow_modification", "probability": 0.2, "seconds": 2},
            {"kind": "update_reordered", "probability": 0.2},
        ],
    )
    floor.tick(1000, **BOOK)
    for action, price, quantity in actions:
        orders = list(floor.broker.book)
        try:
            if action in ("buy", "sell"):
                floor.place(action.upper(), quantity, price, tag=f"t{len(orders)}")
            elif action == "tick":
                floor.tick(price, buy=[(price - 1, quantity)], sell=[(price + 1, quantity)])
            elif action == "wait":
                floor.clock.advance(quantity / 10)
            elif orders and action == "cancel":
                floor.cancel(orders[quantity % len(orders)])
            elif orders:
                floor.modify(orders[quantity % len(orders)], price=price)
        except Refused:
            continue
    return floor


@given(ACTIONS)
def test_whatever_happens_trades_orders_and_positions_agree(actions: list[tuple[str, int, int]]) -> None:
    floor = play(actions)
    book = floor.broker.book
    for order in book:
        states = book.history(order.order_id)
        filled = [one.filled_quantity for one in states]
        assert filled == sorted(filled)
        assert sum(one.quantity for one in book.trades(order.order_id)) == order.filled_quantity <= order.terms.quantity
        assert [one for one in states[:-1] if one.status in ENDS] == []
        assert order.cancelled_quantity == (order.pending_quantity if order.status == "CANCELLED" else 0)
    signed = sum(one.order.terms.side.sign * one.quantity for one in book.trades())
    assert floor.position().quantity == signed
    spent = sum(one.order.terms.side.sign * one.quantity * one.price for one in book.trades())
    legs = floor.position()
    assert legs.day_buy.value - legs.day_sell.value == spent


@given(ACTIONS)
def test_same_calls_and_ticks_give_the_same_day(actions: list[tuple[str, int, int]]) -> None:
    one, two = play(actions, seed=5), play(actions, seed=5)
    for find in (
        lambda floor: [order_body(order) for order in floor.broker.book],
        lambda floor: [trade_body(trade) for trade in floor.broker.book.trades()],
        lambda floor: floor.broker.account.funds(),
    ):
        assert find(one) == find(two)
