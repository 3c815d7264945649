"""What a reading of the broker's book means for our orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from agents.live.poller import NEVER_TAKEN, Seen, compare
from models.messages.orders import OrderStatus
from tests.factories import order, update
from trading.orders.state import OrderRecord, fold, submitted
from trading.orders.triggers import TRIGGER_RUN

S = OrderStatus
ASKED = 1_787_200_000
PATIENCE = 20


def row(**values: Any) -> dict[str, Any]:
    """A row of Kite's book of an order with our tag."""
    defaults: dict[str, Any] = {
        "order_id": "151220000000000",
        "tag": order().tag,
        "variety": "regular",
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "instrument_token": 408_065,
        "transaction_type": "BUY",
        "product": "MIS",
        "order_type": "LIMIT",
        "status": "OPEN",
        "status_message": None,
        "quantity": 10,
        "filled_quantity": 0,
        "average_price": 0,
        "order_timestamp": "2026-08-20 09:16:40",
        "exchange_update_timestamp": "2026-08-20 09:16:41",
    }
    return {**defaults, **values}


def record(**values: Any) -> OrderRecord:
    return replace(submitted(order()), **{"attempted_at": ASKED - 5, **values})


def seen(*rows: dict[str, Any], of: OrderRecord | None = None, asked_at: int = ASKED) -> Seen:
    ours = {} if of is None else {of.order.tag: of}
    return compare(rows, ours, asked_at=asked_at, now=ASKED + 1, patience_seconds=PATIENCE)


@pytest.mark.parametrize("status", [S.SUBMITTED, S.UNKNOWN])
def test_an_order_without_an_answer_is_found_by_its_tag(status: OrderStatus) -> None:
    (report,) = seen(row(), of=record(status=status)).reports
    assert (report.order_id, report.broker_order_id) == (order().order_id, "151220000000000")
    assert (report.status, report.reporter, report.event_time) == (S.WORKING, "poll", 1_787_197_601)


def test_fills_are_the_cumulative_quantity() -> None:
    known = record(status=S.WORKING, broker_order_id="151220000000000")
    (report,) = seen(row(filled_quantity=4, average_price=1500.0333333333333), of=known).reports
    assert (report.cumulative_quantity, report.average_price) == (4, Decimal("1500.033333"))
    after = fold(known, report).record
    assert after.status is S.PARTIALLY_FILLED
    assert seen(row(filled_quantity=4, average_price=1500.0333333333333), of=after).reports == ()


def test_what_is_known_is_no_news() -> None:
    known = record(status=S.WORKING, broker_order_id="151220000000000")
    assert seen(row(), of=known) == Seen((), (), (), 0)
    done = fold(known, update(S.FILLED, 10, "100")).record
    assert seen(row(status="COMPLETE", filled_quantity=10, average_price=100), of=done).reports == ()


def test_an_end_is_news_and_so_is_a_fill_after_it() -> None:
    known = record(status=S.WORKING, broker_order_id="151220000000000")
    (report,) = seen(row(status="CANCELLED", status_message="by the exchange"), of=known).reports
    assert (report.status, report.reason) == (S.CANCELLED, "by the exchange")
    ended = fold(known, report).record
    (report,) = seen(row(status="CANCELLED", filled_quantity=3, average_price=100), of=ended).reports
    assert report.cumulative_quantity == 3


@pytest.mark.parametrize(("waited", "is_over"), [(PATIENCE - 1, False), (PATIENCE, True)])
def test_an_order_the_book_does_not_have_long_after_its_call_was_never_taken(waited: int, is_over: bool) -> None:
    found = seen(of=record(status=S.UNKNOWN, attempted_at=ASKED - waited))
    assert [(one.status, one.reason) for one in found.reports] == ([(S.REJECTED, NEVER_TAKEN)] if is_over else [])


@pytest.mark.parametrize(("status", "works"), [("OPEN", True), ("TRIGGER PENDING", True), ("CANCELLED", False)])
def test_an_order_that_was_given_up_and_works_all_the_same_is_to_be_cancelled(status: str, *, works: bool) -> None:
    (given_up,) = seen(of=record(status=S.UNKNOWN, attempted_at=ASKED - PATIENCE)).reports
    known = fold(record(status=S.UNKNOWN), given_up).record
    found = seen(row(status=status), of=known)
    named = [(order().order_id, "151220000000000")]
    assert [(one.order_id, one.broker_order_id) for one in found.risen] == (named if works else [])
    assert seen(row(), of=record(status=S.UNKNOWN)).risen == ()


@pytest.mark.parametrize(
    "known",
    [
        record(attempted_at=0),
        record(status=S.WORKING, broker_order_id="1", attempted_at=ASKED - 500),
        record(status=S.DENIED_LATE, attempted_at=ASKED - 500),
    ],
)
def test_only_silent_orders_that_were_attempted_are_given_up(known: OrderRecord) -> None:
    assert seen(of=known).reports == ()


def test_a_book_with_a_row_that_cannot_be_read_proves_no_absence() -> None:
    found = seen(row(filled_quantity="many"), row(tag="another"), of=record(attempted_at=ASKED - 500))
    assert (found.reports, found.unread) == ((), 1)


def test_orders_of_others_are_seen_and_not_ours() -> None:
    found = seen(row(tag=None), row(tag="by-hand", order_id="2"), of=record())
    assert [one.broker_order_id for one in found.foreign] == ["151220000000000", "2"]
    assert found.reports == ()


def test_a_second_order_with_our_tag_is_one_too_many() -> None:
    found = seen(row(), row(order_id="2"), of=record(status=S.UNKNOWN))
    assert [one.broker_order_id for one in found.doubled] == ["2"]
    known = record(status=S.WORKING, broker_order_id="2")
    assert [one.broker_order_id for one in seen(row(), row(order_id="2"), of=known).doubled] == ["151220000000000"]


def test_a_status_nobody_knows_is_working_and_told() -> None:
    (report,) = seen(row(status="TELEPORTED"), of=record()).reports
    assert (report.status, report.unknown_status) == (S.WORKING, "TELEPORTED")


def test_an_order_of_a_trigger_is_followed_by_its_number() -> None:
    ours = record(order=order(run_id=TRIGGER_RUN), broker_order_id="151220000000000")
    (report,) = seen(row(tag=None, status="COMPLETE", filled_quantity=10, average_price=99.5), of=ours).reports
    assert (report.order_id, report.cumulative_quantity, report.status) == (ours.order.order_id, 10, S.FILLED)
    assert seen(row(tag=None, order_id="2"), of=ours).foreign[0].broker_order_id == "2"


def test_an_order_of_a_trigger_that_is_not_in_the_book_is_not_taken_for_refused() -> None:
    ours = record(order=order(run_id=TRIGGER_RUN), broker_order_id="151220000000000", attempted_at=1)
    assert seen(of=ours).reports == ()


def test_an_order_we_have_sent_is_not_followed_without_its_tag() -> None:
    found = seen(row(tag=None), of=record(broker_order_id="151220000000000"))
    assert (len(found.foreign), found.reports) == (1, ())
