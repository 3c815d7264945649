"""Our orders against the broker's book."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from models.messages import ids
from models.messages.orders import OrderStatus, OrderType, Side
from tests.unit.trading.reconciliation.books import (
    NOW,
    NUMBER,
    SENT,
    D,
    book,
    differences,
    done,
    execution,
    only,
    plan,
    record,
    row,
)
from trading.orders.state import OrderRecord
from trading.orders.triggers import TRIGGER_RUN
from trading.reconciliation.book import Area, BrokerOrder, UnreadRow
from trading.reconciliation.difference import Tolerances
from trading.reconciliation.kinds import DifferenceKind as K

S = OrderStatus
TOLERANCES = Tolerances()
CENT = Decimal("0.01")


def kinds(ours: OrderRecord, *theirs: BrokerOrder, now: float = NOW, **values: Any) -> list[K]:
    """Without trades, positions and holdings."""
    broker = book(orders=theirs, trades=None, positions=None, **values)
    return [one.kind for one in differences(ours, broker=broker, now=now)]


@pytest.mark.parametrize("ours", [record(), done(), record(status=S.CANCELLED), record(status=S.REJECTED)])
def test_the_same_on_both_sides_is_no_difference(ours: OrderRecord) -> None:
    assert kinds(ours, row(ours)) == []


@pytest.mark.parametrize(
    ("ours", "is_missing"),
    [
        (record(), True),
        (done(), True),
        (record(status=S.REJECTED), True),
        (record(status=S.UNKNOWN, broker_order_id=""), True),
        (record(status=S.SUBMITTED, broker_order_id=""), True),
        (record(status=S.SUBMITTED, broker_order_id="", attempted_at=0), False),
        (record(status=S.REJECTED, broker_order_id=""), False),
        (record(status=S.DENIED_LATE, broker_order_id=""), False),
    ],
)
def test_what_was_sent_and_not_refused_has_to_be_in_the_book(ours: OrderRecord, is_missing: bool) -> None:
    assert kinds(ours) == ([K.ORDER_MISSING] if is_missing else [])


@pytest.mark.parametrize(("waited", "is_missing"), [(TOLERANCES.patience_seconds - 0.1, False), (30, True)])
def test_an_order_without_an_answer_may_be_on_its_way_for_as_long_as_the_patience(
    waited: float, is_missing: bool
) -> None:
    ours = record(status=S.UNKNOWN, broker_order_id="")
    assert kinds(ours, now=SENT + waited) == ([K.ORDER_MISSING] if is_missing else [])


def test_a_book_with_a_row_that_cannot_be_read_proves_no_absence() -> None:
    assert kinds(record(), unread=(UnreadRow(Area.ORDERS, "filled_quantity is negative"),)) == [K.ROWS_UNREADABLE]


@pytest.mark.parametrize("status", [S.SUBMITTED, S.DENIED_LATE])
def test_an_order_without_the_mark_was_never_sent(status: OrderStatus) -> None:
    ours = record(status=status, broker_order_id="", attempted_at=0)
    assert kinds(ours, row(ours, status=S.WORKING)) == [K.ORDER_NEVER_SENT]


def test_an_order_that_was_denied_after_its_mark_and_works_is_alive() -> None:
    ours = record(status=S.DENIED_LATE, broker_order_id="")
    assert kinds(ours, row(ours, status=S.WORKING)) == [K.ORDER_ALIVE]


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        (ids.order_tag("lost"), K.ORDER_UNRECORDED),
        (ids.order_tag("lost").upper(), K.ORDER_FOREIGN),
        (ids.order_tag("lost")[:-1], K.ORDER_FOREIGN),
        ("by hand", K.ORDER_FOREIGN),
        ("", K.ORDER_FOREIGN),
    ],
)
def test_an_order_without_a_record_is_ours_by_the_form_of_its_tag(tag: str, kind: K) -> None:
    assert kinds(record(), row(record()), row(record(), tag=tag, broker_order_id="2")) == [kind]


def test_of_two_with_one_tag_the_other_number_is_doubled() -> None:
    both = row(record()), row(record(), broker_order_id="2")
    for orders in (both, both[::-1]):
        found = only(differences(record(), broker=book(orders=orders)))
        assert (found.kind, found.subject) == (K.ORDER_DOUBLED, "one#2")
    assert kinds(record(broker_order_id=""), *both) == [K.ORDER_DOUBLED]
    assert kinds(record(), row(record()), row(record())) == []  # one order, listed twice


def test_an_order_under_another_number_is_missing_and_doubled() -> None:
    assert kinds(record(), row(record(), broker_order_id="2")) == [K.ORDER_MISSING, K.ORDER_DOUBLED]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"tradingsymbol": "TCS"}, K.ORDER_INSTRUMENT),
        ({"exchange": "BSE"}, K.ORDER_INSTRUMENT),
        ({"side": "SELL"}, K.ORDER_SIDE),
        ({"product": "CNC"}, K.ORDER_PRODUCT),
        ({"quantity": 11}, K.ORDER_QUANTITY),
        ({"limit_price": D("100.05")}, K.ORDER_PRICE),
        ({"limit_price": D(0)}, K.ORDER_PRICE),
    ],
)
def test_terms_are_what_we_asked_for(changes: dict[str, Any], kind: K) -> None:
    assert kinds(record(), row(record(), **changes)) == [kind]


def test_the_type_and_the_price_of_a_protected_market_order_are_not_what_we_asked_for() -> None:
    ours = record(plan(order_type=OrderType.MARKET, limit_price=None))
    assert kinds(ours, row(ours, order_type="LIMIT", limit_price=D("103.2"))) == []


def test_triggers_are_compared_where_we_asked_for_one() -> None:
    stop = {"order_type": OrderType.SL_M, "limit_price": None, "side": Side.SELL}
    ours = record(plan(**stop, trigger_price=D(95)))
    assert kinds(ours, row(ours, limit_price=D(92))) == []
    assert kinds(ours, row(ours, trigger_price=D("94.95"))) == [K.ORDER_PRICE]


@pytest.mark.parametrize(("ours", "theirs", "kind"), [(4, 5, K.ORDER_FILLED_MORE), (5, 4, K.ORDER_FILLED_LESS)])
def test_fills_are_compared(ours: int, theirs: int, kind: K) -> None:
    known = record(status=S.PARTIALLY_FILLED, filled_quantity=ours, average_price=D(100))
    assert kinds(known, row(known, status=S.WORKING, filled_quantity=theirs)) == [kind]
    assert kinds(known, row(known, status=S.WORKING)) == []


@pytest.mark.parametrize(
    ("off", "is_off"), [(CENT, False), (-CENT, False), (CENT + D("0.0001"), True), (-CENT - D("0.0001"), True)]
)
def test_averages_may_differ_by_the_tolerance(off: Decimal, is_off: bool) -> None:
    found = kinds(done(), row(done(), average_price=D(100) + off))
    assert found == ([K.ORDER_AVERAGE] if is_off else [])


def test_without_fills_there_is_no_average() -> None:
    assert kinds(record(), row(record(), average_price=D(7))) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        (S.CANCELLED, S.WORKING, K.ORDER_ALIVE),
        (S.REJECTED, S.WORKING, K.ORDER_ALIVE),
        (S.WORKING, S.CANCELLED, K.ORDER_ENDED),
        (S.UNKNOWN, S.REJECTED, K.ORDER_ENDED),
        (S.WORKING, S.FILLED, K.ORDER_ENDED),
        (S.CANCELLED, S.REJECTED, K.ORDER_ENDED_OTHERWISE),
        (S.EXPIRED, S.CANCELLED, None),
        (S.UNKNOWN, S.WORKING, None),
    ],
)
def test_both_sides_have_to_agree_on_the_end(ours: OrderStatus, theirs: OrderStatus, kind: K | None) -> None:
    known = record(status=ours)
    assert kinds(known, row(known, status=theirs)) == ([kind] if kind else [])


def test_a_status_that_follows_from_the_quantity_is_no_difference_of_its_own() -> None:
    assert kinds(record(), row(done())) == [K.ORDER_FILLED_MORE]
    assert kinds(done(), row(done(), status=S.WORKING, filled_quantity=9)) == [K.ORDER_FILLED_LESS]
    ended = row(record(), status=S.CANCELLED, filled_quantity=3)
    assert kinds(record(), ended) == [K.ORDER_FILLED_MORE, K.ORDER_ENDED]


def test_a_status_nobody_knows_is_told_and_nothing_else_of_it() -> None:
    for ours in (record(), record(status=S.CANCELLED)):
        assert kinds(ours, row(ours, status=S.WORKING, unknown_status="LAPSED")) == [K.ORDER_STATUS_UNKNOWN]


@pytest.mark.parametrize(("waited", "is_stuck"), [(0, False), (60, False), (60.5, True)])
@pytest.mark.parametrize("field", ["updated_at", "asked_at"])
def test_an_order_is_stuck_once_it_has_been_on_its_way_for_too_long(field: str, waited: float, is_stuck: bool) -> None:
    pending = row(record(), **({"is_pending": True, "updated_at": 0} | {field: SENT}))
    assert kinds(record(), pending, now=SENT + waited) == ([K.ORDER_STUCK] if is_stuck else [])


def test_an_order_that_rests_is_never_stuck() -> None:
    assert kinds(record(), row(record(), updated_at=SENT - 3_000)) == []


GRACE = TOLERANCES.grace_seconds


@pytest.mark.parametrize(("ago", "is_moving"), [(0, True), (GRACE, True), (GRACE + 0.1, False)])
@pytest.mark.parametrize("side", ["ours", "mark", "theirs", "request", "trade"])
def test_an_order_is_in_motion_while_either_side_has_just_changed(side: str, ago: float, is_moving: bool) -> None:
    at = NOW - 10
    of_ours = {"ours": {"updated_at": at}, "mark": {"attempted_at": at}}.get(side, {})
    of_theirs = {"theirs": {"updated_at": at}, "request": {"asked_at": at}}.get(side, {})
    ours = done(average_price=D(99), **of_ours)
    theirs = row(ours, average_price=D(100), **of_theirs)
    trade = execution(theirs, price=D(99), traded_at=at if side == "trade" else SENT)
    broker = book(orders=(theirs,), trades=(trade,), positions=None)
    assert only(differences(ours, broker=broker, now=at + ago)).is_moving is is_moving


@pytest.mark.parametrize(
    ("ours", "theirs"), [(record(), row(record(), quantity=9)), (record(status=S.CANCELLED), row(record()))]
)
def test_an_order_that_works_on_either_side_is_in_motion(ours: OrderRecord, theirs: BrokerOrder) -> None:
    assert only(differences(ours, broker=book(orders=(theirs,)))).is_moving


@pytest.mark.parametrize(("side", "fill"), [("BUY", 10), ("SELL", -10), ("HOLD", 0), ("", 0)])
def test_only_buys_and_sells_have_done_anything_to_a_position(side: str, fill: int) -> None:
    assert row(done(), side=side).signed_fill == fill


def test_a_difference_says_what_it_is_about() -> None:
    ours = done(average_price=D(99))
    found = only(
        differences(ours, broker=book(orders=(row(ours, average_price=D("100.5")),), trades=None, positions=None))
    )
    assert (found.subject, found.instrument, found.ours, found.theirs) == ("one", "NSE:INFY", "99", "100.5")
    assert found.key == "order_average|one"
    assert found.value == "99 | 100.5"
    assert NUMBER not in found.key


def told(ours: OrderRecord, *theirs: BrokerOrder) -> tuple[str, str]:
    found = only(differences(ours, broker=book(orders=theirs, trades=None, positions=None)))
    return found.ours, found.theirs


def test_differences_tell_what_a_person_needs() -> None:
    ours = record(plan(order_type=OrderType.SL, side=Side.BUY, trigger_price=D(99)))
    assert told(ours, row(ours, trigger_price=D(0))) == ("limit 100, trigger 99", "limit 100, trigger -")
    assert told(record(), row(record(), limit_price=D(0))) == ("limit 100, trigger -", "limit -, trigger -")
    assert told(record(filled_quantity=3)) == ("working, 3 filled", "-")
    unsent = record(status=S.SUBMITTED, broker_order_id="", attempted_at=0)
    assert told(unsent, row(unsent, status=S.WORKING)) == ("submitted", "working, 0 filled")
    by_hand = {"tag": "", "broker_order_id": "2", "side": "SELL", "product": "CNC"}
    assert told(record(), row(record()), row(record(), **by_hand)) == ("-", "SELL 0 of 10 CNC, working")
    filled = row(done(), **by_hand)
    assert told(record(), row(record()), filled) == ("-", "SELL 10 of 10 CNC at 100, filled")
    twice = row(record()), row(record(), broker_order_id="2")
    assert told(record(), *twice) == (NUMBER, "BUY 0 of 10 MIS, working")
    assert told(record(broker_order_id=""), *twice)[0] == "-"


def adopted(**values: Any) -> OrderRecord:
    """An order that a trigger has placed: at the broker it has no tag."""
    return done(plan(run_id=TRIGGER_RUN, reduces=True), **values)


def test_an_order_of_a_trigger_is_found_by_its_number() -> None:
    ours = adopted()
    assert kinds(ours, row(ours, tag="")) == []
    assert kinds(ours, row(ours, tag="", filled_quantity=4, status=S.WORKING)) == [K.ORDER_FILLED_LESS]
    other = row(ours, tag="", broker_order_id="another")
    assert sorted(kinds(ours, other)) == [K.ORDER_FOREIGN, K.ORDER_MISSING]


def test_an_order_we_have_sent_is_not_found_without_its_tag() -> None:
    ours = done()
    assert sorted(kinds(ours, row(ours, tag=""))) == [K.ORDER_FOREIGN, K.ORDER_MISSING]
